"""Firms as tenants of parks: units of space are let, firms move in, grow, shrink, hire and leave."""

from collections.abc import Callable, Generator
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
MIDPOINTS = [(k + 0.5) / 20 for k in range(20)]
_normal_quantile = NormalDist().inv_cdf


def mean_of(function: Callable[[float], float]) -> float:
    """Mean of a function of a uniform, by the midpoint rule."""
    return sum(map(function, MIDPOINTS)) / len(MIDPOINTS)


class Firms:
    """How the units of parks are let and how their firms hire, in one replication; rates per day."""

    def __init__(self, world: "World") -> None:
        p = world.p.firms
        self.world = world
        self.env = world.env
        self.round_days: float = p.round_days
        self.start = p.start
        self.vacancy = p.vacancy
        self.from_office: float = p.from_office
        self.room: float = p.room
        self.drift: float = (log(p.growth) - p.volatility**2 / 2) / DAYS_PER_YEAR
        self.volatility: float = p.volatility / sqrt(DAYS_PER_YEAR)
        self.exit: float = p.exit / DAYS_PER_MONTH
        self.attrition = world.hiring.attrition
        self.women = world.p.talent.women_users
        # Staff in place is productive by this share on average: newcomers learn while others leave.
        self.productive = 1.0 / (1.0 + self.attrition * world.employee_ramp)
        self.mean_vacancy = mean_of(p.vacancy)
        self.vacant_share = self.exit * DAYS_PER_MONTH * self.mean_vacancy  # vacant units a let one, in the long run
        self.filled = self._filled()

    def _filled(self) -> float:
        """Share of the people it wants that a firm has on average, in the long run: the others have just left.

        Each post is vacated with probability 1 - s between rounds and filled with probability f at a round, so that
        f / (1 - s (1 - f)) of them are filled after a round; the average over the time to the next is lower.
        """
        days, hiring = self.round_days, self.world.hiring
        if self.attrition == 0:
            return 1.0
        f = 1.0 - mean_of(lambda u: hiring.unfilled(days, u))
        stay = exp(-self.attrition * days)
        return f / (1.0 - stay * (1.0 - f)) * (1.0 - stay) / (self.attrition * days)

    def open(self, site: Site, sizes: list[int], exports_per_job: float) -> None:
        """Open a park with units meant for these numbers of people, all vacant."""
        now = self.env.now
        site.enter(State.open, now)
        site.opened = site.settled = now
        site.seats = sum(sizes)
        site.units = [Unit(site, number, size, int(size * self.room)) for number, size in enumerate(sizes)]
        site.ledger.opened += 1
        site.ledger.open_sites[site] = None
        # What is published per job is an average over the staff, newcomers included.
        site.usd_employee = exports_per_job / self.productive / DAYS_PER_YEAR

    def occupy(self, unit: Unit, staff: int, share_let: float, ramp_days: float) -> None:
        """Begin the life of a unit: with a firm of known staff in it, who has been there for long, or to be let.

        A vacant unit is wanted at all with probability `share_let`, and then let after an exponential time of mean
        `ramp_days`.
        """
        streams, site = self.world.streams, unit.site
        rounds = streams.groups(Purpose.FIRM, site.entity, DRAWS_PER_ROUND, part=unit.number)
        u_wanted, u_let, u_women, *_ = next(rounds)
        if staff:
            self._arrive(unit, staff, binomial_quantile(u_women, staff, self.women), self.productive * staff, staff)
            unit.wanted = staff / self.filled
            self.env.process(self.lease(unit, rounds, 0.0))
        elif u_wanted < share_let:
            self.env.process(self.lease(unit, rounds, -log1p(-u_let) * ramp_days))

    def lease(self, unit: Unit, rounds: Any, vacant: float) -> Generator[Any, Any, None]:
        """Run a unit for ever: a firm in it holds hiring rounds until it leaves; then the unit is let again."""
        env, round_days = self.env, self.round_days
        while True:
            us = next(rounds)
            if not unit.let:
                yield env.timeout(vacant)
                self._move_in(unit, us)
            unit.last_round = env.now
            yield env.timeout(us[0] * round_days)  # a random phase
            while unit.let:
                us = next(rounds)
                self.round(unit, us)
                if unit.let:
                    yield env.timeout(round_days)
            vacant = self.vacancy(us[8]) * DAYS_PER_MONTH

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
            self._release(unit)
            return
        step = self.drift * days + self.volatility * sqrt(days) * _normal_quantile(u_growth)
        unit.wanted = min(float(unit.space), unit.wanted * exp(step))
        vacancies = int(unit.wanted * self.world.demand * site.ledger.region.demand + 0.5) - unit.staff
        if vacancies > 0:
            hired = hiring.hire(site, vacancies, days, u_time, u_fill)
            if hired:
                hired_women = binomial_quantile(u_hire, hired, site.women_hires_share)
                self._change(unit, unit.staff + hired, unit.women + hired_women)

    def _move_in(self, unit: Unit, us: tuple[float, ...]) -> None:
        """Let a firm into a unit: one from a software technology park, one from other offices, or a new one.

        Who moves brings his people along: they are no new jobs. A new firm starts without any.
        """
        _, _, u_origin, u_start, u_firm, u_women, *_ = us
        site, world = unit.site, self.world
        settle(site, self.env.now, world.hiring.member_ramp, world.hiring.employee_ramp)
        unit.let = True
        unit.wanted = min(float(unit.space), unit.size * self.start(u_start))
        moving = None
        if u_origin < site.from_stp:
            moving = self._tenant(site, u_firm, unit.space)
        if moving is not None:
            self._relocate(moving, unit)
        elif u_origin < site.from_stp + self.from_office:
            staff = int(unit.wanted + 0.5)
            self._arrive(unit, staff, binomial_quantile(u_women, staff, self.women), self.productive * staff, staff)

    def _tenant(self, site: Site, u: float, space: int) -> Unit | None:
        """A firm of the region's software technology parks that would fit, picked with equal chances."""
        fit = [unit for unit in site.region.tenancies if 0 < unit.staff <= space]
        return fit[int(u * len(fit))] if fit else None

    def _relocate(self, old: Unit, new: Unit) -> None:
        """Move a firm with all its people from one unit to another of its region."""
        source, target, staff = old.site, new.site, old.staff
        hiring = self.world.hiring
        settle(source, self.env.now, hiring.member_ramp, hiring.employee_ramp)
        productive = source.productive_employees * staff / source.employees
        source.productive_employees -= productive
        source.ledger.moved_out += staff
        target.ledger.moved_in += staff
        target.productive_employees += productive
        women, brought = old.women, old.brought
        new.wanted = max(new.wanted, float(staff))
        self._release(old)
        new.brought = brought
        self._change(new, staff, women)

    def _arrive(self, unit: Unit, staff: int, women: int, productive: float, brought: int) -> None:
        """Book people who come with their firm from outside the sites."""
        ledger = unit.site.ledger
        ledger.moved_in += staff
        ledger.region.talent_in += staff
        unit.site.productive_employees += productive
        unit.let = True
        unit.brought = brought
        self._change(unit, staff, women)

    def _release(self, unit: Unit) -> None:
        """Empty a unit: its people are gone, or have been booked elsewhere."""
        self._change(unit, 0, 0)
        unit.let, unit.wanted, unit.brought = False, 0.0, 0

    def _change(self, unit: Unit, staff: int, women: int) -> None:
        """Set a firm's staff and keep the sums of its park."""
        site = unit.site
        site.employees += staff - unit.staff
        site.women_employees += women - unit.women
        site.new_jobs += max(0, staff - unit.brought) - max(0, unit.staff - unit.brought)
        unit.staff, unit.women = staff, women
