"""One run, from a composed configuration to a folder with tables, summary and figures."""

import os
import shutil
import sys
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from importlib import import_module
from pathlib import Path
from time import monotonic
from typing import Any

from sim.config import Study, digest, read_study, resolve, scenarios
from sim.errors import Unfinished, why
from sim.results import folder
from sim.results.store import Store
from sim.sources import observations
from sim.study.montecarlo import precision_of, run_study, scenario_key

KINDS = {
    "calibrate": "sim.study.calibrate",
    "plans": "sim.study.plans",
    "solve": "sim.study.solve",
    "bottlenecks": "sim.study.bottlenecks",
    "sensitivity": "sim.study.sensitivity",
    "discover": "sim.study.discover",
    "value_of_information": "sim.study.value_of_information",
}
"""Kinds of studies that go on when their runs are finished, and the module whose `finish` does that; its `check`, if it
has one, finds mistakes before anything is run.
"""
ALTERNATIVES = 6
MOST_SAID = 20
"""Different reasons of failed replications that are printed; the table `runs` has all."""
STOPPED = 1
FAILED = 3
INTERRUPTED = 130


def run(
    config: dict[str, Any],
    experiment: str,
    out: Path | None = None,
    command: Sequence[str] = (),
    quiet: bool = False,
    shards: Sequence[Path] = (),
) -> int:
    """Run a study and leave a run folder behind.

    Parameters
    ----------
    config
        The composed configuration as plain data.
    experiment
        Its name.
    out
        Folder of the run; by default a new one below results/runs. If it holds some replications of the same
        scenarios, only what is missing is run.
    command
        The command that asked for it, for the manifest.
    quiet
        Draw no figures, write no report and print no answer: the run is a part of another.
    shards
        Run folders of its shards: what they have need not be run.

    Returns
    -------
    int
        Exit code: 0, FAILED if a replication failed, INTERRUPTED after Ctrl-C or SIGTERM, STOPPED if it could not go
        on (a full disk, workers that die).

    Raises
    ------
    InputError
        If the configuration is not valid or the folder cannot be used.
    """
    config = resolve(config)
    study = read_study(config)
    variants = scenarios(config)
    if study.observations:
        observations(study.observations)
    if study.study.kind in KINDS and (check := getattr(import_module(KINDS[study.study.kind]), "check", None)):
        check(config, study)
    if study.cluster:
        from sim.study.cluster import connect

        connect(study.cluster)  # before anything is written
    path = out or study.out or Path("results/runs") / f"{experiment}_{datetime.now():%Y-%m-%d_%H-%M-%S-%f}"
    manifest = {
        "experiment": experiment,
        "title": study.title,
        "question": study.question,
        "command": list(command),
        "status": "running",
        "seed": study.seed,
        "replications": 0,
        "failed": [],
        "scenarios": [
            {"scenario": i, "name": name, "overrides": overrides, "levers": levers, "key": scenario_key(variant)}
            for i, (name, levers, (overrides, variant)) in enumerate(
                zip(study.sweep.names(), study.sweep.levers(), variants, strict=True)
            )
        ],
        "config_digest": digest(config),
        **folder.environment(),
        "tables": {},
        "config": {key: None if key == "cluster" else value for key, value in config.items()},
    }
    with folder.begin(path, manifest) as store:
        for shard in shards:
            store.add(shard, folder.Run(shard).manifest)
        return _run(path, store, study, manifest, [variant for _, variant in variants], quiet)


