"""Numbers as planners say them: precise where the runs allow it, and honest where they do not."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from itertools import pairwise
from math import ceil, floor
from typing import Any

from sim.analysis.intervals import proportion

PHRASES = {
    "hubs_open": "{} hubs open",
    "sites_open": "{} sites open",
    "sites_open.stp": "{} software technology parks open",
    "jobs_supported": "{} jobs supported",
    "jobs_created": "{} jobs created",
    "jobs_additional": "{} additional jobs",
    "portfolio_jobs": "{} jobs in the portfolio",
    "exports_usd_per_year": "{} of exports a year",
    "portfolio_exports_usd_per_year": "{} of portfolio exports a year",
    "exports_usd_cumulative": "{} of exports in total",
    "women_share": "{} women",
}
"""How a value of a metric is said; other metrics take their name with spaces."""

NO_LEVERS = (
    "experiment", "title", "question", "seed", "replications", "precision", "record_on", "tables", "out", "workers",
    "cluster", "shard", "figures", "observations",
)  # fmt: skip
"""Keys of a command that move nothing a reader has to know beside seed and number of runs."""

NAMES = {
    "portfolio_jobs": "jobs in the portfolio",
    "exports_usd_per_year": "exports a year",
    "portfolio_exports_usd_per_year": "portfolio exports a year",
    "exports_usd_cumulative": "exports in total",
    "women_share": "share of women",
}
"""How a metric is called, where its name with spaces will not do."""

SYSTEMS = {"hub": "hubs", "stp": "software technology parks", "women_park": "the women-only park"}
"""How the sites of one kind are called; IT parks go by their names."""


def number(value: float) -> str:
    """A number with thousands separators: no decimals from 100 on, three significant digits below."""
    return f"{value:,.0f}" if abs(value) >= 99.95 or value == round(value) else f"{value:.3g}"


def day(value: date) -> str:
    """A date as 31 December 2027."""
    return f"{value.day} {value:%B %Y}"


def amount(metric: str, value: float) -> str:
    """A value in the unit of its metric: 25,000, $150m, 20%. Counts are whole from 10 on, dollars in thousands."""
    metric = metric.partition(".")[0]
    if "exports_usd" in metric:
        millions = round(value / 1e6, 3)
        return f"{'-' if millions < 0 else ''}${number(abs(millions))}m"
    if metric.endswith("_share"):
        return f"{number(100 * value)}%"
    return number(value if abs(value) < 10 else round(value))


def system(kind: str) -> str:
    """What the sites of a kind are called: hubs, the Karachi park."""
    return SYSTEMS.get(kind) or f"the {kind.removesuffix('_park').replace('_', ' ').title()} park"


def name(metric: str) -> str:
    """The name of a metric in words: hubs open, share of women, jobs supported in hubs."""
    base, _, kind = metric.partition(".")
    return NAMES.get(base, base.replace("_", " ")) + (f" in {system(kind)}" if kind else "")


def quantity(metric: str, value: float) -> str:
    """A value with the name of its metric: 250 hubs open, $150m of exports a year, 25,000 jobs supported in hubs."""
    base, _, kind = (metric, "", "") if metric in PHRASES else metric.partition(".")
    said = PHRASES.get(base, f"{{}} {name(base)}").format(amount(base, value))
    said = re.sub(r"^(1 (?:[a-z]+ )*?(?:hub|job|park|site))s\b", r"\1", said)
    return said + (f" in {system(kind)}" if kind else "")


def span(values: Sequence[int]) -> str:
    """Whole numbers from the least to the greatest: 50 to 400, or 100."""
    low, high = min(values), max(values)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def listed(items: Sequence[str]) -> str:
    """Items in a sentence: a, b and c."""
    return f"{', '.join(items[:-1])} and {items[-1]}" if len(items) > 1 else "".join(items)


def cut(text: str, most: int) -> str:
    """A text of at most so many characters, which ends in ... if it was longer."""
    return text if len(text) <= most else f"{text[: most - 3]}..."


def named(manifest: Mapping[str, Any], key: str = "experiment") -> str:
    """The experiment of a run (or its `title`) with the levers moved by its command: baseline, with hubs.closure=0.1.

    Of more than three levers the others are counted, long values are cut, and what cannot be printed is a space. A run
    from a program has no command, and what an experiment's own file or its sweep sets needs no saying.
    """
    command, levers = manifest.get("command"), {}
    if not isinstance(command, list) or command[:2] != ["sim", "run"]:
        command = []
    for before, word in pairwise(map(str, command[1:])):
        name, equals, _ = word.lstrip("+~").partition("=")
        if before != "--config-dir" and (equals or word.startswith("~")) and name.split(".")[0] not in NO_LEVERS:
            printed = "".join(c if c.isprintable() else " " for c in word.lstrip("+"))
            levers[name] = cut(printed, 48)
    said = list(levers.values())
    if len(said) > 3:
        said[3:] = [f"{len(said) - 3} more"]
    return f"{manifest[key]}, with {listed(said)}" if said else str(manifest[key])


def table(rows: Sequence[Sequence[str]]) -> str:
    """Rows of cells as lines of text with aligned columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def capital(text: str) -> str:
    """A text with a capital first letter, names within it as they are."""
    return text[:1].upper() + text[1:]


