"""Parks and their firms, in worlds where what must come out is known."""

from datetime import date
from math import exp

import numpy as np
import pytest

from sim.model import world as world_module
from sim.model.clock import DAYS_PER_MONTH
from sim.model.parks import even
from sim.model.record import MONTHLY
from sim.model.site import State
from sim.model.streams import Streams
from sim.model.world import World, simulate
from tests.helpers import inhabit, ledgers, metric, run, state, study

NO_HUBS = {"start.open_hubs": 0, "start.states": [], "calls.applications": 0}
SETTLED = {
    "firms.exit": 0, "firms.growth": 1, "firms.volatility": 0, "firms.start": 1, "hiring.attrition": 0,
    "outages.frequency": 0, "stps.pace": 0,
}  # fmt: skip
"""Firms stay, and stay as large as they are."""

KARACHI = "parks.karachi_park"
DONE = {
    f"{KARACHI}.tender": 0, f"{KARACHI}.tender_failure": 0, f"{KARACHI}.construction": 1,
    f"{KARACHI}.realised_share": 1, f"{KARACHI}.tenancy_ramp": 0, "firms.from_office": 1, "firms.from_stp": 0,
}  # fmt: skip
"""The park in Karachi is finished in August 2025, and every unit is let to a firm from elsewhere at once."""


def portfolio(overrides=(), **options):
    return study(dict(overrides), "portfolio", **options)


@pytest.mark.parametrize(("people", "units"), [(13400, 220), (7500, 123), (0, 5), (3, 5), (100, 1), (5, 0)])
def test_even(people, units):
    parts = even(people, units)
    assert len(parts) == units
    assert sum(parts) == (people if units else 0)
    assert max(parts, default=0) - min(parts, default=0) <= 1


# --- software technology parks


@pytest.mark.parametrize(("option", "staff", "exports"), [("staff_18000", 18000, 5556), ("staff_4600", 4600, 21739)])
def test_the_parks_at_the_start_hold_the_published_staff(option, staff, exports):
    """And export what is published: about 100 million dollars under either reading."""
    cfg = study(SETTLED, "portfolio", end="2025-12-31")
    assert cfg.stps.staff.value == 18000
    changed = {"stps.staff": staff, "stps.exports_per_job": exports}
    (record,) = run(portfolio({**SETTLED, **changed}, end="2025-12-31"))
    assert metric([record], "sites_open.stp", 0) == 50
    assert metric([record], "jobs_supported.stp", 0) == staff
    assert metric([record], "exports_usd_per_year.stp", 0) == pytest.approx(staff * exports, rel=1e-3)
    assert metric([record], "exports_usd_per_year.stp", 0) == pytest.approx(100e6, rel=2e-3)
    for name in ("portfolio_jobs.stp", "jobs_created.stp", "jobs_additional.stp"):  # nothing of it is new
        assert metric([record], name, 0) == 0
    assert metric([record], "portfolio_exports_usd_per_year.stp", 0) == pytest.approx(0, abs=1e5)


def test_parks_stand_where_they_are_said_to():
    (record,) = run(portfolio(end="2025-11-30"))
    regions = portfolio().regions
    stps = record.sites["origin"] == "stp_initial"
    for name, region in regions.items():
        here = stps & (record.sites["region"] == name)
        assert here.sum() == region.stps_older.value + region.stps_recent.value
    assert stps.sum() == 50


@pytest.mark.parametrize(("exit", "bound"), [(0, 0.005), (0.008, 0.03)])
def test_staff_in_place_is_in_balance(exit, bound):
    """Posts are refilled and firms that leave are replaced: without growth the staff of the parks stays as it is.

    What is left is the rounding of people wanted and, with exits, that the firms at the start have all settled while
    some of those who follow are still hiring.
    """
    steady = {"firms.growth": 1, "firms.volatility": 0, "firms.start": 1, "stps.pace": 0, "outages.frequency": 0}
    no_parks = {f"parks.{name}.construction": 600 for name in ("karachi_park", "islamabad_park")}
    records = run(portfolio({**steady, **no_parks, "firms.exit": exit}, end="2029-12-31"), 8)
    for column, start in (("jobs_supported", 18_000), ("exports_usd_per_year", 18_000 * 5556)):
        series = [record.monthly[rows(record, "stp")][:, :, MONTHLY.index(column)].sum(axis=0) for record in records]
        assert abs(np.mean(series, axis=0) / start - 1).max() < bound


