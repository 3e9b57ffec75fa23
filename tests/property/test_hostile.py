"""Configurations nobody should write: each runs with every law of conservation, or is refused in clear lines."""

from copy import deepcopy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.config import read_study, resolve, scenarios
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


def refused_or_run(path, value):
    """What is said of a configuration with a value put somewhere, None if it runs."""
    cfg = deepcopy(CONFIG)
    level = cfg
    for key in path[:-1]:
        level = level[key]
    level[path[-1]] = value
    try:
        study = read_study(cfg)
        resolve(cfg)
        scenarios(cfg)
    except InputError as mistake:
        return str(mistake)
    outcome = replicate(study, 0)
    assert outcome.error is None or "TooLarge: a replication may have" in outcome.error, outcome.error
    return None


@pytest.fixture(autouse=True)
def small_worlds(monkeypatch):
    """What is too large is so sooner, or the test takes minutes."""
    monkeypatch.setattr(world, "MOST_PLACES", 1500)


@settings(max_examples=150)
@given(st.sampled_from(PATHS), st.sampled_from(VALUES))
def test_hostile_values(path, value):
    said = refused_or_run(path, value)
    if said is not None:
        assert said
        assert all(len(line) < 1600 for line in said.splitlines()), said
        assert "Traceback" not in said
        assert any(str(key) in said for key in path), said
