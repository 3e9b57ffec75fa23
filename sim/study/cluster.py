"""The same tasks on many machines: a dask.distributed cluster that is there already (extra `cluster`)."""

from __future__ import annotations

from collections.abc import Callable, Generator, Hashable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

from sim.errors import InputError

if TYPE_CHECKING:
    from distributed import Client

Key = TypeVar("Key", bound=Hashable)
Result = TypeVar("Result")
PATIENCE = 15.0
"""Seconds that a scheduler, and its first worker, may take to answer."""
ENVIRONMENT = "__import__('sim.results.folder', fromlist=['environment']).environment()"


@lru_cache(maxsize=1)
def connect(address: str) -> Client:
    """Connect to a scheduler, once, and see that every worker would give the results of this process.

    TLS is taken from Dask's own configuration (`distributed.comm.tls`).

    Raises
    ------
    InputError
        If distributed is not installed, nothing answers, there is no worker, or one of them has no sim, another
        version or commit of it, or other versions of Python or of the libraries that decide the results.
    """
    try:
        from distributed import Client
    except ImportError:
        raise InputError(
            "cluster: needs the library distributed; `pip install 'pakistan-coworking-sim[cluster]'` brings it"
        ) from None
    try:
        client = Client(address, timeout=PATIENCE, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise InputError(f"cluster: no scheduler answers at {address} ({error})") from None
    try:
        client.wait_for_workers(1, timeout=PATIENCE)
    except TimeoutError:
        client.close()
        raise InputError(f"cluster: {address} has no worker; `dask worker {address} --nthreads 1` starts one") from None
    if wrong := _differing(client):
        client.close()
        raise InputError("\n".join(f"cluster: worker {worker} {why}" for worker, why in wrong.items()))
    return client


def _differing(client: Client) -> dict[str, str]:
    """Why workers cannot be used, by their address."""
    from sim.results.folder import environment

    here = environment()
    wrong = {}
    # `eval` is what a worker surely has: a function of ours could not even be sent to one without our package.
    for worker, there in client.run(eval, ENVIRONMENT, on_error="return").items():
        if isinstance(there, Exception):
            wrong[worker] = f"cannot import sim ({there}); install the same version there"
        elif key := next((key for key in here if key != "machine" and here[key] != there.get(key)), None):
            wrong[worker] = f"has another {key}: {_said(there.get(key), here[key])}"
    return wrong


def _said(there: Any, here: Any) -> str:
    """Two values, of a mapping what differs."""
    if isinstance(there, dict) and isinstance(here, dict):
        differing = [name for name in here if here[name] != there.get(name)]
        return ", ".join(f"{name} {there.get(name)} there, {here[name]} here" for name in differing)
    return f"{there} there, {here} here"


def run_there(
    address: str, task: Callable[[Key], Result], keys: Sequence[Key]
) -> Generator[tuple[Key, Result], None, None]:
    """Yield (key, task(key)) for every key, in the order they finish; tasks of a worker that dies are run by others.

    Raises
    ------
    WorkersDied
        If a task has killed several workers, or the scheduler is gone.
    """
    from concurrent.futures import CancelledError

    from distributed import KilledWorker, as_completed
    from distributed.comm.core import CommClosedError

    from sim.study.executor import WorkersDied

    client = connect(address)
    futures = client.map(task, keys, pure=False)  # a task is run for each, whatever the scheduler has seen before
    waiting = {future.key: (key, future) for key, future in zip(keys, futures, strict=True)}
    try:
        for future in as_completed(futures, loop=client.loop):
            key, _ = waiting[future.key]
            result = future.result()
            del waiting[future.key]
            future.release()  # the worker need not keep it any longer
            yield key, result
    except KilledWorker as error:
        raise WorkersDied(f"workers of the cluster keep dying ({error})") from None
    except (CancelledError, CommClosedError):
        connect.cache_clear()
        raise WorkersDied(f"the connection to {address} was lost") from None
    finally:
        if client.status == "running":
            client.cancel([future for _, future in waiting.values()])
