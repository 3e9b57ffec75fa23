"""What the simulation costs, beside what else could be run: `make bench` (an hour), ARGS=--quick (3 minutes).

Everything is measured in one run, alternately, and told as medians and ratios: the machine may be busy. Seconds are of
the process's own CPU clock unless they are said to be of the clock on the wall. The last run is kept in
results/benchmarks/: benchmarks.json, and README.md made from it.
"""

import argparse
import cProfile
import gc
import json
import multiprocessing
import os
import platform
import pstats
import resource
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from math import log, nan
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import simpy
from scipy.special import stdtrit

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # a script has its own folder there, not the checkout

from sim import __version__
from sim.config import read_study
from sim.model.metrics import national
from sim.model.world import simulate
from sim.results.folder import environment
from sim.results.store import Store
from sim.results.tables import build
from sim.study.design import points
from sim.study.executor import run_tasks
from sim.study.montecarlo import Block, replicate, run_block, run_study, scenario_key
from sim.workflow import variance_reduction
from tests import helpers
from tests.benchmarks import rivals
from tests.helpers import ROOT, SIM, clean_environment

config, study = (partial(make, every=1) for make in (helpers.config, helpers.study))  # with all states, as published

PROCESSES = 100
Z = 1.96
HALF_PROBABILITY, HALF_JOBS = 0.02, 100.0
GOAL, ON = 100, "2027-12-31"
PLANS: dict[str, dict[str, Any]] = {"base": {"calls.applications": 48}, "more": {"calls.applications": 60}}


def timed(function: Callable[..., Any], *arguments: object) -> tuple[float, Any]:
    """CPU seconds, and what the function returned."""
    begin = time.process_time()
    result = function(*arguments)
    return time.process_time() - begin, result


def wall(*command: str) -> float:
    """Seconds by the clock on the wall of a command in a process of its own."""
    begin = time.perf_counter()
    subprocess.run([sys.executable, *command], check=True, capture_output=True, env=clean_environment())
    return time.perf_counter() - begin


def bare_loop(events: int, processes: int = PROCESSES) -> int:
    """Run SimPy with as many events that do nothing; return how many were scheduled."""
    env = simpy.Environment()

    def tick():
        while True:
            yield env.timeout(1)

    for _ in range(processes):
        env.process(tick())
    # Each process is begun by an event of its own and ends with one on the way.
    env.run(until=events / processes - 1.5)
    return next(env._eid)


def floor(effort: int) -> dict[str, Any]:
    """A replication of the published experiments beside a bare SimPy loop with as many events."""
    found = {}
    for experiment in ("baseline", "portfolio"):
        world = study({}, experiment, "2030-12-31")
        timed(rivals.ours, 10**6, world), timed(bare_loop, 5000)  # warm up
        pairs = []
        for number in range((1, 8, 40)[effort]):
            seconds, (_, _, events) = timed(rivals.ours, number, world)
            pairs.append((events, seconds, timed(bare_loop, events)[0]))
        events, ours, bare = np.array(pairs).T
        found[experiment] = {
            "events": float(events.mean()), "seconds": median(ours), "bare_seconds": median(bare),
            "ratio": median(ours / bare), "microseconds_an_event": 1e6 * median(ours / events),
        }  # fmt: skip
    return found


def profile(effort: int) -> dict[str, dict[str, float]]:
    """Share of a replication's time by module; what is written in C counts for the module that calls it."""
    found = {}
    for experiment in ("baseline", "portfolio"):
        world = study({}, experiment, "2030-12-31")
        simulate(world, 1, 10**6)
        profiler = cProfile.Profile()
        for number in range((1, 2, 8)[effort]):
            profiler.runcall(simulate, world, 1, number)
        seconds: Counter[str] = Counter()
        for (file, _, _), (*_, own, _, callers) in pstats.Stats(profiler).stats.items():
            for place, spent in [(file, own)] if file != "~" else [(by[0], of[2]) for by, of in callers.items()]:
                seconds[_module(place)] += spent
        whole = seconds.total()
        found[experiment] = {name: spent / whole for name, spent in seconds.most_common()}
    return found


