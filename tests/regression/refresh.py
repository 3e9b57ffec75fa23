"""Write the tables of the regression tests anew, after a change that is meant: `python -m tests.regression.refresh`.

One CSV for each experiment: every drawn parameter, metric and goal date of a few replications. Of a sweep, the first
and the last scenario; of a calibration, the runs of its design.
"""

import csv
from pathlib import Path

from sim.config import experiments, read_study, scenarios
from sim.study.design import points
from sim.study.montecarlo import replicate
from tests.helpers import config

TABLES = Path(__file__).with_name("tables")
ENDS = {"history": "2025-11-14", "calibrated": "2025-11-14"}
EXPERIMENTS = {name: ENDS.get(name, "2027-12-31") for name, _ in experiments()}
REPLICATIONS = 2
SEED = 20251114

Table = dict[tuple[str, str], str]
"""(replication, column of tables/runs) -> value as text; floats as Python writes them, so that nothing is rounded."""


def compute(experiment: str) -> Table:
    """Run the replications of an experiment, on a horizon that ends with its last goal."""
    variants = scenarios(config({"seed": SEED}, experiment, EXPERIMENTS[experiment], every=1))
    ends = {0, len(variants) - 1}
    found = {}
    for number in sorted(ends):
        overrides, variant = variants[number]
        world = read_study(variant)
        label = f"{' '.join(f'{key}={value}' for key, value in overrides.items())}: " if overrides else ""
        for replication, point in enumerate(points(world, 0, REPLICATIONS)):
            row = replicate(world, replication, point).row
            found |= {(str(replication), f"{label}{n}"): "" if x is None else str(x) for n, x in row.items()}
    return found


def read(experiment: str) -> Table:
    """Read the table of an experiment as it was written."""
    with (TABLES / f"{experiment}.csv").open(encoding="utf-8", newline="") as file:
        return {(row["replication"], row["column"]): row["value"] for row in csv.DictReader(file)}


def main() -> None:
    """Write all tables anew and say which have changed."""
    TABLES.mkdir(exist_ok=True)
    for experiment in EXPERIMENTS:
        file = TABLES / f"{experiment}.csv"
        before = read(experiment) if file.exists() else {}
        after = compute(experiment)
        with file.open("w", encoding="utf-8", newline="") as opened:
            writer = csv.writer(opened, lineterminator="\n")
            writer.writerow(["replication", "column", "value"])
            writer.writerows([*key, value] for key, value in after.items())
        changed = sum(before.get(key) != value for key, value in after.items()) + len(set(before) - set(after))
        print(f"{experiment}: {changed} of {len(after)} values changed")


if __name__ == "__main__":
    main()
