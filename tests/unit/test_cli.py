"""The command line: what it lists, and what it says to bad input."""

import subprocess
import sys

import pytest

from sim.analysis.words import named
from sim.config import experiments
from sim.model.distributions import Distribution
from sim.model.parameters import walk
from sim.results.folder import open_run
from sim.study import montecarlo
from tests.helpers import clean_environment, study


def test_help(sim):
    for arguments in ((), ("--help",), ("-h",), ("help",)):
        code, out, err = sim(*arguments)
        assert (code, err) == (0, "")
        for word in ("sim run", "sim list", "sim parameters", "replications=", "only="):
            assert word in out


def test_version(sim):
    code, out, _ = sim("--version")
    assert code == 0
    assert out.startswith("sim ")


def test_list_names_every_experiment_with_its_question(sim):
    code, out, _ = sim("list")
    assert code == 0
    lines = dict(line.split(maxsplit=1) for line in out.splitlines())
    assert lines == dict(experiments())
    assert {"baseline", "official_plan", "history", "portfolio", "stp_staff", "sweep"} <= set(lines)
    assert all(question.strip().endswith("?") for question in lines.values())


def test_parameters_lists_every_one_with_unit_and_source(sim):
    code, out, _ = sim("parameters")
    assert code == 0
    lines = out.splitlines()
    assert lines[0].split() == ["parameter", "value", "unit", "drawn", "per", "source", "meaning"]
    table = {line.split()[0]: line for line in lines[1:]}
    declared = dict(walk(study()))
    assert set(table) == set(declared)
    for path, parameter in declared.items():
        per = parameter.spec.per if isinstance(parameter.value, Distribution) else "-"
        for word in (parameter.spec.unit, parameter.source, f" {per} ", parameter.spec.about):
            assert word in table[path], path


@pytest.mark.parametrize("words", [["baseline"], ["calls.applications", "=", "60"]])
def test_a_word_that_sets_nothing(sim, words):
    code, out, err = sim("run", *words)
    assert (code, out) == (2, "")
    assert err == f"{words[0]}: settings are KEY=VALUE, without spaces around the =, as in experiment=baseline\n"


def test_parameters_of_an_experiment_with_overrides(sim):
    _, out, _ = sim("parameters", "experiment=official_plan", "hiring.attrition=0.123")
    table = {line.split()[0]: line for line in out.splitlines()}
    assert "A04" in table["rollout.rejection"]
    assert "0.123" in table["hiring.attrition"]
    assert "set by the experiment or on the command line" in table["hiring.attrition"]


