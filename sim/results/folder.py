"""The run folder: manifest.json, summary.json, tables/ and figures/."""

import json
import platform
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, lru_cache
from hashlib import sha256
from importlib.metadata import version
from math import isfinite
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sim import __version__
from sim.config import HOW_IT_RUNS
from sim.errors import InputError, why
from sim.results.digest import TableDigest
from sim.results.store import Store, write_whole
from sim.sources import CHECKOUT, digest_of_sources

_INNERMOST, _BREAK = re.compile(r"\[\n[^\[\]{}]*\n\s*\]"), re.compile(r"\n\s*")  # JSON strings hold no line breaks
LIBRARIES = ("hydra-core", "matplotlib", "numpy", "omegaconf", "pyarrow", "pydantic", "scipy", "simpy")
PLATFORM = ("python", "machine", "libc", "libraries")
"""What `environment` says beside the code: where it differs, the last digits of a result may."""
ENVIRONMENT = ("version", "commit", "dirty", "sources", *PLATFORM)


@dataclass(frozen=True)
class Run:
    """A finished run, read from its folder: manifest and summary once, as they are when first asked for."""

    path: Path

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """What was run: configuration, seed, versions, digests."""
        return _read_json(self.path / "manifest.json")

    @cached_property
    def summary(self) -> dict[str, Any]:
        """Goals and metrics with their intervals."""
        return _read_json(self.path / "summary.json")

    @property
    def config(self) -> dict[str, Any]:
        """The resolved configuration."""
        return dict(self.manifest["config"])

    def table(self, name: str) -> pa.Table:
        """One of the tables runs, monthly, sites."""
        return _read_table(self.path / "tables" / f"{name}.parquet")

    def has_table(self, name: str) -> bool:
        """Whether the run kept this table."""
        return (self.path / "tables" / f"{name}.parquet").is_file()

    def altered(self) -> dict[str, str]:
        """Files in the folder that are not what the manifest describes, and what is wrong with each."""
        manifest = self.manifest
        files = {f"tables/{name}.parquet": one["digest"] for name, one in manifest["tables"].items()}
        found = {name: _altered(self.path / name, digest) for name, digest in files.items()}
        if "summary_digest" in manifest:
            there = (self.path / "summary.json").exists()
            same = there and content_digest(self.summary) == manifest["summary_digest"]
            found["summary.json"] = None if same else "was changed" if there else "is missing"
        seed, configured = manifest.get("seed"), manifest["config"].get("seed")
        if seed != configured:
            found["manifest.json"] = f"was changed (seed {seed}, in its configuration {configured})"
        return {name: why for name, why in found.items() if why}

    def check(self) -> None:
        """Raise InputError if a table, the manifest or the summary is damaged or was changed after the run."""
        if altered := self.altered():
            said = "; ".join(f"{name} {why}" for name, why in altered.items())
            raise InputError(f"{self.path}: {said}: it is not what the manifest describes (`sim resume` mends it)")


def content_digest(content: Mapping[str, Any]) -> str:
    """SHA-256 of JSON content, however it is laid out in a file."""
    return sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _read_table(path: Path) -> pa.Table:
    return _cached(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=8)
def _cached(path: Path, _: int) -> pa.Table:
    return pq.ParquetFile(path).read()  # in less memory than read_table, which keeps the row groups apart


def _altered(file: Path, digest: str) -> str | None:
    if not file.is_file():
        return None
    found = TableDigest()
    try:
        opened = pq.ParquetFile(file)
        for number in range(opened.num_row_groups):
            found.update(opened.read_row_group(number))
    except (OSError, pa.ArrowException, ValueError):  # whatever a flipped bit may lead to
        return "is damaged"
    return None if found.hexdigest() == digest else "was changed"


