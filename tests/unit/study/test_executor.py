"""Tasks on several processes: nothing is lost, not even when a worker is killed."""

import logging
import os
import random
import signal
from functools import lru_cache, partial
from itertools import islice
from pathlib import Path
from types import SimpleNamespace

import pytest

from sim.study import cluster, executor
from sim.study.executor import run_tasks
from tests.helpers import workers


def square(key):
    return key * key


def slow_square(key):
    return sum(key for _ in range(key * 3000)) // 3000


def killed_once(marker, victim, key):
    """Square the key; on its first attempt, the victim's process is killed."""
    if key == victim:
        try:
            Path(marker).touch(exist_ok=False)
        except FileExistsError:
            pass
        else:
            os.kill(os.getpid(), signal.SIGKILL)
    return key * key


def always_killed(key):
    if key == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return key


class Large:
    """A key that goes to a worker, and must not come back."""

    def __init__(self, number):
        self.number, self.home = number, os.getpid()

    def __getstate__(self):
        assert os.getpid() == self.home
        return self.__dict__


def number_of(key):
    return key.number


def identity_of_process(key):
    return os.getpid()


@pytest.mark.parametrize("processes", [1, 2])
def test_every_key_once(processes):
    results = list(islice(run_tasks(square, range(25), processes), 100))  # an end, should there be none
    assert sorted(results) == [(key, key * key) for key in range(25)]


def test_keys_stay_here():
    keys = [Large(number) for number in range(9)]
    assert dict(run_tasks(number_of, keys, 2)) == {key: key.number for key in keys}


def test_no_keys():
    assert list(run_tasks(square, [], 2)) == []


def test_one_worker_runs_here_in_order():
    assert list(run_tasks(identity_of_process, [5, 3, 4], 1)) == [(key, os.getpid()) for key in (5, 3, 4)]


def test_several_workers_run_elsewhere():
    pids = {pid for _, pid in run_tasks(identity_of_process, range(40), 2)}
    assert os.getpid() not in pids
    assert pids <= set(workers(os.getpid()))


def test_zero_workers_is_one_for_each_core(monkeypatch):
    monkeypatch.setattr(executor.os, "cpu_count", lambda: 1)
    assert {pid for _, pid in run_tasks(identity_of_process, range(3), 0)} == {os.getpid()}


@pytest.mark.parametrize("victim", [0, 7, 19])
def test_a_killed_worker_costs_nothing(victim, tmp_path, caplog):
    task = partial(killed_once, str(tmp_path / "killed"), victim)
    with caplog.at_level(logging.WARNING):
        results = list(run_tasks(task, range(20), 2))
    assert (tmp_path / "killed").exists()
    assert sorted(results) == [(key, key * key) for key in range(20)]  # each key exactly once
    assert "a worker was killed, for lack of memory perhaps" in caplog.text


def test_workers_killed_at_random_cost_nothing(caplog):
    """From outside, after tasks of chance, whichever worker it hits."""
    chance, results = random.Random(1), []
    moments = set(chance.sample(range(1, 40), 2))
    for result in run_tasks(slow_square, range(60), 2):
        results.append(result)
        if len(results) in moments and (there := workers(os.getpid())):
            os.kill(chance.choice(there), signal.SIGKILL)
    assert sorted(results) == [(key, key * key) for key in range(60)]
    assert "a worker was killed" in caplog.text


def test_a_task_that_always_kills_its_worker_ends_the_run(monkeypatch):
    """As the kernel does when memory runs out."""
    monkeypatch.setattr(executor, "ATTEMPTS", 2)
    with pytest.raises(RuntimeError, match="workers keep dying, for lack of memory perhaps"):
        list(run_tasks(always_killed, range(5), 2))


@pytest.mark.parametrize("threads", [{}, {"a": 2, "b": 1}])
def test_a_cluster_without_workers_is_waited_for(monkeypatch, threads):
    """The number of its threads decides how a study is cut into blocks, so it is never none."""
    monkeypatch.setattr(cluster, "connect", lambda _: SimpleNamespace(nthreads=lambda: threads))
    assert executor.workers_for(0, "tcp://127.0.0.1:1") == max(1, sum(threads.values()))


def test_a_scheduler_that_is_lost_between_two_looks(monkeypatch):

    def lost():
        raise OSError("closed")

    @lru_cache(maxsize=1)
    def connect(_):
        return SimpleNamespace(nthreads=lost)

    monkeypatch.setattr(cluster, "connect", connect)
    with pytest.raises(executor.WorkersDied, match=r"the connection to tcp://127\.0\.0\.1:1 was lost"):
        executor.workers_for(0, "tcp://127.0.0.1:1")
    assert connect.cache_info().currsize == 0  # the next study connects anew
