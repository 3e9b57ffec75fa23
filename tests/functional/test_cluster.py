"""Studies on many machines: a Dask cluster on loopback, and shards that are put together."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest

from sim import workflow
from sim.errors import InputError
from sim.merge import merge
from sim.results.folder import environment, open_run
from sim.study import cluster
from tests.helpers import SIM, clean_environment, config

END = "2026-03-31"
MANY, FEW = 51, 6  # in row groups of 50
TABLES = ("runs", "monthly", "sites")
HANGS = "import time, sim.study.montecarlo as m; m.run_block = lambda block: time.sleep(600)"
WITHOUT_SIM = "import sys; sys.modules['sim'] = None"
NOT_INSTALLED = "the extra `cluster` (dask.distributed) is not installed"
OLDER = "import sim; sim.__version__ = '0.0.1'"


def tables(path):
    return {name: (path / "tables" / f"{name}.parquet").read_bytes() for name in TABLES}


def alone(path, replications):
    """The study on one machine, as the command line has it."""
    cfg = config({"replications": replications}, end=END, every=1)
    assert workflow.run(cfg, "baseline", path, ["sim", "run"]) == 0
    return path


@pytest.fixture(scope="module")
def serial(tmp_path_factory):
    return alone(tmp_path_factory.mktemp("serial") / "run", MANY)


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    return alone(tmp_path_factory.mktemp("few") / "run", FEW)


class Cluster:
    """A scheduler and a worker of one thread, and those that join them, in processes of their own."""

    def __init__(self, folder, arguments=()):
        self.file = folder / "scheduler.json"
        self.log = (folder / "log").open("w")
        self.arguments = arguments
        self.processes = []
        self.start("scheduler", "--port", "0")
        wait(self.processes[0], lambda: self.file.exists() and self.file.read_text())
        self.address = json.loads(self.file.read_text())["address"]
        self.worker()

    def start(self, what, *arguments, first=""):
        """Start one of Dask's commands, in whose process something is run first."""
        command = [
            sys.executable, "-c", f"{first}\nfrom dask.__main__ import main; main()", what,
            "--scheduler-file", self.file, "--host", "127.0.0.1",
            "--no-dashboard", "--dashboard-address", "127.0.0.1:0", *self.arguments, *arguments,
        ]  # fmt: skip
        self.processes.append(subprocess.Popen(command, stdout=self.log, stderr=self.log, env=clean_environment()))
        return self.processes[-1]

    def worker(self, first=""):
        return self.start("worker", "--nthreads", "1", "--no-nanny", first=first)

    def close(self):
        for process in self.processes[::-1]:
            process.kill()
            process.wait()
        self.log.close()


def wait(process, until):
    """Wait for something to come true while a process runs, and return it."""
    end = time.monotonic() + 120
    while not (found := until()):
        assert process.poll() is None, "it ended before"
        assert time.monotonic() < end
        time.sleep(0.1)
    return found


@contextmanager
def dask(folder, arguments=()):
    pytest.importorskip("distributed", reason=NOT_INSTALLED)
    one = Cluster(folder, arguments)
    try:
        yield one
    finally:
        cluster.connect.cache_clear()
        one.close()


@pytest.fixture(scope="module")
def machines(tmp_path_factory):
    with dask(tmp_path_factory.mktemp("cluster")) as one:
        yield one


@contextmanager
def joined(machines, first):
    """One worker more, in whose process something is run first; a look at the cluster, and the worker's address."""
    from distributed import Client

    def address():
        return {pid: one for one, pid in client.run(os.getpid, on_error="ignore").items()}.get(worker.pid)

    with Client(machines.address, set_as_default=False) as client:
        worker = machines.worker(first)
        try:
            yield worker, wait(worker, address), client
        finally:
            worker.kill()
            worker.wait()


def started(address, path, **environment):
    """A study on the cluster, in a process of its own, as users start it."""
    command = [
        *SIM, "run", f"end={END}", "goals=none", f"replications={FEW}", "figures=false",
        f"cluster={address}", f"out={path}",
    ]  # fmt: skip
    return subprocess.Popen(command, env=clean_environment(**environment), stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True)  # fmt: skip


def blocks(path):
    """How many blocks of a run are kept so far."""
    journal = path / "parts" / "journal.jsonl"
    return journal.read_text().count('"key"') if journal.exists() else 0


