"""The rollout's queues, as the model runs them, against queueing theory."""

import gc
from datetime import date
from heapq import heapify, heapreplace
from math import factorial, inf, log1p

import numpy as np
from scipy import stats

from sim.model.clock import DAYS_PER_MONTH
from sim.model.rollout import rollout
from sim.model.site import Draw, Origin, State
from sim.model.streams import Streams
from sim.model.world import World
from tests.helpers import NO_LIMITS, inhabit, study
from tests.verification.alarms import BLUE, GREY, ORANGE, SEED, check, controlled, dots, rng, same

REGIONS = ("Punjab", "Sindh", "KP", "Islamabad", "Balochistan", "AJK", "GB")
EMPTY = {
    "start.open_hubs": 0, "start.states": [], "calls.applications": 0, "calls.applications_sd": 0,
    "outages.frequency": 0, "rollout.brownfield_share": 0, "rollout.remote_factor": 1,
    "rollout.programme_shock": 1 / DAYS_PER_MONTH,
}  # fmt: skip
"""Nothing but what a check brings along; durations are in days."""


def exponential(u):
    """Exponential service of a day on average."""
    return -log1p(-u)


def drive(overrides, gaps, replication=0, **durations):
    """Run the model's own rollout for hubs that apply one by one, so many days after each other."""
    world = World(study(NO_LIMITS | EMPTY | overrides, end="2025-12-31"), Streams(SEED, replication))
    world.p.rollout.__dict__.update(durations)
    env, sites = world.env, []

    def arrivals():
        yield env.timeout(-env.now)
        for number, gap in enumerate(gaps):
            yield env.timeout(gap)
            site = world.new_hub(Origin.call, 1, number)
            site.applied = env.now
            sites.append(site)
            env.process(rollout(world, site))

    gc.disable()
    try:
        env.run(until=env.process(arrivals()))
        env.run(until=env.now + 100.0)
    finally:
        gc.enable()
    return world, sites


def waits(sites, stage):
    return np.array([site.started[stage] - site.entered[stage] for site in sites])


@check
def erlang_c(level):
    """The committee as an M/M/2 queue.

    Theory: with Poisson arrivals and exponential evaluations, an application waits with Erlang's probability C(c, a)
    = 1/3 and for C / (c mu - lambda) = 1/3 of an evaluation on average (Gross et al. 2008, Fundamentals of Queueing
    Theory, 2.3).
    Test: 150 runs of 4,000 hubs, the first 200 left out, at half load; mean of means with arrivals, services and
    their squares as control variates, which must have the expectation that is used; t test and equivalence within 5%,
    each for the probability and the mean.
    False alarm: 4e-4.
    """
    places, rate, runs, hubs, warm = 2, 1.0, 150, 4000, 200
    found, controls, survival = [], [], []
    grid = np.linspace(0, 4, 17)
    for run in range(runs):
        gaps = rng(1, run).exponential(1 / rate, hubs)
        _, sites = drive(
            {"rollout.committee": places, "rollout.rejection": 1}, gaps.tolist(), run, evaluation=exponential
        )
        wait = waits(sites[warm:], State.evaluation)
        service = np.array([exponential(site.u[Draw.evaluation]) for site in sites[warm:]])
        found.append((np.mean(wait > 1e-9), wait.mean()))
        controls.append((gaps[warm:].mean() - 1 / rate, service.mean() - 1, np.mean(service**2) - 2))
        survival.append([np.mean(wait > t + 1e-9) for t in grid])
    level.zero(controls, 1 / 5, "arrivals and services")
    load = rate
    busy = load**places / factorial(places) / (1 - load / places)
    chance = busy / (sum(load**k / factorial(k) for k in range(places)) + busy)
    for values, theory, what in zip(
        np.transpose(found), (chance, chance / (places - rate)), ("chance of waiting", "mean wait"), strict=True
    ):
        estimate = controlled(values, controls)
        level.t(estimate, 1 / 5, theory, what)
        level.equal(estimate, 1 / 5, theory, 0.05 * theory, what)

    y, error = np.mean(survival, axis=0), np.std(survival, axis=0) / np.sqrt(runs)
    theory = chance * np.exp(-(places - rate) * grid)
    return dots(grid, y, error, theory, xlabel="days", ylabel="P(wait is longer)", yscale="log")


