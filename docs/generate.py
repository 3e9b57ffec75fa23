"""Make the tables of docs/model.md anew from the configuration and the published results: `python docs/generate.py`."""

import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # a script has its own folder there, not the checkout

from sim.analysis import words  # noqa: E402  (the line above comes first)
from sim.config import compose_config, experiments, parameter_rows, read_study  # noqa: E402
from sim.sources import not_modelled  # noqa: E402

PAGE = ROOT / "docs" / "model.md"
RESULTS = ROOT / "results"


def table(head, rows):
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(str(cell).replace('|', '/') for cell in line)} |" for line in lines)


def manifests():
    """(experiment, manifest) of the published results."""
    for name, _ in experiments():
        file = RESULTS / name / "manifest.json"
        if file.exists():
            yield name, json.loads(file.read_text(encoding="utf-8"))


def parameters():
    """Every parameter of the portfolio, with value, unit and source."""
    rows = parameter_rows(read_study(compose_config(["experiment=portfolio"])))
    return table(
        ["parameter", "meaning", "value", "unit", "per", "source"],
        [(f"`{path}`", about, value, unit, per, source) for path, value, unit, per, source, about in rows],
    )


def runs():
    """What was run for the published results."""
    return table(
        ["experiment", "replications", "scenarios", "seed", "version", "configuration"],
        [
            (name, f"{m['replications']:,}", len(m["scenarios"]), m["seed"], m["version"], m["config_digest"][:12])
            for name, m in manifests()
        ],
    )


def versions():
    """Versions that made the published baseline."""
    (made,) = (manifest for name, manifest in manifests() if name == "baseline")
    rows = [("Python", made["python"]), ("machine", made["machine"]), *made["libraries"].items()]
    return table(["software", "version"], rows)


def calibration():
    """Prior and posterior of parameters and counts, and of the goals."""
    file = RESULTS / "calibrated" / "calibration.json"
    if not file.exists():
        return "(not published)"
    content = json.loads(file.read_text(encoding="utf-8"))
    number = words.number

    def spread(side):
        return f"{number(side['p50'])} ({number(side['p10'])} to {number(side['p90'])})"

    tried = content["trials"]["parameters"]
    first = table(
        ["parameter", "prior: median (8 in 10)", "posterior", "ranks uniform? p"],
        [
            (f"`{path}`", spread(one["prior"]), spread(one["posterior"]), f"{tried[path]['p']:.2g}")
            for path, one in content["parameters"].items()
        ],
    )
    counts = table(
        [
            "hubs open on",
            "counted",
            "prior",
            "posterior",
            "by the other counts",
            "CRPS prior / posterior / others",
            "PIT by others",
        ],
        [
            (
                seen["date"],
                f"{number(seen['value'])} ({number(seen['low'])} to {number(seen['high'])})",
                *(spread(seen[side]) for side in ("prior", "posterior", "left_out")),
                " / ".join(number(seen[side]["crps"]) for side in ("prior", "posterior", "left_out")),
                number(seen["left_out"]["pit"]),
            )
            for seen in content["counts"]
        ],
    )
    forecast = json.loads((RESULTS / "calibrated" / "forecast" / "summary.json").read_text(encoding="utf-8"))
    sides = forecast["scenarios"]
    goals = table(
        ["goal", "prior: runs that get there", "posterior"],
        [
            (f"{number(a['level'])} {words.name(a['metric'])} by {a['by']}", *(chance(goal) for goal in (a, b)))
            for a, b in zip(sides[0]["goals"], sides[1]["goals"], strict=True)
        ],
    )
    metrics = [
        f"{name}@2027-12-31" if f"{name}@2027-12-31" in sides[0]["metrics"] else name
        for name in ("hubs_open", "jobs_supported.hub")
    ]
    medians = table(
        ["on 31 December 2027", "prior", "posterior"],
        [(words.name(m.partition("@")[0]), *(spread(side["metrics"][m]) for side in sides)) for m in metrics],
    )
    worth = f"{content['effective_sample_size']:.0f}"
    said = (
        f"Of {content['runs']:,} runs {content['possible']:,} had their calls right; they are worth {worth} equally "
        f"good ones. Ranks of {content['trials']['truths']} true values test the method itself (simulation-based "
        "calibration)."
    )
    return "\n\n".join([said, first, counts, goals, medians])


def left_out():
    """What is not modelled."""
    return "\n".join(f"- {line}" for line in not_modelled())


def chance(goal):
    """Probability with its interval."""
    return f"{100 * goal['probability']:.0f}% ({100 * goal['low']:.1f}% to {100 * goal['high']:.1f}%)"


def generate(text):
    """The page with its tables made anew."""
    for make in (parameters, runs, versions, calibration, left_out):
        name = make.__name__
        begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
        text = re.sub(f"{begin}.*?{end}", lambda _, b=begin, e=end, m=make: f"{b}\n{m()}\n{e}", text, flags=re.DOTALL)
    return text


if __name__ == "__main__":
    PAGE.write_text(generate(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
