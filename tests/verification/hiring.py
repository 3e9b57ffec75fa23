"""Hiring in rounds, with constant rates, against the Markov chain of each post."""

from math import exp, log1p

import numpy as np
from scipy import stats

from sim.model.clock import DAYS_PER_MONTH
from sim.model.site import Draw
from sim.model.streams import Streams
from tests.helpers import inhabit, ledgers, study
from tests.verification.alarms import SEED, check, dots, mean_of

SEATS, TO_HIRE, ATTRITION = 40, 60.0, 0.06  # days; share a month
RATES = {
    "start.states": [], "calls.applications": 0, "hubs.closure": 0, "hubs.closure_later": 0, "outages.frequency": 0,
    "hubs.seats_large_city": SEATS, "hubs.seats_small_city": SEATS, "hiring.people_per_seat": 1, "hiring.occupancy": 1,
    "hiring.start": 1, "hiring.freelancer_share": 0, "hiring.time_to_hire": TO_HIRE, "hiring.experienced_share": 1,
    "hiring.attrition": ATTRITION, "talent.graduates": 100_000_000, "talent.employable_share": 1,
    "talent.women_users": 0.3, "talent.women_trainees": 0.3,
}  # fmt: skip
LEAVE = -log1p(-ATTRITION) / DAYS_PER_MONTH
SETTLED = {"hiring.round_days": 30, "start.open_hubs": 45}


def sites(overrides, replications, end="2026-12-31"):
    """Open sites of several replications at the end, with the time that is then."""
    found = []
    for replication in range(replications):
        world, _ = inhabit(study(RATES | overrides, end=end), Streams(SEED, replication))
        found += [(site, world.env.now) for ledger in ledgers(world) for site in ledger.open_sites]
    return found


def spread(deviations, p, posts):
    """p-value of the mean square of standardised binomial deviations, each of variance 2 + (1 - 6 p q) / (n p q).

    Their sum is taken as a multiple of a chi-square variable with the same mean and variance (Satterthwaite 1946).
    """
    pq = p * (1 - p)
    total, n = np.sum(deviations**2 / (posts * pq)), len(deviations)
    scale = np.mean(2 + (1 - 6 * pq) / (posts * pq)) / 2
    return 2 * min(stats.chi2.cdf(total / scale, n / scale), stats.chi2.sf(total / scale, n / scale))


def frequencies(counts, k, chance, xlabel):
    """Picture of how many hubs have each number of people."""
    error = np.sqrt(chance * (1 - chance) / len(counts))
    return dots(k, [np.mean(counts == i) for i in k], error, chance, xlabel=xlabel, ylabel="share of hubs")


@check(short=True)
def settled_hub(level):
    """A hub that has been open for long.

    Theory: each of W posts is a Markov chain of its own, vacated with probability l a round and filled with
    probability f, so employees after a round are binomial(W, f / (1 - (1 - l)(1 - f))). Women join with probability
    0.3 and leave like everybody, so they are a binomial thinning.
    Test: 900 hubs open for a year or more; z of the mean, chi-square of the mean square deviation, z of the women.
    False alarm: 3e-4.
    """
    found = sites(SETTLED, 20)
    employees, count = (np.array([getattr(site, n) for site, _ in found]) for n in ("employees", "women_employees"))
    assert len(employees) == 900
    leave, fill = 1 - exp(-LEAVE * 30), 1 - exp(-30 / TO_HIRE)
    p = fill / (1 - (1 - leave) * (1 - fill))
    level.z((employees.mean() - SEATS * p) / np.sqrt(SEATS * p * (1 - p) / 900), 1 / 3, "mean")
    level.p(spread(employees - SEATS * p, np.full(900, p), SEATS), 1 / 3, "spread")
    total = employees.sum()
    level.z((count.sum() - 0.3 * total) / np.sqrt(total * 0.21), 1 / 3, "women")

    k = np.arange(26, 41)
    return frequencies(employees, k, stats.binom.pmf(k, SEATS, p), "employees of a hub with 40 posts")


