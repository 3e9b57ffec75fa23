"""The run folder: manifest.json, summary.json, tables/ and figures/."""

import json
import os
import platform
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sim import __version__
from sim.sources import CHECKOUT
from sim.errors import InputError
from sim.results.digest import table_digest

LIBRARIES = ("hydra-core", "matplotlib", "numpy", "omegaconf", "pyarrow", "pydantic", "scipy", "simpy")


@dataclass(frozen=True, slots=True)
class Run:
    """A finished run, read from its folder."""

    path: Path

    @property
    def manifest(self) -> dict[str, Any]:
        """What was run: configuration, seed, versions, digests."""
        return _read_json(self.path / "manifest.json")

    @property
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


@cache
def _read_table(path: Path) -> pa.Table:
    return pq.read_table(path)


def _read_json(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8")))


def open_run(path: Path) -> Run:
    """Open a run folder, or raise InputError if it is none."""
    if not (path / "manifest.json").is_file():
        raise InputError(f"{path}: is not a run folder (it has no manifest.json)")
    return Run(path)


def claim(path: Path) -> None:
    """Make the folder of a new run, or raise InputError: nothing that exists is written over."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        if any(path.iterdir()):
            raise InputError(f"out: {path} is not empty; results are never overwritten, choose another folder")
        (path / "tables").mkdir()
    except OSError as error:
        raise InputError(f"out: cannot write to {path} ({error.strerror})") from None


def write_tables(path: Path, tables: Mapping[str, pa.Table]) -> dict[str, dict[str, Any]]:
    """Write tables as Parquet, each whole and then renamed into place; return rows and digest of each."""
    for name, table in tables.items():
        file = path / "tables" / f"{name}.parquet"
        part = file.with_suffix(".part")
        pq.write_table(table, part, compression="zstd")
        os.replace(part, file)
    return {name: {"rows": len(table), "digest": table_digest(table)} for name, table in tables.items()}


def write_json(file: Path, content: Mapping[str, Any]) -> None:
    """Write JSON whole and rename it into place."""
    part = file.with_suffix(".part")
    part.write_text(json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
    os.replace(part, file)


def environment() -> dict[str, Any]:
    """Versions of what made the results: package, commit, libraries, machine type."""
    return {
        "version": __version__,
        **_commit(),
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
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
        return {"commit": git("rev-parse", "HEAD"), "dirty": bool(git("status", "--porcelain", "--untracked-files=no"))}
    except (OSError, subprocess.CalledProcessError):
        return {"commit": None, "dirty": None}
