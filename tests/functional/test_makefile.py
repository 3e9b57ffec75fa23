"""`make results`: a published result goes when the new one is there, and not before."""

import shutil
import subprocess

import pytest

from tests.helpers import ROOT

SIM = """#!/bin/sh
[ "$1" = list ] && printf 'one  first\\ncalibrated  apart\\ntwo  second\\n' && exit
name=${2#experiment=}
mkdir results/$name && echo new > results/$name/said
[ "$name" != "$(cat breaks)" ]
"""


@pytest.fixture
def checkout(tmp_path):
    """A checkout whose `sim` does nothing but leave a folder; `breaks` names the experiment that fails."""
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    for name, script in (("sim", SIM), ("python", "#!/bin/sh\n")):
        (tmp_path / ".venv" / "bin" / name).write_text(script)
        (tmp_path / ".venv" / "bin" / name).chmod(0o755)
    for name in ("one", "two"):
        (tmp_path / "results" / name).mkdir(parents=True)
        (tmp_path / "results" / name / "said").write_text("old\n")
    (tmp_path / "breaks").write_text("none")
    (tmp_path / ".venv" / ".installed").write_text(f"{tmp_path}\n")
    return tmp_path


def results(checkout):
    done = subprocess.run(["make", "results"], cwd=checkout, capture_output=True, text=True, check=False)
    return done, {path.parent.name: path.read_text().strip() for path in checkout.glob("results/*/said")}


def test_all_go_well(checkout):
    done, there = results(checkout)
    assert (done.returncode, there) == (0, {"one": "new", "two": "new"}), done.stderr
    assert {path.name for path in (checkout / "results").iterdir()} == {"one", "two"}


def test_one_breaks(checkout):
    (checkout / "breaks").write_text("two")
    done, there = results(checkout)
    assert (done.returncode, there) == (2, {"one": "new", "two": "old"})
    assert done.stderr.startswith("results/two is as it was before")


def test_what_a_killed_one_left_behind_is_put_back(checkout):
    (checkout / "results" / ".was").mkdir()
    (checkout / "results" / "two").rename(checkout / "results" / ".was" / "two")
    (checkout / "results" / "two").mkdir()  # half of a new one
    (checkout / "breaks").write_text("one")
    _, there = results(checkout)
    assert there == {"one": "old", "two": "old"}
