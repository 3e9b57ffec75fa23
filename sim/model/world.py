"""One replication: build the world, run it, hand back its record."""

from bisect import bisect
from collections.abc import Generator
from datetime import date
from itertools import accumulate
from math import inf, log1p
from typing import Any

import simpy

from sim.model import parameters
from sim.model.calls import calls
from sim.model.clock import DAYS_PER_MONTH, Clock, record_dates
from sim.model.hiring import Hiring
from sim.model.outages import NATION, outages
from sim.model.programme import releases
from sim.model.record import Record, Recorder
from sim.model.rollout import rollout
from sim.model.site import DRAWS, STAGES, Draw, Origin, Region, Site, State, site_entity
from sim.model.streams import Purpose, Streams
from sim.model.talent import stock, talent_flow, yearly_inflow

Process = Generator[Any, Any, None]


class World:
    """The simulated world of one replication.

    Attributes
    ----------
    env
        SimPy environment; its clock counts days from the start date and begins earlier, when the first thing
        known to have happened did (the opening of the first hub, say).
    p
        Parameters of this run: numbers, or functions of a uniform for what is drawn per hub, call, round, ...
    drawn
        Values of the parameters that were drawn for this run, by dotted path.
    """

    def __init__(self, config: parameters.World, streams: Streams) -> None:
        self.config = config
        self.streams = streams
        self.p, self.drawn = parameters.realise(config, streams)
        self.clock = Clock(config.start.date)
        start = config.start
        earliest = min([start.date, *start.calls, *start.openings])
        self.env = simpy.Environment(initial_time=self.clock.noon(earliest) - 1.0)
        self.committee = simpy.Resource(self.env, capacity=int(self.p.rollout.committee))
        self.money = simpy.Container(self.env)
        self.money_in = 0.0
        self.demand = 1.0  # share of demand left by a nationwide shock
        self.member_ramp = self.p.exports.freelancer_ramp * DAYS_PER_MONTH
        self.employee_ramp = self.p.exports.employee_ramp * DAYS_PER_MONTH
        graduates, trainees = yearly_inflow(self)
        women = graduates * self.p.talent.women_users + trainees * self.p.talent.women_trainees
        self.women_hires = women / (graduates + trainees) if graduates + trainees else 0.0
        self.hiring = Hiring(self)
        self.regions = {name: self._new_region(name) for name in config.regions}
        planned = [getattr(self.p.regions, name).planned_hubs for name in self.regions]
        self._region_bounds = [total / sum(planned) for total in accumulate(planned[:-1])]
        self._region_order = list(self.regions.values())
        self._start_processes()

    def _new_region(self, name: str) -> Region:
        p = getattr(self.p.regions, name)
        region = Region(
            name,
            self.config.regions[name].remote,
            p.large_city_share,
            simpy.Resource(self.env, capacity=int(p.contractors)),
            simpy.Container(self.env, init=stock(self, p.talent_share)),
        )
        region.talent_in = int(region.talent.level)
        return region

    def _start_processes(self) -> None:
        env = self.env
        env.process(calls(self))
        env.process(releases(self))
        shocks = self.p.outages
        env.process(outages(self, self, NATION, shocks.frequency * shocks.national_share))
        for name, region in self.regions.items():
            env.process(talent_flow(self, region, getattr(self.p.regions, name).talent_share))
            env.process(outages(self, region, name, shocks.frequency * (1 - shocks.national_share)))
        for number, opened in enumerate(self.opening_times()):
            env.process(self._known_hub(self.new_site(Origin.initial, 0, number), opened))
        if self.config.start.backlog:
            self._start_backlog()

    def _known_hub(self, site: Site, opened: float) -> Process:
        """Run a hub whose opening is known from that day on."""
        yield self.env.timeout(opened - self.env.now)
        yield from self.hiring.operate(site)

    def _start_backlog(self) -> None:
        """Leave hubs and money where one history run, picked at random, left them on the start date.

        What is left of a hub's first stage is a uniform share of a fresh duration. (The stage one finds a hub in is
        rather a long one; in history runs half as much again is left of finance. See conf/start/forecast.yaml.)
        """
        rows = self.config.start.backlog
        (u,) = self.streams.block(Purpose.BACKLOG, 0, 1)
        *hubs_by_stage, balance = rows[int(u * len(rows))]
        self.money_in = balance
        self.money = simpy.Container(self.env, init=balance)
        for stage, hubs in zip(STAGES, hubs_by_stage, strict=True):
            for number in range(int(hubs)):
                site = self.new_site(Origin.backlog, stage, number)
                site.remaining = site.u[Draw.remaining]
                site.region.approved += stage > State.evaluation
                self.env.process(self._from_start(site, stage))

    def _from_start(self, site: Site, stage: State) -> Process:
        """Take a hub that was under way on the start date further from there."""
        yield self.env.timeout(-self.env.now)
        yield from rollout(self, site, stage)

    def opening_times(self) -> list[float]:
        """Opening times of the hubs open at the start, in order: the dated counts, interpolated linearly.

        Hubs beyond the last dated count are taken to have opened on the day before the start.
        """
        days, counts = [self.env.now], [0]
        for day, count in sorted(self.config.start.openings.items()):
            days.append(self.clock.noon(day))
            counts.append(count)
        times: list[float] = []
        for k in range(1, int(self.p.start.open_hubs) + 1):
            i = next((i for i, count in enumerate(counts) if count >= k), None)
            if i is None:
                times.append(-0.5)
            else:
                share = (k - counts[i - 1]) / (counts[i] - counts[i - 1])
                times.append(min(-0.5, days[i - 1] + share * (days[i] - days[i - 1])))
        return times

    def new_site(self, origin: Origin, batch: int, number: int) -> Site:
        """A hub with its place and kind drawn from its own stream."""
        u = self.streams.block(Purpose.SITE, site_entity(origin, batch, number), DRAWS)
        region = self._region_order[bisect(self._region_bounds, u[Draw.region])]
        site = Site(origin, batch, number, u, region)
        site.large_city = u[Draw.large_city] < region.large_city_share
        site.brownfield = u[Draw.brownfield] < self.p.rollout.brownfield_share
        region.sites.append(site)
        if origin == Origin.initial:
            region.known += 1
        else:
            region.applications += 1
        return site

    def closing_age(self, u: float, survived: float) -> float:
        """Age (months) at which a hub closes: hazards `closure`, then `closure_later`, given that it survived."""
        p = self.p.hubs
        early = p.closure * p.closure_change
        past = (
            p.closure * survived
            if survived <= p.closure_change
            else (early + p.closure_later * (survived - p.closure_change))
        )
        hazard = past - log1p(-u)
        if hazard < early:
            return hazard / p.closure
        return p.closure_change + (hazard - early) / p.closure_later if p.closure_later else inf


def simulate(config: parameters.World, seed: int, replication: int, record_on: set[date] | None = None) -> Record:
    """Run one replication.

    Parameters
    ----------
    config
        The world.
    seed, replication
        Address of the random streams. The result depends on nothing else.
    record_on
        Dates to record besides the start date, the month ends and the end.

    Raises
    ------
    ConservationError
        If people, hubs or money got lost or were made up.
    """
    world = World(config, Streams(seed, replication))
    recorder = Recorder(world, record_dates(config.start.date, config.end, record_on or set()))
    world.env.run(until=world.env.process(recorder.run()))
    return recorder.finish()
