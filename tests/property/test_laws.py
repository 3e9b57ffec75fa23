"""What holds in every valid world, however strange its numbers."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sim.config import read_study
from sim.errors import InputError
from sim.model.parameters import walk
from sim.model.record import MONTHLY, Record
from sim.model.site import STAGES
from tests.helpers import config, run, state, study

NEVER_FALL = (
    "applications", "approved", "jobs_created", "vacancies_short", "grants_rs_million", "loans_rs_million",
    "exports_usd_cumulative", "closed", "rejected", "refused", "abandoned",
)  # fmt: skip


def between(low, high):
    """Both ends, and anything between that is not absurdly close to the lower one."""
    return st.sampled_from([low, high]) | st.floats(low + 1e-6 * (high - low), high)


def share():
    return between(0, 1)


TALENT = 0.784
"""Shares of Punjab and Sindh together."""
STATES = st.builds(
    lambda hubs, balance: state(*hubs, balance=balance), st.tuples(*[st.integers(0, 12)] * 5), between(0, 100)
)
LEVERS = {
    "start.open_hubs": st.integers(0, 80),
    "start.states": st.lists(STATES, max_size=3),
    "calls.applications": between(0, 150),
    "calls.interval": between(0.5, 24),
    "rollout.committee": st.integers(1, 100),
    "rollout.evaluation": between(0, 8),
    "rollout.rejection": share(),
    "rollout.finance": between(0, 12),
    "rollout.refusal": share(),
    "rollout.self_finance": share(),
    "rollout.grant": between(0, 30),
    "rollout.fit_out": between(0, 12),
    "rollout.abandonment": share(),
    "rollout.connectivity": between(0, 6),
    "rollout.programme_shock": between(0, 3),
    "rollout.remote_factor": between(0, 3),
    "rollout.brownfield_share": share(),
    "rollout.brownfield_factor": between(0, 2),
    "regions.Punjab.contractors": st.integers(1, 30),
    "regions.Sindh.talent_share": between(0, TALENT),
    "programme.hub_share": share(),
    "programme.execution": share(),
    "programme.release_delay": between(0, 12),
    "hubs.seats_large_city": between(0, 400),
    "hubs.seats_small_city": between(0, 400),
    "hubs.closure": between(0, 2),
    "hubs.closure_later": between(0, 2),
    "hubs.closure_change": between(0, 40),
    "hiring.round_days": between(5, 120),
    "hiring.occupancy": share(),
    "hiring.start": share(),
    "hiring.ramp": between(0.01, 60),
    "hiring.freelancer_share": share(),
    "hiring.member_churn": between(0, 0.99),
    "hiring.attrition": between(0, 0.99),
    "hiring.time_to_hire": between(0.01, 400),
    "hiring.experienced_share": share(),
    "hiring.graduate_delay": between(0, 24),
    "talent.graduates": between(0, 500_000),
    "talent.trainees": between(0, 500_000),
    "talent.outflow": share(),
    "talent.return_share": share(),
    "talent.women_users": share(),
    "talent.women_trainees": share(),
    "exports.freelancer": between(0, 60_000),
    "outages.frequency": between(0, 30),
    "outages.national_share": share(),
    "outages.loss": share(),
    "outages.duration": between(0, 12),
}
PARKS = {
    "firms.round_days": between(5, 200),
    "firms.room": between(1, 5),
    "firms.start": between(0, 3),
    "firms.growth": between(0.1, 4),
    "firms.volatility": between(0, 2),
    "firms.exit": between(0, 3),
    "firms.vacancy": between(0, 30),
    "firms.from_office": between(0, 0.7),
    "firms.from_stp": between(0, 0.3),
    "stps.staff": st.integers(0, 40_000),
    "stps.firms_older": st.integers(0, 20),
    "stps.firms_recent": st.integers(0, 10),
    "stps.pace": between(0, 8),
    "stps.conversion": between(0, 30),
    "stps.tenancy_ramp": between(0, 40),
    "women_park.conversion": between(0, 40),
    "women_park.area": between(0, 50_000),
    "parks.islamabad_park.construction": between(0, 20),
    "parks.islamabad_park.capacity": st.integers(0, 12_000),
    "parks.islamabad_park.tenants": st.integers(1, 300),
    "parks.islamabad_park.realised_share": share(),
    "parks.islamabad_park.tenancy_ramp": between(0, 30),
    "parks.karachi_park.tender": between(0, 9),
    "parks.karachi_park.tender_failure": between(0, 0.99),
    "parks.karachi_park.construction": between(0, 20),
    "talent.graduates": between(0, 500_000),
    "hiring.attrition": between(0, 0.99),
    "hiring.time_to_hire": between(0.01, 400),
    "outages.frequency": between(0, 30),
    "initiative.training_places": between(0, 1e6),
    "initiative.startups": between(0, 3000),
    "initiative.subsidised_share": share(),
}


def shared(world):
    """What Sindh has more of the talent Punjab has less, and the other way round."""
    sindh = world.get("regions.Sindh.talent_share", 0.266)
    return world | {"regions.Punjab.talent_share": TALENT - sindh}


WORLDS = st.fixed_dictionaries({"hiring.people_per_seat": between(0, 3)}, optional=LEVERS).map(shared)


def check(record: Record, people_per_seat: float, initial: int) -> None:
    check_everywhere(record)
    monthly = dict(zip(MONTHLY, np.moveaxis(record.monthly, 2, 0), strict=True))
    states = sum(monthly[name] for name in MONTHLY[: MONTHLY.index("applications")])
    assert (states.sum(axis=0) == monthly["applications"].sum(axis=0) + initial).all()
    assert (monthly["jobs_supported"] <= monthly["jobs_created"]).all()
    assert (monthly["jobs_supported"] <= monthly["seats"] * people_per_seat + monthly["open"] + 1e-9).all()


def check_everywhere(record: Record) -> None:
    """What holds for every system and region."""
    monthly = dict(zip(MONTHLY, np.moveaxis(record.monthly, 2, 0), strict=True))
    sites = record.sites
    assert np.isfinite(record.monthly).all()
    for name in set(MONTHLY) - {"portfolio_jobs", "portfolio_exports_usd_per_year", "jobs_additional"}:  # differences
        assert (monthly[name] >= 0).all(), name
    assert (monthly["women"] <= monthly["jobs_supported"]).all()
    assert (monthly["jobs_additional"] <= monthly["jobs_supported"]).all()
    additionality = record.drawn["hiring.additionality"]  # what is additional is part of what is new
    additional, portfolio = (monthly[name].sum(axis=0) for name in ("jobs_additional", "portfolio_jobs"))
    assert (additional <= additionality * portfolio + 1e-6).all()
    for name in NEVER_FALL:
        assert (np.diff(monthly[name], axis=1) >= -1e-9).all(), name
    is_open = sites["state"] == "open"
    assert (sites["people"][~is_open] == 0).all()
    assert sites["people"].sum() == monthly["jobs_supported"][:, -1].sum()
    assert sites["seats"][is_open].sum() == monthly["seats"][:, -1].sum()
    assert is_open.sum() == monthly["open"][:, -1].sum()
    assert sites["exports_usd"].sum() == pytest.approx(monthly["exports_usd_cumulative"][:, -1].sum())
    assert (sites["exports_usd"] >= 0).all()
    for stage in STAGES:
        for time in ("wait", "work"):
            days = sites[f"{stage.name}_{time}_days"]
            assert (days[np.isfinite(days)] >= -1e-6).all()


@settings(max_examples=60)
@given(WORLDS, st.integers(0, 2**32 - 1))
@example(dict.fromkeys(("hiring.people_per_seat", "calls.applications", "start.open_hubs"), 0), 0)
@example({"hiring.people_per_seat": 0, "hiring.freelancer_share": 0, "talent.graduates": 0, "talent.trainees": 0}, 0)
def test_laws(overrides, replication):
    people_per_seat = overrides["hiring.people_per_seat"]
    world = study(overrides, end="2026-08-31")
    (record,) = run(world, [replication])
    initial = (record.sites["origin"] == "initial").sum()
    assert initial == overrides.get("start.open_hubs", initial)
    check(record, people_per_seat, initial)


@settings(max_examples=40)
@given(st.fixed_dictionaries({}, optional=PARKS), st.integers(0, 2**32 - 1))
def test_laws_of_the_portfolio(overrides, replication):
    world = study(overrides, "portfolio", end="2026-08-31")
    (record,) = run(world, [replication])
    check_everywhere(record)
    assert {system for system, _ in record.places} == set(world.systems)
    assert (np.diff(record.initiative) >= 0).all()
    women = [i for i, (system, _) in enumerate(record.places) if system == "women_park"]
    jobs, women_jobs = (record.monthly[women][:, :, MONTHLY.index(name)] for name in ("jobs_supported", "women"))
    np.testing.assert_array_equal(jobs, women_jobs)


FEW_FIRMS = {"stps.firms_older": 2, "stps.firms_recent": 1, "stps.staff": 3600}
"""A fifth of the parks' firms, which take most of the time of the two releases of money until April 2026."""
SPECS = {path: parameter.spec for path, parameter in walk(study(experiment="portfolio"))}


@pytest.mark.parametrize("path", SPECS)
def test_the_ends_of_what_is_allowed_work(path):
    """Zero and values at the bounds of a parameter are refused with a message, or the world runs with them."""
    spec = SPECS[path]
    for value in (0, max(spec.low, 1e-9), spec.high if spec.high <= 1 else 1):
        cfg = config(FEW_FIRMS | {"rollout.programme_shock": 0.3, path: value}, "portfolio", end="2026-04-02")
        try:
            world = read_study(cfg)
        except InputError:
            continue
        (record,) = run(world)
        assert np.isfinite(record.monthly).all()
        assert len(record.sites["site_id"]) > 0 or path in ("start.open_hubs", "calls.applications")
