"""The history run against what was counted on the ground."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib.dates as mdates

from sim.analysis.scores import bounds, score
from sim.analysis.tables import national
from sim.figures import style
from sim.figures.fan import bands_in_words, draw_fan, fan_columns
from sim.figures.style import Run


@style.styled
def draw(run: Run, folder: Path, observations: Sequence[Mapping[str, Any]]) -> list[Path]:
    """Write observations.png and observations.csv.

    Parameters
    ----------
    observations : sequence of mappings
        As for `sim.analysis.scores.score`; those of anything but hubs open are left aside.

    Notes
    -----
    The CSV holds the fan (``kind`` simulated, a row a recorded date) and the observations (``kind`` observed), with
    the simulated quantiles at their date and ``inside_90``: whether the value lies in the band from p05 to p95 (empty:
    not within the simulated dates).
    """
    if not style.has(run, "monthly"):
        return []
    paths = national(run.table("monthly"), "hubs_open")
    entries = [entry for entry in score(run.table("monthly"), observations) if entry["metric"] == "hubs_open"]
    seen = sorted(entries, key=lambda entry: entry["date"])
    if not paths.values.size or not seen:
        return []
    fan = fan_columns("hubs_open", paths)
    caption = (
        f"{bands_in_words(len(paths.values))} Points: dated counts with their bounds, filled within the 90% band, open "
        "outside it."
    )
    figure = style.new_figure(9.5, 5.2, run, caption)
    axes = figure.subplots()
    shown = [row for row in seen if row["inside_90"] is not None]
    include = [(row["date"], bounds(row)[1]) for row in shown]
    draw_fan(axes, "hubs_open", paths, style.goals_of(run, "hubs_open"), include)
    for row in shown:
        colour, face = (style.BLACK, style.BLACK) if row["inside_90"] else (style.VERMILLION, "white")
        x = mdates.date2num(row["date"])
        axes.plot([x, x], bounds(row), color=colour, linewidth=1.5, zorder=4, clip_on=False)
        axes.plot(x, row["value"], "o", color=colour, mfc=face, mew=1.5, zorder=5, clip_on=False)
    met = sum(row["inside_90"] for row in shown)
    axes.set_title(f"Hubs open, simulated and counted: {met} of {len(shown)} counts within the 90% band")
    return style.save(figure, folder, "observations", run, _columns(fan, seen))


def _columns(fan: dict[str, list[Any]], seen: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """Rows of the fan, then rows of the observations, under the union of their columns."""
    simulated = [dict(zip(fan, row, strict=True)) for row in zip(*fan.values(), strict=True)]
    rows = [{"kind": "simulated", **row} for row in simulated] + [{"kind": "observed", **row} for row in seen]
    names = ["kind", "metric", "series", "date", "value", "low", "high", "inside_90"]
    names += [name for name in fan if name not in names]
    return {name: [row.get(name) for row in rows] for name in names}
