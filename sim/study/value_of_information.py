"""What to find out first: what knowing an uncertain parameter would be worth for decisions among plans."""

from __future__ import annotations

from typing import Any

import numpy as np

from sim.analysis import groups, words
from sim.analysis.groups import Groups
from sim.analysis.intervals import Floats
from sim.analysis.tables import finished, of_scenario
from sim.analysis.value_of_information import EVERYTHING, Worth, evppi
from sim.config import Decision, Study, ValueOfInformation, read_study, scenarios
from sim.errors import InputError
from sim.figures.style import write_csv
from sim.results.folder import Run, write_json
from sim.study.nested import Sub
from sim.study.outcomes import check_drawn, check_names, check_states, inputs, meaning, states, worth

FEWEST = 50
"""Regressions on fewer runs say nothing."""
NAMED = 3
NO_GO = "not going ahead"


def check(config: dict[str, Any], study: Study) -> None:
    """Find mistakes in what is asked about and in the decisions; each needs plans, and its outcomes in all of them."""
    plan = study.study
    assert isinstance(plan, ValueOfInformation)
    check_drawn(study, plan.parameters)  # as things are: a plan may still set it
    names = study.sweep.names()
    for name, one in plan.decisions.items():
        where = f"study.decisions.{name}"
        check_names(study, f"{where}.value", one.value)
        for chosen in one.plans:
            if chosen not in names:
                raise InputError(f"{where}.plans: should be of {', '.join(names)} (got {chosen!r})")
        number = len(one.plans or names)
        if (number != 1) if one.bar is not None else (number < 2):
            raise InputError(f"{where}: needs two plans or more to choose from, or one and a bar (got {number})")
    worlds = [read_study(variant) for _, variant in scenarios(config)]
    check_states("study.value_of_information", worlds)
    for name, world in zip(names, worlds, strict=True):  # a plan may do without a system, and so without its metrics
        for decision, one in plan.decisions.items():
            check_names(world, f"sweep, scenario {name}: study.decisions.{decision}.value", one.value)


def finish(run: Run, study: Study, sub: Sub) -> dict[str, Any]:
    """Value every input for every decision; leaves value_of_information.json and .csv behind."""
    plan = study.study
    assert isinstance(plan, ValueOfInformation)
    names = study.sweep.names() or ["the plan"]
    sides = [finished(of_scenario(run.table("runs"), number)) for number in range(len(names))]
    numbers = [side.column("replication").to_numpy() for side in sides]
    common = numbers[0]
    for one in numbers[1:]:
        common = np.intersect1d(common, one)
    sides = [side.take(np.flatnonzero(np.isin(number, common))) for side, number in zip(sides, numbers, strict=True)]
    if len(common) < FEWEST:
        return {
            "answer": f"No answer: {len(common)} runs of each plan are too few to learn from; take at least {FEWEST}.",
            "goals": [], "metrics": {},
        }  # fmt: skip
    known: dict[str, Floats] = {}
    for side in sides:  # what one plan sets, another may draw
        known |= inputs(side, study, plan.parameters)
    group = states(sides, study)
    content: dict[str, Any] = {
        "runs": len(common), "groups": len(np.unique(group)), "plans": names, "decisions": {},
    }  # fmt: skip
    for i, (name, decision) in enumerate(plan.decisions.items()):
        rng = np.random.default_rng([study.seed % 2**32, i])
        content["decisions"][name] = _decide(study, decision, names, sides, known, group, plan.resamples, rng)
    write_json(run.path / "value_of_information.json", content)
    write_csv(run.path / "tables", "value_of_information", _table(content))
    answer = " ".join(_answer(study, one) for one in content["decisions"].values())
    return {"answer": answer, "goals": [], "metrics": {}, **content}


