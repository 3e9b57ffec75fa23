"""Firms as tenants of parks: units of space are let, firms move in, grow, shrink, hire and leave."""

from collections.abc import Callable, Generator, Iterator
from math import exp, log, log1p, sqrt
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

from sim.model.clock import DAYS_PER_MONTH, DAYS_PER_YEAR
from sim.model.distributions import binomial_quantile
from sim.model.exports import settle
from sim.model.site import Site, State, Unit
from sim.model.streams import Purpose

if TYPE_CHECKING:
    from sim.model.world import World

DRAWS_PER_ROUND = 9
Process = Generator[Any, Any, None]
Draws = Iterator[tuple[float, ...]]
MIDPOINTS = [(k + 0.5) / 20 for k in range(20)]
_normal_quantile = NormalDist().inv_cdf


def mean_of(function: Callable[[float], float]) -> float:
    """Mean of a function of a uniform, by the midpoint rule."""
    return sum(map(function, MIDPOINTS)) / len(MIDPOINTS)


def new_jobs(unit: Unit) -> int:
    """Jobs of a unit that are neither brought along by its firm nor make up for what was there on the start date."""
    return unit.staff - max(unit.start, unit.brought)


class Firms:
    """How the units of parks are let and how their firms hire, in one replication; rates per day."""

    def __init__(self, world: "World") -> None:
        p = world.p.firms
        self.world = world
        self.env = world.env
        self.round_days: float = p.round_days
        self.start = p.start
        self.vacant_months = p.vacancy
        self.from_office: float = p.from_office
        self.room: float = p.room
        self.drift: float = (log(p.growth) - p.volatility**2 / 2) / DAYS_PER_YEAR
        self.volatility: float = p.volatility / sqrt(DAYS_PER_YEAR)
        self.exit: float = p.exit / DAYS_PER_MONTH
        self.attrition = world.hiring.attrition
        self.women = world.p.talent.women_users
        self.mean_vacancy = mean_of(p.vacancy)
        self.vacant_share = self.exit * DAYS_PER_MONTH * self.mean_vacancy  # vacant units a let one, in the long run
        self.filled = self._filled()

    def _filled(self) -> float:
        """Share of the people it wants that a firm has in the long run.

        Each post is vacated with probability 1 - s and filled with probability f at a round, so f / (1 - s (1 - f)).
        """
        fill = 1.0 - mean_of(lambda u: self.world.hiring.unfilled(self.round_days, u))
        stay = exp(-self.attrition * self.round_days)
        return fill / (1.0 - stay * (1.0 - fill)) if stay < 1.0 else 1.0

    def _productive(self, since: float | None = None) -> float:
        """How productive settled staff is on average, so many days after a round, or (None) at any time.

        Tenures are geometric: k rounds of d days have probability (1 - s) s^(k - 1), after which, t days on,
        1 - exp(-(t + (k - 1) d) / R) is productive. They end when people leave, or when a new firm takes the place
        of theirs.
        """
        days, ramp = self.round_days, self.world.employee_ramp
        leave = self.attrition + self.exit * (1.0 - self.from_office)
        stay, lag = exp(-leave * days), exp(-days / ramp)
        ahead = (1.0 - lag) * ramp / days if since is None else exp(-since / ramp)
        return 1.0 - (1.0 - stay) / (1.0 - stay * lag) * ahead if stay < 1.0 else 1.0

    def open(self, site: Site, sizes: list[int], exports_per_job: float) -> None:
        """Open a park with units meant for these numbers of people, all vacant."""
        now = self.env.now
        self.world.admit(len(sizes), self.round_days)
        site.enter(State.open, now)
        site.opened = site.settled = now
        site.seats = sum(sizes)
        site.units = [Unit(site, number, size, int(size * self.room)) for number, size in enumerate(sizes)]
        site.ledger.opened += 1
        site.ledger.open_sites[site] = None
        # What is published per job is an average over the staff, newcomers included.
        site.usd_employee = exports_per_job / self._productive() / DAYS_PER_YEAR

    def settle_in(self, unit: Unit, staff: int) -> None:
        """Put a firm into a unit that has been there for long, somewhere between two of its rounds."""
        rounds = self._draws(unit)
        u_phase, u_women, *_ = next(rounds)
        ahead = u_phase * self.round_days
        women = binomial_quantile(u_women, staff, self.women)
        self._arrive(unit, staff, women, self._productive(self.round_days - ahead))
        self._book(unit, staff, staff)
        unit.wanted = staff / self.filled
        unit.last_round = self.env.now - (self.round_days - ahead)
        self.env.process(self.tenancies(unit, rounds, ahead))

    def offer(self, unit: Unit, share_let: float, mean_days: float) -> None:
        """Offer a vacant unit: it is wanted at all with probability `share_let`, after an exponential time."""
        rounds = self._draws(unit)
        u_wanted, u_days, *_ = next(rounds)
        if u_wanted < share_let:
            self.env.process(self._let(unit, rounds, -log1p(-u_days) * mean_days))

    def _draws(self, unit: Unit) -> Draws:
        return self.world.streams.groups(Purpose.FIRM, unit.site.entity, DRAWS_PER_ROUND, part=unit.number)

    def _let(self, unit: Unit, rounds: Draws, days: float) -> Process:
        """Leave a unit vacant for so long; then let it, and ever again."""
        yield self.env.timeout(days)
        yield from self.tenancies(unit, rounds, self._move_in(unit, next(rounds)))

    def tenancies(self, unit: Unit, rounds: Draws, days: float) -> Process:
        """Run a unit: hiring rounds, the first after so many days, until the firm is gone; a vacancy; the next firm."""
        env = self.env
        while True:
            yield env.timeout(days)
            us = next(rounds)
            if unit.let:
                self.round(unit, us)
            if unit.let:
                days = self.round_days
            else:
                yield env.timeout(self.vacant_months(us[8]) * DAYS_PER_MONTH)
                days = self._move_in(unit, next(rounds))

    def round(self, unit: Unit, us: tuple[float, ...]) -> None:
        """Hold one hiring round of a firm: it may leave; else it grows or shrinks, loses people and hires.

        The number of people wanted is a geometric Brownian motion (Gibrat 1931) that ends at the walls of the unit.
        """
        u_exit, u_growth, u_women, u_men, u_return, u_time, u_fill, u_hire, _ = us
        site, hiring, now = unit.site, self.world.hiring, self.env.now
        settle(site, now, hiring.member_ramp, hiring.employee_ramp)
        days = now - unit.last_round
        unit.last_round = now
        staff, women = unit.staff, unit.women
        leaves = u_exit < 1.0 - exp(-self.exit * days)
        if staff:
            leave = 1.0 if leaves else 1.0 - exp(-self.attrition * days)
            women_leave = binomial_quantile(u_women, women, leave)
            leavers = women_leave + binomial_quantile(u_men, staff - women, leave)
            if leavers:
                site.productive_employees *= 1.0 - leavers / site.employees
                self._change(unit, staff - leavers, women - women_leave)
                hiring.employees_leave(site, leavers, u_return)
        if leaves:
            self._change(unit, 0, 0)
            self._book(unit, unit.start, 0)
            unit.let = False
            return
        step = self.drift * days + self.volatility * sqrt(days) * _normal_quantile(u_growth)
        unit.wanted = min(float(unit.space), unit.wanted * exp(step))
        vacancies = int(unit.wanted * self.world.demand * site.ledger.region.demand + 0.5) - unit.staff
        if vacancies > 0:
            hired = hiring.hire(site, vacancies, days, u_time, u_fill)
            if hired:
                hired_women = binomial_quantile(u_hire, hired, site.women_hires_share)
                self._change(unit, unit.staff + hired, unit.women + hired_women)

    def _move_in(self, unit: Unit, us: tuple[float, ...]) -> float:
        """Let a firm into a unit: one from a software technology park, one from other offices, or a new one.

        Return how many days it is until its first round.

        Who moves brings his people along: they are no new jobs. A new firm has looked for people for as long as
        lies between two rounds.
        """
        u_phase, _, u_origin, u_start, u_firm, u_women, u_time, u_fill, _ = us
        site, hiring = unit.site, self.world.hiring
        settle(site, self.env.now, hiring.member_ramp, hiring.employee_ramp)
        unit.let = True
        unit.wanted = min(float(unit.space), unit.size * self.start(u_start))
        staff = int(unit.wanted + 0.5)
        moving = self._tenant(site, u_firm, unit.space) if u_origin < site.from_stp else None
        if moving is not None:
            self._relocate(moving, unit)
        elif u_origin < site.from_stp + self.from_office:
            self._arrive(unit, staff, binomial_quantile(u_women, staff, self.women), self._productive())
        elif hired := hiring.hire(site, staff, self.round_days, u_time, u_fill):
            self._change(unit, hired, binomial_quantile(u_women, hired, site.women_hires_share))
        unit.last_round = self.env.now
        return u_phase * self.round_days

    def _tenant(self, site: Site, u: float, space: int) -> Unit | None:
        """A firm of the region's software technology parks that would fit, picked with equal chances."""
        fit = [unit for unit in site.region.tenancies if 0 < unit.staff <= space]
        return fit[int(u * len(fit))] if fit else None

    def _relocate(self, old: Unit, new: Unit) -> None:
        """Move a firm with all its people, and its jobs on the books, from one unit to another of its region."""
        source, target, staff, women = old.site, new.site, old.staff, old.women
        hiring = self.world.hiring
        settle(source, self.env.now, hiring.member_ramp, hiring.employee_ramp)
        productive = source.productive_employees * staff / source.employees
        source.productive_employees -= productive
        target.productive_employees += productive
        source.ledger.moved_out += staff
        target.ledger.moved_in += staff
        new.wanted = max(new.wanted, float(staff))
        start, brought = old.start + new.start, old.brought
        old.let = False
        self._change(old, 0, 0)
        self._book(old, 0, 0)
        self._change(new, staff, women)
        self._book(new, start, brought)

    def _arrive(self, unit: Unit, staff: int, women: int, productive: float) -> None:
        """Book people who come with their firm from outside the sites, so productive on average."""
        ledger = unit.site.ledger
        ledger.moved_in += staff
        ledger.region.talent_in += staff
        unit.site.productive_employees += productive * staff
        unit.let = True
        self._change(unit, staff, women)
        self._book(unit, unit.start, staff)

    def _change(self, unit: Unit, staff: int, women: int) -> None:
        """Set a firm's staff, and keep the sums of its park."""
        site, more = unit.site, staff - unit.staff
        site.employees += more
        site.new_jobs += more
        site.women_employees += women - unit.women
        unit.staff, unit.women = staff, women

    def _book(self, unit: Unit, start: int, brought: int) -> None:
        """Set which of a unit's jobs are not new (see `new_jobs`), and keep the sum of its park."""
        unit.site.new_jobs += max(unit.start, unit.brought) - max(start, brought)
        unit.start, unit.brought = start, brought
