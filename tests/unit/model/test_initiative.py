"""Levers of the initiative: what each does, and what it costs."""

from datetime import date, timedelta

import numpy as np
import pytest

from sim.model.record import MONTHLY
from tests.helpers import metric, run, study

END = "2027-12-31"


def compare(overrides, base=(), n=3, **options):
    """The same replications without and with the lever."""
    return (run(study({**dict(base), **change}, end=END, **options), n) for change in ({}, overrides))


def test_nothing_costs_nothing():
    (record,) = run(study(end=END))
    assert (record.initiative == 0).all()


def test_training_places_feed_the_market_and_cost_their_price():
    scarce = {
        "talent.graduates": 300,
        "talent.trainees": 0,
        "hiring.freelancer_share": 0,
        "talent.hub_ready_share": 0.5,
    }
    lever = {"initiative.training_places": 20_000, "initiative.training_cost": 10_000}
    plain, trained = compare(lever, scarce)
    assert (metric(trained, "jobs_supported") > 1.2 * metric(plain, "jobs_supported")).all()
    years = ((trained[0].dates[-1] - trained[0].dates[0]).days + 1) / 365.25
    assert metric(trained, "initiative_rs_million") == pytest.approx(20_000 * 10_000 / 1e6 * years)
    # women: more of the trainees than of the graduates
    lever |= {"talent.women_users": 0, "talent.women_trainees": 1}
    assert metric(run(study({**scarce, **lever}, end=END)), "women_share") > 0.5


def test_startups_want_people_and_cost_their_price():
    lever = {"initiative.startups": 200, "initiative.startup_cost": 2, "initiative.startup_size": 5,
             "talent.graduates": 5_000_000}  # fmt: skip
    plain, more = compare(lever, {"talent.graduates": 5_000_000})
    added = metric(more, "jobs_supported") - metric(plain, "jobs_supported")
    # 200 a year for 2.1 years, of which some have ended: at most 5 people each
    assert (added > 400).all()
    assert (added < 200 * 2.2 * 5).all()
    cost = metric(more, "initiative_rs_million")
    assert (np.abs(cost / 2 - 200 * 2.13) < 5 * np.sqrt(200 * 2.13)).all()
    assert (metric(more, "seats") * 1.5 >= metric(more, "jobs_supported")).all()


def test_a_startup_fits_into_its_hub():
    full = {"hiring.occupancy": 1, "hiring.start": 1, "outages.frequency": 0, "initiative.startups": 5000}
    (record,) = run(study({**full, "hiring.people_per_seat": 1}, end="2026-12-31"))
    open_hubs = record.sites["state"] == "open"
    assert (record.sites["people"][open_hubs] <= record.sites["seats"][open_hubs]).all()


def test_subsidised_seats_are_taken_and_paid():
    lever = {"initiative.subsidised_share": 1, "initiative.subsidy_effect": 1, "initiative.subsidy_cost": 100_000}
    base = {"hiring.occupancy": 0.5, "hiring.freelancer_share": 1, "outages.frequency": 0, "hiring.member_churn": 0}
    plain, paid = compare(lever, base)
    assert (metric(paid, "jobs_supported") > 1.6 * metric(plain, "jobs_supported")).all()
    # Members day by day from the start date on, at Rs 0.1 million a year.
    start = date(2025, 11, 14)
    daily = [start + timedelta(i) for i in range((date.fromisoformat(END) - start).days + 1)]
    for record, other in zip(paid, run(study({**base, **lever}, end=END), 3, record_on=set(daily)), strict=True):
        members = other.monthly.sum(axis=0)[:, MONTHLY.index("jobs_supported")]
        assert other.dates == daily
        assert record.initiative[-1] == pytest.approx(other.initiative[-1], rel=1e-9)  # whatever is recorded
        assert record.initiative[-1] == pytest.approx(members.sum() / 365.25 * 0.1, rel=2e-3)
