"""What it takes: the cheapest package of levers with which a goal is met, searched by simulation and certified."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isclose, nan
from typing import Any

import numpy as np
from scipy.special import expit

from sim.analysis import costs, words
from sim.analysis.answer import what_holds_back
from sim.analysis.goals import Goal, read_goals
from sim.analysis.solve import CERTIFY, Found, Plan, Point, Tested, frontier, grid, lower_bound, solve
from sim.analysis.summary import summarise
from sim.analysis.tables import finished, met, values
from sim.analysis.variance import expectation
from sim.config import Lever, Solve, Study
from sim.errors import InputError
from sim.model.clock import DAYS_PER_MONTH
from sim.model.distributions import Distribution, parse
from sim.model.metrics import metrics
from sim.model.parameters import Parameter, walk
from sim.results.folder import Run, write_json
from sim.study.nested import Sub, fresh_seed, mistake, nested


def check(config: dict[str, Any], study: Study) -> None:
    """Find mistakes in goal, levers and costs before anything is run."""
    plan = study.study
    assert isinstance(plan, Solve)
    if plan.goal not in study.goals:
        raise InputError(
            f"study.goal: should be one of {', '.join(study.goals) or '(there are none)'}; got {plan.goal!r}"
        )
    for name, lever in plan.levers.items():
        if wrong := _not_how_things_are(study, lever):
            raise InputError(f"study.levers.{name}.values.0 ({lever.values[0]:g}): should be as things are; {wrong}")
        for number in range(1, len(lever.values)):
            if wrong := mistake(config, lever.overrides(number)):
                raise InputError(f"study.levers.{name}.values.{number} ({lever.values[number]:g}): {wrong}")
    fixed = _fixed(study, plan)
    try:
        each = _each(plan, fixed)
        if not np.isfinite(each).all():
            raise ValueError("the cost of some plan is no finite number")
        if plan.budget is not None and (each > plan.budget + 1e-9).all():
            raise ValueError(f"no plan costs as little as the budget of Rs {plan.budget:g} million")
    except ValueError as error:
        raise InputError(f"study: {error}") from None
    known = {*plan.levers, "months", "years"}
    for name, item in plan.costs.items.items():
        unknown = costs.names(item.quantity) - known - fixed.keys()
        if strange := sorted(unknown - set(metrics(study.systems))):
            raise InputError(
                f"study.costs.items.{name}.quantity: names {', '.join(strange)}; known are {', '.join(sorted(known))}, "
                "parameters by their dotted path and the metrics of the runs"
            )


def finish(run: Run, study: Study, sub: Sub) -> dict[str, Any]:
    """Search, certify, and say what it takes; leaves solve.json and the runs of search/ and certify/ behind."""
    plan = study.study
    assert isinstance(plan, Solve)
    (goal,) = (one for one in read_goals(run.config["goals"]) if one.name == plan.goal)
    rows: dict[Point, Any] = {}  # of the runs of certification

    def evaluate(points: Sequence[Point], replications: int, block: int) -> list[float]:
        fine = [point for point in points if mistake(run.config, _overrides(plan, point)) is None]
        if not fine:
            return [nan] * len(points)
        certified = block >= CERTIFY
        name = f"certify/{_slug(fine[0])}" if certified else f"search/{block:02d}"
        named = {_slug(point): _overrides(plan, point) for point in fine}
        tables = nested(run, study, sub, name, named, replications, fresh_seed(study.seed, block))
        if certified:
            rows.update(zip(fine, tables, strict=True))
        # of a plan with runs that failed nothing is known: they may be those that matter
        found = {
            point: float(met(table, goal).sum()) if len(finished(table)) == replications else nan
            for point, table in zip(fine, tables, strict=True)
        }
        return [found.get(point, nan) for point in points]

    sizing = Plan(
        plan.target, plan.confidence, plan.design, plan.design_replications, plan.rounds, plan.batch,
        plan.batch_replications, plan.candidates, plan.certify_replications,
    )  # fmt: skip
    fixed = _fixed(study, plan)
    found = solve(_sizes(plan), _costs(plan, fixed), evaluate, sizing, study.seed)
    base = finished(run.table("runs"))
    before = int(met(base, goal).sum()), len(base)
    content: dict[str, Any] = {
        "goal": {"name": goal.name, "label": goal.label, "by": str(goal.by), "target": plan.target},
        "confidence": plan.confidence,
        "rupees_per_dollar": plan.costs.rupees_per_dollar.amount,
        "budget_rs_million": plan.budget,
        "as_it_is": {"successes": before[0], "runs": before[1]},
        "plans": len(found.points),
        "plans_run": len(found.seen),
        "infeasible": [_levers(plan, point) for point in found.infeasible],
        "tested": [_package(study, plan, fixed, one, rows.get(one.point), base, goal) for one in found.tested],
        "alone": found.alone and _package(study, plan, fixed, found.alone, rows.get(found.alone.point), base, goal),
        "alone_seen": _alone_seen(plan, found),
        "seen": [
            {
                "levers": _levers(plan, point),
                "cost_rs_million": float(found.cost[_row(plan, point)]),
                "successes": s,
                "runs": n,
            }
            for point, (s, n) in sorted(found.seen.items())
        ],
        "frontier": _frontier(plan, found),
    }
    content["chosen"] = _chosen(content) if content["tested"] else None
    best = found.certified or (found.tested[0] if found.tested else None)
    if best:
        content["without"] = _without(plan, found, best.point)
        content["limited_by"] = _limited_by(study, rows.get(best.point))
    write_json(run.path / "solve.json", content)
    answer = _answer(plan, goal, content, found)
    return {"answer": answer, "goals": [], "metrics": {}, "tables": _tables(plan, content), **content}


def _sizes(plan: Solve) -> list[int]:
    return [len(lever.values) for lever in plan.levers.values()]


def _overrides(plan: Solve, point: Sequence[int]) -> dict[str, Any]:
    """What a point overrides; a later lever wins over an earlier one."""
    merged: dict[str, Any] = {}
    for lever, number in zip(plan.levers.values(), point, strict=True):
        merged |= lever.overrides(int(number))
    return merged


def _slug(point: Point) -> str:
    return "-".join(map(str, point))


def _row(plan: Solve, point: Sequence[int]) -> int:
    """Number of a point in the grid."""
    return int(np.ravel_multi_index(point, _sizes(plan)))


def _levers(plan: Solve, point: Sequence[int]) -> dict[str, float]:
    """Value of every lever."""
    return {name: lever.values[number] for (name, lever), number in zip(plan.levers.items(), point, strict=True)}


def _not_how_things_are(study: Study, lever: Lever) -> str | None:
    """The first parameter that is not what the first value of a lever says, if any.

    A number has to be the same; of a distribution, the mean over the runs, to two digits.
    """
    parameters = dict(walk(study))
    for key, said in lever.says(0).items():
        path = key.removesuffix(".value")
        if path not in parameters or isinstance(said, str | dict):  # an option of a group, or a parameter with its unit
            continue
        now, mean = parameters[path].value, _expected(study, path, parameters[path])
        drawn = f", on average {_two_digits(mean):g}" if isinstance(now, Distribution) else ""
        if isinstance(said, list):
            try:
                said = parse(said)
            except ValueError as error:
                return f"{path}: {error}"
            same = str(said) == str(now)
        else:
            same = _two_digits(mean) == _two_digits(said) if drawn else isclose(mean, said)
        if not same:
            return f"{path} is {now}{drawn}, not {said}"
    return None


def _two_digits(x: float) -> float:
    return float(f"{x:.2g}")


def _expected(study: Study, path: str, declared: Parameter) -> float:
    """Mean of a parameter over the runs, as things are."""
    return expectation(path, declared, study.start.states, study.start.prior)


def _fixed(study: Study, plan: Solve) -> dict[str, float]:
    """What formulas of costs may name that no lever changes: the time to the goal, and parameters as things are."""
    months = (study.goals[plan.goal].by - study.start.date).days / DAYS_PER_MONTH
    named = {name for item in plan.costs.items.values() for name in costs.names(item.quantity)}
    parameters = {path: _expected(study, path, declared) for path, declared in walk(study) if path in named}
    return {"months": months, "years": months / 12, **parameters}


def _items(plan: Solve) -> dict[str, Any]:
    return {name: item.model_dump() for name, item in plan.costs.items.items()}


def _sides(plan: Solve, fixed: Mapping[str, float], point: Sequence[int]) -> tuple[dict[str, float], dict[str, float]]:
    """Names and their values as things are, and at a point; without the metrics."""
    return {**fixed, **_levers(plan, [0] * len(plan.levers))}, {**fixed, **_levers(plan, point)}


def _each(plan: Solve, fixed: Mapping[str, float]) -> np.ndarray:
    """Cost of every point of the grid. Raises ValueError if one cannot be computed."""
    items = _items(plan)
    return np.array([costs.total(costs.bill(items, *_sides(plan, fixed, point))) for point in grid(_sizes(plan))])


def _costs(plan: Solve, fixed: Mapping[str, float]) -> np.ndarray:
    """Cost of every point of the grid; nan beyond the budget."""
    each = _each(plan, fixed)
    return np.where(each > plan.budget + 1e-9, nan, each) if plan.budget is not None else each


def _package(
    study: Study, plan: Solve, fixed: Mapping[str, float], one: Tested, rows: Any, base: Any, goal: Goal
) -> dict[str, Any]:
    """A tested plan with its bill, what the runs decide, and the other goals' chances."""
    before, after = _sides(plan, fixed, one.point)
    lines = costs.bill(_items(plan), before, after)
    package: dict[str, Any] = {
        "levers": _levers(plan, one.point),
        "cost_rs_million": one.cost,
        "cost_usd_million": one.cost / plan.costs.rupees_per_dollar.amount,
        "successes": one.successes,
        "runs": one.n,
        "probability": one.successes / one.n if one.n else None,
        "at_least": one.low,
        "passed": one.passed,
        "bill": [line._asdict() for line in lines],
    }
    if rows is not None and len(done := finished(rows)):
        wanted = {name for item in plan.costs.items.values() for name in costs.names(item.quantity)} - before.keys()
        for side, table in ((before, base), (after, done)):
            side |= {name: float(np.mean(values(table, f"{name}@{goal.by}"))) for name in wanted}
        told = costs.bill(_items(plan), before, after)
        package["told"] = [line._asdict() for line in told if line.name not in {known.name for known in lines}]
        package["goals"] = {
            other.name: {"label": other.label, "by": str(other.by), "successes": int(met(done, other).sum())}
            for other in read_goals({name: goal.model_dump() for name, goal in study.goals.items()})
        }
        package["median"] = float(np.median(values(done, f"{goal.metric}@{goal.by}")))
    return package


