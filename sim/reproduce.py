"""Run a published study again from its own manifest and say whether it comes out the same."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from math import comb, isclose
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from sim.analysis import words
from sim.analysis.tables import of_scenario, scenarios
from sim.config import Study, digest, read_study
from sim.config import scenarios as expand
from sim.errors import InputError
from sim.results import folder
from sim.results.digest import table_digest
from sim.results.folder import Run
from sim.results.store import Store, group_size
from sim.study.design import Sensitivity
from sim.study.montecarlo import run_study, scenario_key
from sim.workflow import KINDS, looked, summarise

IDENTICAL, EQUAL, DIFFERENT = 0, 3, 4
"""Exit codes."""
STOPPED, INTERRUPTED = 1, 130  # as of `sim run`
ALPHA = 0.01
ROUNDING = 1e-9
"""Relative difference up to which two numbers are one number, rounded differently."""
NAMED = 8
KEYS = ["scenario", "replication"]


class Metric(NamedTuple):
    """What became of one column: `verdict` is identical, rounding, equal or different."""

    name: str
    verdict: str
    there: float  # mean
    here: float
    first: int | None  # first replication that differs
    p: float


def reproduce(path: Path, replications: int | None = None, workers: int = 0) -> int:
    """Run a study again, compare it, and print the verdict.

    Parameters
    ----------
    path
        A run folder.
    replications
        Only so many of each scenario, from the first on; without a table of runs to compare them one by one, rounded
        up to whole row groups, of which the manifest has the digests.
    workers
        Processes; 0 = one for each core.

    Returns
    -------
    int
        IDENTICAL, EQUAL (told apart by no test, corrected for their number), DIFFERENT, INTERRUPTED or STOPPED (a full
        disk, workers that die).

    Raises
    ------
    InputError
        If it is no run folder, its manifest is damaged, or its configuration is not one of this version.
    """
    run = folder.open_run(path)
    manifest = run.manifest
    if lacking := _lacking(manifest):
        raise InputError(f"{path / 'manifest.json'}: is damaged, or of a run without results: it lacks {lacking}")
    if replications == 0:
        raise InputError("replications: should be at least 1 (got 0)")
    there = 1 + max(group[2] for group in manifest["tables"]["runs"]["groups"])
    size = group_size(manifest["tables"]["runs"])
    whole = 1 if run.has_table("runs") else size
    if replications and whole > 1 and manifest["config"].get("design") == "sensitivity":
        # by digest alone only a part with all columns will do, and those of levers come with the second part of a round
        replications = max(replications, Sensitivity(read_study(manifest["config"])).size)
    number = there if replications is None else min(there, -(-replications // whole) * whole)
    config = manifest["config"] | {"replications": number, "workers": workers}
    if config.get("precision"):  # all of them: with the rule and the budget it had; a part: so many of each scenario
        config |= {"replications": manifest["config"]["replications"]} if number == there else {"precision": None}
    study = read_study(config)
    said = _runs_in_words(study, there, manifest)
    print(_environments(manifest, folder.environment()))
    if digest(manifest["config"]) != manifest["config_digest"]:
        print("Careful: the configuration has another digest than the manifest says: it was changed after the run.")
    altered = run.altered()
    for name, why in altered.items():
        print(f"different: {name} {why}, it is not what the manifest describes")
    if altered:
        return DIFFERENT
    said_otherwise = _summary_differs(run)
    with tempfile.TemporaryDirectory(prefix="sim-reproduce-") as again:
        tables, stopped = _run_again(study, config, Path(again), size)
        if stopped or "runs" not in tables:
            print(f"{stopped or 'nothing came out'}: nothing was compared", file=sys.stderr)
            return INTERRUPTED if stopped == "interrupted" else STOPPED
        code = _compare(run, Run(Path(again)), manifest["tables"], tables, said)
    if said_otherwise and code != DIFFERENT:
        print("different: the tables are as they were, but their summary says something else")
    return DIFFERENT if said_otherwise else code


def _summary_differs(run: Run) -> bool:
    """Compute the summary anew from the tables in the folder; say what differs, or why that cannot be seen."""
    if not (run.path / "summary.json").exists():
        return False
    study, there = read_study(run.config), run.summary
    if study.study.kind in KINDS or study.only is not None or study.shard or not run.has_table("runs"):
        why = "its table of runs is not there" if not run.has_table("runs") else "that takes more than these runs"
        as_it_was = "as it was written" if "summary_digest" in run.manifest else "may have been changed"
        print(f"summary.json: {as_it_was}; not computed anew ({why})")
        return False
    here = json.loads(json.dumps(summarise(study, run)))
    here["answer"] = looked(study, here["answer"])
    if "what_holds_back" in here and not run.has_table("sites") and "sites" in run.manifest["tables"]:
        here["what_holds_back"] = there.get("what_holds_back")  # it tells of the sites' durations
    differs = [(*one, path) for path, *one in _leaves(there, here)]
    for a, b, path in differs[:NAMED]:
        print(f"different: summary.json: {path}: {a} there, {b} here")
    if not differs:
        print("summary.json: what the tables in the folder give")
    return bool(differs)


def _leaves(there: Any, here: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Where two contents of JSON differ by more than rounding: path, value there, value here."""
    if type(there) is type(here) and isinstance(there, dict | list) and len(there) == len(here):
        pairs = there.keys() | here.keys() if isinstance(there, dict) else range(len(there))
        for key in sorted(pairs):
            if isinstance(there, list) or (key in there and key in here):
                yield from _leaves(there[key], here[key], f"{path}.{key}".lstrip("."))
            else:
                yield f"{path}.{key}".lstrip("."), there.get(key), here.get(key)
    elif there != here and not (
        isinstance(there, float) and isinstance(here, float) and isclose(there, here, rel_tol=ROUNDING)
    ):
        yield path, there, here


