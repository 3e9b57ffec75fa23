"""Run a published study again from its own manifest and say whether it comes out the same."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from sim.analysis import words
from sim.analysis.tables import finished, of_scenario, scenarios
from sim.config import read_study
from sim.config import scenarios as expand
from sim.results import folder
from sim.results.folder import Run
from sim.results.store import GROUP, Store
from sim.study.montecarlo import run_study, scenario_key

IDENTICAL, EQUAL, DIFFERENT = 0, 3, 4
"""Exit codes."""
ALPHA = 0.01
ROUNDING = 1e-9
"""Relative difference up to which two numbers are one number, rounded differently."""
NAMED = 8


class Metric(NamedTuple):
    """What became of one column of tables/runs: `verdict` is identical, rounding, equal or different."""

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
        Only so many of each scenario, from the first on, rounded up to whole groups of `GROUP`.
    workers
        Processes; 0 = one for each core.

    Returns
    -------
    int
        IDENTICAL, EQUAL (told apart by no test, corrected for their number) or DIFFERENT.

    Raises
    ------
    InputError
        If it is no run folder, or its configuration is not one of this version.
    """
    run = folder.open_run(path)
    manifest = run.manifest
    asked = manifest["config"]["replications"]
    number = asked if replications is None else min(asked, -(-replications // GROUP) * GROUP)
    config = manifest["config"] | {"replications": number, "workers": workers}
    if number < asked:  # a part of them, however many there are of each scenario
        config["precision"] = None
    print(_environments(manifest, folder.environment()))
    with tempfile.TemporaryDirectory(prefix="sim-reproduce-") as again:
        tables = _run_again(config, Path(again))
        verdicts = {name: _same(manifest["tables"].get(name), tables.get(name)) for name in manifest["tables"]}
        for name, same in verdicts.items():
            said = {True: "identical", False: "not identical", None: "nothing to compare with"}[same]
            print(f"{name}: {said} ({tables.get(name, {}).get('rows', 0):,} rows)")
        if all(verdicts.values()):
            print(f"identical: all tables have the digests of the manifest ({_runs_in_words(number, asked)})")
            return IDENTICAL
        if not run.has_table("runs") or "runs" not in tables:
            print("different, and there is no table of runs to say how")
            return DIFFERENT
        found = _metrics(run.table("runs"), Run(Path(again)).table("runs"))
    return _verdict(found, number, asked)


def _run_again(config: dict[str, Any], out: Path) -> dict[str, dict[str, Any]]:
    """Tables of the same study, described as in a manifest."""
    from tqdm import tqdm

    study = read_study(config)
    variants = [variant for _, variant in expand(config)]
    total = len(variants) * (1 if study.only is not None else study.replications)
    with Store(out) as store, tqdm(total=total, desc="again", unit="run", file=sys.stderr, disable=None) as bar:
        run_study(study, variants, store, bar.update)
        return store.merge([scenario_key(variant) for variant in variants])


def _same(there: Mapping[str, Any] | None, here: Mapping[str, Any] | None) -> bool | None:
    """Whether two tables have the same content, in all groups that both have whole; None if there is no such group."""
    if there is None or here is None:
        return False
    if there["digest"] == here["digest"]:
        return True
    published = {(s, first // GROUP): (first, last, digest) for s, first, last, digest in there["groups"]}
    common = [(published.get((s, first // GROUP)), (first, last, digest)) for s, first, last, digest in here["groups"]]
    whole = [(a, b) for a, b in common if a is not None and a[:2] == b[:2]]
    return all(a == b for a, b in whole) if whole else None


def _metrics(there: pa.Table, here: pa.Table) -> list[Metric]:
    """Compare every column of the replications that both have, scenario by scenario."""
    found = []
    for scenario in scenarios(here):
        a, b = (_by_replication(of_scenario(table, scenario)) for table in (there, here))
        numbers = sorted(a.keys() & b.keys())
        names = dict.fromkeys([*there.column_names, *here.column_names])
        for name in names:
            if name not in ("scenario", "replication", "error"):
                label = name if len(scenarios(there)) == 1 else f"{name} (scenario {scenario})"
                x, y = (_numbers([rows[n].get(name) for n in numbers]) for rows in (a, b))
                found.append(_metric(label, x, y, numbers))
    tested = sorted((one for one in found if one.verdict == "different"), key=lambda one: one.p)
    told: set[str] = set()
    for rank, one in enumerate(tested):  # Holm: from the smallest p up
        if one.p >= ALPHA / (len(tested) - rank):
            break
        told.add(one.name)
    untold = {one.name for one in tested} - told
    return [one._replace(verdict="equal") if one.name in untold else one for one in found]


def _by_replication(rows: pa.Table) -> dict[int, dict[str, Any]]:
    return {row["replication"]: row for row in finished(rows).to_pylist()}


def _numbers(values: list[Any]) -> np.ndarray:
    """Values as floats; dates as days; nan where there is none."""
    days = [value.toordinal() if hasattr(value, "toordinal") else value for value in values]
    return np.array([np.nan if value is None else value for value in days], dtype=np.float64)


def _metric(name: str, x: np.ndarray, y: np.ndarray, numbers: list[int]) -> Metric:
    """Compare pair by pair where the pairs go together, or else the two samples."""
    from scipy import stats

    there, here = (float(np.nanmean(z)) if np.isfinite(z).any() else np.nan for z in (x, y))
    apart = ~((x == y) | (np.isnan(x) & np.isnan(y)))
    if not apart.any():
        return Metric(name, "identical", there, here, None, 1.0)
    first = numbers[int(np.argmax(apart))]
    both = np.isfinite(x) & np.isfinite(y)
    scale = np.maximum(np.abs(x[both]), np.abs(y[both]))
    if (np.isnan(x) == np.isnan(y)).all() and (np.abs(x - y)[both] <= ROUNDING * scale).all():
        return Metric(name, "rounding", there, here, first, 1.0)
    if both.sum() < 3:
        return Metric(name, "different", there, here, first, 0.0)
    d = (y - x)[both]
    together = np.std(d) < 0.5 * np.std(x[both]) if np.std(x[both]) else True
    if together:
        p = float(stats.ttest_1samp(d, 0.0).pvalue) if np.std(d) > 0 else 0.0
    else:
        p = float(stats.ks_2samp(x[both], y[both]).pvalue)
    missing = stats.fisher_exact([[both.size - np.isnan(z).sum(), np.isnan(z).sum()] for z in (x, y)]).pvalue
    return Metric(name, "different", there, here, first, min(p, float(missing)))


def _verdict(found: list[Metric], number: int, asked: int) -> int:
    """Print which metrics differ, and the verdict."""
    count = {verdict: sum(one.verdict == verdict for one in found) for verdict in ("identical", "rounding", "equal")}
    different = sorted((one for one in found if one.verdict == "different"), key=lambda one: one.p)
    said = f"{count['identical']} identical, {count['rounding']} but for rounding, {count['equal']} statistically equal"
    if not different:
        print(
            f"statistically equal: of {len(found)} columns {said}; no test tells them apart at a family-wise level of "
            f"{ALPHA:.0%} ({_runs_in_words(number, asked)})"
        )
        return EQUAL
    print(f"different: {len(different)} of {len(found)} columns ({said}; {_runs_in_words(number, asked)})")
    for one in different[:NAMED]:
        print(
            f"  {one.name}: mean {words.number(one.there)} there, {words.number(one.here)} here; first in replication "
            f"{one.first}; p = {one.p:.1g}"
        )
    if len(different) > NAMED:
        print(f"  and {len(different) - NAMED} more")
    return DIFFERENT


def _runs_in_words(number: int, asked: int) -> str:
    return f"all {asked:,} replications" if number == asked else f"the first {number:,} of {asked:,} replications"


def _environments(there: Mapping[str, Any], here: Mapping[str, Any]) -> str:
    """Where both were made, and what differs."""
    libraries = {name: (v, here["libraries"].get(name)) for name, v in there["libraries"].items()}
    pairs = {key: (there[key], here[key]) for key in ("version", "commit", "dirty", "python", "machine")} | libraries
    differs = [f"{key} {a} there, {b} here" for key, (a, b) in pairs.items() if a != b]
    made = f"sim {there['version']}, Python {there['python']}, numpy {there['libraries']['numpy']}, {there['machine']}"
    return f"made by {made}; " + (f"different now: {'; '.join(differs)}" if differs else "the same now")