def _alone_seen(plan: Solve, found: Found) -> list[dict[str, Any]]:
    """Each lever alone at the end of its range: what the search saw."""
    rows = []
    for i, (name, lever) in enumerate(plan.levers.items()):
        point = tuple(len(lever.values) - 1 if j == i else 0 for j in range(len(plan.levers)))
        if point in found.seen:
            successes, n = found.seen[point]
            rows.append({"lever": name, "value": lever.values[-1], "successes": successes, "runs": n})
    return rows


def _frontier(plan: Solve, found: Found) -> list[dict[str, Any]]:
    """Plans that no cheaper one is expected to beat, with the middle 90% of their probability."""
    return [
        {
            "levers": _levers(plan, found.points[i]),
            "cost_rs_million": float(found.cost[i]),
            **{
                name: float(expit(found.mean[i] + z * found.sd[i]))
                for name, z in (("low", -1.645), ("probability", 0.0), ("high", 1.645))
            },
        }
        for i in frontier(found)
    ]


def _without(plan: Solve, found: Found, point: Point) -> dict[str, float]:
    """Expected probability if one lever of a package were left as it is."""
    expected = {}
    for i, name in enumerate(plan.levers):
        if point[i]:
            other = [0 if j == i else level for j, level in enumerate(point)]
            row = _row(plan, other)
            if np.isfinite(found.mean[row]):
                expected[name] = float(expit(found.mean[row]))
    return expected


