"""Calibration: from history runs on a design to the states the forecast starts from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from sim.analysis import words
from sim.analysis.calibration import (
    Counted,
    crps,
    draw,
    effective_sample_size,
    log_likelihood,
    quantiles,
    rank,
    trials,
    uniformity,
    weights,
)
from sim.analysis.tables import finished
from sim.config import Calibrate, Study, compose_config, plain
from sim.errors import InputError
from sim.model.clock import DAYS_PER_MONTH
from sim.model.distributions import Distribution
from sim.model.parameters import walk
from sim.model.world import state_on_last_day
from sim.results.folder import Run, write_json
from sim.sources import observations
from sim.study.design import uniforms

LEAST = 20
"""Below this effective sample size the posterior is a handful of runs, and the study says so."""
AT = {"p05": 0.05, "p10": 0.1, "p50": 0.5, "p90": 0.9, "p95": 0.95}


def check(config: dict[str, Any], study: Study) -> None:
    """Refuse what runs whose next call is known cannot be weighed under (see `_possible`)."""
    plan, interval, call = study.study, study.calls.interval.value, study.start.next_call
    assert isinstance(plan, Calibrate)
    if call is None:
        raise InputError("start.next_call: should be the call that runs of study=calibrate lead up to, got null")
    held = [str(day) for day in compose_config([f"experiment={plan.forecast}"]).start.calls]
    if str(call) not in held:
        raise InputError(
            f"start.next_call: should be a call that experiment={plan.forecast} holds, {', '.join(held)}; got {call}"
        )
    if not (isinstance(interval, Distribution) and interval.name == "uniform" and interval.high <= 2 * interval.low):
        raise InputError(
            "calls.interval: should be uniform with a longest interval of at most twice the shortest for "
            f"study=calibrate, where runs lead up to a known call; got {interval}"
        )


def finish(run: Run, study: Study, sub: Callable[[dict[str, Any], str, Path], int]) -> dict[str, Any]:
    """Weigh the runs, keep the states that agree, check the method, and run the forecast under prior and posterior.

    Leaves states.json, calibration.json and the run folder forecast/ behind, and returns the summary.
    """
    plan = study.study
    assert isinstance(plan, Calibrate)
    counted = _counted(plan)
    rows = finished(run.table("runs"))
    numbers = rows.column("replication").to_numpy()
    simulated = [
        _on(rows, plan, plan.discrepancy[date.fromisoformat(seen.date)].dates or [seen.date]) for seen in counted
    ]
    nominal = np.column_stack([_on(rows, plan, [seen.date]) for seen in counted])
    values = np.column_stack([rows.column(f"param.{path}").to_numpy() for path in plan.parameters])
    possible = _possible(rows, study)
    fit = log_likelihood(simulated, counted)
    weight = weights(fit, possible)
    prior = possible / max(1, possible.sum())
    ess = effective_sample_size(weight)
    content: dict[str, Any] = {
        "runs": len(numbers),
        "possible": int(possible.sum()),
        "effective_sample_size": ess,
        "parameters": {
            path: {"prior": _spread(x, prior), "posterior": _spread(x, weight)}
            for path, x in zip(plan.parameters, values.T, strict=True)
        },
        "counts": [
            {
                **seen._asdict(),
                "prior": _spread(s, prior) | {"crps": crps(s, prior, seen.value)},
                "posterior": _spread(s, weight) | {"crps": crps(s, weight, seen.value)},
                "left_out": _left_out(s, fit, i, possible, seen),
            }
            for i, (seen, s) in enumerate(zip(counted, nominal.T, strict=True))
        ],
    }
    if ess < LEAST:
        nearest = np.abs(nominal - [seen.value for seen in counted]).sum(axis=1)
        answer = (
            f"No answer: of {len(numbers):,} runs of the design too few agree with the counts (worth {ess:.0f} equally "
            f"good ones; the nearest is replication {numbers[np.argmin(nearest)]}). Nothing was kept."
        )
        write_json(run.path / "calibration.json", content)
        return {"answer": answer, "goals": [], "metrics": {}}
    tried = trials(values, simulated, possible, counted, plan.truths, study.seed % 2**32)
    content["trials"] = {
        "truths": len(tried),
        "effective_sample_size": float(np.median([one.ess for one in tried])),
        "parameters": {
            path: {"ranks": counts.tolist(), "p": p, "shrunk": float(np.median([one.shrunk[i] for one in tried]))}
            for i, path in enumerate(plan.parameters)
            for counts, p in [uniformity(np.array([one.ranks[i] for one in tried]))]
        },
    }
    # In order of hubs under way (on the evening of the day whose morning the states are of), so that those kept have as
    # many as all of them together.
    order = np.argsort(rows.column(f"in_progress@{study.end}").to_numpy(), kind="stable")
    states = _states(study, plan, numbers[order[draw(weight[order], plan.draws)]], values, numbers)
    write_json(run.path / "states.json", {"made_by": _made_by(run), "prior": _prior(study, plan), "states": states})
    content["states"] = {"hubs_under_way": float(np.mean([len(state["hubs"]) for state in states]))}
    write_json(run.path / "calibration.json", content)
    forecast = plain(compose_config([f"experiment={plan.forecast}"]))
    forecast |= {
        "replications": plan.forecast_replications,
        "seed": study.seed,
        "workers": study.workers,
        "cluster": study.cluster,
        "figures": study.figures,
        "tables": ["runs", "monthly"],
        "sweep": {
            "list": [
                {"name": "prior", "start.states_file": "states_prior.json"},
                {"name": "posterior", "start.states_file": str(run.path / "states.json")},
            ]
        },
    }
    sub(forecast, plan.forecast, run.path / "forecast")
    return {"answer": _answer(content, Run(run.path / "forecast").summary), "goals": [], "metrics": {}, **content}


def _possible(rows: Any, study: Study) -> np.ndarray:
    """Which runs held their last call when it could be followed by the one that is known of; shape (runs,).

    Those of which another call would have come next are not lost: they stop calling where the known one follows
    (`sim.model.calls`), and what they did before does not depend on what they would have done after. Given a call some
    months before the known one, that one has the density of the interval at so many months, which is the same between
    its ends: so these runs count alike. A longest interval of at most twice the shortest leaves room for one such call.
    """
    interval, call = study.calls.interval.value, study.start.next_call
    assert isinstance(interval, Distribution)
    assert call
    after = ((study.end - call).days + 0.5) / DAYS_PER_MONTH  # calls are at noon, and the last day ends at night
    return rows.column(f"months_since_call@{study.end}").to_numpy() <= interval.high + after


def _on(rows: Any, plan: Calibrate, dates: Sequence[Any]) -> np.ndarray:
    """What the runs had on some dates, shape (runs, dates)."""
    return np.column_stack([rows.column(f"{plan.metric}@{day}").to_numpy() for day in dates])


def _counted(plan: Calibrate) -> list[Counted]:
    """Observations of the series, with what the model leaves out of each."""
    rows = [row for row in observations(plan.series) if row["role"] == "calibration"]
    return [
        Counted(
            row["date"], row["value"], row["low"], row["high"], plan.discrepancy[date.fromisoformat(row["date"])].sd
        )
        for row in rows
    ]


def _spread(x: np.ndarray, weight: np.ndarray) -> dict[str, float]:
    """Mean and quantiles of weighted values."""
    return {"mean": float(weight @ x), **dict(zip(AT, quantiles(x, weight, list(AT.values())).tolist(), strict=True))}


def _left_out(s: np.ndarray, fit: np.ndarray, i: int, possible: np.ndarray, seen: Counted) -> dict[str, float]:
    """What the other counts together say of one of them."""
    weight = weights(np.delete(fit, i, axis=1), possible)
    return _spread(s, weight) | {
        "crps": crps(s, weight, seen.value),
        "pit": rank(s, weight, seen.value),
        "effective_sample_size": effective_sample_size(weight),
    }


def _states(
    study: Study, plan: Calibrate, kept: np.ndarray, values: np.ndarray, numbers: np.ndarray
) -> list[dict[str, Any]]:
    """Run the kept replications again and write down how they end; in the order in which they were drawn."""
    place = {int(number): i for i, number in enumerate(numbers)}
    found: dict[int, dict[str, Any]] = {}
    for number in kept.tolist():
        if number not in found:
            (design,) = uniforms(study, number, number + 1)
            found[number] = state_on_last_day(study, study.seed, number, design) | {
                "parameters": dict(zip(plan.parameters, values[place[number]].tolist(), strict=True)),
            }
    return [found[number] for number in kept.tolist()]


def _prior(study: Study, plan: Calibrate) -> dict[str, list[Any]]:
    """Distributions the kept parameters were drawn from."""
    declared = dict(walk(study))
    return {path: [p.name, *p.args] for path in plan.parameters if isinstance(p := declared[path].value, Distribution)}


def _made_by(run: Run) -> str:
    manifest = run.manifest
    command = [word for word in manifest["command"] if not word.startswith(("out=", "workers="))]
    return (
        f"{' '.join(command)} (seed {manifest['seed']}, {manifest['config']['replications']} runs, config "
        f"{manifest['config_digest'][:12]}, sim {manifest['version']})"
    )


def _answer(content: dict[str, Any], forecast: dict[str, Any]) -> str:
    """What the counts tell about the parameters most, and about the goals."""
    tells = sorted(
        content["parameters"].items(),
        key=lambda item: (
            (item[1]["posterior"]["p90"] - item[1]["posterior"]["p10"])
            / (item[1]["prior"]["p90"] - item[1]["prior"]["p10"])
        ),
    )
    path, most = tells[0]
    last = content["counts"][-1]
    said = forecast["answer"]
    before, after = most["prior"], most["posterior"]
    return (
        f"Of {content['runs']:,} history runs {content['possible']:,} had a call when there was one; they are worth "
        f"{content['effective_sample_size']:.0f} that agree with the counts. They tell most about {path}: 8 in 10 from "
        f"{words.number(before['p10'])} to {words.number(before['p90'])} before, {words.number(after['p10'])} to "
        f"{words.number(after['p90'])} after. Hubs open on {words.day(date.fromisoformat(last['date']))}: "
        f"{words.number(last['posterior']['p50'])} (8 in 10: {words.number(last['posterior']['p10'])} to "
        f"{words.number(last['posterior']['p90'])}; before: {words.number(last['prior']['p10'])} to "
        f"{words.number(last['prior']['p90'])}). Forecast, {said}"
    )
