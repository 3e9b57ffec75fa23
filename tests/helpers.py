"""What tests share: composing configurations, running a few replications, looking at tables and processes."""

import os
import pickle
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from sim.config import Study, compose_config, plain, read_study
from sim.model.clock import record_dates
from sim.model.metrics import national
from sim.model.record import Record, Recorder
from sim.model.site import STAGES, Ledger
from sim.model.streams import Streams
from sim.model.world import World, simulate

ROOT = Path(__file__).resolve().parents[1]
SIM = (sys.executable, "-m", "sim")

NO_LIMITS = {
    "rollout.committee": 10_000,
    "rollout.grant": 0,
    **{
        f"regions.{region}.contractors": 10_000
        for region in ("Punjab", "Sindh", "KP", "Islamabad", "Balochistan", "AJK", "GB")
    },
}
"""Nobody waits for the committee, money or a contractor."""

SURE = {
    "calls.applications_sd": 0,
    "rollout.rejection": 0,
    "rollout.refusal": 0,
    "rollout.abandonment": 0,
    "rollout.programme_shock": 1,
    "rollout.remote_factor": 1,
    "rollout.brownfield_share": 0,
    "hubs.closure": 0,
    "hubs.closure_later": 0,
}
"""Every application opens, at the planned pace, and stays open."""

FULL_HOUSE = {
    "hiring.people_per_seat": 1,
    "hiring.occupancy": 1,
    "hiring.start": 1,
    "hiring.freelancer_share": 1,
    "hiring.member_churn": 0,
    "hiring.attrition": 0,
    "outages.frequency": 0,
}
"""One freelancer wants each seat from the first day and stays."""


@cache
def _composed(experiment: str) -> bytes:
    return pickle.dumps(plain(compose_config([f"experiment={experiment}"])))


def composed(experiment: str) -> dict[str, Any]:
    """Plain configuration of an experiment as it stands."""
    return pickle.loads(_composed(experiment))


def config(
    overrides: dict[str, Any] | None = None, experiment: str = "baseline", end: str = "2026-12-31", every: int = 10
) -> dict:
    """Plain configuration of an experiment with dotted overrides; a short horizon, no goal after it, and no figures.

    Figures, and reading and writing each of the states that it may begin in, take most of the time of a small run:
    figures are drawn where a test is about them, and one in `every` states is left.
    """
    cfg = composed(experiment)
    cfg["start"]["states"] = cfg["start"]["states"][::every]
    overrides = {"end": min(end, cfg["end"]), "workers": 1, "figures": False} | (overrides or {})
    for key, value in overrides.items():
        *groups, name = key.split(".")
        level = cfg
        for group in groups:
            level = level[group]
        assert name in level, f"{key} is not in the configuration"
        level[name] = value
    cfg["goals"] = {
        name: goal for name, goal in cfg["goals"].items() if cfg["start"]["date"] <= goal["by"] <= cfg["end"]
    }
    return cfg


def state(*hubs: int, balance: float = 0.0) -> dict[str, Any]:
    """A state of the start date with so many hubs in each stage and so much money left, and nothing else known."""
    stages = [stage.name for stage, number in zip(STAGES, hubs, strict=True) for _ in range(number)]
    return {"hubs": [[stage] for stage in stages], "balance": balance, "parameters": {}}


def study(
    overrides: dict[str, Any] | None = None, experiment: str = "baseline", end: str = "2026-12-31", every: int = 10
) -> Study:
    """A valid study: see `config`."""
    return read_study(config(overrides, experiment, end, every))


def run(world: Study, replications: int | Iterable[int] = 1, seed: int = 1, **options: Any) -> list[Record]:
    """Simulate replications 0, 1, ... of a world, or those that are named."""
    numbers = range(replications) if isinstance(replications, int) else replications
    return [simulate(world, seed, number, **options) for number in numbers]


def inhabit(world: Study, streams: Streams | None = None) -> tuple[World, Record]:
    """Simulate one replication and hand over the living world, for a look behind the record."""
    living = World(world, streams or Streams(1, 0))
    recorder = Recorder(living, record_dates(world.start.date, world.end, set()))
    living.env.run(until=living.env.process(recorder.run()))
    return living, recorder.finish()


def ledgers(world: World) -> list[Ledger]:
    """Books of every system and region."""
    return [ledger for regions in world.ledgers.values() for ledger in regions.values()]


def metric(records: list[Record], name: str, at: int = -1) -> np.ndarray:
    """A national metric at a record date (the last one), an entry per replication."""
    return np.array([national(record)[name][at] for record in records])


def mask(record: Record, **columns: str) -> np.ndarray:
    """Which sites of a record have these values in these columns."""
    return np.logical_and.reduce([record.sites[name] == value for name, value in columns.items()])


def same_sites(a: Record, b: Record, rows_a: np.ndarray, rows_b: np.ndarray, without: Iterable[str] = ()) -> None:
    """Assert that the chosen sites of two records agree in every column but those named."""
    for name in set(a.sites) - set(without):
        np.testing.assert_array_equal(a.sites[name][rows_a], b.sites[name][rows_b], err_msg=name)


def children(parent: int) -> list[int]:
    """Process ids of the running descendants of a process."""
    found: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, ppid = stat.read_text().rsplit(")", 1)[1].split()[:2]
        except OSError:  # ended meanwhile
            continue
        if state != "Z":
            found.setdefault(int(ppid), []).append(int(stat.parent.name))

    def below(pid: int) -> Iterator[int]:
        for child in found.get(pid, []):
            yield child
            yield from below(child)

    return list(below(parent))


def command_line(pid: int) -> str:
    """Command line of a process, empty if it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""


def workers(parent: int) -> list[int]:
    """Process ids of the pool's workers below a process, without the pool's own helpers."""
    return [pid for pid in children(parent) if "loky.backend.popen" in command_line(pid)]


def clean_environment(**extra: str) -> dict[str, str]:
    """Environment in which a command finds this checkout, whatever the folder it runs in."""
    return os.environ | {"PYTHONPATH": str(ROOT)} | extra
