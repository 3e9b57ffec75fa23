"""Kills, full disks and read-only folders: what was finished is kept, what goes on gives the same tables."""

import json
import os
import re
import select
import signal
import subprocess
import sys
import time

import pytest

from sim.results.store import Store
from tests.functional.test_command import call, session_members, start
from tests.helpers import ROOT, SIM, clean_environment

STUDY = ("replications=40", "seed=5", "end=2026-01-31", "goals=none", "tables=[runs,sites]", "figures=false")


def contents(path):
    return {file.name: file.read_bytes() for file in (path / "tables").iterdir()}


def killings(folder, seed, kills):
    """The lines of `tests.functional.killing`, and what it said of damage."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.functional.killing", folder, str(seed), str(kills)],
        cwd=ROOT, env=clean_environment(), capture_output=True, text=True, check=True, timeout=600,
    )  # fmt: skip
    lines = done.stdout.splitlines()
    flipped = [line.split()[1] for line in lines if line.startswith("flipped")]
    named = {f"{part} is damaged or missing: its replications are run again" for part in flipped}
    assert set(done.stderr.splitlines()) == named  # again if the next is killed before they were run again
    whole, killed = folder / "whole", folder / "killed"
    assert contents(killed) == contents(whole)
    for name in ("manifest", "summary"):
        assert (killed / f"{name}.json").read_bytes() == (whole / f"{name}.json").read_bytes()
    assert {file.name for file in killed.iterdir()} == {file.name for file in whole.iterdir()}
    return [line for line in lines if line.startswith("killed 9")], flipped


def test_killed_at_its_writes_and_with_a_flipped_byte(tmp_path):
    killed, flipped = killings(tmp_path, seed=2, kills=4)
    assert len(killed) == 4
    assert len(flipped) == 1


def test_a_run_that_is_extended_and_killed_at_any_moment_makes_nothing_again(tmp_path):
    """But the block that it was about to keep, each time: nothing of the earlier tables, or of what was kept since."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.functional.killing", tmp_path],
        cwd=ROOT, env=clean_environment(), capture_output=True, text=True, check=True, timeout=300,
    )  # fmt: skip
    assert done.stderr == ""
    lines = [line.split(":") for line in done.stdout.splitlines()]
    assert len(lines) > 30
    for moment, made in lines:
        assert made in (" [5, 6]" * times for times in (1, 2, 3)), (moment, made)
        one, whole = tmp_path / moment, tmp_path / "whole"
        assert contents(one) == contents(whole), moment
        assert (one / "manifest.json").read_bytes() == (whole / "manifest.json").read_bytes(), moment
        assert {file.name for file in one.iterdir()} == {"tables", "manifest.json"}, moment


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    code, _, err = call(folder, "run", *STUDY, "workers=1", "out=run")
    assert code == 0, err
    return folder / "run"


def test_killed_with_its_workers_and_resumed(whole, tmp_path):
    """No worker goes on alone; `sim resume` needs nothing but the folder."""
    process = start(tmp_path, "run", *STUDY, "workers=2", "out=run", start_new_session=True)
    journal, deadline = tmp_path / "run" / "parts" / "journal.jsonl", time.monotonic() + 240
    while not journal.exists() or journal.read_text().count("\n{") < 3:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        select.select([], [], [], 0.01)
    process.kill()
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    while session_members(process.pid):
        assert time.monotonic() < deadline
        select.select([], [], [], 0.05)
    assert json.loads((tmp_path / "run" / "manifest.json").read_text())["status"] == "running"
    code, _, err = call(tmp_path, "resume", "run", "workers=2")
    assert (code, err) == (0, "")
    assert contents(tmp_path / "run") == contents(whole)
    code, out, err = call(tmp_path, "reproduce", "run")
    assert (code, err) == (0, "")
    assert "identical: all tables have the content that the manifest describes (all 40 replications)" in out