def _module(file: str) -> str:
    """What a file belongs to: a module of the model, a library, or Python."""
    parts = Path(file).with_suffix("").parts
    if "site-packages" in parts:
        return parts[parts.index("site-packages") + 1]
    return ".".join(parts[parts.index("sim") :]) if "sim" in parts else "Python itself"


def beside_rivals(effort: int) -> dict[str, Any]:
    """The part of the model that all write, and how far their answers are from ours (`rivals.differences`)."""
    ways = {
        name: run for name, (run, package) in rivals.WAYS.items() if package is None or find_spec(package) is not None
    }
    for run in ways.values():
        run(10**6)  # warm up, compile
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    results: dict[str, list[Any]] = {name: [] for name in ways}
    for number in range((10, 15, 60)[effort]):
        for name, run in ways.items():
            one, result = timed(run, number)
            seconds[name].append(one)
            results[name].append(result[:2])
    off = rivals.differences({name: np.array(found, float) for name, found in results.items()})
    ours = np.array(seconds["this model"])
    return {
        name: {
            "seconds": median(seconds[name]), "ratio": median(np.array(seconds[name]) / ours),
            "hubs_off_percent": off[name][0], "people_off_percent": off[name][1],
        }
        for name in ways
    }  # fmt: skip


def precision(effort: int) -> dict[str, Any]:
    """Seconds to an answer, from the spread of a pilot: a goal's probability, the difference of two plans."""
    worlds = {name: study(plan, "baseline", ON) for name, plan in PLANS.items()}
    jobs: dict[str, list[float]] = {name: [] for name in PLANS}
    hubs, seconds = [], []
    pilot = (3, 40, 200)[effort]
    for number in range(pilot):
        for name, world in worlds.items():
            one, record = timed(simulate, world, world.seed, number)
            figures = national(record)
            seconds.append(one)
            jobs[name].append(figures["jobs_supported"][-1])
            if name == "base":
                hubs.append(figures["hubs_open"][-1])
    a, b = (np.array(jobs[name]) for name in PLANS)
    p = float(np.mean(np.array(hubs) >= GOAL))
    cost = median(seconds)

    def answer(variance: float, half: float, runs_each: int) -> dict[str, float]:
        n = max(2.0, np.ceil(variance * (Z / half) ** 2))
        while stdtrit(n - 1, 0.975) * np.sqrt(variance / n) > half:
            n += 1
        return {"replications": n, "seconds": n * runs_each * cost}

    return {
        "pilot": pilot, "seconds_a_replication": cost, "goal": f"{GOAL} hubs open on {ON}", "probability": p,
        "probability_within_2_points": answer(p * (1 - p), HALF_PROBABILITY, 1),
        "difference_within_100_jobs_common_random_numbers": answer(float((b - a).var(ddof=1)), HALF_JOBS, 2),
        "difference_within_100_jobs_independent": answer(float(a.var(ddof=1) + b.var(ddof=1)), HALF_JOBS, 2),
    }  # fmt: skip


