"""A run folder as an RO-Crate, for repositories and reviewers: the files, and what made them in words machines read.

Follows the profile Process Run Crate 0.5 (https://w3id.org/ro/wfrun/process/0.5): the software is the instrument of a
CreateAction, the manifest with its configuration the object, and tables, figures, summary and report the results. Needs
the extra `provenance` (rocrate, Apache-2.0).
"""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime
from pathlib import Path
from shlex import quote
from typing import Any

from sim.analysis import words
from sim.errors import InputError
from sim.results.folder import open_run
from sim.sources import CHECKOUT

PROFILE = "https://w3id.org/ro/wfrun/process/0.5"
UNFINISHED = ("parts", "figures.part")
LICENCE = "https://spdx.org/licenses/MIT"
KINDS = {
    ".parquet": "application/vnd.apache.parquet",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".csv": "text/csv",
    ".json": "application/json",
    ".html": "text/html",
}


def export(path: Path, out: Path) -> None:
    """Write a finished run as an RO-Crate into a new folder.

    Raises
    ------
    InputError
        If rocrate is not installed, the folder is no finished run, or `out` holds anything.
    """
    try:
        from rocrate.model.contextentity import ContextEntity
        from rocrate.rocrate import ROCrate
    except ImportError:
        raise InputError(
            "export: needs the library rocrate; `pip install 'pakistan-coworking-sim[provenance]'` brings it"
        ) from None
    run = open_run(path)
    manifest = run.manifest
    if manifest["status"] != "complete":
        raise InputError(f"{path}: is {manifest['status']}, and only a complete run is exported (`sim resume {path}`)")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"export: {out} is not empty; choose another folder")
    run.check()
    crate = ROCrate()
    crate.name = f"{words.named(manifest, 'title')}: {manifest['question']}"
    crate.description = run.summary["answer"]
    crate.license = LICENCE
    finished = datetime.fromtimestamp((path / "manifest.json").stat().st_mtime, UTC)  # a manifest has no time
    crate.datePublished = finished

    def entity(identifier: str, **properties: Any) -> Any:
        return crate.add(ContextEntity(crate, identifier, properties=properties))

    entity(LICENCE, **{"@type": "CreativeWork", "name": "MIT License"})
    crate.root_dataset["conformsTo"] = entity(
        PROFILE, **{"@type": "CreativeWork", "name": "Process Run Crate", "version": "0.5"}
    )
    commit = f"commit {manifest['commit']}" if manifest["commit"] else "no commit known"
    software = entity(
        "#sim",
        **{
            "@type": "SoftwareApplication",
            "name": "pakistan-coworking-sim",
            "softwareVersion": manifest["version"],
            "description": commit + (", with uncommitted changes" if manifest["dirty"] else ""),
            "softwareRequirements": [f"{name} {one}" for name, one in manifest["libraries"].items()],
            "runtimePlatform": f"Python {manifest['python']}, {manifest['machine']}",
            **({"url": url} if (url := _url()) else {}),
        },
    )
    files = {
        name: crate.add_file(file, name, properties=_described(name, manifest), record_size=True)
        for file in sorted(path.rglob("*"))
        if file.is_file() and (name := file.relative_to(path).as_posix()).partition("/")[0] not in UNFINISHED
    }
    action = crate.add_action(
        software,
        "#run",
        object=[files["manifest.json"]],
        result=[file for name, file in files.items() if name != "manifest.json"],
        properties={
            "name": words.named(manifest),
            "description": " ".join(map(quote, manifest["command"])) or "run from a program",
            "endTime": finished.isoformat(),
            "actionStatus": "http://schema.org/CompletedActionStatus",
        },
    )
    crate.root_dataset["mentions"] = [action]
    crate.write(out)


def _described(name: str, manifest: dict[str, Any]) -> dict[str, Any]:
    """What is said of a file."""
    stem, kind = Path(name).stem, KINDS.get(Path(name).suffix)
    said = {"encodingFormat": kind} if kind else {}
    if name == "manifest.json":
        said["name"] = f"configuration, seed {manifest['seed']}, versions and digests ({manifest['config_digest']})"
    elif name.startswith("tables/") and stem in manifest["tables"]:
        table = manifest["tables"][stem]
        said["name"] = f"table {stem}: {table['rows']:,} rows, digest of its content {table['digest']}"
    elif name.startswith("figures/"):
        said["name"] = f"figure {stem}" if kind != "text/csv" else f"numbers of the figure {stem}"
    return said


def _url() -> str | None:
    """Where the software is, as far as pyproject.toml says."""
    if CHECKOUT is None:
        return None
    urls = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"].get("urls", {})
    return next(iter(urls.values()), None)
