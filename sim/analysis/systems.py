"""Each system with what is claimed of it and what is simulated, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np

from sim.analysis import words
from sim.analysis.reached import median_date
from sim.analysis.tables import finished, metric_dates, values
from sim.model.metrics import CLAIMED

if TYPE_CHECKING:
    import pyarrow as pa


def systems(runs: pa.Table, claims: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Claimed and simulated figures of each system that was simulated and is claimed, as plain data.

    Returns
    -------
    list of dict
        ``system``, ``name``, ``by`` (the claim's date), ``date`` (the judged date nearest to it) and for each of
        `CLAIMED` a dict of ``claimed``, ``p10``, ``p50``, ``p90`` on that date, and ``median_date``: when half of the
        runs have what is claimed (ISO; null when fewer than half get there within the horizon).
    """
    rows = finished(runs)
    found = []
    for system, claim in claims.items():
        dates = metric_dates(rows, f"sites_open.{system}")
        if not dates or not rows.num_rows:
            continue
        by = date.fromisoformat(str(claim["by"]))
        day = _nearest(dates, by)
        entry: dict[str, Any] = {"system": system, "name": claim["name"], "by": str(by), "date": str(day)}
        for what, metric in CLAIMED.items():
            quantiles = np.quantile(values(rows, f"{metric}.{system}@{day}"), [0.1, 0.5, 0.9]).tolist()
            entry[what] = {"claimed": claim[what], **dict(zip(("p10", "p50", "p90"), quantiles, strict=True))}
            column = f"reached.claim.{system}.{what}"
            if column in rows.column_names:
                reached = median_date(rows.column(column).to_numpy().astype("datetime64[D]"))
                entry[what]["median_date"] = reached.isoformat() if reached else None
        found.append(entry)
    return found


def deadline(claims: Mapping[str, Mapping[str, Any]], dates: Sequence[date]) -> date:
    """Of some dates, the one nearest to the latest date that a claim names; without claims, the last."""
    return _nearest(dates, max((date.fromisoformat(str(claim["by"])) for claim in claims.values()), default=max(dates)))


def _nearest(dates: Sequence[date], day: date) -> date:
    """The date nearest to a day, the earlier one of two."""
    return min(dates, key=lambda each: (abs((each - day).days), each))


def systems_rows(entries: Sequence[Mapping[str, Any]], arrow: str = "->") -> list[list[str]]:
    """A table of systems: claimed -> simulated, medians with the range of 8 in 10 runs in brackets; its head first."""
    table = [["", "sites open", "jobs", "exports a year"]]
    for entry in entries:
        row = [str(entry["name"])]
        for what, metric in CLAIMED.items():
            figure = entry[what]
            low, median, high = (words.amount(metric, figure[q]) for q in ("p10", "p50", "p90"))
            spread = f" ({low} to {high})" if low != high else ""
            row.append(f"{words.amount(metric, figure['claimed'])} {arrow} {median}{spread}")
        table.append(row)
    return table


def systems_text(entries: Sequence[Mapping[str, Any]]) -> str:
    """The same as lines of text."""
    if not entries:
        return ""
    when = words.day(date.fromisoformat(str(entries[0]["date"])))
    return f"Claimed -> simulated on {when}, median (8 in 10 runs):\n{words.table(systems_rows(entries))}"
