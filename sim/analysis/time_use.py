"""Where a hub's time goes: waiting and working days in each stage of its rollout."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim.analysis.intervals import Estimate, Floats, mean
from sim.analysis.tables import of_kind, of_scenario
from sim.model import site

if TYPE_CHECKING:
    import pyarrow as pa

STAGES = tuple(stage.name for stage in site.STAGES)
"""Stages of the rollout of a hub, in order."""


class StageTime(NamedTuple):
    """Mean days a hub waits for a stage and works in it; `hubs` (over all replications) entered the stage."""

    stage: str
    waiting: Estimate
    working: Estimate
    hubs: int


def time_use(sites: pa.Table, scenario: int = 0) -> list[StageTime]:
    """Mean waiting and working days per stage, over the hubs that have them.

    Hubs share the luck of their replication, so they are averaged within each replication first; the estimate
    and its 95% t interval are those of these averages, and its n counts the replications that have one.

    Nulls are left out: hubs open from the start and hubs that dropped out before the stage. A hub still in the stage
    when the run ends counts with its time so far, so with a short horizon the means are too small.
    """
    rows = of_kind(of_scenario(sites, scenario), "hub")
    replication = np.unique(rows.column("replication").to_numpy(), return_inverse=True)[1]
    stages = []
    for stage in STAGES:
        wait, work = (rows.column(f"{stage}_{kind}_days").to_numpy().astype(np.float64) for kind in ("wait", "work"))
        entered = int(np.sum(np.isfinite(wait)))
        stages.append(StageTime(stage, _mean(wait, replication), _mean(work, replication), entered))
    return stages


def _mean(days: Floats, replication: NDArray[np.intp]) -> Estimate:
    """Mean over replications of their mean over hubs."""
    known = np.isfinite(days)
    hubs = np.bincount(replication[known])
    total = np.bincount(replication[known], weights=days[known])
    return mean(total[hubs > 0] / hubs[hubs > 0])
