"""A synthetic run folder: random but repeatable tables in the shape that the figures read."""

from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import product
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

GOALS = {
    "hubs_2027_02": {"metric": "hubs_open", "level": 250, "by": "2027-02-28", "label": "250 hubs by February 2027"},
    "hubs_2027_12": {"metric": "hubs_open", "level": 250, "by": "2027-12-31", "label": "250 hubs by end 2027"},
    "jobs": {"metric": "jobs_supported", "level": 25_000, "by": "2027-12-31", "label": "25,000 jobs"},
    "jobs_lower": {"metric": "jobs_supported", "level": 20_000, "by": "2027-12-31", "label": "20,000 jobs"},
    "exports": {"metric": "exports_usd_per_year", "level": 150e6, "by": "2027-12-31", "label": "$150m a year"},
    "women": {"metric": "women_share", "level": 0.2, "by": "2027-12-31", "label": "20% women"},
}
REGIONS = ("Punjab", "Sindh", "Balochistan")
STATES = ("evaluation", "finance", "money", "fit_out", "connectivity", "closed", "rejected", "refused", "abandoned")
STAGES = STATES[:5]


@dataclass
class Shape:
    """What a synthetic run looks like."""

    replications: int = 60
    start: date = date(2025, 11, 14)
    end: date = date(2030, 12, 31)
    goals: dict[str, Any] = field(default_factory=lambda: GOALS)
    hubs_a_month: float = 4.0
    initial: int = 41
    jobs_a_hub: float = 70.0
    spread: float = 0.35
    failed: tuple[int, ...] = ()
    grid: dict[str, list[Any]] = field(default_factory=dict)
    experiment: str = "synthetic"


def record_dates(shape: Shape) -> list[date]:
    days = (shape.start + timedelta(days=i) for i in range((shape.end - shape.start).days + 1))
    return [day for day in days if day in (shape.start, shape.end) or (day + timedelta(days=1)).day == 1]


def synthetic(shape: Shape) -> SimpleNamespace:
    """A stand-in for a run folder: manifest, config and table(name)."""
    scenarios = [dict(zip(shape.grid, values, strict=True)) for values in product(*shape.grid.values())]
    dates = record_dates(shape)
    months = np.array([(day - shape.start).days / 30.4 for day in dates])
    runs: list[dict[str, Any]] = []
    sites: list[dict[str, Any]] = []
    monthly: list[dict[str, Any]] = []
    for scenario in range(len(scenarios)):
        for replication in range(shape.replications):
            if replication in shape.failed:
                runs.append({"scenario": scenario, "replication": replication, "error": "ValueError: broken"})
                continue
            rng = np.random.default_rng([scenario, replication])
            mean_pace = shape.hubs_a_month * (1 + 0.3 * scenario) / len(REGIONS)
            pace = mean_pace * rng.lognormal(0, shape.spread, len(REGIONS))
            share = rng.beta(42, 168)
            national: dict[str, np.ndarray] = {}
            for region, hubs_a_month in zip(REGIONS, pace, strict=True):
                hubs = np.floor(shape.initial / len(REGIONS) + hubs_a_month * months)
                jobs = np.floor(hubs * shape.jobs_a_hub * (1 - 0.5 * np.exp(-months / 20)))
                columns = {
                    "open": hubs,
                    **{state: np.floor(hubs / 10) for state in STATES},
                    "seats": 80 * hubs,
                    "jobs_supported": jobs,
                    "jobs_created": np.floor(1.6 * jobs),
                    "jobs_additional": 0.45 * jobs,
                    "women": np.floor(share * jobs),
                    "exports_usd_per_year": 4_000.0 * jobs,
                    "exports_usd_cumulative": 4_000.0 * np.cumsum(jobs) / 12,
                }
                for name, values in columns.items():
                    national[name] = national.get(name, 0) + values
                for i, day in enumerate(dates):
                    row = {name: values[i] for name, values in columns.items()}
                    keys = {"scenario": scenario, "replication": replication, "kind": "hub", "region": region}
                    monthly.append({**keys, "month_end": day, **row})
            national["hubs_open"] = national.pop("open")
            national["women_share"] = np.divide(
                national["women"], national["jobs_supported"], where=national["jobs_supported"] > 0,
                out=np.full(len(dates), np.nan),
            )  # fmt: skip
            row = {"scenario": scenario, "replication": replication, "error": None, "param.calls.mean": 48.0}
            for name, goal in shape.goals.items():
                met = np.flatnonzero(national[goal["metric"]] >= goal["level"])
                row[f"reached.{name}"] = dates[met[0]] if met.size else None
                by = date.fromisoformat(goal["by"])
                if shape.start <= by <= shape.end:
                    at = max(i for i, day in enumerate(dates) if day <= by)
                    row |= {f"{metric}@{by}": float(values[at]) for metric, values in national.items()}
            runs.append(row)
            for site in range(int(rng.integers(3, 9))):
                entered = 0 if site == 0 else int(rng.integers(1, len(STAGES) + 1))
                row = {"scenario": scenario, "replication": replication, "site_id": site, "kind": "hub"}
                for order, stage in enumerate(STAGES):
                    wait, work = rng.gamma(2, 20), rng.gamma(4, 20)
                    row[f"{stage}_wait_days"] = wait if order < entered else None
                    row[f"{stage}_work_days"] = work if order < entered else None
                sites.append(row)
    tables = {"runs": _table(runs), "monthly": _table(monthly), "sites": _table(sites)}
    manifest = {
        "experiment": shape.experiment, "title": "Synthetic", "seed": 2027, "replications": shape.replications,
        "version": "0.1.0", "config_digest": "0123456789abcdef" * 4,
        "tables": {name: {"rows": len(table)} for name, table in tables.items()},
        "scenarios": [{"scenario": i, "overrides": overrides} for i, overrides in enumerate(scenarios)],
    }  # fmt: skip
    config = {"goals": shape.goals, "sweep": {"grid": shape.grid} if shape.grid else None}
    return SimpleNamespace(manifest=manifest, config=config, table=tables.__getitem__)


def _table(rows: list[dict[str, Any]]) -> pa.Table:
    """Rows as a table with typed columns, nulls where a row lacks a column or has nan."""
    names = dict.fromkeys(name for row in rows for name in row)

    def kind(name: str) -> pa.DataType:
        if name in ("scenario", "replication", "site_id"):
            return pa.int32()
        if name in ("error", "kind", "region"):
            return pa.string()
        return pa.date32() if name == "month_end" or name.startswith("reached.") else pa.float64()

    return pa.table({name: pa.array([row.get(name) for row in rows], kind(name), from_pandas=True) for name in names})


@pytest.fixture(scope="session")
def make_run():
    """Make a synthetic run: make_run(replications=5, grid={...}); see `Shape`."""
    return lambda **shape: synthetic(Shape(**shape))


@pytest.fixture(scope="session")
def run(make_run):
    """A run of one scenario with 60 replications, one of which failed."""
    return make_run(failed=(7,))


@pytest.fixture(scope="session")
def sweep(make_run):
    """A sweep over two levers."""
    return make_run(replications=12, grid={"calls.applications": [48, 96, 144], "rollout.committee": [20, 40]})
