"""Jobs claimed of each system beside those simulated, and how the claims changed."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

from sim.analysis import words
from sim.analysis.systems import systems
from sim.analysis.tables import of_scenario
from sim.figures import style
from sim.figures.style import Label, Run

METRIC = "portfolio_jobs"


@style.styled
def draw(run: Run, folder: Path) -> list[Path]:
    """Write claims.png and claims.csv: a row a claim, with the simulated figures of its system on its date."""
    if not style.is_portfolio(run):
        return []
    claims = run.config.get("claims") or {}
    entries = systems(of_scenario(run.table("runs"), 0), claims)
    if not entries:
        return []
    caption = (
        "Diamonds: jobs claimed, filled as judged here, open as claimed in an earlier year. Points and lines: jobs "
        "simulated, median and 8 in 10 runs; of software technology parks only those more than on the start date."
    )
    figure = style.new_figure(9.5, 1.6 + 0.7 * len(entries), run, caption)
    axes = figure.subplots()
    rows = []
    labels = []
    for y, entry in enumerate(entries):
        claimed, low, median, high = (entry["jobs"][name] for name in ("claimed", "p10", "p50", "p90"))
        axes.plot([low, high], [y, y], color=style.BLUE, linewidth=4, alpha=0.4, solid_capstyle="butt")
        axes.plot(median, y, "o", color=style.BLUE, clip_on=False)
        earlier = claims[entry["system"]].get("earlier") or {}
        for day, jobs in earlier.items():
            axes.plot(jobs, y, "D", color=style.VERMILLION, markersize=5, mfc="white")
            axes.annotate(
                str(day)[:4],
                (jobs, y),
                (0, -7),
                textcoords="offset points",
                ha="center",
                va="top",
                fontsize=style.SMALL,
            )
        if claimed:
            axes.plot(claimed, y, "D", color=style.VERMILLION, markersize=7)
        labels.append(Label(y, _in_words(claimed, low, median, high), style.BLACK))
        for day, jobs in [*earlier.items(), (None, claimed)]:
            rows.append((entry["system"], entry["date"], day, jobs, low, median, high))
    columns: dict[str, list[Any]] = {
        name: [row[i] for row in rows]
        for i, name in enumerate(("system", "date", "claimed_on", "claimed", "p10", "p50", "p90"))
    }
    lowest, highest = min(0, *columns["p10"]), max(*columns["claimed"], *columns["p90"])
    axes.set_xlim(1.05 * lowest, 1.05 * highest or 1.0)
    axes.set_ylim(len(entries) - 0.4, -0.6)
    axes.set_yticks(range(len(entries)), [entry["name"] for entry in entries])
    axes.tick_params(axis="y", length=0, pad=8)
    style.value_axis(axes.xaxis, METRIC)
    style.label_right(axes, labels)
    when = words.day(max(date.fromisoformat(entry["date"]) for entry in entries))
    style.headline(figure, f"Jobs claimed and simulated on {when}, by system")
    return style.save(figure, folder, "claims", run, columns)


def _in_words(claimed: float, low: float, median: float, high: float) -> str:
    """What is claimed of a system and what is simulated."""
    amounts = [words.amount(METRIC, jobs) for jobs in (claimed, median, low, high)]
    spread = f" ({amounts[2]} to {amounts[3]})" if low != high else ""
    return f"{amounts[0] if claimed else 'none'} claimed,\n{amounts[1]} simulated{spread}"
