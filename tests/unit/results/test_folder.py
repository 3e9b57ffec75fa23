"""Run folders: claimed once, written whole."""

import json

import pyarrow as pa
import pytest

from sim.errors import InputError
from sim.results import folder
from sim.results.digest import table_digest


def test_a_new_folder_is_made_with_its_parents(tmp_path):
    folder.claim(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b" / "tables").is_dir()
    (tmp_path / "empty").mkdir()
    folder.claim(tmp_path / "empty")


def test_a_folder_in_use_is_refused_and_left_as_it_is(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="is not empty; results are never overwritten"):
        folder.claim(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["notes.txt"]
    assert (tmp_path / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("below", ["", "x", "x/y"])
def test_a_path_below_a_file_cannot_be_written(tmp_path, below):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="out: cannot write to") as caught:
        folder.claim(tmp_path / "file" / below)
    assert "\n" not in str(caught.value)


def test_tables_are_written_whole_and_described(tmp_path):
    folder.claim(tmp_path)
    table = pa.table({"x": [1.5, None]})
    described = folder.write_tables(tmp_path, {"runs": table})
    assert described == {"runs": {"rows": 2, "digest": table_digest(table)}}
    assert [file.name for file in (tmp_path / "tables").iterdir()] == ["runs.parquet"]
    run = folder.Run(tmp_path)
    assert run.table("runs").equals(table)
    assert run.has_table("runs")
    assert not run.has_table("sites")


def test_json_is_written_whole(tmp_path):
    folder.write_json(tmp_path / "manifest.json", {"a": "Rs 1 – 2", "config": {"seed": 1}})
    assert [file.name for file in tmp_path.iterdir()] == ["manifest.json"]
    run = folder.open_run(tmp_path)
    assert (run.manifest["a"], run.config) == ("Rs 1 – 2", {"seed": 1})


def test_a_failed_write_leaves_the_old_file(tmp_path):
    folder.write_json(tmp_path / "summary.json", {"a": 1})
    with pytest.raises(ValueError, match="JSON"):
        folder.write_json(tmp_path / "summary.json", {"a": float("nan")})
    assert json.loads((tmp_path / "summary.json").read_text()) == {"a": 1}


def test_a_folder_without_a_manifest_is_no_run(tmp_path):
    with pytest.raises(InputError, match="is not a run folder"):
        folder.open_run(tmp_path)


def test_environment_names_what_made_the_results():
    made = folder.environment()
    assert set(made) == {"version", "commit", "dirty", "python", "machine", "libraries"}
    assert {"numpy", "scipy", "simpy"} <= set(made["libraries"])