def _limited_by(study: Study, rows: Any) -> str | None:
    """What became of the applications in the runs of a plan."""
    if rows is None or not len(finished(rows)):
        return None
    goals = {name: goal.model_dump() for name, goal in study.goals.items()}
    return what_holds_back(summarise(rows, goals, study.end), goals, study.start.date, None)


def _answer(plan: Solve, goal: Goal, content: Mapping[str, Any], found: Found) -> str:
    """What it takes, in words."""
    tested = content["tested"]
    aim = f"{goal.label} {goal.when} with a chance of at least {_chance(plan.target)}"
    if not tested:
        return f"No answer for {aim}: none of the plans could be run."
    chosen = content["chosen"]
    if not chosen["runs"]:
        return f"No answer for {aim}: the best plan found ({_in_words(plan, chosen['levers'])}) could not be run."
    if not chosen["passed"]:
        return f"{_not_shown(plan, aim, chosen)} {content['limited_by'] or ''}".rstrip()
    if not any(chosen["levers"][name] != lever.values[0] for name, lever in plan.levers.items()):
        return (
            f"{aim}: nothing needs to change. As things are it got there in {chosen['successes']:,} of "
            f"{chosen['runs']:,} fresh runs ({_sure(plan)})."
        )
    text = (
        f"{aim}: the cheapest package that stood the test costs "
        f"{_money(plan, chosen['cost_rs_million'])} more than things as they are, at unit costs that are mostly "
        f"assumed: {_in_words(plan, chosen['levers'])}. It got there in {chosen['successes']:,} of {chosen['runs']:,} "
        f"fresh runs ({_sure(plan)})."
    )
    failed = tested[-1]
    if failed["cost_rs_million"] < chosen["cost_rs_million"] and not failed["passed"]:
        text += (
            f" The next cheaper candidate, for {_money(plan, failed['cost_rs_million'])}, is not certified "
            f"({failed['successes']:,} of {failed['runs']:,})."
        )
    else:
        text += " No cheaper candidate promised enough to be tested."
    alone = content["alone"]
    if alone and alone["passed"] and alone["levers"] == chosen["levers"]:
        text += " That is one lever alone."
    elif alone and alone["passed"]:
        (name,) = (k for k, v in alone["levers"].items() if v != plan.levers[k].values[0])
        text += (
            f" One lever would do alone: {_said(plan.levers[name], alone['levers'][name])}, for "
            f"{_money(plan, alone['cost_rs_million'])}."
        )
    else:
        text += f" No single lever was shown to do it alone{_best_alone(content)}."
    return text