JOBS = MONTHLY.index("jobs_supported")


def rows(record, system):
    return [i for i, place in enumerate(record.places) if place[0] == system]


def test_new_parks_open_at_their_pace():
    """Agreements are a Poisson process that has gone on for long: openings have its rate from the first month on."""
    records = run(portfolio({"stps.pace": 3, "stps.conversion": 10}, end="2027-11-13"), 12)
    opened = np.array([metric(records, "sites_open.stp", at) - 50 for at in range(len(records[0].dates))])
    months = np.array([(day - records[0].dates[0]).days / DAYS_PER_MONTH for day in records[0].dates])
    expected = 3 * 12 * months[-1]
    assert abs(opened[-1].sum() - expected) < 4 * np.sqrt(expected)
    early = opened[3].sum()
    assert abs(early - 3 * 12 * months[3]) < 4 * np.sqrt(3 * 12 * months[3])
    sites = records[0].sites
    new = sites["origin"] == "stp"
    days = sites["opened"][new] - sites["applied"][new]
    np.testing.assert_allclose(days[~np.isnan(days)], 10 * DAYS_PER_MONTH)
    assert (sites["opened"][new & (sites["state"] == "open")] >= 0).all()


def test_no_pace_no_new_park():
    (record,) = run(portfolio({"stps.pace": 0}, end="2026-06-30"))
    assert not (record.sites["origin"] == "stp").any()


# --- the women-only park


def test_the_women_only_park_holds_women_only():
    (record,) = run(portfolio(end="2027-12-31"))
    (park,) = np.flatnonzero(record.sites["kind"] == "women_park")
    assert record.sites["region"][park] == "AJK"
    assert record.sites["seats"][park] == 5000 // 105
    agreed = (date(2024, 4, 24) - date(2025, 11, 14)).days + 0.5
    assert 7 * DAYS_PER_MONTH <= record.sites["opened"][park] - agreed <= 19 * DAYS_PER_MONTH
    assert metric([record], "jobs_supported.women_park") > 10
    assert metric([record], "women_share.women_park") == 1
    (i,) = rows(record, "women_park")
    assert np.array_equal(record.monthly[i, :, MONTHLY.index("women")], record.monthly[i, :, JOBS])


def test_the_women_only_park_hardly_changes_the_share_of_women():
    """About 35 women among some 25,000 people: under a fifth of a point."""
    with_it, without = (
        metric(run(portfolio({"women_park.area": area}, end="2027-12-31"), 3), "women_share") for area in (5000, 0)
    )
    assert (abs(with_it - without) < 0.002).all()
    assert (with_it > without).any()


# --- IT parks


def test_an_unfinished_park_supports_no_job():
    (record,) = run(portfolio({f"{KARACHI}.construction": 60}, end="2027-12-31"))
    (i,) = rows(record, "karachi_park")
    for name in ("jobs_supported", "jobs_created", "seats", "exports_usd_per_year", "portfolio_jobs"):
        assert (record.monthly[i, :, MONTHLY.index(name)] == 0).all()
    assert set(record.sites["state"][record.sites["kind"] == "karachi_park"]) <= {"evaluation", "fit_out"}


def test_a_finished_and_full_park_supports_what_is_claimed():
    """Exactly 13,400 jobs from the start date on, and their claimed exports; none of them is new."""
    (record,) = run(portfolio({**SETTLED, **DONE}, end="2026-06-30"))
    (i,) = rows(record, "karachi_park")
    assert (record.monthly[i, :, JOBS] == 13_400).all()
    exports = record.monthly[i, :, MONTHLY.index("exports_usd_per_year")]
    np.testing.assert_allclose(exports, 90e6, rtol=1e-4)
    assert metric([record], "jobs_additional.karachi_park") == 0
    assert metric([record], "jobs_created.karachi_park") == 0


def test_a_park_is_let_at_its_pace():
    """Of units that find a firm, 1 - exp(-age / ramp) are let: mean over 20 parks of 220 units within 4 sigma."""
    change = {f"{KARACHI}.tenancy_ramp": 20, f"{KARACHI}.realised_share": 0.5}
    records = run(portfolio({**SETTLED, **DONE, **change}, end="2026-11-13"), 20)
    age = (date(2026, 11, 14) - date(2025, 7, 31)).days / DAYS_PER_MONTH
    share = 0.5 * (1 - exp(-age / 20))
    jobs = metric(records, "jobs_supported.karachi_park") / 13_400
    assert abs(jobs.mean() - share) < 4 * np.sqrt(share * (1 - share) / 220 / 20)


