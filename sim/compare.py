"""Runs side by side: is the comparison fair, what differs in configuration, and what differs in results."""

from __future__ import annotations

import csv
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from math import isfinite
from pathlib import Path
from statistics import median
from typing import Any

from sim.analysis import words
from sim.analysis.compare import Difference, verdict
from sim.analysis.goals import Goal
from sim.analysis.tables import finished
from sim.config import Study, compose_config, experiments, nearest, plain, read_study, scenarios, searched
from sim.errors import InputError
from sim.results.folder import differences, json_safe, open_run, write_json
from sim.results.side import Side, against_first, sides_of

SAID = 8
"""How many differences in configuration are printed; the file has all."""


def compare_runs(
    names: Sequence[str], out: Path | None = None, overrides: Sequence[str] = (), own: Sequence[str] = ()
) -> None:
    """Compare runs or experiments with the first of them, pair by pair; print it and leave a folder behind.

    Parameters
    ----------
    names
        Run folders (FOLDER#2: only its scenario 2) or experiments, which are run with `overrides` first.
    own
        Folders with experiments of one's own.
    out
        Folder for compare.json, compare.csv and figures; by default a new one below results/runs.

    Raises
    ------
    InputError
        If there are fewer than two sides, or they cannot be compared.
    """
    path = out or Path("results/runs") / f"compare_{datetime.now():%Y-%m-%d_%H-%M-%S-%f}"
    if path.exists() and any(path.iterdir()):
        raise InputError(f"out: {path} is not empty; results are never overwritten, choose another folder")
    for name in names:  # before any of them is run
        _check_name(name, own)
    there = {name: _sides(name, {}) for name in names if _is_folder(name)}  # what is wrong with one is said first
    ready = sum(len(there[name]) for name in names if name in there)
    made = _make([name for name in names if name not in there], path, overrides, own, ready)
    sides = [side for name in names for side in (there[name] if name in there else _sides(name, made))]
    levers = [words.named({**side.run.manifest, "experiment": ""}) for side in sides]
    if len(set(levers)) > 1:
        sides = [side._replace(name=side.name + moved) for side, moved in zip(sides, levers, strict=True)]
    goals, columns, remarks = fair(sides)
    base, pairs = sides[0], against_first(sides, columns, goals)
    configured = {side.name: list(differences(base.config, side.config)) for side in sides[1:]}
    for remark in remarks:
        print(remark)
    for name, found in pairs.items():
        print(f"{name} against {base.name} ({found[0].n:,} pairs):")
        print(_configured(configured[name]))
        labels = {goal.name: f"chance of {goal.label} {goal.when}" for goal in goals}
        headline = {goal.metric for goal in goals} | {"hubs_open", "jobs_supported"}
        for one in found:
            if one.is_goal or one.metric in headline:
                on = words.day(date.fromisoformat(one.name.partition("@")[2])) if not one.is_goal else ""
                print(f"  {verdict(one, labels.get(one.name, f'{words.name(one.metric)} on {on}'))}")
        print(f"  {narrowing(found)}")
    if any(one.distinct and one.low < 0 < one.high for found in pairs.values() for one in found):
        print(
            "Intervals hold for all comparisons together. Where one holds 0 and the difference is told apart all the "
            "same, the sharper test for that (Holm's) decides."
        )
    path.mkdir(parents=True, exist_ok=True)
    _write(path, base, pairs, configured, remarks)
    from sim.figures import comparison

    drawn = comparison.draw(sides, pairs, goals, path / "figures")
    print(f"Figures: {', '.join(str(file) for file in drawn if file.suffix == '.png')}")
    print(f"All comparisons: {path / 'compare.csv'}")


def _check_name(name: str, own: Sequence[str]) -> None:
    folder = name.partition("#")[0]
    known = [experiment for experiment, _ in experiments(own)]
    if not _is_folder(name) and folder not in known:
        raise InputError(f"{name}: is neither a run folder nor an experiment{nearest(folder, known, '')}")


def _is_folder(name: str) -> bool:
    return Path(name.partition("#")[0]).exists()


def _make(
    names: Sequence[str], path: Path, overrides: Sequence[str], own: Sequence[str], sides: int
) -> dict[str, Path]:
    """Say which experiments are named beside so many sides and run each once; the folder of each, beside `path`."""
    configs: dict[str, dict[str, Any]] = {}
    for name in names:
        experiment, _, number = name.partition("#")
        if experiment not in configs:
            configs[experiment] = plain(compose_config([f"experiment={experiment}", *overrides, *searched(own)]))
        many = len(scenarios(configs[experiment]))
        _has_scenario(name, number, many)
        sides += 1 if number else many
    if sides < 2:
        raise InputError("compare: names at least two runs, scenarios or experiments")
    made = {experiment: path.with_name(f"{path.name}_{experiment}") for experiment in configs}
    if made:
        said = [f"{name} ({_size(read_study(configs[name]))}), kept in {folder}" for name, folder in made.items()]
        print(f"To be run first: {'; '.join(said)}", file=sys.stderr)
    for experiment, folder in made.items():
        from sim.workflow import run

        command = ["sim", "run", *(word for one in own for word in ("--config-dir", os.path.relpath(one)))]
        if run(configs[experiment], experiment, folder, [*command, f"experiment={experiment}", *overrides]):
            raise InputError(f"compare: {experiment} did not finish, see {folder}")
    return made


