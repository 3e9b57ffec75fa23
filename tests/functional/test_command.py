"""The command as its users call it: processes, signals, folders, and what others script against."""

import csv
import json
import os
import pty
import re
import select
import signal
import subprocess
import termios
import time
from datetime import date
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sim.analysis.intervals import proportion
from sim.config import experiments
from sim.model.metrics import OVERALL, metrics
from sim.results.digest import table_digest
from tests.helpers import ROOT, SIM, clean_environment

ARGUMENTS = ("replications=6", "seed=5", "end=2027-12-31")
GOAL_DATES = ("2027-02-28", "2027-12-31")
TABLES = ("runs", "monthly", "sites")


def start(folder, *arguments, stderr=subprocess.PIPE, **options):
    options = {"env": clean_environment()} | options
    return subprocess.Popen([*SIM, *arguments], cwd=folder, stdout=subprocess.PIPE, stderr=stderr, text=True, **options)


def call(folder, *arguments):
    process = start(folder, *arguments)
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err


def read(path):
    tables = {name: pq.read_table(path / "tables" / f"{name}.parquet") for name in TABLES}
    manifest, summary = (json.loads((path / f"{name}.json").read_text()) for name in ("manifest", "summary"))
    return SimpleNamespace(path=path, manifest=manifest, summary=summary, **tables)


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """The same study by two processes at the same time: one worker and two, other hash seeds, other folders."""
    folder = tmp_path_factory.mktemp("pair")
    both = [
        start(folder, "run", *ARGUMENTS, f"workers={n}", f"out=run{n}", env=clean_environment(PYTHONHASHSEED=str(n)))
        for n in (1, 2)
    ]
    results = [process.communicate(timeout=300) for process in both]
    assert [process.returncode for process in both] == [0, 0], results
    return [SimpleNamespace(out=out, err=err, path=folder / f"run{n}") for n, (out, err) in enumerate(results, 1)]


@pytest.fixture(scope="module")
def run(pair):
    return read(pair[0].path)


# --- the same tables, byte for byte


@pytest.mark.parametrize("name", TABLES)
def test_two_processes_and_any_workers_give_the_same_bytes(pair, name):
    one, two = ((each.path / "tables" / f"{name}.parquet").read_bytes() for each in pair)
    assert one == two


def test_everything_but_the_command_agrees(pair):
    one, two = (read(each.path) for each in pair)
    assert one.summary == two.summary
    assert {key for key in one.manifest if one.manifest[key] != two.manifest[key]} == {"command", "config"}
    assert {key for key in one.manifest["config"] if one.manifest["config"][key] != two.manifest["config"][key]} == {
        "out", "workers",
    }  # fmt: skip


# --- what it prints


def test_the_answer_comes_first_and_the_figures_are_named(pair):
    for each in pair:
        lines = each.out.splitlines()
        assert lines[0].startswith("250 hubs open and 25,000 jobs in hubs by 31 December 2027: ")
        assert re.search(rf"^Figures: .*{each.path.name}/figures, hubs_open, ", each.out, re.M)
        assert lines[-1].endswith(each.path.name)
        assert each.err == ""


# --- output contract


def test_folder(run):
    assert {path.name for path in run.path.iterdir()} == {
        "manifest.json", "summary.json", "report.html", "tables", "figures",
    }  # fmt: skip
    assert {path.name for path in (run.path / "tables").iterdir()} == {f"{name}.parquet" for name in TABLES}


def test_every_figure_has_its_numbers_beside_it(run):
    figures = run.path / "figures"
    drawn = {path.stem for path in figures.glob("*.png")}
    assert {"hubs_open", "jobs", "goal_probability", "outcome_dots", "time_use", "exports"} <= drawn
    assert {path.stem for path in figures.glob("*.csv")} == drawn
    for file in figures.glob("*.csv"):
        with file.open(newline="") as opened:
            assert len(list(csv.DictReader(opened))) > 0, file.name


def test_manifest(run):
    manifest = run.manifest
    assert manifest["experiment"] == "baseline"
    assert manifest["question"] == dict(experiments())["baseline"]
    assert manifest["command"] == ["sim", "run", *ARGUMENTS, "workers=1", "out=run1"]
    assert (manifest["status"], manifest["seed"], manifest["replications"], manifest["failed"]) == (
        "complete", 5, 6, [],
    )  # fmt: skip
    ((scenario, name, overrides, levers, key, number),) = (tuple(one.values()) for one in manifest["scenarios"])
    assert (scenario, name, overrides, levers, len(key), number) == (0, "", {}, {}, 64, 6)
    assert manifest["commit"] is None or re.fullmatch("[0-9a-f]{40}", manifest["commit"])
    assert manifest["dirty"] in (None, True, False)
    assert {"numpy", "scipy", "simpy", "pyarrow", "hydra-core"} <= set(manifest["libraries"])
    assert {"version", "python", "machine", "config_digest", "title"} <= set(manifest)
    config = manifest["config"]
    assert (config["seed"], config["replications"], config["end"]) == (5, 6, "2027-12-31")
    assert config["rollout"]["rejection"] == {
        "value": ["beta", 6, 14], "unit": "probability", "per": "run", "source": "B09",
    }  # fmt: skip
    assert "${" not in json.dumps(config)  # resolved
    for name in TABLES:
        table = getattr(run, name)
        entry = manifest["tables"][name]
        assert (entry["rows"], entry["digest"]) == (len(table), table_digest(table))
        assert [group[:3] for group in entry["groups"]] == [[0, 0, 5]]


