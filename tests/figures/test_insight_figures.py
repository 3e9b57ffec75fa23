"""Figures of the studies that explain, from made-up results."""

import json
from types import SimpleNamespace

import pytest

from sim.figures import discover, sensitivity, value_of_information

pytestmark = pytest.mark.images
LONG = "factor on finance, fit-out, connectivity in remote regions"
FOUR = ["short", LONG, "state of the start date: hubs under way and 8 parameters that agree with the counts", "other"]


@pytest.fixture
def folder(tmp_path):
    """A run folder with some content under a name."""

    def make(name, content):
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
        manifest = {"experiment": "small", "title": "Small", "seed": 1, "replications": 100, "version": "0.1.0",
                    "config_digest": "0123456789abcdef"}  # fmt: skip
        return SimpleNamespace(path=tmp_path, manifest=manifest, config={"study": {}})

    return make


def interval(name, value):
    return {name: value, f"{name}_low": value - 0.1, f"{name}_high": value + 0.1}


def check(paths, saved, cut_off, names):
    assert {path.stem for path in paths} == set(saved) == set(names)
    for figure in saved.values():
        assert cut_off(figure) == []


def test_sensitivity(folder, tmp_path, saved, cut_off):
    inputs = [{"input": f"a.{i}", "about": text} for i, text in enumerate(FOUR)]
    one = {
        "label": "hubs open on 31 December 2027", "is_goal": False, "mean": 100.0,
        "luck": {"value": 0.4, "low": 0.3, "high": 0.5, "n": 100}, "sd": 10.0, "ranking": [],
        "indices": [{**item, **interval("first", 0.2), **interval("total", 0.3)} for item in inputs],
        "effects": [{**item, **interval("mu", -3.0), **interval("mu_star", 3.0), "sigma": 1.0} for item in inputs],
        "swings": [{**item, "at_low": 0.1, "at_high": 120_000.0, **interval("low_end", -4.0),
                    **interval("high_end", 6.0),
                    **interval("swing", 10.0)} for item in inputs],
        "as_drawn": {"value": 100.0, "low": 90.0, "high": 110.0, "n": 20},
    }  # fmt: skip
    constant = {"label": "nothing", "is_goal": True, "mean": 0.0}
    run = folder("sensitivity", {"levers": ["a.3"], "outcomes": {"hubs_open": one, "hubs_250": constant}})
    names = [f"{name}_hubs_open" for name in ("sensitivity_indices", "tornado", "elementary_effects")]
    check(sensitivity.draw(run, tmp_path / "figures"), saved, cut_off, names)
    assert [label.get_text() for label in saved["tornado_hubs_open"].axes[0].get_yticklabels()][3] == "other *"


def test_discover(folder, tmp_path, saved, cut_off):
    step = {"inputs_limited": 1, "mass": 0.5, "coverage": 0.8, "density": 0.7, "checked_coverage": 0.75}
    path = [{**step, "checked_density": 0.6}, {**step, "coverage": 0.5, "density": 0.9, "checked_density": None}]
    estimate = {"value": 0.6, "low": 0.5, "high": 0.7, "n": 100}
    limit = {"input": "a", "about": LONG, "unit": "months", "low": 1.2, "high": None, "lowest": 1.0, "highest": 2.0,
             "quasi_p": 1e-9, "reproduced": 0.9}  # fmt: skip
    box = {"p": 0.01, "coverage": estimate, "density": estimate, "limits": [limit, {**limit, "low": None, "high": 1.7}]}
    content = {"missed": 40, "runs": 100, "trajectory": path, "boxes": [box]}
    check(discover.draw(folder("boxes", content), tmp_path / "f"), saved, cut_off, ["prim_tradeoff", "prim_limits"])
    saved.clear()
    nothing = content | {"boxes": [{"p": 0.4, "limits": []}]}
    check(discover.draw(folder("boxes", nothing), tmp_path / "g"), saved, cut_off, ["prim_tradeoff"])
    assert "No box" in saved["prim_tradeoff"].axes[0].get_title("left")
    assert discover.draw(folder("boxes", {"missed": 0, "runs": 9, "boxes": []}), tmp_path / "h") == []


def test_value_of_information(folder, tmp_path, saved, cut_off):
    def known(i, text):
        return {"name": f"a.{i}", "about": text, "value": 1.0 - 0.2 * i, "low": 0.2, "high": 1.2}

    decision = {
        "label": "to go ahead with more money only if 250 hubs by the end of 2027 are likelier than 1 in 4",
        "unit": "jobs", "best": "seat subsidy", "inputs": [known(i, text) for i, text in enumerate(FOUR)],
        "everything": known(0, "everything unknown"),
    }  # fmt: skip
    content = {"decisions": {"one": decision, "two": decision | {"unit": "chance"}, "three": {"inputs": []}}}
    run = folder("value_of_information", content)
    check(value_of_information.draw(run, tmp_path / "f"), saved, cut_off, ["value_of_information"])
    assert len(saved["value_of_information"].axes) == 2
    assert value_of_information.draw(folder("value_of_information", {"decisions": {}}), tmp_path / "g") == []
