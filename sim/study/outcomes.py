"""What a study looks at in its runs: outcomes (goals and metrics) and the parameters they may depend on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from sim.analysis import words
from sim.analysis.goals import read_goals
from sim.analysis.groups import Groups
from sim.analysis.intervals import Floats
from sim.analysis.tables import met
from sim.config import Study, nearest
from sim.errors import InputError
from sim.model.distributions import Distribution
from sim.model.metrics import metrics
from sim.model.parameters import held, walk


def check_names(study: Study, where: str, names: Iterable[str], goals_only: bool = False) -> None:
    """Refuse what is neither a goal nor a metric."""
    known = [*study.goals, *([] if goals_only else metrics(study.systems))]
    for name in names:
        if name not in known:
            raise InputError(
                f"{where}: should be {'' if goals_only else 'a metric or '}one of the goals "
                f"{', '.join(study.goals) or '(none)'}{nearest(name, known, '')}; got {name!r}"
            )


def check_drawn(study: Study, paths: Iterable[str]) -> None:
    """Refuse what is no uncertain parameter."""
    declared = dict(walk(study))
    for path in paths:
        if path not in declared:
            raise InputError(f"study.parameters: no such parameter{nearest(path, list(declared))} (got {path!r})")
        one = declared[path]
        if one.spec.per != "run":
            raise InputError(f"study.parameters: {path} is drawn per {one.spec.per}, which is luck")
        if not isinstance(one.value, Distribution):
            how = f"give it a distribution, {path}.value=[uniform,...]"
            raise InputError(f"study.parameters: {path} is the number {one.value:g} here; {how}")


def outcome(rows: Any, study: Study, name: str) -> Floats:
    """A goal as 1 where it is met and 0 elsewhere, or a metric on the last judged date; shape (runs,)."""
    goals = {goal.name: goal for goal in read_goals({key: one.model_dump() for key, one in study.goals.items()})}
    if name in goals:
        return met(rows, goals[name]).astype(np.float64)
    return rows.column(f"{name}@{study.judged[-1]}").to_numpy().astype(np.float64)


def worth(rows: Any, study: Study, value: Mapping[str, float]) -> Floats:
    """Weighted sum of outcomes, shape (runs,)."""
    return sum((weight * outcome(rows, study, name) for name, weight in value.items()), np.zeros(len(rows)))


def said(study: Study, name: str) -> str:
    """An outcome in words: the chance of 250 hubs open by 31 December 2027; hubs open on 31 December 2027."""
    if name in study.goals:
        goal = study.goals[name]
        return f"the chance of {goal.label} {'on' if goal.held else 'by'} {words.day(goal.by)}"
    return f"{words.name(name)} on {words.day(study.judged[-1])}"


def amount(study: Study, name: str, value: float) -> str:
    """A value of an outcome, or a difference of two, in its unit: 12 points of chance, 34 hubs."""
    if name in study.goals:
        return f"{words.number(round(100 * value, 1))} points"
    return words.difference(name, value)


def inputs(rows: Any, study: Study, parameters: Iterable[str], also: Iterable[str] = ()) -> dict[str, Floats]:
    """Parameters drawn per run, and other columns, that differ between the runs: by name, each of shape (runs,)."""
    wanted = list(parameters) or [
        name.removeprefix("param.") for name in rows.column_names if name.startswith("param.")
    ]
    columns = {**{path: f"param.{path}" for path in wanted}, **{name: name for name in also}}
    found = {
        name: rows.column(column).to_numpy().astype(np.float64)
        for name, column in columns.items()
        if column in rows.column_names
    }
    return {name: x for name, x in found.items() if np.isfinite(x).all() and np.ptp(x) > 0}


def check_states(where: str, worlds: Sequence[Study]) -> None:
    """Refuse what leaves no way to know which runs began with the same state of the start date (see `states`)."""
    if len(worlds[0].start.states) > 1 and not any(held(world) for world in worlds):
        raise InputError(
            f"{where}: runs that begin with the same state of the start date are alike, and known by the parameters "
            "that come with it; leave one of these as it was drawn, or take start.states_file=null"
        )


def states(sides: Sequence[Any], study: Study) -> Groups:
    """Which runs began with the same state of the start date: a number for each run, shape (runs,).

    Known by the values of the parameters that come with a state, in any of the tables of the same replications: states
    that have all of them in common are the same in conf/data/states.json. Without states, or with one only, each run is
    by itself.
    """
    carried = held(study)
    known = [x for rows in sides for x in inputs(rows, study, carried).values()] if carried else []
    if not known:
        return np.arange(len(sides[0]))
    return np.unique(np.column_stack(known), axis=0, return_inverse=True)[1].ravel()


def about(study: Study) -> dict[str, tuple[str, str]]:
    """Meaning and unit of every parameter, by path."""
    return {path: (one.spec.about, one.spec.unit) for path, one in walk(study)}


def meaning(study: Study, name: str) -> tuple[str, str]:
    """What an input is, and its unit: of a parameter as declared, of a column METRIC@DATE in words."""
    known = about(study)
    if name in known:
        return known[name]
    metric, _, day = name.partition("@")
    if metric == "in_progress" and day == str(study.start.date):
        return "hubs under way on the start date", "hubs"
    return f"{words.name(metric)} on {day}", ""


def missing(rows: Any, names: Iterable[str]) -> list[str]:
    """Columns that a study asks for and the runs do not have."""
    return [name for name in names if name not in rows.column_names]
