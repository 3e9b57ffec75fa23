"""One run, from a composed configuration to a folder with tables, summary and figures."""

import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from sim.config import Study, digest, read_study, resolve, scenarios
from sim.results import folder
from sim.sources import observations
from sim.study.montecarlo import Outcomes, run_study

INTERRUPTED = 130
FAILED = 3


def run(config: dict[str, Any], experiment: str, out: Path | None = None, command: Sequence[str] = ()) -> int:
    """Run a study and leave a run folder behind.

    Parameters
    ----------
    config
        The composed configuration as plain data.
    experiment
        Its name.
    out
        Folder of the run; by default a new one below results/runs.
    command
        The command that asked for it, for the manifest.

    Returns
    -------
    int
        Exit code: 0, FAILED if a replication failed, INTERRUPTED after Ctrl-C or SIGTERM.

    Raises
    ------
    InputError
        If the configuration is not valid or the folder cannot be used.
    """
    config = resolve(config)
    study = read_study(config)
    replications = 1 if study.only is not None else study.replications
    total = replications * len(scenarios(config))
    if study.observations:
        observations(study.observations)
    path = out or study.out or Path("results/runs") / f"{experiment}_{datetime.now():%Y-%m-%d_%H-%M-%S-%f}"
    folder.claim(path)
    from tqdm import tqdm

    with tqdm(total=total, desc=experiment, unit="run", file=sys.stderr, disable=None, smoothing=0.05) as bar:
        outcomes = run_study(config, bar.update)
    _write(path, study, config, outcomes, experiment, command)
    _report(path)
    for (scenario, replication), error in outcomes.failed.items():
        where = f"replication {replication}" + (f" of scenario {scenario}" if len(outcomes.overrides) > 1 else "")
        print(f"{where} failed: {error.strip().splitlines()[-1]}", file=sys.stderr)
        if study.only is not None:
            print(error, file=sys.stderr)
    if outcomes.failed and study.only is None:
        first = next(iter(outcomes.failed))[1]
        print(f"{len(outcomes.failed)} of {total} replications failed; only={first} runs one alone", file=sys.stderr)
    if outcomes.interrupted:
        print(f"interrupted: {len(outcomes.by_key)} of {total} replications are kept in {path}", file=sys.stderr)
        return INTERRUPTED
    return FAILED if outcomes.failed else 0


def _write(
    path: Path, study: Study, config: dict[str, Any], outcomes: Outcomes, experiment: str, command: Sequence[str]
) -> None:
    from sim.results.tables import build

    tables = build(outcomes.by_key, study.start.date)
    described = folder.write_tables(path, tables)
    finished = len({replication for _, replication in outcomes.by_key.keys() - outcomes.failed.keys()})
    manifest = {
        "experiment": experiment,
        "title": study.title,
        "question": study.question,
        "command": list(command),
        "status": "interrupted" if outcomes.interrupted else "failed" if outcomes.failed else "complete",
        "seed": study.seed,
        "replications": finished,
        "failed": [list(key) for key in outcomes.failed],
        "scenarios": [{"scenario": i, "overrides": overrides} for i, overrides in enumerate(outcomes.overrides)],
        "config_digest": digest(config),
        **folder.environment(),
        "tables": described,
        "config": config,
    }
    folder.write_json(path / "manifest.json", manifest)
    folder.write_json(path / "summary.json", _summary(study, tables, outcomes.overrides))


def _summary(study: Study, tables: dict[str, Any], overrides: list[dict[str, Any]]) -> dict[str, Any]:
    """Content of summary.json; a sweep has a list `scenarios` of such summaries and no figures of its own."""
    from sim.analysis.answer import answer, funnel, sweep_answer, what_holds_back
    from sim.analysis.summary import summarise, summarise_scenarios
    from sim.analysis.systems import systems

    if tables["runs"]["error"].null_count == 0:  # nothing, or nothing but errors
        return {"answer": "No replication finished.", "goals": [], "metrics": {}}
    goals = {name: goal.model_dump() for name, goal in study.goals.items()}
    if len(overrides) > 1:
        each = [
            {"overrides": overrides[summary["scenario"]], **summary}
            for summary in summarise_scenarios(tables["runs"], goals, study.end)
        ]
        return {"answer": sweep_answer(each, goals), "scenarios": each}
    summary = summarise(tables["runs"], goals, study.end)
    return {
        "answer": answer(summary, goals),
        "what_holds_back": what_holds_back(summary, goals, study.start.date, tables.get("sites")),
        **summary,
        "funnel": funnel(summary),
        "systems": systems(tables["runs"], {name: claim.model_dump() for name, claim in study.claims.items()}),
    }


def _report(path: Path) -> None:
    """Draw the figures and print the answer, what holds the rollout back, and where everything is."""
    from sim.analysis.systems import systems_text
    from sim.figures import draw_all
    from sim.figures import observations as observations_figure

    run = folder.Run(path)
    summary = run.summary
    drawn = []
    if run.manifest["replications"]:
        drawn += draw_all(run, path / "figures")
        if run.config["observations"]:
            drawn += observations_figure.draw(run, path / "figures", observations(run.config["observations"]))
    print(summary["answer"])
    if "what_holds_back" in summary:
        print(summary["what_holds_back"])
    if len(summary.get("systems", ())) > 1:
        print(systems_text(summary["systems"]))
    print(f"Figures: {', '.join(str(file) for file in drawn if file.suffix == '.png')}")
    print(f"Tables, summary and manifest: {path}")
