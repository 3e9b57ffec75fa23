"""Tables of a run: from outcomes to Arrow, sorted by key."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from sim.model.record import MONTHLY

if TYPE_CHECKING:
    from sim.study.montecarlo import Outcome

EPOCH = date(1970, 1, 1)
WHOLE = {name for name in MONTHLY if "_rs_million" not in name and "usd" not in name and name != "jobs_additional"}
SITE_DATES = ("applied", "evaluated", "financed", "funded", "fitted_out", "opened", "ended", "closed")
SITE_TEXT = ("site_id", "kind", "region", "origin", "state")


def build(outcomes: Sequence[Outcome], start: date) -> dict[str, pa.Table]:
    """Lay the outcomes of one scenario out as the tables `runs`, `monthly` and `sites`, in their order.

    The last two hold nothing of a replication that failed, and are left out if none was kept.
    """
    good = [outcome for outcome in outcomes if outcome.error is None]
    tables = {"runs": _runs(outcomes)}
    if any(outcome.monthly is not None for outcome in good):
        tables["monthly"] = _monthly(good)
    if any(outcome.sites is not None for outcome in good):
        tables["sites"] = _sites(good, (start - EPOCH).days)
    return tables


def with_scenario(table: pa.Table, scenario: int) -> pa.Table:
    """The same table with the number of its scenario as the first column."""
    return table.add_column(0, "scenario", pa.array(np.full(len(table), scenario, np.int32)))


def _runs(outcomes: Sequence[Outcome]) -> pa.Table:
    """One row a replication. A failed one has its error and nothing else."""
    names = dict.fromkeys(name for outcome in outcomes for name in outcome.row)
    columns: dict[str, pa.Array] = {
        "replication": pa.array([outcome.replication for outcome in outcomes], pa.int32()),
        "error": pa.array([_last_line(outcome.error) for outcome in outcomes], pa.string()),
    }
    for name in names:
        kind = pa.date32() if name.startswith("reached.") else pa.float64()
        # A share of nobody is unknown: null, not nan.
        columns[name] = pa.array([_known(outcome.row.get(name)) for outcome in outcomes], kind)
    return pa.table(columns)


def _monthly(outcomes: Sequence[Outcome]) -> pa.Table:
    """One row a replication, kind of site, region and record date."""
    first = outcomes[0]
    places, dates = len(first.places), len(first.dates)
    rows = places * dates
    values = np.concatenate(
        [outcome.monthly.reshape(rows, len(MONTHLY)) for outcome in outcomes if outcome.monthly is not None]
    )
    place = np.tile(np.repeat(np.arange(places, dtype=np.int32), dates), len(outcomes))
    days = np.array([(day - EPOCH).days for day in first.dates], np.int32)
    columns: dict[str, pa.Array] = {
        "replication": np.repeat(np.array([outcome.replication for outcome in outcomes], np.int32), rows),
        "kind": _repeated([system for system, _ in first.places], place),
        "region": _repeated([region for _, region in first.places], place),
        "month_end": pa.array(np.tile(days, places * len(outcomes)), pa.int32()).cast(pa.date32()),
    }
    for i, name in enumerate(MONTHLY):
        columns[name] = values[:, i].astype(np.int32) if name in WHOLE else np.ascontiguousarray(values[:, i])
    return pa.table(columns)


def _sites(outcomes: Sequence[Outcome], start: int) -> pa.Table:
    """One row a site. Dates are dates; what did not happen is null."""
    kept = [(outcome.replication, outcome.sites) for outcome in outcomes if outcome.sites is not None]
    sizes = [len(sites["site_id"]) for _, sites in kept]
    columns: dict[str, Any] = {
        "replication": np.repeat(np.array([replication for replication, _ in kept], np.int32), sizes),
    }
    for name in kept[0][1]:
        values = np.concatenate([sites[name] for _, sites in kept])
        if name in SITE_TEXT:
            columns[name] = pa.array(values, pa.string())
        elif name in SITE_DATES:
            missing = np.isnan(values)
            days = np.floor(np.where(missing, 0.0, values)).astype(np.int32) + np.int32(start)
            columns[name] = pa.array(days, pa.int32(), mask=missing).cast(pa.date32())
        elif name.endswith("_days"):
            columns[name] = pa.array(values, pa.float64(), mask=np.isnan(values))
        else:
            columns[name] = values
    return pa.table(columns)


def _repeated(names: list[str], index: np.ndarray) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(index), pa.array(names)).cast(pa.string())


def _known(value: Any) -> Any:
    return None if isinstance(value, float) and np.isnan(value) else value


def _last_line(error: str | None) -> str | None:
    return None if error is None else error.strip().splitlines()[-1]
