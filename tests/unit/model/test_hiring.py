"""People in open sites, in worlds where what must come out is known."""

from math import exp

import numpy as np
import pytest

from sim.model.clock import DAYS_PER_MONTH
from sim.model.record import MONTHLY
from sim.model.site import Draw, State
from tests.helpers import FULL_HOUSE, inhabit, ledgers, metric, run, study

SETTLED = {"hubs.closure": 0, "hubs.closure_later": 0, "calls.applications": 0, "start.states": []}
PLENTY = {"talent.graduates": 10_000_000, "talent.employable_share": 1}
FIRMS_ONLY = {"hiring.freelancer_share": 0, "hiring.time_to_hire": 0.001, "hiring.experienced_share": 1}


def open_sites(world):
    return [site for ledger in ledgers(world) for site in ledger.open_sites]


def test_demand_ramps_up_with_age():
    """Members are seats x people per seat x [start + (1 - start)(1 - exp(-age / ramp))], rounded up or down."""
    world, record = inhabit(
        study({**SETTLED, **FULL_HOUSE, "hiring.people_per_seat": 1.3, "hiring.start": 0.2, "hiring.ramp": 9,
               "hiring.ramp_spread": 1, "start.open_hubs": 45})
    )  # fmt: skip
    sites = open_sites(world)
    assert len(sites) == 45
    for site in sites:
        age = (site.last_round - site.opened) / DAYS_PER_MONTH
        expected = site.seats * 1.3 * (0.2 + 0.8 * (1 - exp(-age / 9)))
        assert site.members == int(expected + site.u[Draw.rounding])
        assert site.employees == 0
    assert metric([record], "jobs_supported") == sum(site.members for site in sites)


def test_rounds_are_held_at_intervals_from_a_random_phase():
    world, _ = inhabit(study({**SETTLED, "hiring.round_days": 20}))
    phases = []
    for site in open_sites(world):
        rounds, phase = divmod(site.last_round - site.opened, 20)
        assert world.env.now - site.last_round <= 20
        assert rounds >= 19
        assert phase == pytest.approx(20 * site.u[Draw.phase])
        phases.append(phase)
    assert np.std(phases) > 4


def test_freelancers_and_employees_share_the_seats():
    overrides = {**SETTLED, **PLENTY, **FULL_HOUSE, **FIRMS_ONLY, "hiring.freelancer_share": 0.4}
    world, record = inhabit(study(overrides))
    sites = open_sites(world)
    for site in sites:
        assert site.members + site.employees == site.seats
        assert abs(site.members - 0.4 * site.seats) <= 1
    assert metric([record], "vacancies_short") == 0


def test_firms_without_talent_stay_empty_and_say_so():
    nobody = {"talent.graduates": 0, "talent.trainees": 0}
    (record,) = run(study({**SETTLED, **FULL_HOUSE, **FIRMS_ONLY, **nobody}))
    assert metric([record], "jobs_created") == 0
    assert metric([record], "vacancies_short") > 1000
    assert (np.diff(record.monthly.sum(axis=0)[:, MONTHLY.index("vacancies_short")]) >= 0).all()


def test_people_are_hired_from_the_pool_of_the_region_only():
    """Talent in Sindh only: every employee is there."""
    shares = {f"regions.{name}.talent_share": 0 for name in ("Punjab", "KP", "Islamabad", "Balochistan", "AJK", "GB")}
    (record,) = run(study({**SETTLED, **FULL_HOUSE, **FIRMS_ONLY, **PLENTY, **shares, "regions.Sindh.talent_share": 1}))
    sites = record.sites
    assert sites["people"][sites["region"] == "Sindh"].sum() > 100
    assert sites["people"][sites["region"] != "Sindh"].sum() == 0


@pytest.mark.parametrize(("share", "women"), [(0, 0), (1, 1)])
def test_women_are_none_or_all(share, women):
    (record,) = run(study({"talent.women_users": share, "talent.women_trainees": share}))
    people = metric([record], "jobs_supported")
    assert people > 0
    assert metric([record], "women_share") == women