def answered(effort: int) -> dict[str, float]:
    """Seconds by the clock on the wall of the whole command that runs until a probability is known well enough."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        goal = f"{{metric: hubs_open, level: {GOAL}, by: '{ON}', label: {GOAL} hubs open, source: assumption}}"
        rule = f"{{metric: reach, half_width: {(0.4, 0.1, HALF_PROBABILITY)[effort]}}}"
        seconds = wall(
            *SIM[1:], "run", f"end={ON}", "goals=none", f"+goals.reach={goal}", f"precision={rule}",
            "replications=20000", "tables=[runs]", "figures=false", f"out={out}",
        )  # fmt: skip
        return {"seconds": seconds, "replications": json.loads((out / "manifest.json").read_text())["replications"]}


def designs(effort: int) -> dict[str, Any]:
    """How many times as many plain runs a mean under a design is worth: of each metric, and of the goal's being met.

    Pairs, hypercubes and control variates from one study; a Sobol sequence, one whole, from the means of several.
    """
    studies, size = ((2, 8), (8, 32), (24, 64))[effort]
    names = ("hubs_open", "jobs_supported", "goal")
    found: dict[str, Any] = {"replications": studies * size}
    for kind in ("random", "antithetic", "latin_hypercube", "sobol"):
        means, rows = [], []
        for seed in range(studies if kind == "sobol" else 1):
            world = study({"design": kind, "seed": seed, "tables": ["runs"]}, "baseline", ON)
            n = size if kind == "sobol" else studies * size
            rows += (mine := [replicate(world, i, point) for i, point in enumerate(points(world, 0, n))])
            for one in mine:
                one.row[f"goal@{ON}"] = float(one.row[f"hubs_open@{ON}"] >= GOAL)
            means.append([np.mean([one.row[f"{name}@{ON}"] for one in mine]) for name in names])
        runs = build(rows, world.start.date)["runs"]
        if kind == "sobol":
            y = np.array([[one.row[f"{name}@{ON}"] for name in names] for one in rows])
            gains = y.var(0, ddof=1) / size / np.var(means, axis=0, ddof=1)
        else:
            reduced = variance_reduction(world, runs, [f"{name}@{ON}" for name in names])
            worth = {one["metric"]: one["gain"] for one in reduced}
            gains = [worth.get(name, nan) for name in names]
        found["control variates" if kind == "random" else kind] = dict(zip(names, map(float, gains), strict=True))
    return found


def start_up(effort: int) -> dict[str, float]:
    """Seconds by the clock on the wall until something happens, each in a process of its own."""
    first = "from tests.helpers import study; from sim.study.montecarlo import replicate; replicate(study(every=1), 0)"
    commands = {
        "python itself": ("-c", ""), "import sim.cli": ("-c", "import sim.cli"),
        "sim run --help": (*SIM[1:], "run", "--help"), "import sim.model.world": ("-c", "import sim.model.world"),
        "first replication": ("-c", first),
    }  # fmt: skip
    times = [{name: wall(*command) for name, command in commands.items()} for _ in range((1, 3, 7)[effort])]
    return {name: median(one[name] for one in times) for name in commands}


def parallel(effort: int) -> dict[str, float]:
    """Speed-up of two workers, by the clock on the wall: blocks of replications through the pool against in turn.

    And the speed-up of two processes that share nothing and send nothing back: no pool can do better.
    """
    text = json.dumps(config({}, "baseline", ON))
    tasks = [Block(0, first, first + 4, text) for first in range(0, (8, 40, 160)[effort], 4)]

    def run(workers: int) -> float:
        begin = time.perf_counter()
        assert len(list(run_tasks(run_block, tasks, workers))) == len(tasks)
        return time.perf_counter() - begin

    def apart() -> float:
        fork = multiprocessing.get_context("fork")
        halves = [fork.Process(target=lambda half=half: [run_block(task) for task in half])
                  for half in (tasks[::2], tasks[1::2])]  # fmt: skip
        begin = time.perf_counter()
        for half in halves:
            half.start()
        for half in halves:
            half.join()
        assert not any(half.exitcode for half in halves)
        return time.perf_counter() - begin

    run(1), run(2)  # start the pool, read the configuration
    one, two, free = np.array([(run(1), run(2), apart()) for _ in range((1, 1, 5)[effort])]).T
    pool, limit = np.sort(one / two / 2), np.sort(one / free / 2)
    return {
        "efficiency": median(pool), "low": float(pool[0]), "high": float(pool[-1]), "pairs": len(pool),
        "limit": median(limit), "limit_low": float(limit[0]), "limit_high": float(limit[-1]),
    }  # fmt: skip


def blocks(effort: int) -> dict[str, float]:
    """What a block of replications of the baseline costs and weighs."""
    text, size = json.dumps(config({}, "baseline", "2030-12-31")), (2, 10, 50)[effort]
    run_block(Block(0, 0, 1, text))
    seconds, block = timed(run_block, Block(0, 0, size, text))
    world = study({}, "baseline", "2030-12-31")
    alone, _ = timed(lambda: [simulate(world, world.seed, number) for number in range(size)])
    weight = {f"{name}_bytes": len(content) / size for name, content in block.tables.items()}
    weight |= {f"{name}_memory": pq.read_table(pa.BufferReader(content)).nbytes / size
               for name, content in block.tables.items()}  # fmt: skip
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder)) as store:
        store.find([], {})
        kept = [timed(store.put, "key", first, first + size, block.tables)[0] for first in range(0, 20 * size, size)]
    return {
        "task_bytes": len(text),
        "put_seconds": median(kept),
        "replications": size,
        "seconds_a_replication": seconds / size,
        "simulating_share": alone / seconds,
        **weight,
    }


def peak() -> float:
    """Most memory this process has had so far, MB; on Linux getrusage would count what its parent had as well."""
    status = Path("/proc/self/status")
    if status.is_file():
        return int(status.read_text().split("VmHWM:")[1].split()[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2


def child(kind: str, number: int) -> dict[str, float]:
    """Measure in a process of its own, whose memory tells of nothing else."""
    command = [sys.executable, __file__, "--child", kind, str(number)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=clean_environment())
    return dict(json.loads(done.stdout.splitlines()[-1]))


def of_hubs(hubs: int) -> dict[str, float]:
    """One replication with so many applications on the first day (`rivals.part`), and as many places in proportion.

    Beside it a bare SimPy loop with a process a hub and as many events. In replications of their own: the share of
    SimPy's queue and of its lists of who holds a place, by a profile; and memory, what Python has allocated at most
    (that of the process has a size it begins with).
    """
    rivals.ours(0, rivals.part(25, 8))
    world = rivals.part(hubs, hubs * rivals.PLACES // rivals.APPLICATIONS)
    gc.collect()
    seconds, (*_, events) = timed(rivals.ours, 0, world)
    gc.collect()
    bare, _ = timed(bare_loop, events, hubs)
    profiler = cProfile.Profile()
    profiler.runcall(rivals.ours, 0, world)
    spent = [(name, own) for (_, _, name), (_, _, own, *_) in pstats.Stats(profiler).stats.items()]
    queue = sum(own for name, own in spent if "heappop" in name or "'remove' of 'list'" in name)
    del profiler
    gc.collect()
    tracemalloc.start()
    rivals.ours(0, world)
    return {
        "seconds": seconds, "bare_seconds": bare, "queue_percent": 100 * queue / sum(own for _, own in spent),
        "megabytes": tracemalloc.get_traced_memory()[1] / 1e6,
    }  # fmt: skip


def of_replications(replications: int) -> dict[str, float]:
    """A study of short replications through the store: what grows is bookkeeping. Peak memory of the parent."""
    from sim.analysis.summary import summarise
    from sim.analysis.tables import national as paths
    from sim.results.folder import Run

    plain = config(
        {"replications": replications, "workers": 2, "tables": ["runs", "monthly"]}, "baseline", "2025-12-31"
    )
    whole = read_study(plain)
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        with Store(Path(folder)) as store:
            store.find([], {})
            assert run_study(whole, [plain], store).finished == replications
            ran, ran_peak = time.perf_counter(), peak()
            store.merge([scenario_key(plain)])
            store.clear()
        merged, merged_peak = time.perf_counter(), peak()
        summarise(Run(Path(folder)).table("runs"), {}, whole.end)
        summarised, summary_peak = time.perf_counter(), peak()
        paths(Run(Path(folder)).table("monthly"), "hubs_open")
        return {
            "run_seconds": ran - begin, "run_megabytes": ran_peak, "merge_seconds": merged - ran,
            "merge_megabytes": merged_peak, "summary_seconds": summarised - merged, "summary_megabytes": summary_peak,
            "monthly_seconds": time.perf_counter() - summarised, "monthly_megabytes": peak(),
        }  # fmt: skip


CHILDREN = {"hubs": of_hubs, "replications": of_replications}


def growth(kind: str, numbers: list[int], effort: int) -> dict[str, Any]:
    """Medians at each number, and the exponent of each figure, fitted to all: 1 is in proportion, 0 flat."""
    rows = []
    for step, number in enumerate(numbers):
        repeats = max(1, (1, 1, 5 - 2 * step)[effort]) if kind == "hubs" else 1
        measured = [child(kind, number) for _ in range(repeats)]
        rows.append({name: median(one[name] for one in measured) for name in measured[0]})
    logs = np.log([[max(value, 1e-9) for value in row.values()] for row in rows])
    exponents = np.polyfit(np.log(numbers), logs, 1)[0]
    return {"numbers": numbers, "rows": rows, "exponents": dict(zip(rows[0], map(float, exponents), strict=True))}


def _processor() -> str | None:
    """Its model, where Linux says so."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), None)


