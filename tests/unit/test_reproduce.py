"""`sim reproduce`: what it says of the same code, of other luck, of another model, and of folders that are no runs."""

import json
import shutil
from contextlib import contextmanager

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sim import reproduce, workflow
from sim.results import store
from sim.results.folder import content_digest, open_run
from sim.study import montecarlo
from tests.helpers import config, study

SHORT = "2026-01-31"


def made(path, **changes):
    assert workflow.run(config(changes, end=SHORT), "baseline", path) == 0
    return path


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    """Six replications, all tables."""
    return made(tmp_path_factory.mktemp("few") / "run", replications=6)


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """So many that another luck is told from another model; the row-a-replication table alone."""
    return made(tmp_path_factory.mktemp("many") / "run", replications=40, tables=["runs"])


@pytest.fixture
def copy(few, tmp_path):
    return shutil.copytree(few, tmp_path / "copy")


@contextmanager
def manifest_of(path):
    """The manifest, to be changed."""
    content = json.loads((path / "manifest.json").read_text())
    yield content
    (path / "manifest.json").write_text(json.dumps(content))


@pytest.fixture
def simulate(monkeypatch):
    """Change what a replication does: shift the seed, stop at replication `end`, fail from `last` on."""
    original = montecarlo.simulate

    def change(shift=0, end=None, last=10**6):
        def changed(world, seed, replication, *rest):
            if end is not None and replication == end:
                raise KeyboardInterrupt
            if replication >= last:
                raise ValueError("a fault of the new version")
            return original(world, seed + shift, replication, *rest)

        monkeypatch.setattr(montecarlo, "simulate", changed)

    return change


def test_identical(sim, few):
    code, out, _ = sim("reproduce", few, "workers=1")
    assert code == 0
    lines = out.splitlines()
    assert lines[0].startswith("made by sim ")
    assert lines[0].endswith("the same now")
    assert [line.split(" (")[0] for line in lines[1:5]] == [
        "summary.json: what the tables in the folder give", "runs: identical", "monthly: identical", "sites: identical",
    ]  # fmt: skip
    assert lines[5:] == ["identical: all tables have the content that the manifest describes (all 6 replications)"]
    assert not (few / "parts").exists()


def test_it_writes_nothing_into_the_folder(sim, few):
    before = {file: file.read_bytes() for file in few.rglob("*") if file.is_file()}
    sim("reproduce", few, "workers=1")
    assert {file: file.read_bytes() for file in few.rglob("*") if file.is_file()} == before


def test_digests_are_enough(sim, copy):
    """Of published results the large tables are left out."""
    for name in ("monthly", "sites"):
        (copy / "tables" / f"{name}.parquet").unlink()
    code, out, _ = sim("reproduce", copy, "workers=1")
    assert code == 0
    assert "monthly: identical" in out


def test_a_prefix(sim, tmp_path, monkeypatch):
    """Row by row where the table is there; of a table that is not, by the digests of whole groups."""
    monkeypatch.setattr(store, "GROUP", 3)
    path = made(tmp_path / "run", replications=7)
    (path / "tables" / "monthly.parquet").unlink()
    for asked, monthly in ((1, "nothing to compare with"), (3, "identical"), (7, "identical")):
        code, out, _ = sim("reproduce", path, "--replications", asked, "workers=1")
        assert code == 0
        assert "runs: identical" in out
        assert f"monthly: {monthly} (" in out
        assert ("what can be compared has" in out) == (asked == 1)
        assert out.splitlines()[-1].endswith(f"({'all' if asked == 7 else f'the first {asked} of'} 7 replications)")
    (path / "tables" / "runs.parquet").unlink()
    _, out, _ = sim("reproduce", path, "replications=4", "workers=1")
    assert out.splitlines()[-1].endswith("(the first 6 of 7 replications)")


def test_a_prefix_of_larger_row_groups(sim, tmp_path, monkeypatch):
    """As a run of very many replications has; the part that is run again is laid out like them."""
    monkeypatch.setattr(store, "GROUP", 3)
    monkeypatch.setattr(store, "MANY", 4)
    path = made(tmp_path / "run", replications=7)
    for name in ("runs", "monthly"):
        (path / "tables" / f"{name}.parquet").unlink()
    code, out, _ = sim("reproduce", path, "replications=4", "workers=1")
    assert code == 0
    assert "monthly: identical" in out
    assert out.splitlines()[-1].endswith("(the first 6 of 7 replications)")


