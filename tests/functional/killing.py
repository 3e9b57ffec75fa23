"""A run that is killed at its writes, again and again: `python -m tests.functional.killing FOLDER SEED KILLS`.

Or a finished run folder that is extended, without the simulation, and killed at each moment: `... FOLDER`.

Every run is a process forked off this one, which has imported everything and started no thread, so that 20 cost little
more than one. The moment is the n-th time that a run changes a file: before, half way through, or after. Prints a line
for each kill, and what was on disk then, or which replications were made.
"""

import io
import logging
import os
import random
import shutil
import signal
import sys
import traceback
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from sim import workflow
from sim.results import folder, store
from tests.helpers import config

CONFIG = {"replications": 10, "tables": ["runs", "sites"]}
END = "2025-12-31"


class Moments:
    """Counts the moments at which files change, and kills this process at one of them."""

    def __init__(self, at):
        self.at, self.passed = at, 0

    def tick(self):
        self.passed += 1
        if self.passed == self.at:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, function):
        def call(*arguments, **options):
            self.tick()
            result = function(*arguments, **options)
            self.tick()
            return result

        return call

    def write_bytes(self, file, content):
        with file.open("wb") as opened:
            opened.write(content[: len(content) // 2])
            opened.flush()
            self.tick()
            opened.write(content[len(content) // 2 :])


def in_a_process(action, at=0):
    """Do it in a process of its own that is killed at a moment; (signal or 0, moments passed if it was not)."""
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        moments = Moments(at)
        os.replace, shutil.rmtree = moments.around(os.replace), moments.around(shutil.rmtree)
        pq.ParquetWriter.write_table = moments.around(pq.ParquetWriter.write_table)
        Path.unlink = moments.around(Path.unlink)
        Path.write_bytes = lambda file, content: moments.write_bytes(file, content)
        Path.write_text = lambda file, text, encoding="utf-8": moments.write_bytes(file, text.encode(encoding))
        code = 1
        try:
            code = action()
        except BaseException:  # nothing may go on in this copy of the process
            traceback.print_exc()
        os.write(writing, str(moments.passed).encode())
        os._exit(code)
    os.close(writing)
    _, status = os.waitpid(pid, 0)
    passed = os.read(reading, 20).decode()
    os.close(reading)
    if os.WIFSIGNALED(status):
        return os.WTERMSIG(status), 0
    assert os.WEXITSTATUS(status) == 0, os.WEXITSTATUS(status)
    return 0, int(passed)


def simulate(path, at=0):
    """Run the study."""
    return in_a_process(lambda: workflow.run(config(CONFIG, end=END), "baseline", path), at)


def keep(path, replications, made):
    """What a study does with its folder; the numbers of the replications it makes go to a descriptor."""
    manifest = {"config": {"replications": replications}, "scenarios": [{"key": "a" * 64}], "tables": {}}
    manifest |= dict.fromkeys(("version", "commit", "dirty"))
    with folder.begin(path, manifest) as kept:
        if numbers := kept.missing("a" * 64, range(replications)):
            os.write(made, f" {numbers}".encode())
            table = store.to_bytes(pa.table({"replication": pa.array(numbers, pa.int32())}))
            kept.put("a" * 64, numbers[0], replications, {"runs": table, "sites": table})
        manifest["tables"] = kept.merge(["a" * 64])
        folder.write_json(path / "manifest.json", manifest)
        kept.clear()
    return 0


def extend(path):
    """Extend the folder `path/fewer` for each moment, in `path/MOMENT`: killed then, perhaps again, and then not."""
    reading, made = os.pipe()
    in_a_process(lambda: keep(path / "fewer", 5, made))
    _, moments = in_a_process(lambda: keep(path / "whole", 7, made))
    os.read(reading, 100)
    chance = random.Random(1)
    at, ended = 0, signal.SIGKILL
    while ended:
        at += 1
        one = path / str(at)
        shutil.copytree(path / "fewer", one)
        ended, _ = in_a_process(lambda one=one: keep(one, 7, made), at)
        for again in (*((chance.randrange(1, moments),) if at % 3 == 0 else ()), 0):
            in_a_process(lambda one=one: keep(one, 7, made), again)
        print(f"{at}:{os.read(reading, 100).decode()}")


def main(path, seed, kills):
    """Kill the run in `path/killed` so many times, flip a byte of a part after the first, and let it finish then."""
    sys.stdout = io.StringIO()  # for the runs; what follows goes to the descriptor

    def say(text):
        os.write(1, f"{text}\n".encode())

    _, moments = simulate(path / "whole")
    say(f"moments {moments}")
    chance = random.Random(seed)
    flipped = False
    for _ in range(kills):
        at = chance.randrange(1, moments // 3)
        ended, _ = simulate(path / "killed", at)
        parts = sorted((path / "killed" / "parts").glob("*/*.parquet"))
        say(f"killed {ended} at {at} with {len(parts)} parts")
        if parts and not flipped:
            part, flipped = chance.choice(parts), True
            content = bytearray(part.read_bytes())
            content[chance.randrange(len(content))] ^= 1
            part.write_bytes(content)
            say(f"flipped {part}")
    simulate(path / "killed")


if __name__ == "__main__":
    store.GROUP = 4
    store.log.addHandler(logging.StreamHandler())
    if len(sys.argv) > 2:
        main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
    else:
        extend(Path(sys.argv[1]))