BAD = [
    (["run", "nonsense=3"], ["nonsense", "no such key", "3"]),
    (["run", "hiring.atrition=0.02"], ["hiring.atrition", "did you mean hiring.attrition?", "0.02"]),
    (["run", "hiring.attrition=often"], ["hiring.attrition", "a number or a distribution", "often"]),
    (["run", "rollout.evaluation=-1"], ["rollout.evaluation", "at least 0 (months)", "-1"]),
    (["run", "rollout.rejection=1.2"], ["rollout.rejection", "between 0 and 1 (probability)", "1.2"]),
    (["run", "goals.hubs_250.by=2024-01-01"], ["goals.hubs_250.by", "2025-11-14", "2030-12-31", "2024-01-01"]),
    (["run", "end=2027-01-01"], ["goals.hubs_250", "2027-01-01", "2027-12-31"]),
    (["run", "rollout.evaluation.value=[pert,5,3,8]"], ["rollout.evaluation", "low <= mode <= high", "5", "3", "8"]),
    (["run", "regions.Punjb.contractors=3"], ["regions.Punjb.contractors", "regions.Punjab.contractors", "3"]),
    (["run", "replications=0"], ["replications", "greater than or equal to 1", "0"]),
    (["run", "experiment=nonsuch"], ["experiment", "nonsuch", "baseline bottlenecks calibrated history official_plan"]),
    (["run", "exports=nonsuch"], ["exports", "nonsuch", "official survey"]),
    (["run", "+sweep.grid={calls.aplications:[1,2]}"], ["calls.aplications", "did you mean calls.applications?"]),
    (["run", "+sweep.grid={calls.applications:[]}"], ["sweep.grid.calls.applications", "at least one value", "[]"]),
    (["run", "replications"], ["replications: ", "KEY=VALUE"]),
    (["run", "rollout.evaluation.value=[pert,1,3,8"], ["[pert,1,3,8"]),
    (["run", "=3"], ["=3"]),
    (["run", "--config-dir", "nosuch", "replications=1"], ["--config-dir", "a folder", "nosuch"]),
    (["parameters", "--config-dir"], ["--config-dir", "a folder", "nothing"]),
    (["parameters", "--config-dir=nosuch"], ["--config-dir", "a folder", "nosuch"]),
    (["run", "hydra.mode=RUN", "hiring.attrition=-1"], ["hiring.attrition", "between 0 and 0.99", "-1"]),
    (["run", "out=file/run", "replications=1"], ["out", "file/run"]),
    (["parameters", "hiring.atrition=2"], ["hiring.atrition", "did you mean hiring.attrition?"]),
    (["resume", "file", "replications=\u00b2"], ["replications: should be a whole number of", "\u00b2"]),
    (["reproduce", "file", "workers=" + "9" * 5000], ["workers: should be a whole number of", "999"]),
    (["rnu"], ["rnu", "run, resume, reproduce, compare, score, merge, report"]),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "words"), BAD, ids=lambda value: " ".join(value)[:80])
def test_bad_input_is_one_clear_line(sim, tmp_path, arguments, words):
    (tmp_path / "file").write_text("not a folder")
    if not any(argument.startswith("out=") for argument in arguments) and arguments[0] == "run":
        arguments = [*arguments, "out=new"]
    code, out, err = sim(*arguments)
    assert code in (1, 2)
    assert out == ""
    assert "Traceback" not in err
    (line,) = err.splitlines()
    for word in words:
        assert word in line
    assert [path.name for path in tmp_path.iterdir()] == ["file"]  # nothing was written


def test_every_mistake_has_its_line(sim, tmp_path):
    code, _, err = sim("run", "rollout.rejection=1.2", "rollout.evaluation=-1", "replications=0", "out=new")
    assert code in (1, 2)
    assert [line.split(":")[0] for line in err.splitlines()] == [
        "rollout.evaluation", "rollout.rejection", "replications",
    ]  # fmt: skip
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["hiring.atrition=0.1,0.2"], ["hiring.atrition", "did you mean hiring.attrition?"]),
        (["replications"], ["replications"]),
        (["experiment=nonsuch"], ["nonsuch", "baseline"]),
    ],
    ids=str,
)
def test_bad_input_to_a_multirun_is_clear_too(sim, tmp_path, arguments, words):
    code, _, err = sim("run", "-m", *arguments, "hydra.sweep.dir=new")
    assert code in (1, 2)
    assert "Traceback" not in err
    for word in words:
        assert word in err
    assert not list(tmp_path.rglob("*.parquet"))


SMALL = ("replications=1", "workers=1", "end=2025-11-30", "goals=none", "figures=false", "tables=[runs]")


def test_what_is_for_hydra_goes_to_hydra(sim, tmp_path):
    """The same run with Hydra's own entry as without."""
    assert sim("run", *SMALL, "out=plain")[0] == 0
    code, _, err = sim("run", *SMALL, "hydra.job.chdir=true", "hydra.run.dir=there", "out=moved")
    assert (code, err) == (0, "")
    plain, moved = (open_run(tmp_path / path).manifest for path in ("plain", "there/moved"))
    assert plain["tables"] == moved["tables"]
    assert [each["command"] for each in (plain, moved)] == [
        ["sim", "run", *SMALL, f"out={path}"] for path in ("plain", "moved")
    ]


