"""Rounds of hiring against a model of every single person, and what the length of a round does."""

from math import exp, log

import numpy as np
import simpy

from sim.model.clock import DAYS_PER_MONTH
from sim.model.site import State
from sim.model.streams import Streams
from sim.model.world import World
from tests.helpers import study
from tests.verification.alarms import BLUE, GREEN, GREY, ORANGE, SEED, VERMILLION, check, mean_of, rng
from tests.verification.hiring import RATES

SEATS, START, RAMP, FREELANCERS = 60, 0.1, 11 * DAYS_PER_MONTH, 0.5
CHURN, ATTRITION, TO_HIRE = 0.05, 0.0215, 40.0  # share a month, share a month, days
AGES = np.array([91, 183, 365, 731, 1096])
HUBS = 1000
RATES_A_DAY = [-log(1 - share) / DAYS_PER_MONTH for share in (CHURN, ATTRITION)]
PLAIN = RATES | {
    "hubs.seats_large_city": SEATS, "hubs.seats_small_city": SEATS, "hiring.start": START, "hiring.ramp": 11,
    "hiring.ramp_spread": 1, "hiring.freelancer_share": FREELANCERS, "hiring.member_churn": CHURN,
    "hiring.attrition": ATTRITION, "hiring.time_to_hire": TO_HIRE, "hiring.experienced_share": 1,
    "start.openings": {}, "start.open_hubs": HUBS,
}  # fmt: skip
MIXED = {"hiring.time_to_hire": {"value": ["lognormal", TO_HIRE, 0.6]}, "hiring.experienced_share": 0.72,
         "hiring.graduate_delay": 3}  # fmt: skip
"""The published spread of times to hire, and graduates who take three months longer."""


class Watch:
    """People in every hub at some ages, and the first day on which a hub is half full."""

    def __init__(self, hubs):
        self.at_age = np.zeros((len(AGES), hubs))
        self.half = np.full(hubs, np.nan)

    def run(self, env, count):
        for day in range(1, AGES[-1] + 1):
            yield env.timeout(1.0)
            people = np.asarray(count())
            self.half[np.isnan(self.half) & (people >= SEATS / 2)] = day
            if day in AGES:
                self.at_age[np.searchsorted(AGES, day)] = people


def staff(env, random, people, hub, kinds=False):
    """Open a hub of the reference: every post opens when demand reaches it; vacancies and persons are processes.

    A member takes a post as soon as it is there. A vacancy for an employee is filled after an exponential time of its
    own, whose mean is drawn once for the vacancy, as is whether it wants experience. `people` has who works in each.
    """

    def person(rate):
        people[hub] += 1
        yield env.timeout(random.exponential(1 / rate))
        people[hub] -= 1

    def vacancy():
        mean = TO_HIRE * (exp(0.6 * random.normal()) if kinds else 1.0)
        if kinds and random.random() > 0.72:
            mean += 3 * DAYS_PER_MONTH
        yield env.timeout(random.exponential(mean))

    def post(opens, employee):
        yield env.timeout(opens)
        while True:
            if employee:
                yield env.process(vacancy())
            yield env.process(person(RATES_A_DAY[employee]))

    rounding, of_freelancers = random.random(2)
    members = 0
    for number in range(1, SEATS + 1):  # wanted from the day on which demand plus rounding reaches the number
        ramped = (number - rounding) / SEATS
        opens = 0.0 if ramped <= START else -RAMP * log((1 - ramped) / (1 - START)) if ramped < 1 else 1e9
        employee = int(number * FREELANCERS + of_freelancers) == members
        members += not employee
        env.process(post(opens, int(employee)))


def persons(kinds):
    """Hubs of the reference, all opened at once."""
    random = rng(30)
    env = simpy.Environment()
    people = [0] * HUBS
    for hub in range(HUBS):
        staff(env, random, people, hub, kinds)
    watch = Watch(HUBS)
    env.process(watch.run(env, lambda: people))
    env.run(until=AGES[-1] + 0.5)
    return watch


def rounds(days, kinds=False):
    """The model: as many hubs, open on the same day, with rounds so many days apart."""
    world = World(study(PLAIN | (MIXED if kinds else {}) | {"hiring.round_days": days}, end="2029-12-31"),
                  Streams(SEED, 0))  # fmt: skip
    watch = Watch(HUBS)
    hubs = [site for ledger in world.ledgers["hub"].values() for site in ledger.sites]
    assert len(hubs) == HUBS

    def begin():
        yield world.env.timeout(-0.5 - world.env.now)
        yield from watch.run(world.env, lambda: [site.members + site.employees for site in hubs])

    world.env.run(until=world.env.process(begin()))
    assert all(site.state == State.open for site in hubs)
    return watch