@check(short=True)
def filling_hub(level):
    """A hub that fills.

    Theory: posts are filled at rate 1 / T and vacated at rate a, a birth-death chain for each, so employees at age t
    are binomial(W, k (1 - exp(-t (1 / T + a)))) with k = (1 / T) / (1 / T + a); at rounds a day apart the chain's own
    recursion gives the exact probability, which differs from that of continuous time by under 1%.
    Test: 720 hubs aged 16, 45, 120 and 365 days; z of the mean, chi-square of the mean square deviation at each age.
    False alarm: 4e-4.
    """
    hire, points = 1 / TO_HIRE, []
    for age in (16, 45, 120, 365):
        # Without dated openings all hubs opened at noon of the day before the start.
        end = np.datetime64("2025-11-14") + np.timedelta64(age - 1, "D")
        found = sites({"hiring.round_days": 1, "start.open_hubs": 60, "start.openings": {}}, 12, str(end))
        assert len(found) == 720
        exact, continuous = np.zeros(720), np.zeros(720)
        for i, (site, now) in enumerate(found):
            assert abs(now - site.opened - age - 0.5) < 1e-3
            t, first = site.last_round - site.opened, site.u[Draw.phase]
            continuous[i] = hire / (hire + LEAVE) * (1 - exp(-t * (hire + LEAVE)))
            p = 0.0
            for days in (first, *[1.0] * round(t - first)):
                stay = p * exp(-LEAVE * days)
                p = stay + (1 - stay) * (1 - exp(-hire * days))
            exact[i] = p
        assert abs(exact.mean() / continuous.mean() - 1) < 0.01
        employees = np.array([site.employees for site, _ in found])
        off = employees - SEATS * exact
        level.z(off.sum() / np.sqrt(SEATS * np.sum(exact * (1 - exact))), 1 / 8, f"mean at {age} days")
        level.p(spread(off, exact, SEATS), 1 / 8, f"spread at {age} days")
        points.append((age, employees.mean(), employees.std(ddof=1)))

    age, mean, sd = np.transpose(points)
    t = np.linspace(0, 380)
    p = hire / (hire + LEAVE) * (1 - np.exp(-t * (hire + LEAVE)))
    theory = SEATS * p[:, None] + np.sqrt(SEATS * p * (1 - p))[:, None] * [-1, 0, 1]
    labels = ("simulated, mean and standard deviation", ["theory", None, None])
    return dots(age, mean, sd / 2.576, (t, theory), labels, xlabel="age of the hub, days", ylabel="employees")


@check(short=True)
def productivity_of_leavers(level):
    """Who leaves takes his productivity along.

    Theory: at a full hub open for long, members stay a round with probability s, so their rounds are geometric, and t
    days after one they are productive by 1 - (1 - s) exp(-t / R) / (1 - s exp(-d / R)) on average.
    Test: 900 hubs with rounds of d = 30 days, churn of 20% a month and R = 3 months; t test of the difference.
    False alarm: 1e-4.
    """
    days, churn, ramp = 30.0, 0.2, 3 * DAYS_PER_MONTH
    found = sites(
        SETTLED | {"hiring.freelancer_share": 1, "hiring.member_churn": churn, "exports.freelancer_ramp": 3,
                   "start.openings": {"2024-06-30": 45}}, 20,
    )  # fmt: skip
    stay = (1 - churn) ** (days / DAYS_PER_MONTH)
    since = np.array([now - site.last_round for site, now in found])
    theory = 1 - (1 - stay) * np.exp(-since / ramp) / (1 - stay * exp(-days / ramp))
    share = np.array([site.productive_members / SEATS for site, _ in found])
    assert all(site.members == SEATS for site, _ in found)
    level.t(mean_of(share - theory), 1, 0, "productive share less theory")

    cells = [np.digitize(since, np.arange(3, 30, 3)) == c for c in range(10)]
    x, y, curve = ([values[c].mean() for c in cells] for values in (since, share, theory))
    error = [share[c].std() / np.sqrt(c.sum()) for c in cells]
    return dots(x, y, error, curve, xlabel="days since the last round", ylabel="productive share of members")


@check(short=True)
def share_of_freelancers(level):
    """Fractions of people.

    Theory: demand is rounded by two uniforms of the hub, so members are 0.37 of the people wanted in expectation.
    Test: 900 hubs that want 40 x 1.013 people; t test of members.
    False alarm: 1e-4.
    """
    found = sites(SETTLED | {"hiring.freelancer_share": 0.37, "hiring.people_per_seat": 1.013}, 20)
    members = np.array([site.members for site, _ in found])
    wanted = 0.37 * 1.013 * SEATS
    level.t(mean_of(members), 1, wanted, "members")

    k, total = np.arange(13, 18), 1.013 * SEATS  # 40 or 41 people are wanted, and 0.37 of them rounded up or down
    share = {n: np.maximum(0, 1 - abs(k - 0.37 * n)) for n in (40, 41)}
    return frequencies(members, k, (41 - total) * share[40] + (total - 40) * share[41], "members of a hub")
