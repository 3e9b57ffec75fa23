"""The rollout of one hub: evaluation, finance, programme money, fit-out, connectivity, opening."""

from collections.abc import Generator
from math import nan
from typing import TYPE_CHECKING, Any

from sim.model.clock import DAYS_PER_MONTH
from sim.model.site import STAGES, Draw, Site, State

if TYPE_CHECKING:
    from sim.model.world import World

Stage = Generator[Any, Any, State | None]
"""A stage ends with None when the hub goes on, or with the state in which its rollout ends."""


def rollout(world: "World", site: Site, first: State = State.evaluation) -> Generator[Any, Any, None]:
    """Take a hub from the stage `first` to its opening, and run it from then on."""
    for stage in STAGES[first:]:
        site.enter(stage, world.env.now)
        end = yield from PROCESS[stage](world, site)
        site.remaining, site.left, site.busy_until = 1.0, nan, nan
        if end is not None:
            site.enter(end, world.env.now)
            return
    world.furnish(site)
    yield from world.hiring.operate(site)


def evaluation(world: "World", site: Site) -> Stage:
    """Technical evaluation in one of the committee's places; approval or rejection."""
    p, u = world.p.rollout, site.u
    with site.place or world.committee.request() as place:
        yield place
        yield work(world, site, p.evaluation(u[Draw.evaluation]))
    if u[Draw.rejection] < p.rejection:
        return State.rejected
    site.ledger.approved += 1
    return None


def finance(world: "World", site: Site) -> Stage:
    """Loan sanction, site and partner. Who is refused the loan goes on with his own money, or gives up."""
    p, u = world.p.rollout, site.u
    yield work(world, site, p.finance(u[Draw.finance]) * building_factor(world, site))
    if u[Draw.refusal] >= p.refusal:
        site.ledger.loans += p.loan(u[Draw.loan])
    elif u[Draw.self_finance] >= p.self_finance:
        return State.refused
    return None


def money(world: "World", site: Site) -> Stage:
    """Wait for the programme's grant, first come first served."""
    grant = world.p.rollout.grant(site.u[Draw.grant])
    if grant > 0:
        yield world.money.get(grant)
        site.ledger.grants += grant
    site.started[State.money] = world.env.now  # all of this stage is waiting
    return None


def fit_out(world: "World", site: Site) -> Stage:
    """Fit-out by one of the region's contractors; some hubs are abandoned on the way."""
    p, u = world.p.rollout, site.u
    months = p.fit_out(u[Draw.fit_out]) * building_factor(world, site)
    abandoned = u[Draw.abandonment] < p.abandonment
    with site.region.contractors.request() as contractor:
        yield contractor
        if abandoned:
            months *= u[Draw.abandoned_at]
            site.left *= u[Draw.abandoned_at]
        yield work(world, site, months)
    return State.abandoned if abandoned else None


def connectivity(world: "World", site: Site) -> Stage:
    """Connectivity and commissioning."""
    months = world.p.rollout.connectivity(site.u[Draw.connectivity])
    yield work(world, site, months * building_factor(world, site))
    return None


def work(world: "World", site: Site, months: float) -> Any:
    """Begin the work of the site's stage: a timeout stretched by the shock common to the whole programme."""
    assert site.state is not None
    now = site.started[site.state] = world.env.now
    days = site.left
    if days != days:  # not known: nan
        days = months * DAYS_PER_MONTH * world.p.rollout.programme_shock * site.remaining
    site.busy_until = now + days
    return world.env.timeout(days)


def building_factor(world: "World", site: Site) -> float:
    """Factor on finance, fit-out and connectivity: shorter for conversions, which have a site, longer if remote."""
    p = world.p.rollout
    return (p.brownfield_factor if site.brownfield else 1.0) * (p.remote_factor if site.region.remote else 1.0)


PROCESS = {
    State.evaluation: evaluation,
    State.finance: finance,
    State.money: money,
    State.fit_out: fit_out,
    State.connectivity: connectivity,
}
