"""National figures of a replication."""

import numpy as np

from sim.model.record import MONTHLY, Record
from sim.model.site import STAGES

METRICS = (
    "hubs_open",
    "jobs_supported",
    "jobs_created",
    "jobs_additional",
    "women_share",
    "exports_usd_per_year",
    "exports_usd_cumulative",
    "seats",
    "applications",
    "approved",
    "rejected",
    "refused",
    "abandoned",
    "in_progress",
    "opened",
    "closed",
    "vacancies_short",
    "grants_rs_million",
    "loans_rs_million",
    "balance_rs_million",
)
"""Metrics of a run, nationwide.

`opened` counts hubs that have closed since; `hubs_open` does not. `applications` and `approved` count from the
start date and include the hubs then under way; `jobs_created` and cumulative exports include those of hubs that opened
before it; grants and loans are those paid since.
"""


def national(record: Record) -> dict[str, np.ndarray]:
    """Sum the regions: metric -> array over the record dates. A share of nobody is nan."""
    total = dict(zip(MONTHLY, record.monthly.sum(axis=0).T, strict=True))
    people = total["jobs_supported"]
    total["balance_rs_million"] = record.balance
    total["hubs_open"] = total["open"]
    total["opened"] = total["open"] + total["closed"]
    total["in_progress"] = sum((total[stage.name] for stage in STAGES), np.zeros(len(people)))
    total["women_share"] = np.divide(total["women"], people, out=np.full(len(people), np.nan), where=people > 0)
    return {name: total[name] for name in METRICS}