def machine() -> dict[str, Any]:
    """What it was measured with."""
    versions: dict[str, str | None] = {}
    for name in ("simpy", "numpy", "scipy", "pyarrow", "salabim", "numba"):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = None
    return {
        "machine": f"{platform.system()} {platform.machine()}", "processor": _processor(),
        "processors": os.cpu_count(), "sim": __version__,
        "python": platform.python_version(), **versions,
    }  # fmt: skip


WHY = {
    "bare": "A bare event is one addition to a queue. An event here is a decision about a hub or a round of hiring, "
    "with random numbers of its own, books that must balance, and a record.",
    "rivals": "The others draw from one generator and check nothing. Ours gives every hub and purpose a stream of its "
    "own, so that plans are compared on the same luck, worth {paired:.0f} times as many independent runs for "
    "the difference of two plans, and keeps the books of every region.",
    "compiled": "Processes are what makes the model readable; a compiled loop has none.",
    "workers": "Two processes that share nothing and send nothing back reach {limit:.2f} here: what is missing beyond "
    "that is the machine's, whose processors share caches and memory, and other work.",
    "hubs": "Events are in proportion to hubs. A bare SimPy loop with a process a hub and as many events grows with an "
    "exponent of {bare_exponent:.2f}. Taking the next event from SimPy's queue, and a hub from its list of who holds a "
    "place, are {queue_few:.0f}% of a replication of the fewest hubs and {queue_many:.0f}% of one of the most (in a "
    "profile); the rest is Python's garbage collector, which has more to look through, and presumably memory that no "
    "longer fits the processor's caches.",
    "reading": "While replications run, blocks go to files as they come. The summary reads the table `runs` whole, and "
    "figures `monthly` and `sites`: these grow with the replications.",
    "memory": "Sites are kept until the end: their dates are the table `sites`.",
}
"""Why an aim may be missed, by the aim's kind."""


