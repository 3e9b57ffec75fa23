"""Hiring with constant rates against theory."""

from math import exp, log1p

import numpy as np
import pytest
from scipy import stats

from sim.model.clock import DAYS_PER_MONTH
from sim.model.site import Draw
from sim.model.streams import Streams
from tests.helpers import inhabit, ledgers, study

pytestmark = [pytest.mark.verification, pytest.mark.short]

ALARM = 1e-4
SEATS, TO_HIRE, ATTRITION = 40, 60.0, 0.06  # days; share a month
RATES = {
    "start.backlog": [], "calls.applications": 0, "hubs.closure": 0, "hubs.closure_later": 0, "outages.frequency": 0,
    "hubs.seats_large_city": SEATS, "hubs.seats_small_city": SEATS, "hiring.people_per_seat": 1, "hiring.occupancy": 1,
    "hiring.start": 1, "hiring.freelancer_share": 0, "hiring.time_to_hire": TO_HIRE, "hiring.experienced_share": 1,
    "hiring.attrition": ATTRITION, "talent.graduates": 100_000_000, "talent.employable_share": 1,
    "talent.women_users": 0.3, "talent.women_trainees": 0.3,
}  # fmt: skip


def sites(overrides, replications, end="2026-12-31"):
    """Open sites of several replications at the end, with the time that is then."""
    found = []
    for replication in range(replications):
        world, _ = inhabit(study(RATES | overrides, end=end), Streams(5, replication))
        found += [(site, world.env.now) for ledger in ledgers(world) for site in ledger.open_sites]
    return found


def test_a_settled_hub_is_binomial():
    """Each of W posts is a chain of its own: vacated with probability l a round, filled with probability f.

    So employees after a round are binomial(W, f / (1 - (1 - l)(1 - f))). Mean (z) and spread (chi-square) over 900
    hubs that have been open for a year or more: false alarm 1e-4 for each.
    """
    rounds = 30.0
    found = sites({"hiring.round_days": rounds, "start.open_hubs": 45}, 20)
    employees = np.array([site.employees for site, _ in found])
    assert len(employees) == 900
    leave, fill = 1 - (1 - ATTRITION) ** (rounds / DAYS_PER_MONTH), 1 - exp(-rounds / TO_HIRE)
    share = fill / (1 - (1 - leave) * (1 - fill))
    mean, variance = SEATS * share, SEATS * share * (1 - share)
    assert 2 * stats.norm.sf(abs(employees.mean() - mean) / np.sqrt(variance / 900)) > ALARM
    spread = employees.var(ddof=1) * 899 / variance
    assert 2 * min(stats.chi2.cdf(spread, 899), stats.chi2.sf(spread, 899)) > ALARM


def test_a_filling_hub_follows_the_birth_death_mean():
    """Rounds every day, so time is all but continuous: vacancies are filled at rate 1 / T and posts vacated at rate a.

    The mean solves dE/dt = (W - E) / T - a E, so E(t) = W k (1 - exp(-t (1 / T + a))) with k = (1 / T) / (1 / T + a).
    Each post's chain has the same mean at its rounds but for O(round): that bias is computed, not guessed, by the
    chain's own recursion, and must be under 1% of the mean. 720 hubs aged 16, 45 and 120 days, z: false alarm 1e-4.
    """
    hire, leave = 1 / TO_HIRE, -log1p(-ATTRITION) / DAYS_PER_MONTH
    for age in (16, 45, 120):
        # Without dated openings all hubs opened at noon of the day before the start.
        end = np.datetime64("2025-11-14") + np.timedelta64(age - 1, "D")
        found = sites({"hiring.round_days": 1, "start.open_hubs": 60, "start.openings": {}}, 12, str(end))
        counted, expected, exact, variance = 0.0, 0.0, 0.0, 0.0
        for site, now in found:
            t = site.last_round - site.opened
            assert now - site.opened == pytest.approx(age + 0.5, abs=1e-3)
            continuous = hire / (hire + leave) * (1 - exp(-t * (hire + leave)))
            p, first = 0.0, site.u[Draw.phase]
            for days in (first, *[1.0] * round(t - first)):
                stay = p * exp(-leave * days)
                p = stay + (1 - stay) * (1 - exp(-hire * days))
            counted += site.employees
            expected += SEATS * continuous
            exact += SEATS * p
            variance += SEATS * p * (1 - p)
        assert len(found) == 720
        assert abs(exact - expected) < 0.01 * expected
        assert 2 * stats.norm.sf(abs(counted - exact) / np.sqrt(variance)) > ALARM / 3


def test_women_are_a_thinning():
    """Women join with probability 0.3 and leave like everybody: binomial(employees, 0.3); z, false alarm 1e-4."""
    found = sites({"hiring.round_days": 30, "start.open_hubs": 45}, 20)
    people = sum(site.employees for site, _ in found)
    women = sum(site.women_employees for site, _ in found)
    assert 2 * stats.norm.sf(abs(women - 0.3 * people) / np.sqrt(people * 0.3 * 0.7)) > ALARM


def test_who_leaves_takes_his_productivity_along():
    """Members who stay a round with probability s and have all begun at zero, at a full hub open for long.

    After k - 1 rounds of d days and t days since the last, a member is productive by 1 - exp(-(t + (k - 1) d) / R).
    k is geometric, so on average 1 - (1 - s) exp(-t / R) / (1 - s exp(-d / R)). z over 900 hubs: false alarm 1e-4.
    """
    days, churn, ramp = 30.0, 0.2, 3 * DAYS_PER_MONTH
    found = sites(
        {"hiring.freelancer_share": 1, "hiring.member_churn": churn, "hiring.round_days": days, "start.open_hubs": 45,
         "exports.freelancer_ramp": 3, "start.openings": {"2024-06-30": 45}}, 20,
    )  # fmt: skip
    stay = (1 - churn) ** (days / DAYS_PER_MONTH)
    z = []
    for site, now in found:
        gone = (1 - stay) * exp(-(now - site.last_round) / ramp) / (1 - stay * exp(-days / ramp))
        assert site.members == SEATS
        z.append(site.productive_members / SEATS - (1 - gone))
    assert abs(np.mean(z)) / np.std(z, ddof=1) * np.sqrt(len(z)) < stats.norm.isf(ALARM / 2)


def test_freelancers_share_of_demand():
    """Rounding is unbiased: members over 900 hubs against 0.37 of the seats; sd of a site under 1; false alarm 1e-4."""
    found = sites({"hiring.freelancer_share": 0.37, "hiring.round_days": 30, "start.open_hubs": 45,
                   "hiring.people_per_seat": 1.013}, 20)  # fmt: skip
    difference = sum(site.members - 0.37 * 1.013 * SEATS for site, _ in found)
    assert abs(difference) / np.sqrt(len(found)) < stats.norm.isf(ALARM / 2)