def _lacking(manifest: Mapping[str, Any]) -> str | None:
    """First part of a manifest that is not there, or not what it should be; None if all is well."""
    shapes = {"config": Mapping, "tables": Mapping, "libraries": Mapping, "config_digest": str}
    for key in ("version", "commit", "dirty", "python", "machine", "status", *shapes):
        if key not in manifest or not isinstance(manifest[key], shapes.get(key, object)):
            return key
    for name, one in manifest["tables"].items():
        groups = one.get("groups") if isinstance(one, Mapping) and {"rows", "digest"} <= one.keys() else None
        if not groups or not all(isinstance(group, list) and len(group) == 4 for group in groups):
            return f"tables.{name}"
    return None if "runs" in manifest["tables"] else "tables.runs"


def _run_again(
    study: Study, config: dict[str, Any], out: Path, size: int
) -> tuple[dict[str, dict[str, Any]], str | None]:
    """Tables of the same study, described as in a manifest; why it stopped early, if it did."""
    from tqdm import tqdm

    variants = [variant for _, variant in expand(config)]
    total = len(variants) * (1 if study.only is not None else study.replications)
    with Store(out) as store, tqdm(total=total, desc="again", unit="run", file=sys.stderr, disable=None) as bar:
        done = run_study(study, variants, store, bar.update)
        return {} if done.stopped else store.merge([scenario_key(variant) for variant in variants], size), done.stopped


def _compare(
    there: Run, here: Run, published: Mapping[str, Mapping[str, Any]], made: Mapping[str, Mapping[str, Any]], said: str
) -> int:
    """Compare table by table, by digest; where these differ and both are there, column by column."""
    found: list[Metric] = []
    unexplained = []
    same = {name: _same(there, here, name, one, made.get(name)) for name, one in published.items()}
    for name, verdict in same.items():
        text = {True: "identical", False: "not identical", None: "nothing to compare with"}[verdict]
        print(f"{name}: {text} ({made.get(name, {}).get('rows', 0):,} rows)")
        if verdict is False:
            columns = []
            if name in made and there.has_table(name):
                columns = _metrics(name, there.table(name), here.table(name))
            if all(one.verdict == "identical" for one in columns):
                unexplained.append(name)
            found += columns
    if False not in same.values():
        what = "all tables have" if None not in same.values() else "what can be compared has"
        print(f"identical: {what} the content that the manifest describes ({said})")
        return IDENTICAL
    alike = not folder.otherwise(there.manifest, folder.environment(), folder.PLATFORM)
    return _verdict(_holm(found), unexplained, said, alike)


