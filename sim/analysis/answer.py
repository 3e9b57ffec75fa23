"""The answer of a run in plain words."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

from sim.analysis import words
from sim.analysis.time_use import time_use

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


def what_holds_back(summary: Summary, sites: pa.Table | None) -> str:
    """Where applications go and where an opened hub's time goes, on average."""
    counts = {name: words.number(round(value)) for name, value in funnel(summary).items()}
    text = (
        "Of {applications} applications a run, {rejected} are rejected, {refused} fail for a refused loan, {abandoned} "
        "are abandoned, {in_progress} are still under way and {opened} have opened".format(**counts)
    )
    stages = time_use(sites) if sites is not None else []
    waiting, working = (sum(getattr(stage, kind).value for stage in stages) for kind in ("waiting", "working"))
    if waiting + working > 0:
        text += f"; its stages take a hub {(waiting + working) / 30.4375:.0f} months"
        text += f", {words.percent(waiting / (waiting + working))} of it waiting"
    return f"{text}."


def sweep_answer(scenarios: list[dict[str, Any]], goals: Mapping[str, Mapping[str, Any]]) -> str:
    """The most likely scenario of a sweep for the first goal, and how likely it is there."""
    done = [scenario for scenario in scenarios if scenario["metrics"]]
    if not goals or not done:
        return f"{len(scenarios)} scenarios run, {len(done)} with a result."
    metric = next(iter(goals.values()))["metric"]
    best = max(done, key=lambda scenario: (scenario["goals"][0]["probability"], scenario["metrics"][metric]["mean"]))
    levers = ", ".join(f"{key}={value}" for key, value in best["overrides"].items())
    return f"Best of {len(scenarios)} scenarios ({levers}): {answer(best, goals)}"
