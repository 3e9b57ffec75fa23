"""Replications of scenarios, in blocks: errors, single replications, interruptions, killed workers."""

import json
import logging
import os
import signal
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.config import read_study, scenarios
from sim.model.metrics import metrics, national
from sim.model.record import ConservationError
from sim.results.digest import table_digest
from sim.study import montecarlo
from sim.study.montecarlo import Block, blocks, judge, replicate, run_block, run_study, scenario_key
from tests.helpers import config, run, study, workers

SHORT = "2026-06-30"
EXACT = 31


def study_of(cfg, store, progress=None):
    """Run all scenarios of a configuration into a store."""
    return run_study(read_study(cfg), [variant for _, variant in scenarios(cfg)], store, progress)


class Memory:
    """A store that keeps blocks in memory."""

    def __init__(self, have=()):
        self.kept = {}
        self.have = set(have)

    def missing(self, key, replications):
        return [number for number in replications if number not in self.have]

    def put(self, key, first, last, tables):
        assert not {n for k, a, b in self.kept for n in range(a, b) if k == key} & set(range(first, last))
        self.kept[key, first, last] = {name: pa.BufferReader(content) for name, content in tables.items()}

    def numbers(self):
        return sorted(n for _, a, b in self.kept for n in range(a, b))

    def rows(self, name="runs"):
        """Rows of all blocks, by scenario and replication."""
        import pyarrow.parquet as pq

        pieces = {}
        for (key, *_), tables in sorted(self.kept.items()):
            pieces.setdefault(key, []).append(pq.read_table(tables[name]))
        return {key: pa.concat_tables(tables, promote_options="default") for key, tables in pieces.items()}

    def digest(self, name="runs"):
        return {key: table_digest(table) for key, table in self.rows(name).items()}


@pytest.fixture(scope="module")
def cfg():
    return config({"replications": 8, "seed": 3}, end=SHORT)


@pytest.fixture(scope="module")
def whole(cfg):
    store = Memory()
    done = study_of(cfg, store)
    assert (done.errors, done.stopped) == ({}, None)
    return store


def failing(numbers, simulate=montecarlo.simulate):
    def broken(world, seed, replication, *rest):
        if replication in numbers:
            raise ConservationError(f"people {replication}")
        return simulate(world, seed, replication, *rest)

    return broken


@given(st.lists(st.sets(st.integers(0, 60)), min_size=1, max_size=4), st.integers(1, 8))
def test_blocks_hold_every_missing_replication_once(missing, processes):
    cut = blocks([sorted(numbers) for numbers in missing], processes)
    held = [(block.scenario, n) for block in cut for n in range(block.first, block.last)]
    assert len(held) == len(set(held))
    assert set(held) == {(scenario, n) for scenario, numbers in enumerate(missing) for n in numbers}
    assert all(0 < block.last - block.first <= montecarlo.LARGEST for block in cut)


def test_large_runs_have_large_blocks():
    assert {b.last - b.first for b in blocks([range(10_000)], 2)} == {50}
    assert max(b.last - b.first for b in blocks([range(400)], 2)) == 6
    assert len(blocks([range(10)] * 3, 2)) == 30


def test_every_replication_once_and_in_order(cfg, whole):
    assert whole.numbers() == list(range(8))
    ends = sorted((first, last) for _, first, last in whole.kept)
    assert all(a[1] == b[0] for a, b in pairwise(ends))


def test_two_workers_give_the_same_tables(cfg, whole):
    store = Memory()
    study_of(cfg | {"workers": 2}, store)
    for name in ("runs", "monthly", "sites"):
        assert store.digest(name) == whole.digest(name)


def test_a_killed_worker_changes_nothing(cfg, whole, caplog):
    """SIGKILL to one of two workers as soon as the first block is back."""
    done = []

    def kill_one(count):
        done.append(count)
        if len(done) == 2:  # the first call says what was there before
            os.kill(workers(os.getpid())[0], signal.SIGKILL)

    store = Memory()
    with caplog.at_level(logging.WARNING):
        study_of(cfg | {"workers": 2}, store, kill_one)
    assert "a worker was killed" in caplog.text
    assert sum(done) == 8
    assert store.digest() == whole.digest()


def test_only_what_is_missing_is_run(cfg, whole):
    store, seen = Memory(have=range(5)), []
    study_of(cfg, store, seen.append)
    assert store.numbers() == [5, 6, 7]
    assert seen[0] == 5
    assert sum(seen) == 8


def test_only_one_replication_is_the_one_of_the_full_run(cfg, whole):
    store = Memory()
    study_of(cfg | {"only": 5}, store)
    assert store.numbers() == [5]
    ((alone,),) = (table.to_pylist() for table in store.rows().values())
    ((*_, fifth, _, _),) = (table.to_pylist() for table in whole.rows().values())
    assert alone == fifth


