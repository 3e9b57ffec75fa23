"""Exports of a site against numerical integration of the same differential equation."""

from types import SimpleNamespace

import numpy as np
from scipy.integrate import solve_ivp

from sim.model import exports
from sim.model.site import Origin, Site
from tests.verification.alarms import BLUE, GREY, check, rng, same


@check(short=True)
def integral_of_exports(level):
    """Exports of a site between and across events.

    Theory: dP/dt = (H - P) / ramp between events, exports are the integral of usd x P; leavers take the average
    along.
    Test: 8 sites with 40 random events each; Dormand-Prince of order 8 with a relative tolerance of 1e-13 against
    what the model books, to 1e-9.
    False alarm: 0.
    """
    line = []
    for number in range(8):
        random = rng(20, number)
        ramps, usd = random.uniform(20, 400, 2), random.uniform(1, 60, 2)
        site = Site(Origin.call, 0, 0, [], SimpleNamespace(exports_usd=0.0, member_days=0.0), "one")
        site.settled, site.usd_member, site.usd_employee = 0.0, *usd
        heads, productive, total, now = np.zeros(2), np.zeros(2), 0.0, 0.0
        for _ in range(40):
            days = random.exponential(40.0) + 0.01

            def slope(_, y, heads=heads, ramps=ramps, usd=usd):
                return [*(heads - y[:2]) / ramps, usd @ y[:2]]

            end = solve_ivp(slope, (0, days), [*productive, 0.0], method="DOP853", rtol=1e-13, atol=1e-9).y[:, -1]
            productive, total, now = end[:2], total + end[2], now + days
            exports.settle(site, now, *ramps)
            same(site.exports_usd, total, "exports, USD", rtol=1e-9, atol=1e-9)
            people = [site.productive_members, site.productive_employees]
            same(people, productive, "productive people", rtol=1e-9, atol=1e-9)
            if number == 0:
                line.append((now, total, site.exports_usd))
            # As in a hiring round: leavers take the average with them, newcomers start at zero.
            leavers = np.array([random.integers(0, int(h) + 1) for h in heads])
            productive = productive * (1 - leavers / np.maximum(heads, 1))
            heads = heads - leavers + random.integers(0, 30, 2)
            site.productive_members, site.productive_employees = productive
            site.members, site.employees = (int(h) for h in heads)
        same(site.ledger.exports_usd, site.exports_usd, "exports of the region, USD", rtol=1e-9)

    def draw(ax):
        now, total, booked = np.transpose(line)
        ax.plot(now, total / 1e6, color=GREY, lw=1, label="integrated numerically")
        ax.plot(now, booked / 1e6, "o", ms=3, color=BLUE, label="booked by the model")
        ax.set(xlabel="days", ylabel="exports, $m")

    return draw
