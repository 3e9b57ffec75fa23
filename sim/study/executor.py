"""Run independent tasks on all cores, or on a cluster, and lose nothing that was finished."""

import ctypes
import logging
import os
import signal
import sys
import warnings
from collections.abc import Callable, Generator, Hashable, Sequence
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

log = logging.getLogger(__name__)
Key = TypeVar("Key", bound=Hashable)
Result = TypeVar("Result")

PR_SET_PDEATHSIG = 1
ATTEMPTS = 5
"""How often the pool is set up again after workers were killed without any task finishing in between."""


class WorkersDied(RuntimeError):
    """The operating system, or somebody, killed the workers again and again, or those of a cluster cannot be used."""


def run_tasks(
    task: Callable[[Key], Result], keys: Sequence[Key], workers: int = 0, cluster: str | None = None
) -> Generator[tuple[Key, Result], None, None]:
    """Yield (key, task(key)) for every key, in the order they finish.

    Parameters
    ----------
    task
        A pure function of its key that raises nothing but MemoryError, which ends all; it must be importable, or a
        partial of such a function.
    workers
        Processes; 0 is one for each core. With 1 everything runs in this process.
    cluster
        Address of the scheduler of a Dask cluster, to run there instead (see `sim.study.cluster`).

    Raises
    ------
    WorkersDied
        If workers keep dying (a task that takes too much memory, say).
    """
    if cluster is not None:
        from sim.study.cluster import run_there

        yield from run_there(cluster, task, keys)
        return
    workers = min(workers_for(workers), len(keys))
    if workers <= 1:
        for key in keys:
            yield key, task(key)
        return
    from joblib import Parallel, delayed

    pending, fruitless = dict(enumerate(keys)), 0
    while pending:
        pool = Parallel(
            n_jobs=workers,
            backend="loky",
            return_as="generator_unordered",
            initializer=_end_with,
            initargs=(os.getpid(),),
        )
        finished = pool(delayed(_numbered)(number, task, key) for number, key in list(pending.items()))
        try:
            for number, result in finished:
                key = pending.pop(number)
                fruitless = 0
                yield key, result
        except BrokenProcessPool:
            fruitless += 1
            if fruitless >= ATTEMPTS:
                raise WorkersDied(
                    "workers keep dying, for lack of memory perhaps (fewer `workers` need less)"
                ) from None
            log.warning(
                "a worker was killed, for lack of memory perhaps; %d unfinished tasks are run again", len(pending)
            )
        finally:
            with warnings.catch_warnings():  # whoever stops early knows that tasks were under way
                warnings.simplefilter("ignore", UserWarning)
                finished.close()


def _end_with(parent: int) -> None:
    """Leave Ctrl-C to the process that started this worker, and end with it, however it went (Linux)."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it went before that was said
            os._exit(1)


def workers_for(workers: int, cluster: str | None = None) -> int:
    """Number of processes for a setting in which 0 means one for each core; of a cluster, those it has now."""
    if cluster is not None:
        from sim.study.cluster import threads

        return threads(cluster)
    return workers or os.cpu_count() or 1


def _numbered(number: int, task: Callable[[Key], Result], key: Key) -> tuple[int, Result]:
    """The number comes back, not the key, which may be large."""
    return number, task(key)
