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
    """The answer in one sentence: how likely the first goal of each metric is, and what the runs come to instead."""
    metrics = summary["metrics"]
    headline = {goal["metric"]: goal for goal in reversed(summary["goals"])}
    if not headline:
        shown = [name for name in ("hubs_open", "jobs_supported") if name in metrics]
        when = words.day(date.fromisoformat(metrics[shown[0]]["date"]))
        return f"On {when} the median run has {' and '.join(_range(name, metrics[name]) for name in shown)}."
    chances = []
    for goal in reversed(headline.values()):
        n = goal["replications"]
        chance = words.probability(round((goal["probability"] or 0.0) * n), n)
        by = words.day(date.fromisoformat(goal["by"]))
        chances.append(f"{goals[goal['name']]['label']} by {by}: {chance}")
    instead = " and ".join(_range(name, metrics[name]) for name in headline if name in metrics)
    return f"{'; '.join(chances)}; the median run then has {instead}."


def _range(metric: str, figure: Mapping[str, float]) -> str:
    """A median with the range of 8 in 10 runs."""
    low, high = (words.amount(metric, figure[q]) for q in ("p10", "p90"))
    return f"{words.quantity(metric, figure['p50'])} (8 in 10 runs: {low} to {high})"


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
        "refused loan, {abandoned} abandoned, {in_progress} still under way, {opened} opened."
    ).format(when=words.day(when), **{name: words.number(round(value)) for name, value in counts.items()})
    level = next((g["level"] for g in goals.values() if g["metric"] == "hubs_open" and g["by"] == when), None)
    months = (when - start).days / DAYS_PER_MONTH
    if level is not None and months > 0 and figures["hubs_open"]["mean"] < level:
        known = figures["opened"]["mean"] - counts["opened"]  # open at the start
        pace, needed = counts["opened"] / months, (level - known) / months
        text += f" That is {pace:.1f} openings a month, where {words.number(level)} hubs need {needed:.1f}."
        everything = known + counts["applications"]
        if everything < level:
            text += f" Too few apply: with every application open, closing none, there were {everything:.0f} hubs."
    stages = time_use(sites) if sites is not None else []
    waiting, working = (sum(getattr(stage, kind).value for stage in stages) for kind in ("waiting", "working"))
    if waiting + working > 0:
        share = words.percent(waiting / (waiting + working))
        text += (
            f" The stages of a hub add up to {(waiting + working) / DAYS_PER_MONTH:.0f} months, {share} of it waiting."
        )
    return text


def sweep_answer(scenarios: list[dict[str, Any]], goals: Mapping[str, Mapping[str, Any]]) -> str:
    """The most likely scenario of a sweep for the first goal, and how likely it is there."""
    done = [scenario for scenario in scenarios if scenario["metrics"]]
    if not goals or not done:
        return f"{len(scenarios)} scenarios run, {len(done)} with a result."
    metric = next(iter(goals.values()))["metric"]
    best = max(
        done, key=lambda scenario: (scenario["goals"][0]["probability"] or 0.0, scenario["metrics"][metric]["mean"])
    )
    levers = ", ".join(f"{key}={value}" for key, value in best["overrides"].items())
    return f"Highest of {len(scenarios)} scenarios, not re-run on fresh seeds ({levers}): {answer(best, goals)}"
