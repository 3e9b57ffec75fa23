"""What matters: which uncertain parameters and levers decide the outcomes, with luck told apart."""

from __future__ import annotations

from typing import Any

import numpy as np

from sim.analysis import words
from sim.analysis.intervals import Estimate, Floats, mean
from sim.analysis.sensitivity import Indices, Rank, more, morris, ranking, sobol
from sim.analysis.tables import finished
from sim.config import Sensitivity as Plan
from sim.config import Study, nearest
from sim.errors import InputError
from sim.figures.style import write_csv
from sim.model.parameters import STATE, allowed_values, walk
from sim.results.folder import Run, json_safe, write_json
from sim.study.design import LEAST_ROUNDS, TORNADO, Sensitivity
from sim.study.nested import Sub
from sim.study.outcomes import about, amount, check_drawn, check_names, outcome, said

NAMED = 3
"""How many inputs are named in the answer."""
RANKED = 5
"""How many are ranked."""
LEAST = 0.01
"""A factor is named if its total index is surely above this."""


def check(config: dict[str, Any], study: Study) -> None:
    """Find mistakes in outcomes, parameters and levers; too few replications may still be a part that is run again."""
    plan = study.study
    assert isinstance(plan, Plan)
    check_names(study, "study.outcomes", plan.outcomes)
    check_drawn(study, plan.parameters)
    for path, (low, high) in plan.levers.items():
        _check_lever(study, path, low, high)
    least = LEAST_ROUNDS * Sensitivity(study).size
    if study.replications < least and study.only is None:
        raise InputError(
            f"replications: should be at least {least:,}, {LEAST_ROUNDS} rounds of the design; smaller rounds "
            f"have smaller study.rows, trajectories, pairs or lucks (got {study.replications:,})"
        )


def _check_lever(study: Study, path: str, low: float, high: float) -> None:
    declared = dict(walk(study))
    if path not in declared:
        raise InputError(f"study.levers: no such parameter{nearest(path, list(declared))} (got {path!r})")
    spec = declared[path].spec
    if spec.per != "run":
        raise InputError(f"study.levers: {path} is drawn per {spec.per}, which no plan can set")
    if not spec.low <= low < high <= spec.high:
        raise InputError(
            f"study.levers.{path}: should be two numbers in order, each {allowed_values(spec)} ({spec.unit}); "
            f"got {low:g} and {high:g}"
        )


def finish(run: Run, study: Study, sub: Sub) -> dict[str, Any]:
    """Analyse every outcome; leaves sensitivity.json and tables of indices, effects and swings behind."""
    plan = study.study
    assert isinstance(plan, Plan)
    design = Sensitivity(study)
    rows = finished(run.table("runs")).sort_by("replication")
    rounds = len(rows) // design.size
    known = about(study)
    held = f"{len(design.held)} parameters that agree with the counts" if design.held else "money left"
    names = {path: known[path][0] if path in known else "hubs under way on the start date" for path in design.single}
    group = names | {STATE: f"state of the start date: hubs under way and {held}"}
    content: dict[str, Any] = {
        "runs": rounds * design.size, "rounds": rounds, "points_in_a_row": len(design.factors) + 2,
        "lucks": plan.lucks, "levers": list(plan.levers), "only_some": bool(plan.parameters), "outcomes": {},
    }  # fmt: skip
    for number, name in enumerate(plan.outcomes):
        y = outcome(rows, study, name)[: rounds * design.size].reshape(rounds, design.size)
        rng = np.random.default_rng([study.seed % 2**32, number])
        one: dict[str, Any] = {"label": said(study, name), "is_goal": name in study.goals, "mean": float(y.mean())}
        if np.isfinite(y).all() and np.ptp(y) > 0:
            one |= _analyse(plan, design, y, group, names, rng)
        content["outcomes"][name] = one
    write_json(run.path / "sensitivity.json", content)
    for table in ("indices", "effects", "swings"):
        write_csv(run.path / "tables", f"sensitivity_{table}", _table(content, table))
    answer = " ".join(_answer(study, name, one, content) for name, one in content["outcomes"].items())
    return {"answer": answer, "goals": [], "metrics": {}, **content}


def _analyse(
    plan: Plan, design: Sensitivity, y: Floats, group: dict[str, str], names: dict[str, str], rng: np.random.Generator
) -> dict[str, Any]:
    """Indices, elementary effects and swings of one outcome; `y` of shape (rounds, runs in a round)."""
    rows, walks, pairs = _parts(plan, design, y)
    found = sobol(rows[:, 0], rows[:, 1], rows[:, 2:].transpose(1, 0, 2), plan.resamples, rng)
    moved = np.diff(walks, axis=1)  # (trajectories, steps, lucks)
    effects = np.empty_like(moved)
    for row in range(len(walks)):
        for step, (index, up) in enumerate(design.moves(row)):
            effects[row, index] = up * moved[row, step]
    return {
        "luck": found.luck._asdict(), "sd": found.sd,
        "indices": _indices(design, found, group),
        "ranking": _ranking(design, found),
        "effects": [
            {"input": path, "about": names[path], **_estimate("mu", one.mu), **_estimate("mu_star", one.mu_star),
             "sigma": one.sigma}
            for path, one in zip(design.single, morris(effects, plan.resamples, rng), strict=True)
        ],
        "swings": [
            {"input": path, "about": names[path], "at_low": design.value(path, TORNADO[0]),
             "at_high": design.value(path, TORNADO[1]),
             **_estimate("low_end", mean(pairs[:, 1 + 2 * i] - pairs[:, 0])),
             **_estimate("high_end", mean(pairs[:, 2 + 2 * i] - pairs[:, 0])),
             **_estimate("swing", mean(pairs[:, 2 + 2 * i] - pairs[:, 1 + 2 * i]))}
            for i, path in enumerate(design.single)
        ],
        "as_drawn": mean(pairs[:, 0])._asdict(),
    }  # fmt: skip