def aims(found: dict[str, Any]) -> list[str]:
    """What was aimed at, what was measured, and the reason where it was missed."""
    ratio = {name: one["ratio"] for name, one in found["rivals"].items()}
    compiled = 1 / ratio["numba, a compiled event loop"] if "numba, a compiled event loop" in ratio else None
    worth = found["designs"]["control variates"]
    gain = worth["jobs_supported"]

    def per(metric: str) -> str:
        return f"{compiled / worth[metric]:.0f}" if compiled else "not measured"

    hubs, many = (found[f"growth_{kind}"]["exponents"] for kind in ("hubs", "replications"))
    few, *_, most = (row["queue_percent"] for row in found["growth_hubs"]["rows"])
    known = found["parallel"] | {"bare_exponent": hubs["bare_seconds"], "queue_few": few, "queue_many": most}
    plans = (
        found["precision"][f"difference_within_100_jobs_{kind}"] for kind in ("independent", "common_random_numbers")
    )
    alone, paired = (plan["replications"] for plan in plans)
    known["paired"] = alone / paired
    rows = [
        (
            "a replication of the portfolio, times the bare loop",
            "most",
            3,
            found["floor"]["portfolio"]["ratio"],
            "bare",
        ),
        ("a process a person, times ours", "least", 20, ratio["SimPy by hand, a process a person"], "rivals"),
        ("salabim, times ours", "least", 5, ratio.get("salabim, a component a hub"), "rivals"),
        ("ours, times the compiled loop", "most", 20, compiled, "compiled"),
        (
            f"ours, times the compiled loop, until mean jobs are as precise, ours with control variates (hubs open: "
            f"{per('hubs_open')}, the chance of a goal: {per('goal')})",
            "most",
            5,
            compiled and compiled / gain,
            "compiled",
        ),
        ("efficiency of two workers", "least", 0.9, found["parallel"]["efficiency"], "workers"),
        ("exponent of time, by hubs", "most", 1.05, hubs["seconds"], "hubs"),
        ("exponent of memory, by hubs", "most", 1.05, hubs["megabytes"], "memory"),
        ("exponent of time, by replications", "most", 1.05, many["run_seconds"], ""),
        ("exponent of the parent's memory, by replications", "most", 0.05, many["run_megabytes"], ""),
        (
            "the same, with summary and figures, which read the tables whole",
            "most",
            0.05,
            many["monthly_megabytes"],
            "reading",
        ),
        ("sim run --help, seconds", "most", 0.6, found["start_up"]["sim run --help"], ""),
    ]
    lines, reasons = ["| aim | asked | measured | |", "|---|---|---|---|"], []
    for what, bound, asked, measured, why in rows:
        if measured is None:
            lines.append(f"| {what} | at {bound} {asked} | not measured | |")
            continue
        met = measured <= asked if bound == "most" else measured >= asked
        verdict = "met" if met else "**missed**"
        if why == "workers" and (pool := found["parallel"])["low"] < asked < pool["high"]:
            verdict = f"not told: {pool['low']:.2f} to {pool['high']:.2f}"
        lines.append(f"| {what} | at {bound} {asked} | {measured:.3g} | {verdict} |")
        if not met and why and (reason := WHY[why].format(**known)) not in reasons:
            reasons.append(reason)
    lines += ["", *reasons, "", "Where the time of a replication goes (profiled, which makes calls look dearer):", "",
              "| | " + " | ".join(found["profile"]) + " |", "|---" * (len(found["profile"]) + 1) + "|"]  # fmt: skip
    places = sorted({name for one in found["profile"].values() for name in one},
                    key=lambda name: -max(one.get(name, 0) for one in found["profile"].values()))  # fmt: skip
    for name in places:
        shares = [one.get(name, 0) for one in found["profile"].values()]
        if max(shares) >= 0.01:
            lines.append(f"| {name} | " + " | ".join(f"{share:.0%}" for share in shares) + " |")
    return lines


