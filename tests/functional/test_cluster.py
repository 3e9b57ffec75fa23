"""Studies on many machines: a Dask cluster on loopback, and shards that are put together."""

import json
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest

from sim import workflow
from sim.errors import InputError
from sim.merge import merge
from sim.results.folder import open_run
from sim.study import cluster
from tests.helpers import SIM, clean_environment, config

END = "2027-12-31"
TABLES = ("runs", "monthly", "sites")


def tables(path):
    return {name: (path / "tables" / f"{name}.parquet").read_bytes() for name in TABLES}


@pytest.fixture(scope="module")
def serial(tmp_path_factory):
    path = tmp_path_factory.mktemp("serial") / "run"
    assert workflow.run(config({"replications": 60, "workers": 1}, end=END), "baseline", path, ["sim", "run"]) == 0
    return path


class Cluster:
    """A scheduler and two workers of one thread each, in processes of their own."""

    def __init__(self, folder):
        self.file = folder / "scheduler.json"
        self.log = (folder / "log").open("w")
        self.processes = [self._start("scheduler", "--port", "0")]
        until = time.monotonic() + 60
        while not self.file.exists() or not self.file.read_text():
            assert time.monotonic() < until
            assert self.processes[0].poll() is None
            time.sleep(0.05)
        self.address = json.loads(self.file.read_text())["address"]
        self.workers = [self._start("worker", "--nthreads", "1", "--no-nanny") for _ in range(2)]

    def _start(self, what, *arguments):
        command = [sys.executable, "-m", "dask", what, "--scheduler-file", str(self.file), "--host", "127.0.0.1",
                   "--no-dashboard", *arguments]  # fmt: skip
        return subprocess.Popen(command, stdout=self.log, stderr=self.log, env=clean_environment())

    def close(self):
        for process in (*self.workers, *self.processes):
            process.kill()
            process.wait()
        self.log.close()


@contextmanager
def dask(folder):
    pytest.importorskip("distributed", reason="the extra `cluster` (dask.distributed) is not installed")
    one = Cluster(folder)
    try:
        yield one
    finally:
        cluster.connect.cache_clear()
        one.close()


@pytest.fixture(scope="module")
def machines(tmp_path_factory):
    with dask(tmp_path_factory.mktemp("cluster")) as one:
        yield one


def on_cluster(address, path, *arguments):
    """Command of a study on the cluster, in a process of its own, as users start it."""
    return [
        *SIM,
        "run",
        f"end={END}",
        "replications=60",
        "figures=false",
        f"cluster={address}",
        f"out={path}",
        *arguments,
    ]


