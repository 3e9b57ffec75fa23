"""From what is claimed to what is simulated, step by step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from sim.analysis.intervals import Floats
from sim.analysis.tables import finished, simulated
from sim.model.metrics import CLAIMED

if TYPE_CHECKING:
    import pyarrow as pa

ORDER = ("not_open", "smaller", "not_taken", "fewer_people", "less_each", "added")
"""Names of the steps between `claimed` and `mean_to_median`, in order."""


class Step(NamedTuple):
    """A step, the system it is about (None: all of them), what it adds, and what there is after it."""

    name: str
    system: str | None
    amount: float
    total: float


def waterfall(runs: pa.Table, claims: Mapping[str, Mapping[str, Any]], day: date, what: str) -> list[Step]:
    """Steps from what is claimed of the simulated systems to the median of what is simulated of them.

    Every replication is accounted for by itself, so that the means of its steps add up to the mean; a last step leads
    from there to the median.

    Parameters
    ----------
    runs : pyarrow.Table
        One row per replication, at least one of them finished.
    claims : mapping
        System -> sites, jobs and exports_usd (a year).
    day : date
        A judged date.
    what : str
        Of `CLAIMED`, jobs or exports_usd.

    Returns
    -------
    list of Step
        ``claimed``, whose amount is where it starts; for each system of which something is claimed ``not_open`` (its
        sites that are not), then for jobs ``smaller`` (open sites, than claimed) and ``not_taken`` (their seats), for
        exports ``fewer_people`` (than claimed, at the claimed exports a job) and ``less_each`` (than claimed); for
        each other system ``added``; ``mean_to_median``. Hubs come first, other systems together, step by step. For
        jobs there is a last step ``not_additional``, from the median to the median of additional jobs.
    """
    rows = finished(runs)

    def at(metric: str) -> Floats:
        return np.asarray(rows.column(f"{metric}@{day}").to_numpy(), dtype=np.float64)

    def of(system: str) -> Iterator[tuple[str, str, Floats]]:
        outcome = at(f"{CLAIMED[what]}.{system}")
        claim = claims.get(system, {})
        claimed = claim.get(what, 0)
        if not claimed:
            yield "added", system, outcome
            return
        expected = at(f"sites_open.{system}") * (claimed / claim["sites"] if claim["sites"] else 0.0)
        yield "not_open", system, expected - claimed
        if what == "jobs":
            middle, names = at(f"seats.{system}"), ("smaller", "not_taken")
        else:
            each = claimed / claim["jobs"] if claim["jobs"] else 0.0
            middle, names = at(f"{CLAIMED['jobs']}.{system}") * each, ("fewer_people", "less_each")
        yield names[0], system, middle - expected
        yield names[1], system, outcome - middle

    systems = simulated(rows)
    total = float(sum(claims.get(system, {}).get(what, 0) for system in systems))
    steps = [Step("claimed", None, total, total)]
    parts = sorted(
        chain.from_iterable(map(of, systems)),
        key=lambda part: (part[0] == "added", part[1] != "hub", ORDER.index(part[0])),
    )
    for name, system, amounts in parts:
        amount = float(amounts.mean())
        total += amount
        steps.append(Step(name, system, amount, total))
    medians = {"mean_to_median": CLAIMED[what]} | ({"not_additional": "jobs_additional"} if what == "jobs" else {})
    for name, metric in medians.items():
        median = float(np.median(at(metric)))
        steps.append(Step(name, None, median - total, median))
        total = median
    return steps