def _same(
    there: Run, here: Run, name: str, published: Mapping[str, Any], made: Mapping[str, Any] | None
) -> bool | None:
    """Whether two tables have the same content as far as both go; None if they have nothing to compare.

    By digest; if that differs, by the rows of the replications that both have (the run was interrupted, or a few are
    run again), or, of a table that is not in the folder, by the digests of whole groups.
    """
    if made is None:
        return False
    if published["digest"] == made["digest"]:
        return True
    if there.has_table(name) and there.has_table("runs"):
        common = np.intersect1d(_keys(there.table("runs")), _keys(here.table("runs")))
        a, b = (run.table(name) for run in (there, here))
        if len(there.table("runs")) > len(common):  # a part may lack columns that only others fill
            names = [name for name in a.column_names if name in b.column_names or not _empty(a, name, common)]
            a = a.select(names)
        return len({table_digest(t.filter(pa.array(np.isin(_keys(t), common)))) for t in (a, b)}) == 1
    groups = {(s, first, last): digest for s, first, last, digest in published["groups"]}
    whole = [digest == groups[s, a, b] for s, a, b, digest in made["groups"] if (s, a, b) in groups]
    return all(whole) if whole and there.manifest["status"] != "interrupted" else None


def _empty(table: pa.Table, name: str, keys: np.ndarray) -> bool:
    """Whether a column has no value in the replications of these keys."""
    column = table.column(name).filter(pa.array(np.isin(_keys(table), keys)))
    return bool(column.null_count == len(column))


def _keys(table: pa.Table) -> np.ndarray:
    """Scenario and replication of each row, as one number."""
    scenario, replication = (table.column(key).to_numpy().astype(np.int64) for key in KEYS)
    return scenario * 2**32 + replication


def _metrics(name: str, there: pa.Table, here: pa.Table) -> list[Metric]:
    """Compare every column of the replications that both have, scenario by scenario.

    Of a table with many rows a replication, their means. Which replications failed is compared as well; columns that
    only the new table has are left out.
    """
    many = len(scenarios(there)) > 1
    prefix = "" if name == "runs" else f"{name}."
    found = []
    for scenario in scenarios(here):
        a, b = (_by_replication(of_scenario(table, scenario), name == "runs") for table in (there, here))
        label = f" (scenario {scenario})" if many else ""
        numbers = sorted(a.keys() & b.keys())
        failed = [n for n in numbers if (a[n].get("error") is None) != (b[n].get("error") is None)]
        if failed:
            was, now = (float(np.mean([rows[n].get("error") is not None for n in numbers])) for rows in (a, b))
            found.append(Metric(f"failed{label}", "different", was, now, failed[0], 0.0))
        both = [n for n in numbers if a[n].get("error") is None and b[n].get("error") is None]
        for column in there.column_names if both else ():
            if column not in (*KEYS, "error") and column in a[both[0]]:
                x, y = (_numbers([rows[n].get(column) for n in both]) for rows in (a, b))
                one = _metric(f"{prefix}{column}{label}", x, y, both)
                gone = column not in here.column_names and np.isfinite(x).any()
                found.append(one._replace(verdict="different", first=both[0], p=0.0) if gone else one)
    return found


def _by_replication(rows: pa.Table, whole: bool) -> dict[int, dict[str, Any]]:
    """Rows by replication; of a table with many a replication, the mean of each column with numbers or dates."""
    if not whole:
        for i, field in enumerate(rows.schema):
            if pa.types.is_date32(field.type):
                rows = rows.set_column(i, field.name, rows.column(i).cast(pa.int32()))
        number = [field.name for field in rows.schema if not pa.types.is_string(field.type) and field.name not in KEYS]
        means = rows.group_by("replication").aggregate([(name, "mean") for name in number])
        rows = means.rename_columns([name.removesuffix("_mean") for name in means.column_names])
    return {row["replication"]: row for row in rows.to_pylist()}


def _numbers(values: list[Any]) -> np.ndarray:
    """Values as floats; dates as days; nan where there is none."""
    days = [value.toordinal() if hasattr(value, "toordinal") else value for value in values]
    return np.array([np.nan if value is None else value for value in days], dtype=np.float64)


