"""A synthetic run folder: random but repeatable tables in the shape that the figures read."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import product
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from sim.figures import style

GOALS = {
    "hubs_2027_02": {"metric": "hubs_open", "level": 250, "by": "2027-02-28", "label": "250 hubs by February 2027"},
    "hubs_2027_12": {"metric": "hubs_open", "level": 250, "by": "2027-12-31", "label": "250 hubs by end 2027"},
    "jobs": {"metric": "jobs_supported", "level": 25_000, "by": "2027-12-31", "label": "25,000 jobs"},
    "jobs_lower": {"metric": "jobs_supported", "level": 20_000, "by": "2027-12-31", "label": "20,000 jobs"},
    "exports": {"metric": "exports_usd_per_year", "level": 150e6, "by": "2027-12-31", "label": "$150m a year"},
    "women": {"metric": "women_share", "level": 0.2, "by": "2027-12-31", "label": "20% women"},
}
PORTFOLIO_GOALS = {
    "hubs_250": {"metric": "hubs_open", "level": 250, "by": "2027-12-31"},
    "hubs_250_february": {"metric": "hubs_open", "level": 250, "by": "2027-02-28"},
    "jobs_25000": {"metric": "jobs_supported.hub", "level": 25_000, "by": "2027-12-31"},
    "jobs_20000": {"metric": "jobs_supported.hub", "level": 20_000, "by": "2027-12-31"},
    "portfolio_jobs": {"metric": "portfolio_jobs", "level": 40_000, "by": "2027-12-31"},
    "portfolio_exports": {"metric": "portfolio_exports_usd_per_year", "level": 150e6, "by": "2027-12-31"},
    "women": {"metric": "women_share", "level": 0.2, "by": "2027-12-31", "held": True},
}
CLAIMS = {
    system: {"name": name, "sites": sites, "jobs": jobs, "exports_usd": exports, "by": "2027-12-31", "earlier": earlier}
    for system, name, sites, jobs, exports, earlier in (
        ("hub", "Co-working hubs", 250, 25_000, 0.0, {}),
        ("stp", "Software technology parks", 50, 0, 0.0, {}),
        ("women_park", "Women-only park", 1, 0, 0.0, {}),
        ("islamabad_park", "Islamabad IT Park", 1, 7_500, 60e6, {"2023-03-01": 15_000, "2025-02-14": 7_500}),
        ("karachi_park", "Karachi IT Park", 1, 13_400, 90e6, {"2021-06-04": 8_400, "2022-11-07": 20_000}),
    )
}
REGIONS = ("Punjab", "Sindh", "Balochistan")
REGION_CONFIG = {
    "Punjab": {"name": "Punjab", "planned_hubs": {"value": 149, "unit": "hubs"}},
    "Sindh": {"name": "Sindh", "planned_hubs": 51},  # as set on the command line
    "Balochistan": {"name": "Balochistan", "planned_hubs": {"value": 6, "unit": "hubs"}},
}
PLACES = {"stp": REGIONS, "women_park": ("Punjab",), "islamabad_park": ("Punjab",), "karachi_park": ("Sindh",)}
"""Systems besides hubs, and where their sites are."""
STATES = ("evaluation", "finance", "money", "fit_out", "connectivity", "closed", "rejected", "refused", "abandoned")
STAGES = STATES[:5]


@dataclass
class Shape:
    """What a synthetic run looks like."""

    replications: int = 60
    start: date = date(2025, 11, 14)
    end: date = date(2030, 12, 31)
    goals: dict[str, Any] | None = None
    hubs_a_month: float = 4.0
    initial: int = 41
    jobs_a_hub: float = 70.0
    spread: float = 0.35
    failed: tuple[int, ...] = ()
    grid: dict[str, list[Any]] = field(default_factory=dict)
    experiment: str = "synthetic"
    portfolio: bool = False
    stp_staff: int = 6_000  # a region
    stp_growth: float = 0.003  # a month
    park_opens: float = 14.0  # months, plus up to 12; inf: never


def record_dates(shape: Shape) -> list[date]:
    days = (shape.start + timedelta(days=i) for i in range((shape.end - shape.start).days + 1))
    return [day for day in days if day in (shape.start, shape.end) or (day + timedelta(days=1)).day == 1]


def synthetic(shape: Shape) -> SimpleNamespace:
    """A stand-in for a run folder: manifest, config and table(name)."""
    goals = shape.goals if shape.goals is not None else PORTFOLIO_GOALS if shape.portfolio else GOALS
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
            systems: dict[str, list[tuple[str, dict[str, np.ndarray]]]] = {"hub": []}
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
                systems["hub"].append((region, columns))
            if shape.portfolio:
                systems |= parks(shape, months, np.random.default_rng([scenario, replication, 1]))
            for system, places in systems.items():
                for region, columns in places:
                    columns["portfolio_jobs"] = columns["jobs_supported"] - columns.get("jobs_before", 0)
                    columns["portfolio_exports_usd_per_year"] = 4_000.0 * columns["portfolio_jobs"]
                    for i, day in enumerate(dates):
                        row = {name: values[i] for name, values in columns.items() if name != "jobs_before"}
                        keys = {"scenario": scenario, "replication": replication, "kind": system, "region": region}
                        monthly.append({**keys, "month_end": day, **row})
            by_system = {system: total([columns for _, columns in places]) for system, places in systems.items()}
            national = total([columns for places in systems.values() for _, columns in places])
            national["hubs_open"] = by_system["hub"]["sites_open"]
            del national["sites_open"]
            for system, figures in by_system.items():
                national |= {f"{name}.{system}": values for name, values in figures.items()}
            row = {"scenario": scenario, "replication": replication, "error": None, "param.calls.mean": 48.0}
            for name, goal in goals.items():
                met = np.flatnonzero(national[goal["metric"]] >= goal["level"])
                row[f"reached.{name}"] = dates[met[0]] if met.size else None
            for by in {date.fromisoformat(goal["by"]) for goal in goals.values()} or {shape.end}:
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
    config = {"goals": goals, "sweep": {"grid": shape.grid} if shape.grid else None}
    if shape.portfolio:
        config |= {"claims": CLAIMS, "regions": REGION_CONFIG}
    return SimpleNamespace(
        manifest=manifest, config=config, summary={}, table=tables.__getitem__, has_table=tables.__contains__
    )


def parks(shape: Shape, months: np.ndarray, rng: np.random.Generator) -> dict[str, list[tuple[str, dict[str, Any]]]]:
    """Figures of every system besides hubs, by region."""
    found: dict[str, list[tuple[str, dict[str, Any]]]] = {}
    for system, regions in PLACES.items():
        for region in regions:
            opens = 0.0 if system in ("stp", "women_park") else shape.park_opens + 12 * rng.random()
            is_open = (months >= opens).astype(float)
            jobs, growth = {
                "stp": (shape.stp_staff, rng.normal(shape.stp_growth, 0.004)),
                "women_park": (20, 0.01),
            }.get(system, (rng.integers(0, 900), 0.03))
            people = np.floor(is_open * jobs * (1 + growth * (months - min(opens, 1e3))))
            found.setdefault(system, []).append((region, {
                "open": is_open * (16 if system == "stp" else 1),
                **{state: np.zeros(len(months)) for state in STATES},
                "seats": is_open * {"stp": 2 * jobs, "women_park": 47}.get(system, 6_000),
                "jobs_supported": people,
                "jobs_before": people[0] if system == "stp" else 0,
                "jobs_created": people,
                "jobs_additional": 0.1 * people,
                "women": np.floor(0.2 * people),
                "exports_usd_per_year": 4_000.0 * people,
                "exports_usd_cumulative": 4_000.0 * np.cumsum(people) / 12,
            }))  # fmt: skip
    return found


def total(places: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Sum over places, with open sites called so, and the share of women."""
    figures = {name: sum(place[name] for place in places) for name in places[0] if name != "jobs_before"}
    figures["sites_open"] = figures.pop("open")
    people = figures["jobs_supported"]
    nobody = np.full(len(people), np.nan)
    figures["women_share"] = np.divide(figures["women"], people, where=people > 0, out=nobody)
    return figures


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
def portfolio(make_run):
    """A run of the whole portfolio with 40 replications, one of which failed."""
    return make_run(replications=40, portfolio=True, failed=(3,))