def test_a_sweep_uses_the_same_dice(cfg, whole):
    """One scenario of the sweep has the baseline's own value: it is the baseline."""
    grid = {"grid": {"rollout.committee": [1, study().rollout.committee.value]}}
    store = Memory()
    study_of(cfg | {"replications": 2, "sweep": grid}, store)
    assert len(store.kept) == 4
    tables = {len(table): table for table in store.rows().values()}
    rows = [table.to_pylist() for table in store.rows().values()]
    assert tables.keys() == {2}
    expected = next(iter(whole.rows().values())).to_pylist()[:2]
    assert expected in rows
    assert rows[0] != rows[1]


def test_the_key_of_a_scenario_is_that_of_what_it_computes(cfg):
    key = scenario_key(cfg)
    assert key == scenario_key(cfg | {"replications": 3, "workers": 2, "sweep": {"grid": {}}})
    for change in ({"seed": 4}, {"end": "2026-05-31"}, {"tables": ["runs"]}):
        assert scenario_key(cfg | change) != key


def test_a_replication_that_fails_leaves_the_others_alone(cfg, whole, monkeypatch):
    monkeypatch.setattr(montecarlo, "simulate", failing({2, 6}))
    store = Memory()
    done = study_of(cfg, store)
    assert list(done.errors) == [(0, 2), (0, 6)]
    assert "ConservationError: people 6" in done.errors[0, 6]
    assert "Traceback" in done.errors[0, 6]
    (rows,), (good,) = ([t.to_pylist() for t in one.rows().values()] for one in (store, whole))
    assert [row["error"] for row in rows if row["error"]] == [
        "sim.model.record.ConservationError: people 2", "sim.model.record.ConservationError: people 6",
    ]  # fmt: skip
    for mine, theirs in zip(rows, good, strict=True):
        if mine["error"] is None:
            assert mine == theirs
        else:
            assert all(value is None for name, value in mine.items() if name not in ("replication", "error"))


@pytest.mark.parametrize("processes", [1, 2])
def test_ctrl_c_keeps_what_is_done(cfg, whole, processes):
    """And nothing else is said: what the pool has to say about its own tasks is no news for the user."""
    calls = []

    def press(count):
        calls.append(count)
        if len(calls) == 4:
            signal.raise_signal(signal.SIGINT)

    store = Memory()
    done = study_of(cfg | {"workers": processes}, store, press)
    assert done.stopped == "interrupted"
    assert 3 <= len(store.numbers()) < 8
    assert sum(calls) == len(store.numbers())


def test_a_full_disk_stops_the_run(cfg, monkeypatch):
    store = Memory()
    put, calls = store.put, []

    def full(*arguments):
        calls.append(1)
        if len(calls) == 3:
            raise OSError(28, "No space left on device")
        put(*arguments)

    monkeypatch.setattr(store, "put", full)
    done = study_of(cfg, store)
    assert done.stopped == "cannot write the results (No space left on device)"
    assert len(store.kept) == 2


def test_a_block_comes_back_as_files(cfg):
    finished = run_block(Block(0, 3, 5, json.dumps(cfg)))
    assert set(finished.tables) == {"runs", "monthly", "sites"}
    assert all(content[:4] == b"PAR1" for content in finished.tables.values())
    assert finished.errors == {}
    assert replicate(read_study(cfg), 3).replication == 3


def test_judging_reads_the_record_at_the_goals_dates():
    world = study(end="2027-03-31")
    assert [str(day) for day in world.judged] == ["2027-02-28"]
    (record,) = run(world, record_on=set(world.judged))
    row = judge(record, world)
    at = [str(day) for day in record.dates].index("2027-02-28")
    for name in metrics(["hub"]):
        np.testing.assert_equal(row[f"{name}@2027-02-28"], float(national(record)[name][at]))
    assert {name.removeprefix("param.") for name in row if name.startswith("param.")} == set(record.drawn)


def test_a_goal_is_reached_on_the_first_record_date_that_meets_it():
    cfg = config({"calls.applications": EXACT, "calls.applications_sd": 0, "start.states": []}, end="2027-03-31")
    goal = cfg["goals"]["hubs_250_february"]
    cfg["goals"] = {
        "now": goal | {"level": 1}, "later": goal | {"level": 48}, "never": goal | {"level": 10_000},
        "exports": goal | {"metric": "exports_usd_cumulative", "level": 0.5},
        "exactly": goal | {"metric": "applications", "level": EXACT},
    }  # fmt: skip
    world = read_study(cfg)
    (record,) = run(world, record_on=set(world.judged))
    row = judge(record, world)
    hubs = national(record)["hubs_open"]
    assert row["reached.now"] == record.dates[0]
    assert row["reached.later"] == record.dates[int(np.argmax(hubs >= 48))] > record.dates[0]
    assert row["reached.never"] is None
    assert row["reached.exactly"] == record.dates[0]  # the level itself is enough
    assert "women_share@2027-02-28" in row
