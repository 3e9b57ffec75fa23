"""Configurations nobody should write: each runs with every law of conservation, or is refused in clear lines."""

from copy import deepcopy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.config import compose_config, read_study, resolve, scenarios
from sim.errors import InputError
from sim.model import world
from sim.study.montecarlo import replicate
from tests.helpers import config

CONFIG = config(experiment="portfolio", end="2026-02-28") | {"replications": 2, "tables": ["runs"]}
VALUES = [
    float("nan"), float("inf"), -float("inf"), 1e308, -1e308, 5e-324, 10**400, -(10**30), 2**63, -1, 0, 1, 1e5, 1e12,
    True, None,
    "", "x" * 5000, "مرکز", "\x00\x1b[31m", "../../etc/passwd", "${oc.env:HOME}", "!!python/object:os.system",
    [], [[[[[[[[]]]]]]]], {}, {"value": {}}, {"value": 1, "unit": "wishes"}, {"a": {"b": {"c": {}}}},
    ["pert", 1, 1, 1], ["lognormal", 1, 400], ["lognormal", 1e308, 1],
    ["uniform", -1e308, 1e308], ["uniform", 0, 1e-320],
    ["integers", 0, 2**70], ["choice", 0, 1], ["choice"], ["nonsuch", 1], ["pert", float("nan"), 2, 3],
    "2025-11-14", "9999-12-31", "0001-01-01",
]  # fmt: skip


def paths(node, prefix=()):
    """Every place in the configuration, groups too."""
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, child in items:
        if prefix[:2] == ("start", "states") and key not in (0, "hubs", "balance", "parameters"):
            continue
        yield (*prefix, key)
        yield from paths(child, (*prefix, key))


PATHS = list(paths(CONFIG))
DOTTED = sorted({".".join(path) for path in PATHS if all(isinstance(key, str) for key in path)} - {"out", "cluster"})
WORDS = ["null", "nan", "-1", "1e309", "0x" + "f" * 5000, "[" * 500, "{a:{b:1}}", "[pert,1,2,3]", "[uniform,0,1e-320]",
         "${start}", "${oc.env:HOME}", "'", "\\", "1,2", "range(1,5)", "choice(1,2)", "2025-11-14"]  # fmt: skip


def refused_or_run(path, value):
    """What is said of a configuration with a value put somewhere, None if it runs."""
    cfg = deepcopy(CONFIG)
    level = cfg
    for key in path[:-1]:
        level = level[key]
    level[path[-1]] = value
    return said_of(lambda: cfg)


def said_of(make):
    """What is said of a configuration, cut short if it is long; None if it runs, or proves too large."""
    try:
        cfg = make()
        study = read_study(cfg)
        if isinstance(cfg, dict):
            resolve(cfg)
            scenarios(cfg)
    except InputError as mistake:
        return str(mistake)
    outcome = replicate(study, 0)
    assert outcome.error is None or "TooLarge: " in outcome.error, outcome.error
    return None


def readable(said):
    return said and all(len(line) < 1600 for line in said.splitlines()) and "Traceback" not in said


@pytest.fixture(autouse=True)
def small_worlds(monkeypatch):
    """What is too large is so sooner, or the test takes minutes."""
    monkeypatch.setattr(world, "MOST_PLACES", 1500)
    monkeypatch.setattr(world, "MOST_ROUNDS", 50_000)


@settings(max_examples=150)
@given(st.sampled_from(PATHS), st.sampled_from(VALUES))
def test_hostile_values(path, value):
    said = refused_or_run(path, value)
    if said is not None:
        assert readable(said), said
        assert any(key in said for key in path if isinstance(key, str)), said


@settings(max_examples=25)
@given(
    st.sampled_from(DOTTED), st.sampled_from(["=", ".value=", ".new=", "+", "~"]), st.text() | st.sampled_from(WORDS)
)
def test_hostile_words_on_the_command_line(key, how, text):
    """Whatever is typed there is read, or refused in a line."""
    word = f"{how}{key}={text}" if how in "+~" else f"{key}{how}{text}"
    said = said_of(lambda: compose_config([word, "experiment=portfolio", "end=2026-02-28", "goals=none"]))
    assert said is None or readable(said), said
