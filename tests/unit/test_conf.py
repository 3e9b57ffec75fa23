"""The numbers in conf/ and experiments/: sourced, consistent, and what the official plan comes to."""

import csv
import re
from math import exp, log, sqrt

import pytest
from scipy import stats
from scipy.integrate import quad

from sim.config import compose_config, digest, experiments, plain, read_study
from sim.model.parameters import OVERRIDDEN, walk
from sim.sources import CONF, EXPERIMENTS, attainment, comparators, observations
from tests.helpers import ROOT, composed, metric, run, study

NAMES = [name for name, _ in experiments()]
FACT = re.compile(r"\b(?:[A-Z]{1,2}\d{2}|EM-\d{4}-\d{2})\b")
RANGE = re.compile(r"\b([A-Z])(\d{2})-([A-Z])?(\d{2})\b")


def facts():
    with (CONF / "data" / "facts.csv").open(encoding="utf-8", newline="") as file:
        return {row["id"] for row in csv.DictReader(file)}


def sources(node, path=""):
    """Every text that names a source: `source`, and keys that end in `_source`."""
    for key, value in node.items():
        if isinstance(value, dict):
            yield from sources(value, f"{path}{key}.")
        elif str(key) == "source" or str(key).endswith("_source"):
            yield f"{path}{key}", value