def _run(
    path: Path, store: Store, study: Study, manifest: dict[str, Any], variants: list[dict[str, Any]], quiet: bool
) -> int:
    from tqdm import tqdm

    overrides = [scenario["overrides"] for scenario in manifest["scenarios"]]
    total = len(overrides) * len(study.numbers)
    bar = tqdm(total=total, desc=manifest["experiment"], unit="run", file=sys.stderr, disable=None, smoothing=0.05)
    bar._time = monotonic  # a clock that is set back while it runs makes no times below 0
    bar.start_t = bar.last_print_t = monotonic()
    with bar:
        done = run_study(study, variants, store, bar.update)
    try:
        tables = store.merge([scenario["key"] for scenario in manifest["scenarios"]])
        runs = folder.Run(path).table("runs") if tables else None
        failed = _failed(runs)
        counts = [0] * len(overrides) if runs is None else _counts(runs, len(overrides))
        finished = sum(counts)
        manifest |= {
            "status": (done.stopped and "interrupted") or ("failed" if failed else "complete"),
            "replications": finished // len(overrides),
            "scenarios": [
                one | {"replications": count} for one, count in zip(manifest["scenarios"], counts, strict=True)
            ],
            "failed": failed,
            "tables": tables,
        }
        goes_on = study.study.kind in KINDS and study.only is None and study.shard is None
        goes_on &= manifest["status"] == "complete" or (manifest["status"] == "failed" and bool(finished))
        folder.write_json(path / "manifest.json", manifest | ({"status": "running"} if goes_on else {}))
        store.clear()
        if study.shard:
            summary = {"answer": f"Shard {study.shard}: no answer without the others.", "goals": [], "metrics": {}}
        elif goes_on:
            finish = import_module(KINDS[study.study.kind]).finish
            summary = finish(folder.Run(path), study, partial(run, command=[*manifest["command"], "(second part)"]))
        elif study.study.kind in KINDS:  # its runs are no sample of one world that could be summed up
            summary = {"answer": "No answer: the study needs all of its runs.", "goals": [], "metrics": {}}
        else:
            summary = summarise(study, folder.Run(path))
        summary["answer"] = looked(study, str(summary["answer"]))
        folder.write_json(path / "summary.json", summary)
        manifest["summary_digest"] = folder.content_digest(folder.Run(path).summary)
        folder.write_json(path / "manifest.json", manifest)
        if study.shard:
            first, last = study.numbers[0], study.numbers[-1]
            print(f"Shard {study.shard}, replications {first} to {last}: {path}; `sim merge OUT SHARD ...` joins all")
        elif not quiet:
            report(path, study.figures)
    except Unfinished as part:
        done.stopped = manifest["status"] = str(part)
        folder.write_json(path / "manifest.json", manifest)
    except BrokenPipeError:  # who reads the answer stopped reading
        raise
    except OSError as full:
        done.stopped = f"cannot write the results ({why(full)})"
    except (MemoryError, KeyboardInterrupt) as stop:  # Ctrl-C again, or after the replications
        if quiet:  # what it is a part of has to stop as well
            raise
        done.stopped = "interrupted" if isinstance(stop, KeyboardInterrupt) else "out of memory"
    alike = defaultdict[str, list[tuple[int, int]]](list)
    for one, error in done.errors.items():
        alike[error.strip().splitlines()[-1]].append(one)
        if study.only is not None:
            print(error, file=sys.stderr)
    for said, ((scenario, replication), *others) in list(alike.items())[:MOST_SAID]:
        where = f"replication {replication}" + (f" of scenario {scenario}" if len(overrides) > 1 else "")
        print(f"{where} failed{f', and {len(others)} more' if others else ''}: {said}", file=sys.stderr)
    if manifest["failed"] and study.only is None:
        first = manifest["failed"][0][1]
        number = len(manifest["failed"])
        print(f"{number} of {total} replications failed; only={first} runs one alone", file=sys.stderr)
    if done.stopped:
        kept = f"{done.finished} of {'at most ' if study.precision else ''}{total} replications are kept in {path}"
        print(f"{done.stopped}: {kept}; `sim resume {path}` goes on", file=sys.stderr)
        return INTERRUPTED if done.stopped == "interrupted" else STOPPED
    return FAILED if manifest["failed"] else 0


def _failed(runs: Any) -> list[list[int]]:
    """Scenario and replication of the rows with an error."""
    if runs is None:
        return []
    rows = runs.filter(runs.column("error").is_valid())
    return [list(key) for key in zip(rows["scenario"].to_pylist(), rows["replication"].to_pylist(), strict=True)]


