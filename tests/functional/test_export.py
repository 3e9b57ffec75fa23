"""`sim export`: a run folder as an RO-Crate, and what is said where that cannot be."""

import json
import subprocess
import sys

import pytest

from sim import workflow
from sim.errors import InputError
from sim.export import export
from sim.results.folder import write_json
from tests.helpers import SIM, clean_environment, config

COMMAND = ["sim", "run", "calls.applications=60"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    path = tmp_path_factory.mktemp("run") / "run"
    assert workflow.run(config({"replications": 2}, end="2026-01-31"), "baseline", path, COMMAND) == 0
    (path / "figures").mkdir()
    (path / "figures" / "hubs_open.csv").write_text("date\n")
    return path


def test_without_the_library_it_says_what_to_install(run, tmp_path, monkeypatch):
    for name in ("rocrate", "rocrate.rocrate", "rocrate.model", "rocrate.model.contextentity"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(InputError, match=r"needs the library rocrate; `pip install .*\[provenance\]"):
        export(run, tmp_path / "crate")
    assert not (tmp_path / "crate").exists()


def test_usage(tmp_path):
    done = subprocess.run([*SIM, "export"], env=clean_environment(), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "usage: sim export RUN FOLDER\n")


@pytest.fixture
def rocrate():
    pytest.importorskip("rocrate", reason="the extra `provenance` (rocrate) is not installed")


def test_crate(run, tmp_path, rocrate):
    export(run, tmp_path / "crate")
    metadata = json.loads((tmp_path / "crate" / "ro-crate-metadata.json").read_text())
    things = {thing["@id"]: thing for thing in metadata["@graph"]}
    manifest = json.loads((run / "manifest.json").read_text())
    root = things["./"]
    assert root["name"] == f"{manifest['title']}, with calls.applications=60: {manifest['question']}"
    assert root["conformsTo"] == {"@id": "https://w3id.org/ro/wfrun/process/0.5"}
    license_ = root["license"]
    assert (license_["@id"] if isinstance(license_, dict) else license_) == "https://spdx.org/licenses/MIT"
    action = things["#run"]
    assert (action["@type"], action["name"]) == ("CreateAction", "baseline, with calls.applications=60")
    assert action["instrument"] == {"@id": "#sim"}
    assert action["object"] in ({"@id": "manifest.json"}, [{"@id": "manifest.json"}])
    results = {one["@id"] for one in action["result"]}
    assert {"summary.json", "report.html", "tables/runs.parquet", "figures/hubs_open.csv"} <= results
    assert things["#sim"]["softwareVersion"] == manifest["version"]
    assert manifest["tables"]["runs"]["digest"] in things["tables/runs.parquet"]["name"]
    for file in run.rglob("*"):
        if file.is_file():
            name = file.relative_to(run).as_posix()
            assert (tmp_path / "crate" / name).read_bytes() == file.read_bytes()
            assert things[name]["@type"] == "File"
    with pytest.raises(InputError, match="is not empty"):
        export(run, tmp_path / "crate")


def test_a_run_that_is_not_complete(run, tmp_path, rocrate):
    manifest = json.loads((run / "manifest.json").read_text()) | {"status": "interrupted"}
    (tmp_path / "run").mkdir()
    write_json(tmp_path / "run" / "manifest.json", manifest)
    with pytest.raises(InputError, match="is interrupted, and only a complete run is exported"):
        export(tmp_path / "run", tmp_path / "crate")
