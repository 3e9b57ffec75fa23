"""Hubs under way and money unspent on the day the forecast starts: what history runs that fit the counts say.

Neither number nor stage of the applications then under way is published. The history run is kept where it
agrees with the counts since June 2025 and where its last call was held 6 to 12 months before the call that closed
on 3 November 2025 (the interval between calls). What those runs have in each stage on 14 November 2025, and the
programme's balance then, is the distribution that conf/start/forecast.yaml draws from. To make it anew:

    sim run experiment=history replications=4000 out=DIR
    python -m sim.analysis.backlog DIR
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa

from sim.analysis.tables import finished, national, of_kind, values
from sim.analysis.time_use import STAGES

LAST_CALL = (date(2024, 11, 3), date(2025, 5, 3))
SINCE = date(2025, 6, 30)


def backlog_rows(
    runs: pa.Table, monthly: pa.Table, sites: pa.Table, observations: Iterable[dict[str, object]]
) -> tuple[np.ndarray, int]:
    """Hubs in each stage, and the balance in Rs million, at the end of the history runs that fit.

    Returns
    -------
    rows
        Array (runs that fit, stages + 1), in order of replication.
    runs
        Number of runs there were.
    """
    paths = national(monthly, "hubs_open")
    fits = np.ones(len(paths.values), bool)
    for row in observations:
        day = date.fromisoformat(str(row["date"]))
        if day >= SINCE:
            count = paths.at(day)
            fits &= (count >= float(str(row["low"]))) & (count <= float(str(row["high"])))
    sites = of_kind(sites, "hub")
    replication = np.unique(sites.column("replication").to_numpy(), return_inverse=True)[1]
    applied = sites.column("applied").to_numpy().astype("datetime64[D]")
    last_call = np.full(len(fits), np.datetime64("1970-01-01"))
    np.maximum.at(last_call, replication, applied)
    fits &= (last_call >= np.datetime64(LAST_CALL[0])) & (last_call <= np.datetime64(LAST_CALL[1]))
    state = np.array(sites.column("state").to_pylist())
    rows = np.column_stack([np.bincount(replication[state == stage], minlength=len(fits)) for stage in STAGES])
    (balance,) = (name for name in runs.column_names if name.startswith("balance_rs_million@"))
    return np.column_stack([rows, values(finished(runs), balance).round().astype(int)])[fits], len(fits)


def main() -> None:
    """Print the rows for conf/start/forecast.yaml."""
    from sim.results.folder import open_run
    from sim.sources import observations

    run = open_run(Path(sys.argv[1]))
    rows, runs = backlog_rows(
        run.table("runs"), run.table("monthly"), run.table("sites"), observations("hubs_functional")
    )
    hubs = rows[:, :-1].sum(axis=1).mean()
    print(f"# {len(rows)} of {runs} history runs fit (seed {run.manifest['seed']}); mean {hubs:.1f} hubs")
    print("backlog: [" + ", ".join(f"[{', '.join(map(str, row))}]" for row in rows) + "]")


if __name__ == "__main__":
    main()
