"""Words that planners read."""

from datetime import date

import pytest

from sim.analysis import words
from sim.analysis.intervals import proportion


@pytest.mark.parametrize(
    ("successes", "n", "said"),
    [
        (0, 0, "unknown (no finished run)"),
        (0, 1, "0 in 20 (the only run did not get there; at most about 16 in 20)"),
        (0, 20, "0 in 20 (no run of 20 got there; at most about 1 in 6)"),
        (0, 400, "0 in 20 (no run of 400 got there; at most about 1 in 100)"),
        (0, 10_000, "0 in 20 (no run of 10,000 got there; at most about 1 in 2,000)"),
        (1, 1, "20 in 20 (the only run got there; at most about 16 in 20 would not)"),
        (400, 400, "20 in 20 (all 400 runs got there; at most about 1 in 100 would not)"),
        (1, 400, "less than 1 in 20 (1 of 400 runs)"),
        (9, 400, "less than 1 in 20 (9 of 400 runs)"),
        (10, 400, "about 1 in 20"),
        (180, 400, "about 9 in 20"),
        (389, 400, "about 19 in 20"),
        (390, 400, "more than 19 in 20 (390 of 400 runs)"),
        (399, 400, "more than 19 in 20 (399 of 400 runs)"),
        (2, 5, "about 8 in 20 (2 of 5 runs)"),
    ],
)
def test_probability(successes, n, said):
    assert words.probability(successes, n) == said


@pytest.mark.parametrize("n", [*range(1, 130), 400, 999, 1000, 12_345])
def test_bounds_are_never_rounded_to_look_better(n):
    said = words.probability(0, n).split("about ")[1].strip(")").replace(",", "")
    part, whole = map(int, said.split(" in "))
    assert proportion(0, n).high <= part / whole


def test_numbers_and_dates():
    assert [words.number(x) for x in (0, 0.0523, 4, 12.34, 99.97, 100.4, 6812.4, 25_000)] == [
        "0", "0.0523", "4", "12.3", "100", "100", "6,812", "25,000",
    ]  # fmt: skip
    assert words.day(date(2027, 12, 31)) == "31 December 2027"
    assert words.day(date(2027, 2, 1)) == "1 February 2027"


def test_quantities():
    assert words.quantity("hubs_open", 250) == "250 hubs open"
    assert words.quantity("exports_usd_per_year", 150e6) == "$150m of exports a year"
    assert words.quantity("women_share", 0.2) == "20% women"
    assert words.quantity("sites_open.stp", 50) == "50 software technology parks open"
    assert words.quantity("sites_open.karachi_park", 0) == "0 sites open in the Karachi park"
    assert words.quantity("seats_of_a_new_kind", 1234.4) == "1,234 seats of a new kind"
    assert words.amount("hubs_open", 53.2) == "53"
    assert words.name("women_share") == "share of women"


def test_shortfall():
    assert words.shortfall("jobs_supported", 6_800, 25_000) == "median 6,800: 18,200 short of 25,000"
    assert words.shortfall("hubs_open", 260, 250) == "median 260: 10 above 250"
    assert words.shortfall("hubs_open", 250, 250) == "median 250: exactly 250"
    assert words.shortfall("women_share", 0.213, 0.2) == "median 21.3%: 1.3 points above 20%"


def test_percent_keeps_none_and_all():
    assert [words.percent(x) for x in (0, 0.001, 0.01, 0.994, 0.999, 1)] == ["0%", "<1%", "1%", "99%", ">99%", "100%"]
    assert not {words.percent(k / 400) for k in range(1, 400)} & {"0%", "100%"}


def test_one_is_not_said_as_many():
    assert words.quantity("hubs_open", 1) == "1 hub open"
    assert words.quantity("sites_open.stp", 1) == "1 software technology park open"
    assert words.quantity("jobs_supported.hub", 1) == "1 job supported in hubs"
    assert words.quantity("jobs_additional", 1) == "1 additional job"
    assert words.quantity("hubs_open", 21) == "21 hubs open"
    assert words.quantity("hubs_open", 1.5) == "1.5 hubs open"


def test_differences():
    assert words.difference("women_share.hub", 0.031) == "3.1 points"
    assert words.difference("exports_usd_per_year", 2e7) == "$20m"
    assert words.difference("hubs_open", 4.5) == "4.5"


def test_table_and_capital():
    assert words.table([["", "b"], ["long", ""], ["x", "y"]]) == "      b\nlong\nx     y"
    assert words.capital("sites open in the Islamabad park") == "Sites open in the Islamabad park"
    assert words.capital("") == ""


RUN = ["sim", "run", "experiment=baseline"]
LEVER = "hiring.attrition.value=[uniform,0.0123456,0.0423456]"


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (None, ""),
        ([], ""),
        ("sim run a.b=1", ""),
        (["sim", "run", 1, None, "a.b=1"], ", with a.b=1"),
        (RUN, ""),
        (["sim", "run", "--config-dir", "my=dir", "experiment=baseline", "replications=20", "out=x", "workers=2"], ""),
        ([*RUN, "precision.half_width=3", "tables=[runs]", "seed=3", "title=Mine"], ""),
        ([*RUN, "design=sobol", "fidelity=quick"], ", with design=sobol and fidelity=quick"),
        (["sim", "score", "a=b", "seen.csv"], ""),
        ([*RUN, "calls.applications=60"], ", with calls.applications=60"),
        ([*RUN, "calls.applications=60", "(second part)"], ", with calls.applications=60"),
        ([*RUN, "calls.applications=60", "calls.applications=70"], ", with calls.applications=70"),
        ([*RUN, "+sweep.grid={calls.applications:[1]}"], ", with sweep.grid={calls.applications:[1]}"),
        ([*RUN, "~goals.hubs_250", "stps=none"], ", with ~goals.hubs_250 and stps=none"),
        ([*RUN, "a.b=1", "c.d=2", "e.f=3"], ", with a.b=1, c.d=2 and e.f=3"),
        ([*RUN, "a.b=1", "c.d=2", "e.f=3", "g.h=4", "i.j=5"], ", with a.b=1, c.d=2, e.f=3 and 2 more"),
        ([*RUN, LEVER], f", with {LEVER[:45]}..."),
        ([*RUN, "a.b='$x$ <i>'"], ", with a.b='$x$ <i>'"),
        ([*RUN, "a.b='x\ny\x01\u202ez'"], ", with a.b='x y  z'"),
    ],
)
def test_a_run_is_named_by_the_levers_its_command_moved(command, said):
    made = {"experiment": "baseline", "title": "Baseline", "command": command}
    assert words.named(made) == f"baseline{said}"
    assert words.named(made, "title") == f"Baseline{said}"


def test_a_run_of_before_commands_were_kept_has_its_name():
    assert words.named({"experiment": "baseline"}) == "baseline"