def _size(study: Study) -> str:
    """How many replications a study is, in words."""
    from sim.workflow import KINDS

    many = len(study.sweep.combinations())
    said = f"{'at most ' if study.precision else ''}{len(study.numbers):,} replications"
    said += f" of each of {many} scenarios" if many > 1 else ""
    return f"{said}, and what follows from them" if study.study.kind in KINDS else said


def _sides(name: str, made: Mapping[str, Path]) -> list[Side]:
    """Sides that a name stands for: a run folder, or an experiment that was run into one."""
    folder, _, number = name.partition("#")
    opened = open_run(made.get(folder, Path(folder)))
    opened.check()
    if not opened.has_table("runs"):
        raise InputError(
            f"{folder}: has no table of runs (tables/runs.parquet); make the run anew: sim run "
            f"experiment={opened.manifest['experiment']} out=DIR"
        )
    sides, short = sides_of(opened), Path(folder).name
    _has_scenario(name, number, len(sides))
    return [
        side._replace(name=f"{short}: {side.name}" if len(sides) > 1 else short)
        for side in sides
        if number in ("", str(side.scenario))
    ]


def _has_scenario(name: str, number: str, scenarios: int) -> None:
    if number and number not in map(str, range(scenarios)):
        raise InputError(f"{name}: has no scenario {number}, only 0 to {scenarios - 1}")


def fair(sides: Sequence[Side]) -> tuple[list[Goal], list[str], list[str]]:
    """Goals and columns that all sides have, and remarks on what else than the configuration differs.

    Raises
    ------
    InputError
        If the sides do not share their random streams, or have nothing in common.
    """
    seeds = {side.run.manifest["seed"] for side in sides}
    if len(seeds) > 1:
        raise InputError(
            f"compare: not fair, the seeds differ ({', '.join(map(str, sorted(seeds)))}); run them with the same"
        )
    if len({side.name for side in sides}) < len(sides):
        raise InputError("compare: two sides have the same name; compare copies under other names")
    tables = [finished(side.runs()) for side in sides]
    numbers = set.intersection(*(set(table["replication"].to_pylist()) for table in tables))
    columns = [name for name in tables[0].column_names if "@" in name and all(name in t.column_names for t in tables)]
    if not numbers or not columns:
        raise InputError("compare: the runs have no finished replication, or no metric on any date, in common")
    first = {(g.metric, g.level, g.by, g.held): g for g in sides[0].goals}
    for side in sides[1:]:
        keys = {(g.metric, g.level, g.by, g.held) for g in side.goals}
        first = {key: goal for key, goal in first.items() if key in keys}
    remarks = []
    for key in ("version", "commit", "dirty", "design"):
        values = {str(side.run.manifest.get(key, side.run.config.get(key))) for side in sides}
        if len(values) > 1:
            remarks.append(f"Careful: {key} differs ({', '.join(sorted(values))}), so the code or the dice do too.")
    if any(len(table) > len(numbers) for table in tables):
        remarks.append(f"Compared: the {len(numbers):,} replications that all have.")
    return list(first.values()), columns, remarks


def narrowing(found: Sequence[Difference]) -> str:
    """How much narrower than of independent runs the paired intervals are."""
    times = [one.narrower for one in found if not one.is_goal and isfinite(one.narrower) and one.narrower > 0]
    if not times:
        alike = all(not one.difference for one in found if not one.is_goal)
        return (
            "Nothing differs." if alike else "These pairs do not tell how much narrower intervals are on the same luck."
        )
    middle = median(times)
    if middle <= 1:
        return "On the same luck intervals are no narrower here than those of independent runs would be."
    most = 100.0  # of runs that hardly differ it is a number without meaning
    more = "more than " if middle > most else ""
    middle = min(middle, most)
    return (
        f"On the same luck intervals are {more}{middle:.1f} times narrower than those of independent runs would be "
        f"(median over the figures; at least {min(times):.1f}): those would need {more}{words.number(middle**2)} times "
        "as many runs."
    )


def _configured(found: Sequence[tuple[str, Any, Any]]) -> str:
    if not found:
        return "  configured alike"
    said = "; ".join(f"{key} {_short(a)} -> {_short(b)}" for key, a, b in found[:SAID])
    return f"  configured: {said}" + (f" and {len(found) - SAID} more" if len(found) > SAID else "")


def _short(value: Any) -> str:
    """A value on one line; of a parameter, without its unit and source."""
    return words.cut(str(value.get("value", value) if isinstance(value, dict) else value), 60)


def _write(
    path: Path,
    base: Side,
    pairs: dict[str, list[Difference]],
    configured: dict[str, list[tuple[str, Any, Any]]],
    remarks: list[str],
) -> None:
    """compare.csv with a row a figure and pair, compare.json with the same and the differences in configuration."""
    with (path / "compare.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["against", "side", *Difference._fields, "in_words"])
        for name, found in pairs.items():
            for one in found:
                cells = ["" if isinstance(cell, float) and cell != cell else cell for cell in one]
                writer.writerow([base.name, name, *cells, verdict(one)])
    content = {
        "base": {"name": base.name, "folder": str(base.run.path), "scenario": base.scenario},
        "remarks": remarks,
        "sides": [
            {
                "name": name,
                "configured": [{"key": key, "base": a, "here": b} for key, a, b in configured[name]],
                "differences": [json_safe(one._asdict()) for one in found],
            }
            for name, found in pairs.items()
        ],
    }
    write_json(path / "compare.json", content)