def test_a_worker_killed_on_the_way_changes_nothing(machines, few, tmp_path):
    """The worker is at a block that it never finishes, so that the study cannot have ended before."""
    path = tmp_path / "run"
    with joined(machines, HANGS) as (worker, address, client):
        process = started(machines.address, path)
        wait(process, lambda: blocks(path) and client.processing()[address])
        assert blocks(path) < FEW
        worker.kill()
        _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert tables(path) == tables(few)
    manifest = open_run(path).manifest
    assert manifest["config_digest"] == open_run(few).manifest["config_digest"]
    assert machines.address not in json.dumps(manifest["config"])


def test_ctrl_c_keeps_what_is_finished(machines, few, tmp_path):
    path = tmp_path / "run"
    with joined(machines, HANGS):
        process = started(machines.address, path)
        wait(process, lambda: blocks(path))
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=120)
    assert process.returncode == workflow.INTERRUPTED
    assert "Traceback" not in err
    kept = int(re.search(r"interrupted: (\d+) of \d+ replications are kept in .*; `sim resume", err)[1])
    assert 0 < kept < FEW
    manifest = open_run(path).manifest
    assert workflow.run(manifest["config"] | {"workers": 1}, "baseline", path, ["sim", "run"]) == 0
    assert tables(path) == tables(few)


@pytest.mark.parametrize(
    ("first", "words", "code"),
    [
        (WITHOUT_SIM, r"cannot import sim \(.*\); install the same version there", 0),  # it dies of the first block
        (OLDER, r"has another environment \(version 0\.0\.1 there, .* here\)", workflow.STOPPED),
    ],
    ids=["without sim", "of another version"],
)
def test_results_of_an_unfit_worker_that_joins_later_are_not_taken(machines, few, tmp_path, capsys, first, words, code):
    cluster.connect(machines.address)
    cfg = config({"replications": FEW, "cluster": machines.address}, end=END, every=1)
    with joined(machines, first) as (_, address, client):
        (found,) = cluster._differing(client)
        assert re.fullmatch(f"worker {address} {words}", found)
        assert workflow.run(cfg, "baseline", tmp_path / "run") == code
    err = capsys.readouterr().err
    if code:
        assert re.fullmatch(
            rf"{re.escape(found)}: \d+ of {FEW} replications are kept in .*; `sim resume .* goes on\n", err
        )
    else:
        assert tables(tmp_path / "run") == tables(few)


def test_tls(few, tmp_path):
    """As docs/scaling.md says: the same tables with certificates, and one line without."""
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed")
    ca, cert, key = (tmp_path / f"{name}.pem" for name in ("ca", "cert", "key"))
    made = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1")
    for command in (
        ("req", "-x509", *made, "-subj", "/CN=authority", "-keyout", tmp_path / "ca.key", "-out", ca),
        ("req", *made[:-2], "-subj", "/CN=machine", "-keyout", key, "-out", tmp_path / "request"),
        ("x509", "-req", "-in", tmp_path / "request", "-days", "1", "-CA", ca, "-CAkey", tmp_path / "ca.key",
         "-CAcreateserial", "-out", cert),
    ):  # fmt: skip
        subprocess.run(["openssl", *command], check=True, capture_output=True, cwd=tmp_path)
    arguments = ("--protocol", "tls", "--tls-ca-file", ca, "--tls-cert", cert, "--tls-key", key)
    with dask(tmp_path, arguments) as one:
        assert one.address.startswith("tls://")
        tls = {"CA_FILE": ca, "CLIENT__CERT": cert, "CLIENT__KEY": key}
        environment = {f"DASK_DISTRIBUTED__COMM__TLS__{name}": str(file) for name, file in tls.items()}
        process = started(one.address, tmp_path / "run", **environment)
        _, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        assert tables(tmp_path / "run") == tables(few)
        with pytest.raises(InputError, match=r"^cluster: tls:// needs ca-file, client\.cert and client\.key"):
            cluster.connect(one.address)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"distributed.comm.require-encryption": True}, "requires encryption, and tcp://127.0.0.1:9 is without"),
        (
            {"distributed.comm.tls.ca-file": "/none", "distributed.comm.tls.client.cert": "/none"},
            "what Dask's configuration says of TLS cannot be used",
        ),
    ],
)
def test_encryption_that_cannot_be_had_is_said_in_a_line(settings, words):
    dask = pytest.importorskip("dask", reason=NOT_INSTALLED)
    pytest.importorskip("distributed", reason=NOT_INSTALLED)
    with dask.config.set(settings), pytest.raises(InputError, match=words):
        cluster.connect("tcp://127.0.0.1:9")


