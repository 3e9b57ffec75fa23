"""National figures of a replication, overall and by system."""

import numpy as np

from sim.model.record import MONTHLY, Record
from sim.model.site import STAGES

OVERALL = (
    "hubs_open",
    "jobs_supported",
    "jobs_created",
    "jobs_additional",
    "portfolio_jobs",
    "women_share",
    "exports_usd_per_year",
    "portfolio_exports_usd_per_year",
    "exports_usd_cumulative",
    "seats",
    "applications",
    "approved",
    "rejected",
    "refused",
    "abandoned",
    "in_progress",
    *(f"in_{stage.name}" for stage in STAGES),
    "opened",
    "closed",
    "vacancies_short",
    "grants_rs_million",
    "loans_rs_million",
    "balance_rs_million",
    "initiative_rs_million",
    "months_since_call",
)
"""Metrics over all sites; the ways of a hub, from applications to closed, count hubs only.

`opened` counts hubs that have closed since; `hubs_open` does not. `applications` and `approved` count from the
start date and include the hubs then under way; `jobs_created` and cumulative exports include those of hubs that opened
before it; grants and loans are those paid since. `in_STAGE` counts hubs in a stage of their rollout.
"""

BY_SYSTEM = (
    "sites_open",
    "seats",
    "jobs_supported",
    "jobs_created",
    "jobs_additional",
    "portfolio_jobs",
    "women_share",
    "exports_usd_per_year",
    "portfolio_exports_usd_per_year",
    "exports_usd_cumulative",
)
"""Metrics of one kind of site, called METRIC.SYSTEM: jobs_supported.hub."""

CLAIMED = {"sites": "sites_open", "jobs": "portfolio_jobs", "exports_usd": "portfolio_exports_usd_per_year"}
"""What may be claimed of a system, and the metric that answers to it."""

HUBS_ONLY = ("applications", "approved", "rejected", "refused", "abandoned", "closed", "grants_rs_million",
             "loans_rs_million")  # fmt: skip


def metrics(systems: list[str]) -> list[str]:
    """Names of all metrics of a world with these systems."""
    return [*OVERALL, *(f"{name}.{system}" for system in systems for name in BY_SYSTEM)]


def national(record: Record) -> dict[str, np.ndarray]:
    """Sum over regions: metric -> array over the record dates. A share of nobody is nan."""
    of_system: dict[str, dict[str, np.ndarray]] = {}
    for system in dict.fromkeys(system for system, _ in record.places):
        rows = [i for i, place in enumerate(record.places) if place[0] == system]
        of_system[system] = _totals(record.monthly[rows])
    total, hubs = _totals(record.monthly), of_system["hub"]
    for name in HUBS_ONLY:
        total[name] = hubs[name]
    total["balance_rs_million"] = record.balance
    total["initiative_rs_million"] = record.initiative
    total["months_since_call"] = record.since_call
    total["hubs_open"] = hubs["open"]
    total["opened"] = hubs["open"] + hubs["closed"]
    for stage in STAGES:
        total[f"in_{stage.name}"] = hubs[stage.name]
    total["in_progress"] = sum((hubs[stage.name] for stage in STAGES), np.zeros(len(record.dates)))
    return {name: total[name] for name in OVERALL} | {
        f"{name}.{system}": figures[name] for system, figures in of_system.items() for name in BY_SYSTEM
    }


def _totals(monthly: np.ndarray) -> dict[str, np.ndarray]:
    total = dict(zip(MONTHLY, monthly.sum(axis=0).T, strict=True))
    people = total["jobs_supported"]
    total["women_share"] = np.divide(total["women"], people, out=np.full(len(people), np.nan), where=people > 0)
    total["sites_open"] = total["open"]
    return total
