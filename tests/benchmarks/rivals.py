"""One part of the model, written five ways: ours, and what somebody else would have written.

In it: 250 applications on the first day; evaluation in 80 places of a committee, first come first served; rejection;
finance, fit-out and connectivity, log-normal and without waiting; hubs of 60 seats with a ramp of demand, a hiring
round every 30 days from a random phase on, half members, half employees, both leaving at constant rates, vacancies
filled after an exponential time. Not in it: money, contractors, talent that runs out, calls, closures, shocks, firms,
uncertain parameters.

Ours also does what the others leave out: a monthly record by region, women, exports, conservation laws, a date for
every stage of every hub, and random numbers that stay with their hub.
"""

from functools import cache
from heapq import heappop, heappush
from math import exp

import numpy as np
import simpy

from sim.model.clock import DAYS_PER_MONTH, record_dates
from sim.model.record import Recorder
from sim.model.streams import Streams
from sim.model.world import World
from tests.helpers import NO_LIMITS, SURE, study
from tests.verification.people import (
    FREELANCERS,
    PLAIN,
    RAMP,
    RATES_A_DAY,
    SEATS,
    START,
    TO_HIRE,
    staff,
)

APPLICATIONS, PLACES, REJECTION, ROUND_DAYS = 250, 80, 0.3, 30.0
EVALUATION, AFTER = (3.0, 0.5), ((3.0, 0.6), (4.0, 0.4), (1.0, 0.7))  # median months, sigma
FIRST, END = "2025-11-14", "2028-12-31"
BEGIN, DAYS = 0.5, 1144.0  # noon of the first day, end of the last
MEMBER_RATE, EMPLOYEE_RATE = RATES_A_DAY


@cache
def part(applications=APPLICATIONS, places=PLACES):
    """The part of our model, as a configuration."""
    stages = zip(("evaluation", "finance", "fit_out", "connectivity"), (EVALUATION, *AFTER), strict=True)
    return study(
        SURE | NO_LIMITS | PLAIN
        | {f"rollout.{stage}": {"value": ["lognormal", *numbers]} for stage, numbers in stages}
        | {"rollout.committee": places, "rollout.rejection": REJECTION, "hiring.round_days": ROUND_DAYS,
           "start.calls": [FIRST], "start.open_hubs": 0, "calls.applications": applications, "calls.interval": 1000},
        end=END,
    )  # fmt: skip


def ours(number, config=None):
    """Our model. Like every way it returns hubs open, people in them, and events or None."""
    config = config or part()
    world = World(config, Streams(config.seed, number))
    recorder = Recorder(world, record_dates(config.start.date, config.end, set(config.judged)))
    world.env.run(until=world.env.process(recorder.run()))
    recorder.finish()
    hubs = [site for ledger in world.ledgers["hub"].values() for site in ledger.open_sites]
    return len(hubs), sum(site.members + site.employees for site in hubs), next(world.env._eid)


class Hub:
    """Who works in a hub, and a round of hiring, for those who write it with NumPy's generator."""

    def __init__(self, random, now):
        self.random, self.opened, self.last = random, now, now
        self.members = self.employees = 0
        self.rounding, self.rounding_freelancers = random.random(2)

    def round(self, now):
        days, self.last = now - self.last, now
        wanted = int(SEATS * (1 - (1 - START) * exp((self.opened - now) / RAMP)) + self.rounding)
        members = int(wanted * FREELANCERS + self.rounding_freelancers)
        self.employees -= self.random.binomial(self.employees, 1 - exp(-EMPLOYEE_RATE * days))
        self.members = members
        vacancies = wanted - members - self.employees
        if vacancies > 0:
            self.employees += self.random.binomial(vacancies, 1 - exp(-days / TO_HIRE))


def months(random, median, sigma):
    """A log-normal duration, in days."""
    return median * exp(sigma * random.normal()) * DAYS_PER_MONTH


def by_hand(number, persons=False):
    """SimPy as in its tutorial: a process a hub; or, with a process for every person as well."""
    random, env, hubs, people = np.random.default_rng(number), simpy.Environment(BEGIN), [], [0] * APPLICATIONS
    committee = simpy.Resource(env, PLACES)

    def hub(name):
        with committee.request() as place:
            yield place
            yield env.timeout(months(random, *EVALUATION))
        if random.random() < REJECTION:
            return
        for stage in AFTER:
            yield env.timeout(months(random, *stage))
        here = Hub(random, env.now)
        hubs.append(here)
        if persons:
            staff(env, random, people, name)
            return
        yield env.timeout(random.random() * ROUND_DAYS)
        while True:
            here.round(env.now)
            yield env.timeout(ROUND_DAYS)

    for name in range(APPLICATIONS):
        env.process(hub(name))
    env.run(until=DAYS)
    return len(hubs), sum(people) or sum(one.members + one.employees for one in hubs), next(env._eid)


def every_person(number):
    """SimPy with a process for every post, vacancy and person (the reference of the verification suite)."""
    return by_hand(number, persons=True)


