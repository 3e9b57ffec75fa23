"""People in an open site: hiring rounds, leaving, closing."""

from collections.abc import Generator
from math import exp, log1p
from typing import TYPE_CHECKING, Any

from sim.model.clock import DAYS_PER_MONTH, DAYS_PER_YEAR
from sim.model.distributions import beta_mean_quantile, binomial_quantile
from sim.model.exports import settle
from sim.model.site import Draw, Site, State
from sim.model.streams import Purpose

if TYPE_CHECKING:
    from sim.model.world import World

DRAWS_PER_ROUND = 9


class Hiring:
    """How open sites fill and empty in one replication.

    The rates of the run are kept here as plain attributes, per day, because a hiring round is what a
    replication spends most of its time in.
    """

    def __init__(self, world: "World") -> None:
        p = world.p.hiring
        support = world.p.initiative
        self.world = world
        self.env = world.env
        self.member_ramp: float = world.member_ramp
        self.employee_ramp: float = world.employee_ramp
        self.round_days: float = p.round_days
        self.freelancer_share: float = p.freelancer_share
        self.occupancy: float = p.occupancy + (1 - p.occupancy) * support.subsidised_share * support.subsidy_effect
        self.member_churn: float = -log1p(-p.member_churn) / DAYS_PER_MONTH
        self.attrition: float = -log1p(-p.attrition) / DAYS_PER_MONTH
        self.time_to_hire = p.time_to_hire
        self.graduate_days: float = p.graduate_delay * DAYS_PER_MONTH
        self.experienced: float = p.experienced_share
        self.return_share: float = world.p.talent.return_share

    def operate(self, site: Site) -> Generator[Any, Any, None]:
        """Run an open site: hiring rounds from a random phase on, until it closes."""
        env = self.env
        now, wait = env.now, site.u[Draw.phase] * self.round_days
        self.open(site, now)
        while now + wait < site.closes:
            yield env.timeout(wait)
            now, wait = env.now, self.round_days
            self.round(site, now)
        yield env.timeout(site.closes - now)
        self.close(site, env.now)

    def open(self, site: Site, now: float) -> None:
        """Open a site whose seats and closing day are known: fix what else is particular to it."""
        p, u, ledger = self.world.p, site.u, site.ledger
        site.enter(State.open, now)
        site.opened = site.last_round = site.settled = now
        ledger.opened += 1
        ledger.open_sites[site] = None
        occupancy = beta_mean_quantile(u[Draw.occupancy], self.occupancy, p.hiring.occupancy_concentration)
        site.full_demand = site.seats * p.hiring.people_per_seat * occupancy
        site.start = p.hiring.start(u[Draw.start])
        site.ramp_days = p.hiring.ramp * p.hiring.ramp_spread(u[Draw.ramp]) * DAYS_PER_MONTH
        site.rounding, site.rounding_freelancers = u[Draw.rounding], u[Draw.rounding_freelancers]
        site.rounds = self.world.streams.groups(Purpose.HIRING, site.entity, DRAWS_PER_ROUND)
        site.usd_member = p.exports.freelancer(u[Draw.earnings_member]) / DAYS_PER_YEAR
        site.usd_employee = p.exports.employee(u[Draw.earnings_employee]) / DAYS_PER_YEAR

    def close(self, site: Site, now: float) -> None:
        """Close a site: everybody leaves, some employees look for a job in the region again."""
        settle(site, now, self.member_ramp, self.employee_ramp)
        ledger = site.ledger
        ledger.leavers += site.members
        self.employees_leave(site, site.employees, next(site.rounds)[4])
        site.members = site.employees = site.women_members = site.women_employees = 0
        site.productive_members = site.productive_employees = 0.0
        del ledger.open_sites[site]
        site.enter(State.closed, now)

    def wanted(self, site: Site, now: float) -> tuple[int, int]:
        """Members and employees a hub wants now.

        Demand is capacity x stable occupancy x [start + (1 - start)(1 - exp(-age / ramp))], less what a shock
        takes. Fractions of people are rounded up or down once and for all by the site's own uniforms, so that
        sites together are unbiased and one site does not flicker. Supported start-ups want people beyond that, as
        far as there is room.
        """
        ramped = 1.0 - (1.0 - site.start) * exp((site.opened - now) / site.ramp_days)
        people = int(site.full_demand * ramped * self.world.demand * site.ledger.region.demand + site.rounding)
        members = int(people * self.freelancer_share + site.rounding_freelancers)
        if site.startup_jobs:
            room = int(site.seats * self.world.p.hiring.people_per_seat)
            people = max(people, min(people + site.startup_jobs, room))
        return members, people - members

    def round(self, site: Site, now: float) -> None:
        """Hold one hiring round of a hub: people leave, freelancers join up to demand, firms fill vacancies.

        Each person has left since the last round with probability 1 - exp(-rate x time). Members beyond the
        demand, after a shock, leave too: membership is by the month. Employees stay with their firm.
        """
        ledger = site.ledger
        settle(site, now, self.member_ramp, self.employee_ramp)
        days = now - site.last_round
        site.last_round = now
        u_women, u_men, u_women_employed, u_men_employed, u_return, u_join, u_time, u_fill, u_hire = next(site.rounds)
        want_members, want_employees = self.wanted(site, now)
        members, employees = site.members, site.employees

        if members:
            stay = exp(-self.member_churn * days)
            leave = 1.0 - (stay if members <= want_members else stay * want_members / members)
            women = binomial_quantile(u_women, site.women_members, leave)
            leavers = women + binomial_quantile(u_men, members - site.women_members, leave)
            if leavers:
                site.productive_members *= 1.0 - leavers / members
                site.women_members -= women
                ledger.leavers += leavers
                members -= leavers
        if employees:
            leave = 1.0 - exp(-self.attrition * days)
            women = binomial_quantile(u_women_employed, site.women_employees, leave)
            leavers = women + binomial_quantile(u_men_employed, employees - site.women_employees, leave)
            if leavers:
                site.productive_employees *= 1.0 - leavers / employees
                site.women_employees -= women
                employees -= leavers
                self.employees_leave(site, leavers, u_return)

        if members < want_members:
            site.women_members += binomial_quantile(u_join, want_members - members, site.women_members_share)
            ledger.joins += want_members - members
            members = want_members
        if employees < want_employees:
            hired = self.hire(site, want_employees - employees, days, u_time, u_fill)
            if hired:
                site.women_employees += binomial_quantile(u_hire, hired, site.women_hires_share)
                employees += hired
        site.members, site.employees = members, employees

    def hire(self, site: Site, vacancies: int, days: float, u_time: float, u_fill: float) -> int:
        """Fill vacancies that have stood open for some days from the region's talent pool; return how many.

        Each is filled with probability 1 - exp(-days / time to hire), where a graduate takes longer. What is not
        filled because the pool is empty is counted.
        """
        found = binomial_quantile(u_fill, vacancies, 1.0 - self.unfilled(days, u_time))
        ledger = site.ledger
        hired = min(found, ledger.region.talent)
        ledger.short += found - hired
        if hired:
            ledger.region.talent -= hired
            ledger.joins += hired
            ledger.employees_hired += hired
        return hired

    def unfilled(self, days: float, u_time: float) -> float:
        """Probability that a vacancy is still open after some days."""
        to_hire = self.time_to_hire(u_time)
        experienced, graduate = exp(-days / to_hire), exp(-days / (to_hire + self.graduate_days))
        return self.experienced * experienced + (1.0 - self.experienced) * graduate

    def employees_leave(self, site: Site, leavers: int, u: float) -> None:
        """Book employees who leave; some come back to the region's talent pool, the others are gone for good."""
        ledger = site.ledger
        ledger.leavers += leavers
        ledger.employees_left += leavers
        returning = binomial_quantile(u, leavers, self.return_share)
        ledger.region.talent_out += leavers - returning
        ledger.region.talent += returning