def test_tenders_are_held_again_until_one_succeeds():
    """Geometric: 1 / (1 - failure) tenders of 3 months on average, then construction; all in the states' dates."""
    change = {f"{KARACHI}.tender": 3, f"{KARACHI}.tender_failure": 0.5, f"{KARACHI}.construction": 1}
    months = []
    for record in run(portfolio(change, end="2028-06-30"), 20):
        (park,) = np.flatnonzero(record.sites["kind"] == "karachi_park")
        months.append((record.sites["funded"][park] - record.sites["applied"][park]) / DAYS_PER_MONTH)
    tenders = np.array(months) / 3
    known = tenders[~np.isnan(tenders)]
    np.testing.assert_allclose(known, known.round())
    assert len(known) > 17
    assert abs(known.mean() - 2) < 4 * np.sqrt(2 / 20)


def test_a_contractor_who_leaves_costs_time():
    opened = {}
    for share in (0, 1):
        change = {"parks.islamabad_park.contractor_exit": share, "parks.islamabad_park.exit_delay": 15}
        (record,) = run(portfolio({**change, "parks.islamabad_park.construction": 6}, end="2028-12-31"))
        (park,) = np.flatnonzero(record.sites["kind"] == "islamabad_park")
        opened[share] = record.sites["opened"][park]
    assert opened[1] - opened[0] == pytest.approx(15 * DAYS_PER_MONTH)
    assert opened[0] == pytest.approx(0.5 + 6 * DAYS_PER_MONTH)


# --- firms, and who moves


def test_a_firm_that_moves_between_parks_makes_no_job():
    """All tenants of Islamabad's park come from its software technology parks: what one wins the other loses.

    Vacated units are not let again, so that nothing else happens: the portfolio's jobs do not change by one.
    """
    change = {
        "parks.islamabad_park.construction": 2, "parks.islamabad_park.realised_share": 0.2,
        "parks.islamabad_park.tenancy_ramp": 3, "firms.from_stp": 1, "firms.from_office": 0, "firms.vacancy": 600,
        "hiring.time_to_hire": 1e9,
    }  # fmt: skip
    world, record = inhabit(portfolio({**SETTLED, **NO_HUBS, **change, "women_park.area": 0}, end="2026-12-31"))
    moved = metric([record], "jobs_supported.islamabad_park")
    assert moved > 500
    assert metric([record], "portfolio_jobs.stp") == -moved
    assert metric([record], "portfolio_jobs") == metric([record], "jobs_additional") == 0
    islamabad = [ledger for ledger in ledgers(world) if ledger.region.name == "Islamabad"]
    assert sum(ledger.moved_out for ledger in islamabad) == moved
    assert metric([record], "exports_usd_per_year.islamabad_park") > 0


def test_people_who_come_with_their_firm_are_not_additional():
    """Firms from offices bring everybody; new firms hire everybody."""
    change = {**SETTLED, **DONE, "hiring.additionality": 0.5, "hiring.time_to_hire": 0.01}
    plenty = {"talent.graduates": 5_000_000, "talent.employable_share": 1, "hiring.experienced_share": 1}
    for from_office in (0, 1):
        (record,) = run(portfolio({**change, **plenty, "firms.from_office": from_office}, end="2026-03-31"))
        assert metric([record], "jobs_supported.karachi_park") == 13_400
        new = 13_400 * (1 - from_office)
        assert metric([record], "jobs_created.karachi_park") == new
        assert metric([record], "jobs_additional.karachi_park") == new / 2


def test_firms_stay_within_their_walls():
    world, record = inhabit(portfolio({"firms.growth": 3, "firms.volatility": 1}, end="2028-12-31"))
    units = [unit for ledger in ledgers(world) for site in ledger.sites for unit in site.units]
    assert max(unit.staff / unit.space for unit in units if unit.space) <= 1
    assert sum(unit.staff for unit in units) == metric([record], "jobs_supported.stp") + sum(
        metric([record], f"jobs_supported.{name}_park") for name in ("karachi", "islamabad")
    )


