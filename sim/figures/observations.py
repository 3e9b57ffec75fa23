"""The history run against what was counted on the ground."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import matplotlib.dates as mdates
import numpy as np

from sim.analysis.intervals import Floats
from sim.analysis.tables import Paths, national
from sim.figures import style
from sim.figures.fan import bands_in_words, draw_fan, fan_columns
from sim.figures.style import Run

SERIES = ("hubs_functional", "hubs_open")
"""Series of observations that count what the fan shows; others are left aside."""

SLACK_DAYS = 31
"""An observation this far outside the recorded dates is still compared, with the nearest of them."""


@style.styled
def draw(run: Run, folder: Path, observations: Sequence[Mapping[str, Any]]) -> list[Path]:
    """Write observations.png and observations.csv.

    Parameters
    ----------
    observations : sequence of mappings
        Each with series, date (a date or ISO string) and value; low and high (None: not known) bound the value.

    Notes
    -----
    The CSV holds the fan (``kind`` simulated, a row a recorded date) and the observations (``kind`` observed), with
    the simulated quantiles at their date and ``inside_90``: whether the value lies in the band from p05 to p95 (empty:
    no simulation near that date).
    """
    if not style.has(run, "monthly"):
        return []
    paths = national(run.table("monthly"), "hubs_open")
    seen = sorted((_read(row) for row in observations if row["series"] in SERIES), key=lambda row: row["date"])
    if not paths.values.size or not seen:
        return []
    fan = fan_columns("hubs_open", paths)
    for row in seen:
        row |= _compare(row, paths)

    caption = (
        f"{bands_in_words(len(paths.values))} Points: dated counts with their bounds, filled within the 90% band, open "
        "outside it."
    )
    figure = style.new_figure(9.5, 5.2, run, caption)
    axes = figure.subplots()
    shown = [row for row in seen if row["inside_90"] is not None]
    bounds = {end: [row["value"] if row[end] is None else row[end] for row in shown] for end in ("low", "high")}
    include = [(row["date"], high) for row, high in zip(shown, bounds["high"], strict=True)]
    draw_fan(axes, "hubs_open", paths, style.goals_of(run, "hubs_open"), include)
    for row, low, high in zip(shown, *bounds.values(), strict=True):
        colour, face = (style.BLACK, style.BLACK) if row["inside_90"] else (style.VERMILLION, "white")
        x = mdates.date2num(row["date"])
        axes.plot([x, x], [low, high], color=colour, linewidth=1.5, zorder=4, clip_on=False)
        axes.plot(x, row["value"], "o", color=colour, mfc=face, mew=1.5, zorder=5, clip_on=False)
    met = sum(row["inside_90"] for row in shown)
    axes.set_title(f"Hubs open, simulated and counted: {met} of {len(shown)} counts within the 90% band")
    return style.save(figure, folder, "observations", run, _columns(fan, seen))


def _read(row: Mapping[str, Any]) -> dict[str, Any]:
    """An observation with a date and numbers, whatever it was read from."""
    day = row["date"]
    return {
        "series": row["series"],
        "date": date.fromisoformat(day) if isinstance(day, str) else day,
        "value": float(row["value"]),
        **{end: None if row.get(end) in (None, "") else float(row[end]) for end in ("low", "high")},
    }


def _compare(row: dict[str, Any], paths: Paths) -> dict[str, Any]:
    """Simulated quantiles at the date of an observation, and whether the 90% band holds its value."""
    simulated = _at(paths, row["date"])
    if simulated is None:
        return {"inside_90": None}
    low, median, high = np.quantile(simulated, [0.05, 0.5, 0.95]).tolist()
    return {"p05": low, "p50": median, "p95": high, "inside_90": low <= row["value"] <= high}


def _at(paths: Paths, day: date) -> Floats | None:
    """Each replication's value at a date, linear between recorded dates; None too far outside them."""
    dates = mdates.date2num(paths.dates)
    x = mdates.date2num(day)
    if not dates[0] - SLACK_DAYS <= x <= dates[-1] + SLACK_DAYS:
        return None
    return np.array([np.interp(x, dates, path) for path in paths.values])


def _columns(fan: dict[str, list[Any]], seen: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """Rows of the fan, then rows of the observations, under the union of their columns."""
    simulated = [dict(zip(fan, row, strict=True)) for row in zip(*fan.values(), strict=True)]
    rows = [{"kind": "simulated", **row} for row in simulated] + [
        {"kind": "observed", "metric": "hubs_open", "n": fan["n"][0], **row} for row in seen
    ]
    names = ["kind", "metric", "series", "date", "value", "low", "high", "inside_90"]
    names += [name for name in fan if name not in names]
    return {name: [row.get(name) for row in rows] for name in names}
