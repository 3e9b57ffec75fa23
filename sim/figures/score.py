"""Forecast and observation at each observed date, and where the observation fell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes

from sim.analysis import words
from sim.analysis.scores import bounds
from sim.analysis.tables import FEW
from sim.figures import style
from sim.figures.style import Label, Run

MOST = 60
"""Rows of the figure at most, the latest observations; the CSV has all."""
BANDS = (("p05", "p95", 0.05, 0.95, 9), ("p25", "p75", 0.25, 0.75, 9))


@style.styled
def draw(run: Run, folder: Path, entries: Sequence[Mapping[str, Any]]) -> list[Path]:
    """Write score.png, if anything is scored, and score.csv: a row an entry of `sim.analysis.scores.score`."""
    columns = {name: [entry[name] for entry in entries] for name in entries[0]}
    scored = sorted((entry for entry in entries if not entry["not_scored"]), key=lambda entry: entry["date"])
    if not scored:
        return [style.write_csv(folder, "score", columns)]
    shown = scored[-MOST:]
    groups = {
        metric: [entry for entry in shown if entry["metric"] == metric]
        for metric in dict.fromkeys(entry["metric"] for entry in shown)
    }
    inside = sum(entry["inside_90"] for entry in scored)
    figure = style.new_figure(9.5, 2.0 + 0.27 * len(shown) + 0.55 * len(groups), run, _caption(scored))
    grid = figure.subplots(
        len(groups), 2, squeeze=False, width_ratios=[2.6, 1], height_ratios=[len(own) + 0.8 for own in groups.values()]
    )
    for (left, right), (metric, own) in zip(grid, groups.items(), strict=True):
        _draw_values(left, metric, own)
        _draw_pit(right, own)
        left.set_title(words.capital(words.name(metric)), fontsize=9)
    grid[0][1].set_title("PIT: share of runs below it", fontsize=9)
    for (_, right), (metric, own) in zip(grid, groups.items(), strict=True):  # when all else has its place
        style.label_right(
            right, [Label(y, f"CRPS {words.difference(metric, one['crps'])}", style.BLACK) for y, one in enumerate(own)]
        )
    style.headline(figure, f"Observed and forecast: {inside} of {len(scored)} observations within the 90% interval")
    return style.save(figure, folder, "score", run, columns)


def _draw_values(axes: Axes, metric: str, entries: Sequence[Mapping[str, Any]]) -> None:
    """Bands and median of the runs, and the observation with its bounds, a row an entry."""
    for y, entry in enumerate(entries):
        for low, high, _, _, width in BANDS:
            axes.plot(
                [entry[low], entry[high]], [y, y], color=style.BLUE, linewidth=width, alpha=0.3, solid_capstyle="butt"
            )
        axes.plot([entry["p50"]] * 2, [y - 0.28, y + 0.28], color=style.BLUE, linewidth=1.5)
        _point(axes, entry["value"], bounds(entry), y, entry["inside_90"])
    ends = [x for entry in entries for x in (entry["p05"], entry["p95"], *bounds(entry))]
    lowest, highest = min(0.0, *ends), max(ends)
    axes.set_xlim(1.05 * lowest, 1.05 * highest or 1.0)
    axes.set_yticks(range(len(entries)), [f"{entry['date'].day} {entry['date']:%b %Y}" for entry in entries])
    style.value_axis(axes.xaxis, metric)
    _rows(axes, len(entries))


def _draw_pit(axes: Axes, entries: Sequence[Mapping[str, Any]]) -> None:
    """Where each observation fell among the runs, from 0 to 1, with what its bounds would give."""
    for _, _, low, high, _ in BANDS:
        axes.axvspan(low, high, color=style.BLUE, alpha=0.12, linewidth=0)
    for y, entry in enumerate(entries):
        _point(axes, entry["pit"], (entry["pit_low"], entry["pit_high"]), y, entry["inside_90"])
    axes.set_xlim(-0.03, 1.06)
    axes.set_xticks([0.05, 0.25, 0.5, 0.75, 0.95], ["5%", "25%", "50%", "75%", "95%"])
    axes.set_yticks([])
    _rows(axes, len(entries))


def _point(axes: Axes, x: float, ends: tuple[float, float], y: float, inside: bool) -> None:
    colour, face = (style.BLACK, style.BLACK) if inside else (style.VERMILLION, "white")
    axes.plot(ends, [y, y], color=colour, linewidth=1.5, zorder=4, clip_on=False)
    axes.plot(x, y, "o", color=colour, mfc=face, mew=1.5, markersize=5, zorder=5, clip_on=False)


def _rows(axes: Axes, rows: int) -> None:
    axes.set_ylim(rows - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)


def _caption(scored: Sequence[Mapping[str, Any]]) -> str:
    runs = max(entry["n"] for entry in scored)
    few = " So few runs give rough bands." if runs < FEW else ""
    left_out = f" The {MOST} latest of {len(scored)} are drawn." if len(scored) > MOST else ""
    return (
        f"Bars: the middle 90% and 50% of {runs:,} runs, and their median. Points: what was observed, with its bounds; "
        "open outside the 90%. PIT counts half of the runs equal to it; if forecasts are right, it falls evenly from 0 "
        f"to 100%. CRPS: the lower the better, in the unit of the value.{few}{left_out}"
    )