def _metric(name: str, x: np.ndarray, y: np.ndarray, numbers: list[int]) -> Metric:
    """Compare pair by pair where the pairs go together, or else the two samples; and how many have a value at all."""
    from scipy import stats

    a, b = x[np.isfinite(x)], y[np.isfinite(y)]
    there, here = (float(z.mean()) if z.size else np.nan for z in (a, b))
    apart = ~((x == y) | (np.isnan(x) & np.isnan(y)))
    if not apart.any():
        return Metric(name, "identical", there, here, None, 1.0)
    first = numbers[int(np.argmax(apart))]
    both = np.isfinite(x) & np.isfinite(y)
    d = (y - x)[both]
    scale = np.maximum(np.abs(x[both]), np.abs(y[both]))
    if (np.isnan(x) == np.isnan(y)).all() and (np.abs(d) <= ROUNDING * scale).all():
        return Metric(name, "rounding", there, here, first, 1.0)
    ps = []
    if d.size > 1 and np.std(d) < 0.5 * np.std(x[both]):  # the luck is the same
        ps.append(float(stats.ttest_1samp(d, 0.0).pvalue) if np.std(d) > 0 else 2 * 0.5**d.size)  # all to one side
    elif a.size and b.size:
        constant = np.ptp(a) == 0 and np.ptp(b) == 0 and a.size + b.size > 2
        ps.append(2 / comb(a.size + b.size, a.size) if constant else float(stats.ks_2samp(a, b).pvalue))
    missing = [[z.size, x.size - z.size] for z in (a, b)]
    if a.size != b.size:
        ps.append(float(stats.fisher_exact(missing).pvalue))
    return Metric(name, "different", there, here, first, min(1.0, len(ps) * min(ps, default=1.0)))


def _holm(found: Sequence[Metric]) -> list[Metric]:
    """Columns that differ but are told apart by no test are called equal (Holm 1979: from the smallest p up)."""
    tested = sorted((one for one in found if one.verdict == "different"), key=lambda one: one.p)
    told: set[str] = set()
    for rank, one in enumerate(tested):
        if one.p >= ALPHA / (len(tested) - rank):
            break
        told.add(one.name)
    return [
        one._replace(verdict="equal") if one.verdict == "different" and one.name not in told else one for one in found
    ]


def _verdict(found: Sequence[Metric], unexplained: Sequence[str], said: str, alike: bool) -> int:
    """Print which columns differ, and the verdict.

    Where Python, libraries and machine are `alike`, only changed code or a changed configuration moves more than the
    last digits: whatever the tests say, that is different.
    """
    if alike:
        found = [one._replace(verdict="different") if one.verdict == "equal" else one for one in found]
    count = {verdict: sum(one.verdict == verdict for one in found) for verdict in ("identical", "rounding", "equal")}
    different = sorted((one for one in found if one.verdict == "different"), key=lambda one: one.p)
    counted = (
        f"{count['identical']} identical, {count['rounding']} but for rounding, {count['equal']} statistically equal"
    )
    if not different and (count["rounding"] or count["equal"]):
        print(
            f"statistically equal: of {len(found)} columns {counted}; no test tells them apart at a family-wise level "
            f"of {ALPHA:.0%} ({said})"
        )
        return EQUAL
    print(f"different: {len(different)} of {len(found)} columns ({counted}; {said})")
    for one in different[:NAMED]:
        a, b = (_said(one.name, mean) for mean in (one.there, one.here))
        print(f"  {one.name}: mean {a} there, {b} here; first in replication {one.first}; p = {one.p:.1g}")
    if len(different) > NAMED:
        print(f"  and {len(different) - NAMED} more")
    if not different:
        print(f"  {', '.join(unexplained)}: by digest alone, its columns cannot be compared")
    return DIFFERENT


def _said(name: str, mean: float) -> str:
    if np.isnan(mean):
        return "none"
    return words.day(date.fromordinal(round(mean))) if name.startswith("reached.") else words.number(mean)


def _runs_in_words(study: Study, there: int, manifest: Mapping[str, Any]) -> str:
    """Which replications are compared."""
    if study.only is not None:
        return f"replication {study.only}"
    if manifest["status"] == "interrupted":
        return f"of the first {study.replications:,} replications those that were finished when it was interrupted"
    if study.replications == there:
        return f"all {there:,} replications"
    return f"the first {study.replications:,} of {there:,} replications"


def _environments(there: Mapping[str, Any], here: Mapping[str, Any]) -> str:
    """Where both were made, and what differs."""
    differs = folder.otherwise(there, here)
    numpy = there["libraries"].get("numpy", "?")
    made = f"sim {there['version']}, Python {there['python']}, numpy {numpy}, {there['machine']}"
    return f"made by {made}; " + (f"different now: {'; '.join(differs)}" if differs else "the same now")
