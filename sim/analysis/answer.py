"""The answer of a run in plain words."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

from sim.analysis import words
from sim.analysis.time_use import time_use
from sim.model.clock import DAYS_PER_MONTH

if TYPE_CHECKING:
    import pyarrow as pa

Summary = Mapping[str, Any]


def answer(summary: Summary, goals: Mapping[str, Mapping[str, Any]]) -> str:
    """The answer in one sentence: how likely the first goal of each metric is, and what the runs come to instead.

    Goals with the same date and the same chance are named together.
    """
    metrics = summary["metrics"]
    headline: dict[str, dict[str, Any]] = {}
    for goal in summary["goals"]:
        headline.setdefault(goal["metric"], goal)
    if not headline:
        shown = [name for name in ("hubs_open", "jobs_supported") if name in metrics]
        when = words.day(date.fromisoformat(metrics[shown[0]]["date"]))
        return f"The medians on {when} are {' and '.join(_range(name, metrics[name]) for name in shown)}."
    chances: dict[tuple[str, str], list[str]] = {}
    for goal in headline.values():
        n = goal["replications"]
        chance = words.probability(round((goal["probability"] or 0.0) * n), n, goal["low"], goal["high"])
        when = "on" if goals[goal["name"]].get("held") else "by"
        chances.setdefault((f"{when} {words.day(date.fromisoformat(goal['by']))}", chance), []).append(
            goals[goal["name"]]["label"]
        )
    said = []
    for (when, chance), labels in chances.items():
        if len(labels) > 1:
            odds, bracket, rest = chance.partition(" (")
            chance = f"{odds} each{bracket}{rest}"
        said.append(f"{words.listed(labels)} {when}: {chance}")
    instead = [_range(name, metrics.get(f"{name}@{goal['by']}") or metrics[name]) for name, goal in headline.items()]
    return f"{'; '.join(said)}; the medians then are {words.listed(instead)}."


def _range(metric: str, figure: Mapping[str, float]) -> str:
    """A median with the range of 8 in 10 runs."""
    low, middle, high = (words.amount(metric, figure[q]) for q in ("p10", "p50", "p90"))
    span = "that many" if low == middle == high else f"{low} to {high}"
    return f"{words.quantity(metric, figure['p50'])} (8 in 10 runs: {span})"


def funnel(summary: Summary) -> dict[str, float]:
    """Mean number of applications at the latest judged date, and what became of them."""
    names = ("applications", "rejected", "refused", "abandoned", "in_progress")
    counts = {name: summary["metrics"][name]["mean"] for name in names}
    counts["opened"] = counts["applications"] - sum(counts[name] for name in names[1:])
    return counts


def what_holds_back(
    summary: Summary, goals: Mapping[str, Mapping[str, Any]], start: date, sites: pa.Table | None
) -> str:
    """What became of the applications, the pace against the pace a hub goal needs, and where a hub's time goes."""
    counts = funnel(summary)
    figures = summary["metrics"]
    when = date.fromisoformat(figures["applications"]["date"])
    text = (
        "By {when} a run has had {applications} applications on average: {rejected} rejected, {refused} failed for a "
        "refused loan, {abandoned} abandoned, {in_progress} still under way, {opened} opened (means, rounded)."
    ).format(when=words.day(when), **{name: words.number(round(value)) for name, value in counts.items()})
    level = next((g["level"] for g in goals.values() if g["metric"] == "hubs_open" and g["by"] == when), None)
    months = (when - start).days / DAYS_PER_MONTH
    if level is not None and months > 0 and figures["hubs_open"]["mean"] < level:
        known = figures["opened"]["mean"] - counts["opened"]  # open at the start
        pace, needed = counts["opened"] / months, (level - known) / months
        text += (
            f" That is {pace:.1f} openings a month; from the {known:.0f} hubs open at the start to "
            f"{words.number(level)} it takes at least {needed:.1f} a month."
        )
        everything = known + counts["applications"]
        if everything < level:
            text += f" Even if every application had opened and no hub closed, there would be {everything:.0f} hubs."
    stages = time_use(sites) if sites is not None else []
    waiting, working = (sum(getattr(stage, kind).value for stage in stages) for kind in ("waiting", "working"))
    if waiting + working > 0:
        share = words.percent(waiting / (waiting + working))
        months = (waiting + working) / DAYS_PER_MONTH
        text += f" Over all years of the runs a hub's stages add up to {months:.0f} months, {share} of it waiting."
    return text


def paired_answer(pairs: list[dict[str, Any]]) -> str:
    """What tells the scenarios of a list from the first of them, in words."""
    return " ".join(f"{pair['name']} against {pair['base']}: {'; '.join(pair['in_words'])}." for pair in pairs)


def sweep_answer(scenarios: list[dict[str, Any]], goals: Mapping[str, Mapping[str, Any]]) -> str:
    """The most likely scenario of a sweep for the first goal, and how likely it is there."""
    if not goals:
        return f"{len(scenarios)} scenarios."
    metric = next(iter(goals.values()))["metric"]
    done = [scenario for scenario in scenarios if scenario["goals"][0]["replications"]]
    if not done:
        return "No replication finished."
    best = max(done, key=lambda one: (one["goals"][0]["probability"], one["metrics"][metric]["mean"]))
    levers = best.get("name") or ", ".join(f"{key}={value}" for key, value in best["overrides"].items())
    return f"Highest of {len(scenarios)} scenarios, not re-run on fresh seeds ({levers}): {answer(best, goals)}"