@pytest.fixture(scope="session")
def sweep(make_run):
    """A sweep over two levers."""
    return make_run(replications=12, grid={"calls.applications": [48, 96, 144], "rollout.committee": [20, 40]})


@pytest.fixture(autouse=True)
def only_what_is_looked_at(request, monkeypatch):
    """Images take most of the time of drawing, and laying out most of the rest: it measures every text.

    Tests of the plotted numbers do without either; those that look at the `saved` figures without images.
    """
    if not request.node.get_closest_marker("images"):
        looked_at = "saved" in request.fixturenames

        def not_drawn(figure, file, about):
            if looked_at and file.suffix == ".png":
                figure.draw_without_rendering()
            file.write_text("not drawn")

        for name in ("_save_png", "_save_svg"):
            monkeypatch.setattr(style, name, not_drawn)
        if not looked_at:
            monkeypatch.setattr(style, "_lay_out", lambda figure: None)


@pytest.fixture
def saved(monkeypatch) -> dict[str, Figure]:
    """Figures by name, as they are saved."""
    figures: dict[str, Figure] = {}
    save = style.save

    def look(figure, folder, name, run, columns):
        figures[name] = figure
        return save(figure, folder, name, run, columns)

    monkeypatch.setattr(style, "save", look)
    return figures


@pytest.fixture
def cut_off(request) -> Callable[[Figure], list[str]]:
    """Say which texts reach beyond their figure; tick labels aside."""

    def look(figure: Figure) -> list[str]:
        if request.node.get_closest_marker("images"):  # whose last drawing, that legends keep to, was for the image
            figure.draw_without_rendering()
        ticks = {text for axes in figure.axes for axis in (axes.xaxis, axes.yaxis) for text in axis.get_ticklabels()}
        found = []
        for text in figure.findobj(Text):
            if text.get_text() and text.get_visible() and text not in ticks:
                box = text.get_window_extent(figure.canvas.get_renderer())
                if min(box.x0, box.y0) < -1 or box.x1 > figure.bbox.x1 + 1 or box.y1 > figure.bbox.y1 + 1:
                    found.append(text.get_text())
        return found

    return look