def test_several_runs(sim, few, copy, simulate):
    """As of `make check-results`: the worst of them is the exit code."""
    simulate(last=1)
    with manifest_of(copy) as manifest:
        manifest["tables"].pop("sites")
    code, out, _ = sim("reproduce", few, copy, "replications=1", "workers=1")
    assert code == 0
    assert [line for line in out.splitlines() if line.startswith("== ")] == [f"== {few}", f"== {copy}"]
    assert sim("reproduce", few, copy, "replications=2", "workers=1")[0] == 4
    code, out, err = sim("reproduce", few.parent, few, "replications=1", "workers=1")
    assert (code, len(err.splitlines())) == (2, 1)
    assert "runs: identical" in out  # the others are looked at all the same


def test_a_prefix_with_a_difference(sim, tmp_path, monkeypatch, simulate):
    """What is not run again cannot differ."""
    monkeypatch.setattr(store, "GROUP", 3)
    path = made(tmp_path / "run", replications=5, tables=["runs"])
    simulate(last=3)
    assert sim("reproduce", path, "replications=3", "workers=1")[0] == 0
    assert sim("reproduce", path, "replications=4", "workers=1")[0] == 4


def test_more_replications_than_there_are(sim, few):
    code, out, _ = sim("reproduce", few, "replications=1000", "workers=1")
    assert code == 0
    assert "all 6 replications" in out


def test_other_luck_is_statistically_equal(sim, many, tmp_path, simulate):
    """As of a version whose random numbers come in another order: every number differs, no distribution does."""
    path = shutil.copytree(many, tmp_path / "copy")
    with manifest_of(path) as manifest:
        manifest["libraries"]["numpy"] = "2.0.0"
        manifest["version"] = "0.0.1"
    simulate(shift=1)
    code, out, _ = sim("reproduce", path, "workers=1")
    assert code == 3
    assert "different now: version 0.0.1 there" in out
    assert "numpy 2.0.0 there" in out
    assert "runs: not identical" in out
    assert "no test tells them apart at a family-wise level of 1% (all 40 replications)" in out


def test_changed_code_in_the_same_place_is_never_called_equal(sim, many, simulate):
    """No distribution differs, but nothing else than the code can have moved the numbers."""
    simulate(shift=1)
    code, out, _ = sim("reproduce", many, "replications=4", "workers=1")
    assert code == 4
    assert " 0 statistically equal" in out


def test_two_pairs_prove_nothing():
    """Two whole counts that both moved by one, and two constants, are no proof at any level."""
    one = reproduce._metric("hubs", np.array([90.0, 95.0]), np.array([89.0, 94.0]), [0, 1])
    assert (one.verdict, one.p) == ("different", 0.5)
    assert reproduce._metric("hubs", np.array([3.0, 3.0]), np.array([4.0, 4.0]), [0, 1]).p >= 1 / 3


def test_rounding_is_not_a_difference(sim, few, monkeypatch):
    """As of another C library."""
    judge = montecarlo.judge

    def rounded(record, study):
        return {
            name: value * (1 + 1e-13) if isinstance(value, float) else value
            for name, value in judge(record, study).items()
        }

    monkeypatch.setattr(montecarlo, "judge", rounded)
    code, out, _ = sim("reproduce", few, "workers=1")
    assert code == 3
    assert " 0 but for rounding" not in out
    assert " 0 statistically equal" in out


def test_another_constant_is_different(sim, many, monkeypatch):
    """A model with one place in the committee, on the same luck, from replication 2 on."""
    original, slow = montecarlo.simulate, study({"rollout.committee": 1}, end=SHORT)

    def changed(world, seed, replication, *rest):
        return original(slow if replication >= 2 else world, seed, replication, *rest)

    monkeypatch.setattr(montecarlo, "simulate", changed)
    code, out, _ = sim("reproduce", many, "workers=1")
    assert code == 4
    lines = out[out.index("different: ") :].splitlines()
    named = {line.split(":")[0].strip() for line in lines[1:]}
    assert "in_progress@2026-01-31" in named, out
    first = {line.split(":")[0].strip(): int(line.split("replication ")[1].split(";")[0]) for line in lines[1:-1]}
    assert first["in_progress@2026-01-31"] == min(first.values()) == 2
    assert any(line.strip().startswith("and ") and line.endswith(" more") for line in lines)


