"""Bottlenecks: limits removed and tightened one by one, and in groups in every combination, and watched by month."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sim.analysis import words
from sim.analysis.bottlenecks import STATES, Share, shares, under_way
from sim.analysis.compare import Difference, compare, verdict
from sim.analysis.goals import Goal, read_goals
from sim.analysis.intervals import Estimate, mean
from sim.analysis.tables import finished, met, of_kind
from sim.config import Bottlenecks, Study
from sim.errors import InputError
from sim.results.folder import Run, json_safe, write_json
from sim.study.nested import Sub, mistake, nested

SIDES = ("removed", "tightened")


def check(config: dict[str, Any], study: Study) -> None:
    """Find mistakes in goals, limits and groups before anything is run."""
    plan = study.study
    assert isinstance(plan, Bottlenecks)
    for name in plan.goals:
        if name not in study.goals:
            raise InputError(f"study.goals: should be of {', '.join(study.goals) or '(there are none)'}; got {name!r}")
    grouped = [name for members in plan.groups.values() for name in members]
    for name in grouped:
        if name not in plan.limits or grouped.count(name) > 1:
            raise InputError(
                f"study.groups: should name each limit at most once ({', '.join(plan.limits)}); got {name!r}"
            )
    for name, limit in plan.limits.items():
        for side in SIDES:
            if wrong := mistake(config, getattr(limit, side)):
                raise InputError(f"study.limits.{name}.{side}: {wrong}")
    if wrong := mistake(config, _together(plan, list(plan.groups))):
        raise InputError(f"study.groups: all removed together: {wrong}")
    if "sites" not in study.tables:
        raise InputError(f"tables: should hold sites, for what hubs wait for; got {study.tables}")


def finish(run: Run, study: Study, sub: Sub) -> dict[str, Any]:
    """Run the counterfactuals and share the gaps out; leaves bottlenecks.json and tables/under_way behind."""
    plan = study.study
    assert isinstance(plan, Bottlenecks)
    known = {one.name: one for one in read_goals(run.config["goals"])}
    goals = [known[name] for name in plan.goals]
    base = run.table("runs")
    sides = [(name, side) for name in plan.limits for side in SIDES]
    single = {f"{name} {side}": getattr(plan.limits[name], side) for name, side in sides}
    alone = [base, *nested(run, study, sub, "limits", single, study.replications)]
    groups = list(plan.groups)
    sets = range(1, 1 << len(groups))
    points = {
        "+".join(chosen): _together(plan, chosen)
        for chosen in ([g for i, g in enumerate(groups) if s >> i & 1] for s in sets)
    }
    tables = [base, *nested(run, study, sub, "groups", points, plan.group_replications)]
    failed = _failed([*alone[1:], *tables[1:]])
    alone, tables = _common(alone), _common(tables)
    if not (len(alone[0]) and len(tables[0])):
        return {"answer": f"No answer: no run is left. {failed}", "goals": [], "metrics": {}}
    content: dict[str, Any] = {
        "failed": failed,
        "limits": _limits(plan, goals, sides, alone),
        "groups": {name: [plan.limits[limit].label for limit in members] for name, members in plan.groups.items()},
        "gaps": [_gap(goal, groups, tables) for goal in goals],
    }
    waits = _under_way(run, study)
    write_json(run.path / "bottlenecks.json", content)
    answer = " ".join([*(_answer(gap) for gap in content["gaps"]), waits, *([failed] if failed else [])])
    return {"answer": answer, "goals": [], "metrics": {}, "tables": _tables(plan, content), **content}


def _together(plan: Bottlenecks, groups: list[str]) -> dict[str, Any]:
    """What removes all limits of some groups."""
    return {
        key: value
        for group in groups
        for limit in plan.groups[group]
        for key, value in plan.limits[limit].removed.items()
    }


def _failed(tables: list[pa.Table]) -> str:
    """How many counterfactual runs failed, in words; nothing if none did."""
    runs, done = (sum(len(table) for table in some) for some in (tables, map(finished, tables)))
    return f"{runs - done:,} of {runs:,} counterfactual runs failed; their pairs are left out." if done < runs else ""


def _common(tables: list[pa.Table]) -> list[pa.Table]:
    """Rows of the replications that every table finished, in order: all that is compared has the same pairs."""
    tables = [finished(table) for table in tables]
    numbers = [set(table.column("replication").to_pylist()) for table in tables]
    common = np.array(sorted(set.intersection(*numbers)), dtype=np.int64)
    return [_of(table, common) for table in tables]


def _limits(
    plan: Bottlenecks, goals: list[Goal], sides: list[tuple[str, str]], tables: list[pa.Table]
) -> list[dict[str, Any]]:
    """Each limit removed and tightened against the runs as they are, pair by pair; these come first in `tables`."""
    columns = [f"{goal.metric}@{goal.by}" for goal in goals]
    comparisons = len(sides) * (len(columns) + len(goals))
    found = []
    for (name, side), table in zip(sides, tables[1:], strict=True):
        differences: list[Difference] = compare(tables[0], table, columns, goals, comparisons)
        found.append(
            {
                "limit": name,
                "label": plan.limits[name].label,
                "side": side,
                "why": plan.limits[name].why,
                "in_words": [verdict(one) for one in differences if not one.is_goal],
                "differences": [json_safe(one._asdict()) for one in differences],
            }
        )
    return found


def _gap(goal: Goal, groups: list[str], tables: list[pa.Table]) -> dict[str, Any]:
    """The mean of what counts towards a goal, and what each group of limits keeps from it.

    What is beyond the goal does not count, run by run: no surplus of one run makes up for what another lacks. The steps
    from the mean to the goal add up exactly.
    """
    column = f"{goal.metric}@{goal.by}"
    values = np.array([np.minimum(table.column(column).to_numpy(), goal.level) for table in tables])
    each: list[Share] = shares(values)
    start, all_removed = mean(values[0]), mean(values[-1])
    steps: list[dict[str, Any]] = [
        {"group": name, **{part: _json(getattr(share, part)) for part in Share._fields}}
        for name, share in zip(groups, each, strict=True)
    ]
    steps.sort(key=lambda step: -step["shapley"]["value"])
    return {
        "goal": goal.name,
        "label": goal.label,
        "metric": goal.metric,
        "by": str(goal.by),
        "level": goal.level,
        "runs": len(tables[0]),
        "mean": _json(start),
        "steps": steps,
        "all_removed": _json(all_removed),
        "still_short": goal.level - all_removed.value,
        "met": {"as_it_is": int(met(tables[0], goal).sum()), "all_removed": int(met(tables[-1], goal).sum())},
    }


def _of(table: pa.Table, replications: np.ndarray) -> pa.Table:
    numbers = table.column("replication").to_numpy()
    order = np.argsort(numbers, kind="stable")
    return table.take(order[np.isin(numbers[order], replications)])


def _json(one: Estimate) -> dict[str, Any]:
    return json_safe(one._asdict())


def _under_way(run: Run, study: Study) -> str:
    """Write tables/under_way.parquet: hubs a run by month end, region and what they are at; say what they wait for."""
    sites, monthly = run.table("sites"), run.table("monthly") if run.has_table("monthly") else None
    days = _month_ends(run, study)
    names = list(study.regions)
    runs = len(finished(run.table("runs")))
    counts = under_way(sites, np.datetime64(study.start.date, "D"), days, names) / max(runs, 1)
    short = _short(monthly, days, names, runs)
    shape = counts.shape
    columns: dict[str, Any] = {
        "month_end": np.tile(np.repeat(days, shape[2]), shape[0]),
        "region": np.repeat(np.array(names), shape[1] * shape[2]),
        "at": np.tile(np.array(STATES), shape[0] * shape[1]),
        "hubs": counts.ravel(),
    }
    if short is not None:
        columns["vacancies_unfilled"] = np.repeat(short.ravel(), shape[2])
    part = run.path / "tables" / "under_way.parquet"
    pq.write_table(pa.table(columns), part)
    total = counts.sum(axis=(0, 1))
    if not total.sum():
        return "No hub is under way at any month end."
    waiting = {STATES[i].removeprefix("waiting "): 100 * total[i] / total.sum() for i in (0, 3, 4)}
    parts = [f"{share:.1f}% {what}" for what, share in sorted(waiting.items(), key=lambda one: -one[1])]
    whole = sum(waiting.values())
    return f"Of the hubs under way at a month end, {whole:.1f}% are waiting: {words.listed(parts)}."


def _month_ends(run: Run, study: Study) -> np.ndarray:
    """Month ends from the start to the end."""
    first, last = (np.datetime64(day, "M") for day in (study.start.date, study.end))
    days = np.arange(first + 1, last + 2).astype("datetime64[D]") - 1
    return np.asarray(days[(days >= np.datetime64(study.start.date)) & (days <= np.datetime64(study.end))])


def _short(monthly: pa.Table | None, days: np.ndarray, names: list[str], runs: int) -> np.ndarray | None:
    """Vacancies that a month's hiring rounds left unfilled for lack of people, a run: shape (regions, days)."""
    if monthly is None:
        return None
    rows = of_kind(monthly, "hub")
    when = rows.column("month_end").to_numpy().astype("datetime64[D]")
    keep = np.isin(when, days)
    place = np.array([names.index(name) for name in rows.column("region").to_pylist()])
    total = np.zeros((len(names), days.size))
    np.add.at(total, (place[keep], np.searchsorted(days, when[keep])), rows.column("vacancies_short").to_numpy()[keep])
    return np.diff(total, axis=1, prepend=0.0) / max(runs, 1)


