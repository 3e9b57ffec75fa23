"""The command that scores a run: what it writes and says, and what it says to bad input."""

import csv
import json
from subprocess import PIPE, Popen

import numpy as np
import pyarrow.parquet as pq
import pytest

from sim import observations
from sim.analysis import scores
from sim.analysis.tables import has_paths
from sim.figures.provenance import read_provenance
from sim.model.metrics import metrics
from sim.observations import COLUMNS
from sim.results.folder import open_run
from sim.workflow import run
from tests.helpers import SIM, clean_environment, config

HEAD = ",".join(COLUMNS)
SEEN = "hubs_functional,2026-02-10,44,40,48,calibration,A03,"
END = "2026-03-31"
MOVED = ("sim", "run", "experiment=portfolio", "calls.applications=60")


def simulate(path, **changes):
    assert run(config({"replications": 3} | changes, "portfolio", END), "portfolio", path, MOVED) == 0


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A small run of the portfolio, which is only read."""
    path = tmp_path_factory.mktemp("finished") / "run"
    simulate(path)
    return path


def without_kinds(file):
    pq.write_table(pq.read_table(file).drop_columns(["kind"]), file)


def observe(folder, *lines, name="seen.csv"):
    (folder / name).write_text("\n".join([HEAD, *lines]) + "\n", encoding="utf-8")
    return name


def rows(file):
    with file.open(encoding="utf-8", newline="") as opened:
        return list(csv.DictReader(opened))


def test_help_names_it(sim):
    assert "sim score RUN OBSERVATIONS.csv" in sim("--help")[1]


def test_a_run_is_scored(sim, tmp_path, finished):
    observe(tmp_path, SEEN, "stp_parks,2026-03-31,51,,,,,", "sco_hubs,2026-03-31,99,,,comparator,P36,")
    code, out, err = sim("score", finished, "seen.csv", "out=new/scores")
    assert (code, err) == (0, "")
    for words in (
        "44 hubs open (known within 40 to 48) on 10 February 2026: the forecast said ",
        "51 software technology parks open on 31 March 2026: the forecast said ",
        "sco_hubs 99 on 31 March 2026: not scored (it is of another programme)",
        "2 of 3 observations scored",
        "Hubs open: mean CRPS",
        "mid-PIT",
        "new/scores/score.png",
    ):
        assert words in out
    folder = tmp_path / "new" / "scores"
    assert {file.name for file in folder.iterdir()} == {"score.csv", "score.json", "score.png", "score.svg"}
    assert read_provenance(folder / "score.png")["command"] == ["sim", "score", str(finished), "seen.csv"]
    found = json.loads((folder / "score.json").read_text())
    assert (found["file"], found["observations"], found["scored"]) == ("seen.csv", 3, 2)
    assert found["run"]["config_digest"] == open_run(finished).manifest["config_digest"]
    assert read_provenance(folder / "score.png")["experiment"] == "portfolio, with calls.applications=60"
    table = rows(folder / "score.csv")
    assert len(table) == len(found["entries"]) == 3
    for row, entry in zip(table, found["entries"], strict=True):
        for name, value in entry.items():
            plain = str(value).lower() if isinstance(value, bool) else value
            assert row[name] == ("" if value is None else plain if isinstance(plain, str) else repr(plain)), name
    assert found["entries"][2]["crps"] is None


def test_by_default_scores_are_in_the_run(sim, tmp_path, finished):
    """And are made anew there, while the rest of the run stays as it is."""
    before = {file: file.read_bytes() for file in finished.rglob("*") if file.is_file()}
    observe(tmp_path, SEEN)
    observe(tmp_path, "nonsuch,2026-02-10,44,,,,,", name="other.csv")
    for _ in range(2):
        assert sim("score", finished, "seen.csv")[0] == 0
    assert sim("score", finished, "other.csv")[0] == 0
    scores = finished / "scores"
    assert {str(file.relative_to(scores)) for file in scores.rglob("*.*")} == {
        "seen/score.csv", "seen/score.json", "seen/score.png", "seen/score.svg", "other/score.csv", "other/score.json",
    }  # fmt: skip
    observe(tmp_path, "nonsuch,2026-02-10,44,,,,,")
    assert sim("score", finished, "seen.csv")[0] == 0
    assert not (scores / "seen" / "score.png").exists()  # nothing to draw any more
    assert {file: file.read_bytes() for file in before} == before


def test_every_metric_may_be_observed(tmp_path, finished):
    """The forecast of each is that of the table of runs, on a date that both have."""
    runs, monthly = (open_run(finished).table(name) for name in ("runs", "monthly"))
    known = [name for name in metrics(["hub", "stp", "women_park"]) if has_paths(monthly, name)]
    assert len(known) > 30
    observe(tmp_path, *(f"{name},{END},1,,,,," for name in known))
    entries = scores.score(monthly, observations.read(tmp_path / "seen.csv"))
    assert [entry["metric"] for entry in entries] == known
    for entry in entries:
        median = np.median(runs[f"{entry['metric']}@{END}"].to_numpy())
        assert entry["p50"] == pytest.approx(median, rel=1e-12), entry["metric"]


BAD = {
    "no such file": (None, ["seen.csv", "No such file"]),
    "empty": ("", ["seen.csv", "is empty", HEAD]),
    "no rows": (f"{HEAD}\n", ["seen.csv", "no observation"]),
    "not text": (b"\xff\xfe\x00\x01", ["seen.csv", "CSV file in UTF-8"]),
    "missing column": ("series,date,value,low,high,role,note\n", ["seen.csv", "line 1", "missing: fact_ids", HEAD]),
    "not a date": (f"{HEAD}\nhubs_open,14/11/2025,1,,,,,\n", ["line 2", "date", "2025-11-14", "'14/11/2025'"]),
    "no such day": (f"{HEAD}\n{SEEN}\nhubs_open,2026-02-30,1,,,,,\n", ["line 3", "date", "'2026-02-30'"]),
    "not a number": (f"{HEAD}\nhubs_open,2026-02-10,many,,,,,\n", ["line 2", "value", "a number", "'many'"]),
    "no value": (f"{HEAD}\nhubs_open,2026-02-10,,,,,,\n", ["line 2", "value", "a number", "''"]),
    "infinite": (f"{HEAD}\nhubs_open,2026-02-10,inf,,,,,\n", ["line 2", "value", "a number", "'inf'"]),
    "low": (f"{HEAD}\nhubs_open,2026-02-10,1,x,,,,\n", ["line 2", "low", "a number or empty", "'x'"]),
    "low above value": (f"{HEAD}\nhubs_open,2026-02-10,41,42,45,,,\n", ["line 2", "low", "at most", "41", "'42'"]),
    "high below value": (f"{HEAD}\nhubs_open,2026-02-10,41,,40,,,\n", ["line 2", "high", "at least", "41", "'40'"]),
    "no series": (f"{HEAD}\n,2026-02-10,41,,,,,\n", ["line 2", "series", "''"]),
    "negative": (f"{HEAD}\nhubs_open,2026-02-10,-5,,,,,\n", ["line 2", "value", "between 0 and", "'-5'"]),
    "huge": (f"{HEAD}\nhubs_open,2026-02-10,1e300,,,,,\n", ["line 2", "value", "between 0 and", "'1e300'"]),
    "no such role": (f"{HEAD}\nhubs_open,2026-02-10,5,,,foo,,\n", ["line 2", "role", "calibration", "'foo'"]),
    "twice": (f"{HEAD}\n{SEEN}\n{SEEN}\n", ["line 3", "same series and date as line 2"]),
    "column twice": (f"{HEAD},value\n{SEEN},1\n", ["line 1", "twice: value"]),
    "unquoted comma": (f"{HEAD}\n{SEEN}\n{SEEN}opened, \n", ["line 3", "8 cells", "got 9"]),
}  # fmt: skip


@pytest.mark.parametrize(("content", "words"), BAD.values(), ids=BAD)
def test_a_bad_file_is_one_clear_line(sim, tmp_path, finished, content, words):
    if content is not None:
        (tmp_path / "seen.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    code, out, err = sim("score", finished, "seen.csv", "out=new")
    assert (code, out) == (2, "")
    (line,) = err.splitlines()
    for word in ["seen.csv", *words]:
        assert word in line
    assert not (tmp_path / "new").exists()


def test_every_mistake_has_its_line(sim, tmp_path, finished):
    observe(tmp_path, ",2026-13-01,x,,,,,", SEEN, "hubs_open,2026-02-10,41,42,40,,,")
    code, _, err = sim("score", finished, "seen.csv", "out=new")
    assert code == 2
    assert [line.split(":")[:3] for line in err.splitlines()] == [
        ["seen.csv", f" line {line}", f" {column}"]
        for line, column in ((2, "series"), (2, "date"), (2, "value"), (4, "low"), (4, "high"))
    ]


def test_spreadsheets_and_quotes_are_read(sim, tmp_path, finished):
    """A byte order mark, Windows line ends, quotes, blank lines, more columns, another order."""
    columns = "date,series,value,low,high,role,note,fact_ids,more"
    text = f'\ufeff{columns}\r\n\r\n2026-02-10,hubs_open,41,,,,"a, ""b""",P03,5\r\n'
    (tmp_path / "seen.csv").write_bytes(text.encode("utf-8"))
    code, out, _ = sim("score", finished, "seen.csv", "out=new")
    assert code == 0
    assert "1 of 1 observations scored" in out


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: path.mkdir(), ["is not a run folder"]),
        (lambda path: path.write_text("{}"), ["is not a run folder"]),
        (lambda path: (path.mkdir(), (path / "manifest.json").write_text("{}")), ["is not a run folder"]),
        (lambda path: (path.mkdir(), (path / "manifest.json").write_text("[1")), ["is not a run folder"]),
        (lambda path: simulate(path, tables=["runs"]), ["has no table monthly"]),
        (
            lambda path: simulate(path, sweep={"grid": {"calls.applications": [48, 80]}}, tables=["runs", "monthly"]),
            ["2 scenarios"],
        ),
        (
            lambda path: (simulate(path), (path / "tables" / "monthly.parquet").write_bytes(b"PAR1")),
            ["monthly", "is damaged"],
        ),
        (lambda path: (simulate(path), without_kinds(path / "tables" / "monthly.parquet")), ["monthly", "was changed"]),
    ],
    ids=[
        "empty folder",
        "file",
        "other manifest",
        "broken manifest",
        "no monthly",
        "sweep",
        "broken table",
        "other version",
    ],
)
def test_a_run_that_will_not_do(sim, tmp_path, capsys, make, words):
    observe(tmp_path, SEEN)
    make(tmp_path / "run")
    capsys.readouterr()
    code, out, err = sim("score", "run", "seen.csv", "out=new")
    assert (code, out) == (2, "")
    (line,) = err.splitlines()
    for word in ["run", *words]:
        assert word in line
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    "arguments", [[], ["run"], ["run", "a", "b"], ["run", "a", "out="], ["run", "a", "out=b", "c"]]
)
def test_usage(sim, arguments):
    code, out, err = sim("score", *arguments)
    assert (code, out) == (2, "")
    assert err == "usage: sim score RUN OBSERVATIONS.csv [out=DIR]\n"


