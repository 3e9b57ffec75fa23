"""report.html of a run folder: one file that holds everything, made from the saved tables and figures alone."""

from __future__ import annotations

import base64
import os
import re
from datetime import date
from pathlib import Path
from shlex import quote
from typing import Any

from sim.analysis import words
from sim.analysis.goals import read_goals
from sim.analysis.systems import systems_rows
from sim.config import parameter_rows, read_study
from sim.results.folder import Run, open_run
from sim.sources import not_modelled, published_baseline

TEMPLATES = Path(__file__).with_name("templates")
BESIDE = ("hubs_open", "jobs_supported.hub", "jobs_additional", "portfolio_jobs", "exports_usd_per_year", "women_share")
"""Metrics set beside the published baseline."""


def write_report(path: Path) -> Path:
    """Write report.html of a run folder, without simulating; return its path.

    Raises
    ------
    InputError
        If the folder is no run.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    run = open_run(path)
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    text = environment.get_template("report.html.j2").render(**content(run))
    file = path / "report.html"
    part = file.with_suffix(".part")
    part.write_text(text, encoding="utf-8")
    os.replace(part, file)
    return file


def content(run: Run) -> dict[str, Any]:
    """What the template shows."""
    manifest, summary = run.manifest, run.summary
    parameters = parameter_rows(read_study(run.config))
    many = len(manifest["scenarios"]) > 1
    counts = [scenario.get("replications", manifest["replications"]) for scenario in manifest["scenarios"]]
    runs = f"{words.span(counts)} runs" + (f" of each of {len(manifest['scenarios'])} scenarios" if many else "")
    return {
        "title": f"{words.named(manifest, 'title')}: {manifest['question']}",
        "name": words.named(manifest),
        "manifest": manifest,
        "summary": {"what_holds_back": None, "tables": []} | summary,
        "runs_said": f"{runs}, seed {manifest['seed']}",
        "goals": [] if many else _goals(run),
        "systems": systems_rows(summary["systems"], "\u2192")[1:] if len(summary.get("systems", ())) > 1 else [],
        "scenarios": _scenarios(run) if many else [],
        "figures": _figures(run.path / "figures"),
        "baseline": None if many else _baseline(summary),
        "parameters": parameters,
        "assumptions": sum("assumption" in row[4] for row in parameters),
        "not_modelled": not_modelled(),
        "command": " ".join(map(quote, manifest["command"])) or "(run from a program)",
        "folder": run.path,
        "made_with": ", ".join(
            [
                f"sim {manifest['version']}" + (f" at commit {manifest['commit'][:12]}" if manifest["commit"] else ""),
                *(["with uncommitted changes"] if manifest["dirty"] else []),
                f"Python {manifest['python']}",
                *(f"{name} {version}" for name, version in manifest["libraries"].items()),
                manifest["machine"],
            ]
        ),
    }


def _goals(run: Run) -> list[dict[str, str]]:
    """Rows of the table of goals."""
    found = {goal.name: goal for goal in read_goals(run.config["goals"])}
    rows = []
    for one in run.summary.get("goals", ()):
        goal, n = found[one["name"]], one["replications"]
        known = one["probability"] is not None
        rows.append(
            {
                "label": goal.label,
                "when": goal.when,
                "chance": words.probability(round(one["probability"] * n), n, one["low"], one["high"])
                if known
                else "after the last day simulated",
                "interval": f"{100 * one['low']:.1f}% to {100 * one['high']:.1f}%" if known else "",
                "median_date": words.day(date.fromisoformat(one["median_date"]))
                if one["median_date"]
                else "not by the end",
            }
        )
    return rows


def _scenarios(run: Run) -> list[list[str]]:
    """Table of scenarios: their name, and chance of each goal and median of its metric."""
    each = run.summary.get("scenarios", ())
    if not each:
        return []
    goals = read_goals(run.config["goals"])
    head = ["scenario", *(f"{goal.label} {goal.when}" for goal in goals)]
    names = [scenario["name"] for scenario in run.manifest["scenarios"]]
    rows = [head]
    for name, one in zip(names, each, strict=True):
        cells = [name]
        for goal, result in zip(goals, one["goals"], strict=True):
            figure = one["metrics"].get(f"{goal.metric}@{goal.by}") or one["metrics"].get(goal.metric)
            chance = "no run" if result["probability"] is None else words.percent(result["probability"])
            median = figure["p50"] if figure else None
            cells.append(chance if median is None else f"{chance}; median {words.amount(goal.metric, median)}")
        rows.append(cells)
    return rows


def _figures(folder: Path) -> list[dict[str, str]]:
    """Pictures with their captions: SVG where there is one, else the PNG."""
    from sim.figures.provenance import read_provenance

    found = []
    for png in sorted(folder.glob("*.png"), key=lambda file: file.stat().st_mtime_ns):
        described = read_provenance(png)
        caption, name = described.get("caption", ""), png.stem
        svg = png.with_suffix(".svg")
        if svg.is_file():
            picture = _inline(svg.read_text(encoding="utf-8"), name, caption)
        else:
            data = base64.b64encode(png.read_bytes()).decode()
            picture = f'<img src="data:image/png;base64,{data}" alt="{_escaped(caption or name)}">'
        found.append({"name": name, "caption": caption, "picture": picture})
    return found


def _inline(svg: str, name: str, caption: str) -> str:
    """An SVG file as an element of the page: its ids made its own, a text for who cannot see it, no metadata."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = re.sub(r"url\(#", f"url(#{name}-", svg)
    svg = re.sub(r'(xlink:href|href)="#', rf'\1="#{name}-', svg)
    label = f'role="img" aria-label="{_escaped(caption or name)}"'
    return svg.replace("<svg ", f"<svg {label} ", 1)


def _baseline(summary: dict[str, Any]) -> dict[str, Any] | None:
    """Medians beside those of the published baseline, where both have them."""
    published = published_baseline()
    if not published:
        return None
    rows = []
    for metric in BESIDE:
        sides = [one.get("metrics", {}).get(metric) for one in (summary, published)]
        if all(side and side["p50"] is not None for side in sides) and sides[0]["date"] == sides[1]["date"]:
            said = [
                "{} ({} to {})".format(*(words.amount(metric, side[q]) for q in ("p50", "p10", "p90")))
                for side in sides
            ]
            rows.append([f"{words.name(metric)} on {words.day(date.fromisoformat(sides[0]['date']))}", *said])
    return {"rows": rows, "said": published["answer"]} if rows else None


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;").replace(">", "&gt;")