def made_at(found: dict[str, Any]) -> str:
    """Of which commits the parts are: of one, unless `--only` measured some of them again."""
    commits: dict[str, list[str]] = {}
    for name in found["load"]:
        commits.setdefault(found.get("commits", {}).get(name, "not recorded"), []).append(name)
    if len(commits) == 1:
        return f"commit {next(iter(commits))}"
    *others, last = (f"{', '.join(names)} at commit {commit}" for commit, names in commits.items())
    return f"measured in {len(commits)} runs: {'; '.join(others)}; {last}"


def page(found: dict[str, Any]) -> str:
    """results/benchmarks/README.md, from benchmarks.json."""
    made = found["machine"]
    versions = ", ".join(
        f"{name} {made[name]}" for name in ("python", "simpy", "numpy", "salabim", "numba") if made[name]
    )
    chip = made.get("processor")
    lines = [
        "# Benchmarks", "",
        f"Made by `make bench`{' ARGS=--quick' if found['quick'] else ''} on {made['machine']}, {made['processors']} "
        f"shared processors{f' ({chip})' if chip else ''}, load before each part {min(found['load'].values()):.1f} to "
        f"{max(found['load'].values()):.1f}; {versions}; {made_at(found)}. Ratios are medians of alternating runs.", "",
        "| a replication to the end of 2030 | events | ms | bare SimPy loop with as many events, ms | ratio |",
        "|---|---|---|---|---|",
    ]  # fmt: skip
    for name, one in found["floor"].items():
        lines.append(
            f"| {name} | {one['events']:,.0f} | {1e3 * one['seconds']:.0f} | {1e3 * one['bare_seconds']:.1f} | "
            f"{one['ratio']:.1f} |"
        )
    lines += ["", *aims(found)]
    _, inside, beyond = (" ".join(text.split()) for text in rivals.__doc__.split("\n\n"))
    lines += ["", "## The same part, written otherwise", "", inside, "", beyond, "",
              "| the same part, written as | ms | times ours | hubs open, off ours | people, off ours |",
              "|---|---|---|---|---|"]  # fmt: skip
    for name, one in found["rivals"].items():
        lines.append(
            f"| {name} | {1e3 * one['seconds']:.1f} | {one['ratio']:.2f} | {one['hubs_off_percent']:+.1f}% | "
            f"{one['people_off_percent']:+.1f}% |"
        )
    precise, up, pool, block = found["precision"], found["start_up"], found["parallel"], found["blocks"]
    lines += [
        "",
        "## To an answer",
        "",
        f"| answer, baseline to {ON} | replications | seconds on one processor |",
        "|---|---|---|",
    ]
    for name, what in (
        ("probability_within_2_points", f"{precise['goal']} (p = {precise['probability']:.2f}), within 2 points"),
        ("difference_within_100_jobs_common_random_numbers", "60 against 48 applications a call, within 100 jobs"),
        ("difference_within_100_jobs_independent", "the same without common random numbers"),
    ):
        lines.append(f"| {what} | {precise[name]['replications']:,.0f} | {precise[name]['seconds']:,.0f} |")
    whole = found["answered"]
    lines.append(f"| the goal's probability by `sim run precision=...`, the whole command, by the clock | "
                 f"{whole['replications']:,} | {whole['seconds']:,.0f} |")  # fmt: skip
    gains = found["designs"]
    controlled = {name: precise["probability_within_2_points"][name] / gains["control variates"]["goal"]
                  for name in ("replications", "seconds")}  # fmt: skip
    lines += ["| the goal's probability with control variates, which no command offers | "
              f"{controlled['replications']:,.0f} | {controlled['seconds']:,.0f} |",
              "", f"From the spread in a pilot of {precise['pilot']} replications; 95% intervals.", "",
              f"| mean on {ON}, {gains['replications']:,} replications | hubs open, worth so many plain runs | jobs | "
              f"{GOAL} hubs open or not |",
              "|---|---|---|---|"]  # fmt: skip
    lines += [
        f"| {kind.replace('_', ' ')} | {one['hubs_open']:.1f} | {one['jobs_supported']:.1f} | {one['goal']:.1f} |"
        for kind, one in gains.items()
        if kind != "replications"
    ]
    lines += ["", "## Start-up, workers, growth", "", "| start-up | seconds |", "|---|---|"]
    lines += [f"| {name} | {seconds:.2f} |" for name, seconds in up.items()]
    lines += [
        "", f"Two workers, against in turn, {pool['pairs']} times: {100 * pool['efficiency']:.0f}% of twice as fast "
        f"({100 * pool['low']:.0f} to {100 * pool['high']:.0f}%); two processes that share nothing and send nothing "
        f"back: {100 * pool['limit']:.0f}% ({100 * pool['limit_low']:.0f} to {100 * pool['limit_high']:.0f}%).",
        "", f"A block of {block['replications']} replications: {1e3 * block['seconds_a_replication']:.0f} ms a "
        f"replication, {100 * block['simulating_share']:.0f}% of it simulating; as Parquet runs "
        f"{block['runs_bytes'] / 1e3:.1f}, monthly {block['monthly_bytes'] / 1e3:.1f}, sites "
        f"{block['sites_bytes'] / 1e3:.1f} kB a replication, in memory {block['runs_memory'] / 1e3:.1f}, "
        f"{block['monthly_memory'] / 1e3:.0f} and {block['sites_memory'] / 1e3:.0f} kB. To keep it takes the parent "
        f"{1e3 * block['put_seconds']:.1f} ms, to send its task {block['task_bytes'] / 1e3:.0f} kB.",
    ]  # fmt: skip
    for kind, what in (
        ("hubs", "One replication of the same part, by applications"),
        (
            "replications",
            "A study of six simulated weeks a replication, two workers, by replications; memory is the parent's",
        ),
    ):
        one = found[f"growth_{kind}"]
        names = list(one["exponents"])
        lines += ["", what + ":", "", "| | " + " | ".join(name.replace("_", " ") for name in names) + " |",
                  "|---" * (len(names) + 1) + "|"]  # fmt: skip
        for number, row in zip(one["numbers"], one["rows"], strict=True):
            lines.append(f"| {number:,} | " + " | ".join(f"{row[name]:,.2f}" for name in names) + " |")
        lines.append("| exponent | " + " | ".join(f"{one['exponents'][name]:.2f}" for name in names) + " |")
        (*_, n, m), (*_, before, last) = one["numbers"], one["rows"]
        steps = [f"{log(max(last[name], 1e-9) / max(before[name], 1e-9)) / log(m / n):.2f}" for name in names]
        lines.append("| of the last step | " + " | ".join(steps) + " |")
    return "\n".join(lines) + "\n"


