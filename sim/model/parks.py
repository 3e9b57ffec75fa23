"""Places built for firms: software technology parks, the women-only park, and the large IT parks."""

from collections.abc import Generator, Iterator
from datetime import date
from itertools import accumulate, pairwise
from math import log1p
from typing import TYPE_CHECKING, Any
from zlib import crc32

from sim.model.clock import DAYS_PER_MONTH
from sim.model.distributions import binomial_quantile
from sim.model.site import Draw, Origin, Site, State
from sim.model.streams import Purpose

if TYPE_CHECKING:
    from sim.model.world import World

Process = Generator[Any, Any, None]
OPEN_SINCE = -0.5
"""Parks known to be open on the start date open, in the model, on the day before: when is not published."""


def batch(name: str) -> int:
    """Part of the identity of the sites of a named place, below 2**24."""
    return crc32(name.encode()) % 2**24


def even(people: int, units: int) -> list[int]:
    """Split people over units as evenly as whole numbers allow."""
    bounds = [people * k // units for k in range(units + 1)] if units else [0]
    return [b - a for a, b in pairwise(bounds)]


# --- software technology parks


def open_stps(world: "World") -> Iterator[tuple[Site, Process]]:
    """The parks open on the start date, with their firms; the published staff falls evenly to all firms."""
    p = world.p.stps
    parks: list[tuple[Site, int]] = []
    for name in world.regions:
        region = getattr(world.p.regions, name)
        firms = [int(p.firms_older)] * int(region.stps_older) + [int(p.firms_recent)] * int(region.stps_recent)
        for number, count in enumerate(firms):
            parks.append((world.new_park("stp", name, Origin.stp_initial, batch(name), number), count))
    world.stp_firms = sum(count for _, count in parks)
    staff = iter(even(int(p.staff), world.stp_firms))
    for site, count in parks:
        yield site, _stp_in_use(world, site, [next(staff) for _ in range(count)])


def _stp_in_use(world: "World", site: Site, staff: list[int]) -> Process:
    """A park with firms of known staff; some more units stand empty, as many as do in the long run."""
    firms, p = world.firms, world.p.stps
    yield world.env.timeout(OPEN_SINCE - world.env.now)
    vacant = binomial_quantile(site.u[Draw.occupancy], len(staff), min(1.0, firms.vacant_share))
    firms.open(site, [round(people / firms.filled) for people in staff + staff[:vacant]], p.exports_per_job)
    site.region.tenancies += site.units
    site.ledger.before_jobs += sum(staff)
    site.ledger.before_exports += sum(staff) * p.exports_per_job
    for unit, people in zip(site.units, staff, strict=False):
        firms.settle_in(unit, people)
    for unit in site.units[len(staff) :]:
        firms.offer(unit, 1.0, firms.mean_vacancy * DAYS_PER_MONTH)


def stp_agreements(world: "World") -> Process:
    """Agreements on new parks at random times, since so long ago that all under way on the start date are among them.

    What would have opened before the start date is among the parks open then.
    """
    env, p = world.env, world.p.stps
    if p.pace == 0:
        return
    yield env.timeout(-world.stp_lead - env.now)
    names = list(world.regions)
    weights = [getattr(world.p.regions, name).stps_recent for name in names]
    bounds = list(accumulate(weights))
    for number, (u_gap, u_region, u_conversion) in enumerate(world.streams.groups(Purpose.STP, 0, 3)):
        yield env.timeout(-log1p(-u_gap) / p.pace * DAYS_PER_MONTH)
        days = p.conversion(u_conversion) * DAYS_PER_MONTH
        if env.now + days >= 0 and bounds[-1] > 0:
            region = next(n for n, bound in zip(names, bounds, strict=True) if u_region * bounds[-1] < bound)
            site = world.new_park("stp", region, Origin.stp, 0, number)
            site.applied = env.now
            env.process(_new_stp(world, site, days))


def _new_stp(world: "World", site: Site, days: float) -> Process:
    """Convert a building and let it, unit by unit."""
    p = world.p.stps
    _begin(site, State.fit_out, world.env.now)
    yield world.env.timeout(days)
    firms = int(p.firms_recent)
    of_a_firm = p.staff / max(1, world.stp_firms) / world.firms.filled
    world.firms.open(site, [round(of_a_firm)] * firms, p.exports_per_job)
    site.region.tenancies += site.units
    for unit in site.units:
        world.firms.offer(unit, 1.0, p.tenancy_ramp * DAYS_PER_MONTH)


# --- the women-only park


def women_park(world: "World", site: Site, agreed: date) -> Process:
    """A park for women only, agreed on a date, of the size of a hub and run like one; it does not close."""
    p, env = world.p.women_park, world.env
    yield env.timeout(world.clock.noon(agreed) - env.now)
    site.applied = env.now
    _begin(site, State.fit_out, env.now)
    yield env.timeout(p.conversion * DAYS_PER_MONTH)
    site.seats = int(p.area / p.area_per_person)
    site.women_members_share = site.women_hires_share = 1.0
    yield from world.hiring.operate(site)


# --- IT parks


def it_park(world: "World", name: str, site: Site, begins: date) -> Process:
    """Tender after tender until one is awarded, construction, perhaps with another contractor; then it is let.

    What is claimed at capacity is split evenly over the units; a share of them finds a firm.
    """
    p, env = getattr(world.p.parks, name), world.env
    rounds = world.streams.groups(Purpose.SITE, site.entity, 3, per_block=8, part=1)
    yield env.timeout(world.clock.noon(begins) - env.now)
    site.applied = env.now
    _begin(site, State.evaluation, env.now)
    while True:
        u_tender, u_failure, _ = next(rounds)
        yield env.timeout(p.tender(u_tender) * DAYS_PER_MONTH)
        if u_failure >= p.tender_failure:
            break
    _begin(site, State.fit_out, env.now)
    months = p.construction
    if site.u[Draw.abandonment] < p.contractor_exit:
        months += p.exit_delay
    yield env.timeout(months * DAYS_PER_MONTH)
    world.firms.open(site, even(int(p.capacity), int(p.tenants)), p.exports_per_job)
    site.from_stp = world.p.firms.from_stp
    for unit in site.units:
        world.firms.offer(unit, p.realised_share, p.tenancy_ramp * DAYS_PER_MONTH)


def _begin(site: Site, stage: State, now: float) -> None:
    """Enter a stage in which work begins at once."""
    site.enter(stage, now)
    site.started[stage] = now