def salabim(number):
    """The same hubs as components of salabim, without its monitors."""
    import salabim as sal

    sal.yieldless(False)
    random, hubs = np.random.default_rng(number), []
    env = sal.Environment(trace=False, random_seed=None)
    committee = sal.Resource("committee", PLACES, monitor=False, env=env)

    class Place(sal.Component):
        def process(self):
            yield self.request(committee)
            yield self.hold(months(random, *EVALUATION))
            self.release()
            if random.random() < REJECTION:
                return
            for stage in AFTER:
                yield self.hold(months(random, *stage))
            here = Hub(random, env.now())
            hubs.append(here)
            yield self.hold(random.random() * ROUND_DAYS)
            while True:
                here.round(env.now())
                yield self.hold(ROUND_DAYS)

    for _ in range(APPLICATIONS):
        Place(env=env)
    env.run(till=DAYS - BEGIN)
    return len(hubs), sum(one.members + one.employees for one in hubs), None


@cache
def _compiled():
    """The event loop of the same hubs, compiled by numba: a heap of (time, hub), no processes. The limit."""
    import numba

    stages = np.array([EVALUATION, *AFTER])

    @numba.njit
    def run(seed):
        np.random.seed(seed)
        n = APPLICATIONS
        stage, waiting, opened_hubs, events = np.zeros(n, np.int64), PLACES, 0, 0
        opened, last, rounding, of_freelancers = np.zeros(n), np.zeros(n), np.zeros(n), np.zeros(n)
        members, employees = np.zeros(n, np.int64), np.zeros(n, np.int64)
        queue = [(BEGIN + stages[0, 0] * np.exp(stages[0, 1] * np.random.normal()) * DAYS_PER_MONTH, i)
                 for i in range(min(n, PLACES))]  # fmt: skip
        queue.sort()
        while queue[0][0] < DAYS:
            now, i = heappop(queue)
            events += 1
            if stage[i] == 0 and waiting < n:  # a place is free
                months = stages[0, 0] * np.exp(stages[0, 1] * np.random.normal())
                heappush(queue, (now + months * DAYS_PER_MONTH, waiting))
                waiting += 1
            if stage[i] == 0 and np.random.random() < REJECTION:
                continue
            stage[i] += 1
            if stage[i] < 4:
                months = stages[stage[i], 0] * np.exp(stages[stage[i], 1] * np.random.normal())
                heappush(queue, (now + months * DAYS_PER_MONTH, i))
            elif stage[i] == 4:
                opened_hubs += 1
                opened[i] = last[i] = now
                rounding[i], of_freelancers[i] = np.random.random(), np.random.random()
                heappush(queue, (now + np.random.random() * ROUND_DAYS, i))
            else:
                days, last[i] = now - last[i], now
                wanted = int(SEATS * (1 - (1 - START) * np.exp((opened[i] - now) / RAMP)) + rounding[i])
                members[i] = int(wanted * FREELANCERS + of_freelancers[i])
                if employees[i]:
                    employees[i] -= np.random.binomial(employees[i], 1 - np.exp(-EMPLOYEE_RATE * days))
                vacancies = wanted - members[i] - employees[i]
                if vacancies > 0:
                    employees[i] += np.random.binomial(vacancies, 1 - np.exp(-days / TO_HIRE))
                heappush(queue, (now + ROUND_DAYS, i))
        return opened_hubs, members.sum() + employees.sum(), events

    return run


def compiled(number):
    """The same hubs as one compiled event loop."""
    return _compiled()(number)


WAYS = {
    "this model": (ours, None),
    "SimPy by hand, a process a hub": (by_hand, None),
    "SimPy by hand, a process a person": (every_person, None),
    "salabim, a component a hub": (salabim, "salabim"),
    "numba, a compiled event loop": (compiled, "numba"),
}
"""How it is called -> the function, and the package it needs beyond ours."""

FALSE_ALARM, ROUNDS_ARE_LATE = 1e-4, 0.02
"""Level of each comparison; and the share of people by which rounds of 30 days may differ from single persons, who
come and go on any day (tests/verification/people.py)."""


def differences(results):
    """Compare each way with ours: {name: (hubs open %, people %)}; AssertionError if one is another model.

    Means by Welch's t test, for persons the part beyond ROUNDS_ARE_LATE only; spreads by Levene's test about the median
    (Brown and Forsythe 1974); distributions by Kolmogorov and Smirnov's, of people only where rounds are the same.
    `results` has an array (n, 2) for each way.
    """
    from scipy import stats

    base, found = results["this model"], {}
    for name, other in results.items():
        off = other.mean(0) - base.mean(0)
        free = np.array([0.0, ROUNDS_ARE_LATE if "person" in name else 0.0]) * base.mean(0)
        parts = [one.var(0, ddof=1) / len(one) for one in (other, base)]
        error = np.sqrt(sum(parts))
        dof = error**4 / sum(part**2 / (len(one) - 1) for part, one in zip(parts, (other, base), strict=True))
        p = 2 * stats.t.sf(np.maximum(0.0, np.abs(off) - free) / error, dof)
        spread = np.array([stats.levene(a, b).pvalue for a, b in zip(other.T, base.T, strict=True)])
        assert (p > FALSE_ALARM).all(), f"{name} is another model: off by {off}, p = {p}"
        assert (spread > FALSE_ALARM).all(), f"{name} is another model: spread {other.std(0)}, p = {spread}"
        same = zip(other.T, base.T, (True, "person" not in name), strict=True)
        shape = np.array([stats.ks_2samp(a, b).pvalue for a, b, judged in same if judged])
        assert (shape > FALSE_ALARM).all(), f"{name} is another model: distributions differ, p = {shape}"
        found[name] = tuple(100 * off / base.mean(0))
    return found