def test_commit_is_that_of_the_checkout(run):
    git = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.manifest["commit"] == (git.stdout.strip() if git.returncode == 0 else None)


def test_columns_of_runs(run):
    types = {field.name: field.type for field in run.runs.schema}
    assert list(types)[:3] == ["scenario", "replication", "error"]
    assert (types.pop("scenario"), types.pop("replication"), types.pop("error")) == (
        pa.int32(),
        pa.int32(),
        pa.string(),
    )
    reached = {name: kind for name, kind in types.items() if name.startswith("reached.")}
    drawn = {name: kind for name, kind in types.items() if name.startswith("param.")}
    figures = {f"{metric}@{day}" for metric in metrics(["hub"]) for day in GOAL_DATES}
    claims = ("claim.hub.sites", "claim.hub.jobs")
    assert reached == {f"reached.{goal}": pa.date32() for goal in (*run.manifest["config"]["goals"], *claims)}
    assert set(types) == set(reached) | set(drawn) | figures
    assert {kind for name, kind in types.items() if name not in reached} == {pa.float64()}
    uncertain = {
        f"param.{group}.{name}"
        for group, parameters in run.manifest["config"].items() if isinstance(parameters, dict)
        for name, p in parameters.items()
        if isinstance(p, dict) and isinstance(p.get("value"), list) and p.get("per") == "run"
    }  # fmt: skip
    assert set(drawn) == uncertain
    assert run.runs["replication"].to_pylist() == list(range(6))
    assert run.runs["error"].null_count == 6


def test_columns_of_monthly(run):
    whole = (
        "evaluation", "finance", "money", "fit_out", "connectivity", "open", "closed", "rejected", "refused",
        "abandoned", "applications", "approved", "seats", "jobs_supported", "jobs_created", "portfolio_jobs", "women",
            "vacancies_short",
    )  # fmt: skip
    real = (
        "jobs_additional", "grants_rs_million", "loans_rs_million", "exports_usd_per_year",
            "portfolio_exports_usd_per_year", "exports_usd_cumulative",
    )  # fmt: skip
    types = {field.name: field.type for field in run.monthly.schema}
    keys = {"scenario": pa.int32(), "replication": pa.int32(), "kind": pa.string(), "region": pa.string(),
            "month_end": pa.date32()}  # fmt: skip
    assert types == keys | dict.fromkeys(whole, pa.int32()) | dict.fromkeys(real, pa.float64())
    assert set(run.monthly["kind"].to_pylist()) == {"hub"}
    assert len(set(run.monthly["region"].to_pylist())) == 7
    days = sorted(set(run.monthly["month_end"].to_pylist()))
    assert (days[0], days[-1], len(days)) == (date(2025, 11, 14), date(2027, 12, 31), 27)
    assert all((b.replace(day=1) - a).days == 1 for a, b in pairwise(days[1:]))
    assert all(column.null_count == 0 for column in run.monthly.columns)


def test_columns_of_sites(run):
    types = {field.name: field.type for field in run.sites.schema}
    stages = ("evaluation", "finance", "money", "fit_out", "connectivity")
    dates = ("applied", "evaluated", "financed", "funded", "fitted_out", "opened", "ended", "closed")
    assert types == {
        "work_left_days": pa.float64(),
        **dict.fromkeys(("scenario", "replication", "seats", "people"), pa.int32()),
        **dict.fromkeys(("site_id", "kind", "region", "origin", "state"), pa.string()),
        **dict.fromkeys(("brownfield", "large_city"), pa.bool_()),
        **dict.fromkeys(dates, pa.date32()),
        **{f"{stage}_{time}_days": pa.float64() for stage in stages for time in ("wait", "work")},
        "exports_usd": pa.float64(),
    }
    keys = list(zip(run.sites["replication"].to_pylist(), run.sites["site_id"].to_pylist(), strict=True))
    assert len(set(keys)) == len(keys)