def test_nobody_there_is_said_in_a_line(tmp_path, monkeypatch):
    pytest.importorskip("distributed", reason=NOT_INSTALLED)
    monkeypatch.setattr(cluster, "PATIENCE", 0.5)
    with pytest.raises(InputError, match=r"cluster: no scheduler answers at tcp:..127\.0\.0\.1:9"):
        workflow.run(config({"cluster": "tcp://127.0.0.1:9"}, end=END), "baseline", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_without_the_library_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InputError, match=r"needs the library distributed; `pip install .*\[cluster\]"):
        cluster.connect("tcp://127.0.0.1:9")


class Machines:
    """A client of a scheduler and workers that say what they are."""

    def __init__(self, scheduler=None, **answers):
        self.scheduler = scheduler
        self.answers = answers

    def run_on_scheduler(self, function, expression):
        if self.scheduler:
            raise self.scheduler
        return function(expression)

    def run(self, function, expression, on_error):
        assert on_error == "return"
        here = function(expression)
        return {name: answer(here) if callable(answer) else answer for name, answer in self.answers.items()}


def test_machines_that_would_compute_something_else():
    assert cluster._differing(Machines(a=dict, gone=OSError("closed"))) == []
    none = ModuleNotFoundError("No module named 'sim'")
    found = cluster._differing(
        Machines(
            scheduler=none,
            none=none,
            old=lambda here: {key: value for key, value in here.items() if key != "sources"},
            numpy=lambda here: here | {"libraries": here["libraries"] | {"numpy": "1.0"}},
            machine=lambda here: here | {"machine": "Linux other", "libc": "musl"},
        )
    )
    here = environment()
    assert found == [
        "the scheduler cannot import sim (No module named 'sim'); install the same version there",
        "worker none cannot import sim (No module named 'sim'); install the same version there",
        "worker old has another environment (of another version)",
        f"worker numpy has another environment (numpy 1.0 there, {here['libraries']['numpy']} here)",
        f"worker machine has another environment (machine Linux other there, {here['machine']} here; "
        f"libc musl there, {here['libc']} here)",
    ]


def shard(path, number, of=3, replications=MANY, **more):
    cfg = config({"replications": replications, "workers": 1, "shard": f"{number}/{of}"} | more, end=END, every=1)
    assert workflow.run(cfg, "baseline", path, ["sim", "run", f"shard={number}/{of}", f"out={path}"]) == 0
    return path


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shards")
    return [shard(folder / str(number), number) for number in (1, 2, 3)]


def test_shards_put_together_are_the_run(shards, serial, tmp_path, capsys, monkeypatch):
    assert [open_run(path).manifest["replications"] for path in shards] == [MANY // 3] * 3
    monkeypatch.setattr("sim.study.montecarlo.run_block", None)  # nothing is run any more
    assert merge(tmp_path / "all", shards[::-1]) == 0
    assert tables(tmp_path / "all") == tables(serial)
    made, whole = (open_run(path) for path in (tmp_path / "all", serial))
    assert made.summary == whole.summary
    assert made.manifest["config_digest"] == whole.manifest["config_digest"]
    assert made.manifest["config"]["shard"] is None
    assert "on 31 March 2026" in capsys.readouterr().out
    assert merge(tmp_path / "all", shards) == 0  # again
    assert open_run(tmp_path / "all").manifest["replications"] == MANY
    assert tables(tmp_path / "all") == tables(serial)


def test_shards_are_put_to_what_is_there_and_nothing_counts_twice(shards, serial, tmp_path):
    path = tmp_path / "all"
    some = config({"replications": MANY // 2, "workers": 1}, end=END, every=1)
    assert workflow.run(some, "baseline", path, ["sim", "run", f"out={path}"]) == 0
    assert merge(path, shards) == 0
    assert tables(path) == tables(serial)


def test_a_damaged_shard_is_run_again(shards, serial, tmp_path, caplog):
    copies = [tmp_path / path.name for path in shards]
    for path, copy in zip(shards, copies, strict=True):
        shutil.copytree(path, copy)
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
    again = shutil.copytree(shards[0], tmp_path / "again")
    refused("is shard 1/3, and so is", shards[0], again, *shards[1:])
    manifest = json.loads((again / "manifest.json").read_text())
    libraries = manifest["libraries"] | {"numpy": "1.0"}
    for change, words in (
        ({"libraries": libraries}, r"again: was made in another environment \(numpy 1\.0 there, .* here\); make and"),
        ({"sources": "abc"}, r"again: was made in another environment \(sources abc there, .* here\)"),
    ):
        (again / "manifest.json").write_text(json.dumps(manifest | change))
        refused(words, again, *shards[1:])
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