def difference(a, b):
    """Difference of two means, its standard error and degrees of freedom (Welch 1947)."""
    (x, u, m), (y, v, n) = mean_of(a), mean_of(b)
    return x - y, np.hypot(u, v), (u**2 + v**2) ** 2 / (u**4 / m + v**4 / n)


def compared(model, reference):
    """A row of the table: what the rounds make of mean, spread and time to half full, against the reference."""
    mean = 100 * (model.at_age.mean(1) / reference.at_age.mean(1) - 1)
    sd = 100 * (model.at_age.std(1) / reference.at_age.std(1) - 1)
    return *mean, *sd[2:], difference(model.half, reference.half)[0]


def beside(found, reference):
    """Picture of how many more people the rounds give than the reference."""

    def draw(ax):
        for (days, watch), colour in zip(found.items(), (BLUE, ORANGE, VERMILLION, GREEN), strict=False):
            off = watch.at_age - reference.at_age
            error = 2.576 * off.std(1) / np.sqrt(HUBS)
            ax.errorbar(AGES, off.mean(1), error, fmt="o-", ms=3, lw=1, color=colour, label=f"rounds of {days} d")
        ax.axhline(0, color=GREY, lw=0.8)
        ax.set(xlabel="age of the hub, days", ylabel="people, model - reference")

    return draw


@check
def rounds_and_persons(level):
    """Rounds of hiring against a model of every person.

    Theory: with rounds a day apart the model and the reference, in which every vacancy and every stay is a process of
    its own, are the same but for half a day. Rounds of d days find members d / 2 late; employees not, since a post
    vacated between rounds may be filled at the very next: a hub of which half are freelancers is half full d / 4 days
    later.
    Test: 1,000 hubs of 60 seats each, same demand, churn, attrition and time to hire; equivalence of the mean within
    3% at 3 and 6 months and 1% after 1, 2 and 3 years, of the standard deviation within 20% after 1, 2 and 3 years,
    and of the day on which a hub is half full within 4 days. At 30-day rounds, of the mean after 1, 2 and 3 years
    within 2%, and of the day within 5 days of d / 4.
    False alarm: 5e-4.
    """
    reference, found = persons(False), {days: rounds(days) for days in (1, 7, 30, 91)}
    daily, monthly = found[1], found[30]
    for i, age in enumerate(AGES):
        target = reference.at_age[i].mean()
        off = difference(daily.at_age[i], reference.at_age[i])
        level.equal(off, 1 / 13, 0, (0.03 if age < 365 else 0.01) * target, f"mean at {age} days")
        if age >= 365:
            log_sd, error = np.log(daily.at_age[i].std() / reference.at_age[i].std()), np.sqrt(1 / HUBS)
            level.equal((log_sd, error, 2 * HUBS - 2), 1 / 13, 0, 0.2, f"log sd at {age} days")
            off = difference(monthly.at_age[i], reference.at_age[i])
            level.equal(off, 1 / 13, 0, 0.02 * target, f"mean at {age} days, 30-day rounds")
    level.equal(difference(daily.half, reference.half), 1 / 13, 0.25, 4, "day of half full")
    level.equal(difference(monthly.half, reference.half), 1 / 13, 7.5, 5, "day of half full, 30-day rounds")
    for days, watch in found.items():
        level.rows.append((f"{days}", "one time to hire", *compared(watch, reference)))

    return beside(found, reference)


@check
def vacancies_forget(level):
    """Times to hire that are drawn afresh at each round.

    Theory: the model draws the time to hire, and who wants experience, anew for every round, where the reference
    keeps them for as long as a vacancy stands. Long vacancies are then cut short, the more so the shorter the round:
    an approximation, measured here with log-normal times to hire and graduates who take three months longer.
    Test: 1,000 hubs, 30-day rounds; equivalence of the mean after 1, 2 and 3 years within 3%.
    False alarm: 2e-4.
    """
    reference, found = persons(True), {days: rounds(days, kinds=True) for days in (1, 30, 91)}
    for i in (2, 3, 4):
        off = difference(found[30].at_age[i], reference.at_age[i])
        level.equal(off, 1 / 3, 0, 0.03 * reference.at_age[i].mean(), f"mean at {AGES[i]} days")
    for days, watch in found.items():
        level.rows.append((f"{days}", "as configured", *compared(watch, reference)))

    return beside(found, reference)
