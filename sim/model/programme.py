"""Programme money: quarterly releases that fall short and come late."""

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from sim.model.clock import DAYS_PER_MONTH, fiscal_quarters
from sim.model.distributions import dirichlet_quantiles
from sim.model.parameters import FISCAL_DRAWS
from sim.model.streams import Purpose

if TYPE_CHECKING:
    from sim.model.world import World


def releases(world: "World") -> Generator[Any, Any, None]:
    """Feed the programme's account, quarter by quarter, from the one that is running on the start date.

    What is in the account at the start, as far as that is known, is not paid again.
    """
    env, p = world.env, world.p.programme
    weights = [
        p.concentration * share for share in (p.first_quarter, p.second_quarter, p.third_quarter, p.fourth_quarter)
    ]
    yield env.timeout(-env.now)
    known = world.known
    for year, quarter, first_day in fiscal_quarters(world.released or world.config.start.date):
        executed, u_delay, *us = draws(world, year)
        line = p.line_2024 if year <= 2024 else p.line_2025 if year == 2025 else p.line_2026
        amount = line * p.hub_share * p.execution(executed) * dirichlet_quantiles(us, weights)[quarter]
        due = world.clock.noon(first_day) + p.release_delay(u_delay) * DAYS_PER_MONTH
        if first_day == world.released or (known and not known.released and due < 0):
            continue
        yield env.timeout(max(0.0, due - env.now))
        if amount > 0:
            world.money_in += amount
            yield world.money.put(amount)
        world.released = first_day


def draws(world: "World", year: int) -> list[float]:
    """Uniforms of a fiscal year: how much of its line is released, how late, and in which parts."""
    known = world.known.fiscal_years.get(year) if world.known else None
    return known or world.streams.block(Purpose.FISCAL_YEAR, year, FISCAL_DRAWS)