def test_there_are_facts_and_experiments():
    assert len(facts()) > 190
    assert {"baseline", "official_plan", "history", "portfolio", "stp_staff", "sweep"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_an_experiment_asks_a_question(name):
    world = read_study(composed(name))
    assert world.question.endswith("?")
    assert world.title
    assert (EXPERIMENTS / f"{name}.yaml").read_text(encoding="utf-8").startswith("# ")


@pytest.mark.parametrize("name", NAMES)
def test_every_number_has_a_source(name):
    known = facts()
    for path, parameter in walk(read_study(composed(name))):
        ids = FACT.findall(parameter.source)
        assert ids or "assumption" in parameter.source, f"{path}: {parameter.source}"
        assert parameter.source != OVERRIDDEN
    named = list(sources(composed(name)))
    assert len(named) > 80
    for path, text in named:
        assert set(FACT.findall(text)) <= known, f"{path}: {text}"
        assert not RANGE.search(text), f"{path}: {text} should name each fact"


@pytest.mark.parametrize("name", NAMES)
def test_every_number_has_the_unit_of_the_code(name):
    cfg = composed(name)
    for path, parameter in walk(read_study(cfg)):
        raw = cfg
        for part in path.split("."):
            raw = raw[part]
        assert raw["unit"] == parameter.spec.unit, path
        if not path.startswith("regions."):  # counts and shares of a place, never drawn
            assert raw["per"] == parameter.spec.per, path


def test_regions_make_up_the_country():
    regions = study().regions
    assert len(regions) == 7
    assert sum(region.planned_hubs.value for region in regions.values()) == 250
    assert sum(region.talent_share.value for region in regions.values()) == pytest.approx(1)
    assert {name for name, region in regions.items() if region.remote} == {"Balochistan", "AJK", "GB"}


def test_quarters_make_up_the_year():
    p = study().programme
    quarters = (p.first_quarter, p.second_quarter, p.third_quarter, p.fourth_quarter)
    assert sum(quarter.value for quarter in quarters) == pytest.approx(1)


def test_goals_are_those_of_the_plan():
    goals = {(g.metric, g.level, str(g.by)) for g in study(end="2030-12-31").goals.values()}
    assert {
        ("hubs_open", 250, "2027-12-31"), ("hubs_open", 250, "2027-02-28"),
        ("jobs_supported.hub", 25_000, "2027-12-31"), ("jobs_supported.hub", 20_000, "2027-12-31"),
    } <= goals  # fmt: skip


def test_the_official_plan_reaches_its_own_goals():
    """250 hubs and 25,000 jobs, exactly, in every replication; by its own deadline of February 2027 already."""
    records = run(study(experiment="official_plan", end="2027-12-31"), 3)
    february = [str(day) for day in records[0].dates].index("2027-02-28")
    for at in (february, -1):
        assert set(metric(records, "hubs_open", at)) == {250}
        assert set(metric(records, "jobs_supported.hub", at)) == {25_000}
    assert set(metric(records, "hubs_open", 0)) == {40}
    assert set(metric(records, "closed")) == set(metric(records, "rejected")) == {0}


@pytest.mark.parametrize(("seats", "jobs"), [(100, 45_900), (80, 40_900)])
def test_the_arithmetic_of_the_article(seats, jobs):
    """25,000 (or the Economic Survey's 20,000) + 7,500 + 13,400 jobs, and 60 + 90 = 150 million dollars of the parks.

    The article leaves out the 18,000 people in software technology parks, the women-only park's, and what hubs export.
    """
    hubs = {"hubs.seats_large_city": seats, "hubs.seats_small_city": seats}
    records = run(study(hubs, "official_plan", end="2027-12-31"), 3)
    assert set(metric(records, "portfolio_jobs")) == {jobs}
    assert set(metric(records, "jobs_supported")) == {jobs + 18_000}
    assert set(metric(records, "jobs_additional")) == {jobs}
    for park, exports in (("islamabad_park", 60e6), ("karachi_park", 90e6)):
        assert metric(records, f"exports_usd_per_year.{park}") == pytest.approx(exports, rel=1e-4)
    assert (metric(records, "exports_usd_per_year.hub") > 10e6).all()
    assert metric(records, "exports_usd_per_year.stp") == pytest.approx(100e6, rel=1e-3)


def test_claims_are_those_of_the_article():
    claims = study().claims
    assert sum(claim.jobs for claim in claims.values()) == 45_900
    assert sum(claim.exports_usd for claim in claims.values()) == 150e6
    with_portfolio = study(experiment="portfolio")
    assert set(claims) == set(with_portfolio.systems)
    for name, park in with_portfolio.parks.items():
        assert claims[name].exports_usd == pytest.approx(claims[name].jobs * park.exports_per_job.value, rel=1e-4)
    assert sum(r.stps_older.value + r.stps_recent.value for r in with_portfolio.regions.values()) == 50
    stps = with_portfolio.stps
    assert 25 * (stps.firms_older.value + stps.firms_recent.value) == 350


def test_the_official_plan_takes_no_chance_with_jobs():
    """What is still drawn there cannot change the number of hubs or jobs."""
    drawn = run(study(experiment="official_plan", end="2025-11-30"))[0].drawn
    assert set(drawn) <= {
        "hiring.ramp", "hiring.graduate_delay", "talent.trainees",
        "talent.women_users", "women_park.conversion", "parks.islamabad_park.exit_delay",
    }  # fmt: skip


def test_freelancers_earnings_are_those_of_the_survey():
    """Mean and sd of one freelancer (log-normal 1,400, 2.05, capped at 64,000), and of the mean of 30 of them."""
    one = stats.lognorm(2.05, scale=1400)
    above = one.sf(64_000)

    def moment(k):
        inside, _ = quad(lambda z: (1400 * exp(2.05 * z)) ** k * stats.norm.pdf(z), -12, log(64_000 / 1400) / 2.05)
        return inside + 64_000**k * above

    mean, sd = moment(1), sqrt(moment(2) - moment(1) ** 2)
    assert mean == pytest.approx(6873, abs=1)
    assert sd == pytest.approx(13_836, abs=1)
    spec = study().exports.freelancer.value
    site = stats.lognorm(spec.args[1], scale=spec.args[0])
    assert site.mean() == pytest.approx(mean, rel=1e-3)
    assert site.std() == pytest.approx(sd / sqrt(30), rel=2e-3)


def test_observations_stand_on_facts():
    known = facts()
    with (CONF / "data" / "observations.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        assert set(row["fact_ids"].split()) <= known
        assert float(row["low"]) <= float(row["value"]) <= float(row["high"])
    assert [row["value"] for row in observations("hubs_functional")] == [1, 14, 40, 40, 41]


def test_comparators_stand_on_facts():
    known = facts()
    rows = comparators()
    for row in rows:
        assert row["fact_ids"]
        assert set(row["fact_ids"].split()) <= known
        assert 0 < row["delivered"] <= 1.1 * row["plan"]
    plans = {(row["programme"], row["plan"], row["plan_date"]) for row in rows}
    assert len(plans) == len({row["programme"] for row in rows})  # one plan each
    assert attainment() == {"mean": 0.65, "sd": 0.34, "n": 8, "low": 0.03, "high": 1}


def test_the_forecast_starts_from_the_published_calibration():
    """And `make calibrate` renews both."""
    states = "results/calibrated/states.json", "conf/data/states.json"
    published, used = ((ROOT / name).read_bytes() for name in states)
    assert published == used


def test_the_history_records_the_observed_days():
    world = read_study(composed("history"))
    days = {row["date"] for row in observations(world.observations)}
    assert days <= {str(day) for day in world.record_on}


@pytest.mark.parametrize(
    ("overrides", "replications"), [([], 400), (["fidelity=quick"], 40), (["fidelity=quick", "replications=7"], 7)]
)
def test_fidelity_is_what_the_values_say_that_depend_on_it(overrides, replications):
    """And what was asked for by itself stays."""
    assert read_study(compose_config(overrides)).replications == replications


@pytest.mark.parametrize("name", NAMES)
def test_every_experiment_can_be_quick(name):
    quick, full = (read_study(compose_config([f"experiment={name}", f"fidelity={one}"])) for one in ("quick", "full"))
    assert quick.replications * len(quick.sweep.combinations()) < full.replications * len(full.sweep.combinations()) / 5


def test_the_results_do_not_depend_on_the_word_fidelity():
    """So that a quick run can be extended to the full one."""
    quick = plain(compose_config(["fidelity=quick", "replications=400"]))
    assert digest(quick) == digest(plain(compose_config([])))