def test_firms_that_leave_are_followed_by_others():
    world, _ = inhabit(portfolio({"firms.exit": 0.2, "firms.vacancy": 1, "stps.pace": 0}, end="2027-12-31"))
    units = [unit for ledger in ledgers(world) if ledger.system == "stp" for s in ledger.sites for unit in s.units]
    assert 0.6 < np.mean([unit.let for unit in units]) < 0.95
    assert sum(ledger.leavers for ledger in ledgers(world) if ledger.system == "stp") > 30_000


# --- the order of things


def test_the_order_in_which_sites_are_made_changes_nothing(monkeypatch):
    """All sites of the start, hubs under way and parks, made in an order of chance; few places and people for them."""
    tight = {
        "rollout.committee": 3, "talent.graduates": 2000, "talent.trainees": 0, "rollout.grant": 20,
        **{f"regions.{name}.contractors": 1 for name in ("Punjab", "Sindh", "KP")},
    }  # fmt: skip
    config = portfolio({**tight, "start.states": [state(9, 9, 9, 9, 9, balance=100)]}, end="2027-06-30")
    plain = simulate(config, 1, 0)
    made = World._begun_sites
    rng = np.random.default_rng(5)

    def shuffled(self):
        sites = list(made(self))
        assert len(sites) > 130
        rng.shuffle(sites)
        return sites

    monkeypatch.setattr(world_module.World, "_begun_sites", shuffled)
    for _ in range(3):
        other = simulate(config, 1, 0)
        np.testing.assert_array_equal(plain.monthly, other.monthly)
        for name, column in plain.sites.items():
            np.testing.assert_array_equal(column, other.sites[name], err_msg=name)


def test_sites_that_hire_never_do_so_at_the_same_moment():
    """So nobody is served first because of the order in which the code runs."""
    world, _ = inhabit(portfolio(end="2026-12-31"), Streams(3, 0))
    moments = [site.last_round for ledger in ledgers(world) for site in ledger.open_sites if not site.units]
    moments += [unit.last_round for ledger in ledgers(world) for s in ledger.open_sites for unit in s.units if unit.let]
    assert len(moments) > 300
    assert len(set(moments)) == len(moments)


def test_hubs_keep_their_dice_when_a_park_is_added():
    """Without Karachi every hub's rollout is the same to the minute; people may differ, in Sindh only."""
    with_it = portfolio({**DONE, "talent.graduates": 20_000}, end="2027-12-31")
    without = with_it.model_copy(update={"parks": {"islamabad_park": with_it.parks["islamabad_park"]}})
    changed = 0
    for a, b in zip(run(with_it, 2), run(without, 2), strict=True):
        keep = a.sites["kind"] != "karachi_park"
        assert (~keep).sum() == 1
        for name in set(a.sites) - {"people", "exports_usd"}:
            np.testing.assert_array_equal(a.sites[name][keep], b.sites[name], err_msg=name)
        elsewhere = a.sites["region"][keep] != "Sindh"
        np.testing.assert_array_equal(a.sites["people"][keep][elsewhere], b.sites["people"][elsewhere])
        changed += (a.sites["people"][keep] != b.sites["people"]).sum()
    assert changed > 0


def test_parks_compete_with_hubs_for_people():
    """In a region with little talent a park that hires 13,400 leaves less for the hubs."""
    scarce = {"talent.graduates": 8000, "talent.trainees": 0, "hiring.freelancer_share": 0.1, "firms.from_office": 0}
    full, none = (
        run(portfolio({**DONE, **scarce, f"{KARACHI}.realised_share": share}, end="2026-12-31"), 4) for share in (1, 0)
    )
    assert metric(full, "jobs_supported.hub").sum() < metric(none, "jobs_supported.hub").sum()
    assert metric(full, "vacancies_short").sum() > metric(none, "vacancies_short").sum()


def test_known_states_of_parks():
    (record,) = run(portfolio(end="2026-12-31"))
    for kind, states in (
        ("stp", {"open", "fit_out"}), ("women_park", {"open"}), ("islamabad_park", {"open", "fit_out"}),
        ("karachi_park", {"evaluation", "fit_out"}),
    ):  # fmt: skip
        assert set(record.sites["state"][record.sites["kind"] == kind]) <= states
    assert State.open.name == "open"