def _counts(runs: Any, scenarios: int) -> list[int]:
    """Finished replications of each scenario; they differ if a precision decides how many there are."""
    import numpy as np

    from sim.analysis.tables import finished

    return np.bincount(finished(runs).column("scenario").to_numpy(), minlength=scenarios).tolist()


def looked(study: Study, answer: str) -> str:
    """An answer that says of a quick look that it is one."""
    return f"A quick look: {answer}" if study.fidelity == "quick" else answer


def summarise(study: Study, run: folder.Run) -> dict[str, Any]:
    """Content of summary.json; a sweep has a list `scenarios` of such summaries and no figures of its own."""
    from sim.analysis.answer import answer, funnel, paired_answer, sweep_answer, what_holds_back
    from sim.analysis.summary import summarise_scenarios
    from sim.analysis.systems import systems

    runs = run.table("runs") if run.has_table("runs") else None
    if runs is None or runs["error"].null_count == 0:  # nothing, or nothing but errors
        return {"answer": "No replication finished.", "goals": [], "metrics": {}}
    overrides = [scenario["overrides"] for scenario in run.manifest["scenarios"]]
    goals = {name: goal.model_dump() for name, goal in study.goals.items()}
    each = summarise_scenarios(runs, goals, study.end)
    precise, said = _precision(study, run, runs, each)
    if len(overrides) > 1:
        names = [scenario["name"] for scenario in run.manifest["scenarios"]]
        each = [{"name": names[one["scenario"]], "overrides": overrides[one["scenario"]], **one} for one in each]
        pairs = _pairs(study, run) if _is_list(study, overrides) else []
        return {
            "answer": (paired_answer(pairs) if pairs else sweep_answer(each, goals)) + said,
            **precise,
            "scenarios": each,
            "paired": pairs,
        }
    summary = {key: one for key, one in each[0].items() if key != "scenario"}
    return {
        "answer": answer(summary, goals) + said,
        "what_holds_back": what_holds_back(
            summary, goals, study.start.date, run.table("sites") if run.has_table("sites") else None
        ),
        **precise,
        **summary,
        "variance_reduction": variance_reduction(read_study(scenarios(run.config)[0][1]), runs, _headline(study)),
        "funnel": funnel(summary),
        "systems": systems(runs, {name: claim.model_dump() for name, claim in study.claims.items()}),
    }


def _precision(study: Study, run: folder.Run, runs: Any, summaries: list[dict[str, Any]]) -> tuple[dict[str, Any], str]:
    """What precision was asked for and reached, for the summary and in words; its intervals go into the summaries."""
    from sim.analysis.precision import hold, in_words
    from sim.analysis.tables import of_scenario

    asked = precision_of(study)
    if not asked:
        return {}, ""
    scenarios = run.manifest["scenarios"]
    found = [asked.estimate(of_scenario(runs, one["scenario"])) for one in scenarios]
    for summary in summaries:
        hold(summary, asked, found[summary["scenario"]])
    assert study.precision
    reached = [
        folder.json_safe(one._asdict()) | {"replications": each["replications"], "reached": asked.reached(one)}
        for each, one in zip(scenarios, found, strict=True)
    ]
    content = {**study.precision.model_dump(), "looks": asked.looks, "scenarios": reached}
    names, counts = ([one[key] for one in scenarios] for key in ("name", "replications"))
    return {"precision": content}, f" {in_words(asked, found, names, counts)}"


def _headline(study: Study) -> list[str]:
    """Columns METRIC@DATE of what the answer speaks of: the first goal of each metric."""
    first = {goal.metric: f"{goal.metric}@{goal.by}" for goal in reversed(study.goals.values())}
    return list(first.values())[::-1]


def variance_reduction(study: Study, runs: Any, columns: Sequence[str]) -> list[dict[str, Any]]:
    """Means of columns METRIC@DATE of a study's runs by its design, or by control variates (`analysis.variance`)."""
    from sim.analysis.variance import expectation, reduced_means
    from sim.model.distributions import Distribution
    from sim.model.parameters import walk
    from sim.study.design import GROUPS

    drawn = [(path, p) for path, p in walk(study) if isinstance(p.value, Distribution) and p.spec.per == "run"]
    start = study.start
    expectations = {path: expectation(path, p, start.states, start.prior) for path, p in drawn}
    return reduced_means(runs, columns, expectations, GROUPS.get(study.design))


