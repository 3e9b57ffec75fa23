"""`sim compare`: is it fair, what differs, what is said and what is written."""

import csv
import json
import re
import shutil
from contextlib import redirect_stdout
from datetime import date
from io import StringIO
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from scipy import stats

from sim import compare, workflow
from sim.figures import comparison
from sim.figures.provenance import read_provenance
from sim.results.folder import Run, open_run
from tests.helpers import config

DAY = "2026-01-31"
N = 16


def made(path, experiment="baseline", **changes):
    with redirect_stdout(StringIO()):
        assert workflow.run(config({"replications": N, **changes}, experiment, DAY), experiment, path) == 0
    return path


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The same luck under 80, 1 and 9 places in the committee, and under 80 with another seed."""
    folder = tmp_path_factory.mktemp("runs")
    made(folder / "usual")
    made(folder / "slow", **{"rollout.committee": 1})
    made(folder / "slower", **{"rollout.committee": 9, "rollout.evaluation": 1})
    made(folder / "other_luck", seed=3)
    return folder


@pytest.fixture
def undrawn(monkeypatch):
    monkeypatch.setattr(comparison, "draw", lambda *_: [])


@pytest.fixture
def copy(runs, tmp_path):
    return shutil.copytree(runs / "usual", tmp_path / "copy")


def change_manifest(path, **changes):
    file = path / "manifest.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def rows_of(out):
    with (out / "compare.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_two_runs(sim, runs, tmp_path):
    code, out, _ = sim("compare", runs / "usual", runs / "slow", f"out={tmp_path / 'cmp'}")
    assert code == 0
    lines = out.splitlines()
    assert lines[:2] == ["slow against usual (16 pairs):", "  configured: rollout.committee 80 -> 1"]
    assert "Careful" not in out
    drawn = {file.name for file in (tmp_path / "cmp" / "figures").glob("*.png")}
    assert {"compare_fans.png", "compare_forest.png"} <= drawn
    made = read_provenance(tmp_path / "cmp" / "figures" / "compare_forest.png")
    assert made["command"] == ["sim", "compare", str(runs / "usual"), str(runs / "slow")]
    manifests = [open_run(runs / name).manifest for name in ("usual", "slow")]
    assert made["config_digest"] == " / ".join(manifest["config_digest"] for manifest in manifests)
    assert made["commit"] == manifests[0]["commit"]
    written = json.loads((tmp_path / "cmp" / "compare.json").read_text())
    assert written["base"]["name"] == "usual"
    (side,) = written["sides"]
    (configured,) = side["configured"]
    assert (configured["key"], configured["base"]["value"], configured["here"]) == ("rollout.committee", 80, 1)
    assert len(side["differences"]) == len(rows_of(tmp_path / "cmp"))


def test_the_statistics_are_those_of_scipy(sim, runs, tmp_path, undrawn):
    """Means, corrected intervals, Holm's verdicts and the gain from pairing, from tables/runs alone."""
    sim("compare", runs / "usual", runs / "slow", runs / "slower", f"out={tmp_path / 'cmp'}")
    rows = rows_of(tmp_path / "cmp")
    a = open_run(runs / "usual").table("runs")
    columns = [name for name in a.column_names if "@" in name]
    m = 2 * len(columns)
    assert [row["name"] for row in rows] == 2 * columns
    checked = 0
    for side in ("slow", "slower"):
        b = open_run(runs / side).table("runs")
        mine = [row for row in rows if row["side"] == side]
        ps = []
        for row in mine:
            x, y = (table[row["name"]].to_numpy() for table in (a, b))
            known = np.isfinite(x) & np.isfinite(y)
            x, y = x[known], y[known]
            assert int(row["n"]) == len(x)
            assert float(row["difference"]) == pytest.approx(np.mean(y - x), abs=1e-12)
            ps.append(1.0)
            if np.ptp(y - x) == 0:
                continue
            reference = stats.ttest_rel(y, x)
            interval = reference.confidence_interval(1 - 0.05 / m)
            assert (float(row["low"]), float(row["high"])) == pytest.approx((interval.low, interval.high))
            assert float(row["p"]) == pytest.approx(reference.pvalue)
            apart = stats.sem(y - x) and np.hypot(stats.sem(x), stats.sem(y)) / stats.sem(y - x)
            assert float(row["narrower"]) == pytest.approx(apart)
            ps[-1] = reference.pvalue
            checked += 1
        told = np.minimum(1, np.maximum.accumulate(np.sort(ps) * (m - np.arange(len(ps)))))[np.argsort(np.argsort(ps))]
        assert [row["distinct"] == "True" for row in mine] == (told < 0.05).tolist()
    assert checked > 15