def _read_json(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise InputError(f"{path}: is damaged ({error})") from None


def open_run(path: Path) -> Run:
    """Open a run folder, or raise InputError if it is none."""
    if not _is_run(path):
        raise InputError(f"{path}: is not a run folder (it has no manifest.json of a run)")
    return Run(path)


def _is_run(path: Path) -> bool:
    try:
        return {"config", "scenarios", "tables"} <= Run(path).manifest.keys()
    except (OSError, ValueError, TypeError, InputError):
        return False


@contextmanager
def begin(path: Path, manifest: dict[str, Any]) -> Iterator[Store]:
    """Open the folder of a run for writing: a new one, or one with some replications of the same scenarios.

    Yields the store, which knows what is there already; `manifest.json` is written with the status "running", and what
    the earlier one said of the tables under "there", so that nothing is lost if this run is killed. If all of it is
    there and was made in another environment, that is what `manifest` says from then on.

    Raises
    ------
    InputError
        If the folder cannot be written, is in use, or holds anything else: nothing is written over. If something is
        missing and the rest was made in another environment: results of both are not mixed.
    """
    try:
        there = {file.name for file in path.iterdir()} if path.exists() else set()
    except OSError as error:
        raise InputError(f"out: cannot write to {path} ({why(error)})") from None
    earlier: dict[str, Any] = {}
    if _is_run(path):
        earlier = Run(path).manifest
        if reason := _differs(earlier, manifest):
            raise InputError(
                f"out: {path} holds other results ({reason}), which are never overwritten; choose another folder"
            )
    elif there - {"parts", "manifest.part"}:  # all that is there if a run is killed as it begins
        raise InputError(f"out: {path} is not empty; results are never overwritten, choose another folder")
    try:
        json.dumps(manifest, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:  # half of a character, from a file or an odd terminal
        raise InputError(f"a text of the configuration cannot be written ({error})") from None
    with Store(path) as store:
        keys = [scenario["key"] for scenario in earlier.get("scenarios", ())]
        described = earlier.get("there") or {"keys": keys, "tables": earlier.get("tables", {})}
        before = store.settle() or described
        store.find(**before)
        if store.sources and (other := otherwise(earlier, manifest)):
            if not _whole(earlier, manifest, store):
                raise InputError(
                    f"out: {path} was begun in another environment ({'; '.join(other)}), in which the last digits may "
                    "differ; go on in that one, or choose another folder"
                )
            manifest |= {key: earlier[key] for key in ENVIRONMENT if key in earlier}
        try:
            write_json(path / "manifest.json", {**manifest, "there": before} if before["tables"] else manifest)
        except OSError as error:
            raise InputError(f"out: cannot write to {path} ({why(error)})") from None
        yield store


def _differs(earlier: Mapping[str, Any], manifest: Mapping[str, Any]) -> str | None:
    """Why a run cannot go on from another's results; None if it can."""
    if other := otherwise(earlier, manifest, ("version", "commit", "dirty")):
        return other[0]
    keys, wanted = ([scenario["key"] for scenario in one["scenarios"]] for one in (earlier, manifest))
    names = [one.get("experiment") for one in (earlier, manifest)]
    if names[0] != names[1] and not set(keys) <= set(wanted):
        return "experiment {} there, {} here".format(*names)
    if not set(keys) <= set(wanted):
        different = next(differences(earlier["config"], manifest["config"]), None)
        return "{} {} there, {} here".format(*different) if different else "scenarios that are not run here"
    more, fewer = (one["config"]["replications"] for one in (earlier, manifest))
    if fewer < more:
        return f"{more} replications there, {fewer} here"
    for key in ("only", "shard"):
        there, here = (one["config"].get(key) for one in (earlier, manifest))
        if there != here:
            return f"{key}={there} there, {here} here"
    return None


def _whole(earlier: Mapping[str, Any], manifest: Mapping[str, Any], store: Store) -> bool:
    """Whether nothing is left to run: the earlier run was finished, asked for no less, and all of it is there."""
    keys, wanted = ({scenario["key"] for scenario in one["scenarios"]} for one in (earlier, manifest))
    return (
        earlier["status"] in ("complete", "failed")
        and earlier["config"]["replications"] == manifest["config"]["replications"]
        and wanted <= keys
        and sum(len(one.numbers) for sources in store.sources.values() for one in sources)
        == earlier["tables"]["runs"]["rows"]
    )


def otherwise(there: Mapping[str, Any], here: Mapping[str, Any], keys: Sequence[str] = ENVIRONMENT) -> list[str]:
    """What differs between the environments of two manifests, in words; what one of them does not say is left out."""
    pairs = {key: (there[key], here[key]) for key in keys if key in there and key in here}
    a, b = pairs.pop("libraries", ({}, {}))
    pairs |= {name: (a[name], b[name]) for name in a if name in b}
    return [f"{name} {one} there, {other} here" for name, (one, other) in pairs.items() if one != other]


def differences(a: Any, b: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Differences between two configurations: (key, value there, value here), without what only says how to run."""
    if isinstance(a, dict) and isinstance(b, dict):
        for key in dict.fromkeys([*a, *b]):
            if path or key not in HOW_IT_RUNS:
                yield from differences(a.get(key), b.get(key), f"{path}.{key}".lstrip("."))
    elif a != b:
        yield path, a, b


def json_safe(content: Mapping[str, Any]) -> dict[str, Any]:
    """The same with None for numbers that JSON has no word for."""
    return {name: None if isinstance(one, float) and not isfinite(one) else one for name, one in content.items()}


def write_json(file: Path, content: Mapping[str, Any]) -> None:
    """Write JSON whole and rename it into place; lists of numbers and words on one line each."""
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
    text = _INNERMOST.sub(lambda match: "[" + _BREAK.sub(" ", match.group()[1:-1]).strip() + "]", text)
    write_whole(file, f"{text}\n".encode())


@lru_cache(maxsize=1)  # of the code that this process runs, whatever becomes of the files
def environment() -> dict[str, Any]:
    """Versions of what made the results: package, commit, code, Python, machine type, C library, libraries."""
    return {
        "version": __version__,
        **_commit(),
        "sources": digest_of_sources(),
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "libc": " ".join(platform.libc_ver()).strip(),
        "libraries": {name: version(name) for name in LIBRARIES},
    }


def _commit() -> dict[str, Any]:
    """Commit of the checkout and whether it was changed since; None outside a checkout."""

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", "-C", str(CHECKOUT), *arguments], capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        if CHECKOUT is None:
            return {"commit": None, "dirty": None}
        return {
            "commit": git("rev-parse", "HEAD"),
            "dirty": bool(git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!results")),
        }
    except (OSError, subprocess.CalledProcessError):
        return {"commit": None, "dirty": None}