def test_replications_that_fail_now_are_a_difference(sim, few, simulate):
    simulate(last=4)
    code, out, _ = sim("reproduce", few, "workers=1")
    assert code == 4
    assert "failed: mean 0 there, 0.333 here; first in replication 4" in out
    simulate(last=0)
    code, out, _ = sim("reproduce", few, "workers=1")
    assert code == 4
    assert "failed: mean 0 there, 1 here; first in replication 0" in out


def test_a_difference_in_another_table_only(sim, few, monkeypatch):
    """The row-a-replication table agrees; the number of people of a site does not."""
    build = montecarlo.build

    def changed(outcomes, start):
        tables = build(outcomes, start)
        seats = pa.array(tables["sites"]["seats"].to_numpy() + 5, pa.int32())
        at = tables["sites"].column_names.index("seats")
        return tables | {"sites": tables["sites"].set_column(at, "seats", seats)}

    monkeypatch.setattr(montecarlo, "build", changed)
    code, out, _ = sim("reproduce", few, "workers=1")
    assert code == 4
    assert "runs: identical" in out
    assert "sites.seats: mean " in out


def test_a_difference_that_only_the_digest_shows(sim, copy, monkeypatch):
    """The table was left out of what was published, or its text differs: it is not called equal."""
    build = montecarlo.build

    def changed(outcomes, start):
        tables = build(outcomes, start)
        at = tables["sites"].column_names.index("region")
        return tables | {"sites": tables["sites"].set_column(at, "region", pa.array(["?"] * len(tables["sites"])))}

    monkeypatch.setattr(montecarlo, "build", changed)
    for _ in range(2):
        code, out, _ = sim("reproduce", copy, "workers=1")
        assert code == 4
        assert "sites: by digest alone" in out
        (copy / "tables" / "sites.parquet").unlink(missing_ok=True)


def test_one_scenario_of_several_is_named(sim, tmp_path, monkeypatch):
    sweep = {"grid": {"rollout.committee": [20, 80]}}
    path = made(tmp_path / "run", replications=6, sweep=sweep, tables=["runs"])
    assert sim("reproduce", path, "workers=1")[0] == 0
    original, slow = montecarlo.simulate, study({"rollout.committee": 1}, end=SHORT)

    def changed(world, seed, replication, *rest):
        return original(slow if world.rollout.committee.value == 80 else world, seed, replication, *rest)

    monkeypatch.setattr(montecarlo, "simulate", changed)
    code, out, _ = sim("reproduce", path, "workers=1")
    assert code == 4
    named = [line for line in out.splitlines() if ": mean " in line]
    assert named
    assert all("(scenario 1)" in line for line in named)


# --- runs that were stopped, alone, or are being run again


def test_an_interrupted_run_is_compared_as_far_as_it_goes(sim, tmp_path, simulate, monkeypatch):
    simulate(end=3)
    cfg = config({"replications": 8}, end=SHORT)
    assert workflow.run(cfg, "baseline", tmp_path / "run") == workflow.INTERRUPTED
    simulate()
    code, out, _ = sim("reproduce", tmp_path / "run", "workers=1")
    assert code == 0
    assert "all 8" not in out
    assert "those that were finished when it was interrupted" in out


