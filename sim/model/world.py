"""One replication: build the world, run it, hand back its record."""

from bisect import bisect
from collections.abc import Generator, Iterator, Mapping
from datetime import date
from itertools import accumulate, count
from math import inf, log1p, nan
from typing import Any

import simpy

from sim.model import parameters
from sim.model.calls import calls
from sim.model.clock import DAYS_PER_MONTH, Clock, record_dates
from sim.model.firms import Firms
from sim.model.hiring import Hiring
from sim.model.initiative import startups
from sim.model.outages import NATION, outages
from sim.model.parks import OPEN_SINCE, batch, it_park, open_stps, stp_agreements, women_park
from sim.model.programme import releases
from sim.model.record import Record, Recorder
from sim.model.rollout import rollout
from sim.model.site import DRAWS, STAGES, Draw, Ledger, Origin, Region, Site, State, site_entity
from sim.model.snapshot import snapshot
from sim.model.streams import Purpose, Streams
from sim.model.talent import stock, talent_flow, yearly_inflow

Process = Generator[Any, Any, None]
_NEARLY_ONE = 1.0 - 1e-9
MOST_PLACES = 100_000
"""Sites and units of parks that a replication may have."""
MOST_ROUNDS = 10_000_000
"""Hiring rounds that they may hold until the end: with these, events are bounded (some minutes of one processor)."""


class TooLarge(Exception):
    """A replication has more sites and units than it may, or they would hold more hiring rounds."""


