"""A long run with one worker, watched: `python -m tests.benchmarks.soak SECONDS OUT key=value ...`.

Every so many seconds a line, until all replications are kept: seconds since the start, replications kept, how many a
second of the clock and of the processor since the line before, and resident memory in MB. The last two should stay
flat; that by the clock depends on what else runs.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from tests.helpers import SIM

TICK = os.sysconf("SC_CLK_TCK")


def kept(out):
    """Replications that the journal of a run names."""
    journal = out / "parts" / "journal.jsonl"
    lines = journal.read_text().splitlines() if journal.exists() else ()
    return sum(one["last"] - one["first"] for one in map(json.loads, filter(None, lines)))


def used(pid):
    """Seconds of the processor, and MB in memory; a process that has ended has none."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK, int(fields[21]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def main(every, out, *arguments):
    """Run the study and watch it; its exit code."""
    process = subprocess.Popen([*SIM, "run", f"out={out}", "workers=1", *arguments])
    print("seconds,replications,a_second,a_processor_second,mb", flush=True)
    began, before = time.monotonic(), (0.0, 0, 0.0)
    while process.poll() is None:
        time.sleep(every)
        cpu, mb = used(process.pid)
        now = time.monotonic() - began, kept(out), cpu
        seconds, more, processor = (b - a for a, b in zip(before, now, strict=True))
        if more > 0:
            print(f"{now[0]:.0f},{now[1]},{more / seconds:.1f},{more / processor:.1f},{mb:.1f}", flush=True)
            before = now
    return process.returncode


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:]))