def test_members_leave_in_a_shock_and_employees_stay():
    """All demand is lost for ever, soon after the start."""
    shock = {
        "outages.frequency": 400, "outages.national_share": 1, "outages.loss": 1, "outages.duration": 600,
        "hiring.attrition": 0, "hiring.freelancer_share": 0.5,
    }  # fmt: skip
    world, record = inhabit(study({**SETTLED, **PLENTY, **FIRMS_ONLY, **shock, "start.openings": {}}))
    assert world.demand == 0
    for site in open_sites(world):
        assert site.members == 0
    calm, _ = inhabit(study({**SETTLED, **PLENTY, **FIRMS_ONLY, **shock, "outages.frequency": 0}))
    assert sum(site.members for site in open_sites(calm)) > 100
    assert metric([record], "jobs_supported") == sum(site.employees for site in open_sites(world))


def test_a_shock_ends():
    """All members leave within a month of losing all demand, and are back within a month of its end (replication 1)."""
    shocks = {"outages.frequency": 1, "outages.national_share": 1, "outages.loss": 1, "outages.duration": 2}
    (record,) = run(study({**SETTLED, **FULL_HOUSE, **shocks}, end="2027-06-30"), [1])
    jobs, seats = (record.monthly[:, :, MONTHLY.index(name)].sum(axis=0) for name in ("jobs_supported", "seats"))
    empty, full = np.flatnonzero(jobs == 0), np.flatnonzero(jobs == seats)
    assert len(empty) > 0
    assert full[0] < empty[-1]
    assert empty[0] < full[-1]


def test_a_shock_to_a_region_stays_there():
    overrides = {**SETTLED, **FULL_HOUSE, "outages.frequency": 1, "outages.loss": 1, "outages.national_share": 0}
    (calm,), (hit,) = run(study({**overrides, "outages.frequency": 0})), run(study(overrides))
    jobs = MONTHLY.index("jobs_supported")
    fewer = (hit.monthly[:, :, jobs] < calm.monthly[:, :, jobs]).any(axis=1)
    assert (hit.monthly[:, :, jobs] <= calm.monthly[:, :, jobs]).all()
    assert 0 < fewer.sum() < 7


def test_closing_sends_everybody_home():
    world, record = inhabit(
        study({**SETTLED, "hubs.closure_later": 0.3, "hubs.closure": 0.3, "talent.return_share": 1})
    )
    closed = [site for ledger in ledgers(world) for site in ledger.sites if site.state == State.closed]
    assert len(closed) > 30
    for site in closed:
        assert site.members == site.employees == site.women_members == site.women_employees == 0
        assert site.seats > 0
    assert metric([record], "seats") == sum(site.seats for site in open_sites(world))
    leavers = sum(ledger.leavers for ledger in ledgers(world))
    assert metric([record], "jobs_supported") == metric([record], "jobs_created") - leavers
    for ledger in ledgers(world):  # who left a firm looks for a job here again
        assert ledger.employees_left == 0 or ledger.region.talent > 0


def test_a_closed_site_has_exported_until_it_closed():
    """All seats taken at the first round, nobody leaves: S usd (D - R (1 - exp(-D / R))) over the D days since."""
    world, _ = inhabit(study({**SETTLED, **FULL_HOUSE, "hubs.closure": 0.1, "hubs.closure_later": 0.1}))
    closed = [site for ledger in ledgers(world) for site in ledger.sites if site.state == State.closed]
    checked = 0
    for site in closed:
        days = site.closes - site.opened - site.u[Draw.phase] * world.p.hiring.round_days
        if days > 0:
            ramp = world.p.exports.freelancer_ramp * DAYS_PER_MONTH
            expected = site.seats * site.usd_member * (days - ramp * (1 - exp(-days / ramp)))
            assert site.exports_usd == pytest.approx(expected)
            checked += 1
    assert checked > 10


def test_churn_makes_jobs_created_rise_above_jobs_supported():
    still, moving = ({**SETTLED, **FULL_HOUSE, "hiring.member_churn": churn} for churn in (0, 0.08))
    (a,), (b,) = run(study(still)), run(study(moving))
    assert metric([a], "jobs_created") == metric([a], "jobs_supported")
    months = 13  # more than a year at 8% a month: at least as many again
    assert metric([b], "jobs_created") > metric([b], "jobs_supported") * (1 + 0.9 * 0.08 * months)


def test_additional_jobs_are_a_share_of_those_supported():
    (record,) = run(study({"hiring.additionality": 0.4}))
    assert metric([record], "jobs_additional") == pytest.approx(0.4 * metric([record], "jobs_supported"))
