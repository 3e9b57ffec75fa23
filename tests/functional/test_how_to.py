"""docs/how-to.md is followed to the letter: its files written, its commands and snippets run, in its order."""

import importlib.util
import os
import re
import shlex
import subprocess
import sys

import pytest

from sim import workflow
from sim.figures import hubs_open
from sim.results.folder import open_run
from tests.helpers import ROOT, SIM, clean_environment, config

BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", (ROOT / "docs/how-to.md").read_text(encoding="utf-8"), re.M | re.S)


def run(command, folder, **extra):
    done = subprocess.run(
        command, cwd=folder, env=clean_environment(**extra), capture_output=True, text=True, timeout=300, check=False
    )
    assert (done.returncode, done.stderr) == (0, ""), (command, done.stdout, done.stderr)
    return done.stdout


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """What every block printed, by number; None of one that needs DuckDB where there is none."""
    folder = tmp_path_factory.mktemp("page")
    study = config({"replications": 3, "tables": ["runs", "monthly"]}, end="2027-12-31")
    command = ["sim", "run", "replications=3", "tables=[runs,monthly]", "out=results/baseline"]
    assert workflow.run(study, "baseline", folder / "results/baseline", command) == 0
    (folder / "results/baseline/figures").mkdir()
    hubs_open.draw(open_run(folder / "results/baseline"), folder / "results/baseline/figures")
    found = []
    for language, text in BLOCKS:
        if language == "sh":
            lines = [shlex.split(line, comments=True) for line in text.splitlines()]
            assert {words[0] for words in lines} == {"sim"}
            found.append("".join(run([*SIM, *words[1:]], folder) for words in lines))
        elif language == "yaml":
            (name,) = re.findall(r"^# (\S+\.yaml)$", text, re.M)
            (folder / name).parent.mkdir(parents=True)
            (folder / name).write_text(text)
            found.append(name)
        elif "import duckdb" in text and importlib.util.find_spec("duckdb") is None:
            found.append(None)
        else:
            found.append(run([sys.executable, "-c", text], folder, PYTHONPATH=os.pathsep.join(sys.path)))
    return folder, found


def test_every_block_is_run(said):
    assert {language for language, _ in BLOCKS} == {"sh", "python", "yaml"}
    assert len(said[1]) == len(BLOCKS)


def test_a_published_figure(said):
    _, (source, reproduced, report, *_) = said
    assert source.startswith("hubs_open: ")
    assert "again: sim run replications=3 'tables=[runs,monthly]'" in source
    assert reproduced.splitlines()[-1].startswith("identical: ")
    assert "Report: results/baseline/report.html" in report


def test_tables(said):
    _, found = said
    snippets = [out for (language, _), out in zip(BLOCKS, found, strict=True) if language == "python"]
    assert re.match(r"\d+% of 4 runs; 8 in 10 have \[", snippets[0])
    assert snippets[1].count("'region': ") == 7


def test_tables_by_duckdb(said):
    pytest.importorskip("duckdb", reason="DuckDB is not installed; its snippets were not run")
    _, found = said
    snippets = [out for (language, _), out in zip(BLOCKS, found, strict=True) if language == "python"]
    assert "Punjab" in snippets[2]
    assert "rejection" in snippets[3]


def test_an_experiment_of_ones_own(said):
    folder, found = said
    manifest = open_run(folder / "larger").manifest
    assert (manifest["experiment"], manifest["title"]) == ("larger_committee", "Larger committee")
    assert manifest["config"]["rollout"]["committee"]["value"] == 160
    assert manifest["command"][2:5] == ["--config-dir", "mydir", "experiment=larger_committee"]
    assert "larger against mine, with end=2027-12-31 (4 pairs):" in found[-1]
    assert "rollout.committee.value 80 -> 160" in found[-1]