def test_ctrl_c_again_and_again(whole, tmp_path):
    """Until it ends: who is impatient loses nothing and leaves no process behind. The whole group is sent it."""
    process = start(tmp_path, "run", *STUDY, "workers=2", "out=run", start_new_session=True)
    journal, deadline = tmp_path / "run" / "parts" / "journal.jsonl", time.monotonic() + 240
    sent = 0
    while process.poll() is None:
        assert time.monotonic() < deadline
        if sent or (journal.exists() and journal.read_text().count("\n{") >= 3):
            os.killpg(process.pid, signal.SIGINT)
            sent += 1
        select.select([], [], [], 0.01)
    _, err = process.communicate(timeout=60)
    assert sent >= 2
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert err.splitlines()[-1].startswith("interrupted")
    while session_members(process.pid):
        assert time.monotonic() < deadline
        select.select([], [], [], 0.05)
    code, _, err = call(tmp_path, "resume", "run", "workers=1")
    assert (code, err) == (0, "")
    assert contents(tmp_path / "run") == contents(whole)


def test_two_processes_on_one_folder(whole):
    with Store(whole):
        code, out, err = call(whole.parent, "resume", "run", "replications=50")
    assert (code, out) == (2, "")
    assert err == f"out: another process ({os.getpid()}) is writing to run\n"


# --- disks; these need a file system of their own, which not every machine lets a test mount


def in_a_disk_of_its_own(folder, size, *steps):
    """Run `sim` step by step on a small file system at `folder`/disk; [(code, out, err)] of each. Or skip.

    A step is a list of arguments, or what to remount the disk with.
    """
    if os.environ.get("CI"):
        pytest.skip("needs to mount a disk of its own, which is not asked of CI")
    disk = folder / "disk"
    disk.mkdir()
    script = f"mount -t tmpfs -o size={size} tmpfs {disk} || exit 99\ncd {disk}\n"
    for number, step in enumerate(steps):
        if isinstance(step, str):
            script += f"mount -o remount,{step} {disk} || exit 99\n"
        else:
            command = " ".join(f"'{word}'" for word in (*SIM, *step))
            script += f"{command} >{folder}/{number}.out 2>{folder}/{number}.err\necho $? >{folder}/{number}.code\n"
    try:
        done = subprocess.run(
            ["unshare", "-rm", "sh", "-c", script], env=clean_environment(), capture_output=True, text=True, timeout=300
        )
    except FileNotFoundError:
        pytest.skip("needs `unshare` to mount a disk of its own")
    if done.returncode in (1, 99):
        pytest.skip(f"may not mount a disk of its own: {done.stderr.strip()}")
    return [
        (int((folder / f"{n}.code").read_text()), *((folder / f"{n}.{end}").read_text() for end in ("out", "err")))
        for n, step in enumerate(steps)
        if not isinstance(step, str)
    ]


def test_a_full_disk_and_then_one_that_cannot_be_written(whole, tmp_path):
    """Too small for anything, then for the blocks; then there is room. A run that is read-only can be reproduced."""
    run, resume = ["run", *STUDY, "workers=1", "out=run"], ["resume", "run", "workers=1"]
    steps = ["40k", run, "size=400k", run, "size=50m", resume, "ro", ["reproduce", "run"], ["report", "run"], resume]
    none, few, enough, again, report, more = in_a_disk_of_its_own(tmp_path, *steps)
    assert none == (2, "", "out: cannot write to run (No space left on device)\n")
    assert few[0] == 1
    assert re.fullmatch(
        r"cannot write the results \(No space left on device\): \d+ of 40 replications are kept in run; "
        r"`sim resume run` goes on\n",
        few[2],
    ), few
    assert (enough[0], enough[2]) == (0, "")
    assert (again[0], again[2]) == (0, "")
    assert "identical: all tables" in again[1]
    assert (report[0], len(report[2].splitlines())) == (2, 1)
    assert report[2] == "run/figures.part: Read-only file system\n"
    assert more == (2, "", "out: cannot write to run (Read-only file system)\n")
