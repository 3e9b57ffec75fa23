"""Where a plan fails: coverage against density of the boxes, and the limits of the chosen ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from matplotlib.ticker import PercentFormatter

from sim.analysis import words
from sim.figures import style
from sim.figures.style import Label, Run


@style.styled
def draw(run: Run, folder: Path) -> list[Path]:
    """Write prim_tradeoff and prim_limits, if boxes were looked for."""
    file = run.path / "boxes.json"
    content = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    if not content.get("trajectory"):
        return []
    paths = _tradeoff(run, folder, content)
    return paths + _limits(run, folder, content) if any(box["limits"] for box in content["boxes"]) else paths


def _tradeoff(run: Run, folder: Path, content: dict[str, Any]) -> list[Path]:
    """Density over coverage along the trajectory, on the runs it was found with and on the others."""
    rows = content["trajectory"]
    base = content["missed"] / content["runs"]
    caption = (
        "Each dot is a box of the first peeling trajectory: how many of the runs that miss the goal are in it "
        "(coverage), and how many of the runs in it miss the goal (density). Orange: on the half of the runs that the "
        "boxes were found with; blue: on the other half, which is what to believe. Black: the chosen box, with 95% "
        "intervals."
    )
    figure = style.new_figure(9.5, 5.4, run, caption)
    axes = figure.subplots()
    axes.axhline(base, color=style.GREY, linewidth=1, linestyle=(0, (5, 3)))
    for prefix, colour in (("", style.ORANGE), ("checked_", style.BLUE)):
        some = [row for row in rows if row[f"{prefix}density"] is not None]
        x, y = ([row[f"{prefix}{name}"] for row in some] for name in ("coverage", "density"))
        axes.plot(x, y, "-", color=colour, linewidth=0.8, alpha=0.6)
        axes.scatter(x, y, s=22, color=colour, zorder=3)
    labels = [Label(base, f"all runs: {words.percent(base)}", style.GREY)]
    for key, colour, said in (("density", style.ORANGE, "found with"), ("checked_density", style.BLUE, "checked on")):
        last = [row[key] for row in rows if row[key] is not None][-1]
        labels.append(Label(last, said, colour))
    title = "No box of parameters tells the runs that fail from the others"
    first = content["boxes"][0] if content["boxes"] else {"limits": []}
    if first["limits"]:
        c, d = first["coverage"], first["density"]
        axes.errorbar(
            c["value"], d["value"], [[d["value"] - d["low"]], [d["high"] - d["value"]]],
            [[c["value"] - c["low"]], [c["high"] - c["value"]]], fmt="D", color=style.BLACK, markersize=6, zorder=5,
        )  # fmt: skip
        labels.append(Label(d["value"], f"chosen box:\n{words.percent(d['value'])} of its runs miss", style.BLACK))
        title = (
            f"A box with {words.percent(c['value'])} of the misses, in which {words.percent(d['value'])} of the runs "
            f"miss the goal (all runs: {words.percent(base)})"
        )
    axes.set_xlim(1.02, 0)
    axes.set_ylim(0, 1.03)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.set_xlabel("coverage: share of all misses that are in the box")
    axes.set_ylabel("density: share of the box that misses")
    axes.set_title(style.wrap(title, 84))
    style.label_right(axes, sorted(labels, key=lambda one: -one.at))
    return style.save(figure, folder, "prim_tradeoff", run, {key: [row[key] for row in rows] for key in rows[0]})


def _limits(run: Run, folder: Path, content: dict[str, Any]) -> list[Path]:
    """What each box allows of each limited input, out of all that was drawn."""
    from sim.study.discover import limit

    boxes = [(number, box) for number, box in enumerate(content["boxes"], 1) if box["limits"]]
    rows = [(number, box, one) for number, box in boxes for one in box["limits"]]
    caption = (
        "Grey: all values drawn of a parameter; colour: those in the box of failures. The quasi-p-value says how "
        "likely the box would be as dense without that limit (on runs it was not found with); then in how many of "
        "20 half samples the same parameter was limited in a box found by the same rule."
    )
    figure = style.new_figure(9.5, 1.9 + 0.62 * len(rows), run, caption)
    axes = figure.subplots()
    labels = []
    for place, (number, _, one) in enumerate(rows):
        width = one["highest"] - one["lowest"]
        low, high = (
            ((one[key] if one[key] is not None else one[end]) - one["lowest"]) / width
            for key, end in (("low", "lowest"), ("high", "highest"))
        )
        colour = style.PALETTE[number]
        axes.plot([0, 1], [place] * 2, color="#DDDDDD", linewidth=7, solid_capstyle="butt")
        axes.plot([low, high], [place] * 2, color=colour, linewidth=7, solid_capstyle="butt")
        unit = "" if one["unit"] in ("share", "probability", "factor", "ratio") else f" {one['unit']}"
        p = "p < 0.001" if one["quasi_p"] < 0.001 else f"p = {one['quasi_p']:.2g}"
        said = f"{limit(one)}{unit}\n{p}; {round(20 * one['reproduced'])} in 20 samples"
        labels.append(Label(place, said, colour))
    axes.set_yticks(range(len(rows)), [style.wrap(f"box {number}: {one['about']}", 34) for number, _, one in rows])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xticks([0, 1], ["lowest drawn", "highest drawn"])
    shares = [f"box {n}: {words.percent(box['density']['value'])} miss" for n, box in boxes]
    axes.set_title(style.wrap(f"Limits of the boxes in which the plan fails. {words.capital('; '.join(shares))}", 84))
    style.label_right(axes, labels)
    names = ("input", "low", "high", "lowest", "highest", "quasi_p", "reproduced")
    columns: dict[str, list[Any]] = {"box": [number for number, _, _ in rows]}
    columns |= {name: [one[name] for _, _, one in rows] for name in names}
    return style.save(figure, folder, "prim_limits", run, columns)
