"""Shocks to demand: internet outages and the like, in one region or the whole country."""

from collections.abc import Generator
from math import inf, log1p
from typing import TYPE_CHECKING, Any
from zlib import crc32

from sim.model.clock import DAYS_PER_MONTH, DAYS_PER_YEAR
from sim.model.site import Region
from sim.model.streams import Purpose

if TYPE_CHECKING:
    from sim.model.world import World

NATION = "Pakistan"


def outages(world: "World", place: "Region | World", name: str, per_year: float) -> Generator[Any, Any, None]:
    """Cut the demand of a place from time to time. Shocks to one place do not overlap; regional and national may."""
    env, p = world.env, world.p.outages
    if per_year == 0:
        return
    yield env.timeout(world.begin - env.now)
    for gap, loss, duration in world.streams.groups(Purpose.OUTAGE, crc32(name.encode()), 3, per_block=8):
        wait = -log1p(-gap) * DAYS_PER_YEAR / per_year
        if wait == inf:
            return
        yield env.timeout(wait)
        place.demand = 1.0 - p.loss(loss)
        yield env.timeout(p.duration(duration) * DAYS_PER_MONTH)
        place.demand = 1.0