def _decide(
    study: Study, decision: Decision, names: list[str], sides: list[Any], known: dict[str, Floats], group: Groups,
    resamples: int, rng: np.random.Generator,
) -> dict[str, Any]:  # fmt: skip
    """Value of what is known for one decision."""
    chosen = decision.plans or names
    values = np.column_stack([worth(sides[names.index(one)], study, decision.value) for one in chosen])
    if decision.bar is not None:
        chosen, values = [NO_GO, *chosen], np.column_stack([np.full(len(values), decision.bar), values])
    usable = np.isfinite(values).all(axis=1)
    values, group = values[usable], group[usable]
    known = {name: x[usable] for name, x in known.items()}
    best = int(values.mean(axis=0).argmax())
    found = evppi(known, values, group, resamples, rng) if np.ptp(values, axis=0).any() and known else []
    return {
        "label": decision.label, "unit": decision.unit, "bar": decision.bar,
        "options": [
            {"name": name, **dict(zip(("mean", "low", "high", "n"), groups.mean(column, group), strict=True))}
            for name, column in zip(chosen, values.T, strict=True)
        ],
        "best": chosen[best],
        "inputs": [_described(study, one) for one in found if one.name != EVERYTHING],
        "everything": next((_described(study, one) for one in found if one.name == EVERYTHING), None),
    }  # fmt: skip


def _described(study: Study, one: Worth) -> dict[str, Any]:
    return {**one._asdict(), "about": EVERYTHING if one.name == EVERYTHING else meaning(study, one.name)[0]}


def said(unit: str, value: float) -> str:
    """A worth in the unit of its decision: 2.1 points for chances, else a number and the unit."""
    return f"{words.number(round(100 * value, 1))} points" if unit == "chance" else f"{words.number(value)} {unit}"


def _answer(study: Study, one: dict[str, Any]) -> str:
    """What is best as things stand, and what is worth finding out before the decision."""
    unit = one["unit"]
    best = next(option for option in one["options"] if option["name"] == one["best"])
    level = words.percent(best["mean"]) if unit == "chance" else f"{words.number(best['mean'])} {unit}"
    start = f"{words.capital(one['label'])}: as things stand, {one['best']} is best"
    start += f" (the bar is {level})." if one["best"] == NO_GO else f" ({level})."
    if not one["inputs"]:
        same = all(option["low"] == option["high"] for option in one["options"])
        why = "all of them come to the same" if same else "no parameter differs between them"
        return f"{start} These runs cannot tell what is worth finding out: {why}."
    everything = one["everything"]
    together = (
        f"Knowing all that was looked at would be worth {said(unit, everything['value'])} "
        f"({said(unit, everything['low'])} to {said(unit, everything['high'])})."
    )
    told = [item for item in one["inputs"] if item["low"] > 0][:NAMED]
    if not told:
        most = max(item["high"] for item in one["inputs"])
        which = "which parameter is" if everything["low"] > 0 else "whether any parameter is"
        return (
            f"{start} These runs cannot tell {which} worth finding out before deciding: every interval begins at 0, "
            f"and none goes above {said(unit, most)}. {together}"
        )
    listed = words.listed(
        [f"{item['about']} ({item['name']}; {said(unit, item['value'])}, {said(unit, item['low'])} to "
         f"{said(unit, item['high'])})" for item in told]
    )  # fmt: skip
    return f"{start} Worth finding out first: {listed}. {together}"


def _table(content: dict[str, Any]) -> dict[str, list[Any]]:
    """A row a decision and input."""
    rows = [
        (name, one["unit"], item)
        for name, one in content["decisions"].items()
        for item in [*one["inputs"], *([one["everything"]] if one["everything"] else [])]
    ]
    keys = ("name", "value", "low", "high", "uncorrected", "bias", "changes", "about")
    return {
        "decision": [name for name, _, _ in rows],
        "unit": [unit for _, unit, _ in rows],
        **{("input" if key == "name" else key): [item[key] for _, _, item in rows] for key in keys},
    }