@check
def pollaczek_khinchine(level):
    """Contractors as seven M/G/1 queues.

    Theory: applications fall to regions at random, so each region's are Poisson; so are those that leave a committee
    with room for all (M/M/infinity, Burke 1956). At one contractor the chance of waiting is the load rho and the mean
    wait lambda E[S^2] / (2 (1 - rho)) (Pollaczek 1930, Khinchine 1932); fit-outs are beta-PERT, shorter for
    conversions, longer in remote regions, and cut at a uniform share when abandoned.
    Test: 50 runs of some 7,000 hubs at loads of 0.25 to 0.65, those who come to a contractor in the last 95% of the
    time; sums over arrivals of what their expectation is known of, so that all are unbiased: t tests for each region
    with numbers, services and their squares as control variates, which must have the expectation that is used; all
    waits over their theory equivalent to 1 within 5%.
    False alarm: 4e-4.
    """
    loads = dict(zip(REGIONS, (0.25, 0.35, 0.45, 0.65, 0.4, 0.5, 0.6), strict=True))
    remote, brownfield, factor, abandoned = 1.3, 0.4, 0.5, 0.2
    fit_out = stats.beta(1 + 4 * 2.5 / 8.5, 1 + 4 * 6 / 8.5, loc=1.5, scale=8.5)
    mixed = [(1 - brownfield + brownfield * factor**k) * (1 - abandoned * k / (k + 1)) for k in (1, 2)]
    plain = [fit_out.moment(k) * mixed[k - 1] for k in (1, 2)]
    moments = {name: [m * (remote**k if i > 3 else 1) for k, m in enumerate(plain, 1)]
               for i, name in enumerate(REGIONS)}  # fmt: skip
    rates = {name: load / moments[name][0] for name, load in loads.items()}
    overrides = {
        **{f"regions.{name}.planned_hubs": rate for name, rate in rates.items()},
        **{f"regions.{name}.contractors": 1 for name in REGIONS},
        "rollout.rejection": 0, "rollout.refusal": 0, "rollout.abandonment": abandoned, "rollout.finance": 0,
        "rollout.brownfield_share": brownfield, "rollout.brownfield_factor": factor, "rollout.remote_factor": remote,
        "rollout.fit_out": {"value": ["pert", 1.5, 4, 10]}, "rollout.connectivity": 10**6,
    }  # fmt: skip
    found, controls = ({name: [] for name in REGIONS} for _ in range(2))
    runs, every_gap = 50, 1 / sum(rates.values())
    warm, end = 350 * every_gap, 7000 * every_gap
    for run in range(runs):
        gaps = rng(2, run).exponential(every_gap, 7400)
        _, sites = drive(overrides, gaps.tolist(), run, evaluation=exponential)
        for name in REGIONS:
            here = [s for s in sites if s.region.name == name and warm <= s.entered[State.fit_out] < end]
            wait = waits(here, State.fit_out)
            ends = np.array([[site.entered[state] for state in (State.connectivity, State.abandoned)] for site in here])
            service = np.nanmin(ends, axis=1) - [site.started[State.fit_out] for site in here]
            expected = rates[name] * (end - warm)
            found[name].append((np.sum(wait > 1e-9) / expected, wait.sum() / expected))
            first, second = moments[name]
            controls[name].append(
                (len(here) / expected, service.sum() / expected / first, np.sum(service**2) / expected / second)
            )
    level.zero(np.concatenate([controls[name] for name in REGIONS], axis=1) - 1, 1 / 4, "arrivals and services")
    ratio, points = np.zeros(runs), []
    for name, load in loads.items():
        first, second = moments[name]
        theory = rates[name] * second / (2 * (1 - load))
        chance, wait = (controlled(y, np.array(controls[name]) - 1) for y in np.transpose(found[name]))
        level.t(chance, 1 / 28, load, f"{name}: chance of waiting")
        level.t(wait, 1 / 28, theory, f"{name}: mean wait")
        points.append((load, wait[0] / first, wait[1] / first))
        ratio += np.transpose(found[name])[1] / theory / len(loads)
    of_all = np.mean([controls[name] for name in REGIONS], axis=0) - 1
    level.equal(controlled(ratio, of_all), 1 / 4, 1, 0.05, "mean wait over theory, all regions")

    rho = np.linspace(0.2, 0.7)
    curve = rho / (1 - rho) * plain[1] / plain[0] ** 2 / 2
    return dots(*np.transpose(points), (rho, curve), xlabel="load of the contractor", ylabel="wait in mean fit-outs")


