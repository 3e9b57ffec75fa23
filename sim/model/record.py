"""The record of a replication: a row a month, system and region, a row a site; and the laws that must hold."""

from collections.abc import Generator
from dataclasses import dataclass
from datetime import date
from itertools import chain
from math import isclose
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from sim.model.clock import DAYS_PER_MONTH, DAYS_PER_YEAR
from sim.model.exports import settle
from sim.model.firms import new_jobs
from sim.model.initiative import spent
from sim.model.site import STAGES, Ledger, Origin, Site, State

if TYPE_CHECKING:
    from sim.model.world import World

MONTHLY = (
    *(state.name for state in State),
    "applications",
    "approved",
    "seats",
    "jobs_supported",
    "jobs_created",
    "jobs_additional",
    "portfolio_jobs",
    "women",
    "vacancies_short",
    "grants_rs_million",
    "loans_rs_million",
    "exports_usd_per_year",
    "portfolio_exports_usd_per_year",
    "exports_usd_cumulative",
)
"""Columns recorded for every system, region and date. The states count sites; created, short, grants, loans and
exports_usd_cumulative are cumulative. The portfolio's jobs and exports are those supported less what the software
technology parks held on the start date: no plan claims those as its own.
"""


class ConservationError(AssertionError):
    """Something was lost or made up: a defect of the model, never of the configuration."""


@dataclass(frozen=True, slots=True)
class Record:
    """What one replication leaves behind, as plain data.

    Attributes
    ----------
    drawn
        Value of every parameter drawn for this run.
    dates
        Record dates, ascending, length D.
    places
        (system, region) of the P ledgers.
    monthly
        Array (P, D, len(MONTHLY)).
    balance
        Unspent programme money on each date, Rs million, length D.
    initiative
        Cost of the initiative up to each date, Rs million, length D.
    since_call
        Months since the latest call for applications on each date, length D; nan before the first.
    sites
        Column name -> array with an entry per site, in the order of their identity. Times and durations are days
        (times since the start date); nan is what did not happen.
    """

    drawn: dict[str, float]
    dates: list[date]
    places: list[tuple[str, str]]
    monthly: np.ndarray
    balance: np.ndarray
    initiative: np.ndarray
    since_call: np.ndarray
    sites: dict[str, np.ndarray]


class Recorder:
    """Records the world on given dates, at the end of the day, and checks it every time."""

    def __init__(self, world: "World", dates: list[date]) -> None:
        self.world = world
        self.dates = dates
        self.ledgers = [ledger for regions in world.ledgers.values() for ledger in regions.values()]
        self.monthly = np.empty((len(self.ledgers), len(dates), len(MONTHLY)))
        self.balance = np.empty(len(dates))
        self.initiative = np.empty(len(dates))
        self.since_call = np.empty(len(dates))

    def run(self) -> Generator[Any, Any, None]:
        """SimPy process: record on every date."""
        env, clock = self.world.env, self.world.clock
        yield env.timeout(-env.now)
        before = self._member_days()
        for i, day in enumerate(self.dates):
            yield env.timeout(clock.end_of(day) - env.now)
            self.monthly[:, i] = [self._row(ledger) for ledger in self.ledgers]
            self.balance[i] = self.world.money.level
            self.initiative[i] = spent(self.world, (self._member_days() - before) / DAYS_PER_YEAR)
            self.since_call[i] = (env.now - self.world.last_call) / DAYS_PER_MONTH
            self._check_regions()
            self._check_money()

    def _member_days(self) -> float:
        """Days that members have been in open sites up to now."""
        now = self.world.env.now
        unsettled = (s.members * (now - s.settled) for ledger in self.ledgers for s in ledger.open_sites)
        return sum(ledger.member_days for ledger in self.ledgers) + sum(unsettled)

    def _row(self, ledger: Ledger) -> list[float]:
        world, now = self.world, self.world.env.now
        member_ramp, employee_ramp = world.member_ramp, world.employee_ramp
        seats = members = employees = women = brought = 0
        rate = 0.0
        for site in ledger.open_sites:
            settle(site, now, member_ramp, employee_ramp)
            seats += site.seats
            members += site.members
            employees += site.employees
            women += site.women_members + site.women_employees
            rate += site.usd_member * site.productive_members + site.usd_employee * site.productive_employees
            if site.units:
                brought += site.employees - site.new_jobs
        people = members + employees
        rate *= DAYS_PER_YEAR
        _check_people(ledger, people, employees, women)
        return [
            *ledger.count,
            ledger.applications,
            ledger.approved,
            seats,
            people,
            ledger.joins,
            (people - brought) * world.p.hiring.additionality,
            people - ledger.before_jobs,
            women,
            ledger.short,
            ledger.grants,
            ledger.loans,
            rate,
            rate - ledger.before_exports,
            ledger.exports_usd,
        ]

    def _check_money(self) -> None:
        spent = sum(ledger.grants for ledger in self.ledgers)
        if not isclose(self.world.money_in, spent + self.world.money.level, rel_tol=1e-9, abs_tol=1e-6):
            raise ConservationError(f"money in {self.world.money_in} = spent {spent} + left {self.world.money.level}")

    def _check_regions(self) -> None:
        """Talent in = employed + left + pool, over all sites of a region."""
        employed = dict.fromkeys(self.world.regions, 0)
        units = (site.units for ledger in self.ledgers for site in ledger.open_sites)
        starts = sum(map(attrgetter("start"), chain.from_iterable(units)))
        if starts != sum(ledger.before_jobs for ledger in self.ledgers):
            raise ConservationError(f"jobs on the start date {starts} on the books of units")
        for ledger in self.ledgers:
            employed[ledger.region.name] += sum(site.employees for site in ledger.open_sites)
        for name, region in self.world.regions.items():
            if region.talent_in != employed[name] + region.talent_out + region.talent:
                raise ConservationError(
                    f"{name}: talent in {region.talent_in} = employed {employed[name]} + out {region.talent_out} + "
                    f"pool {region.talent}"
                )

    def finish(self) -> Record:
        """Check the sites one by one and hand over the record."""
        world = self.world
        sites = [site for ledger in self.ledgers for site in ledger.sites]
        sites.sort(key=lambda site: site.entity)
        for ledger in self.ledgers:
            _check_sites(ledger)
        return Record(
            world.drawn,
            self.dates,
            [(ledger.system, ledger.region.name) for ledger in self.ledgers],
            self.monthly,
            self.balance,
            self.initiative,
            self.since_call,
            _site_columns(sites, world.env.now),
        )


