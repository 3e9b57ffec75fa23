"""Calls for applications."""

from collections.abc import Generator
from math import inf, sqrt
from typing import TYPE_CHECKING, Any

from sim.model.clock import DAYS_PER_MONTH
from sim.model.distributions import negative_binomial_quantile
from sim.model.rollout import rollout
from sim.model.site import Origin
from sim.model.streams import Purpose

if TYPE_CHECKING:
    from sim.model.world import World


def calls(world: "World") -> Generator[Any, Any, None]:
    """Hold the calls listed in the initial state, then one after every random interval.

    Where runs lead up to a known call, one that would come less than the shortest interval before it, or later, is that
    call, which is for the runs that begin where these end to hold.
    """
    env, p = world.env, world.p.calls
    listed = [world.clock.noon(day) for day in world.config.start.calls]
    last = inf
    if later := world.config.start.next_call:
        last = world.clock.noon(later) - world.config.calls.interval.least * DAYS_PER_MONTH
    number = 0
    while True:
        until_next, count = world.streams.block(Purpose.CALL, number, 2)
        if number < len(listed):
            yield env.timeout(listed[number] - env.now)
        world.last_call = env.now
        mean, sd = p.applications, p.applications_sd
        if number >= len(listed) and p.outreach != 1:
            mean, sd = _reached_out(mean, sd, p.outreach)
        for i in range(negative_binomial_quantile(count, mean, sd)):
            site = world.new_hub(Origin.call, number, i)
            site.applied = env.now
            env.process(rollout(world, site))
        number += 1
        if number >= len(listed):
            wait = p.interval(until_next) * DAYS_PER_MONTH
            if env.now + wait > last:
                return
            yield env.timeout(wait)


def _reached_out(mean: float, sd: float, factor: float) -> tuple[float, float]:
    """Mean and standard deviation with so many times the applications, and the same negative binomial dispersion."""
    return mean * factor, sqrt(factor * mean + factor**2 * (sd**2 - mean)) if sd else 0.0
