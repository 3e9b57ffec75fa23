"""Run folders: claimed once, written whole."""

import json

import pytest

from sim.errors import InputError
from sim.results import folder


def manifest(**changes):
    made = {
        "scenarios": [{"scenario": 0, "overrides": {}, "key": "a" * 64}], "version": "1", "commit": None, "dirty": None,
        "config": {"replications": 4, "only": None, "seed": 1, "hiring": {"attrition": 0.02}}, "tables": {},
    }  # fmt: skip
    return made | changes


def test_a_new_folder_is_made_with_its_parents(tmp_path):
    for path in (tmp_path / "a" / "b", tmp_path / "empty"):
        (tmp_path / "empty").mkdir(exist_ok=True)
        with folder.begin(path, manifest()):
            assert folder.open_run(path).manifest == manifest()
        assert [file.name for file in path.iterdir()] == ["manifest.json"]


def test_a_folder_in_use_is_refused_and_left_as_it_is(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="is not empty; results are never overwritten"), folder.begin(tmp_path, {}):
        pass
    assert [file.name for file in tmp_path.iterdir()] == ["notes.txt"]
    assert (tmp_path / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("below", ["", "x", "x/y"])
def test_a_path_below_a_file_cannot_be_written(tmp_path, below):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(InputError, match="out: cannot write to") as caught,
        folder.begin(tmp_path / "file" / below, manifest()),
    ):
        pass
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"version": "2"}, "version 1 there, 2 here"),
        ({"commit": "abc"}, "commit None there, abc here"),
        ({"scenarios": [{"key": "b" * 64}]}, "scenarios that are not run here"),
        (
            {"scenarios": [{"key": "b" * 64}], "config": manifest()["config"] | {"hiring": {"attrition": 0.03}}},
            r"hiring\.attrition 0\.02 there, 0\.03 here",
        ),
        ({"config": manifest()["config"] | {"replications": 3}}, "4 replications there, 3 here"),
        ({"config": manifest()["config"] | {"only": 3}}, "only=None there, 3 here"),
    ],
)
def test_other_results_are_refused_and_say_why(tmp_path, changes, words):
    with folder.begin(tmp_path, manifest()):
        pass
    before = (tmp_path / "manifest.json").read_bytes()
    with pytest.raises(InputError, match=words), folder.begin(tmp_path, manifest(**changes)):
        pass
    assert (tmp_path / "manifest.json").read_bytes() == before


def test_the_same_scenarios_and_more_are_taken_on(tmp_path):
    with folder.begin(tmp_path, manifest()):
        pass
    more = [{"scenario": 0, "key": "b" * 64}, {"scenario": 1, "key": "a" * 64}]
    with folder.begin(tmp_path, manifest(scenarios=more)):
        pass
    with folder.begin(tmp_path, manifest(scenarios=more, config=manifest()["config"] | {"replications": 9})):
        pass


def test_json_is_written_whole(tmp_path):
    folder.write_json(tmp_path / "manifest.json", {"a": "Rs 1 – 2", "config": {"seed": 1}})
    assert [file.name for file in tmp_path.iterdir()] == ["manifest.json"]
    run = folder.Run(tmp_path)
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
    assert set(made) == set(folder.ENVIRONMENT)
    assert made["machine"].startswith("Linux ")
    assert {"numpy", "scipy", "simpy"} <= set(made["libraries"])
