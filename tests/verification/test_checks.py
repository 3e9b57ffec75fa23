"""Every check, the ledger of their false-alarm rates, and the faults that must turn them red."""

import re

import pytest

from sim.model.record import ConservationError
from tests.helpers import ROOT
from tests.verification.alarms import BUDGET, load, run
from tests.verification.faults import FAULTS

pytestmark = pytest.mark.verification
CHECKS = load()
PAGE = ROOT / "docs/verification.md"


def listed(names):
    return [pytest.param(name, marks=pytest.mark.short if CHECKS[name].short else ()) for name in names]


@pytest.mark.parametrize("name", listed(CHECKS))
def test_check(name):
    run(name)


@pytest.mark.parametrize("fault", FAULTS, ids=[f"{fault.plant.__name__}-{fault.check}" for fault in FAULTS])
def test_a_planted_fault_turns_its_check_red(fault, monkeypatch):
    """Planted alone; the check fails of itself, and not because the model's own laws of conservation do."""
    fault.plant(monkeypatch)
    with pytest.raises(AssertionError) as caught:
        run(fault.check)
    assert not isinstance(caught.value, ConservationError)


@pytest.mark.short
def test_false_alarms_stay_within_the_budget():
    assert sum(check.alarm for check in CHECKS.values()) < BUDGET


@pytest.mark.short
def test_every_check_has_its_place_in_the_page():
    """The page is made by `make verify-docs`; its figures change with the model, the list of checks may not differ."""
    text = PAGE.read_text(encoding="utf-8")
    for name, check in CHECKS.items():
        assert f"`{name}`" in text, f"{name} is not in {PAGE.name}: make verify-docs"
        assert check.title in text
        assert f"verification/{name}.png" in text
        assert (PAGE.parent / f"verification/{name}.png").stat().st_size < 60_000
    assert {fault.check for fault in FAULTS} <= set(re.findall(r"`(\w+)`", text))
    assert sum(png.stat().st_size for png in PAGE.parent.glob("verification/*.png")) < 1_000_000
    assert {png.stem for png in PAGE.parent.glob("verification/*.png")} == set(CHECKS)
