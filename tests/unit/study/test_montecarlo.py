"""Replications of scenarios, into outcomes: errors, single replications, interruptions, killed workers."""

import logging
import os
import signal

import numpy as np
import pytest

from sim.config import read_study
from sim.model.metrics import metrics, national
from sim.model.record import ConservationError
from sim.results.digest import table_digest
from sim.results.tables import build
from sim.study import montecarlo
from sim.study.montecarlo import judge, run_study
from tests.helpers import config, run, study, workers

SHORT = "2026-06-30"
EXACT = 31


def digests(outcomes):
    tables = build(outcomes.by_key, study().start.date)
    return {name: table_digest(table) for name, table in tables.items()}


@pytest.fixture(scope="module")
def cfg():
    return config({"replications": 8, "seed": 3}, end=SHORT)


@pytest.fixture(scope="module")
def whole(cfg):
    return run_study(cfg)


def failing(numbers, simulate=montecarlo.simulate):
    def broken(world, seed, replication, record_on):
        if replication in numbers:
            raise ConservationError(f"people {replication}")
        return simulate(world, seed, replication, record_on)

    return broken


def test_every_replication_in_order(whole):
    assert list(whole.by_key) == [(0, replication) for replication in range(8)]
    assert not whole.interrupted
    assert not whole.failed


def test_two_workers_give_the_same_tables(cfg, whole):
    assert digests(run_study(cfg | {"workers": 2})) == digests(whole)


def test_a_killed_worker_changes_nothing(cfg, whole, caplog):
    """SIGKILL to one of two workers as soon as the first replication is back."""
    done = []

    def kill_one(count):
        done.append(count)
        if len(done) == 1:
            os.kill(workers(os.getpid())[0], signal.SIGKILL)

    with caplog.at_level(logging.WARNING):
        outcomes = run_study(cfg | {"workers": 2}, kill_one)
    assert "a worker was killed" in caplog.text
    assert len(done) == 8
    assert digests(outcomes) == digests(whole)


def test_only_one_replication_is_the_one_of_the_full_run(cfg, whole):
    alone = run_study(cfg | {"only": 5})
    assert list(alone.by_key) == [(0, 5)]
    assert alone.by_key[0, 5].row == whole.by_key[0, 5].row
    np.testing.assert_array_equal(alone.by_key[0, 5].monthly, whole.by_key[0, 5].monthly)


def test_more_replications_leave_the_first_alone(cfg, whole):
    assert run_study(cfg | {"replications": 3}).by_key[0, 2].row == whole.by_key[0, 2].row


def test_a_sweep_uses_the_same_dice(cfg, whole):
    """Scenario 1 of the sweep has the baseline's own value: it is the baseline."""
    grid = {"grid": {"rollout.committee": [1, study().rollout.committee.value]}}
    swept = run_study(cfg | {"replications": 2, "sweep": grid})
    assert list(swept.by_key) == [(scenario, replication) for scenario in (0, 1) for replication in (0, 1)]
    assert swept.by_key[1, 1].row == whole.by_key[0, 1].row
    assert swept.by_key[0, 1].row != whole.by_key[0, 1].row


def test_a_replication_that_fails_leaves_the_others_alone(cfg, whole, monkeypatch):
    monkeypatch.setattr(montecarlo, "simulate", failing({2, 6}))
    outcomes = run_study(cfg)
    assert list(outcomes.failed) == [(0, 2), (0, 6)]
    assert "ConservationError: people 6" in outcomes.failed[0, 6]
    assert "Traceback" in outcomes.failed[0, 6]
    for key in set(outcomes.by_key) - set(outcomes.failed):
        assert outcomes.by_key[key].row == whole.by_key[key].row
    runs = build(outcomes.by_key, study().start.date)["runs"]
    rows = runs.to_pylist()
    assert [row["replication"] for row in rows] == list(range(8))
    assert [row["error"] for row in rows if row["error"]] == [
        "sim.model.record.ConservationError: people 2", "sim.model.record.ConservationError: people 6",
    ]  # fmt: skip
    figures = [name for name in runs.column_names if name not in ("scenario", "replication", "error")]
    assert all(rows[2][name] is None for name in figures)


@pytest.mark.parametrize("processes", [1, 2])
def test_ctrl_c_keeps_what_is_done(cfg, whole, processes):
    """And nothing else is said: what the pool has to say about its own tasks is no news for the user."""
    done = []

    def press(count):
        done.append(count)
        if len(done) == 3:
            signal.raise_signal(signal.SIGINT)

    outcomes = run_study(cfg | {"workers": processes}, press)
    assert outcomes.interrupted
    assert len(outcomes.by_key) == 3
    for key, outcome in outcomes.by_key.items():
        assert outcome.row == whole.by_key[key].row


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
    cfg = config({"calls.applications": EXACT, "calls.applications_sd": 0, "start.backlog": []}, end="2027-03-31")
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
