"""The Prime Minister's initiative: support for start-ups in hubs, training places, subsidised seats; what they cost.

Training places feed the talent pools (`sim.model.talent`), subsidised seats raise occupancy (`sim.model.hiring`).
"""

from collections.abc import Generator
from math import log1p
from typing import TYPE_CHECKING, Any

from sim.model.clock import DAYS_PER_MONTH, DAYS_PER_YEAR
from sim.model.site import Site, State
from sim.model.streams import Purpose

if TYPE_CHECKING:
    from sim.model.world import World

Process = Generator[Any, Any, None]


def startups(world: "World") -> Process:
    """Support start-ups at random times; each settles in one of the hubs that are open then."""
    env, p = world.env, world.p.initiative
    if p.startups == 0:
        return
    yield env.timeout(-env.now)
    for u_gap, u_hub, u_size, u_life in world.streams.groups(Purpose.STARTUP, 0, 4):
        yield env.timeout(-log1p(-u_gap) / p.startups * DAYS_PER_YEAR)
        hubs = [site for ledger in world.ledgers["hub"].values() for site in ledger.open_sites]
        world.startups_supported += 1
        if hubs:
            site = hubs[int(u_hub * len(hubs))]
            env.process(_startup(world, site, round(p.startup_size(u_size)), -log1p(-u_life) * p.startup_life))


def _startup(world: "World", site: Site, people: int, months: float) -> Process:
    """A start-up wants people at its hub for as long as it lives; a hub that closes takes it along."""
    site.startup_jobs += people
    yield world.env.timeout(months * DAYS_PER_MONTH)
    if site.state == State.open:
        site.startup_jobs -= people


def spent(world: "World", member_years: float) -> float:
    """Cost of the initiative since the start date, Rs million, given the member-years in open sites since then."""
    p = world.p.initiative
    years = max(0.0, world.env.now) / DAYS_PER_YEAR
    return float(
        p.training_places * years * p.training_cost / 1e6
        + world.startups_supported * p.startup_cost
        + member_years * p.subsidised_share * p.subsidy_cost / 1e6
    )