def _is_list(study: Study, overrides: list[dict[str, Any]]) -> bool:
    """Whether the scenarios are a few alternatives to choose from, not steps of a number."""
    values = [value for override in overrides for value in override.values()]
    named = any("name" in one for one in study.sweep.listed)
    return len(overrides) <= ALTERNATIVES and (named or not all(isinstance(value, int | float) for value in values))


def _pairs(study: Study, run: folder.Run) -> list[dict[str, Any]]:
    """Every other scenario against the first, pair by pair: the goals' chances, and their metrics on the last date.

    Those none of whose runs finished are left out.
    """
    from sim.analysis.compare import verdict
    from sim.analysis.tables import finished
    from sim.results.side import against_first, sides_of

    sides = [side for side in sides_of(run) if len(finished(side.runs()))]
    if len(sides) < 2:
        return []
    columns = sorted({f"{goal.metric}@{study.judged[-1]}" for goal in study.goals.values()})
    return [
        {
            "name": name,
            "base": sides[0].name,
            "in_words": [verdict(one) for one in found if not one.is_goal],
            "differences": [folder.json_safe(one._asdict()) for one in found],
        }
        for name, found in against_first(sides, columns, sides[0].goals).items()
    ]


def _write_scenarios(run: folder.Run) -> None:
    """Write scenarios.csv: every goal and metric of every scenario of a sweep, a row each."""
    from sim.analysis.sweep import table
    from sim.figures import style

    runs, goals = run.table("runs"), style.goals_of(run)
    rows = list(table(runs, run.manifest["scenarios"], goals, style.precision_of(run)))
    style.write_csv(run.path, "scenarios", {name: [row[name] for row in rows] for name in rows[0]} if rows else {})


def report(path: Path, draw: bool = True) -> None:
    """Draw the figures of a run, write report.html, and print the answer, what holds back, and where everything is.

    Only the tables are read, so it can be done again at any time. Without `draw` no figure is made, but those that are
    there, perhaps of fewer replications, are drawn again.
    """
    from sim.analysis.systems import systems_text
    from sim.analysis.variance import in_words
    from sim.report import write_report

    run = folder.open_run(path)
    summary = run.summary
    drawn, figures, part = [], path / "figures", path / "figures.part"
    draw = draw or figures.is_dir()
    shutil.rmtree(part, ignore_errors=True)
    try:
        if run.manifest["replications"] and draw:
            from sim.figures import draw_all
            from sim.figures import observations as observations_figure

            drawn += draw_all(run, part)
            if run.config["observations"] and run.has_table("monthly"):
                drawn += observations_figure.draw(run, part, observations(run.config["observations"]))
        if draw:
            figures.mkdir(exist_ok=True)
        for file in drawn:  # all or none: a figure that fails leaves those that were there
            os.replace(file, figures / file.name)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    if len(run.manifest["scenarios"]) > 1 and run.has_table("runs"):
        _write_scenarios(run)
    written = write_report(path)
    print(summary["answer"])
    if "what_holds_back" in summary:
        print(summary["what_holds_back"])
    if summary.get("variance_reduction"):
        print(in_words(summary["variance_reduction"]))
    if len(summary.get("systems", ())) > 1:
        print(systems_text(summary["systems"]))
    if drawn:
        print(f"Figures: {figures}, {', '.join(file.stem for file in drawn if file.suffix == '.png')}")
    if not draw and run.manifest["replications"]:
        print(f"Figures: none; `sim report {path}` draws them")
    if lacking := [name for name in run.manifest["tables"] if not run.has_table(name)]:
        print(f"Not there, so their figures are as they were: tables {', '.join(lacking)}")
    print(f"Report: {written}")
    print(f"Tables, summary and manifest: {path}")
