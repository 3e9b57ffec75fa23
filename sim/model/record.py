"""The record of a replication: a row a month and region, a row a site; and the laws that must hold."""

from collections.abc import Generator
from dataclasses import dataclass
from datetime import date
from math import isclose
from typing import TYPE_CHECKING, Any

import numpy as np

from sim.model.clock import DAYS_PER_YEAR
from sim.model.exports import settle
from sim.model.site import STAGES, Origin, Region, Site, State

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
    "women",
    "vacancies_short",
    "grants_rs_million",
    "loans_rs_million",
    "exports_usd_per_year",
    "exports_usd_cumulative",
)
"""Columns recorded for every region and date. The states count sites; created, short, grants, loans are cumulative."""


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
    regions
        Names of the R regions.
    monthly
        Array (R, D, len(MONTHLY)).
    balance
        Unspent programme money on each date, Rs million, length D.
    sites
        Column name -> array with an entry per site, in the order of their identity. Times and durations are days
        (times since the start date); nan is what did not happen.
    """

    drawn: dict[str, float]
    dates: list[date]
    regions: list[str]
    monthly: np.ndarray
    balance: np.ndarray
    sites: dict[str, np.ndarray]


class Recorder:
    """Records the world on given dates, at the end of the day, and checks it every time."""

    def __init__(self, world: "World", dates: list[date]) -> None:
        self.world = world
        self.dates = dates
        self.monthly = np.empty((len(world.regions), len(dates), len(MONTHLY)))
        self.balance = np.empty(len(dates))

    def run(self) -> Generator[Any, Any, None]:
        """SimPy process: record on every date."""
        env, clock = self.world.env, self.world.clock
        for i, day in enumerate(self.dates):
            yield env.timeout(clock.end_of(day) - env.now)
            self.monthly[:, i] = [self._row(region) for region in self.world.regions.values()]
            self.balance[i] = self.world.money.level
            self._check_money()

    def _row(self, region: Region) -> list[float]:
        world, now = self.world, self.world.env.now
        member_ramp, employee_ramp = world.member_ramp, world.employee_ramp
        seats = members = employees = women = 0
        rate = 0.0
        for site in region.open_sites:
            settle(site, now, member_ramp, employee_ramp)
            seats += site.seats
            members += site.members
            employees += site.employees
            women += site.women_members + site.women_employees
            rate += site.usd_member * site.productive_members + site.usd_employee * site.productive_employees
        people = members + employees
        _check_people(region, people, employees, women)
        return [
            *region.count,
            region.applications,
            region.approved,
            seats,
            people,
            region.joins,
            people * world.p.hiring.additionality,
            women,
            region.short,
            region.grants,
            region.loans,
            rate * DAYS_PER_YEAR,
            region.exports_usd,
        ]

    def _check_money(self) -> None:
        spent = sum(region.grants for region in self.world.regions.values())
        if not isclose(self.world.money_in, spent + self.world.money.level, rel_tol=1e-9, abs_tol=1e-6):
            raise ConservationError(f"money in {self.world.money_in} = spent {spent} + left {self.world.money.level}")

    def finish(self) -> Record:
        """Check the sites one by one and hand over the record."""
        world = self.world
        sites = [site for region in world.regions.values() for site in region.sites]
        sites.sort(key=lambda site: site.entity)
        for region in world.regions.values():
            _check_sites(region)
        return Record(
            world.drawn,
            self.dates,
            list(world.regions),
            self.monthly,
            self.balance,
            _site_columns(sites, world.env.now),
        )


def _check_people(region: Region, people: int, employees: int, women: int) -> None:
    """Jobs = hires - leavers; talent in = employed + left + pool; women are people; applications add up."""
    count, pool = region.count, region.talent.level
    if not (
        people == region.joins - region.leavers
        and employees == region.employees_hired - region.employees_left
        and region.talent_in == employees + region.talent_out + pool
        and 0 <= women <= people
        and len(region.open_sites) == count[State.open]
        and region.opened == count[State.open] + count[State.closed]
        and region.applications + region.known
        == sum(count[: State.open]) + sum(count[State.rejected :]) + region.opened
    ):
        raise ConservationError(
            f"{region.name}: people {people} = joins {region.joins} - leavers {region.leavers}; "
            f"talent in {region.talent_in} = employed {employees} + out {region.talent_out} + pool {pool}; "
            f"women {women}; applications {region.applications} + known {region.known} = sites by state {count}"
        )


def _check_sites(region: Region) -> None:
    """Closed sites hold no one; exports are the sum of the sites'; every site is in the state that is counted."""
    count = [0] * len(State)
    for site in region.sites:
        if site.state is not None:
            count[site.state] += 1
        if (site.members or site.employees) and site.state != State.open:
            raise ConservationError(f"{site.name} is {site.state} and holds people")
    if count != region.count:
        raise ConservationError(f"{region.name}: sites by state {count}, counted {region.count}")
    exports = sum(site.exports_usd for site in region.sites)
    if not isclose(exports, region.exports_usd, rel_tol=1e-9, abs_tol=1e-3):
        raise ConservationError(f"{region.name}: exports of sites {exports}, of the region {region.exports_usd}")


def _site_columns(sites: list[Site], now: float) -> dict[str, np.ndarray]:
    """Lay the sites out as columns. Time in a stage that is not over counts up to now."""
    columns = {
        "site_id": np.array([site.name for site in sites], dtype=object),
        "kind": np.array([site.kind for site in sites], dtype=object),
        "region": np.array([site.region.name for site in sites], dtype=object),
        "origin": np.array([site.origin.name for site in sites], dtype=object),
        "state": np.array(["" if site.state is None else site.state.name for site in sites], dtype=object),
        "brownfield": np.array([site.brownfield for site in sites], dtype=bool),
        "large_city": np.array([site.large_city for site in sites], dtype=bool),
        "seats": np.array([site.seats for site in sites], dtype=np.int32),
        "people": np.array([site.members + site.employees for site in sites], dtype=np.int32),
        "exports_usd": np.array([site.exports_usd for site in sites]),
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