def _chosen(content: Mapping[str, Any]) -> dict[str, Any]:
    """The cheapest plan that passed, of one lever or several; if none did, the best one found."""
    passed: list[dict[str, Any]] = [one for one in (*content["tested"], content["alone"]) if one and one["passed"]]
    return min(passed, key=lambda one: float(one["cost_rs_million"]), default=content["tested"][0])


def _sure(plan: Solve) -> str:
    """What passing the test means, of all that passed together."""
    return (
        f"enough to be {words.percent(plan.confidence)} sure that its chance is at least {words.percent(plan.target)}"
    )


def _not_shown(plan: Solve, aim: str, best: Mapping[str, Any]) -> str:
    """That no plan was certified: whether the best one surely misses the target, or may meet it."""
    s, n = best["successes"], best["runs"]
    budget = "" if plan.budget is None else f" and within a budget of {_money(plan, plan.budget)}"
    most = 1 - lower_bound(n - s, n, plan.confidence)
    head, tail = f"No plan in these ranges{budget} was found for this: {aim}.", ""
    if most >= plan.target:
        head = f"Not shown to be reachable in these ranges{budget}: {aim}."
        tail = f" Its chance may be up to {words.percent(most)}: more runs may tell (study.certify_replications)."
    return (
        f"{head} The best plan found ({_in_words(plan, best['levers'])}; {_money(plan, best['cost_rs_million'])}) got "
        f"there in {s:,} of {n:,} fresh runs{_ends(plan, best['levers'])}.{tail}"
    )


