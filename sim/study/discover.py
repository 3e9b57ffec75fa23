"""Where it fails: boxes of uncertain parameters in which a plan misses its goal."""

from __future__ import annotations

from typing import Any

import numpy as np

from sim.analysis import groups, words
from sim.analysis.discover import Box, Peel, chance, find, measure, peel, quasi_p, reproduced
from sim.analysis.groups import Groups
from sim.analysis.intervals import Estimate, Floats
from sim.analysis.tables import finished
from sim.config import Discover, Study
from sim.errors import InputError
from sim.figures.style import write_csv
from sim.results.folder import Run, write_json
from sim.study.nested import Sub
from sim.study.outcomes import (
    check_drawn,
    check_names,
    check_states,
    inputs,
    meaning,
    missing,
    outcome,
    said,
    states,
)

HALF_SAMPLES = 20
FEWEST = 20
"""With fewer runs that miss the goal, or meet it, in half of all there is nothing to learn from."""
CHANCE = 0.05
Measured = dict[str, Any]


def check(config: dict[str, Any], study: Study) -> None:
    """Find mistakes in goal and parameters before anything is run."""
    plan = study.study
    assert isinstance(plan, Discover)
    check_names(study, "study.goal", [plan.goal], goals_only=True)
    check_drawn(study, plan.parameters)
    check_states("study.discover", [study])


def finish(run: Run, study: Study, sub: Sub) -> dict[str, Any]:
    """Find boxes on the runs of half the states and check them on the others; leaves boxes.json and boxes.csv."""
    plan = study.study
    assert isinstance(plan, Discover)
    rows = finished(run.table("runs"))
    if lacking := missing(rows, plan.also):
        raise InputError(f"study.also: no such column of tables/runs (got {lacking[0]!r}); record_on has its dates")
    missed = outcome(rows, study, plan.goal) == 0
    group = states([rows], study)
    content: dict[str, Any] = {
        "goal": plan.goal, "runs": len(missed), "groups": len(np.unique(group)), "missed": int(missed.sum()),
        "misses": _told(groups.share(missed, group)), "boxes": [],
    }  # fmt: skip
    goal = said(study, plan.goal).removeprefix("the chance of ")
    few = min(missed.sum(), (~missed).sum()) < 2 * FEWEST
    if few:
        answer = _nothing(goal, len(missed), int(missed.sum()))
    else:
        found = inputs(rows, study, plan.parameters, plan.also)
        x = np.column_stack(list(found.values()))
        content |= _boxes(study, plan, list(found), x, missed, group)
        answer = _answer(study, goal, content, plan.about)
    write_json(run.path / "boxes.json", content)
    write_csv(run.path / "tables", "boxes", _table(content))
    return {"answer": answer, "goals": [], "metrics": {}, **content}


def _told(one: Estimate) -> Measured:
    return dict(zip(("value", "low", "high", "n"), one, strict=True))


def halves(group: Groups, rng: np.random.Generator) -> np.ndarray:
    """Runs of half the groups, at random: a group on both sides would check a box on what it was found with."""
    order = rng.permutation(int(group.max()) + 1)
    return np.asarray(order[group] < len(order) / 2)


def _boxes(study: Study, plan: Discover, names: list[str], x: Floats, y: np.ndarray, group: Groups) -> dict[str, Any]:
    """Boxes one after the other, each on the runs that the earlier ones left, until one may be chance."""
    rule = (plan.peel, plan.least, plan.coverage)
    training = halves(group, np.random.default_rng(study.seed % 2**32))
    boxes: list[dict[str, Any]] = []
    left = np.ones(len(y), bool)
    trajectory: list[dict[str, float]] = []
    for number in range(plan.boxes):
        here, there = training & left, ~training & left
        if min(y[here].sum(), (~y[here]).sum(), y[there].sum(), (~y[there]).sum()) < FEWEST:
            break
        box = find(x[here], y[here], group[here], *rule)
        rng = np.random.default_rng([study.seed % 2**32, number])
        p = 1.0  # a box without any of the other runs cannot be checked
        if box.holds(x[there]).any():
            p = chance(x[here], y[here], group[here], *rule, plan.permutations, rng)
        if not number:
            looked = box.limited or list(range(x.shape[1]))
            path = peel(x[here][:, looked], y[here], plan.peel, plan.least)
            trajectory = _trajectory(path, x[:, looked], y, group, here, there)
        if p > CHANCE or not box.limited:
            if not number:
                boxes.append({"p": p, "limits": []})
            break
        again = reproduced(x[here], y[here], group[here], *rule, HALF_SAMPLES, rng)
        boxes.append(_described(study, names, box, x, y, group, here, there, p, again))
        left &= ~box.holds(x)
    return {"inputs": names, "coverage_asked": plan.coverage, "trajectory": trajectory, "boxes": boxes}


def _trajectory(
    path: list[Peel], x: Floats, y: np.ndarray, group: Groups, here: np.ndarray, there: np.ndarray
) -> list[Measured]:
    """Coverage and density of every box, on the runs it was found with and on the others."""
    rows = []
    for box, *_ in path:
        found, checked = (measure(box, x[half], y[half], group[half]) for half in (here, there))
        rows.append({
            "inputs_limited": len(box.limited), "mass": found.mass,
            "coverage": found.coverage.value, "density": found.density.value,
            "checked_coverage": checked.coverage.value,
            "checked_density": checked.density.value if checked.density.n else None,
        })  # fmt: skip
    return rows


