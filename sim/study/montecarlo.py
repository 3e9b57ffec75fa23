"""Monte Carlo: all replications of all scenarios of a study, through one pool, into tables."""

import gc
import json
import logging
import traceback
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from functools import lru_cache, partial
from typing import Any

import numpy as np

from sim.config import Study, read_study, scenarios
from sim.model.metrics import CLAIMED, national
from sim.model.record import Record
from sim.model.world import simulate
from sim.study.executor import WorkersDied, run_tasks

log = logging.getLogger(__name__)
Key = tuple[int, int]
"""(scenario, replication)"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is kept of one replication: its row of tables/runs, and its monthly and site records if wanted.

    `error` is None, or the traceback of what went wrong; the rest is then empty.
    """

    row: dict[str, Any]
    dates: list[date]
    places: list[tuple[str, str]]
    monthly: np.ndarray | None
    sites: dict[str, np.ndarray] | None
    error: str | None = None


def replicate(configs: tuple[str, ...], key: Key) -> Outcome:
    """Run one replication of one scenario; whatever goes wrong is part of the outcome."""
    scenario, replication = key
    try:
        study = _study(configs[scenario])
        record_on = {*study.record_on, *study.judged}
        record = simulate(study, study.seed, replication, record_on)
        return Outcome(
            row=judge(record, study),
            dates=record.dates,
            places=record.places,
            monthly=record.monthly if "monthly" in study.tables else None,
            sites=record.sites if "sites" in study.tables else None,
        )
    except Exception:  # one bad replication must not take the others with it
        return Outcome({}, [], [], None, None, error=traceback.format_exc())


def judge(record: Record, study: Study) -> dict[str, Any]:
    """Row of tables/runs: parameters drawn, every metric at every judged date, date each goal and claim was reached.

    A goal is reached on the first record date on which its level is met: to the month.
    """
    figures = national(record)
    row: dict[str, Any] = {f"param.{path}": value for path, value in record.drawn.items()}
    for day in study.judged:
        i = record.dates.index(day)
        row |= {f"{name}@{day}": float(series[i]) for name, series in figures.items()}
    levels = {name: (goal.metric, goal.level) for name, goal in study.goals.items()}
    for system in study.systems:
        for what, metric in CLAIMED.items() if system in study.claims else ():
            if level := getattr(study.claims[system], what):
                levels[f"claim.{system}.{what}"] = (f"{metric}.{system}", level)
    for name, (metric, level) in levels.items():
        met = np.flatnonzero(figures[metric] >= level)
        row[f"reached.{name}"] = record.dates[met[0]] if len(met) else None
    return row


@lru_cache(maxsize=64)
def _study(config: str) -> Study:
    study = read_study(json.loads(config))
    gc.collect()
    gc.freeze()  # what a process has imported by now is not garbage: looking through it cost 5% of a replication
    return study


@dataclass(frozen=True, slots=True)
class Outcomes:
    """All outcomes by key, in key order, and whether the run was cut short."""

    by_key: dict[Key, Outcome]
    overrides: list[dict[str, Any]]
    interrupted: bool

    @property
    def failed(self) -> dict[Key, str]:
        """Traceback of every failed replication."""
        return {key: outcome.error for key, outcome in self.by_key.items() if outcome.error is not None}


def run_study(config: dict[str, Any], progress: Callable[[int], Any] | None = None) -> Outcomes:
    """Run a study; on Ctrl-C or SIGTERM hand back what is finished.

    Parameters
    ----------
    config
        The composed configuration as plain data.
    progress
        Called with 1 whenever a replication is finished.
    """
    study = read_study(config)
    variants = scenarios(config)
    configs = tuple(json.dumps(variant) for _, variant in variants)
    replications = [study.only] if study.only is not None else range(study.replications)
    keys = [(scenario, replication) for replication in replications for scenario in range(len(variants))]
    outcomes: dict[Key, Outcome] = {}
    interrupted = False
    try:
        with closing(run_tasks(partial(replicate, configs), keys, study.workers)) as finished:
            for key, outcome in finished:
                outcomes[key] = outcome
                if progress:
                    progress(1)
    except (KeyboardInterrupt, WorkersDied) as reason:
        interrupted = True
        log.warning("stopped early: %r", reason)
    return Outcomes(dict(sorted(outcomes.items())), [overrides for overrides, _ in variants], interrupted)
