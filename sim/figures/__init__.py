"""Figures, one per file, drawn from the saved tables of a run only.

Each module has ``draw(run, folder) -> list[Path]``: it writes a PNG and, beside it, the plotted numbers as CSV,
and returns an empty list when the run holds nothing to draw.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sim.figures.style import Run


def draw_all(run: Run, folder: Path) -> list[Path]:
    """Draw every figure that applies to a run: heat maps for a sweep, otherwise all figures of one scenario."""
    # matplotlib is slow to import, so the figures are too: late.
    from sim.figures import (
        bottlenecks,
        calibration,
        claims,
        comparison,
        discover,
        exports,
        goal_probability,
        hubs_open,
        jobs,
        national_exports,
        outcome_dots,
        plans,
        portfolio_exports,
        portfolio_jobs,
        reference_class,
        regions,
        sensitivity,
        solve,
        sweep_heatmap,
        system_shares,
        tile_map,
        time_use,
        value_of_information,
        waterfall,
    )

    if run.summary.get("cells"):
        return plans.draw(run, folder)
    kinds = {
        "calibrate": calibration,
        "solve": solve,
        "bottlenecks": bottlenecks,
        "sensitivity": sensitivity,
        "discover": discover,
        "value_of_information": value_of_information,
    }
    if (kind := (run.config.get("study") or {}).get("kind")) in kinds:
        return kinds[kind].draw(run, folder)
    if len(run.manifest.get("scenarios") or ()) > 1:
        alternatives = comparison.draw_run(run, folder) if run.summary.get("paired") else []
        return alternatives or sweep_heatmap.draw(run, folder)
    single = (hubs_open, jobs, goal_probability, outcome_dots, time_use, exports, regions, tile_map, reference_class)
    portfolio = (portfolio_jobs, portfolio_exports, claims, waterfall, system_shares, national_exports)
    return [path for figure in (*single, *portfolio) for path in figure.draw(run, folder)]
