"""What matters: Sobol indices as dots with intervals, a tornado of swings, and elementary effects, by outcome."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from matplotlib.ticker import PercentFormatter

from sim.analysis import words
from sim.figures import style
from sim.figures.style import Label, Run

SHOWN = 12


@style.styled
def draw(run: Run, folder: Path) -> list[Path]:
    """Write sensitivity_indices, tornado and elementary_effects for every outcome that varies."""
    file = run.path / "sensitivity.json"
    if not file.is_file():
        return []
    content = json.loads(file.read_text(encoding="utf-8"))
    paths = []
    for name, one in content["outcomes"].items():
        if "indices" in one:
            tag = name.replace(".", "_")
            if one["indices"][0]["total"] is not None:
                paths += _indices(run, folder, content, one, f"sensitivity_indices_{tag}")
            paths += _tornado(run, folder, content, name, one, f"tornado_{tag}")
            paths += _effects(run, folder, content, name, one, f"elementary_effects_{tag}")
    return paths


def _indices(run: Run, folder: Path, content: dict[str, Any], one: dict[str, Any], name: str) -> list[Path]:
    """First-order and total index of every factor."""
    rows = sorted(one["indices"], key=lambda item: -item["total"])[:SHOWN]
    luck = one["luck"]
    caption = (
        "Share of the variance of the expected outcome that a parameter decides by itself (first-order Sobol index, "
        "open) and with all it interacts with (total, filled), with 95% bootstrap intervals. Luck is taken out: it is "
        f"{words.percent(luck['value'])} of the variance between single runs ({words.percent(luck['low'])} to "
        f"{words.percent(luck['high'])}). Parameters that depend on each other are one factor."
    )
    figure = style.new_figure(9.5, 1.9 + 0.36 * len(rows), run, caption)
    axes = figure.subplots()
    for place, item in enumerate(rows):
        for key, offset, face in (("total", -0.13, style.BLUE), ("first", 0.13, "white")):
            axes.plot([item[f"{key}_low"], item[f"{key}_high"]], [place + offset] * 2, color=style.BLUE, linewidth=1.4)
            axes.plot(item[key], place + offset, "o", color=style.BLUE, markerfacecolor=face, markersize=5)
    axes.axvline(0, color=style.GREY, linewidth=0.8)
    axes.set_yticks(range(len(rows)), [style.wrap(item["about"], 46) for item in rows], fontsize=style.SMALL)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    style.headline(figure, f"What is not known and matters for {one['label']}; luck is "
                           f"{words.percent(luck['value'])} of the whole")  # fmt: skip
    style.label_right(
        axes, [Label(place, words.percent(max(0.0, item["total"])), style.BLACK) for place, item in enumerate(rows)]
    )
    return style.save(figure, folder, name, run, {key: [item[key] for item in rows] for key in rows[0]})


def _tornado(
    run: Run, folder: Path, content: dict[str, Any], metric: str, one: dict[str, Any], name: str
) -> list[Path]:
    """Mean change from everything as drawn, with one input at its low and at its high end."""
    rows = sorted(one["swings"], key=lambda item: -abs(item["swing"]))[: SHOWN + 4]
    caption = (
        "Mean change of the outcome when one input is moved to its low end (orange: the value that 1 in 10 lie below; "
        "for a lever a tenth of its range; for hubs under way any of the states about there) or high end (blue: 9 in "
        "10) and everything else stays as drawn, on the same luck; 95% intervals. Levers are marked *. "
        f"As drawn: {_level(metric, one, one['as_drawn']['value'])}."
    )
    figure = style.new_figure(9.5, 1.9 + 0.36 * len(rows), run, caption)
    axes = figure.subplots()
    scale = 100 if one["is_goal"] else 1
    labels = []
    for place, item in enumerate(rows):
        for key, offset, colour in (("low_end", -0.17, style.ORANGE), ("high_end", 0.17, style.BLUE)):
            axes.barh(place + offset, scale * item[key], 0.32, color=colour)
            ends = [scale * item[f"{key}_{end}"] for end in ("low", "high")]
            axes.plot(ends, [place + offset] * 2, color=style.BLACK, linewidth=1)
        labels.append(Label(place, " to ".join(words.number(item[key]) for key in ("at_low", "at_high")), style.BLACK))
    axes.axvline(0, color=style.GREY, linewidth=0.8)
    _names(axes, rows, content)
    axes.set_xlabel("points of chance" if one["is_goal"] else words.name(metric))
    style.headline(figure, f"How far one input alone moves {one['label']}")
    style.label_right(axes, labels)
    return style.save(figure, folder, name, run, {key: [item[key] for item in rows] for key in rows[0]})


def _effects(
    run: Run, folder: Path, content: dict[str, Any], metric: str, one: dict[str, Any], name: str
) -> list[Path]:
    """Mean absolute elementary effect of every input, and its standard deviation."""
    rows = sorted(one["effects"], key=lambda item: -item["mu_star"])[: SHOWN + 4]
    scale = 100 if one["is_goal"] else 1
    caption = (
        "Screening (Morris): change of the expected outcome when an input moves up by half of its probability (a "
        "lever: half of its range), at random places of all others. Filled: mean size of the change, 95% interval; "
        "open: its standard deviation between places, large where the effect bends or depends on other inputs. "
        "Levers are marked *. Luck raises small means a little."
    )
    figure = style.new_figure(9.5, 2.0 + 0.34 * len(rows), run, caption)
    axes = figure.subplots()
    for place, item in enumerate(rows):
        ends = [scale * item[f"mu_star_{end}"] for end in ("low", "high")]
        axes.plot(ends, [place, place], color=style.BLUE, linewidth=1.4)
        axes.plot(scale * item["mu_star"], place, "o", color=style.BLUE, markersize=5)
        axes.plot(scale * item["sigma"], place, "o", color=style.BLUE, markerfacecolor="white", markersize=5)
    _names(axes, rows, content)
    axes.set_xlim(0)
    axes.set_xlabel("points of chance" if one["is_goal"] else words.name(metric))
    style.headline(figure, f"Screening: which inputs move {one['label']} at all")
    signs = [f"{'' if item['mu'] < 0 else '+'}{words.number(scale * item['mu'])} on average" for item in rows]
    style.label_right(axes, [Label(place, text, style.BLACK) for place, text in enumerate(signs)])
    return style.save(figure, folder, name, run, {key: [item[key] for item in rows] for key in rows[0]})


def _names(axes: Any, rows: list[dict[str, Any]], content: dict[str, Any]) -> None:
    """Inputs down the left side, the first on top; levers marked."""
    said = [style.wrap(item["about"] + " *" * (item["input"] in content["levers"]), 46) for item in rows]
    axes.set_yticks(range(len(rows)), said, fontsize=style.SMALL)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(rows) - 0.5, -0.5)


def _level(metric: str, one: dict[str, Any], value: float) -> str:
    return words.percent(value) if one["is_goal"] else words.quantity(metric, value)
