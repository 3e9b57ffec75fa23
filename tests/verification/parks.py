"""Software technology parks, IT parks and their firms."""

from math import exp, log

import numpy as np
from scipy import stats

from sim.model.clock import DAYS_PER_MONTH, DAYS_PER_YEAR
from sim.model.site import Origin
from sim.model.streams import Streams
from tests.helpers import inhabit, run, study
from tests.verification.alarms import SEED, check, dots, fitted

KARACHI = "parks.karachi_park"
STILL = {
    "start.open_hubs": 0, "start.states": [], "calls.applications": 0, "outages.frequency": 0, "stps.pace": 0,
    "firms.exit": 0, "firms.growth": 1, "firms.volatility": 0, "firms.start": 1, "firms.from_stp": 0,
    "firms.from_office": 1, "hiring.attrition": 0, f"{KARACHI}.tender": 0, f"{KARACHI}.tender_failure": 0,
    f"{KARACHI}.construction": 1, "parks.islamabad_park.construction": 600,
}  # fmt: skip
"""Firms stay as they are, one park is finished before the start."""


def portfolio(overrides, end):
    return study(STILL | overrides, "portfolio", end=end)


@check(short=True)
def letting(level):
    """How a park is let.

    Theory: a unit finds a firm at all with probability 0.7, and then after an exponential time with a mean of 20
    months.
    Test: 12 parks of 220 units over 15 months; z of the number let, Kolmogorov-Smirnov of the times, cut at the end.
    False alarm: 2e-4.
    """
    months, units, size, ramp = [], 0, [], 20.0
    world = portfolio(
        {f"{KARACHI}.realised_share": 0.7, f"{KARACHI}.tenancy_ramp": ramp, "firms.round_days": 10**6}, "2026-10-31"
    )
    for replication in range(12):
        living, _ = inhabit(world, Streams(SEED, replication))
        (park,) = living.ledgers["karachi_park"]["Sindh"].sites
        units += len(park.units)  # with rounds that never come, the last round of a firm is the day it moved in
        let = [unit.last_round - park.opened for unit in park.units if unit.let]
        months += [days / DAYS_PER_MONTH for days in let]
        size.append(living.env.now - park.opened)
    horizon = size[0] / DAYS_PER_MONTH
    assert np.ptp(size) == 0
    chance = 0.7 * (1 - exp(-horizon / ramp))
    level.z((len(months) - units * chance) / np.sqrt(units * chance * (1 - chance)), 1 / 2, "units let")
    cut = stats.truncexpon(horizon / ramp, scale=ramp)
    level.p(stats.kstest(months, cut.cdf).pvalue, 1 / 2, "times")
    return fitted(months, cut.cdf, "months until a unit is let")


@check(short=True)
def tenancies(level):
    """Firms that leave and are followed by others.

    Theory: a firm leaves at the first round after an exponential time, so after 1 / exit + d / 2 on average as the
    rounds' phase is random; with vacancies of mean V an alternating renewal process is let for the share (1 / exit +
    d / 2) / (1 / exit + d / 2 + V) of a long time (Ross 1996, Stochastic Processes, theorem 3.4.4).
    Test: 12 runs of 350 units, 12 years from the start, exit 0.05 a month, vacancies of 6 months, log-normal; z of
    the units that are let.
    False alarm: 1e-4.
    """
    exit_, sigma, days = 0.05, 0.5, 91.3125
    world = portfolio(
        {"firms.exit": exit_, "firms.vacancy": {"value": ["lognormal", 6, sigma]}, "firms.round_days": days,
         f"{KARACHI}.construction": 600}, "2037-11-14",
    )  # fmt: skip
    let, parks = [], []
    for replication in range(12):
        living, _ = inhabit(world, Streams(SEED, replication))
        units = [unit for ledger in living.ledgers["stp"].values() for site in ledger.sites for unit in site.units]
        let += [unit.let for unit in units]
        parks.append(np.mean([unit.let for unit in units]))
    lease, vacant = 1 / exit_ + days / DAYS_PER_MONTH / 2, 6 * exp(sigma**2 / 2)
    share = lease / (lease + vacant)
    level.z((np.mean(let) - share) / np.sqrt(share * (1 - share) / len(let)), 1, f"{np.mean(let):.4f} for {share:.4f}")

    error = np.full(12, np.sqrt(share * (1 - share) / len(let) * 12))
    return dots(
        range(1, 13), parks, error, np.full(12, share), xlabel="run", ylabel="share of units let after 12 years"
    )