def test_probabilities_follow_from_the_runs(run):
    """Recomputed here from tables/runs: the share of runs that meet the level at or before the date."""
    rows = run.runs.to_pylist()
    goals = run.manifest["config"]["goals"]
    assert [goal["name"] for goal in run.summary["goals"]] == list(goals)
    for goal in run.summary["goals"]:
        assert set(goal) == {
            "name", "metric", "level", "by", "probability", "low", "high", "replications", "median_date",
        }  # fmt: skip
        assert {key: goals[goal["name"]][key] for key in ("metric", "level", "by")} == {
            key: goal[key] for key in ("metric", "level", "by")
        }
        reached = [row[f"reached.{goal['name']}"] for row in rows]
        met = sum(day is not None and str(day) <= goal["by"] for day in reached)
        interval = proportion(met, 6)
        assert (goal["probability"], goal["replications"]) == (met / 6, 6)
        assert (goal["low"], goal["high"]) == (interval.low, interval.high)
        for row, day in zip(rows, reached, strict=True):
            if row[f"{goal['metric']}@{goal['by']}"] >= goal["level"]:
                assert day is not None
                assert str(day) <= goal["by"]


def test_metrics_follow_from_the_runs(run):
    assert set(metrics(["hub"])) <= set(run.summary["metrics"])
    for name, figure in run.summary["metrics"].items():
        assert set(figure) >= {"date", "mean", "p10", "p50", "p90", "low", "high"}
        column = name if "@" in name else f"{name}@{GOAL_DATES[-1]}"
        assert figure["date"] == column.split("@")[1]
        values = run.runs[column].to_numpy()
        assert figure["mean"] == pytest.approx(values.mean())
        assert [figure[p] for p in ("p10", "p50", "p90")] == pytest.approx(list(np.quantile(values, [0.1, 0.5, 0.9])))
        assert figure["low"] <= figure["mean"] <= figure["high"]


def test_monthly_adds_up_to_the_runs(run):
    monthly = run.monthly.to_pylist()
    same_name = {"hubs_open": "open"} | {name: name for name in OVERALL if name in run.monthly.column_names}
    assert len(same_name) >= 14
    for row in run.runs.to_pylist():
        for day in GOAL_DATES:
            cells = [m for m in monthly if m["replication"] == row["replication"] and str(m["month_end"]) == day]
            assert len(cells) == 7
            for metric, column in same_name.items():
                assert row[f"{metric}@{day}"] == pytest.approx(sum(cell[column] for cell in cells)), metric
            women = sum(cell["women"] for cell in cells)
            assert row[f"women_share@{day}"] == pytest.approx(women / row[f"jobs_supported@{day}"])
            assert row[f"opened@{day}"] == row[f"hubs_open@{day}"] + row[f"closed@{day}"]
            stages = ("evaluation", "finance", "money", "fit_out", "connectivity")
            assert row[f"in_progress@{day}"] == sum(cell[stage] for cell in cells for stage in stages)


def test_sites_add_up_to_monthly(run):
    """Hubs opened, closed and applied for by each month end, by region, from the dates of the sites."""
    sites = run.sites.to_pylist()
    for cell in run.monthly.to_pylist():
        if cell["replication"] > 1 or cell["month_end"].month % 3:
            continue
        here = [s for s in sites if (s["replication"], s["region"]) == (cell["replication"], cell["region"])]

        def by(name, here=here, day=cell["month_end"]):
            return sum(site[name] is not None and site[name] <= day for site in here)

        assert by("opened") == cell["open"] + cell["closed"]
        assert by("closed") == cell["closed"]
        assert sum(s["state"] in ("rejected", "refused", "abandoned") for s in here) >= by("ended") - by("opened")
        assert by("ended") - by("opened") == cell["rejected"] + cell["refused"] + cell["abandoned"]
        backlog = sum(s["origin"] == "backlog" for s in here)
        assert by("applied") + backlog == cell["applications"]


def test_sites_end_as_the_last_month_counts_them(run):
    sites, monthly = run.sites.to_pylist(), run.monthly.to_pylist()
    last = [cell for cell in monthly if str(cell["month_end"]) == "2027-12-31"]
    for cell in last:
        here = [s for s in sites if (s["replication"], s["region"]) == (cell["replication"], cell["region"])]
        states = [s["state"] for s in here]
        for state in ("evaluation", "finance", "money", "fit_out", "connectivity", "open", "closed", "rejected"):
            assert states.count(state) == cell[state]
        assert sum(s["people"] for s in here) == cell["jobs_supported"]
        assert sum(s["seats"] for s in here if s["state"] == "open") == cell["seats"]
        assert sum(s["exports_usd"] for s in here) == pytest.approx(cell["exports_usd_cumulative"])