def test_words_for_better_worse_and_not_distinguishable(sim, runs, tmp_path, undrawn):
    _, out, _ = sim("compare", runs / "usual", runs / "slow", f"out={tmp_path / 'one'}")
    sim("compare", runs / "slow", runs / "usual", f"out={tmp_path / 'two'}")
    for row, back in zip(rows_of(tmp_path / "one"), rows_of(tmp_path / "two"), strict=True):
        assert float(row["difference"]) == pytest.approx(-float(back["difference"]))
        if row["distinct"] == "True":
            word, opposite = ("more", "less") if float(row["difference"]) > 0 else ("less", "more")
            assert f" {word} (" in row["in_words"]
            assert f" {opposite} (" in back["in_words"]
            assert float(row["low"]) * float(row["high"]) > 0 or float(row["p"]) > 0.05 / len(rows_of(tmp_path / "one"))
    said = {row["name"]: row["in_words"] for row in rows_of(tmp_path / "one")}
    assert re.match(r"in evaluation: \d+ more \(", said[f"in_evaluation@{DAY}"])
    assert re.match(r"approved: \d+ less \(", said[f"approved@{DAY}"])
    unclear = [row for row in rows_of(tmp_path / "one") if "not distinguishable" in row["in_words"]]
    assert unclear
    for row in unclear:
        assert f"not distinguishable at n = {row['n']} (" in row["in_words"]
        assert float(row["needed"]) > int(row["n"])  # or it would contradict itself
        assert row["needed"] == "inf" or "about " in row["in_words"]
    assert f"hubs open on 31 January 2026: {said[f'hubs_open@{DAY}'].split(': ')[1]}" in out


def test_what_pairing_gains_is_said(sim, runs, tmp_path, undrawn):
    _, out, _ = sim("compare", runs / "usual", runs / "slow", f"out={tmp_path / 'cmp'}")
    times = [float(row["narrower"]) for row in rows_of(tmp_path / "cmp") if 0 < float(row["narrower"]) < np.inf]
    (line,) = [line for line in out.splitlines() if "On the same luck" in line]
    assert f"{np.median(times):.1f} times narrower than those of independent runs" in line
    assert f"at least {min(times):.1f})" in line


def test_runs_that_hardly_differ_are_not_said_to_gain_without_bound():
    one = SimpleNamespace(is_goal=False, narrower=873.6, difference=0.1)
    said = compare.narrowing([one])
    assert "more than 100.0 times narrower" in said
    assert said.endswith("more than 10,000 times as many runs.")


def test_one_pair_cannot_tell(sim, tmp_path, undrawn):
    for name, places in (("usual", 80), ("slow", 1)):
        made(tmp_path / name, replications=1, **{"rollout.committee": places})
    _, out, _ = sim("compare", tmp_path / "usual", tmp_path / "slow", f"out={tmp_path / 'cmp'}")
    said = {row["name"]: row["in_words"] for row in rows_of(tmp_path / "cmp")}
    assert said[f"in_evaluation@{DAY}"] == "in evaluation: one pair cannot tell"
    assert said[f"closed@{DAY}"] == "closed: the same in all 1 pairs"
    assert "These pairs do not tell how much narrower" in out


def test_three_runs_and_a_goal(sim, tmp_path, undrawn):
    goal = {"metric": "hubs_open", "level": 45, "by": DAY, "label": "45 hubs open", "source": "assumption"}
    for name, places in (("usual", 80), ("slow", 1), ("slower", 2)):
        cfg = config({"replications": N, "rollout.committee": places, "tables": ["runs"]}, end=DAY)
        workflow.run(cfg | {"goals": {"hubs_45": goal}}, "baseline", tmp_path / name)
    code, out, _ = sim("compare", *(tmp_path / n for n in ("usual", "slow", "slower")), f"out={tmp_path / 'cmp'}")
    assert code == 0
    assert "slow against usual (16 pairs):" in out
    assert "slower against usual (16 pairs):" in out
    assert out.count("  chance of 45 hubs open by 31 January 2026: ") == 2
    rows = [row for row in rows_of(tmp_path / "cmp") if row["is_goal"] == "True"]
    assert [row["side"] for row in rows] == ["slow", "slower"]
    for row in rows:
        assert float(row["difference"]) == pytest.approx(float(row["b"]) - float(row["a"]))