@pytest.mark.parametrize("there", ["thesis.tex", "score", "score.json", "score.csv"])
def test_a_folder_in_use_is_refused_and_left_alone(sim, tmp_path, finished, there):
    observe(tmp_path, SEEN)
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / there).write_text('{"file": "other.csv"}')
    code, _, err = sim("score", finished, "seen.csv", "out=old")
    assert code == 2
    (line,) = err.splitlines()
    assert "old holds something else than scores of seen.csv" in line
    assert [file.name for file in (tmp_path / "old").iterdir()] == [there]


@pytest.mark.parametrize("other", ["thesis.tex", "score"], ids=["a file", "a folder"])
def test_earlier_scores_among_other_things_are_left_alone(sim, tmp_path, finished, other):
    observe(tmp_path, SEEN)
    assert sim("score", finished, "seen.csv", "out=old")[0] == 0
    (tmp_path / "old" / other).mkdir() if other == "score" else (tmp_path / "old" / other).touch()
    before = {file.name for file in (tmp_path / "old").iterdir()}
    code, _, err = sim("score", finished, "seen.csv", "out=old")
    assert code == 2
    assert "old holds something else than scores of seen.csv" in err
    assert {file.name for file in (tmp_path / "old").iterdir()} == before


def test_a_reader_who_leaves_is_no_mistake(tmp_path, finished):
    """As in `sim score ... | head`."""
    observe(tmp_path, SEEN)
    command = [*SIM, "score", finished, "seen.csv", "out=new"]
    with Popen(command, cwd=tmp_path, env=clean_environment(), stdout=PIPE, stderr=PIPE, text=True) as process:
        process.stdout.close()
        assert (process.stderr.read(), process.wait()) == ("", 0)
    assert (tmp_path / "new" / "score.png").exists()


def test_a_file_is_no_folder(sim, tmp_path, finished):
    observe(tmp_path, SEEN)
    code, _, err = sim("score", finished, "seen.csv", "out=seen.csv")
    assert code == 2
    assert err == "out: cannot write to seen.csv (Not a directory)\n"