def test_a_worker_killed_on_the_way_changes_nothing(machines, serial, tmp_path):
    path = tmp_path / "run"
    process = subprocess.Popen(
        on_cluster(machines.address, path), env=clean_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    journal = path / "parts" / "journal.jsonl"
    while not journal.exists() and process.poll() is None:
        time.sleep(0.01)
    machines.workers[1].kill()
    machines.workers[1].wait()
    _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err.decode()
    assert tables(path) == tables(serial)
    manifest = open_run(path).manifest
    assert manifest["config_digest"] == open_run(serial).manifest["config_digest"]
    assert machines.address not in json.dumps(manifest["config"])
    machines.workers[1] = machines._start("worker", "--nthreads", "1", "--no-nanny")


def test_ctrl_c_keeps_what_is_finished(machines, serial, tmp_path):
    path = tmp_path / "run"
    process = subprocess.Popen(
        on_cluster(machines.address, path), env=clean_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    journal = path / "parts" / "journal.jsonl"
    while not journal.exists() and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == workflow.INTERRUPTED
    assert "Traceback" not in err.decode()
    assert "`sim resume" in err.decode()
    manifest = open_run(path).manifest
    assert workflow.run(manifest["config"] | {"workers": 1}, "baseline", path, ["sim", "run"]) == 0
    assert tables(path) == tables(serial)


def test_nobody_there_is_said_in_a_line(tmp_path, monkeypatch):
    pytest.importorskip("distributed", reason="the extra `cluster` (dask.distributed) is not installed")
    monkeypatch.setattr(cluster, "PATIENCE", 0.5)
    with pytest.raises(InputError, match=r"cluster: no scheduler answers at tcp:..127\.0\.0\.1:9"):
        workflow.run(config({"cluster": "tcp://127.0.0.1:9"}, end=END), "baseline", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_without_the_library_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InputError, match=r"needs the library distributed; `pip install .*\[cluster\]"):
        cluster.connect("tcp://127.0.0.1:9")


class Workers:
    """A client of workers that say what they are."""

    def __init__(self, **answers):
        self.answers = answers

    def run(self, function, expression, on_error):
        assert on_error == "return"
        here = function(expression)
        return {name: answer(here) if callable(answer) else answer for name, answer in self.answers.items()}


def test_workers_that_would_compute_something_else():
    good = Workers(a=lambda here: here, b=lambda here: here | {"machine": "Linux other"})
    assert cluster._differing(good) == {}
    bad = cluster._differing(
        Workers(
            none=ModuleNotFoundError("No module named 'sim'"),
            old=lambda here: here | {"version": "0.0.1"},
            numpy=lambda here: here | {"libraries": here["libraries"] | {"numpy": "1.0"}},
        )
    )
    assert "cannot import sim (No module named 'sim')" in bad["none"]
    assert bad["old"].startswith("has another version: 0.0.1 there, ")
    assert bad["numpy"].startswith("has another libraries: numpy 1.0 there, ")


def shard(path, number, of=3, replications=60, **more):
    cfg = config({"replications": replications, "workers": 1, "shard": f"{number}/{of}"} | more, end=END)
    assert workflow.run(cfg, "baseline", path, ["sim", "run", f"shard={number}/{of}", f"out={path}"]) == 0
    return path


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shards")
    return [shard(folder / str(number), number) for number in (1, 2, 3)]


def test_shards_put_together_are_the_run(shards, serial, tmp_path, capsys, monkeypatch):
    assert [open_run(path).manifest["replications"] for path in shards] == [20, 20, 20]
    monkeypatch.setattr("sim.study.montecarlo.run_block", None)  # nothing is run any more
    assert merge(tmp_path / "all", shards[::-1]) == 0
    assert tables(tmp_path / "all") == tables(serial)
    made, whole = (open_run(path) for path in (tmp_path / "all", serial))
    assert made.summary == whole.summary
    assert made.manifest["config_digest"] == whole.manifest["config_digest"]
    assert made.manifest["config"]["shard"] is None
    assert capsys.readouterr().out.count("by 31 December 2027") >= 1


def test_a_damaged_shard_is_run_again(shards, serial, tmp_path, caplog):
    copies = [tmp_path / path.name for path in shards]
    for path, copy in zip(shards, copies, strict=True):
        subprocess.run(["cp", "-r", path, copy], check=True)
    file = copies[1] / "tables" / "monthly.parquet"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    assert merge(tmp_path / "all", copies) == 0
    assert "are damaged and run again" in caplog.text
    assert tables(tmp_path / "all") == tables(serial)


def test_shards_that_do_not_go_together(shards, serial, tmp_path):
    def refused(words, *paths):
        with pytest.raises(InputError, match=words):
            merge(tmp_path / "all", paths)
        assert not (tmp_path / "all").exists()

    refused("shards 3/3 are missing", *shards[:2])
    subprocess.run(["cp", "-r", shards[0], tmp_path / "again"], check=True)
    refused("is shard 1/3, and so is", shards[0], tmp_path / "again", *shards[1:])
    refused("is no shard", *shards, serial)
    refused("one of 3", *shards, shard(tmp_path / "other", 1, of=4))
    refused("is of another study: seed 7", *shards, shard(tmp_path / "seed", 1, seed=7, replications=6))


def test_a_folder_keeps_its_shard(shards):
    with pytest.raises(InputError, match="shard=1/3 there, 2/3 here"):
        shard(shards[0], 2)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"shard": "4/3"}, "shard should be I/N, part I of N"),
        ({"shard": "1/7"}, "no more than the 6 replications"),
        ({"shard": "half"}, "shard should be I/N"),
        ({"shard": "1/2", "only": 1}, "shard should be null with precision or only"),
        ({"cluster": "somewhere"}, "cluster should be tcp://HOST:PORT"),
    ],
)
def test_bad_values(change, words, tmp_path):
    with pytest.raises(InputError, match=words):
        workflow.run(config({"replications": 6} | change, end=END), "baseline", tmp_path / "run")
