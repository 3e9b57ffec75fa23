"""Exports of a site: head counts, a lag to full productivity, dollars integrated exactly.

Between two events of a site its head count H is constant and the fully productive equivalent P follows
dP/dt = (H - P) / ramp, so

    P(t + d) = H - (H - P) exp(-d / ramp),    integral of P = H d - (H - P) ramp (1 - exp(-d / ramp)).

Newcomers start at zero. Someone who leaves takes the site's average with him: P falls by the share of
people who leave. (Letting P lag behind H on the way down too would have people export after they left,
at a churn of 5% a month about a quarter too much.) P is then exactly the sum over people of
1 - exp(-tenure / ramp) in expectation.
"""

from math import exp

from sim.model.site import Site


def settle(site: Site, now: float, member_ramp: float, employee_ramp: float) -> None:
    """Book the exports and the member-days of a site up to now. Call before its head count changes and at every record.

    Parameters
    ----------
    site
        Head counts have been constant since `site.settled`.
    now
        Time, in days.
    member_ramp, employee_ramp
        Time constants, in days.
    """
    days = now - site.settled
    site.settled = now
    usd = 0.0
    if heads := site.members:  # firms' parks have none
        decay = exp(-days / member_ramp)
        gap = heads - site.productive_members
        site.productive_members = heads - gap * decay
        held = heads * days
        usd = site.usd_member * (held - gap * member_ramp * (1.0 - decay))
        site.ledger.member_days += held
    heads, decay = site.employees, exp(-days / employee_ramp)
    gap = heads - site.productive_employees
    site.productive_employees = heads - gap * decay
    usd += site.usd_employee * (heads * days - gap * employee_ramp * (1.0 - decay))
    site.exports_usd += usd
    site.ledger.exports_usd += usd