@check(short=True)
def deterministic_committee(level):
    """The committee as a D/D/3 queue.

    Theory: with an application a day and evaluations of 4 days in 3 places, application n (from 0) waits floor(n / 3)
    (4 - 3) days.
    Test: 300 applications, every wait to 1e-9 days.
    False alarm: 0.
    """
    _, sites = drive({"rollout.committee": 3, "rollout.rejection": 1, "rollout.evaluation": 4}, [1.0] * 300)
    n = np.arange(225)
    wait = waits(sites[:225], State.evaluation)  # those who are served before the end
    same(wait, n // 3, "waits", atol=1e-9)
    labels = ("simulated, every eighth", "theory")
    return dots(n[::8], wait[::8], 0 * wait[::8], (n, n // 3), labels, xlabel="application", ylabel="days of waiting")


def first_come_first_served(arrivals, work, servers):
    """Times at which work begins (Kiefer and Wolfowitz 1955): at the arrival, or when the next server is free."""
    free = [-inf] * servers
    heapify(free)
    begun = []
    for arrival, days in zip(arrivals, work, strict=True):
        begun.append(max(arrival, free[0]))
        heapreplace(free, begun[-1] + days)
    return np.array(begun)


@check(short=True)
def every_wait(level):
    """Every wait in runs of the baseline.

    Theory: first come, first served with c servers, waits follow from arrivals and work alone by the recursion of
    Kiefer and Wolfowitz (1955, Trans. Am. Math. Soc. 78), whatever the distributions.
    Test: 12 runs of the baseline with 8 committee places and 1 or 2 contractors a region; every beginning of work to
    1e-6 days, and none where there should be none.
    False alarm: 0.
    """
    tight = {"start.states": [], "rollout.committee": 8} | {
        f"regions.{name}.contractors": 2 if name == "Punjab" else 1 for name in REGIONS
    }
    waited, line = 0, []
    for run in range(12):
        world, _ = inhabit(study(tight, end="2027-06-30"), Streams(SEED, run))
        ledgers = world.ledgers["hub"].values()
        queues = [(State.evaluation, [s for ledger in ledgers for s in ledger.sites], 8)]
        queues += [(State.fit_out, ledger.sites, ledger.region.contractors.capacity) for ledger in ledgers]
        for stage, sites, servers in queues:
            queue = [site for site in sites if not np.isnan(site.entered[stage])]
            queue.sort(key=lambda site: (site.entered[stage], site.entered[max(0, stage - 1)], site.entity))
            entered, started = (
                np.array([getattr(site, name)[stage] for site in queue]) for name in ("entered", "started")
            )
            left = np.array([np.nanmin([inf, *site.entered[stage + 1 :]]) for site in queue])
            work = np.where(np.isnan(started), 0.0, left - started)
            begun = first_come_first_served(entered, work, servers)
            going = ~np.isnan(started)
            same(begun[going], started[going], f"{stage.name}: beginnings of work, days", atol=1e-6)
            assert (begun[~going] >= world.env.now).all(), f"{stage.name}: a server is free and not used"
            waited += np.sum(started > entered + 1e-6)
            line += [(a, b) for a, b in zip((begun - entered)[going], (started - entered)[going], strict=True)]
    assert waited > 500

    def draw(ax):
        x, y = np.transpose(line)
        ax.plot([0, x.max()], [0, x.max()], color=GREY, lw=1)
        ax.plot(x, y, "o", ms=1.5, color=BLUE, alpha=0.5)
        ax.set(xlabel="days of waiting by the recursion", ylabel="days of waiting in the model")

    return draw


@check(short=True)
def programme_money(level):
    """Programme money as a queue that is served by quarterly releases.

    Theory: paid first come, first served, grant n is paid at the latest of its asking, the payment before it, and the
    first release with which the sum released reaches the sum of grants 1 to n.
    Test: Rs 25 million at noon of the first day of each quarter (and what is running on the start date, at once);
    grants of Rs 2 million asked for every 10 days, and beta-PERT grants asked for at random; every payment to 1e-6
    days. Left out are grants whose sum lies within Rs 0.01 million of a release.
    False alarm: 0.
    """
    overrides = {
        "programme.line_2026": 100, "programme.hub_share": 1, "programme.execution": 1, "programme.concentration": 1e9,
        **{f"programme.{quarter}_quarter": 0.25 for quarter in ("first", "second", "third", "fourth")},
        "programme.release_delay": 0, "rollout.rejection": 0, "rollout.refusal": 0, "rollout.evaluation": 0,
        "rollout.finance": 0, "rollout.connectivity": 10**6,
    }  # fmt: skip
    quarters = [date(2025 + (m + 9) // 12, (m + 9) % 12 + 1, 1) for m in range(3, 60, 3)]
    releases = np.array([0.0] + [(day - date(2025, 11, 14)).days + 0.5 for day in quarters])
    line = []
    for gaps, grant in (([10.0] * 150, 2), (rng(3).exponential(9, 150).tolist(), {"value": ["pert", 2, 4, 8]})):
        world, sites = drive({**overrides, "rollout.grant": grant}, gaps)
        sums = np.cumsum([world.p.rollout.grant(site.u[Draw.grant]) for site in sites])
        number = np.ceil(sums / 25 - 4e-4).astype(int) - 1
        sharp = np.abs(sums / 25 - np.round(sums / 25)) > 4e-4
        asked = np.array([site.entered[State.money] for site in sites])
        expected = np.maximum.accumulate(np.maximum(asked, releases[np.minimum(number, len(releases) - 1)]))
        paid = np.array([site.started[State.money] for site in sites])
        there = ~np.isnan(paid)
        last = expected[~there & sharp]
        assert (last > world.env.now).all() or not last.size, "not paid, though the money was there"
        same(paid[there & sharp], expected[there & sharp], "payments, days", atol=1e-6)
        assert np.sum(there) > 60
        line.append((sums[there], asked[there], paid[there]))

    def draw(ax):
        sums, asked, paid = line[1]
        ax.step(releases[: int(sums[-1] / 25) + 2], 25 * np.arange(1, int(sums[-1] / 25) + 3), where="post",
                color=GREY, lw=1, label="released")  # fmt: skip
        ax.plot(asked, sums, color=ORANGE, lw=1, label="asked for")
        ax.plot(paid, sums, "o", ms=2, color=BLUE, label="paid")
        ax.set(xlabel="days since the start date", ylabel="Rs million, cumulative", xlim=(0, paid[-1] + 30))

    return draw
