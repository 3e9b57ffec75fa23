"""One side of a comparison: a scenario of a run, under a name."""

from __future__ import annotations

from typing import Any, NamedTuple

import pyarrow as pa

from sim.analysis.compare import Difference, compare
from sim.analysis.goals import Goal, read_goals
from sim.analysis.tables import of_scenario
from sim.results.folder import Run


class Side(NamedTuple):
    """A scenario of a run."""

    name: str
    run: Run
    scenario: int

    @property
    def config(self) -> dict[str, Any]:
        """Its configuration; of a sweep, with what the scenario changes."""
        overrides = self.run.manifest["scenarios"][self.scenario]["overrides"]
        return {key: one for key, one in self.run.config.items() if key != "sweep"} | {"(scenario)": overrides}

    @property
    def goals(self) -> list[Goal]:
        """The goals it is judged by."""
        return read_goals(self.run.config["goals"])

    def runs(self) -> pa.Table:
        """Its rows of tables/runs."""
        return of_scenario(self.run.table("runs"), self.scenario)


def sides_of(run: Run) -> list[Side]:
    """The scenarios of a run."""
    return [Side(one.get("name", ""), run, one["scenario"]) for one in run.manifest["scenarios"]]


def against_first(sides: list[Side], columns: list[str], goals: list[Goal]) -> dict[str, list[Difference]]:
    """Differences of every other side from the first, by its name, corrected for all comparisons together."""
    comparisons = (len(columns) + len(goals)) * (len(sides) - 1)
    return {side.name: compare(sides[0].runs(), side.runs(), columns, goals, comparisons) for side in sides[1:]}
