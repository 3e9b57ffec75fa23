"""What the counts tell about the parameters: prior and posterior, counts as they were seen, ranks of true values."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import matplotlib.dates as mdates
import numpy as np

from sim.analysis import words
from sim.figures import style
from sim.figures.fan import time_axis
from sim.figures.style import Label, Run

SIDES = {"prior": style.GREY, "posterior": style.BLUE}


@style.styled
def draw(run: Run, folder: Path) -> list[Path]:
    """Write calibrated_parameters, calibrated_counts and ranks, if the run is a calibration that found an answer."""
    file = run.path / "calibration.json"
    if not file.is_file():
        return []
    content = json.loads(file.read_text(encoding="utf-8"))
    paths = [*_parameters(run, folder, content), *_counts(run, folder, content)]
    return paths + _ranks(run, folder, content) if "trials" in content else paths


def _parameters(run: Run, folder: Path, content: dict[str, Any]) -> list[Path]:
    """Middle 80% and median of every parameter, scaled to the middle 80% of its prior."""
    parameters = content["parameters"]
    caption = (
        "Median and middle 80% of each parameter before (grey) and after (blue) the history runs were weighted by the "
        "dated counts, scaled to the ends before. The runs are worth "
        f"{content['effective_sample_size']:.0f} that agree with the counts."
    )
    figure = style.new_figure(9.5, 1.6 + 0.5 * len(parameters), run, caption)
    axes = figure.subplots()
    columns: dict[str, list[Any]] = {name: [] for name in ("parameter", "side", "p10", "p50", "p90")}
    labels = []
    for row, (path, sides) in enumerate(parameters.items()):
        low, high = sides["prior"]["p10"], sides["prior"]["p90"]
        for offset, (side, colour) in zip((-0.14, 0.14), SIDES.items(), strict=True):
            values = [sides[side][q] for q in ("p10", "p50", "p90")]
            p10, p50, p90 = ((value - low) / (high - low) for value in values)
            axes.plot([p10, p90], [row + offset] * 2, color=colour, linewidth=4, alpha=0.5, solid_capstyle="butt")
            axes.plot(p50, row + offset, "o", color=colour, markersize=4)
            for column, cell in zip(columns.values(), (path, side, *values), strict=True):
                column.append(cell)
        before, then = (words.listed([words.number(sides[side][q]) for q in ("p10", "p90")]) for side in SIDES)
        said = f"between {before},\nthen {then}"
        labels.append(Label(row, said, style.BLACK))
    axes.set_yticks(range(len(parameters)), list(parameters))
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(parameters) - 0.5, -0.5)
    axes.set_xticks([0, 1], ["tenth lowest\nbefore", "tenth highest\nbefore"])
    style.label_right(axes, labels)
    axes.set_title("What the counts tell about the parameters, one by one")
    return style.save(figure, folder, "calibrated_parameters", run, columns)


def _counts(run: Run, folder: Path, content: dict[str, Any]) -> list[Path]:
    """Each dated count with its bounds, beside what runs had then: all, weighted, and weighted by the other counts."""
    counts = content["counts"]
    caption = (
        "Dated counts of open hubs with their bounds (black), and the middle 90% and median of the history runs at "
        "each date: all that had a call when there was one (grey), weighted by all counts (blue), weighted by all "
        "counts but this one (orange)."
    )
    figure = style.new_figure(9.5, 5.0, run, caption)
    axes = figure.subplots()
    sides = SIDES | {"left_out": style.ORANGE}
    for number, (side, colour) in enumerate(sides.items()):
        for seen in counts:
            x = mdates.datestr2num(seen["date"]) + 9 * (number - 1.5)
            axes.plot([x, x], [seen[side]["p05"], seen[side]["p95"]], color=colour, linewidth=4, alpha=0.5)
            axes.plot(x, seen[side]["p50"], "o", color=colour, markersize=4)
    for seen in counts:
        x = mdates.datestr2num(seen["date"]) + 13.5
        axes.plot([x, x], [seen["low"], seen["high"]], color=style.BLACK, linewidth=1.5)
        axes.plot(x, seen["value"], "D", color=style.BLACK, markersize=5)
    days = [date.fromisoformat(seen["date"]) for seen in counts]
    time_axis(axes, [min(days) - timedelta(30), max(days) + timedelta(30)])
    axes.set_ylim(0)
    style.value_axis(axes.yaxis, "hubs_open")
    axes.set_ylabel("hubs open")
    errors = [np.mean([seen[side]["crps"] for seen in counts]) for side in sides]
    said = [f"{side.replace('_', ' ')} {words.number(error)}" for side, error in zip(sides, errors, strict=True)]
    axes.set_title(f"Counts seen and simulated. Mean CRPS: {', '.join(said)}")
    keys = ("date", "value", "low", "high", "sd")
    columns: dict[str, list[Any]] = {key: [seen[key] for seen in counts] for key in keys}
    for side in sides:
        for q in ("p05", "p50", "p95", "crps"):
            columns[f"{side}_{q}"] = [seen[side][q] for seen in counts]
    return style.save(figure, folder, "calibrated_counts", run, columns)


def _ranks(run: Run, folder: Path, content: dict[str, Any]) -> list[Path]:
    """Histogram of where the true value fell, for every parameter."""
    tried = content["trials"]["parameters"]
    truths = content["trials"]["truths"]
    caption = (
        f"{truths:,} history runs in turn took the part of the truth and were observed as the world was: where each "
        "parameter's true value fell among the weighted other runs. Flat is right. Grey: where 99% of flat bars lie."
    )
    rows = -(-len(tried) // 4)
    figure = style.new_figure(9.5, 1.3 + 1.8 * rows, run, caption)
    all_axes = figure.subplots(rows, 4, squeeze=False, sharex=True, sharey=True).ravel()
    columns: dict[str, list[Any]] = {name: [] for name in ("parameter", "bin", "count", "p")}
    for axes, (path, one) in zip(all_axes, tried.items(), strict=False):
        bars = len(one["ranks"])
        expected = truths / bars
        half = 2.576 * np.sqrt(expected * (1 - 1 / bars))
        axes.axhspan(expected - half, expected + half, color="#DDDDDD", linewidth=0)
        axes.bar((np.arange(bars) + 0.5) / bars, one["ranks"], width=0.9 / bars, color=style.BLUE)
        axes.set_title(style.wrap(path, 24), fontsize=8)
        for i, count in enumerate(one["ranks"]):
            for column, cell in zip(columns.values(), (path, i, count, one["p"]), strict=True):
                column.append(cell)
    for axes in all_axes[len(tried) :]:
        axes.axis("off")
    style.headline(figure, f"Is the method right? Ranks of true values; smallest of {len(tried)} p-values "
                           f"{min(one['p'] for one in tried.values()):.2g}")  # fmt: skip
    return style.save(figure, folder, "ranks", run, columns)
