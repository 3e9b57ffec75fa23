"""Runs below a run: named points of a study, on the pool, in a folder of their own, so that they can be resumed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from sim.analysis.tables import of_scenario
from sim.config import Study, scenarios
from sim.errors import InputError, Unfinished
from sim.results.folder import Run

if TYPE_CHECKING:
    import pyarrow as pa

Sub = Callable[..., int]
"""(config, experiment, folder, quiet) -> exit code: `sim.workflow.run`."""
STRIDE = 1_000_003
Points = Mapping[str, Mapping[str, Any]]
"""Name of a point -> what it overrides."""


def fresh_seed(seed: int, block: int) -> int:
    """Seed of a block of runs that share no luck with those of the study or of another block."""
    return (seed + STRIDE * (block + 1)) % 2**63


def nested(
    run: Run, study: Study, sub: Sub, name: str, points: Points, replications: int, seed: int | None = None
) -> list[pa.Table]:
    """Run named points and return the rows of tables/runs of each, in order.

    Parameters
    ----------
    name
        Folder below that of the run.
    seed
        Of the runs; by default that of the study: the same luck as its own runs.

    Raises
    ------
    Unfinished
        If it was stopped; what is done is kept, and going on with the study goes on with it.
    """
    config = configured(run.config, points) | {
        "replications": replications,
        "seed": study.seed if seed is None else seed,
        "workers": study.workers,
        "cluster": study.cluster,
    }
    folder = run.path / name
    sub(config, f"{run.manifest['experiment']}/{name}", folder, quiet=True)
    done = Run(folder)
    if done.manifest["status"] not in ("complete", "failed"):
        raise Unfinished(done.manifest["status"])
    rows = done.table("runs")
    return [of_scenario(rows, number) for number in range(len(points))]


def configured(config: Mapping[str, Any], points: Points) -> dict[str, Any]:
    """Configuration of a plain run of the points; of the tables only `runs` is kept."""
    plain: dict[str, Any] = json.loads(json.dumps(config))
    listed = [{"name": name, **overrides} for name, overrides in points.items()]
    return plain | {"study": {"kind": "montecarlo"}, "sweep": {"list": listed}, "tables": ["runs"], "only": None}


def mistake(config: Mapping[str, Any], overrides: Mapping[str, Any]) -> str | None:
    """What is wrong with a point, if anything."""
    try:
        scenarios(configured(config, {"point": overrides}))
    except InputError as error:
        return str(error).removeprefix("sweep, scenario point: ").replace("sweep.list.0.", "")
    return None
