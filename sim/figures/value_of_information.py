"""What knowing each uncertain parameter would be worth: bars with intervals, a panel a decision."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sim.analysis import words
from sim.figures import style
from sim.figures.style import Label, Run

SHOWN = 8


@style.styled
def draw(run: Run, folder: Path) -> list[Path]:
    """Write value_of_information.png and .csv, if there is anything worth knowing."""
    from sim.study.value_of_information import said

    file = run.path / "value_of_information.json"
    content = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {"decisions": {}}
    panels = {name: one for name, one in content["decisions"].items() if one["inputs"]}
    if not panels:
        return []
    caption = (
        "What it would be worth, on average, to know a parameter before deciding (bars; 95% intervals), and all at "
        "once (grey), estimated by regression over the same runs of all plans (Strong, Oakley and Brennan 2014). What "
        "is luck cannot be found out."
    )
    rows = [min(SHOWN, len(one["inputs"])) + 1 for one in panels.values()]
    figure = style.new_figure(9.5, 1.1 + sum(0.85 + 0.27 * n for n in rows), run, caption)
    all_axes = figure.subplots(len(panels), 1, squeeze=False, height_ratios=[0.85 + 0.27 * n for n in rows]).ravel()
    columns: dict[str, list[Any]] = {key: [] for key in ("decision", "input", "value", "low", "high")}
    for axes, (name, one) in zip(all_axes, panels.items(), strict=True):
        shown = [*one["inputs"][:SHOWN], one["everything"]]
        scale = 100 if one["unit"] == "chance" else 1
        labels = []
        for place, item in enumerate(shown):
            everything = item is one["everything"]
            value, low, high = (scale * item[key] for key in ("value", "low", "high"))
            axes.barh(place, value, 0.65, color="#BBBBBB" if everything else style.BLUE)
            axes.plot([low, high], [place, place], color=style.BLACK, linewidth=1.2)
            labels.append(
                Label(place, f"{said(one['unit'], item['value'])}", style.GREY if everything else style.BLACK)
            )
            for column, cell in zip(
                columns.values(), (name, item["name"], *(item[key] for key in ("value", "low", "high"))), strict=True
            ):
                column.append(cell)
        axes.set_yticks(range(len(shown)), [item["about"] for item in shown], fontsize=style.SMALL)
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(len(shown) - 0.5, -0.5)
        axes.set_xlim(0)
        axes.set_xlabel("points of chance" if one["unit"] == "chance" else one["unit"])
        axes.set_title(style.wrap(f"{words.capital(one['label'])}: {one['best']} as things stand", 50), fontsize=10)
        style.label_right(axes, labels)
    return style.save(figure, folder, "value_of_information", run, columns)