def test_figures_show_the_replications_and_dates_that_all_have(sim, runs, tmp_path):
    """Else what stands at the end of a line is the value of another day, and a gap that of other luck."""
    later = "2026-06-30"
    cfg = config({"replications": 5, "rollout.committee": 1}, end=later)
    workflow.run(cfg | {"goals": {}, "record_on": [DAY]}, "baseline", tmp_path / "longer")
    code, out, _ = sim("compare", runs / "usual", tmp_path / "longer", f"out={tmp_path / 'cmp'}")
    assert code == 0
    assert "Compared: the 5 replications that all have." in out
    with (tmp_path / "cmp" / "figures" / "compare_fans.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["metric"] == "hubs_open"]
    assert {max(row["date"] for row in rows if row["side"] == side) for side in ("usual", "longer")} == {DAY}
    monthly = open_run(runs / "usual").table("monthly")
    wanted = pc.and_(pc.equal(monthly["month_end"], date.fromisoformat(DAY)), pc.less(monthly["replication"], 5))
    open_then = monthly.filter(wanted).group_by("replication").aggregate([("open", "sum")])["open_sum"].to_numpy()
    (last,) = [row for row in rows if (row["side"], row["date"]) == ("usual", DAY)]
    assert float(last["p50"]) == np.median(open_then)
    made = read_provenance(tmp_path / "cmp" / "figures" / "compare_fans.png")
    assert made["replications"] == 5
    assert "dashed" not in made["caption"]


def test_an_interval_that_holds_none_though_told_apart_is_explained(sim, runs, tmp_path, undrawn, monkeypatch):
    said = "Where one holds 0 and the difference is told apart all the same"
    assert (said in sim("compare", runs / "usual", runs / "slow", f"out={tmp_path / 'as_is'}")[1]) is False
    against = compare.against_first

    def wider(*given):
        return {name: [one._replace(low=-1.0, high=1.0) for one in found] for name, found in against(*given).items()}

    monkeypatch.setattr(compare, "against_first", wider)
    assert said in sim("compare", runs / "usual", runs / "slow", f"out={tmp_path / 'wider'}")[1]


def test_the_same_run_twice(sim, runs, copy, tmp_path):
    code, out, err = sim("compare", runs / "usual", runs / "usual")
    assert (code, out) == (2, "")
    assert "two sides have the same name" in err
    code, out, _ = sim("compare", runs / "usual", copy, f"out={tmp_path / 'cmp'}")
    assert code == 0
    assert "configured alike" in out
    assert "the same in all 16 pairs" in out
    assert "Nothing differs." in out
    assert {row["distinct"] for row in rows_of(tmp_path / "cmp")} == {"False"}


def test_a_run_from_before_scenarios_had_names(sim, runs, copy, tmp_path, undrawn):
    (only,) = json.loads((copy / "manifest.json").read_text())["scenarios"]
    change_manifest(copy, scenarios=[{key: value for key, value in only.items() if key != "name"}])
    code, out, err = sim("compare", copy, runs / "slow", f"out={tmp_path / 'cmp'}")
    assert (code, err) == (0, "")
    assert out.startswith("slow against copy (16 pairs):")


def test_scenarios_of_a_sweep(sim, tmp_path, undrawn):
    path = made(tmp_path / "swept", sweep={"grid": {"rollout.committee": [80, 1, 2]}}, tables=["runs"])
    code, out, _ = sim("compare", path, f"out={tmp_path / 'all'}")
    assert code == 0
    assert out.count("against swept: rollout.committee=80 (16 pairs)") == 2
    assert "configured: (scenario).rollout.committee 80 -> 1" in out
    code, out, _ = sim("compare", f"{path}#2", f"{path}#0", f"out={tmp_path / 'two'}")
    assert code == 0
    assert "swept: rollout.committee=80 against swept: rollout.committee=2 (16 pairs)" in out
    code, _, err = sim("compare", f"{path}#2", f"{path}#3")
    assert (code, err) == (2, f"{path}#3: has no scenario 3, only 0 to 2\n")


def test_a_scenario_that_an_experiment_lacks_is_told_before_it_is_run(sim, tmp_path, monkeypatch):
    monkeypatch.setattr(workflow, "run", None)
    code, _, err = sim("compare", "baseline#3", "prior", f"out={tmp_path / 'cmp'}")
    assert (code, err) == (2, "baseline#3: has no scenario 3, only 0 to 0\n")


def test_experiments_by_name(sim, tmp_path, undrawn, monkeypatch):
    overrides = ("replications=2", f"end={DAY}", "goals=none", "workers=1", "tables=[runs]")
    code, out, err = sim("compare", "baseline", "prior", *overrides, "out=cmp")
    assert code == 0
    assert err.startswith("To be run first: baseline (2 replications), kept in cmp_baseline; prior (2 replications), ")
    assert "cmp_prior against cmp_baseline (2 pairs):" in out or "prior against baseline (2 pairs):" in out
    assert open_run(tmp_path / "cmp_prior").manifest["experiment"] == "prior"
    assert (tmp_path / "cmp" / "compare.csv").is_file()


def test_what_is_run_first_is_said_before(sim, runs, monkeypatch):
    """In one line where progress is said: studies, replications, folders; each experiment is run once."""
    monkeypatch.chdir(runs)
    begun = []
    monkeypatch.setattr(workflow, "run", lambda _, name, path, command: begun.append((name, path, command)) or 1)
    monkeypatch.setattr(compare, "print", lambda *said, **to: print(begun, *said, **to), raising=False)
    code, out, err = sim(
        "compare", "stp_staff#1", "usual", "baseline", "stp_staff#0", "precision={metric:hubs_open,half_width:3}",
        "calls.applications=60", "out=cmp",
    )  # fmt: skip
    assert (code, out) == (2, "")
    assert err.splitlines() == [
        "[] To be run first: stp_staff (at most 400 replications of each of 2 scenarios), kept in cmp_stp_staff; "
        "baseline (at most 400 replications), kept in cmp_baseline",
        "compare: stp_staff did not finish, see cmp_stp_staff",
    ]
    ((name, path, command),) = begun
    assert (name, path.name, "calls.applications=60" in command) == ("stp_staff", "cmp_stp_staff", True)


def test_sides_are_named_by_the_levers_that_tell_them_apart(sim, tmp_path, undrawn):
    for name, lever in (("one", "hiring.attrition=0.02"), ("two", "hiring.attrition=0.03")):
        short = ("replications=2", f"end={DAY}", "goals=none", "workers=1", "tables=[runs]", "figures=false")
        assert sim("run", lever, *short, f"out={tmp_path / name}")[0] == 0
    _, out, _ = sim("compare", tmp_path / "one", tmp_path / "two", f"out={tmp_path / 'cmp'}")
    two, one = (
        f"{name}, with hiring.attrition=0.0{n}, end={DAY} and goals=none" for name, n in (("two", 3), ("one", 2))
    )
    assert out.startswith(f"{two} against {one} (2 pairs):")
    assert {row["side"] for row in rows_of(tmp_path / "cmp")} == {two}


def test_of_run_folders_nothing_is_run_or_said_first(sim, runs, tmp_path, undrawn):
    assert sim("compare", runs / "usual", runs / "slow", f"out={tmp_path / 'cmp'}")[2] == ""


# --- is it fair?


def test_other_seeds_are_refused(sim, runs, tmp_path):
    code, out, err = sim("compare", runs / "usual", runs / "other_luck", f"out={tmp_path / 'cmp'}")
    assert (code, out) == (2, "")
    assert err == "compare: not fair, the seeds differ (3, 20251114); run them with the same\n"
    assert not (tmp_path / "cmp").exists()


@pytest.mark.parametrize(("key", "value"), [("version", "9.9"), ("commit", "abc"), ("dirty", "maybe")])
def test_other_code_is_said(sim, runs, copy, tmp_path, undrawn, key, value):
    change_manifest(copy, **{key: value})
    code, out, _ = sim("compare", runs / "usual", copy, f"out={tmp_path / 'cmp'}")
    assert code == 0
    assert out.startswith(f"Careful: {key} differs (")
    assert value in out.splitlines()[0]
    assert json.loads((tmp_path / "cmp" / "compare.json").read_text())["remarks"] == out.splitlines()[:1]


def test_another_design_is_said(sim, runs, tmp_path, undrawn):
    path = made(tmp_path / "sobol", design="sobol", tables=["runs"])
    _, out, _ = sim("compare", runs / "usual", path, f"out={tmp_path / 'cmp'}")
    assert out.startswith("Careful: design differs (random, sobol), so the code or the dice do too.")


def test_metrics_that_only_one_has_are_left_out(sim, runs, tmp_path, undrawn):
    path = made(tmp_path / "longer", record_on=["2025-12-31"], tables=["runs"])
    code, _, _ = sim("compare", path, runs / "usual", f"out={tmp_path / 'cmp'}")
    assert code == 2  # 2025-12-31 alone there, the last day alone here
    path = made(tmp_path / "both", record_on=["2025-12-31", DAY], tables=["runs"])
    assert sim("compare", path, runs / "usual", f"out={tmp_path / 'cmp'}")[0] == 0
    assert {row["name"].split("@")[1] for row in rows_of(tmp_path / "cmp")} == {DAY}


def test_replications_that_only_one_has_are_left_out(sim, runs, tmp_path, undrawn):
    path = made(tmp_path / "few", replications=5, tables=["runs"])
    _, out, _ = sim("compare", runs / "usual", path, f"out={tmp_path / 'cmp'}")
    assert out.startswith("Compared: the 5 replications that all have.")
    assert {row["n"] for row in rows_of(tmp_path / "cmp")} == {"5"}


@pytest.mark.parametrize("command", ["compare", "report", "export", "score"])
def test_tables_that_were_changed_are_refused(sim, runs, copy, tmp_path, command):
    file = copy / "tables" / "runs.parquet"
    (tmp_path / "seen.csv").write_text("series,date,value,low,high,role,fact_ids,note\nhubs_open,2026-01-31,41,,,,,\n")
    more = {"compare": [runs / "usual"], "export": [tmp_path / "crate"], "score": [tmp_path / "seen.csv"]}
    for change in ("was changed", "is damaged"):
        if change == "was changed":
            table = pq.read_table(file)
            at = table.column_names.index("error")
            pq.write_table(table.set_column(at, "error", pa.array(["x"] * len(table))), file)
        else:
            file.write_bytes(file.read_bytes()[:-100])
        code, _, err = sim(command, copy, *more.get(command, []))
        assert code == 2
        assert err.startswith(f"{copy}: tables/runs.parquet {change}")
        assert len(err.splitlines()) == 1


def test_a_damaged_summary_is_said(sim, copy):
    (copy / "summary.json").write_text('{"answer": ')
    code, _, err = sim("report", copy)
    assert code == 2
    assert "summary.json: is damaged" in err


def test_replications_that_failed_are_left_out(sim, runs, copy, tmp_path, undrawn, monkeypatch):
    monkeypatch.setattr(Run, "check", lambda run: None)  # the table is made up
    file = copy / "tables" / "runs.parquet"
    table = pq.read_table(file)
    at = table.column_names.index("error")
    for failed in (2, N):
        error = pa.array(["ValueError: bad" if n < failed else None for n in range(N)], pa.string())
        pq.write_table(table.set_column(at, "error", error), file)
        code, out, err = sim("compare", runs / "usual", copy, f"out={tmp_path / str(failed)}")
        if failed == N:
            assert (code, out) == (2, "")
            assert "no finished replication" in err
        else:
            assert "Compared: the 14 replications that all have." in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "names at least two"),
        (["usual"], "names at least two"),
        (["usual", "nonsuch"], "nonsuch: is neither a run folder nor an experiment"),
        (["baseline", "what_maters"], "an experiment, did you mean what_matters?"),
        (["usual", "slow", "out=usual"], "out: usual is not empty"),
    ],
)
def test_bad_arguments(sim, runs, monkeypatch, arguments, words):
    monkeypatch.chdir(runs)
    code, out, err = sim("compare", *arguments)
    assert (code, out) == (2, "")
    (line,) = err.splitlines()
    assert words in line


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["baseline"], "names at least two"),
        (["stp_staff#1"], "names at least two"),
        (["prior", "usual/tables"], "is not a run folder"),
        (["prior", "usual#9"], "usual#9: has no scenario 9"),
        (["prior", "torn"], "it is not what the manifest describes"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_run(sim, runs, copy, monkeypatch, names, words):
    monkeypatch.chdir(runs)
    monkeypatch.setattr(workflow, "run", None)
    file = copy / "tables" / "runs.parquet"
    file.write_bytes(file.read_bytes()[:-1])
    code, out, err = sim("compare", *(str(copy) if name == "torn" else name for name in names), "out=cmp")
    assert (code, out) == (2, "")
    (line,) = err.splitlines()
    assert words in line


def test_many_differences_of_configuration_are_counted():
    found = [(f"key.{i}", i, "x" * 100) for i in range(compare.SAID + 2)]
    said = compare._configured(found)
    assert said.endswith(" and 2 more")
    assert "x" * 58 not in said
