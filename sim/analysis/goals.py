"""Goals as the configuration states them: a metric, a level and a date."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, NamedTuple

from sim.analysis import words


class Goal(NamedTuple):
    """At least `level` of `metric` (in its own unit) on some date no later than `by`, or, if `held`, on that date."""

    name: str
    metric: str
    level: float
    by: date
    label: str
    held: bool = False

    @property
    def when(self) -> str:
        """When it must be met: by 31 December 2027, or on that day."""
        return f"{'on' if self.held else 'by'} {words.day(self.by)}"


def read_goals(goals: Mapping[str, Mapping[str, Any]] | None) -> list[Goal]:
    """Goals in the order of the configuration; dates may be dates or ISO strings, labels may be missing."""
    return [
        Goal(
            name,
            goal["metric"],
            float(goal["level"]),
            _date(goal["by"]),
            goal.get("label") or name.replace("_", " "),
            bool(goal.get("held")),
        )
        for name, goal in (goals or {}).items()
    ]


def _date(value: date | str) -> date:
    return date.fromisoformat(value) if isinstance(value, str) else value
