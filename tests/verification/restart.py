"""The state of a history run as the beginning of another one."""

from datetime import date

import numpy as np

from sim.model.record import MONTHLY
from sim.model.world import simulate, state_on_last_day
from tests.helpers import study
from tests.verification.alarms import SEED, check, dots

EVE, CUT, SOON, END = date(2025, 11, 13), date(2025, 11, 14), date(2025, 12, 14), date(2026, 12, 31)
FEW_EVENTS = {"calls.interval": 9, "hiring.round_days": 365, "outages.frequency": 0}
NEXT_CALL = date(2026, 1, 28)  # the fourth, nine months after the third
DAYS = np.array([60, 120, 200, 300, 411])
GRANTS = MONTHLY.index("grants_rs_million")


def what_follows(record):
    """Hubs that open in so many days from the cut, hubs abandoned, balance soon and at the end, grants from the cut."""
    day = (CUT - record.dates[0]).days
    opened, abandoned = record.sites["opened"] - day, record.sites["state"] == "abandoned"
    soon, grants = record.dates.index(SOON), record.monthly[:, :, GRANTS].sum(0)
    before = grants[record.dates.index(EVE)] if day else 0.0
    return [
        *(np.sum((opened >= 0) & (opened < days)) for days in DAYS),
        np.sum(abandoned & (record.sites["ended"] >= day)),
        record.balance[soon],
        record.balance[-1],
        grants[-1] - before,
    ]


@check
def cut_and_restarted(level):
    """A history run that is cut and begun again.

    Theory: the state of 14 November 2025 holds all that matters for the rollout, so a run that begins with it goes on
    as the uncut one does, in expectation.
    Test: 300 history runs with a call every nine months, to the end of 2026, and the same cut and restarted with other
    random numbers and the same parameters; paired t of hubs opened by five dates, hubs abandoned, the money in the
    account after a month and at the end, grants.
    False alarm: 2e-4.
    """
    cut = study(FEW_EVENTS | {"end": str(CUT)}, "history")
    whole = study(FEW_EVENTS | {"end": str(END)}, "history")
    start = {"end": str(END), "start.calls": [NEXT_CALL], "start.open_hubs": 0, "start.openings": {}}
    pairs = []
    for i in range(300):
        uncut = simulate(whole, SEED, i, {EVE, SOON})
        state = state_on_last_day(cut, SEED, i) | {"parameters": {}}
        again = simulate(study(FEW_EVENTS | start | {"start.states": [state]}), SEED + 1, i, {SOON}, fixed=uncut.drawn)
        pairs.append((what_follows(uncut), what_follows(again)))
    uncut, again = np.moveaxis(np.array(pairs, dtype=float), 1, 0)
    level.zero(again - uncut, 1, "hubs and money after the restart, less without it")

    error = (again - uncut).std(0, ddof=1)[: len(DAYS)] / np.sqrt(len(pairs))
    opened = [side.mean(0)[: len(DAYS)] for side in (again, uncut)]
    return dots(DAYS, opened[0], error, opened[1], ("restarted, 99% interval of the difference", "uncut"),
                xlabel="days since the cut", ylabel="hubs opened since, mean of 300 runs")  # fmt: skip