def test_a_run_that_was_extended_says_how_all_of_it_is_made(sim, tmp_path):
    sim("run", *SMALL, "out=run")
    assert sim("resume", "run", "replications=2")[0] == 0
    manifest = open_run(tmp_path / "run").manifest
    assert [word for word in manifest["command"] if word.startswith("replications=")] == ["replications=2"]
    assert named(manifest) == "baseline, with end=2025-11-30 and goals=none"


def test_help_of_a_command(sim):
    assert sim("compare", "--help") == sim("--help")


def test_what_failed_in_a_run_is_its_exit_code(sim, monkeypatch):
    def failing(*_):
        raise ValueError("broken on purpose")

    monkeypatch.setattr(montecarlo, "simulate", failing)
    code, out, err = sim("run", *SMALL, "out=run")
    assert (code, out.splitlines()[0]) == (3, "No replication finished.")
    assert "replication 0 failed: ValueError: broken on purpose" in err


def test_a_multirun_is_a_folder_for_each_job(sim, tmp_path, monkeypatch):
    short = ["replications=2", "workers=1", "end=2026-03-31", "goals=none", "figures=false"]
    code, _, _ = sim("run", "-m", "hiring.attrition=0.02,0.03", *short, "hydra.sweep.dir=many")
    assert code == 0
    for job, attrition in enumerate((0.02, 0.03)):
        run = open_run(tmp_path / "many" / str(job))
        assert run.manifest["status"] == "complete"
        assert run.config["hiring"]["attrition"] == attrition
        assert set(run.manifest["tables"]) == {"runs", "monthly", "sites"}
        assert run.table("runs")["replication"].to_pylist() == [0, 1]
    digests = {open_run(tmp_path / "many" / str(job)).manifest["tables"]["runs"]["digest"] for job in (0, 1)}
    assert len(digests) == 2


def test_ctrl_c_in_a_multirun_ends_all_of_it(sim, tmp_path, monkeypatch):
    """What is done is kept; the jobs that have not begun do not begin."""

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(montecarlo, "simulate", interrupted)
    short = ["replications=2", "workers=1", "end=2026-03-31", "goals=none", "figures=false"]
    code, _, err = sim("run", "-m", "hiring.attrition=0.02,0.03", *short, "hydra.sweep.dir=many")
    assert open_run(tmp_path / "many" / "0").manifest["status"] == "interrupted"
    assert not (tmp_path / "many" / "1").exists()
    assert code == 130
    assert "Traceback" not in err


def test_out_of_memory_outside_a_run_is_a_line(sim, tmp_path, monkeypatch):
    def full(*_, **__):
        raise MemoryError

    monkeypatch.setattr("sim.workflow.report", full)
    sim("run", "replications=1", "workers=1", "end=2025-11-30", "goals=none", "figures=false", "out=run")
    assert sim("report", "run") == (2, "", "report: out of memory\n")


@pytest.mark.parametrize("with_run", [True, False], ids=["a run", "another file"])
def test_a_folder_in_use_is_refused_and_left_alone(sim, tmp_path, with_run):
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / ("manifest.json" if with_run else "thesis.tex")).write_text("{}")
    code, _, err = sim("run", "replications=1", "out=old")
    assert code in (1, 2)
    (line,) = err.splitlines()
    assert "old is not empty" in line
    assert "Traceback" not in err
    assert len(list((tmp_path / "old").iterdir())) == 1


def test_linear_algebra_has_one_thread_unless_it_is_told_otherwise():
    """It has to be said before numpy is there: `sim` must not import it before."""
    code = "import os, sys, sim.cli; print(os.environ['OPENBLAS_NUM_THREADS'], 'numpy' in sys.modules)"
    for given, wanted in (({}, "1 False"), ({"OPENBLAS_NUM_THREADS": "3"}, "3 False")):
        env = {key: value for key, value in clean_environment().items() if key != "OPENBLAS_NUM_THREADS"} | given
        done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == wanted