def measured(effort: int, only: Collection[str] = ()) -> Iterator[tuple[str, Any]]:
    """Measure all parts or some, with effort 0 (to see that they work), 1 (quick) or 2; yield each when it is done."""
    sizes = {
        "hubs": ([20, 40], [250, 2500], [250, 2500, 25_000])[effort],
        "replications": ([2, 4], [100, 1000], [100, 1000, 10_000, 100_000])[effort],
    }
    for name, measure in (
        ("floor", floor), ("profile", profile), ("rivals", beside_rivals), ("precision", precision),
        ("answered", answered),
        ("start_up", start_up), ("parallel", parallel), ("blocks", blocks), ("designs", designs),
        *((f"growth_{kind}", partial(growth, kind, numbers)) for kind, numbers in sizes.items()),
    ):  # fmt: skip
        if not only or name in only:
            yield name, measure(effort)


def main() -> None:
    """Measure, write, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer runs, smaller sizes")
    parser.add_argument("--only", nargs="*", help="measure these parts again and keep the others of the last run")
    parser.add_argument("--out", type=Path, default=ROOT / "results/benchmarks")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000)  # as in a worker
    if options.child:
        kind, number = options.child
        print(json.dumps(CHILDREN[kind](int(number))))
        return
    last, now = options.out / "benchmarks.json", machine()
    found: dict[str, Any] = {"quick": options.quick, "machine": now, "load": {}, "commits": {}}
    if options.only:
        found = json.loads(last.read_text(encoding="utf-8"))
        there = found["machine"]
        if there != {name: now[name] for name in there}:
            sys.exit(f"--only: the other parts were measured with {there}, and this is {now}")
    options.out.mkdir(parents=True, exist_ok=True)
    new = last.with_suffix(".part")  # at once, lest a defect loses the rest; whole when the page is
    here = environment()
    commit = str(here["commit"])[:7] + ("+" if here["dirty"] else "")
    load = os.getloadavg()[0]
    for name, one in measured(1 if options.quick else 2, options.only or ()):
        found[name], found["load"][name] = one, load
        found.setdefault("commits", {})[name] = commit
        new.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        print(f"{name}: done", file=sys.stderr)
        load = os.getloadavg()[0]
    new.replace(last)
    (options.out / "README.md").write_text(page(found), encoding="utf-8")
    print(page(found))


if __name__ == "__main__":
    main()
