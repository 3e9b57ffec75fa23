"""Make docs/verification.md and its pictures: run every check, plant every fault. `make verify-docs`."""

import io
import re

import pytest
from matplotlib.figure import Figure
from PIL import Image

from sim.figures.style import styled
from tests.helpers import ROOT
from tests.verification.alarms import BUDGET, CHECKS, MODULES, load, run
from tests.verification.faults import FAULTS

PAGE = ROOT / "docs/verification.md"
PICTURES = PAGE.parent / "verification"
GROUPS = {
    "engine": "The engine: queues",
    "pipeline": "Calls, rollout, money and closing",
    "restart": "States to begin with",
    "hiring": "Hiring",
    "people": "Hiring against a model of every person",
    "exports": "Exports",
    "parks": "Parks and firms",
    "streams": "Random streams",
    "coverage": "Intervals and comparisons",
    "plans": "The cheapest plan",
    "studies": "Studies that explain",
    "designs": "Designs of the parameters",
}


@styled
def picture(name, draw):
    """Draw a check into a small PNG, of few colours, with the legend below."""
    figure = Figure(figsize=(5.6, 3.2), layout="constrained")
    ax = figure.subplots()
    draw(ax)
    ax.set_title(CHECKS[name].title, fontsize=9)
    if ax.get_yscale() == "log":
        ax.yaxis.set_major_formatter("{x:g}")
    if handles := ax.get_legend_handles_labels()[0]:
        figure.legend(loc="outside lower center", ncols=min(3, len(handles)), frameon=False, fontsize=8)
    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=120)
    PICTURES.mkdir(parents=True, exist_ok=True)
    Image.open(drawn).convert("RGB").quantize(96).save(PICTURES / f"{name}.png", optimize=True)


def table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def main():
    load()
    assert set(GROUPS) == set(MODULES)
    levels = {}
    for name in CHECKS:
        print(name, flush=True)
        levels[name], draw = run(name)
        picture(name, draw)
    parts = {"checks": [], "ledger": [], "coverage": [], "rounds": [], "faults": []}
    for module, title in GROUPS.items():
        parts["checks"].append(f"### {title}")
        for name, check in CHECKS.items():
            if check.module == module:
                alarm = f"{check.alarm:.0e}".replace("e-0", "e-") if check.alarm else "none: exact"
                parts["checks"].append(
                    f"#### {check.title}\n\n`{name}`{', in the short form' if check.short else ''}; "
                    f"false alarm {alarm}\n\n*Theory.* {check.theory}\n\n*Test.* {check.test}\n\n"
                    f"![{check.title}](verification/{name}.png)"
                )
    total = sum(check.alarm for check in CHECKS.values())
    parts["ledger"].append(
        f"{len(CHECKS)} checks; their false-alarm rates add up to {total:.4f}, which must stay below {BUDGET}."
    )
    rows = [row for name in CHECKS if CHECKS[name].module == "coverage" for row in levels[name].rows]
    parts["coverage"].append(table(
        ("interval", "data", "n", "expected", "measured", "samples"),
        [(a, b, n, f"{100 * x:.2f}%", f"{100 * y:.2f}%", f"{k:,}" if k else "exact") for a, b, n, x, y, k in rows],
    ))  # fmt: skip
    rows = [row for name in CHECKS if CHECKS[name].module == "people" for row in levels[name].rows]
    parts["rounds"].append(table(
        ("round, days", "time to hire", "people after 3 months", "6 months", "1 year", "2 years", "3 years",
         "standard deviation after 1 year", "2 years", "3 years", "half full, days later"),
        [(*row[:2], *(f"{x:+.1f}%" for x in row[2:-1]), f"{row[-1]:+.1f}") for row in rows],
    ))  # fmt: skip
    for fault in FAULTS:
        print(fault.plant.__name__, fault.check, flush=True)
        with pytest.MonkeyPatch.context() as patch:
            fault.plant(patch)
            with pytest.raises(AssertionError) as caught:
                run(fault.check)
        said = " ".join(str(caught.value).split()).replace("|", "/")
        parts["faults"].append((fault.what, fault.size, f"`{fault.check}`", said[:160]))
    parts["faults"] = [table(("fault", "size", "check that goes red", "what it says"), parts["faults"])]
    text = PAGE.read_text(encoding="utf-8")
    for name, lines in parts.items():
        made = f"<!-- {name} -->\n\n" + "\n\n".join(lines) + f"\n\n<!-- end of {name} -->"
        text, count = re.subn(rf"<!-- {name} -->.*<!-- end of {name} -->", lambda _, made=made: made, text, flags=re.S)
        assert count == 1, f"{PAGE.name} has no place for {name}"
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
