"""Programme money: quarterly releases that fall short and come late."""

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from sim.model.clock import DAYS_PER_MONTH, fiscal_quarters
from sim.model.distributions import dirichlet_quantiles
from sim.model.streams import Purpose

if TYPE_CHECKING:
    from sim.model.world import World


def releases(world: "World") -> Generator[Any, Any, None]:
    """Feed the programme's account, quarter by quarter, from the one that is running on the start date."""
    env, p = world.env, world.p.programme
    weights = [
        p.concentration * share for share in (p.first_quarter, p.second_quarter, p.third_quarter, p.fourth_quarter)
    ]
    yield env.timeout(-env.now)
    for year, quarter, first_day in fiscal_quarters(world.config.start.date):
        executed, u_delay, *us = world.streams.block(Purpose.FISCAL_YEAR, year, 6)
        line = p.line_2024 if year <= 2024 else p.line_2025 if year == 2025 else p.line_2026
        amount = line * p.hub_share * p.execution(executed) * dirichlet_quantiles(us, weights)[quarter]
        due = world.clock.noon(first_day) + p.release_delay(u_delay) * DAYS_PER_MONTH
        yield env.timeout(max(0.0, due - env.now))
        if amount > 0:
            world.money_in += amount
            yield world.money.put(amount)
