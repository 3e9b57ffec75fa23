"""People in an open site: hiring rounds, leaving, closing."""

from collections.abc import Generator
from math import exp, log1p
from typing import TYPE_CHECKING, Any

from sim.model.clock import DAYS_PER_MONTH, DAYS_PER_YEAR
from sim.model.distributions import beta_mean_quantile, binomial_quantile
from sim.model.exports import settle
from sim.model.site import Draw, Origin, Site, State
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
        self.world = world
        self.env = world.env
        self.member_ramp: float = world.member_ramp
        self.employee_ramp: float = world.employee_ramp
        self.round_days: float = p.round_days
        self.freelancer_share: float = p.freelancer_share
        self.member_churn: float = -log1p(-p.member_churn) / DAYS_PER_MONTH
        self.attrition: float = -log1p(-p.attrition) / DAYS_PER_MONTH
        self.time_to_hire = p.time_to_hire
        self.graduate_days: float = p.graduate_delay * DAYS_PER_MONTH
        self.experienced: float = p.experienced_share
        self.return_share: float = world.p.talent.return_share
        self.women_members: float = world.p.talent.women_users
        self.women_hires: float = world.women_hires

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
        """Open a site: fix what is particular to it, and the day it will close."""
        world, p, u = self.world, self.world.p, site.u
        site.enter(State.open, now)
        site.opened = site.last_round = site.settled = now
        site.region.opened += 1
        site.region.open_sites[site] = None
        seats = p.hubs.seats_large_city if site.large_city else p.hubs.seats_small_city
        site.seats = round(seats(u[Draw.seats]))
        occupancy = beta_mean_quantile(u[Draw.occupancy], p.hiring.occupancy, p.hiring.occupancy_concentration)
        site.full_demand = site.seats * p.hiring.people_per_seat * occupancy
        site.start = p.hiring.start(u[Draw.start])
        site.rounding, site.rounding_freelancers = u[Draw.rounding], u[Draw.rounding_freelancers]
        site.ramp_days = p.hiring.ramp * p.hiring.ramp_spread(u[Draw.ramp]) * DAYS_PER_MONTH
        site.rounds = world.streams.groups(Purpose.HIRING, site.entity, DRAWS_PER_ROUND)
        site.usd_member = p.exports.freelancer(u[Draw.earnings_member]) / DAYS_PER_YEAR
        site.usd_employee = p.exports.employee(u[Draw.earnings_employee]) / DAYS_PER_YEAR
        # A hub known to be open on the start date has survived until then.
        survived = max(0.0, -now) / DAYS_PER_MONTH if site.origin == Origin.initial else 0.0
        site.closes = now + world.closing_age(u[Draw.closure], survived) * DAYS_PER_MONTH

    def close(self, site: Site, now: float) -> None:
        """Close a site: everybody leaves, some employees look for a job in the region again."""
        settle(site, now, self.member_ramp, self.employee_ramp)
        region = site.region
        region.leavers += site.members
        self._employees_leave(site, site.employees, next(site.rounds)[4])
        site.members = site.employees = site.women_members = site.women_employees = 0
        site.productive_members = site.productive_employees = 0.0
        del region.open_sites[site]
        site.enter(State.closed, now)

    def wanted(self, site: Site, now: float) -> tuple[int, int]:
        """Members and employees a site wants now.

        Demand is capacity x stable occupancy x [start + (1 - start)(1 - exp(-age / ramp))], less what a shock
        takes. Fractions of people are rounded up or down once and for all by the site's own uniforms, so that
        sites together are unbiased and one site does not flicker.
        """
        ramped = 1.0 - (1.0 - site.start) * exp((site.opened - now) / site.ramp_days)
        people = int(site.full_demand * ramped * self.world.demand * site.region.demand + site.rounding)
        members = int(people * self.freelancer_share + site.rounding_freelancers)
        return members, people - members

    def round(self, site: Site, now: float) -> None:
        """Hold one hiring round: people leave, freelancers join up to demand, firms fill vacancies from the pool.

        Each person has left since the last round with probability 1 - exp(-rate x time). Members beyond the
        demand, after a shock, leave too: membership is by the month. Employees stay with their firm. A vacancy
        is filled with probability 1 - exp(-time / time to hire), where a graduate takes longer.
        """
        region = site.region
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
                region.leavers += leavers
                members -= leavers
        if employees:
            leave = 1.0 - exp(-self.attrition * days)
            women = binomial_quantile(u_women_employed, site.women_employees, leave)
            leavers = women + binomial_quantile(u_men_employed, employees - site.women_employees, leave)
            if leavers:
                site.productive_employees *= 1.0 - leavers / employees
                site.women_employees -= women
                employees -= leavers
                self._employees_leave(site, leavers, u_return)

        if members < want_members:
            site.women_members += binomial_quantile(u_join, want_members - members, self.women_members)
            region.joins += want_members - members
            members = want_members
        if employees < want_employees:
            to_hire = self.time_to_hire(u_time)
            unfilled = self.experienced * exp(-days / to_hire)
            unfilled += (1.0 - self.experienced) * exp(-days / (to_hire + self.graduate_days))
            found = binomial_quantile(u_fill, want_employees - employees, 1.0 - unfilled)
            hired = min(found, int(region.talent.level))
            region.short += found - hired
            if hired:
                region.talent.get(hired)
                region.joins += hired
                region.employees_hired += hired
                site.women_employees += binomial_quantile(u_hire, hired, self.women_hires)
                employees += hired
        site.members, site.employees = members, employees

    def _employees_leave(self, site: Site, leavers: int, u: float) -> None:
        """Book employees who leave; some come back to the region's talent pool, the others are gone for good."""
        region = site.region
        region.leavers += leavers
        region.employees_left += leavers
        returning = binomial_quantile(u, leavers, self.return_share)
        region.talent_out += leavers - returning
        if returning:
            region.talent.put(returning)
