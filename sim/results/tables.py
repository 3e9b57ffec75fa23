"""Tables of a run: from outcomes to Arrow, sorted by key."""

from collections.abc import Mapping
from datetime import date
from itertools import groupby
from typing import Any

import numpy as np
import pyarrow as pa

from sim.model.record import MONTHLY
from sim.study.montecarlo import Key, Outcome

EPOCH = date(1970, 1, 1)
WHOLE = {name for name in MONTHLY if "_rs_million" not in name and "usd" not in name and name != "jobs_additional"}
SITE_DATES = ("applied", "evaluated", "financed", "funded", "fitted_out", "opened", "ended", "closed")
SITE_TEXT = ("site_id", "kind", "region", "origin", "state")


def build(outcomes: Mapping[Key, Outcome], start: date) -> dict[str, pa.Table]:
    """Lay all outcomes out as the tables `runs`, `monthly` and `sites`; the last two only if they were kept.

    Scenarios have the same dates, but not always the same systems.
    """
    good = {key: outcome for key, outcome in outcomes.items() if outcome.error is None}
    tables = {"runs": _runs(outcomes)}
    if any(outcome.monthly is not None for outcome in good.values()):
        of_scenario = groupby(good.items(), key=lambda item: item[0][0])
        tables["monthly"] = pa.concat_tables([_monthly(dict(items)) for _, items in of_scenario])
    if any(outcome.sites is not None for outcome in good.values()):
        tables["sites"] = _sites(good, (start - EPOCH).days)
    return tables


def _runs(outcomes: Mapping[Key, Outcome]) -> pa.Table:
    """One row a replication. A failed one has its error and nothing else."""
    names = dict.fromkeys(name for outcome in outcomes.values() for name in outcome.row)
    columns: dict[str, pa.Array] = {
        "scenario": pa.array([key[0] for key in outcomes], pa.int32()),
        "replication": pa.array([key[1] for key in outcomes], pa.int32()),
        "error": pa.array([_last_line(outcome.error) for outcome in outcomes.values()], pa.string()),
    }
    for name in names:
        kind = pa.date32() if name.startswith("reached.") else pa.float64()
        # A share of nobody is unknown: null, not nan.
        columns[name] = pa.array([_known(outcome.row.get(name)) for outcome in outcomes.values()], kind)
    return pa.table(columns)


def _monthly(outcomes: Mapping[Key, Outcome]) -> pa.Table:
    """One row a replication, kind of site, region and record date, for outcomes of one scenario."""
    first = next(iter(outcomes.values()))
    places, dates = len(first.places), len(first.dates)
    rows = places * dates
    values = np.concatenate(
        [outcome.monthly.reshape(rows, len(MONTHLY)) for outcome in outcomes.values() if outcome.monthly is not None]
    )
    place = np.tile(np.repeat(np.arange(places, dtype=np.int32), dates), len(outcomes))
    days = np.array([(day - EPOCH).days for day in first.dates], np.int32)
    columns: dict[str, pa.Array] = {
        "scenario": np.repeat(np.array([key[0] for key in outcomes], np.int32), rows),
        "replication": np.repeat(np.array([key[1] for key in outcomes], np.int32), rows),
        "kind": _repeated([system for system, _ in first.places], place),
        "region": _repeated([region for _, region in first.places], place),
        "month_end": pa.array(np.tile(days, places * len(outcomes)), pa.int32()).cast(pa.date32()),
    }
    for i, name in enumerate(MONTHLY):
        columns[name] = values[:, i].astype(np.int32) if name in WHOLE else np.ascontiguousarray(values[:, i])
    return pa.table(columns)


def _sites(outcomes: Mapping[Key, Outcome], start: int) -> pa.Table:
    """One row a site. Dates are dates; what did not happen is null."""
    kept = [(key, outcome.sites) for key, outcome in outcomes.items() if outcome.sites is not None]
    sizes = [len(sites["site_id"]) for _, sites in kept]
    columns: dict[str, Any] = {
        "scenario": np.repeat(np.array([key[0] for key, _ in kept], np.int32), sizes),
        "replication": np.repeat(np.array([key[1] for key, _ in kept], np.int32), sizes),
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