def _parts(plan: Plan, design: Sensitivity, y: Floats) -> tuple[Floats, Floats, Floats]:
    """Runs of Saltelli's rows (rows, points, lucks), of trajectories (the same), and of pairs (pairs, points)."""
    points, steps = len(design.factors) + 2, len(design.single) + 1
    first = plan.rows * points * plan.lucks
    second = first + plan.trajectories * steps * plan.lucks
    return (
        y[:, :first].reshape(-1, points, plan.lucks),
        y[:, first:second].reshape(-1, steps, plan.lucks),
        y[:, second:].reshape(-1, 2 * len(design.single) + 1),
    )


def _estimate(name: str, one: Estimate) -> dict[str, Any]:
    return json_safe({name: one.value, f"{name}_low": one.low, f"{name}_high": one.high})


def _indices(design: Sensitivity, found: Indices, group: dict[str, str]) -> list[dict[str, Any]]:
    return [
        {"input": path, "about": group[path], **_estimate("first", first), **_estimate("total", total)}
        for path, first, total in zip(design.factors, found.first, found.total, strict=True)
    ]


def _ranking(design: Sensitivity, found: Indices) -> list[dict[str, Any]]:
    """The first places by total index, and how sure each is; none where the indices are not known."""
    totals = np.array([one.value for one in found.total])
    if not np.isfinite(totals).all():
        return []
    ranks: list[Rank] = ranking(totals, found.resampled, RANKED)
    return [
        {"input": design.factors[one.input], "share": one.share, "times": one.times if np.isfinite(one.times) else None}
        for one in ranks
    ]


def _answer(study: Study, name: str, one: dict[str, Any], content: dict[str, Any]) -> str:
    """What decides an outcome, how much of it is luck, and how sure the ranking is."""
    label = words.capital(one["label"])
    if "indices" not in one:
        level = words.percent(one["mean"]) if one["is_goal"] else words.amount(name, one["mean"])
        return f"{label}: {level} in every run, so that nothing that is looked at here matters to it."
    luck, some = one["luck"], content["only_some"]
    text = (
        f"{label}: {words.percent(luck['value'])} of the variance between runs is "
        f"{'luck or parameters that were not looked at' if some else 'luck'} ({words.percent(luck['low'])} to "
        f"{words.percent(luck['high'])}){'' if some else ', which no fact would shrink'}."
    )
    by = {item["input"]: item for item in one["indices"]}
    shown = [by[rank["input"]] for rank in one["ranking"] if by[rank["input"]]["total_low"] > LEAST]
    if shown:
        listed = words.listed(
            [f"{item['about']} ({_share(item['total'])} of the rest, {_share(item['total_low'])} to "
             f"{_share(item['total_high'])})"
             for item in shown]
        )  # fmt: skip
        text += f" Of what is not known, most matters: {listed}.{_sure(one['ranking'][: len(shown)], content['runs'])}"
    else:
        text += " These runs do not tell which parameters matter; take more replications."
    swings = [item for item in one["swings"] if item["input"] not in content["levers"]]
    widest = sorted(swings, key=lambda item: -abs(item["swing"]))[:NAMED]
    listed = words.listed(
        [f"{item['about']} ({amount(study, name, item['swing'])}; {amount(study, name, item['swing_low'])} to "
         f"{amount(study, name, item['swing_high'])})" for item in widest]
    )  # fmt: skip
    return f"{text} Moved one by one from the low to the high end (1 in 10, 9 in 10), it moves most with {listed}."


def _share(index: float) -> str:
    """An index in words; estimates may lie outside of what an index can be."""
    return words.percent(min(1.0, max(0.0, index)))


def _sure(ranking: list[dict[str, Any]], runs: int) -> str:
    """How sure the order of the named factors is, and how many runs would tell it."""
    unsure = next((i for i, rank in enumerate(ranking) if rank["times"] != 1.0), None)
    if unsure is None:
        return f" {'That order' if len(ranking) > 1 else 'That it comes first'} is sure (19 in 20 resamples)."
    share, times = ranking[unsure]["share"], ranking[unsure]["times"]
    need = more(times, runs) if times else 0
    would = f"about {need:,} runs would tell" if need else "more runs may never tell"
    before = "which comes first" if unsure == 0 else f"which comes in place {unsure + 1}"
    return f" Not sure is {before} (in {round(20 * share)} of 20 resamples this one is ahead of the next); {would}."


def _table(content: dict[str, Any], table: str) -> dict[str, list[Any]]:
    """A row an outcome and input."""
    rows = [(name, item) for name, one in content["outcomes"].items() for item in one.get(table, ())]
    keys = list(rows[0][1]) if rows else ["input"]
    return {"outcome": [name for name, _ in rows], **{key: [item[key] for _, item in rows] for key in keys}}