def _best_alone(content: Mapping[str, Any]) -> str:
    """How far the best lever got alone, in the runs of the search."""
    seen = [one for one in content["alone_seen"] if one["runs"]]
    if not seen:
        return ""
    best = max(seen, key=lambda one: one["successes"] / one["runs"])
    if not best["successes"]:
        return f" (none got there in {best['runs']:,} runs at the end of its range)"
    return f" (at the end of its range, {best['lever']} got there in {best['successes']:,} of {best['runs']:,} runs)"


def _in_words(plan: Solve, levers: Mapping[str, float]) -> str:
    """The levers that are moved, from and to."""
    moved = [
        f"{_said(lever, levers[name])} (now {words.number(lever.values[0])})"
        for name, lever in plan.levers.items()
        if levers[name] != lever.values[0]
    ]
    return ", ".join(moved) or "things as they are"


def _said(lever: Lever, value: float) -> str:
    """A value of a lever in words."""
    said = words.number(value)
    return lever.label.replace("{}", said) if "{}" in lever.label else f"{lever.label} {said}"


def _chance(probability: float) -> str:
    """A probability that was chosen, in twentieths if it is some: 16 in 20 (80%)."""
    twentieths = 20 * probability
    whole = abs(twentieths - round(twentieths)) < 1e-9
    return (
        f"{round(twentieths)} in 20 ({words.number(100 * probability)}%)"
        if whole
        else f"{words.number(100 * probability)}%"
    )


def _ends(plan: Solve, levers: Mapping[str, float]) -> str:
    """Which levers are at the end of their range."""
    ends = [name for name, lever in plan.levers.items() if levers[name] == lever.values[-1]]
    if len(ends) == len(plan.levers):
        return "; every lever is at the end of its range"
    return f"; at the end of their range: {words.listed(ends)}" if ends else ""


def _money(plan: Solve, millions: float) -> str:
    """Rs 1,234 million ($4.4m)."""
    dollars = millions / plan.costs.rupees_per_dollar.amount
    return f"Rs {words.number(round(millions))} million (${words.number(dollars)}m)"


def _tables(plan: Solve, content: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Tables of the report: the candidates, and the bill of the chosen one."""
    tested = content["tested"]
    if not tested:
        return []
    moved = [name for name in plan.levers if any(one["levers"][name] != plan.levers[name].values[0] for one in tested)]
    rows = [
        [
            *(words.number(one["levers"][name]) for name in moved),
            _money(plan, one["cost_rs_million"]),
            f"{one['successes']:,} of {one['runs']:,}",
            words.percent(one["at_least"]),
            "certified" if one["passed"] else "not certified",
        ]
        for one in tested
    ]
    chosen = content["chosen"]
    bill = [
        [line["label"], words.number(line["before"]), words.number(line["after"]), f"{line['amount']:g}",
         words.number(round(line["cost"], 1)), line["source"]]
        for line in chosen["bill"]
    ]  # fmt: skip
    told = [
        [f"in the runs, not part of the cost: {line['label']}", words.number(line["before"]),
         words.number(line["after"]), f"{line['amount']:g}", words.number(round(line["cost"])), line["source"]]
        for line in chosen.get("told", ())
    ]  # fmt: skip
    dollar = plan.costs.rupees_per_dollar
    return [
        {
            "title": "Packages tested on fresh runs, from the surest to the cheapest",
            "rows": [[*moved, "cost more than now", "goal met", "lower bound, by itself", "result"], *rows],
            "note": "; ".join(
                f"{name}: {plan.levers[name].label} ({plan.levers[name].source})" for name in moved
            ).replace("{}", "x"),
        },
        {
            "title": "What the package costs" if chosen["passed"] else "What the best plan found costs",
            "rows": [["item", "now", "then", "Rs million each", "Rs million more", "source"], *bill, *told],
            "note": f"In all {_money(plan, chosen['cost_rs_million'])}, at {dollar.amount:g} rupees a dollar "
            f"({dollar.source}).",
        },
    ]