def _described(
    study: Study, names: list[str], box: Box, x: Floats, y: np.ndarray, group: Groups, here: np.ndarray,
    there: np.ndarray, p: float, again: Floats,
) -> Measured:  # fmt: skip
    """A box with its limits, checked on the runs it was not found with."""
    found, checked = (measure(box, x[half], y[half], group[half]) for half in (here, there))
    outside = there & ~box.holds(x)
    quasi = quasi_p(box, x[there], y[there], group[there])
    limits = []
    for index in sorted(quasi, key=lambda i: quasi[i]):
        low, high = box.limits[index]
        text, unit = meaning(study, names[index])
        limits.append({
            "input": names[index], "about": text, "unit": unit,
            "low": low if np.isfinite(low) else None, "high": high if np.isfinite(high) else None,
            "lowest": float(x[:, index].min()), "highest": float(x[:, index].max()),
            "quasi_p": quasi[index], "reproduced": float(again[index]),
        })  # fmt: skip
    return {
        "p": p,
        "found": {"coverage": found.coverage.value, "density": found.density.value, "mass": found.mass},
        "coverage": _told(checked.coverage),
        "density": _told(checked.density),
        "mass": checked.mass,
        "missed_outside": _told(groups.share(y[outside], group[outside])) if outside.any() else None,
        "limits": limits,
    }


def limit(one: Measured) -> str:
    """A limit in words: above 0.31, below 4.2, between the two."""
    low, high = one["low"], one["high"]
    if low is not None and high is not None:
        return f"between {words.number(low)} and {words.number(high)}"
    return f"above {words.number(low)}" if low is not None else f"below {words.number(high)}"


def _twentieths(share: float) -> str:
    return f"{round(20 * share)} in 20"


def _nothing(goal: str, runs: int, missed: int) -> str:
    """What is said where (almost) all runs end alike."""
    if missed in (0, runs):
        how = f"Every one of {runs:,} runs misses" if missed else f"None of {runs:,} runs misses"
    else:
        how = f"{missed:,} of {runs:,} runs miss"
    if 0.2 <= missed / runs <= 0.8:
        return f"{how} {goal}: that is too few of each kind to tell them apart by. Take more runs."
    kind = "nearer to the goal" if 2 * missed > runs else "further from the goal, or a higher goal"
    return (
        f"{how} {goal}: there are too few of the other kind to tell them apart by. Take a plan {kind}, so that about "
        "half of the runs meet it, or more runs."
    )


def _about(one: Measured) -> str:
    """A share of runs and its interval: 19 in 20 miss it (90% to 98%)."""
    return f"{_twentieths(one['value'])} miss it ({words.percent(one['low'])} to {words.percent(one['high'])})"


def _answer(study: Study, goal: str, content: Measured, plan: str) -> str:
    """The first box in words, and how sure it is."""
    misses = content["misses"]
    whole = (
        f"Under this plan{f' ({plan})' if plan else ''} {_twentieths(misses['value'])} runs miss {goal} "
        f"({words.percent(misses['low'])} to {words.percent(misses['high'])})."
    )
    if not content["boxes"]:
        return f"{whole} These runs cannot tell where: in one half of them too few miss it, or too few do not."
    first = content["boxes"][0]
    if not first["limits"]:
        why = (
            "it may be luck that decides, or what else a run begins with, or parameters together, or runs or states of "
            "the start date are too few"
            if first["p"] > CHANCE
            else "parameters together may decide, but no limit on one of them is surely needed"
        )
        return (
            f"{whole} These runs cannot tell where: {'no' if first['p'] > CHANCE else 'some'} limits on the uncertain "
            f"parameters part them better than chance would (p = {first['p']:.2g}); {why}."
        )
    limits = words.listed([f"{one['about']} {limit(one)} ({one['input']})" for one in first["limits"]])
    coverage, more = first["coverage"], len(content["boxes"]) - 1
    elsewhere = f", elsewhere {_about(first['missed_outside'])}" if first["missed_outside"] else ""
    return (
        f"{whole} It fails above all with {limits}: there {_about(first['density'])}{elsewhere}; "
        f"{words.percent(coverage['value'])} of the runs that miss it are there ({words.percent(coverage['low'])} to "
        f"{words.percent(coverage['high'])}). Checked on runs it was not found with; chance would find a box as dense "
        f"in {'less than 1 in 20' if first['p'] < CHANCE else '1 in 20'} tries (p = {first['p']:.2g})."
        + (f" Of the runs outside it the figures show {more} more {'box' if more == 1 else 'boxes'}." if more else "")
    )


def _table(content: Measured) -> dict[str, list[Any]]:
    """A row a limit."""
    names = ("input", "low", "high", "lowest", "highest", "unit", "quasi_p", "reproduced")
    rows = [(number, box, one) for number, box in enumerate(content["boxes"], 1) for one in box["limits"]]
    return {
        "box": [number for number, _, _ in rows],
        **{name: [one[name] for _, _, one in rows] for name in names},
        # of the misses that are not in a box before
        "coverage_of_rest": [box["coverage"]["value"] for _, box, _ in rows],
        "density": [box["density"]["value"] for _, box, _ in rows],
    }
