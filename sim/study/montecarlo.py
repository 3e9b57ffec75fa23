"""Monte Carlo: all replications of all scenarios of a study, in blocks, through one pool."""

import gc
import json
import logging
import traceback
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

import numpy as np
import pyarrow as pa

from sim.analysis.goals import read_goals
from sim.analysis.precision import Precision, read_precision
from sim.config import Study, digest, read_study
from sim.errors import why
from sim.model.metrics import CLAIMED, national
from sim.model.record import Record
from sim.model.world import simulate
from sim.results.store import to_bytes
from sim.results.tables import build
from sim.study.design import Point, points
from sim.study.executor import WorkersDied, run_tasks, workers_for

log = logging.getLogger(__name__)
LARGEST = 50
BLOCKS_A_WORKER = 32
"""A block is small enough that a run has many for each worker, and that little is lost with a worker."""


class Block(NamedTuple):
    """Replications `first` to `last` - 1 of a scenario, with its configuration as JSON."""

    scenario: int
    first: int
    last: int
    config: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is kept of one replication: its row of tables/runs, and its monthly and site records if wanted.

    `error` is None, or the traceback of what went wrong; the rest is then empty.
    """

    replication: int
    row: dict[str, Any]
    dates: list[date]
    places: list[tuple[str, str]]
    monthly: np.ndarray | None
    sites: dict[str, np.ndarray] | None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Finished:
    """A finished block as it comes back from a worker: its tables as Parquet files, and tracebacks by replication."""

    tables: dict[str, bytes]
    errors: dict[int, str]


class Store(Protocol):
    """Where finished blocks are kept (see `sim.results.store`)."""

    def missing(self, key: str, replications: Sequence[int]) -> list[int]:
        """Which replications of a scenario are not there yet."""

    def put(self, key: str, first: int, last: int, tables: dict[str, bytes]) -> None:
        """Keep a block."""

    def runs(self, key: str, last: int) -> pa.Table:
        """Rows of tables/runs of the replications of a scenario below `last`."""


def replicate(study: Study, replication: int, point: Point | None = None) -> Outcome:
    """Run one replication, at a point of a design; whatever goes wrong with it is part of the outcome.

    Lack of memory is not: it tells of the machine, so the replication stays unfinished, and is run when there is more.
    """
    luck, uniforms, fixed = point or Point(replication, {}, {})
    try:
        record = simulate(study, study.seed, luck, set(study.judged), uniforms, fixed)
        return Outcome(
            replication,
            row=judge(record, study),
            dates=record.dates,
            places=record.places,
            monthly=record.monthly if "monthly" in study.tables else None,
            sites=record.sites if "sites" in study.tables else None,
        )
    except MemoryError:
        raise
    except Exception:  # one bad replication must not take the others with it
        return Outcome(replication, {}, [], [], None, None, error=traceback.format_exc())


def run_block(block: Block) -> Finished:
    """Run the replications of a block."""
    study = _study(block.config)
    numbers = range(block.first, block.last)
    designs = points(study, block.first, block.last)
    outcomes = [replicate(study, number, design) for number, design in zip(numbers, designs, strict=True)]
    tables = {name: to_bytes(table) for name, table in build(outcomes, study.start.date).items()}
    return Finished(tables, {one.replication: one.error for one in outcomes if one.error is not None})


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
    gc.freeze()  # what a process has imported by now is not garbage
    gc.set_threshold(100_000)  # nor is the living world: looking through it again and again cost a tenth
    return study


@dataclass(slots=True)
class Progress:
    """How far a study got: how many replications are there, which failed (tracebacks), why it stopped early, if so."""

    finished: int = 0
    errors: dict[tuple[int, int], str] = field(default_factory=dict)
    stopped: str | None = None


def scenario_key(variant: dict[str, Any]) -> str:
    """Identity of a scenario: the digest of its configuration, whatever the number of replications."""
    return digest({key: value for key, value in variant.items() if key not in ("replications", "sweep")})


def blocks(missing: Sequence[Sequence[int]], workers: int) -> list[Block]:
    """Cut the missing replications of every scenario into blocks, scenarios side by side."""
    total = sum(map(len, missing))
    size = max(1, min(LARGEST, total // (workers * BLOCKS_A_WORKER)))
    cut: list[Block] = []
    for scenario, numbers in enumerate(missing):
        first = 0
        for i in range(1, len(numbers) + 1):
            if i == len(numbers) or i - first == size or numbers[i] != numbers[i - 1] + 1:
                cut.append(Block(scenario, numbers[first], numbers[i - 1] + 1))
                first = i
    return sorted(cut, key=lambda block: (block.first, block.scenario))


def precision_of(study: Study) -> Precision | None:
    """The precision that a study asks for; None if the number of replications is fixed."""
    goals = {name: goal.model_dump() for name, goal in study.goals.items()}
    asked = study.model_dump(include={"precision", "only", "replications"})
    return read_precision(asked, read_goals(goals), study.judged[-1])


def run_study(
    study: Study, variants: Sequence[dict[str, Any]], store: Store, progress: Callable[[int], Any] | None = None
) -> Progress:
    """Run what a study still lacks; on Ctrl-C, SIGTERM or a full disk, all finished blocks are in the store.

    If a precision is asked for, all scenarios go from look to look, and each stops by itself: what decides is in its
    own replications up to the look, so that neither workers nor interruptions change which are made.

    Parameters
    ----------
    study
        How many replications, and on how many workers.
    variants
        Configurations of its scenarios, as plain data.
    store
        Where finished blocks are found and kept.
    progress
        Called with the number of replications whenever a block is finished; first with those that were there.
    """
    keys = [scenario_key(variant) for variant in variants]
    configs = [json.dumps(variant) for variant in variants]
    precision = precision_of(study)
    done = Progress()
    active = list(range(len(keys)))
    before = 0
    try:
        for look in precision.looks if precision else [study.replications]:
            numbers = range(before, look) if precision else study.numbers
            missing = [store.missing(key, numbers) if i in active else [] for i, key in enumerate(keys)]
            there = len(active) * len(numbers) - sum(map(len, missing))
            done.finished += there
            if progress:
                progress(there)
            cut = blocks(missing, workers_for(study.workers, study.cluster))
            tasks = [block._replace(config=configs[block.scenario]) for block in cut]
            with closing(run_tasks(run_block, tasks, study.workers, study.cluster)) as finished:
                for block, result in finished:
                    store.put(keys[block.scenario], block.first, block.last, result.tables)
                    done.errors |= {(block.scenario, number): error for number, error in result.errors.items()}
                    done.finished += block.last - block.first
                    if progress:
                        progress(block.last - block.first)
            if precision:
                active = [i for i in active if not precision.enough(store.runs(keys[i], look))]
            before = look
    except KeyboardInterrupt:
        done.stopped = "interrupted"
    except WorkersDied as reason:
        done.stopped = str(reason)
    except MemoryError:
        done.stopped = "out of memory (fewer `workers` need less)"
    except OSError as error:
        done.stopped = f"cannot write the results ({why(error)})"
    return done
