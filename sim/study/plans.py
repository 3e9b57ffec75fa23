"""Plans against scenarios of the world: tables of chances, means and regrets, and which plan is never far from best."""

from __future__ import annotations

from operator import itemgetter
from typing import Any

from sim.analysis import words
from sim.analysis.goals import Goal, read_goals
from sim.analysis.plans import Regret, in_words, regrets
from sim.analysis.summary import summarise_scenarios
from sim.analysis.sweep import level
from sim.analysis.tables import finished, of_scenario
from sim.config import Plans, Study
from sim.errors import InputError
from sim.results.folder import Run, json_safe
from sim.study.nested import Sub


def check(config: dict[str, Any], study: Study) -> None:
    """A study of plans needs plans, worlds and a goal."""
    assert isinstance(study.study, Plans)
    for name in study.study.goals:
        if name not in study.goals:
            raise InputError(f"study.goals: should be some of {', '.join(study.goals)} (got {name!r})")
    sizes = {kind: len(packages) for kind, packages in study.sweep.packages.items()}
    if list(sizes) != ["plan", "world"] or sizes["plan"] < 2 or not sizes["world"]:
        raise InputError(f"sweep.packages: should be {{plan: at least two, world: at least one}} (got {sizes})")


def finish(run: Run, study: Study, sub: Sub) -> dict[str, Any]:
    """Judge every plan in every world, and return the summary; scenario = plan x worlds + world.

    In the summary, `cells` has a row a goal, plan and world, `plans` one a goal and plan: its worst world and its
    greatest regret, in probability and in the mean.
    """
    assert isinstance(study.study, Plans)
    dumped = {name: goal.model_dump() for name, goal in study.goals.items()}
    goals = [goal for goal in read_goals(dumped) if goal.name in study.study.goals]
    plans, worlds = (list(study.sweep.packages[kind]) for kind in ("plan", "world"))
    runs, scenarios = finished(run.table("runs")), run.manifest["scenarios"]
    found = dict(zip((goal.name for goal in goals), regrets(runs, len(plans), len(worlds), goals), strict=True))
    cells = [_cell(runs, scenario, goal, found[goal.name], len(worlds)) for goal in goals for scenario in scenarios]
    by_plan = [
        _plan(
            name, i, goal, found[goal.name], [one for one in cells if (one["goal"], one["plan"]) == (goal.name, name)]
        )
        for goal in goals
        for i, name in enumerate(plans)
    ]
    each = summarise_scenarios(run.table("runs"), dumped, study.end)
    return {
        "answer": " ".join(_said(goal, cells, by_plan, found[goal.name], plans, worlds) for goal in goals),
        "plans": by_plan,
        "cells": cells,
        "scenarios": [{"overrides": scenarios[one["scenario"]]["overrides"], **one} for one in each],
    }


def _cell(runs: Any, scenario: dict[str, Any], goal: Goal, regret: dict[str, Regret], worlds: int) -> dict[str, Any]:
    """One plan in one world: chance and mean with their intervals, and the regret in each."""
    plan, world = divmod(scenario["scenario"], worlds)
    here = level(of_scenario(runs, scenario["scenario"]), goal)
    row: dict[str, Any] = {"goal": goal.name, **scenario["levers"], "n": here.probability.n}
    for measure, one in (("probability", here.probability), ("mean", here.mean)):
        row |= {measure: one.value, f"{measure}_low": one.low, f"{measure}_high": one.high}
        ends = [float(values[plan, world]) for values in regret[measure][:3]]
        row |= {f"{measure}_regret{end}": value for end, value in zip(("", "_low", "_high"), ends, strict=True)}
    return json_safe(row)


def _plan(name: str, i: int, goal: Goal, regret: dict[str, Regret], cells: list[dict[str, Any]]) -> dict[str, Any]:
    """One plan over all worlds: the worst of them, and its greatest regret."""
    row: dict[str, Any] = {"goal": goal.name, "plan": name}
    for measure, one in regret.items():
        worst = min(cells, key=itemgetter(measure))
        row |= {f"{measure}_worst": worst[measure], f"{measure}_worst_world": worst["world"]}
        ends = zip(("", "_low", "_high"), one.worst[:, i].tolist(), strict=True)
        row |= {f"{measure}_greatest_regret{end}": value for end, value in ends}
        row[f"{measure}_may_be_least"] = i in one.candidates
    return json_safe(row)


def _said(
    goal: Goal,
    cells: list[dict[str, Any]],
    by_plan: list[dict[str, Any]],
    regret: dict[str, Regret],
    plans: list[str],
    worlds: list[str],
) -> str:
    """The highest and the best worst chance of a goal, and the plan that is never far from best."""
    here = [cell for cell in cells if cell["goal"] == goal.name]
    top = max(here, key=lambda cell: (cell["probability"], cell["mean"]))
    chance = words.probability(round(top["probability"] * top["n"]), top["n"]).removeprefix("about ")
    said = f"{words.capital(goal.label)} {goal.when}: at best {chance}, by {top['plan']!r} in {top['world']!r}"
    if top["probability"] > 0:
        mine = [one for one in by_plan if one["goal"] == goal.name]
        safe = max(mine, key=lambda one: (one["probability_worst"], one["mean_worst"]))
        share, world = words.percent(safe["probability_worst"]), safe["probability_worst_world"]
        if safe["probability_worst"] > 0:
            said += f"; the highest chance in a plan's worst world is {share} ({safe['plan']!r} in {world!r}). "
        else:
            said += "; no plan got there in any run of its worst world. "
        said += in_words(regret["probability"], plans, worlds, _points, "this chance")
    else:
        said += "."
    what = f"the mean of {words.name(goal.metric)}"
    return f"{said} {in_words(regret['mean'], plans, worlds, lambda gap: words.difference(goal.metric, gap), what)}"


def _points(value: float) -> str:
    return f"{words.number(100 * value)} points"
