"""One run from configuration to folder: exit codes, messages, what is kept when something goes wrong."""

import csv
import errno
import io
import json
import os
import re
import shutil
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from sim import figures, workflow
from sim.analysis import precision
from sim.compare import compare_runs
from sim.errors import InputError
from sim.figures import hubs_open
from sim.model.record import ConservationError, Record
from sim.reproduce import IDENTICAL, reproduce
from sim.results import store
from sim.results.folder import open_run
from sim.results.store import Store
from sim.study import montecarlo
from sim.study.montecarlo import run_block
from sim.workflow import FAILED, INTERRUPTED, run
from tests.helpers import config

SHORT = "2026-03-31"


@pytest.fixture
def broken(monkeypatch):
    """Make replications 1 and 3 fail."""
    simulate = montecarlo.simulate

    def failing(world, seed, replication, *rest):
        if replication in (1, 3):
            raise ConservationError(f"people got lost in {replication}")
        return simulate(world, seed, replication, *rest)

    monkeypatch.setattr(montecarlo, "simulate", failing)


@pytest.fixture
def one_figure(monkeypatch):
    monkeypatch.setattr(figures, "draw_all", hubs_open.draw)


def no_memory_for_two(block):
    """A block as usual, but that memory lacks for replication 2; in whichever process it is run."""
    simulate = montecarlo.simulate

    def lacking(world, seed, replication, *rest):
        if replication == 2:
            raise MemoryError
        return simulate(world, seed, replication, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(montecarlo, "simulate", lacking)
        return run_block(block)


def study(**changes):
    return config({"replications": 4} | changes, end=SHORT)


def rows(path):
    return open_run(path).table("runs").to_pylist()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "run"
    assert run(study(), "baseline", path) == 0
    return path


def test_failed_replications_become_rows_and_an_exit_code(broken, tmp_path, capsys, whole):
    """The figures are drawn of those that finished."""
    assert run(study(figures=True), "baseline", tmp_path / "run") == FAILED == 3
    out, err = capsys.readouterr()
    lines = [line for line in err.splitlines() if "replication" in line]
    assert lines == [
        "replication 1 failed: sim.model.record.ConservationError: people got lost in 1",
        "replication 3 failed: sim.model.record.ConservationError: people got lost in 3",
        "2 of 4 replications failed; only=1 runs one alone",
    ]
    assert "Traceback" not in err + out
    manifest = open_run(tmp_path / "run").manifest
    assert (manifest["status"], manifest["replications"], manifest["failed"]) == ("failed", 2, [[0, 1], [0, 3]])
    for mine, theirs in zip(rows(tmp_path / "run"), rows(whole), strict=True):
        if mine["replication"] in (1, 3):
            assert mine["error"].endswith(f"people got lost in {mine['replication']}")
        else:
            assert mine == theirs
    monthly = open_run(tmp_path / "run").table("monthly")
    assert set(monthly["replication"].to_pylist()) == {0, 2}
    assert len(list((tmp_path / "run" / "figures").glob("*.png"))) >= 5


def test_a_failed_replication_alone_shows_its_traceback(broken, tmp_path, capsys):
    assert run(study(only=3), "baseline", tmp_path / "run") == FAILED
    err = capsys.readouterr().err
    assert "replication 3 failed: " in err
    assert "Traceback" in err
    assert "people got lost in 3" in err.splitlines()[-2:][0] + err.splitlines()[-1]
    assert [row["replication"] for row in rows(tmp_path / "run")] == [3]


def test_all_failed(monkeypatch, tmp_path, capsys):
    def fails(*_):
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(montecarlo, "simulate", fails)
    assert run(study(replications=2), "baseline", tmp_path / "run") == FAILED
    out, err = capsys.readouterr()
    assert "No replication finished." in out
    assert "replication 0 failed, and 1 more: ZeroDivisionError: division by zero\n" in err
    assert "2 of 2 replications failed; only=0 runs one alone" in err
    assert [row["error"] for row in rows(tmp_path / "run")] == ["ZeroDivisionError: division by zero"] * 2


def test_one_of_ten_thousand_fails(monkeypatch, tmp_path, capsys):
    """It alone has an error; the others are what they are without it. (What is simulated does not matter here.)"""
    cfg = config({"replications": 10_000, "tables": ["runs"]}, end="2025-11-30")

    def failing(world, seed, replication, *_):
        if replication == 8137:
            raise ConservationError("people got lost")
        return Record({"x": float(replication)}, *[None] * 7)

    monkeypatch.setattr(montecarlo, "simulate", failing)
    monkeypatch.setattr(montecarlo, "judge", lambda record, _: record.drawn)
    monkeypatch.setattr(workflow, "summarise", lambda *_: {"answer": ""})
    assert run(cfg, "baseline", tmp_path / "run", quiet=True) == FAILED
    assert capsys.readouterr().err.splitlines() == [
        "replication 8137 failed: sim.model.record.ConservationError: people got lost",
        "1 of 10000 replications failed; only=8137 runs one alone",
    ]
    found = open_run(tmp_path / "run").table("runs")
    numbers = list(range(10_000))
    assert found["replication"].to_pylist() == numbers
    assert found["x"].to_pylist() == [None if n == 8137 else n for n in numbers]
    assert [n for n, error in enumerate(found["error"].to_pylist()) if error] == [8137]
    manifest = open_run(tmp_path / "run").manifest
    assert (manifest["replications"], manifest["failed"]) == (9999, [[0, 8137]])


@pytest.mark.parametrize("processes", [1, 2])
def test_a_replication_that_lacked_memory_is_run_when_there_is_more(processes, monkeypatch, tmp_path, whole, capsys):
    monkeypatch.setattr(montecarlo, "run_block", no_memory_for_two)
    assert run(study(workers=processes), "baseline", tmp_path / "run") == workflow.STOPPED
    err = capsys.readouterr().err
    assert re.match(r"out of memory \(fewer `workers` need less\): [0-3] of 4 replications are kept in ", err), err
    assert open_run(tmp_path / "run").manifest["failed"] == []
    monkeypatch.undo()
    assert run(study(), "baseline", tmp_path / "run") == 0
    assert tables_of(tmp_path / "run") == tables_of(whole)


@pytest.mark.parametrize("where", ["results.store.Store.merge", "results.store.Store.clear", "workflow.report"])
@pytest.mark.parametrize(
    ("error", "said", "code"),
    [(KeyboardInterrupt, "interrupted", INTERRUPTED), (MemoryError, "out of memory", workflow.STOPPED)],
)
def test_stopped_after_the_replications(where, error, said, code, monkeypatch, tmp_path, whole, capsys):
    """Ctrl-C again, when the first is being cleaned up after, or no memory for what comes last."""

    def stop(*_):
        raise error

    simulate = montecarlo.simulate

    def interrupted(world, seed, replication, *rest):
        if replication == 3:
            raise KeyboardInterrupt
        return simulate(world, seed, replication, *rest)

    monkeypatch.setattr(montecarlo, "simulate", interrupted)
    monkeypatch.setattr(f"sim.{where}", stop)
    assert run(study(), "baseline", tmp_path / "run") == code
    err = capsys.readouterr().err
    assert (
        err == f"{said}: 3 of 4 replications are kept in {tmp_path / 'run'}; `sim resume {tmp_path / 'run'}` goes on\n"
    )
    monkeypatch.undo()
    assert run(study(), "baseline", tmp_path / "run") == 0
    assert tables_of(tmp_path / "run") == tables_of(whole)


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_what_stops_a_part_stops_the_whole(error, monkeypatch, tmp_path):
    """Its manifest says complete by then, so that the study it is a part of would go on."""

    def stop(*_):
        raise error

    monkeypatch.setattr(workflow, "summarise", stop)
    with pytest.raises(error):
        run(study(replications=1), "baseline", tmp_path / "run", quiet=True)


@pytest.mark.parametrize("lost", ["a part", "all of a table's parts", "the journal"])
def test_parts_that_are_missing_are_run_again(lost, monkeypatch, tmp_path, whole, caplog):
    with monkeypatch.context() as patch:
        patch.setattr(workflow, "run_study", lambda *_: _killed(montecarlo.run_study(*_)))
        with pytest.raises(SystemExit):
            run(study(), "baseline", tmp_path / "run")
    parts = tmp_path / "run" / "parts"
    gone = {
        "a part": [min(parts.glob("*/*.sites.parquet"))],
        "all of a table's parts": list(parts.glob("*/*.runs.parquet")),
        "the journal": [parts / "journal.jsonl"],
    }[lost]
    for file in gone:
        file.unlink()
    assert run(study(), "baseline", tmp_path / "run") == 0
    named = [str(file) for file in gone if file.suffix == ".parquet"]
    assert sorted(caplog.messages) == sorted(
        f"{n} is damaged or missing: its replications are run again" for n in named
    )
    assert tables_of(tmp_path / "run") == tables_of(whole)


def _killed(_):
    raise SystemExit


def test_runs_of_another_environment_are_kept_and_not_added_to(tmp_path, whole):
    path = shutil.copytree(whole, tmp_path / "run")
    manifest = json.loads((path / "manifest.json").read_text())
    manifest |= {"python": "3.10.0", "libraries": manifest["libraries"] | {"numpy": "1.0"}}
    (path / "manifest.json").write_text(json.dumps(manifest))
    assert run(study(), "baseline", path) == 0  # all of it is there
    assert open_run(path).manifest["libraries"]["numpy"] == "1.0"
    assert open_run(path).manifest["python"] == "3.10.0"
    before = (path / "manifest.json").read_bytes()
    words = (
        r"begun in another environment \(python 3\.10\.0 there, .* here; numpy 1\.0 there, .* here\).* go on in that"
    )
    with pytest.raises(InputError, match=words):
        run(study(replications=5), "baseline", path)
    assert (path / "manifest.json").read_bytes() == before
    manifest["tables"]["runs"]["rows"] = 5  # more than is found
    (path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(InputError, match=words):
        run(study(), "baseline", path)
    (path / "tables" / "runs.parquet").unlink()  # nothing is left that could be mixed
    assert run(study(), "baseline", path) == 0
    assert open_run(path).manifest["python"] != "3.10.0"


def test_runs_of_a_version_that_said_less_are_added_to(tmp_path, whole):
    path = shutil.copytree(whole, tmp_path / "run")
    manifest = json.loads((path / "manifest.json").read_text())
    less = {key: value for key, value in manifest.items() if key not in ("sources", "libc")}
    (path / "manifest.json").write_text(json.dumps(less))
    assert run(study(replications=5), "baseline", path) == 0
    assert rows(path)[:4] == rows(whole)
    assert open_run(path).manifest["sources"] == manifest["sources"]


def test_a_clock_that_is_set_back(monkeypatch, tmp_path, whole):
    """The bar shows no time below 0, and the tables are the same."""
    now = [2e9]

    def earlier():
        now[0] -= 1000
        return now[0]

    screen = io.StringIO()
    screen.isatty = lambda: True
    monkeypatch.setattr(time, "time", earlier)
    monkeypatch.setattr("tqdm.std.time", earlier)
    monkeypatch.setattr(sys, "stderr", screen)
    assert run(study(), "baseline", tmp_path / "run") == 0
    assert re.search(r"4/4 \[\d\d:\d\d<\d\d:\d\d, ", screen.getvalue()), screen.getvalue()
    assert "-" not in "".join(re.findall(r"\[(.*?)\]", screen.getvalue())), screen.getvalue()
    assert tables_of(tmp_path / "run") == tables_of(whole)


def test_a_failed_scenario_is_named(monkeypatch, tmp_path, capsys):
    simulate = montecarlo.simulate

    def failing(world, seed, replication, *rest):
        if world.rollout.committee.value == 7 and replication == 1:
            raise ValueError("bad")
        return simulate(world, seed, replication, *rest)

    monkeypatch.setattr(montecarlo, "simulate", failing)
    sweep = {"grid": {"rollout.committee": [80, 7]}}
    assert run(study(replications=2, sweep=sweep), "sweep", tmp_path / "run") == FAILED
    assert "replication 1 of scenario 1 failed: ValueError: bad" in capsys.readouterr().err
    assert open_run(tmp_path / "run").manifest["failed"] == [[1, 1]]


def test_one_replication_alone_is_the_one_of_the_whole_run(tmp_path, whole):
    assert run(study(only=2), "baseline", tmp_path / "run") == 0
    (alone,) = rows(tmp_path / "run")
    assert alone == rows(whole)[2]


@pytest.mark.parametrize("done", [0, 2])
def test_an_interrupted_run_keeps_what_is_done(done, one_figure, monkeypatch, tmp_path, capsys, whole):
    simulate = montecarlo.simulate

    def interrupted(world, seed, replication, *rest):
        if replication == done:
            raise KeyboardInterrupt
        return simulate(world, seed, replication, *rest)

    monkeypatch.setattr(montecarlo, "simulate", interrupted)
    assert run(study(figures=True), "baseline", tmp_path / "run") == INTERRUPTED == 130
    assert (tmp_path / "run" / "figures" / "hubs_open.png").exists() == (done > 0)
    assert f"interrupted: {done} of 4 replications are kept in" in capsys.readouterr().err
    manifest = open_run(tmp_path / "run").manifest
    assert (manifest["status"], manifest["replications"]) == ("interrupted", done)
    assert open_run(tmp_path / "run").has_table("runs") == (done > 0)
    assert not done or rows(tmp_path / "run") == rows(whole)[:done]


@pytest.mark.parametrize("kept", [["runs"], ["runs", "monthly"], ["runs", "sites"]], ids=str)
def test_tables_that_are_not_kept_cost_their_figures_only(kept, tmp_path, capsys, whole):
    assert run(study(replications=2, tables=kept, figures=True), "baseline", tmp_path / "run") == 0
    assert {file.stem for file in (tmp_path / "run" / "tables").iterdir()} == set(kept)
    assert rows(tmp_path / "run") == rows(whole)[:2]
    assert "Tables, summary and manifest" in capsys.readouterr().out


def test_a_sweep_has_a_summary_for_each_scenario(tmp_path, capsys):
    grid = {"calls.applications": [48, 200]}
    assert run(study(replications=2, sweep={"grid": grid}), "sweep", tmp_path / "run") == 0
    summary = open_run(tmp_path / "run").summary
    assert [scenario["overrides"] for scenario in summary["scenarios"]] == [
        {"calls.applications": value} for value in (48, 200)
    ]
    low, high = (scenario["metrics"]["applications"]["mean"] for scenario in summary["scenarios"])
    assert low < high
    assert capsys.readouterr().out.strip().startswith(summary["answer"][:20])


def test_the_default_folder_is_new_each_time(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        assert run(study(replications=1), "baseline") == 0
    made = list((tmp_path / "results" / "runs").iterdir())
    assert len(made) == 2
    assert all(path.name.startswith("baseline_") for path in made)


def test_a_bad_study_leaves_no_folder(tmp_path):
    for bad in ({"replications": 0}, {"observations": "nonsuch"}, {"sweep": {"grid": {"nonsuch": [1]}}}):
        with pytest.raises(InputError):
            run(study(**bad), "baseline", tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


def tables_of(path):
    return {file.name: file.read_bytes() for file in (path / "tables").iterdir()}


def test_a_run_goes_on_where_it_was_stopped(monkeypatch, tmp_path, whole, capsys):
    simulate, calls = montecarlo.simulate, []

    def interrupted(world, seed, replication, *rest):
        calls.append(replication)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return simulate(world, seed, replication, *rest)

    monkeypatch.setattr(montecarlo, "simulate", interrupted)
    assert run(study(), "baseline", tmp_path / "run") == INTERRUPTED
    assert run(study(), "baseline", tmp_path / "run") == 0
    assert calls == [0, 1, 2, 2, 3]
    assert tables_of(tmp_path / "run") == tables_of(whole)
    assert open_run(tmp_path / "run").manifest["status"] == "complete"
    assert run(study(), "baseline", tmp_path / "run") == 0  # nothing is left to do
    assert len(calls) == 5


def test_a_run_is_extended(tmp_path, whole):
    assert run(study(replications=2), "baseline", tmp_path / "run") == 0
    assert run(study(), "baseline", tmp_path / "run") == 0
    assert tables_of(tmp_path / "run") == tables_of(whole)
    with pytest.raises(InputError, match="4 replications there, 3 here"):
        run(study(replications=3), "baseline", tmp_path / "run")


@pytest.mark.parametrize("more", [{"replications": 4}, {"sweep": {"grid": {"rollout.committee": [20, 80]}}}], ids=str)
def test_a_finished_run_that_is_extended_and_killed_loses_nothing(more, monkeypatch, tmp_path):
    """Killed before anything new was finished, twice: what was there is not run again."""
    simulate, calls = montecarlo.simulate, []
    small = {"replications": 2} | ({"sweep": {"grid": {"rollout.committee": [80]}}} if "sweep" in more else {})
    assert run(study(**small), "baseline", tmp_path / "run") == 0

    class Killed(BaseException):
        pass

    def killed(*_):
        raise Killed

    def counted(world, seed, replication, *rest):
        calls.append((world.rollout.committee.value, replication))
        return simulate(world, seed, replication, *rest)

    monkeypatch.setattr(montecarlo, "simulate", killed)
    for _ in range(2):
        with pytest.raises(Killed):
            run(study(**(small | more)), "baseline", tmp_path / "run")
    monkeypatch.setattr(montecarlo, "simulate", counted)
    assert run(study(**(small | more)), "baseline", tmp_path / "run") == 0
    assert calls == ([(20, 0), (20, 1)] if "sweep" in more else [(80, 2), (80, 3)])
    assert "there" not in open_run(tmp_path / "run").manifest
    assert run(study(**(small | more)), "baseline", tmp_path / "once") == 0
    assert tables_of(tmp_path / "run") == tables_of(tmp_path / "once")


def test_a_run_killed_as_it_begins_can_be_begun_again(tmp_path, whole):
    (tmp_path / "run" / "parts").mkdir(parents=True)
    (tmp_path / "run" / "manifest.part").write_text("{")
    assert run(study(), "baseline", tmp_path / "run") == 0
    assert tables_of(tmp_path / "run") == tables_of(whole)
    assert not (tmp_path / "run" / "manifest.part").exists()


def test_a_sweep_with_one_more_value_computes_only_that(monkeypatch, tmp_path):
    simulate, seen = montecarlo.simulate, []

    def counted(world, seed, replication, *rest):
        seen.append((world.rollout.committee.value, replication))
        return simulate(world, seed, replication, *rest)

    monkeypatch.setattr(montecarlo, "simulate", counted)
    for values in ([40, 80], [20, 40, 80]):
        sweep = {"grid": {"rollout.committee": values}}
        assert run(study(replications=2, sweep=sweep), "sweep", tmp_path / "run") == 0
    assert sorted(seen) == [(20, 0), (20, 1), (40, 0), (40, 1), (80, 0), (80, 1)]
    assert run(study(replications=2, sweep={"grid": {"rollout.committee": [20, 40, 80]}}), "x", tmp_path / "once") == 0
    assert tables_of(tmp_path / "run") == tables_of(tmp_path / "once")


def test_a_full_disk_says_so_and_keeps_what_is_done(monkeypatch, tmp_path, whole, capsys):
    put, calls = Store.put, []

    def full(self, *arguments):
        calls.append(1)
        if len(calls) == 3:
            raise OSError(28, "No space left on device")
        put(self, *arguments)

    monkeypatch.setattr(Store, "put", full)
    assert run(study(), "baseline", tmp_path / "run") == workflow.STOPPED
    err = capsys.readouterr().err
    assert "cannot write the results (No space left on device): 2 of 4 replications are kept in" in err
    assert "Traceback" not in err
    monkeypatch.undo()
    assert run(study(), "baseline", tmp_path / "run") == 0
    assert tables_of(tmp_path / "run") == tables_of(whole)


def refused(monkeypatch, name, error):
    """Let no file of this name be written."""
    opens, writer = Path.open, pq.ParquetWriter

    def opened(path, mode="r", *arguments, **options):
        return fail() if path.name == name and mode != "r" else opens(path, mode, *arguments, **options)

    def written(path, *arguments, **options):
        return fail() if path.name == name else writer(path, *arguments, **options)

    def fail():
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(Path, "open", opened)
    monkeypatch.setattr(store.pq, "ParquetWriter", written)


@pytest.mark.parametrize(
    ("name", "error", "kept"),
    [
        ("2-3.sites.part", errno.EACCES, 2),
        ("journal.jsonl", errno.EROFS, 0),
        ("runs.part", errno.ENOSPC, 4),
        ("merged.part", errno.ENOSPC, 4),
        ("summary.part", errno.EROFS, 4),
        ("report.part", errno.ENOSPC, 4),
    ],
)
def test_a_file_that_cannot_be_written_is_one_clear_line(name, error, kept, monkeypatch, tmp_path, whole, capsys):
    """What is finished is kept; once it can be written, the run goes on to the same tables."""
    path = tmp_path / "run"
    refused(monkeypatch, name, error)
    assert run(study(), "baseline", path) == workflow.STOPPED
    said = f"cannot write the results ({os.strerror(error)}): {kept} of 4 replications are kept in {path}; "
    assert capsys.readouterr().err == f"{said}`sim resume {path}` goes on\n"
    monkeypatch.undo()
    assert made_by_resuming(study(), path, monkeypatch) == list(range(kept, 4))
    assert tables_of(path) == tables_of(whole)
    assert {file.name for file in path.iterdir()} == {file.name for file in whole.iterdir()}


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EROFS, errno.EACCES])
@pytest.mark.parametrize("what", ["folder", "lock", "manifest"])
def test_a_folder_that_cannot_be_written_is_one_clear_line(what, error, monkeypatch, tmp_path):
    def fail(*_, **__):
        raise OSError(error, os.strerror(error))

    if what == "manifest":
        refused(monkeypatch, "manifest.part", error)
    else:
        monkeypatch.setattr(*{"folder": (Path, "mkdir"), "lock": (store.os, "open")}[what], fail)
    with pytest.raises(InputError) as caught:  # exit code 2
        run(study(), "baseline", tmp_path / "run")
    assert str(caught.value) == f"out: cannot write to {tmp_path / 'run'} ({os.strerror(error)})"


def test_an_extended_run_whose_manifest_cannot_be_written_makes_nothing_again(monkeypatch, tmp_path, whole, capsys):
    """Its tables are new by then, and the manifest that is there knows those before."""
    path, merge = tmp_path / "run", Store.merge
    assert run(study(replications=2), "baseline", path) == 0

    def merged(*arguments):
        refused(monkeypatch, "manifest.part", errno.ENOSPC)
        return merge(*arguments)

    monkeypatch.setattr(Store, "merge", merged)
    assert run(study(), "baseline", path) == workflow.STOPPED
    assert "(No space left on device): 4 of 4 replications are kept" in capsys.readouterr().err
    monkeypatch.undo()
    assert made_by_resuming(study(), path, monkeypatch) == []
    assert tables_of(path) == tables_of(whole)


def made_by_resuming(cfg, path, monkeypatch):
    """Numbers of the replications that are run until the study is complete."""
    simulate, made = montecarlo.simulate, []

    def counted(world, seed, replication, *rest):
        made.append(replication)
        return simulate(world, seed, replication, *rest)

    monkeypatch.setattr(montecarlo, "simulate", counted)
    assert run(cfg, "baseline", path) == 0
    return made


def test_a_run_is_never_written_over(whole):
    before = {path: path.read_bytes() for path in whole.rglob("*") if path.is_file()}
    with pytest.raises(InputError, match="never overwritten"):
        run(study(seed=2), "baseline", whole)
    assert {path: path.read_bytes() for path in whole.rglob("*") if path.is_file()} == before


def test_the_manifest_is_enough_to_run_it_again(tmp_path, whole):
    manifest = json.loads((whole / "manifest.json").read_text())
    assert run(manifest["config"], manifest["experiment"], tmp_path / "again") == 0
    again = open_run(tmp_path / "again").manifest
    assert again["tables"] == manifest["tables"]
    assert again["config_digest"] == manifest["config_digest"]
    for name in manifest["tables"]:
        assert (tmp_path / "again" / "tables" / f"{name}.parquet").read_bytes() == (
            whole / "tables" / f"{name}.parquet"
        ).read_bytes()


def test_exit_codes_are_told_apart():
    assert len({0, 2, workflow.STOPPED, workflow.FAILED, workflow.INTERRUPTED}) == 5


CALM = {
    "list": [
        {"name": "calm", "calls.applications": 48, "calls.applications_sd": 0, "calls.interval": 9},
        {"name": "wild", "calls.applications_sd": 100, "calls.interval": 2},
    ]
}
"""The mean of the applications is known to 60 at the first look in the calm scenario, not at the last in the other."""
EARLY = {"metric": "hubs_open", "level": 46, "by": "2026-03-31", "label": "46 hubs open", "source": "assumption"}


@pytest.fixture
def early(monkeypatch):
    monkeypatch.setattr(precision, "FIRST", 3)


def asked(replications=9, width=60.0, **changes):
    """The sweep whose scenarios stop by themselves."""
    precise = {"metric": "applications", "half_width": width}
    return study(precision=precise, sweep=CALM, replications=replications, goals={"early": EARLY}, **changes)


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    path = tmp_path_factory.mktemp("stopped") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(precision, "FIRST", 3)
        assert run(asked(figures=True), "sweep", path) == 0
    return path


def test_each_scenario_stops_by_itself(stopped, capsys):
    opened = open_run(stopped)
    assert [one["replications"] for one in opened.manifest["scenarios"]] == [3, 9]
    made = [(row["scenario"], row["replication"]) for row in rows(stopped)]
    assert made == [*((0, n) for n in range(3)), *((1, n) for n in range(9))]
    said = opened.summary["precision"]
    assert (said["looks"], [one["reached"] for one in said["scenarios"]]) == ([3, 6, 9], [True, False])
    assert (
        "12 runs were made of at most 18, 3 to 9 a scenario. The budget ended before 1 of 2" in opened.summary["answer"]
    )
    assert said["scenarios"][1]["low"] == opened.summary["scenarios"][1]["metrics"]["applications"]["low"]


def test_scenarios_of_unequal_size_are_drawn_compared_and_reported(stopped, early, tmp_path, capsys):
    page = (stopped / "report.html").read_text(encoding="utf-8")
    assert "3 to 9 runs of each of 2 scenarios" in page
    assert list((stopped / "figures").glob("*.png"))
    with (stopped / "scenarios.csv").open(encoding="utf-8", newline="") as file:
        table = [row for row in csv.DictReader(file) if row["metric"] == "applications"]
    assert [(row["name"], row["n"]) for row in table] == [("calm", "3"), ("wild", "9")]
    compare_runs([str(stopped)], tmp_path / "compare")
    assert "Compared: the 3 replications that all have." in capsys.readouterr().out
    assert reproduce(stopped, workers=1) == 0
    assert reproduce(stopped, replications=3, workers=1) == 0


@pytest.mark.parametrize("after", [1, 7])
def test_stopping_does_not_depend_on_interruptions(after, early, stopped, monkeypatch, tmp_path):
    simulate, calls = montecarlo.simulate, []

    def interrupted(*arguments):
        calls.append(arguments)
        if len(calls) == after:
            raise KeyboardInterrupt
        return simulate(*arguments)

    monkeypatch.setattr(montecarlo, "simulate", interrupted)
    assert run(asked(), "sweep", tmp_path / "run") == INTERRUPTED
    assert run(asked(), "sweep", tmp_path / "run") == 0
    assert tables_of(tmp_path / "run") == tables_of(stopped)
    assert len(calls) == 12 + 1  # nothing is made twice


@pytest.mark.parametrize("processes", [2, 3])
def test_stopping_does_not_depend_on_workers(processes, early, stopped, tmp_path):
    assert run(asked(workers=processes), "sweep", tmp_path / "run") == 0
    assert tables_of(tmp_path / "run") == tables_of(stopped)


def test_a_larger_budget_goes_on(early, stopped, tmp_path):
    for budget in (4, 9):
        assert run(asked(budget), "sweep", tmp_path / "run") == 0
    assert tables_of(tmp_path / "run") == tables_of(stopped)
    with pytest.raises(InputError, match=r"precision.half_width 60.0 there, 1 here"):
        run(asked(width=1), "sweep", tmp_path / "run")


def test_a_scenario_that_never_works_is_given_up_and_the_others_are_not(early, monkeypatch, tmp_path, capsys):
    simulate = montecarlo.simulate

    def failing(world, *rest):
        if world.calls.applications_sd.value == 100:
            raise ValueError("infeasible")
        return simulate(world, *rest)

    monkeypatch.setattr(montecarlo, "simulate", failing)
    assert run(asked(), "sweep", tmp_path / "run") == FAILED
    assert [one["replications"] for one in open_run(tmp_path / "run").manifest["scenarios"]] == [3, 0]
    assert len(rows(tmp_path / "run")) == 6
    with (tmp_path / "run" / "scenarios.csv").open(encoding="utf-8", newline="") as file:
        table = {row["name"]: row for row in csv.DictReader(file) if row["metric"] == "applications"}
    assert (table["calm"]["n"], table["wild"]["n"], table["wild"]["estimate"]) == ("3", "0", "")


def test_who_stops_reading_the_answer_is_not_told_of_a_full_disk(tmp_path, monkeypatch):
    def closed(*_):
        raise BrokenPipeError

    monkeypatch.setattr(workflow, "report", closed)
    with pytest.raises(BrokenPipeError):
        workflow.run(config({"replications": 1}, end="2025-11-30"), "baseline", tmp_path / "run")
    assert open_run(tmp_path / "run").manifest["status"] == "complete"


def test_a_quick_look_says_so(tmp_path):
    workflow.run(config({"replications": 1, "fidelity": "quick"}, end="2025-11-30"), "baseline", tmp_path / "run")
    assert open_run(tmp_path / "run").summary["answer"].startswith("A quick look: ")
    assert reproduce(tmp_path / "run") == IDENTICAL


def test_another_experiment_in_the_folder_is_named(tmp_path):
    workflow.run(config({"replications": 1}, end="2025-11-30"), "baseline", tmp_path / "run")
    with pytest.raises(InputError, match=r"\(experiment baseline there, prior here\)"):
        workflow.run(config({"replications": 1}, "prior", end="2025-11-30"), "prior", tmp_path / "run")


def test_figures_are_left_for_later(one_figure, tmp_path, capsys):
    """Once they are there they stay those of the tables."""
    path, cfg = tmp_path / "run", {"tables": ["monthly"], "goals": {}, "figures": False}
    workflow.run(config(cfg | {"replications": 1}, end="2025-12-31"), "baseline", path)
    assert not (path / "figures").exists()
    assert f"Figures: none; `sim report {path}` draws them\n" in capsys.readouterr().out
    assert "<figure" not in (path / "report.html").read_text(encoding="utf-8")
    workflow.report(path)
    assert f"Figures: {path}/figures, hubs_open\n" in capsys.readouterr().out
    assert "<figure" in (path / "report.html").read_text(encoding="utf-8")
    of_one = (path / "figures" / "hubs_open.csv").read_text()
    workflow.run(config(cfg | {"replications": 2}, end="2025-12-31"), "baseline", path)
    assert (path / "figures" / "hubs_open.csv").read_text() != of_one


def test_a_figure_that_fails_leaves_those_that_were_there(one_figure, tmp_path, monkeypatch):
    path = tmp_path / "run"
    workflow.run(
        config({"replications": 2, "tables": ["monthly"], "figures": True}, end="2025-12-31"), "baseline", path
    )
    before = {file.name: file.read_bytes() for file in (path / "figures").iterdir()}
    page = (path / "report.html").read_bytes()
    assert before
    assert not (path / "figures.part").exists()

    def half(run, folder):
        folder.mkdir()
        (folder / "jobs.png").write_bytes(b"new")
        raise ValueError("no figure")

    monkeypatch.setattr(figures, "draw_all", half)
    with pytest.raises(ValueError, match="no figure"):
        workflow.report(path)
    assert {file.name: file.read_bytes() for file in (path / "figures").iterdir()} == before
    assert (path / "report.html").read_bytes() == page
    assert not (path / "figures.part").exists()