class World:
    """The simulated world of one replication.

    Attributes
    ----------
    env
        SimPy environment; its clock counts days from the start date and begins earlier, with the first thing known
        to have happened.
    p
        Parameters of this run: numbers, or functions of a uniform for what is drawn per hub, call, round, ...
    drawn
        Values of the parameters that were drawn for this run, by dotted path.
    begin
        A day before the first thing known to have happened to the hubs (the opening of the first, say): from then on
        there are shocks, and people come onto the market, whatever is known of the parks.
    ledgers
        System -> region -> books. Systems are `hub`, `stp`, `women_park` and the names of the IT parks.
    """

    def __init__(
        self,
        config: parameters.World,
        streams: Streams,
        uniforms: Mapping[str, float] | None = None,
        fixed: Mapping[str, float] | None = None,
    ) -> None:
        self.config = config
        self.streams = streams
        self.known = parameters.state_known(config, streams, uniforms)
        self.p, self.drawn = parameters.realise(config, streams, self.known, uniforms, fixed)
        self.clock = Clock(config.start.date)
        self.stp_lead = self.p.stps.conversion(_NEARLY_ONE) * DAYS_PER_MONTH if config.stps else 0.0
        start = config.start
        self.begin = self.clock.noon(min([start.date, *start.calls, *start.openings])) - 1.0
        self.env = simpy.Environment(initial_time=self._earliest())
        self.places, self.rounds = 0, 0.0
        self.committee = simpy.Resource(self.env, capacity=int(self.p.rollout.committee))
        self.money = simpy.Container(self.env)
        self.money_in = 0.0
        self.released = self.known.released if self.known else None  # first day of the quarter released last
        self.last_call = nan
        self.startups_supported = 0
        self.stp_firms = 0  # units of the software technology parks open on the start date
        self.demand = 1.0  # share of demand left by a nationwide shock
        self.member_ramp = self.p.exports.freelancer_ramp * DAYS_PER_MONTH
        self.employee_ramp = self.p.exports.employee_ramp * DAYS_PER_MONTH
        graduates, trainees = yearly_inflow(self)
        trainees += self.p.initiative.training_places * self.p.talent.hub_ready_share
        women = graduates * self.p.talent.women_users + trainees * self.p.talent.women_trainees
        self.women_hires = women / (graduates + trainees) if graduates + trainees else 0.0
        self.hiring = Hiring(self)
        self.regions = {name: self._new_region(name) for name in config.regions}
        self.ledgers: dict[str, dict[str, Ledger]] = {"hub": self._new_ledgers("hub", *self.regions)}
        planned = [getattr(self.p.regions, name).planned_hubs for name in self.regions]
        self._region_bounds = [total / sum(planned) for total in accumulate(planned[:-1])]
        self._region_order = list(self.ledgers["hub"].values())
        self._start_processes()

    def _earliest(self) -> float:
        """When the clock begins: with the hubs, or with what is known of the parks from before."""
        config, times = self.config, [self.begin]
        if config.stps:
            times.append(-self.stp_lead)
        if config.women_park:
            times.append(self.clock.noon(config.women_park.agreed))
        return min(*times, *(self.clock.noon(park.begins) for park in config.parks.values()), OPEN_SINCE)

    def _new_region(self, name: str) -> Region:
        p = getattr(self.p.regions, name)
        region = Region(
            name,
            self.config.regions[name].remote,
            p.large_city_share,
            simpy.Resource(self.env, capacity=int(p.contractors)),
            stock(self, p.talent_share),
        )
        region.talent_in = region.talent
        return region

    def _new_ledgers(self, system: str, *regions: str) -> dict[str, Ledger]:
        return {name: Ledger(system, self.regions[name]) for name in regions}

    def _start_processes(self) -> None:
        env = self.env
        env.process(calls(self))
        env.process(releases(self))
        env.process(startups(self))
        shocks = self.p.outages
        env.process(outages(self, self, NATION, shocks.frequency * shocks.national_share))
        for name, region in self.regions.items():
            env.process(talent_flow(self, region, getattr(self.p.regions, name).talent_share))
            env.process(outages(self, region, name, shocks.frequency * (1 - shocks.national_share)))
        if self.known:
            self.money_in = self.known.balance
            self.money = simpy.Container(self.env, init=self.money_in)
        if self.config.firms:
            self.firms = Firms(self)
        # In order of identity: what happens at the same moment does not depend on who was made first.
        for _, process in sorted(self._begun_sites(), key=lambda pair: pair[0].entity):
            env.process(process)
        if self.config.stps:
            env.process(stp_agreements(self))

    def _begun_sites(self) -> Iterator[tuple[Site, Process]]:
        """Every site that is there from the start, with its process: hubs, and the parks if there are any."""
        for number, opened in enumerate(self.opening_times()):
            site = self.new_hub(Origin.initial, 0, number)
            yield site, self._known_hub(site, opened)
        numbers = {stage: count() for stage in STAGES}
        for known in self.known.hubs if self.known else ():
            stage = State[known.stage]
            yield self._hub_under_way(stage, next(numbers[stage]), known)
        if self.config.stps:
            self.ledgers["stp"] = self._new_ledgers("stp", *self.regions)
            yield from open_stps(self)
        if self.config.women_park:
            region, agreed = self.config.women_park.region, self.config.women_park.agreed
            self.ledgers["women_park"] = self._new_ledgers("women_park", region)
            site = self.new_park("women_park", region, Origin.women_park, 0, 0)
            yield site, women_park(self, site, agreed)
        for name, park in self.config.parks.items():
            self.ledgers[name] = self._new_ledgers(name, park.region)
            site = self.new_park(name, park.region, Origin.park, batch(name), 0)
            yield site, it_park(self, name, site, park.begins)

    def _known_hub(self, site: Site, opened: float) -> Process:
        """Run a hub whose opening is known from that day on."""
        yield self.env.timeout(opened - self.env.now)
        self.furnish(site)
        yield from self.hiring.operate(site)

    def _hub_under_way(self, stage: State, number: int, known: parameters.UnderWay) -> tuple[Site, Process]:
        """A hub that is in a stage of its rollout on the start date.

        Where the days of work that are left are not known, they are a uniform share of a fresh duration.
        """
        site = self.new_hub(Origin.backlog, stage, number, known)
        if known.left is not None:
            site.left = known.left
            site.remaining = site.u[Draw.remaining]
        site.ledger.approved += stage > State.evaluation
        return site, self._from_start(site, stage)

    def _from_start(self, site: Site, stage: State) -> Process:
        """Take a hub that was under way on the start date further from there.

        Its application came before those of a call that has just closed: so does its place in the committee's line.
        """
        if stage == State.evaluation:
            site.place = self.committee.request()
        yield self.env.timeout(-self.env.now)
        yield from rollout(self, site, stage)

    def opening_times(self) -> list[float]:
        """Opening times of the hubs open at the start, in order: the dated counts, interpolated linearly.

        Hubs beyond the last dated count are taken to have opened on the day before the start.
        """
        days, counts = [self.begin], [0]
        for day, opened in sorted(self.config.start.openings.items()):
            days.append(self.clock.noon(day))
            counts.append(opened)
        times: list[float] = []
        for k in range(1, int(self.p.start.open_hubs) + 1):
            i = next((i for i, opened in enumerate(counts) if opened >= k), None)
            if i is None:
                times.append(-0.5)
            else:
                share = (k - counts[i - 1]) / (counts[i] - counts[i - 1])
                times.append(min(-0.5, days[i - 1] + share * (days[i] - days[i - 1])))
        return times

    def new_hub(self, origin: Origin, batch: int, number: int, known: parameters.UnderWay | None = None) -> Site:
        """A hub with its place and kind drawn from its own stream, where they are not known."""
        u = self.streams.block(Purpose.SITE, site_entity(origin, batch, number), DRAWS)
        ledger = self._region_order[bisect(self._region_bounds, u[Draw.region])]
        if known:
            ledger = self.ledgers["hub"][known.region] if known.region else ledger
            for draw, uniform in known.draws.items():
                u[draw] = uniform
        region, p = ledger.region, self.p
        site = Site(origin, batch, number, u, ledger, f"{origin.name}-{batch:02d}-{number:03d}")
        site.large_city = u[Draw.large_city] < region.large_city_share
        site.brownfield = u[Draw.brownfield] < p.rollout.brownfield_share
        if known and known.brownfield is not None:
            site.brownfield = known.brownfield
        site.women_members_share, site.women_hires_share = p.talent.women_users, self.women_hires
        self.admit(1, p.hiring.round_days)
        ledger.sites.append(site)
        if origin == Origin.initial:
            ledger.known += 1
        else:
            ledger.applications += 1
        return site

    def new_park(self, system: str, region: str, origin: Origin, batch: int, number: int) -> Site:
        """A park in a region."""
        ledger = self.ledgers[system][region]
        u = self.streams.block(Purpose.SITE, site_entity(origin, batch, number), DRAWS)
        name = system if origin in (Origin.women_park, Origin.park) else f"{origin.name}-{region}-{number:03d}"
        site = Site(origin, batch, number, u, ledger, name)
        site.women_members_share, site.women_hires_share = self.p.talent.women_users, self.women_hires
        self.admit(1, self.p.hiring.round_days)
        ledger.sites.append(site)
        ledger.known += 1
        return site

    def admit(self, places: int, round_days: float) -> None:
        """Count sites and units that come into the world, or stop before it gets too large to simulate."""
        self.places += places
        if self.places > MOST_PLACES:
            raise TooLarge(f"a replication may have {MOST_PLACES:,} hubs and units of parks, and this one has more")
        self.rounds += places * (self.clock.noon(self.config.end) - self.env.now) / round_days
        if self.rounds > MOST_ROUNDS:
            raise TooLarge(
                f"hubs and units of parks may hold {MOST_ROUNDS:,} hiring rounds in a replication, and here they would "
                "hold more"
            )

    def furnish(self, site: Site) -> None:
        """Fix what a hub that opens now has: its seats, and the day it will close."""
        p, u, now = self.p.hubs, site.u, self.env.now
        site.seats = round((p.seats_large_city if site.large_city else p.seats_small_city)(u[Draw.seats]))
        # A hub known to be open on the start date has survived until then.
        survived = max(0.0, -now) / DAYS_PER_MONTH if site.origin == Origin.initial else 0.0
        site.closes = now + self.closing_age(u[Draw.closure], survived) * DAYS_PER_MONTH

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


