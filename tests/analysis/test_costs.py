"""Costs of levers: formulas, and bills of a change."""

import pytest

from sim.analysis.costs import bill, evaluate, names, total


@pytest.mark.parametrize(
    ("formula", "value"), [("2 * a + b / 4", 7.0), ("-(a - b) * 2", 2.0), ("50.3", 50.3), ("a - -b", 7.0)]
)
def test_a_formula(formula, value):
    assert evaluate(formula, {"a": 3.0, "b": 4.0}) == pytest.approx(value)
    assert names(formula) == {name for name in "ab" if name in formula}


def test_a_dotted_name_is_one_name():
    assert evaluate("2 * a.b.c / a", {"a.b.c": 6.0, "a": 4.0}) == 3
    assert names("2 * a.b.c / a") == {"a.b.c", "a"}


@pytest.mark.parametrize(
    "formula",
    ["a +", "__import__('os')", "a ** 2", "a().b", "(a + b).c", "'x'.y", "1.0.b", "'x'", "True", "a if b else 1", ""],
)
def test_what_is_no_formula_is_refused(formula):
    with pytest.raises(ValueError, match="numbers and names"):
        names(formula)


def test_division_by_zero_is_said():
    with pytest.raises(ValueError, match="a / b divides by 0"):
        evaluate("a / b", {"a": 1.0, "b": 0.0})


ITEMS = {
    "calls": {"label": "calls", "quantity": "months / interval", "amount": 10.0, "source": "assumption"},
    "places": {"label": "places", "quantity": "committee * 2", "amount": 1.5, "source": "assumption"},
    "grants": {"label": "grants", "quantity": "grants_rs_million", "amount": 1.0, "source": "P21"},
}


def test_a_change_is_charged_with_what_is_more():
    """24 months: a call every 6 months instead of 12 is 2 more; 10 places more for 2 years."""
    before, after = ({"months": 24, "interval": i, "committee": c} for i, c in ((12, 80), (6, 90)))
    lines = bill(ITEMS, before, after)
    assert [(line.name, line.before, line.after, line.cost) for line in lines] == [
        ("calls", 2, 4, 20), ("places", 160, 180, 30)
    ]  # fmt: skip
    assert total(lines) == 50
    assert total(bill(ITEMS, before, before)) == 0


def test_what_the_runs_decide_is_charged_once_it_is_known():
    before = {"months": 24, "interval": 12, "committee": 80, "grants_rs_million": 300}
    lines = bill(ITEMS, before, before | {"grants_rs_million": 420})
    assert lines[-1].name == "grants"
    assert total(lines) == 120
