"""What a replication costs, beside a bare SimPy loop with as many events; measured alternately, in one run.

The bare loop is 100 processes `while True: yield env.timeout(1)`: the least that many events cost in SimPy.
Times are of the process's own CPU clock, so that other programs on the machine disturb them less.
"""

import argparse
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import mean, median

import numpy as np
import simpy

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # a script has its own folder there, not the checkout

from sim import __version__
from sim.config import Study
from sim.model.clock import record_dates
from sim.model.record import Recorder
from sim.model.streams import Streams
from sim.model.world import World
from tests.helpers import SIM, clean_environment, study

PROCESSES = 100


def replicate(config: Study, replication: int) -> int:
    """Run one replication as `simulate` does; return how many events were scheduled."""
    world = World(config, Streams(config.seed, replication))
    recorder = Recorder(world, record_dates(config.start.date, config.end, set(config.judged)))
    world.env.run(until=world.env.process(recorder.run()))
    recorder.finish()
    return next(world.env._eid)


def bare_loop(events: int) -> int:
    """Run SimPy with as many events that do nothing; return how many were scheduled."""
    env = simpy.Environment()

    def tick():
        while True:
            yield env.timeout(1)

    for _ in range(PROCESSES):
        env.process(tick())
    # Each process is begun by an event of its own and ends with one on the way.
    env.run(until=events / PROCESSES - 1.5)
    return next(env._eid)


def timed(function: Callable[..., int], *arguments: object) -> tuple[float, int]:
    """CPU seconds, and what the function returned."""
    begin = time.process_time()
    result = function(*arguments)
    return time.process_time() - begin, result


def wall(*command: str) -> float:
    """Seconds by the clock on the wall of a command in a process of its own."""
    begin = time.perf_counter()
    subprocess.run([sys.executable, *command], check=True, capture_output=True, env=clean_environment())
    return time.perf_counter() - begin


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--replications", type=int, default=100)
    parser.add_argument("--end", default="2028-12-31")
    options = parser.parse_args()

    config = study(end=options.end)
    timed(replicate, config, 10**6), timed(bare_loop, 5000)  # warm up
    ours, bare, events, loop_events = [], [], [], []
    for replication in range(options.replications):
        seconds, count = timed(replicate, config, replication)
        ours.append(seconds)
        events.append(count)
        seconds, count = timed(bare_loop, events[-1])
        bare.append(seconds)
        loop_events.append(count)
    ratio = [a / b for a, b in zip(ours, bare, strict=True)]

    versions = f"Python {platform.python_version()}, SimPy {simpy.__version__}, NumPy {np.__version__}"
    print(f"{platform.processor() or platform.machine()}, {platform.system()}; {versions}, sim {__version__}")
    print(f"baseline to {options.end}, {options.replications} replications, each followed by a bare loop")
    print(f"  events per replication   mean {mean(events):,.0f} (bare loop {mean(loop_events):,.0f})")
    print(f"  replication              median {1e3 * median(ours):.1f} ms, mean {1e3 * mean(ours):.1f} ms")
    print(f"  bare loop                median {1e3 * median(bare):.1f} ms, mean {1e3 * mean(bare):.1f} ms")
    print(f"  ratio                    of means {mean(ours) / mean(bare):.2f}, median of pairs {median(ratio):.2f}")
    for name, command in (
        ("sim run --help", (*SIM[1:], "run", "--help")),
        ("sim --help", (*SIM[1:], "--help")),
        ("import sim.cli", ("-c", "import sim.cli")),
        ("import sim.model.world", ("-c", "import sim.model.world")),
        ("python itself", ("-c", "")),
    ):
        print(f"  {name:24} median {median(wall(*command) for _ in range(5)):.2f} s")


if __name__ == "__main__":
    main()
