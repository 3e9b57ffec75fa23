"""A finished run against dated observations: how well it forecast them."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa

from sim.analysis import scores, words
from sim.errors import InputError
from sim.observations import read
from sim.results import folder

RUN = ("experiment", "seed", "replications", "config_digest", "version")
"""What score.json says of the run, from its manifest."""


def score(path: Path, file: Path, out: Path | None = None) -> None:
    """Score a run; print the scores, and write score.csv, score.json and score.png.

    Parameters
    ----------
    path
        Folder of the run.
    file
        CSV file of observations.
    out
        Folder for the scores, by default scores/NAME OF THE FILE in that of the run. Scores of the same file that are
        there are replaced.

    Raises
    ------
    InputError
        If the run or the file will not do, or the folder holds anything else.
    """
    run = folder.open_run(path)
    run.check()
    entries = scores.score(_monthly(run), read(file))
    summary = scores.summarise(entries)
    from sim.figures.score import draw  # slow to import

    target = out or path / "scores" / file.stem
    try:
        _clear(target, file.name)
        content = {
            "file": file.name,
            "run": {name: run.manifest[name] for name in RUN},
            **summary,
            "entries": [entry | {"date": entry["date"].isoformat()} for entry in entries],
        }
        folder.write_json(target / "score.json", content)
        names = {key: words.named(run.manifest, key) for key in ("experiment", "title")}  # its command moves no lever
        command = ["sim", "score", str(path), str(file)]
        made: Any = SimpleNamespace(manifest={**run.manifest, **names, "command": command})
        drawn = draw(made, target, entries)
    except OSError as error:
        raise InputError(f"out: cannot write to {target} ({error.strerror})") from None
    print(scores.text(entries, summary))
    print(f"Scores: {', '.join(map(str, [*drawn, target / 'score.json']))}")


def _monthly(run: folder.Run) -> pa.Table:
    """The monthly table of a run of one scenario."""
    scenarios = len(run.manifest["scenarios"])
    if scenarios > 1:
        raise InputError(f"{run.path}: holds {scenarios} scenarios; a run of one can be scored")
    if not run.has_table("monthly"):
        raise InputError(
            f"{run.path}: has no table monthly, which says what was forecast for each date; "
            f"`sim run experiment={run.manifest['experiment']} out=FOLDER` makes it"
        )
    try:
        monthly = run.table("monthly")
    except (OSError, pa.ArrowInvalid):
        raise InputError(f"{run.path}: its table monthly cannot be read") from None
    if "kind" not in monthly.column_names:
        raise InputError(f"{run.path}: its table monthly, of version {run.manifest['version']}, has no column kind")
    if not monthly.num_rows:
        raise InputError(f"{run.path}: no replication finished")
    return monthly


def _clear(target: Path, name: str) -> None:
    """Make a folder ready for scores of a file of observations: a new or empty one, or one with its earlier scores."""
    there = list(target.iterdir()) if target.exists() else []
    if there and not (all(file.is_file() and file.stem == "score" for file in there) and _of(target) == name):
        raise InputError(f"out: {target} holds something else than scores of {name}; nothing is written over")
    target.mkdir(parents=True, exist_ok=True)
    for file in there:
        file.unlink()


def _of(target: Path) -> str | None:
    """The file of observations that the scores in a folder are of."""
    try:
        return str(json.loads((target / "score.json").read_text(encoding="utf-8"))["file"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
