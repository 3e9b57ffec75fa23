"""The same tasks on many machines: a dask.distributed cluster that is there already (extra `cluster`)."""

from __future__ import annotations

from collections.abc import Callable, Generator, Hashable, Mapping, Sequence
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, TypeVar

from sim.errors import InputError
from sim.results.folder import environment, otherwise
from sim.study.executor import WorkersDied

if TYPE_CHECKING:
    from distributed import Client

Key = TypeVar("Key", bound=Hashable)
Result = TypeVar("Result")
PATIENCE = 15.0
"""Seconds that a scheduler, and its first worker, may take to answer."""
PROBE = "__import__('sim.results.folder', fromlist=['environment']).environment()"


@lru_cache(maxsize=1)
def connect(address: str) -> Client:
    """Connect to a scheduler, once, and see that every worker would give the results of this process.

    TLS is taken from Dask's own configuration (`distributed.comm.tls`).

    Raises
    ------
    InputError
        If distributed is not installed, TLS is asked for and not configured, nothing answers, there is no worker, or
        one of them, or the scheduler, has no sim, or a worker has another environment than this.
    """
    try:
        from distributed import Client
    except ImportError:
        raise InputError(
            "cluster: needs the library distributed; `pip install 'pakistan-coworking-sim[cluster]'` brings it"
        ) from None
    _check_encryption(address)
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
        raise InputError("\n".join(f"cluster: {one}" for one in wrong))
    return client


def threads(address: str) -> int:
    """Threads that its workers have now; at least 1, since a study waits for new ones when all are gone.

    Raises
    ------
    WorkersDied
        If the scheduler is gone.
    """
    try:
        return max(1, sum(connect(address).nthreads().values()))
    except OSError:  # of which distributed's CommClosedError is one
        raise _lost(address) from None


def _lost(address: str) -> WorkersDied:
    connect.cache_clear()
    return WorkersDied(f"the connection to {address} was lost")


def _check_encryption(address: str) -> None:
    """Raise InputError if Dask's configuration does not allow such a connection: its client fails in many ways then."""
    from distributed import Security

    try:
        allowed = Security().get_connection_args("client")
    except (OSError, ValueError) as error:
        raise InputError(f"cluster: what Dask's configuration says of TLS cannot be used ({error})") from None
    encrypted = address.startswith("tls:")
    if encrypted and allowed["ssl_context"] is None:
        raise InputError(
            "cluster: tls:// needs ca-file, client.cert and client.key under distributed.comm.tls (Dask's settings)"
        )
    if allowed["require_encryption"] and not encrypted:
        raise InputError(f"cluster: Dask's configuration requires encryption, and {address} is without")


def _differing(client: Client) -> list[str]:
    """Which workers cannot be used, and why; and the scheduler, which unpacks what is sent to them."""
    wrong = []
    # `eval` is what a machine surely has: a function of ours could not even be sent to one without our package.
    try:
        client.run_on_scheduler(eval, PROBE)
    except ImportError as error:
        wrong.append(f"the scheduler {_without(error)}")
    for worker, there in client.run(eval, PROBE, on_error="return").items():
        if isinstance(there, OSError):
            continue  # it is gone
        if isinstance(there, Exception):
            wrong.append(f"worker {worker} {_without(there)}")
        elif there != environment():
            wrong.append(f"worker {worker} {_another(there, environment())}")
    return wrong


def _without(error: Exception) -> str:
    return f"cannot import sim ({error}); install the same version there"


def _another(there: Mapping[str, Any], here: Mapping[str, Any]) -> str:
    return f"has another environment ({'; '.join(otherwise(there, here)) or 'of another version'})"


def _checked(here: Mapping[str, Any], task: Callable[[Key], Result], key: Key) -> Result:
    """Run a task on a worker, if the environment there is that of the study: workers may join at any time."""
    if environment() != here:
        raise InputError(_another(environment(), here))
    return task(key)


def run_there(
    address: str, task: Callable[[Key], Result], keys: Sequence[Key]
) -> Generator[tuple[Key, Result], None, None]:
    """Yield (key, task(key)) for every key, in the order they finish; tasks of a worker that dies are run by others.

    Raises
    ------
    WorkersDied
        If a task has killed several workers, the scheduler is gone, or a worker joined that cannot be used.
    """
    from concurrent.futures import CancelledError

    from distributed import KilledWorker, as_completed
    from distributed.comm.core import CommClosedError

    client = connect(address)
    checked = partial(_checked, environment(), task)
    futures = client.map(checked, keys, pure=False)  # a task is run for each, whatever the scheduler has seen before
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
        raise _lost(address) from None
    except Exception as error:  # tasks do not raise: whoever joined cannot even unpack them, or found that it is unfit
        wrong = _differing(client) or [f"a worker could not run the study ({error!r})"]
        raise WorkersDied("; ".join(wrong)) from None
    finally:
        if client.status == "running":
            client.cancel([future for _, future in waiting.values()])
