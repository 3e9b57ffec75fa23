"""Exports of the programme beside those of the country, and whether anyone would see them there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib.dates as mdates
from matplotlib.ticker import FuncFormatter

from sim.analysis import words
from sim.analysis.national import log_linear
from sim.analysis.systems import deadline
from sim.analysis.tables import Paths, national
from sim.figures import style
from sim.figures.fan import draw_band, mark_dates, time_axis
from sim.figures.style import Label, Run
from sim.sources import ict_exports

METRIC = "portfolio_exports_usd_per_year"
MONTHS = 12


@style.styled
def draw(run: Run, folder: Path) -> list[Path]:
    """Write national_exports.png and national_exports.csv, in million dollars a month.

    The CSV holds the country's exports with their trend (``kind`` national, a row a month), then the programme's
    quantiles (``kind`` programme, a row a recorded date).
    """
    if not style.is_portfolio(run) or not style.has(run, "monthly"):
        return []
    yearly = national(run.table("monthly"), METRIC)
    if not yearly.values.size:
        return []
    paths = Paths(yearly.dates, yearly.values / MONTHS / 1e6)
    dates = paths.dates.tolist()
    day = deadline(run.config.get("claims") or {}, dates)
    seen = ict_exports()
    months, exports = list(seen), list(seen.values())
    trend = log_linear(mdates.date2num(months), exports)

    caption = (
        "Exports a month. Country: State Bank data as reported, facts EM-*; line: trend of constant growth. Scatter: "
        "standard deviation of the months about it. Blue: the programme, as in portfolio_exports, a twelfth of a year."
    )
    figure = style.new_figure(9.5, 5.2, run, caption)
    left, right = figure.subplots(1, 2)
    left.plot(months, exports, "o", color=style.BLACK, markersize=3, clip_on=False)
    left.plot(months, trend.fitted, color=style.ORANGE, linewidth=1.5)
    for axes in (left, right):
        fan = draw_band(axes, paths)
    right.axhline(trend.scatter, color=style.ORANGE, linewidth=1.5)
    left.set_title("All ICT exports of the country, and the programme", fontsize=9, pad=18)
    right.set_title("The programme, and the country's scatter", fontsize=9, pad=18)
    for axes, highest in ((left, max(exports)), (right, trend.scatter)):
        lowest, highest = min(0.0, paths.values.min()), max(highest, paths.values.max())
        axes.set_ylim(1.08 * lowest, 1.08 * highest)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _dollars(value)))
        time_axis(axes, dates + months if axes is left else dates)
        mark_dates(axes, {day})
    median = fan["p50"][dates.index(day)]
    last = fan["p50"][-1]
    style.label_right(left, [Label(last, f"programme\n{_dollars(last)}", style.BLUE)])
    style.label_right(
        right,
        [
            Label(trend.scatter, f"scatter of the\ncountry's months\n{_dollars(trend.scatter)}", style.BLACK),
            Label(last, f"programme\n{_dollars(last)}", style.BLUE),
        ],
    )
    side = "more" if median > trend.scatter else "less"
    style.headline(
        figure,
        f"The programme's {_dollars(median)} a month on {words.day(day)}: {side} than the {_dollars(trend.scatter)} "
        "by which the country's months scatter about their trend",
    )
    country, programme = len(months), len(dates)
    columns: dict[str, list[Any]] = {
        "kind": ["national"] * country + ["programme"] * programme,
        "date": months + dates,
        "usd_million": exports + [None] * programme,
        "trend": trend.fitted.tolist() + [None] * programme,
        **{name: [None] * country + values.tolist() for name, values in fan.items()},
        "scatter": [trend.scatter] * country + [None] * programme,
    }
    return style.save(figure, folder, "national_exports", run, columns)


def _dollars(millions: float) -> str:
    return words.amount(METRIC, 1e6 * millions)
