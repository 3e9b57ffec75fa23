"""Where a hub's time goes: waiting and working days, stage by stage."""

from __future__ import annotations

from math import ceil
from pathlib import Path
from typing import Any

import numpy as np

from sim.analysis import words
from sim.analysis.tables import finished
from sim.analysis.time_use import StageTime, time_use
from sim.figures import style
from sim.figures.style import Run


@style.styled
def draw(run: Run, folder: Path) -> list[Path]:
    """Write time_use.png and time_use.csv."""
    if not style.has(run, "sites"):
        return []
    stages = [stage for stage in time_use(run.table("sites")) if stage.waiting.n or stage.working.n]
    if not stages:
        return []
    caption = (
        "Mean days a hub waits for a stage (hatched) and works in it (solid), over the hubs that entered it; a hub "
        "still there at the end counts with its time so far. "
        f"{_precision(stages)}"
    )
    runs = len(finished(run.table("runs"))) if style.has(run, "runs") else run.manifest["replications"]
    waiting = np.nan_to_num([stage.waiting.value for stage in stages])
    working = np.nan_to_num([stage.working.value for stage in stages])
    rows = range(len(stages))

    figure = style.new_figure(9.5, 1.7 + 0.5 * len(stages), run, caption)
    axes = figure.subplots()
    axes.barh(rows, waiting, height=0.6, facecolor="#F6C9A8", edgecolor=style.VERMILLION, hatch="///", linewidth=0)
    axes.barh(rows, working, height=0.6, left=waiting, color=style.BLUE)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.02 * float((waiting + working).max()) or 1.0)
    axes.set_yticks(rows, [stage.stage.replace("_", "-") for stage in stages])
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("days in the stage, mean over hubs")
    style.label_right(
        axes, [style.Label(row, _in_words(stage, runs), style.BLACK) for row, stage in zip(rows, stages, strict=True)]
    )
    total = f"{words.number(round(waiting.sum()))} days waiting, {words.number(round(working.sum()))} working"
    axes.set_title(f"Where a hub's time goes: {total}")
    columns: dict[str, list[Any]] = {
        "stage": [stage.stage for stage in stages],
        "hubs": [stage.hubs for stage in stages],
        **{
            f"{kind}_{field}": [getattr(getattr(stage, kind), field) for stage in stages]
            for kind in ("waiting", "working")
            for field in ("value", "low", "high", "n")
        },
    }
    return style.save(figure, folder, "time_use", run, columns)


def _in_words(stage: StageTime, runs: int) -> str:
    days = [words.number(round(time.value)) if time.n else "?" for time in (stage.waiting, stage.working)]
    return f"{days[0]} waiting, {days[1]} working\n{words.number(stage.hubs / runs)} hubs a run"


def _precision(stages: list[StageTime]) -> str:
    """How wide the widest interval of the means is."""
    halves = [time.high - time.value for stage in stages for time in (stage.waiting, stage.working) if time.n > 1]
    return f"Every mean is known to ±{ceil(max(halves))} days or better (95% intervals)." if halves else ""