def test_dates_of_a_site_are_in_order(run):
    order = ("applied", "evaluated", "financed", "funded", "fitted_out", "opened", "closed")
    for site in run.sites.to_pylist():
        dates = [site[name] for name in order if site[name] is not None]
        assert dates == sorted(dates)
        assert (site["closed"] is not None) == (site["state"] == "closed")
        if site["origin"] == "call" and site["opened"]:
            days = sum(value for name, value in site.items() if name.endswith(("_wait_days", "_work_days")))
            assert days == pytest.approx((site["opened"] - site["applied"]).days, abs=1.001)


# --- one at a time


def test_help_is_quick_to_say_and_python_m_sim_is_the_same(tmp_path):
    code, out, err = call(tmp_path, "run", "--help")
    assert (code, err) == (0, "")
    assert "replications" in out
    script = Path(SIM[0]).with_name("sim")
    commands = [[str(script)]] if script.exists() else []
    for command in (*commands, list(SIM)):
        listed = subprocess.run(
            [*command, "list"], capture_output=True, text=True, check=True, env=clean_environment(), cwd=tmp_path
        )
        assert listed.stdout.splitlines()[0].startswith("baseline")


def test_bad_input_in_a_process_of_its_own(tmp_path):
    code, out, err = call(tmp_path, "run", "hiring.atrition=0.02", "out=new")
    assert (code, out) == (2, "")
    assert err == "hiring.atrition: no such key, did you mean hiring.attrition? (got 0.02)\n"
    assert list(tmp_path.iterdir()) == []


def test_a_failing_job_of_a_multirun_does_not_lose_the_others(run, tmp_path):
    code, _, err = call(
        tmp_path, "run", "-m", "hiring.attrition=-1,0.02", "replications=1", "end=2027-12-31", "hydra.sweep.dir=many",
    )  # fmt: skip
    assert code in (1, 2)
    assert "hiring.attrition: should be between 0 and 0.99 (share a month) (got -1)" in err
    assert "Traceback" not in err
    made = read(tmp_path / "many" / "1")
    assert (made.manifest["status"], made.manifest["replications"]) == ("complete", 1)
    assert made.manifest["config"]["hiring"]["attrition"] == 0.02
    names = {path.name for path in (made.path / "figures").iterdir()}
    assert names == {path.name for path in (run.path / "figures").iterdir()}


# --- signals


def session_members(session):
    """Processes of a session that are still there."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


def interrupt(folder, send, after=18, total=400):
    """Run in a terminal of its own, send a signal when the bar shows that some are done; (code, out, screen)."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 100))
    process = start(
        folder, "run", f"replications={total}", "seed=5", "end=2027-12-31", "workers=2", "out=run", "figures=false",
        stderr=theirs, start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    screen, sent, deadline = "", False, time.monotonic() + 240
    try:
        while time.monotonic() < deadline:
            ready, _, _ = select.select([ours], [], [], 1.0)
            try:
                read_now = os.read(ours, 65536).decode() if ready else None
            except OSError:  # the other end is closed
                break
            if read_now == "":
                break
            screen += read_now or ""
            counts = re.findall(rf"(\d+)/{total} \[", screen)
            if not sent and counts and int(counts[-1]) >= after:
                send(process)
                sent = True
        out, _ = process.communicate(timeout=60)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        os.close(ours)
    assert sent, screen
    while session_members(process.pid) and time.monotonic() < deadline:
        select.select([], [], [], 0.05)
    return process, out, screen


def ctrl_c(process):
    """The terminal sends it to the whole group, workers included."""
    os.killpg(process.pid, signal.SIGINT)


def sigterm(process):
    process.send_signal(signal.SIGTERM)


@pytest.mark.parametrize("send", [ctrl_c, sigterm])
def test_a_signal_ends_the_run_and_keeps_what_is_done(send, run, tmp_path):
    process, out, screen = interrupt(tmp_path, send)
    assert process.returncode == 130
    assert session_members(process.pid) == []
    assert "Traceback" not in screen
    assert "interrupted: " in screen
    assert re.search(r"\d+/400 \[\d\d:\d\d<\d\d:\d\d", screen)  # the bar tells the time left
    assert "250 hubs open and 25,000 jobs in hubs by 31 December 2027: " in out
    kept = read(tmp_path / "run")
    assert kept.manifest["status"] == "interrupted"
    assert 18 <= kept.manifest["replications"] == len(kept.runs) < 400
    whole = {row["replication"]: row for row in run.runs.to_pylist()}
    common = [row for row in kept.runs.to_pylist() if row["replication"] in whole]
    assert len(common) >= 3
    for row in common:
        assert row == whole[row["replication"]]
    assert set(kept.monthly["replication"].to_pylist()) == set(kept.runs["replication"].to_pylist())
    assert (tmp_path / "run" / "report.html").is_file()
