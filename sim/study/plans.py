"""Plans against scenarios of the world: tables of chances, means and regrets, and which plan is never far from best."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from sim.analysis import words
from sim.analysis.goals import read_goals
from sim.analysis.plans import in_words, regrets
from sim.analysis.summary import summarise_scenarios
from sim.analysis.sweep import level
from sim.analysis.tables import finished, of_scenario
from sim.config import Plans, Study
from sim.results.folder import Run, json_safe


def finish(run: Run, study: Study, _: Callable[[dict[str, Any], str, Path], int]) -> dict[str, Any]:
    """Judge every plan in every world, and return the summary; scenario = plan x worlds + world."""
    assert isinstance(study.study, Plans)
    goals = {name: goal.model_dump() for name, goal in study.goals.items()}
    (goal,) = (goal for goal in read_goals(goals) if goal.name == study.study.goal)
    plans, worlds = (list(study.sweep.packages[kind]) for kind in ("plan", "world"))
    runs = finished(run.table("runs"))
    found = regrets(runs, len(plans), len(worlds), goal)
    cells = []
    for scenario in run.manifest["scenarios"]:
        plan, world = divmod(scenario["scenario"], len(worlds))
        here = level(of_scenario(runs, scenario["scenario"]), goal)
        cell: dict[str, Any] = {**scenario["levers"], "n": here.probability.n}
        for measure, one in (("probability", here.probability), ("mean", here.mean)):
            regret = found[measure]
            cell |= {measure: one.value, f"{measure}_low": one.low, f"{measure}_high": one.high}
            cell |= {
                f"{measure}_regret{end}": float(values[plan, world])
                for end, values in (("", regret.value), ("_low", regret.low), ("_high", regret.high))
            }
        cells.append(json_safe(cell))
    by_plan = [
        {"plan": name}
        | {
            key: value
            for measure, regret in found.items()
            for key, value in {
                f"{measure}_worst": min(cell[measure] for cell in cells if cell["plan"] == name),
                **dict(zip(_names(measure), regret.worst[:, i].tolist(), strict=True)),
                f"{measure}_candidate": i in regret.candidates,
            }.items()
        }
        for i, name in enumerate(plans)
    ]

    def points(value: float) -> str:
        return f"{words.number(100 * value)} points"

    def amount(value: float) -> str:
        return words.quantity(goal.metric, value)

    best = max(by_plan, key=lambda one: (one["probability_worst"], one["mean_worst"]))
    worst = next(c for c in cells if c["plan"] == best["plan"] and c["probability"] == best["probability_worst"])
    chance = words.probability(round(worst["probability"] * worst["n"]), worst["n"])
    said = (
        f"Of {len(plans)} plans in {len(worlds)} worlds {best['plan']!r} is best in its own worst world "
        f"({worst['world']!r}): {goal.label} {goal.when}: {chance}. "
        f"{in_words(found['probability'], plans, worlds, points, f'the chance of {goal.label}')} "
        f"{in_words(found['mean'], plans, worlds, amount, f'mean {words.name(goal.metric)}')}"
    )
    each = summarise_scenarios(run.table("runs"), goals, study.end)
    overrides = [scenario["overrides"] for scenario in run.manifest["scenarios"]]
    return {
        "answer": said,
        "goal": goal.name,
        "plans": by_plan,
        "cells": cells,
        "scenarios": [{"overrides": overrides[one["scenario"]], **one} for one in each],
    }


def _names(measure: str) -> list[str]:
    """Names of the greatest regret and the ends of its interval."""
    return [f"{measure}_greatest_regret{end}" for end in ("", "_low", "_high")]
