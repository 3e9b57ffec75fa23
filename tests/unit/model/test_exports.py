"""Exports of one site: exact between events, whatever the moments at which they are booked."""

from math import exp
from types import SimpleNamespace

import pytest

from sim.model.exports import settle
from sim.model.site import Origin, Site


def site(**values):
    made = Site(Origin.call, 0, 0, [], SimpleNamespace(exports_usd=0.0, member_days=0.0), "one")
    for name, value in ({"settled": 0.0, "usd_member": 2.0, "usd_employee": 5.0} | values).items():
        setattr(made, name, value)
    return made


def test_nobody_exports_nothing():
    empty = site()
    settle(empty, 100.0, 30.0, 60.0)
    assert (empty.exports_usd, empty.ledger.exports_usd, empty.settled) == (0.0, 0.0, 100.0)


def test_a_newcomer_becomes_productive():
    one = site(members=1)
    settle(one, 45.0, 30.0, 60.0)
    assert one.productive_members == pytest.approx(1 - exp(-45 / 30))
    assert one.exports_usd == pytest.approx(2.0 * (45 - 30 * (1 - exp(-45 / 30))))


def test_members_and_employees_have_their_own_lag_and_earnings():
    both, members, employees = site(members=3, employees=7), site(members=3), site(employees=7)
    for each in (both, members, employees):
        settle(each, 50.0, 30.0, 60.0)
    assert both.exports_usd == pytest.approx(members.exports_usd + employees.exports_usd)
    assert employees.exports_usd == pytest.approx(7 * 5.0 * (50 - 60 * (1 - exp(-50 / 60))))


def test_after_long_everybody_is_fully_productive():
    old = site(members=4, employees=2)
    settle(old, 1e5, 30.0, 60.0)
    before = old.exports_usd
    settle(old, 1e5 + 10, 30.0, 60.0)
    assert old.exports_usd - before == pytest.approx(10 * (4 * 2.0 + 2 * 5.0))


def test_booking_more_often_changes_nothing():
    often, once = (site(members=5, employees=3, productive_members=1.5) for _ in range(2))
    for day in (0.0, 1.0, 1.0, 17.5, 90.0):
        settle(often, day, 30.0, 60.0)
    settle(once, 90.0, 30.0, 60.0)
    for name in ("exports_usd", "productive_members", "productive_employees"):
        assert getattr(often, name) == pytest.approx(getattr(once, name), rel=1e-12)
    assert often.ledger.exports_usd == pytest.approx(often.exports_usd)
    assert often.ledger.member_days == once.ledger.member_days == 5 * 90
