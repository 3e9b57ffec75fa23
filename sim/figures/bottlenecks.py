"""Bottlenecks: the gap to each goal step by step, limits one by one, and what hubs under way are at, month by month."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from sim.analysis import words
from sim.analysis.bottlenecks import STATES
from sim.figures import style
from sim.figures.fan import time_axis
from sim.figures.style import Run

COLOURS = (style.VERMILLION, style.SKY, style.BLUE, style.ORANGE, style.PURPLE, style.GREEN, style.GREY)
"""Of `STATES`: the warm ones are waiting."""
SCARCE = tuple(state for state in STATES if state.startswith("waiting"))


@style.styled
def draw(run: Run, folder: Path) -> list[Path]:
    """Write gap_METRIC, limits and under_way, if the run is a study of bottlenecks that was finished."""
    file = run.path / "bottlenecks.json"
    if not file.is_file():
        return []
    content = json.loads(file.read_text(encoding="utf-8"))
    paths = [path for gap in content["gaps"] for path in _gap(run, folder, gap)]
    paths += _limits(run, folder, content)
    table = run.path / "tables" / "under_way.parquet"
    return paths + _under_way(run, folder, table) if table.is_file() else paths


def _gap(run: Run, folder: Path, gap: dict[str, Any]) -> list[Path]:
    """From the mean as it is to the goal: what each group of limits keeps from it."""
    metric, members = gap["metric"], run.config["study"]["groups"]
    caption = (
        f"Mean of {gap['runs']:,} runs, each counted up to the goal only, so that no run makes up for another. Each "
        "step is the mean gain from removing those limits over all orders of removing the groups (Shapley value; "
        "lines: 95% interval). Circles: the gain if they alone are removed; crosses: if they are removed after all "
        "others. conf/study/bottlenecks.yaml says what removed means."
    )
    figure = style.new_figure(9.5, 2.1 + 0.5 * (len(gap["steps"]) + 3), run, caption)
    axes = figure.subplots()
    said: list[tuple[str, float, float, dict[str, Any] | None]] = [("as it is", 0.0, gap["mean"]["value"], None)]
    level = gap["mean"]["value"]
    for step in gap["steps"]:
        inside = ", ".join(limit.replace("_", " ") for limit in members[step["group"]])
        label = step["group"] if inside == step["group"] else f"{step['group']} ({inside})"
        said.append((label, level, level + step["shapley"]["value"], step))
        level += step["shapley"]["value"]
    said.append(("still short with all of them removed", level, level + gap["still_short"], None))
    said.append(("goal", 0.0, gap["level"], None))
    ends = [gap["level"]]
    for row, (_, before, after, step) in enumerate(said):
        total = row in (0, len(said) - 1)
        fall = style.VERMILLION if after < before - 1e-9 else style.GREEN
        colour = style.BLUE if total else style.GREY if step is None else fall
        axes.barh(row, after - before, left=before, height=0.56, color=colour)
        right = max(before, after)
        text = words.amount(metric, after if total else after - before)
        if step is not None:
            low, high = (step["shapley"][end] for end in ("low", "high"))
            if low is not None:
                axes.plot([before + low, before + high], [row, row], color=style.BLACK, linewidth=1)
                right = max(right, before + high)
            for part, marker in (("alone", "o"), ("last", "x")):
                at = before + step[part]["value"]
                axes.plot(at, row - 0.36, marker, color=style.BLACK, markersize=4, markerfacecolor="none")
            text = f"+{text}" if after > before else text
        ends.append(right)
        axes.annotate(text, (right, row), (5, 0), textcoords="offset points", va="center", fontsize=style.SMALL)
        if row + 1 < len(said):
            axes.plot([after, after], [row, row + 1], color=style.GREY, linewidth=0.6, zorder=0)
    axes.set_yticks(range(len(said)), [style.wrap(label, 36) for label, *_ in said])
    axes.tick_params(axis="y", length=0)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.12 * max(ends))
    style.value_axis(axes.xaxis, metric)
    gains = f"{words.amount(metric, gap['mean']['value'])} of {words.amount(metric, gap['level'])}"
    style.headline(
        figure,
        f"{gap['label']} by {words.day(date.fromisoformat(gap['by']))}: {gains} as things are; the largest share of "
        f"the gap is {gap['steps'][0]['group']}",
    )
    columns: dict[str, list[Any]] = {"step": ["as_it_is"], "amount": [gap["mean"]["value"]]}
    columns |= {name: [gap["mean"]["low"] if name == "low" else gap["mean"]["high"]] for name in ("low", "high")}
    columns |= {"alone": [None], "last": [None]}
    for step in gap["steps"]:
        cells = (step["group"], *(step["shapley"][k] for k in ("value", "low", "high")), step["alone"]["value"],
                 step["last"]["value"])  # fmt: skip
        for column, cell in zip(columns.values(), cells, strict=True):
            column.append(cell)
    for name, amount in (("still_short", gap["still_short"]), ("goal", gap["level"])):
        for column, cell in zip(columns.values(), (name, amount, None, None, None, None), strict=True):
            column.append(cell)
    return style.save(figure, folder, f"gap_{gap['goal']}", run, columns)


def _limits(run: Run, folder: Path, content: dict[str, Any]) -> list[Path]:
    """Forest of paired differences: each limit removed and tightened by itself."""
    found = content["limits"]
    metrics = [gap["metric"] for gap in content["gaps"]]
    names = list(dict.fromkeys(one["limit"] for one in found))
    runs = max((difference["n"] for one in found for difference in one["differences"]), default=0)
    caption = (
        f"Mean difference from things as they are over {runs:,} pairs of runs on the same luck: the limit removed "
        "(green) and tightened (red), everything else as it is. Intervals hold for all comparisons together. What "
        "removed and tightened mean is in conf/study/bottlenecks.yaml."
    )
    figure = style.new_figure(9.5, 1.9 + 0.36 * len(names), run, caption)
    all_axes = figure.subplots(1, len(metrics), squeeze=False, sharey=True)[0]
    columns: dict[str, list[Any]] = {
        name: [] for name in ("limit", "side", "metric", "difference", "low", "high", "n", "distinct")
    }
    labels = {one["limit"]: one["label"] for one in found}
    for axes, metric in zip(all_axes, metrics, strict=True):
        for one in found:
            (means,) = (d for d in one["differences"] if not d["is_goal"] and d["metric"] == metric)
            removed = one["side"] == "removed"
            row = names.index(one["limit"]) + (-0.15 if removed else 0.15)
            colour = style.GREEN if removed else style.VERMILLION
            if means["low"] is not None:
                axes.plot([means["low"], means["high"]], [row, row], color=colour, linewidth=1.5)
            axes.plot(means["difference"], row, "o", color=colour, markersize=4)
            cells = (
                one["limit"],
                one["side"],
                metric,
                *(means[k] for k in ("difference", "low", "high", "n", "distinct")),
            )
            for column, cell in zip(columns.values(), cells, strict=True):
                column.append(cell)
        axes.axvline(0, color=style.GREY, linewidth=0.8)
        for row in range(1, len(names), 2):
            axes.axhspan(row - 0.5, row + 0.5, color="#F4F4F4", linewidth=0, zorder=0)
        style.value_axis(axes.xaxis, metric)
        axes.xaxis.get_major_locator().set_params(nbins=5)
        axes.set_title(words.name(metric), fontsize=10)
        axes.set_xlabel("more or less than as things are")
    all_axes[0].set_yticks(range(len(names)), [labels[name] for name in names])
    all_axes[0].tick_params(axis="y", length=0)
    all_axes[0].set_ylim(len(names) - 0.5, -0.5)
    style.headline(figure, "Each limit by itself: what removing it would add, what tightening it would take")
    return style.save(figure, folder, "limits", run, columns)


def _under_way(run: Run, folder: Path, file: Path) -> list[Path]:
    """Hubs under way by what they are at: by month, and by region the share that waits for what is scarce."""
    table = pq.read_table(file)
    regions = list(dict.fromkeys(table.column("region").to_pylist()))
    months = np.unique(table.column("month_end").to_numpy().astype("datetime64[D]"))
    if not months.size:
        return []
    hubs = table.column("hubs").to_numpy().reshape(len(regions), months.size, len(STATES))
    caption = (
        "Left: hubs under way at each month end, mean of the runs, by what they are at; warm colours are waiting. How "
        "long a hub that was under way at the start had waited is not known: it counts as at work. Right: the share of "
        "each region's hubs under way that wait, over all month ends, with the mean number under way."
    )
    figure = style.new_figure(9.5, 5.0, run, caption)
    left, right = figure.subplots(1, 2, gridspec_kw={"width_ratios": [1.25, 1]})
    national = hubs.sum(axis=0)
    dates = months.tolist()
    order = [i for i, s in enumerate(STATES) if s in SCARCE] + [i for i, s in enumerate(STATES) if s not in SCARCE]
    left.stackplot(dates, national[:, order].T, colors=[COLOURS[i] for i in order], labels=[STATES[i] for i in order])
    time_axis(left, dates)
    left.set_ylim(0)
    left.set_ylabel("hubs under way")
    left.set_title("What hubs under way are at", fontsize=10)
    handles, names = left.get_legend_handles_labels()
    left.legend(
        handles, names, loc="upper center", bbox_to_anchor=(0.5, -0.08), ncols=2, fontsize=style.SMALL, frameon=False
    )
    total = hubs.sum(axis=(1, 2))
    start = np.zeros(len(regions))
    for state in SCARCE:
        i = STATES.index(state)
        share = np.divide(hubs[:, :, i].sum(axis=1), total, out=np.zeros(len(regions)), where=total > 0)
        right.barh(range(len(regions)), share, left=start, color=COLOURS[i], height=0.6)
        start += share
    for row, (share, mean) in enumerate(zip(start, total / months.size, strict=True)):
        text = f"{words.percent(share)} of {words.number(mean)}"
        right.annotate(text, (share, row), (4, 0), textcoords="offset points", va="center", fontsize=style.SMALL)
    right.set_yticks(range(len(regions)), regions)
    right.set_ylim(len(regions) - 0.5, -0.5)
    right.set_xlim(0, 1.35 * max(0.02, *start))
    right.xaxis.set_major_formatter(lambda value, _: f"{words.number(100 * value)}%")
    right.set_title("Share that waits, by region", fontsize=10)
    waiting = national[:, [STATES.index(state) for state in SCARCE]].sum() / max(national.sum(), 1e-12)
    style.headline(
        figure, f"Of the hubs under way, {words.percent(waiting)} wait for the committee, money or a contractor"
    )
    columns = {name: table.column(name).to_pylist() for name in table.column_names}
    return style.save(figure, folder, "under_way", run, columns)
