"""What it takes: cost against the probability of the goal, and the packages that were tested."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from sim.analysis import words
from sim.figures import style
from sim.figures.style import Run


@style.styled
def draw(run: Run, folder: Path) -> list[Path]:
    """Write cost_frontier and package, if the run is a search for the cheapest plan that was finished."""
    file = run.path / "solve.json"
    if not file.is_file():
        return []
    content = json.loads(file.read_text(encoding="utf-8"))
    return [*_frontier(run, folder, content), *_package(run, folder, content)]


def _frontier(run: Run, folder: Path, content: dict[str, Any]) -> list[Path]:
    """Every plan that was run, the frontier that the surrogate expects, and the plans tested on fresh runs."""
    goal, seen = content["goal"], content["seen"]
    tested = [one for one in content["tested"] if one["runs"]]
    by = words.day(date.fromisoformat(goal["by"]))
    caption = (
        f"Chance of {goal['label']} by {by}. Grey: plans run in the search ({len(seen)} of "
        f"{content['plans']:,} in the ranges; larger: more runs). Blue: the best chance expected at each cost, with "
        f"the middle 90% of a Gaussian process fitted to them. Diamonds: plans tested on fresh runs, down to the "
        f"one-sided {words.percent(content['confidence'])} bound. Unit costs are mostly assumptions."
    )
    figure = style.new_figure(9.5, 5.4, run, caption)
    axes = figure.subplots()
    line = content["frontier"]
    x = [one["cost_rs_million"] for one in line]
    axes.fill_between(
        x, [one["low"] for one in line], [one["high"] for one in line], step="post", color=style.BLUE, alpha=0.15, lw=0
    )
    axes.step(x, [one["probability"] for one in line], where="post", color=style.BLUE, linewidth=1.6)
    most = max((one["runs"] for one in seen), default=1)
    axes.scatter(
        [one["cost_rs_million"] for one in seen],
        [one["successes"] / one["runs"] for one in seen],
        s=[8 + 40 * one["runs"] / most for one in seen],
        color=style.GREY, alpha=0.4, linewidth=0,
    )  # fmt: skip
    axes.axhline(goal["target"], color=style.VERMILLION, linewidth=1, linestyle=(0, (5, 3)))
    for one in tested:
        colour = style.GREEN if one["passed"] else style.VERMILLION
        at = one["cost_rs_million"]
        axes.plot([at, at], [one["at_least"], one["probability"]], color=colour, linewidth=1.5, zorder=4)
        axes.plot(at, one["probability"], "D", color=colour, markersize=6, zorder=5)
    axes.set_ylim(-0.03, 1.03)
    right = max([0, *x, *(one["cost_rs_million"] for one in (*seen, *tested))])
    axes.set_xlim(min([0, *x]) - 0.02 * right, 1.04 * right or 1)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: words.percent(value)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: words.number(value)))
    axes.set_xlabel("cost more than things as they are, Rs million")
    axes.set_ylabel("chance of the goal")
    style.label_right(axes, [style.Label(goal["target"], f"target {words.percent(goal['target'])}", style.VERMILLION)])
    rate = content["rupees_per_dollar"]
    axes.secondary_xaxis("top", functions=(lambda v: v / rate, lambda v: v * rate)).set_xlabel("million dollars")
    style.headline(figure, _title(content))
    columns: dict[str, list[Any]] = {
        name: [] for name in ("kind", "cost_rs_million", "probability", "low", "high", "n")
    }
    for kind, rows in (("seen", seen), ("expected", line), ("tested", tested)):
        for one in rows:
            n = one.get("runs")
            probability = one["probability"] if "probability" in one else one["successes"] / n
            low, high = (one.get("low", one.get("at_least")), one.get("high"))
            cells = (kind, one["cost_rs_million"], probability, low, high, n)
            for column, cell in zip(columns.values(), cells, strict=True):
                column.append(cell)
    for name in content["frontier"][0]["levers"] if content["frontier"] else ():
        columns[name] = [one["levers"][name] for rows in (seen, line, tested) for one in rows]
    return style.save(figure, folder, "cost_frontier", run, columns)


def _title(content: dict[str, Any]) -> str:
    goal, best = content["goal"], content["chosen"]
    if best and best["passed"]:
        return (
            f"{goal['label']}: {words.percent(goal['target'])} certified for Rs "
            f"{words.number(round(best['cost_rs_million']))} million (${words.number(best['cost_usd_million'])}m) more"
        )
    if not best or not best["runs"]:
        return f"{goal['label']}: no plan could be run"
    target, reached = words.percent(goal["target"]), words.percent(best["probability"])
    return f"{goal['label']}: {target} not certified in these ranges; the best plan found got there in {reached}"


def _package(run: Run, folder: Path, content: dict[str, Any]) -> list[Path]:
    """The chosen package: where each lever stands in its range, what it costs, and the chance without it."""
    one = content["chosen"]
    if not one or not one["runs"]:
        return []
    levers = run.config["study"]["levers"]
    without = content["without"]
    name = "certified package" if one["passed"] else "best package found"
    caption = (
        f"The {name}: each lever from how things are (left end) to the end of its range (right end). Right: the chance "
        f"if this lever alone were left as it is, as the search expects; and the bill, at unit costs that are mostly "
        "assumptions."
    )
    lines = [line for line in one["bill"] if abs(line["cost"]) > 1e-9]
    figure = style.new_figure(9.5, 2.3 + 0.42 * max(len(levers), len(lines)), run, caption)
    left, right = figure.subplots(1, 2, gridspec_kw={"width_ratios": [1, 0.9], "wspace": 0.12})
    labels = []
    for row, (key, lever) in enumerate(levers.items()):
        values = lever["values"]
        place = values.index(one["levers"][key]) / (len(values) - 1)
        left.plot([0, 1], [row, row], color="#CCCCCC", linewidth=3, solid_capstyle="butt")
        left.plot(np.linspace(0, 1, len(values)), [row] * len(values), "|", color=style.GREY, markersize=7)
        left.plot([0, place], [row, row], color=style.BLUE, linewidth=3, solid_capstyle="butt")
        left.plot(place, row, "o", color=style.BLUE, markersize=7)
        said = f"{words.number(values[0])} → {words.number(one['levers'][key])}" if place else "as it is"
        if key in without:
            said += f"\n{words.percent(without[key])} without"
        labels.append(style.Label(row, said, style.BLACK))
    left.set_yticks(range(len(levers)), [key.replace("_", " ") for key in levers])
    left.set_ylim(len(levers) - 0.5, -0.5)
    left.set_xlim(-0.04, 1.04)
    left.set_xticks([0, 1], ["as it is", "end of range"])
    left.set_title(f"{words.capital(name)}: goal met in {words.percent(one['probability'])}", fontsize=10)
    _bill(right, lines)
    style.label_right(left, labels)
    columns = {
        "lever": list(levers),
        "now": [lever["values"][0] for lever in levers.values()],
        "then": [one["levers"][key] for key in levers],
        "expected_without": [without.get(key) for key in levers],
    }
    return style.save(figure, folder, "package", run, columns)


def _bill(axes: Axes, lines: list[dict[str, Any]]) -> None:
    """Bars of the cost of each item."""
    costs = [line["cost"] for line in lines]
    axes.barh(range(len(lines)), costs, color=style.ORANGE, height=0.6)
    for row, cost in enumerate(costs):
        axes.annotate(
            words.number(round(cost)), (max(cost, 0), row), (4, 0), textcoords="offset points", va="center",
            fontsize=style.SMALL,
        )  # fmt: skip
    axes.set_yticks(range(len(lines)), [style.wrap(line["label"], 24) for line in lines])
    axes.set_ylim(max(len(lines), 1) - 0.5, -0.5)
    axes.set_xlim(min(0, *costs, 0) * 1.1, 1.25 * max([*costs, 1]))
    axes.set_title(f"Rs million more: {words.number(round(sum(costs)))} in all", fontsize=10)