def state_on_last_day(
    config: parameters.World,
    seed: int,
    replication: int,
    uniforms: Mapping[str, float] | None = None,
    fixed: Mapping[str, float] | None = None,
) -> dict[str, Any]:
    """The world of `simulate` as its last day begins: a `parameters.Known` to begin a run of that day with.

    But for the parameters, which are the caller's.
    """
    world = World(config, Streams(seed, replication), uniforms, fixed)
    world.env.run(until=float((config.end - config.start.date).days))
    return snapshot(world)


def simulate(
    config: parameters.World,
    seed: int,
    replication: int,
    record_on: set[date] | None = None,
    uniforms: Mapping[str, float] | None = None,
    fixed: Mapping[str, float] | None = None,
) -> Record:
    """Run one replication.

    Parameters
    ----------
    config
        The world.
    seed, replication
        Address of the random streams. The result depends on nothing else.
    record_on
        Dates to record besides the start date, the month ends and the end.
    uniforms
        Dotted path -> uniform for parameters of the run that are drawn by a design, not by their own stream; under
        `start.states` the place of the state the run begins with, among all states in order of hubs under way.
    fixed
        Dotted path -> value for parameters of the run that a design sets.

    Raises
    ------
    ConservationError
        If people, hubs or money got lost or were made up.
    """
    world = World(config, Streams(seed, replication), uniforms, fixed)
    recorder = Recorder(world, record_dates(config.start.date, config.end, record_on or set()))
    world.env.run(until=world.env.process(recorder.run()))
    return recorder.finish()