def _answer(gap: dict[str, Any]) -> str:
    """What keeps a goal away, in words."""
    metric, runs = gap["metric"], gap["runs"]

    def say(value: float) -> str:
        return words.amount(metric, value)

    parts = [f"{step['group']} {_interval(step['shapley'], say)}" for step in gap["steps"][:3]]
    others = sum(step["shapley"]["value"] for step in gap["steps"][3:])
    if others > 0:
        parts.append(f"all other groups together {say(others)}")
    unsure = [step["group"] for step in gap["steps"][:3] if not (step["shapley"]["low"] or 0) > 0]
    counted = (
        f"{gap['label']}: on average {say(gap['mean']['value'])} of {say(gap['level'])} are there on "
        f"{_day(gap['by'])}, counted up to the goal."
    )
    shared = f" Of what is missing, {words.listed(parts)} are put down to these limits"
    shared += f" (too few runs to tell {words.listed(unsure)} from none)." if unsure else "."
    strongest = max(gap["steps"], key=lambda step: step["alone"]["value"])
    alone = (
        f" Removing one group of limits alone gains most with {strongest['group']} ({say(strongest['alone']['value'])} "
        f"more), all together {say(gap['all_removed']['value'] - gap['mean']['value'])}; then the goal is met in "
        f"{gap['met']['all_removed']:,} of {runs:,} runs."
    )
    return counted + shared + alone