def test_an_interrupted_run_with_a_gap(sim, few, tmp_path, monkeypatch):
    """Blocks finish in any order: 0, 1 and 4 may be there, and 2 and 3 not."""
    path = shutil.copytree(few, tmp_path / "run")
    run = open_run(few)
    kept = {name: run.table(name) for name in ("runs", "monthly", "sites")}
    described = {}
    for name, table in kept.items():
        table = table.filter(pa.array(np.isin(table["replication"].to_numpy(), [0, 1, 4])))
        pq.write_table(table, path / "tables" / f"{name}.parquet")
        digest = store.table_digest(table)
        described[name] = {"rows": len(table), "digest": digest, "groups": [[0, 0, 4, digest[:16]]]}
    with manifest_of(path) as manifest:
        manifest |= {"status": "interrupted", "replications": 3, "tables": described}
    summary = workflow.summarise(study({}, end=SHORT), open_run(path))
    (path / "summary.json").write_text(json.dumps(summary))
    with manifest_of(path) as manifest:
        manifest["summary_digest"] = content_digest(open_run(path).summary)
    code, out, _ = sim("reproduce", path, "workers=1")
    assert code == 0, out
    assert "summary.json: what the tables in the folder give" in out
    assert "of the first 5 replications those that were finished when it was interrupted" in out


def test_a_run_without_any_replication(sim, tmp_path, simulate, monkeypatch):
    simulate(end=0)
    workflow.run(config({"replications": 2}, end=SHORT), "baseline", tmp_path / "run")
    code, _, err = sim("reproduce", tmp_path / "run")
    assert code == 2
    assert err.endswith("it lacks tables.runs\n")


def test_one_replication_alone(sim, tmp_path):
    path = made(tmp_path / "run", only=3)
    code, out, _ = sim("reproduce", path, "workers=1")
    assert code == 0
    assert "(replication 3)" in out


def test_stopped_while_it_runs_again(sim, few, simulate):
    simulate(end=4)
    code, out, err = sim("reproduce", few, "workers=1")
    assert code == 130
    assert err == "interrupted: nothing was compared\n"
    assert "identical" not in out


def test_a_full_disk_while_it_runs_again(sim, few, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store.os, "replace", full)
    code, out, err = sim("reproduce", few, "workers=1")
    assert code == 1
    assert "No space left on device" in err
    assert "identical" not in out


# --- folders that cannot be trusted


@pytest.mark.parametrize("name", ["runs", "sites"])
def test_a_table_that_was_changed_is_found(sim, copy, name):
    """The code still makes what the manifest says, but that is not what is in the folder."""
    file = copy / "tables" / f"{name}.parquet"
    table = pq.read_table(file)
    at, column = (
        (table.column_names.index("seats"), pa.array(table["seats"].to_numpy() + 1, pa.int32()))
        if name == "sites"
        else (table.column_names.index("opened@2026-01-31"), pa.array(table["opened@2026-01-31"].to_numpy() + 1))
    )
    pq.write_table(table.set_column(at, table.column_names[at], column), file)
    code, out, _ = sim("reproduce", copy, "workers=1")
    assert code == 4
    assert f"tables/{name}.parquet was changed" in out
    assert "identical" not in out


def test_a_summary_that_was_changed_is_found(sim, copy):
    """By its digest; and if that was changed with it, by what the tables in the folder give."""
    summary = json.loads((copy / "summary.json").read_text())
    told = {"answer": "All goals are met.", "metrics.hubs_open.mean": 250.0}
    summary["answer"] = told["answer"]
    summary["metrics"]["hubs_open"]["mean"] = 250.0
    (copy / "summary.json").write_text(json.dumps(summary))
    code, out, _ = sim("reproduce", copy, "workers=1")
    assert code == 4
    assert "summary.json was changed" in out
    with manifest_of(copy) as manifest:
        manifest["summary_digest"] = content_digest(summary)
    code, out, _ = sim("reproduce", copy, "workers=1", "replications=1")
    assert code == 4
    for path, value in told.items():
        assert f"different: summary.json: {path}: {value} there, " in out


def test_a_summary_that_is_missing_is_named_and_the_others_are_looked_at(sim, few, copy):
    (copy / "summary.json").unlink()
    code, out, _ = sim("reproduce", copy, few, "replications=1", "workers=1")
    assert code == 4
    assert "different: summary.json is missing" in out
    assert "runs: identical" in out


def test_a_summary_that_is_no_summary(sim, copy):
    (copy / "summary.json").write_text("[1]")
    code, _, err = sim("reproduce", copy, "workers=1")
    assert (code, len(err.splitlines())) == (2, 1)
    assert "summary.json: is damaged" in err


