"""The state of a world, written down so that another run can begin with it."""

from itertools import takewhile
from typing import TYPE_CHECKING, Any

from sim.model.clock import fiscal_quarters
from sim.model.programme import draws
from sim.model.site import STAGES, Draw, Site, State

if TYPE_CHECKING:
    from sim.model.world import World


def snapshot(world: "World") -> dict[str, Any]:
    """The hubs under way and the programme's money: a `parameters.Known` without its parameters, in plain data.

    Draws that have not mattered yet are left to the run that begins here.
    """
    today = world.clock.date(world.env.now)
    hubs = [site for ledger in world.ledgers["hub"].values() for site in ledger.sites if site.state in STAGES]
    # Who works comes before who waits, and who waits is in line: all of them ask anew at the same moment.
    hubs.sort(key=lambda site: (site.state, site.waits, site.entered[site.state or 0], site.entity))
    ahead = takewhile(lambda quarter: quarter[2] <= today, fiscal_quarters(world.released or world.config.start.date))
    return {
        "hubs": [_under_way(world, site) for site in hubs],
        "balance": round(float(world.money.level), 3),
        "released": world.released and world.released.isoformat(),
        "fiscal_years": {year: draws(world, year) for year in {year for year, _, first in ahead}},
    }


def _under_way(world: "World", site: Site) -> list[Any]:
    """A `parameters.UnderWay`."""
    assert site.state is not None
    u, left = site.u, site.busy_until - world.env.now
    known: list[float | None] = []
    if site.state == State.money:
        known = [u[Draw.grant]]
    if site.state == State.fit_out and not site.waits:
        known = [None, u[Draw.abandonment]]
        if u[Draw.abandonment] < world.p.rollout.abandonment:
            begun = world.env.now - site.started[State.fit_out]
            until, left = left, (begun + left) / u[Draw.abandoned_at] - begun
            known.append(until / left)
    known = [u and round(u, 9) for u in known]
    return [site.state.name, None if site.waits else round(left, 2), site.region.name, site.brownfield, *known]