def difference(metric: str, distance: float) -> str:
    """How far two values of a metric are apart: 18,200, $20m, 3 points."""
    if metric.partition(".")[0].endswith("_share"):
        return f"{number(100 * distance)} points"
    return amount(metric, distance)


def shortfall(metric: str, median: float, level: float) -> str:
    """A median beside a goal: median 6,800: 18,200 short of 25,000."""
    gap = difference(metric, abs(level - median))
    side = f"{gap} short of" if median < level else f"{gap} above" if median > level else "exactly"
    return f"median {amount(metric, median)}: {side} {amount(metric, level)}"


def percent(share: float) -> str:
    """A share in whole per cent, with 0% and 100% kept for none and all."""
    if 0 < share <= 0.005:
        return "<1%"
    if 0.995 <= share < 1:
        return ">99%"
    return f"{100 * share:.0f}%"


def probability(successes: int, n: int, low: float | None = None, high: float | None = None) -> str:
    """A share of runs in twentieths: about 9 in 20.

    None and all are only said when they are so, together with what n runs can exclude (the far end of the interval
    from `low` to `high`, or else of the 95% Wilson interval). Below 20 runs a twentieth is finer than what was seen,
    so the count is said too.
    """
    if n == 0:
        return "unknown (no finished run)"
    estimate = proportion(successes, n)
    if low is not None and high is not None:
        estimate = estimate._replace(low=low, high=high)
    if successes == 0:
        seen = "the only run did not get there" if n == 1 else f"no run of {n:,} got there"
        return f"0 in 20 ({seen}; at most about {_odds(estimate.high)})"
    if successes == n:
        seen = "the only run got there" if n == 1 else f"all {n:,} runs got there"
        return f"20 in 20 ({seen}; at most about {_odds(1 - estimate.low)} would not)"
    twentieths = floor(20 * estimate.value + 0.5)
    if twentieths == 0:
        return f"less than 1 in 20 ({successes:,} of {n:,} runs)"
    if twentieths == 20:
        return f"more than 19 in 20 ({successes:,} of {n:,} runs)"
    return f"about {twentieths} in 20" + (f" ({successes} of {n} runs)" if n < 20 else "")


def _odds(share: float) -> str:
    """An upper bound as 1 in N with a round N, never rounded towards smaller bounds."""
    if share > 1 / 3:
        return f"{ceil(20 * share)} in 20"
    n = floor(1 / share)
    step = 1 if n < 20 else 5 if n < 100 else 10 ** (len(str(n)) - 1)
    return f"1 in {n // step * step:,}"