def test_a_summary_cannot_hide_behind_an_interruption(sim, copy):
    summary = json.loads((copy / "summary.json").read_text()) | {"answer": "All goals are met."}
    (copy / "summary.json").write_text(json.dumps(summary))
    with manifest_of(copy) as manifest:
        manifest["status"] = "interrupted"
        del manifest["summary_digest"]
    code, out, _ = sim("reproduce", copy, "workers=1")
    assert code == 4
    assert "different: summary.json: answer: All goals are met. there, " in out
    assert out.splitlines()[-1] == "different: the tables are as they were, but their summary says something else"


def test_a_sweep_without_its_table_of_sites(sim, tmp_path):
    path = made(tmp_path / "run", replications=2, sweep={"grid": {"rollout.committee": [40, 80]}})
    (path / "tables" / "sites.parquet").unlink()
    code, out, _ = sim("reproduce", path, "workers=1")
    assert code == 0, out
    assert "summary.json: what the tables in the folder give" in out


def test_the_summary_is_computed_anew(sim, few):
    _, out, _ = sim("reproduce", few, "workers=1", "replications=1")
    assert "summary.json: what the tables in the folder give" in out


def test_a_seed_that_was_changed_is_found(sim, copy):
    with manifest_of(copy) as manifest:
        manifest["seed"] = 7
    code, out, _ = sim("reproduce", copy, "workers=1")
    assert code == 4
    assert f"manifest.json was changed (seed 7, in its configuration {manifest['config']['seed']})" in out


def test_a_damaged_table_is_found(sim, copy):
    file = copy / "tables" / "runs.parquet"
    file.write_bytes(file.read_bytes()[:-30])
    code, out, _ = sim("reproduce", copy, "workers=1")
    assert code == 4
    assert "tables/runs.parquet is damaged" in out


def test_a_changed_configuration_is_told(sim, copy):
    with manifest_of(copy) as manifest:
        manifest["seed"] = manifest["config"]["seed"] = 7
    _, out, _ = sim("reproduce", copy, "workers=1")
    assert "Careful: the configuration has another digest than the manifest says" in out
    assert "not identical" in out


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda m: m.pop("config_digest"), "it lacks config_digest"),
        (lambda m: m.pop("libraries"), "it lacks libraries"),
        (lambda m: m.update(config=[]), "it lacks config"),
        (lambda m: m["tables"]["runs"].pop("groups"), "it lacks tables.runs"),
        (lambda m: m["tables"].pop("runs"), "it lacks tables.runs"),
        (lambda m: m["tables"]["runs"].update(size=0), "row groups of 0 replications"),
        (lambda m: m["tables"]["runs"].update(size="x"), "row groups of 'x' replications"),
        (lambda m: m["tables"]["runs"].update(size=2**40), "row groups of 1099511627776 replications"),
        (lambda m: m["tables"]["runs"].update(size=3), "row groups of 3 replications"),
        (lambda m: m["config"].update(end="soon"), "end: "),
        (lambda m: m["config"]["hiring"].update(magic=1), "hiring.magic: no such key"),
        (lambda m: m.pop("tables"), "is not a run folder"),
    ],
)
def test_a_damaged_manifest_is_one_clear_line(sim, copy, change, words):
    with manifest_of(copy) as manifest:
        change(manifest)
    code, out, err = sim("reproduce", copy, "workers=1")
    assert (code, out) == (2, "")
    (line,) = err.splitlines()
    assert words in line


def test_folders_that_are_no_runs(sim, tmp_path):
    (tmp_path / "manifest.json").write_text("{")
    for folder in (tmp_path / "nonsuch", tmp_path):
        code, out, err = sim("reproduce", folder)
        assert (code, out) == (2, "")
        assert err == f"{folder}: is not a run folder (it has no manifest.json of a run)\n"


@pytest.mark.parametrize("arguments", [[], ["replications=few"], ["replications=0"], ["seed=3"]])
def test_bad_arguments(sim, few, arguments):
    code, out, err = sim("reproduce", *([few, *arguments] if arguments else []))
    assert (code, out, len(err.splitlines())) == (2, "", 1)
