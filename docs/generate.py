"""Make the tables of the pages anew from the configuration and the published results: `python docs/generate.py`.

In README.md, docs/model.md and results/README.md what stands between `<!-- NAME: begin -->` and `<!-- NAME: end -->`
is made by the function NAME below.
"""

import json
import re
from math import sqrt
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from sim.analysis import words
from sim.analysis.systems import systems_rows
from sim.config import compose_config, experiments, parameter_rows, read_study
from sim.sources import not_modelled

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "results"
PAGES = [ROOT / "README.md", ROOT / "docs" / "model.md", RESULTS / "README.md"]


def table(head, rows):
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(str(cell).replace('|', '/') for cell in line)} |" for line in lines)


def read(*path):
    """A JSON file of the published results."""
    return json.loads(RESULTS.joinpath(*path).read_text(encoding="utf-8"))


def manifests():
    """(experiment, manifest) of the published results."""
    for name, _ in experiments():
        if (RESULTS / name / "manifest.json").exists():
            yield name, read(name, "manifest.json")


def portfolio_parameters():
    """Rows of every parameter of the portfolio."""
    return parameter_rows(read_study(compose_config(["experiment=portfolio"])))


def answer():
    """What the baseline says."""
    return read("baseline", "summary.json")["answer"]


def holds_back():
    """Why."""
    return read("baseline", "summary.json")["what_holds_back"]


def portfolio():
    """Each system as claimed and as simulated."""
    head, *rows = systems_rows(read("portfolio", "summary.json")["systems"], "→")
    return table(["system", *head[1:]], rows)


def studies():
    """Question, command and the beginning of the answer of every experiment."""
    return table(
        ["question", "command", "answer so far"],
        [
            (made["question"], f"`sim run experiment={name}`", beginning(name, read(name, "summary.json")["answer"]))
            for name, made in manifests()
        ],
    )


def beginning(name, text):
    """The first sentences of an answer, and where the rest is."""
    sentences = re.split(r"(?<=[.;]) (?=[A-Z])", text)
    shown = sentences[:2]  # the first may only say how things stand
    while len(shown) < len(sentences) and len(" ".join([*shown, sentences[len(shown)]])) < 300:
        shown.append(sentences[len(shown)])
    more = f" [More](results/README.md#{name})" if len(shown) < len(sentences) else ""
    return " ".join(shown) + more


def answers():
    """The whole answer of every experiment."""
    return "\n\n".join(
        f"### {name}\n\n{made['question']}\n\n{read(name, 'summary.json')['answer']}" for name, made in manifests()
    )


def assumed():
    """How many parameters are judgement."""
    rows = portfolio_parameters()
    judged = sum("assumption" in source for _, _, _, _, source, _ in rows)
    return f"{judged} of the {len(rows)} parameters of the portfolio rest on judgement alone or in part."


def published():
    """What made each of the published results."""
    return table(
        ["experiment", "seed", "replications", "version", "commit", "configuration"],
        [
            (f"[{name}]({name}/)", m["seed"], m["replications"], m["version"],
             str(m["commit"])[:12] + ("+" if m["dirty"] else ""), m["config_digest"][:12])
            for name, m in manifests()
        ],
    )  # fmt: skip