@check(short=True)
def firms_that_grow(level):
    """People wanted by firms.

    Theory: geometric Brownian motion (Gibrat 1931): after t years the logarithm of its growth is normal with mean
    (log g - v^2 / 2) t and variance v^2 t, so that the mean grows by g a year.
    Test: 8 runs of 350 firms with room for any growth, over the time to their last round; Kolmogorov-Smirnov of the
    standardised logarithms, t test of the mean.
    False alarm: 2e-4.
    """
    growth, volatility, z = 1.05, 0.25, []
    world = portfolio(
        {"firms.growth": growth, "firms.volatility": volatility, "firms.room": 10**4, "firms.round_days": 91.3125,
         f"{KARACHI}.construction": 600}, "2028-11-14",
    )  # fmt: skip
    for replication in range(8):
        living, _ = inhabit(world, Streams(SEED, replication))
        for ledger in living.ledgers["stp"].values():
            for site in ledger.sites:
                for unit in (unit for unit in site.units if unit.let):
                    # a firm of the start was last at its round somewhere before the park's first day
                    rounds = np.floor((unit.last_round - site.opened) / 91.3125) + 1
                    years = rounds * 91.3125 / DAYS_PER_YEAR
                    began = unit.start / living.firms.filled
                    drift = (log(growth) - volatility**2 / 2) * years
                    z.append((log(unit.wanted / began) - drift) / volatility / np.sqrt(years))
    level.p(stats.kstest(z, stats.norm.cdf).pvalue, 1 / 2, f"{len(z)} firms")
    level.z(np.mean(z) * np.sqrt(len(z)), 1 / 2, "mean")
    return fitted(z, stats.norm.cdf, "standardised logarithm of growth")


@check
def parks_open_at_random(level):
    """Openings of software technology parks.

    Theory: agreements are a Poisson process that has gone on for long, and conversions are independent, so openings
    are a Poisson process of the same rate from the first day on (Doob 1953; displaced points of a Poisson process).
    Test: 80 runs over 2 years at 3 parks a month; z of the number, chi-square of its dispersion over runs, and
    Kolmogorov-Smirnov of the dates against the uniform distribution.
    False alarm: 3e-4.
    """
    world = portfolio(
        {"stps.pace": 3, "stps.conversion": {"value": ["pert", 7, 12, 19]}, "stps.staff": 0, "stps.firms_recent": 1,
         "stps.firms_older": 0, "firms.round_days": 10**6, f"{KARACHI}.construction": 600}, "2027-11-13",
    )  # fmt: skip
    counts, opened = [], []
    for record in run(world, 80, SEED):
        dates = record.sites["opened"][record.sites["origin"] == Origin.stp.name]
        dates = dates[~np.isnan(dates)]
        counts.append(len(dates))
        opened += list(dates)
    days = (record.dates[-1] - record.dates[0]).days + 1.0
    expected = 3 * days / DAYS_PER_MONTH
    level.z((np.sum(counts) - 80 * expected) / np.sqrt(80 * expected), 1 / 3, "openings")
    dispersion = np.var(counts, ddof=1) / np.mean(counts) * 79
    level.p(2 * min(stats.chi2.cdf(dispersion, 79), stats.chi2.sf(dispersion, 79)), 1 / 3, "dispersion")
    level.p(stats.kstest(opened, stats.uniform(0, days).cdf).pvalue, 1 / 3, "dates")
    return fitted(opened, stats.uniform(0, days).cdf, "days since the start date")
