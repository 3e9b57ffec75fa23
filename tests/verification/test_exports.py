"""Exports of a site against numerical integration of the same differential equation."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from sim.model.exports import settle
from sim.model.site import Origin, Site

pytestmark = [pytest.mark.verification, pytest.mark.short]


@pytest.mark.parametrize("seed", range(8))
def test_integral_of_exports(seed):
    """40 random events of a site: heads change, and who leaves takes the average productivity. No false alarm.

    dP/dt = (H - P) / ramp between events, exports = integral of usd x P; Dormand-Prince of order 8 with a relative
    tolerance of 1e-13 against the closed form, to 1e-9.
    """
    rng = np.random.default_rng(seed)
    ramps = rng.uniform(20, 400, 2)
    usd = rng.uniform(1, 60, 2)
    site = Site(Origin.call, 0, 0, [], SimpleNamespace(exports_usd=0.0), "one")
    site.settled, site.usd_member, site.usd_employee = 0.0, *usd
    heads, productive, exports, now = np.zeros(2), np.zeros(2), 0.0, 0.0
    for _ in range(40):
        days = rng.exponential(40.0) + 0.01

        def slope(_, y, heads=heads):
            gap = (heads - y[:2]) / ramps
            return [*gap, usd @ y[:2]]

        end = solve_ivp(slope, (0, days), [*productive, 0.0], method="DOP853", rtol=1e-13, atol=1e-9).y[:, -1]
        productive, exports, now = end[:2], exports + end[2], now + days
        settle(site, now, *ramps)
        assert site.exports_usd == pytest.approx(exports, rel=1e-9)
        assert [site.productive_members, site.productive_employees] == pytest.approx(
            list(productive), rel=1e-9, abs=1e-9
        )
        # As in a hiring round: leavers take the average with them, newcomers start at zero.
        leavers = np.array([rng.integers(0, int(h) + 1) for h in heads])
        productive = productive * (1 - leavers / np.maximum(heads, 1))
        heads = heads - leavers + rng.integers(0, 30, 2)
        site.productive_members, site.productive_employees = productive
        site.members, site.employees = (int(h) for h in heads)
    assert site.ledger.exports_usd == pytest.approx(site.exports_usd)
