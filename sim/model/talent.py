"""The regional talent pool: graduates by season and trainees come in, other work and emigration take out.

Hubs, software technology parks and IT parks of a region hire from it, each at its own random time of the month or
quarter: who comes first is a matter of dates, never of the order in which the code runs.
"""

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from sim.model.clock import month_starts
from sim.model.parameters import ANYTHING
from sim.model.site import Region

if TYPE_CHECKING:
    from sim.model.world import World


def yearly_inflow(world: "World") -> tuple[float, float]:
    """Graduates and trainees, nationwide, who come onto the market in a year."""
    p = world.p.talent
    return p.graduates * p.employable_share, p.trainees * p.hub_ready_share


def stock(world: "World", share: float) -> int:
    """People on the market at the beginning: what the year's inflow and the outflow balance at."""
    if world.p.talent.outflow == 0:
        return 0
    return round(min(ANYTHING, sum(yearly_inflow(world)) * share / 12 / world.p.talent.outflow))


def talent_flow(world: "World", region: Region, share: float) -> Generator[Any, Any, None]:
    """Once a month let people onto the regional market and off it. Fractions of people are carried over."""
    env, p = world.env, world.p.talent
    graduates, trainees = (people * share for people in yearly_inflow(world))
    places = world.p.initiative.training_places * p.hub_ready_share * share  # begun on the start date
    season = {1: p.january_share, 7: 1.0 - p.january_share}
    owed_in = owed_out = 0.0
    yield env.timeout(world.begin - env.now)
    for first_day in month_starts(world.clock.date(env.now)):
        yield env.timeout(world.clock.noon(first_day) - env.now)
        owed_out += region.talent * p.outflow
        leave = min(int(owed_out), region.talent)
        owed_out -= leave
        region.talent -= leave
        region.talent_out += leave
        owed_in += graduates * season.get(first_day.month, 0.0) + trainees / 12
        if env.now > 0:
            owed_in += places / 12
        arrive = int(owed_in)
        owed_in -= arrive
        region.talent += arrive
        region.talent_in += arrive
