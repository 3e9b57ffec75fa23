"""Places: a site from application to closure, the region it stands in, and the books of each system in a region."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from math import inf, nan

import simpy


class State(IntEnum):
    """States of a site. Those before `open` are the stages of the rollout, in their order.

    Of these a software technology park has its conversion (`fit_out`) and an IT park its tender (`evaluation`) and
    its construction (`fit_out`).
    """

    evaluation = 0
    finance = 1
    money = 2
    fit_out = 3
    connectivity = 4
    open = 5
    closed = 6
    rejected = 7
    refused = 8
    abandoned = 9


STAGES = tuple(State)[: State.open]
STATES = len(State)


class Origin(IntEnum):
    """Where a site comes from: part of its identity, so of its random streams. Append, never renumber."""

    initial = 1
    backlog = 2
    call = 3
    stp_initial = 4
    stp = 5
    women_park = 6
    park = 7


class Draw(IntEnum):
    """Position of each decision among a site's uniforms. Append, never renumber."""

    region = 0
    large_city = 1
    brownfield = 2
    seats = 3
    evaluation = 4
    rejection = 5
    finance = 6
    refusal = 7
    self_finance = 8
    grant = 9
    loan = 10
    fit_out = 11
    abandonment = 12
    abandoned_at = 13
    connectivity = 14
    closure = 15
    occupancy = 16
    ramp = 17
    start = 18
    phase = 19
    rounding = 20
    rounding_freelancers = 21
    earnings_member = 22
    earnings_employee = 23
    remaining = 24


DRAWS = len(Draw)
NO_ROUNDS: Iterator[tuple[float, ...]] = iter(())


@dataclass(slots=True, eq=False)
class Region:
    """A region with what its sites share: contractors, talent, shocks to demand."""

    name: str
    remote: bool
    large_city_share: float
    contractors: simpy.Resource
    talent: int  # people there who look for a job; who hires takes as many as there are, nobody queues
    demand: float = 1.0  # share of demand left by shocks that hit only this region
    talent_in: int = 0  # people who ever came onto the regional market, or into a site from a job elsewhere
    talent_out: int = 0  # people who left it for good
    tenancies: list["Unit"] = field(default_factory=list)  # units of software technology parks, in order of identity


@dataclass(slots=True, eq=False)
class Ledger:
    """The sites of one system in one region, with their running totals."""

    system: str
    region: Region
    sites: list["Site"] = field(default_factory=list)  # every site, in order of arrival
    open_sites: dict["Site", None] = field(default_factory=dict)  # an ordered set
    count: list[int] = field(default_factory=lambda: [0] * STATES)
    known: int = 0  # sites known to be open at the start; the others applied, or were begun
    applications: int = 0
    approved: int = 0
    opened: int = 0
    joins: int = 0  # members and employees ever placed: jobs created
    leavers: int = 0
    employees_hired: int = 0
    employees_left: int = 0
    moved_in: int = 0  # people who came with their firm, or were there at the start
    moved_out: int = 0  # people who went with their firm to another site
    short: int = 0  # vacancies not filled in a round for lack of talent
    before_jobs: int = 0  # jobs on the start date that no plan claims as its own
    before_exports: float = 0.0  # their exports, USD a year
    grants: float = 0.0  # Rs million
    loans: float = 0.0  # Rs million
    exports_usd: float = 0.0  # cumulative
    member_days: float = 0.0  # cumulative


@dataclass(slots=True, eq=False)
class Unit:
    """A unit of space in a park, let to one firm after another."""

    site: "Site"
    number: int
    size: int  # people it is meant for
    space: int  # people it has room for
    let: bool = False
    wanted: float = 0.0  # people its firm wants
    staff: int = 0
    women: int = 0
    start: int = 0  # jobs there on the start date; they stay on the books of the unit, or go with the firm
    brought: int = 0  # jobs its firm had before
    last_round: float = nan


@dataclass(slots=True, eq=False)
class Site:
    """One site and who works there. Times are in days, nan for what has not happened."""

    origin: Origin
    batch: int
    number: int
    u: list[float]
    ledger: Ledger
    name: str
    large_city: bool = False
    brownfield: bool = False
    state: State | None = None
    remaining: float = 1.0  # share of the first stage still to do, for a site that was under way at the start
    left: float = nan  # or the days that are left of it, where that is known
    place: simpy.resources.resource.Request | None = None  # in the committee, or in line for it, since before the start
    busy_until: float = nan  # when the work of its stage is done; nan while it waits
    applied: float = nan
    entered: list[float] = field(default_factory=lambda: [nan] * STATES)  # when, by state
    started: list[float] = field(default_factory=lambda: [nan] * STATES)  # when the work of each stage began
    opened: float = nan
    closes: float = inf
    seats: int = 0
    # what parks have
    units: list[Unit] = field(default_factory=list)
    from_stp: float = 0.0  # share of its firms that come from a software technology park of the region
    new_jobs: int = 0  # jobs less those there on the start date or brought along, by unit; negative if jobs were lost
    # what open sites have
    full_demand: float = 0.0  # people wanted when the ramp is over
    startup_jobs: int = 0  # people wanted by supported start-ups beyond it
    start: float = 1.0
    ramp_days: float = 1.0
    rounding: float = 0.0  # what fractions of people wanted are rounded by
    rounding_freelancers: float = 0.0
    rounds: Iterator[tuple[float, ...]] = NO_ROUNDS  # uniforms, a group a hiring round
    last_round: float = nan
    members: int = 0
    employees: int = 0
    women_members: int = 0
    women_employees: int = 0
    productive_members: float = 0.0
    productive_employees: float = 0.0
    women_members_share: float = 0.0  # women among those who join
    women_hires_share: float = 0.0
    settled: float = nan  # time up to which exports are booked
    usd_member: float = 0.0  # exports of a fully productive member, USD a day
    usd_employee: float = 0.0
    exports_usd: float = 0.0

    @property
    def waits(self) -> bool:
        """Whether the work of its stage has not begun."""
        return self.busy_until != self.busy_until

    @property
    def region(self) -> Region:
        """Where it stands."""
        return self.ledger.region

    @property
    def entity(self) -> int:
        """Address of the site's random streams."""
        return site_entity(self.origin, self.batch, self.number)

    def enter(self, state: State, now: float) -> None:
        """Change state, keeping the region's counts."""
        count = self.ledger.count
        if self.state is not None:
            count[self.state] -= 1
        count[state] += 1
        self.state = state
        self.entered[state] = now


def site_entity(origin: Origin, batch: int, number: int) -> int:
    """Pack a site's identity into one integer below 2**64 without collisions."""
    return (origin << 48) | (batch << 24) | number