def _day(iso: str) -> str:
    from datetime import date

    return words.day(date.fromisoformat(iso))


def _tables(plan: Bottlenecks, content: dict[str, Any]) -> list[dict[str, Any]]:
    """Tables of the report: the gap to each goal, and each limit by itself."""
    tables = []
    for gap in content["gaps"]:

        def say(value: float, metric: str = gap["metric"]) -> str:
            return words.amount(metric, value)

        rows = [
            [
                f"{step['group']}: {', '.join(content['groups'][step['group']])}",
                *(_interval(step[part], say) for part in ("shapley", "alone", "last")),
            ]
            for step in gap["steps"]
        ]
        ends = [
            ["as it is, counted up to the goal (mean)", _interval(gap["mean"], say), "", ""],
            *rows,
            ["still short with all limits removed", say(gap["still_short"]), "", ""],
            ["the goal", say(gap["level"]), "", ""],
        ]
        tables.append(
            {
                "title": f"From the mean to the goal: {gap['label']}",
                "rows": [["limits removed", "share of the gap", "alone", "after all others"], *ends],
                "note": f"Shares are Shapley values over all orders of removing the groups, {gap['runs']:,} runs of "
                "each combination on the same luck; they add up exactly. 'Alone' and 'after all others' do not: the "
                "difference is how the limits interact. 95% intervals."
                + (f" {content['failed']}" if content["failed"] else ""),
            }
        )
    rows = []
    for one in content["limits"]:
        means = [difference for difference in one["differences"] if not difference["is_goal"]]
        rows.append([one["label"], one["side"], *one["in_words"][: len(means)], one["why"]])
    goals = list(dict.fromkeys(gap["metric"] for gap in content["gaps"]))
    tables.append(
        {
            "title": "Each limit by itself, against things as they are",
            "rows": [
                ["limit", "", *(words.name(metric) for metric in goals), "what removed and tightened mean"],
                *rows,
            ],
            "note": "Pair by pair on the same luck; intervals hold for all comparisons of this table together."
            + (f" {content['failed']}" if content["failed"] else ""),
        }
    )
    return tables


def _interval(one: dict[str, Any], say: Any) -> str:
    if one["low"] is None:
        return str(say(one["value"]))
    return f"{say(one['value'])} ({say(one['low'])} to {say(one['high'])})"