def parameters():
    """Every parameter of the portfolio, with value, unit and source."""
    return table(
        ["parameter", "meaning", "value", "unit", "per", "source"],
        [
            (f"`{path}`", about, value, unit, per, source)
            for path, value, unit, per, source, about in portfolio_parameters()
        ],
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


def states():
    """What it adds to the error of the baseline's means that the states of the start date are themselves a sample."""
    kept = json.loads((ROOT / "conf" / "data" / "states.json").read_text(encoding="utf-8"))["states"]
    assert read("baseline", "manifest.json")["config"]["start"]["states"] == kept, "baseline: make results first"
    distinct = len({json.dumps(state, sort_keys=True) for state in kept})
    worth = read("calibrated", "calibration.json")["effective_sample_size"]
    rows = pq.read_table(RESULTS / "baseline" / "tables" / "runs.parquet")
    parameters = np.column_stack([rows[f"param.{path}"] for path in kept[0]["parameters"]])
    group = np.unique(parameters, axis=0, return_inverse=True)[1]

    def errors(metric, digits):
        within, between = variances(rows[f"{metric}@2027-12-31"].to_numpy(), group)
        error, least, most = (
            f"{sqrt((within + between) / len(rows) + between * more):.{digits}f}"
            for more in (0, 1 / worth, 1 / worth + 1 / len(kept))
        )
        return f"{least} to {most} instead of {error} for {words.name(metric)}"

    return (
        f"Intervals of forecasts hold given the {len(kept)} states of the start date that the calibration left "
        f"({distinct} distinct, drawn from runs that are worth {worth:.0f} independent ones). These are themselves a "
        "sample, and more runs do not remove that error. With it, the standard error of the baseline's mean on 31 "
        f"December 2027 is {errors('hubs_open', 1)} and {errors('jobs_supported.hub', 0)}: the variance between states "
        f"(analysis of variance, {len(rows)} runs by the {len(kept[0]['parameters'])} parameters that a state carries) "
        f"over {worth:.0f} is added, for the higher figure also over {len(kept)}, as if the states had been drawn by "
        "lot (`python docs/generate.py`)."
    )


def variances(y, group):
    """Variances within and between groups: one-way analysis of variance with random effects, groups of any size."""
    size = np.bincount(group)
    mean = np.bincount(group, y) / size
    within = ((y - mean[group]) ** 2).sum() / (len(y) - len(size))
    between = (size * (mean - y.mean()) ** 2).sum() / (len(size) - 1)
    typical = (len(y) - (size**2).sum() / len(y)) / (len(size) - 1)
    return within, max(0.0, (between - within) / typical)


def versions():
    """Versions that made the published baseline."""
    (made,) = (manifest for name, manifest in manifests() if name == "baseline")
    rows = [("Python", made["python"]), ("machine", made["machine"]), *made["libraries"].items()]
    return table(["software", "version"], rows)


def calibration():
    """Prior and posterior of parameters and counts, and of the goals."""
    content = read("calibrated", "calibration.json")
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
    errors = {
        side: sum(seen[side]["crps"] for seen in content["counts"]) for side in ("prior", "posterior", "left_out")
    }
    last = content["counts"][-1]
    apart = [
        seen["date"]
        for seen in content["counts"]
        if seen["high"] < seen["left_out"]["p10"] or seen["low"] > seen["left_out"]["p90"]
    ]
    learned = (
        f"The CRPS of the {len(content['counts'])} counts adds up to {number(errors['prior'])} hubs by the prior, "
        f"{number(errors['posterior'])} by the posterior, which has seen them, and {number(errors['left_out'])} where "
        "each is told from the others: "
        + ("hardly better" if errors["left_out"] > 0.9 * errors["prior"] else "better")
        + f" than by the prior. Only the last is a forecast: {number(last['prior']['crps'])} by the prior, "
        f"{number(last['left_out']['crps'])} from the others."
        + f" Outside the 80% interval from the others, with all of its range: {words.listed(apart) or 'none'}."
    )
    sides = read("calibrated", "forecast", "summary.json")["scenarios"]
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
    return "\n\n".join([said, first, counts, learned, goals, medians])


def benchmarks():
    """What `make bench` says first: costs, aims, reasons, and where the time goes."""
    page = (RESULTS / "benchmarks" / "README.md").read_text(encoding="utf-8")
    return page.partition("\n\n")[2].partition("\n\n## ")[0]


def left_out():
    """What is not modelled."""
    return "\n".join(f"- {line}" for line in not_modelled())


def chance(goal):
    """Probability with its interval."""
    return f"{100 * goal['probability']:.0f}% ({100 * goal['low']:.1f}% to {100 * goal['high']:.1f}%)"


MAKERS = (
    answer,
    answers,
    holds_back,
    portfolio,
    studies,
    assumed,
    published,
    parameters,
    runs,
    states,
    versions,
    calibration,
    left_out,
    benchmarks,
)


def generate(text):
    """A page with its tables made anew."""
    for make in MAKERS:
        begin, end = f"<!-- {make.__name__}: begin -->", f"<!-- {make.__name__}: end -->"
        if begin in text:
            head, _, rest = text.partition(begin)
            text = f"{head}{begin}\n\n{make()}\n\n{end}{rest.partition(end)[2]}"
    return text


if __name__ == "__main__":
    for page in PAGES:
        page.write_text(generate(page.read_text(encoding="utf-8")), encoding="utf-8")
