"""Work of one replication, counted and not timed.

Counts, not seconds: they are the same on every machine, however busy. `events` are those SimPy scheduled, `draws` the
uniforms drawn, `calls` the calls of Python functions of sim and simpy.
"""

import gc
import json
import sys
from pathlib import Path
from unittest import mock

import simpy

import sim
from sim.model.streams import Streams
from tests.helpers import inhabit, study

FILE = Path(__file__).with_name("work.json")
EXPERIMENTS = ("baseline", "portfolio")
PACKAGES = tuple(str(Path(package.__file__).parent) for package in (sim, simpy))
SEED = 20251114


def count(experiment: str) -> dict[str, int]:
    """Run replication 0 of an experiment to the end of 2027, once for each kind of count."""
    world = study({"seed": SEED}, experiment, "2027-12-31", every=1)
    work = dict.fromkeys(("events", "draws", "calls"), 0)
    draw = Streams._draw

    def drawn(self, purpose, entity, part, size, block):
        work["draws"] += size
        return draw(self, purpose, entity, part, size, block)

    def called(frame, event, _):
        work["calls"] += event == "call" and frame.f_code.co_filename.startswith(PACKAGES)

    with mock.patch.object(Streams, "_draw", drawn):
        living, _ = inhabit(world, Streams(SEED, 0))
    work["events"] = next(living.env._eid)
    gc.collect()  # closing the processes of worlds left over from before would be counted too
    before = sys.getprofile()
    sys.setprofile(called)
    try:
        inhabit(world, Streams(SEED, 0))
    finally:
        sys.setprofile(before)
    return work


def main() -> None:
    """Write the counts anew and say how they changed."""
    before = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
    after = {experiment: count(experiment) for experiment in EXPERIMENTS}
    FILE.write_text(json.dumps(after, indent=2) + "\n", encoding="utf-8")
    for experiment, work in after.items():
        for kind, number in work.items():
            print(f"{experiment} {kind}: {before.get(experiment, {}).get(kind, 0):,} -> {number:,}")


if __name__ == "__main__":
    main()