def _check_people(ledger: Ledger, people: int, employees: int, women: int) -> None:
    """Jobs = hires - leavers + moves; women are people; applications add up."""
    count, moved = ledger.count, ledger.moved_in - ledger.moved_out
    if not (
        people == ledger.joins - ledger.leavers + moved
        and employees == ledger.employees_hired - ledger.employees_left + moved
        and 0 <= women <= people
        and len(ledger.open_sites) == count[State.open]
        and ledger.opened == count[State.open] + count[State.closed]
        and ledger.applications + ledger.known
        == sum(count[: State.open]) + sum(count[State.rejected :]) + ledger.opened
    ):
        raise ConservationError(
            f"{ledger.system} in {ledger.region.name}: people {people} = joins {ledger.joins} - leavers "
            f"{ledger.leavers} + moved {moved}; employees {employees}; women {women}; applications "
            f"{ledger.applications} + known {ledger.known} = sites by state {count}"
        )


def _check_sites(ledger: Ledger) -> None:
    """Closed sites hold no one; exports are the sum of the sites'; every site is in the state that is counted."""
    count = [0] * len(State)
    for site in ledger.sites:
        if site.state is not None:
            count[site.state] += 1
        if (site.members or site.employees) and site.state != State.open:
            raise ConservationError(f"{site.name} is {site.state} and holds people")
        units = site.units
        if units and (site.employees, site.women_employees, site.new_jobs) != (
            sum(unit.staff for unit in units),
            sum(unit.women for unit in units),
            sum(map(new_jobs, units)),
        ):
            raise ConservationError(f"{site.name}: people {site.employees}, by firm {[unit.staff for unit in units]}")
        if any(unit.staff > unit.space or unit.women > unit.staff for unit in units):
            raise ConservationError(f"{site.name}: a firm has more people than space, or more women than people")
    if count != ledger.count:
        raise ConservationError(f"{ledger.system}: sites by state {count}, counted {ledger.count}")
    exports = sum(site.exports_usd for site in ledger.sites)
    if not isclose(exports, ledger.exports_usd, rel_tol=1e-9, abs_tol=1e-3):
        raise ConservationError(f"{ledger.system}: exports of sites {exports}, of the ledger {ledger.exports_usd}")


def _site_columns(sites: list[Site], now: float) -> dict[str, np.ndarray]:
    """Lay the sites out as columns. Time in a stage that is not over counts up to now."""
    columns = {
        "site_id": np.array([site.name for site in sites], dtype=object),
        "kind": np.array([site.ledger.system for site in sites], dtype=object),
        "region": np.array([site.region.name for site in sites], dtype=object),
        "origin": np.array([site.origin.name for site in sites], dtype=object),
        "state": np.array(["" if site.state is None else site.state.name for site in sites], dtype=object),
        "brownfield": np.array([site.brownfield for site in sites], dtype=bool),
        "large_city": np.array([site.large_city for site in sites], dtype=bool),
        "seats": np.array([site.seats for site in sites], dtype=np.int32),
        "people": np.array([site.members + site.employees for site in sites], dtype=np.int32),
        "exports_usd": np.array([site.exports_usd for site in sites]),
        "work_left_days": np.array([site.busy_until for site in sites]) - now,
        "applied": np.array([site.applied for site in sites]),
    }
    reached = np.array([site.entered for site in sites]).reshape(len(sites), len(State))
    entered = reached[:, : State.open]
    started = np.array([site.started for site in sites]).reshape(len(sites), len(State))[:, : State.open]
    # The rollout is over when the hub opens, or is rejected, refused or abandoned, whichever of them happened.
    ended = np.fmax(reached[:, State.open], np.fmax.reduce(reached[:, State.rejected :], axis=1))
    left = np.fmin(reached[:, 1 : State.open + 1], ended[:, None])  # a stage is left for the next one, or for good
    until = np.where(np.isnan(left), now, left)
    wait = np.where(np.isnan(started), until, started) - entered
    work = until - started
    # What a hub under way at the start did of its first stage before the start is not known.
    backlog = np.array([site.origin == Origin.backlog for site in sites], dtype=bool)
    unknown = backlog[:, None] & (np.cumsum(~np.isnan(entered), axis=1) == 1)
    for dates, stage in zip(("evaluated", "financed", "funded", "fitted_out"), STAGES, strict=False):
        columns[dates] = entered[:, stage + 1]
    columns["opened"] = reached[:, State.open]
    columns["ended"] = ended
    columns["closed"] = reached[:, State.closed]
    for stage in STAGES:
        columns[f"{stage.name}_wait_days"] = np.where(unknown[:, stage], np.nan, wait[:, stage])
        columns[f"{stage.name}_work_days"] = np.where(unknown[:, stage], np.nan, work[:, stage])
    return columns
