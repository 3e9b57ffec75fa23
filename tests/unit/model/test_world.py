"""The rollout of hubs in worlds so simple that the dates can be worked out by hand."""

from datetime import date, timedelta
from math import exp

import numpy as np
import pytest

from sim.config import InputError
from sim.model import world
from sim.model.clock import DAYS_PER_MONTH
from sim.model.parameters import FISCAL_DRAWS
from sim.model.site import STAGES
from sim.model.streams import Streams
from sim.model.world import TooLarge, World, simulate
from tests.helpers import NO_LIMITS, SURE, mask, metric, run, state, study

PUNJAB_ONLY = {
    f"regions.{region}.planned_hubs": 0 for region in ("Sindh", "KP", "Islamabad", "Balochistan", "AJK", "GB")
}
ONE_CALL = {"calls.interval": 600, "start.open_hubs": 0, "start.states": []}
MONTHS = {"evaluation": 2, "finance": 3, "fit_out": 4, "connectivity": 1}
DURATIONS = {f"rollout.{stage}": months for stage, months in MONTHS.items()}
APPLIED = -10.5  # noon of 3 November 2025


def one(overrides, **options):
    """Sites of one replication of a world with fixed durations, one call and no chance."""
    (record,) = run(study({**SURE, **NO_LIMITS, **ONE_CALL, **DURATIONS, **overrides}, **options))
    return record.sites, record


def waits(sites, stage):
    return sites[f"{stage}_wait_days"] / DAYS_PER_MONTH


def test_without_limits_a_hub_opens_after_the_sum_of_its_stages():
    sites, record = one({"calls.applications": 20})
    assert len(sites["site_id"]) == 20
    assert set(sites["applied"]) == {APPLIED}
    np.testing.assert_allclose(sites["opened"], APPLIED + 10 * DAYS_PER_MONTH)
    np.testing.assert_allclose(sites["evaluated"], APPLIED + 2 * DAYS_PER_MONTH)
    np.testing.assert_allclose(sites["financed"], APPLIED + 5 * DAYS_PER_MONTH)
    np.testing.assert_array_equal(sites["funded"], sites["financed"])
    np.testing.assert_allclose(sites["fitted_out"], APPLIED + 9 * DAYS_PER_MONTH)
    np.testing.assert_array_equal(sites["ended"], sites["opened"])
    for stage in STAGES:
        np.testing.assert_allclose(waits(sites, stage.name), 0, atol=1e-9)
        np.testing.assert_allclose(
            sites[f"{stage.name}_work_days"], MONTHS.get(stage.name, 0) * DAYS_PER_MONTH, atol=1e-9
        )
    assert metric([record], "hubs_open") == 20


def test_conversions_and_remote_regions_change_what_happens_on_the_spot():
    sites, _ = one(
        {"calls.applications": 150, "rollout.brownfield_share": 0.5, "rollout.remote_factor": 1.5,
         "rollout.programme_shock": 1.2, "regions.GB.planned_hubs": 60}, end="2027-12-31",
    )  # fmt: skip
    remote = np.isin(sites["region"], ["Balochistan", "AJK", "GB"])
    assert {(b, r) for b, r in zip(sites["brownfield"], remote, strict=True)} == {
        (b, r) for b in (False, True) for r in (False, True)
    }
    factor = np.where(sites["brownfield"], 0.5, 1.0) * np.where(remote, 1.5, 1.0)
    np.testing.assert_allclose(sites["opened"] - APPLIED, 1.2 * DAYS_PER_MONTH * (2 + (3 + 4 + 1) * factor))
    np.testing.assert_allclose(sites["evaluation_work_days"], 1.2 * DAYS_PER_MONTH * 2)


def test_the_committee_evaluates_first_come_first_served():
    sites, _ = one({"calls.applications": 7, "rollout.committee": 2})
    np.testing.assert_allclose(waits(sites, "evaluation"), [0, 0, 2, 2, 4, 4, 6], atol=1e-9)
    np.testing.assert_allclose(sites["evaluation_work_days"], 2 * DAYS_PER_MONTH)


def test_contractors_build_first_come_first_served():
    sites, _ = one({"calls.applications": 5, "regions.Punjab.contractors": 2, **PUNJAB_ONLY}, end="2027-12-31")
    assert set(sites["region"]) == {"Punjab"}
    np.testing.assert_allclose(waits(sites, "fit_out"), [0, 0, 4, 4, 8], atol=1e-9)
    np.testing.assert_allclose(sites["opened"], APPLIED + (10 + np.array([0, 0, 4, 4, 8])) * DAYS_PER_MONTH)


def test_the_programme_pays_when_its_quarter_is_released():
    """Rs 100 million a year in quarters of 15, 20, 25, 40: at Rs 9.9 million a hub, 2, 2, 4, then 2 hubs are paid."""
    money = {
        "programme.line_2026": 100, "programme.hub_share": 1, "programme.execution": 1,
        "programme.concentration": 1e9, "rollout.grant": 9.9, "calls.applications": 11,
        "rollout.evaluation": 0, "rollout.finance": 0,
    }  # fmt: skip
    sites, record = one(money | {"programme.release_delay": 0})
    start = date(2025, 11, 14)
    days = {day: (date.fromisoformat(day) - start).days + 0.5 for day in ("2026-01-01", "2026-04-01", "2026-07-01")}
    expected = [0.0] * 2 + [days["2026-01-01"]] * 2 + [days["2026-04-01"]] * 4 + [days["2026-07-01"]] * 2
    np.testing.assert_allclose(sites["funded"][:10], expected)
    assert sites["funded"][10] == (date(2026, 10, 1) - start).days + 0.5
    assert metric([record], "grants_rs_million") == pytest.approx(11 * 9.9)
    np.testing.assert_allclose(sites["money_wait_days"], sites["funded"] - APPLIED)

    late, _ = one(money | {"programme.release_delay": 2})
    shift = 2 * DAYS_PER_MONTH
    np.testing.assert_allclose(late["funded"][2:10], np.array(expected[2:]) + shift)
    np.testing.assert_allclose(late["funded"][:2], (date(2025, 10, 1) - start).days + 0.5 + shift)


def test_a_quarter_without_a_share_does_not_stop_the_others():
    """A share of 0 is refused, or the other quarters pay as before; no money at all would be a silent error."""
    shares = {"first": 0, "second": 0.3, "third": 0.3, "fourth": 0.4}
    changes = {f"programme.{quarter}_quarter": share for quarter, share in shares.items()}
    try:
        _, record = one(changes | {"calls.applications": 20, "rollout.grant": 1})
    except InputError:
        return
    assert metric([record], "grants_rs_million") == 20


@pytest.mark.parametrize(
    ("overrides", "state", "loans"),
    [
        ({"rollout.rejection": 1}, "rejected", 0),
        ({"rollout.refusal": 1, "rollout.self_finance": 0}, "refused", 0),
        ({"rollout.refusal": 1, "rollout.self_finance": 1}, "open", 0),
        ({"rollout.refusal": 0}, "open", 30 * 8),
        ({"rollout.abandonment": 1}, "abandoned", 30 * 8),
        ({"hubs.closure": 40, "hubs.closure_later": 40}, "closed", 30 * 8),
    ],
)
def test_what_is_certain_happens_to_all(overrides, state, loans):
    sites, record = one({"calls.applications": 30, "rollout.loan": 8, **overrides})
    assert set(sites["state"]) == {state}
    column = {"open": "hubs_open"}.get(state, state)
    assert metric([record], column) == metric([record], "applications") == 30
    assert metric([record], "loans_rs_million") == loans
    assert metric([record], "approved") == (0 if state == "rejected" else 30)
    assert np.isnan(sites["opened"]).all() == (state in ("rejected", "refused", "abandoned"))


def test_who_is_abandoned_frees_the_contractor_early():
    sites, _ = one(
        {"calls.applications": 40, "rollout.abandonment": 0.5, "regions.Punjab.contractors": 1,
         "rollout.fit_out": 0.4, **PUNJAB_ONLY}, end="2027-12-31",
    )  # fmt: skip
    abandoned = sites["state"] == "abandoned"
    assert 8 < abandoned.sum() < 32
    worked = sites["fit_out_work_days"]
    assert (worked[abandoned] < 0.4 * DAYS_PER_MONTH).all()
    np.testing.assert_allclose(worked[~abandoned], 0.4 * DAYS_PER_MONTH)
    # One after the other without a pause, in order of number.
    np.testing.assert_allclose(sites["fit_out_wait_days"], np.cumsum(worked) - worked, atol=1e-6)


def test_calls_come_when_listed_and_then_at_intervals():
    sites, _ = one(
        {"calls.applications": 3, "calls.interval": 4, "start.calls": [date(2025, 11, 3), date(2026, 2, 1)]},
        end="2026-12-31",
    )
    second = (date(2026, 2, 1) - date(2025, 11, 14)).days + 0.5
    expected = [APPLIED, second, second + 4 * DAYS_PER_MONTH, second + 8 * DAYS_PER_MONTH]
    np.testing.assert_allclose(sites["applied"], np.repeat(expected, 3))
    assert list(sites["site_id"][[0, 5, 11]]) == ["call-00-000", "call-01-002", "call-03-002"]


def test_initial_hubs_opened_on_the_dated_days():
    """40 hubs: the 1st on 6 February 2024, the 14th on 15 February 2025, an even pace between."""
    openings = {"2024-02-06": 1, "2025-02-15": 14, "2025-06-30": 40, "2025-11-14": 45}
    start = {"start.open_hubs": 48, "start.openings": openings, "start.states": []}
    (record,) = run(study({**SURE, **start, "calls.applications": 0}))
    opened = record.sites["opened"]
    assert (np.diff(opened) >= 0).all()
    start = date(2025, 11, 14)
    days = [start + timedelta(int(np.floor(day))) for day in opened]
    assert days[0] == date(2024, 2, 6)
    assert days[13] == date(2025, 2, 15)
    assert days[39] == date(2025, 6, 30)
    np.testing.assert_allclose(np.diff(opened[:14]), (opened[13] - opened[0]) / 13)
    np.testing.assert_allclose(np.diff(opened[13:40]), (opened[39] - opened[13]) / 26)
    assert set(days[44:]) == {date(2025, 11, 13)}  # no later than the day before the start
    assert set(record.sites["origin"]) == {"initial"}
    assert record.monthly.shape[1] == len(record.dates) == 15
    assert metric([record], "applications", at=0) == 0


def test_hubs_open_at_the_start_need_no_dated_openings():
    """Then they opened on the day before the start, even if nothing else is known from before it."""
    world = study({"start.open_hubs": 3, "calls.applications": 0, **SURE}, "history", "2024-03-31")
    assert world.start.openings == {}
    (record,) = run(world)
    assert set(np.floor(record.sites["opened"])) == {-1}
    assert metric([record], "hubs_open", 0) == 3


def test_a_backlog_goes_on_from_its_stage():
    sites, record = one({"start.states": [state(1, 2, 3, 4, 5)], "calls.applications": 0})
    assert len(sites["site_id"]) == metric([record], "applications") == 15
    assert metric([record], "in_progress", at=0) == 15
    left = np.array([10, 8, 5, 5, 1])[np.repeat(range(5), [1, 2, 3, 4, 5])] * DAYS_PER_MONTH
    rest = np.array([8, 5, 5, 1, 0])[np.repeat(range(5), [1, 2, 3, 4, 5])] * DAYS_PER_MONTH
    assert (sites["opened"] <= left + 1e-6).all()
    assert (sites["opened"] >= rest - 1e-6).all()
    assert np.std((sites["opened"] - rest)[:3]) > 0  # each has its own share of the stage behind it
    # What happened before the start is not known.
    for i, stage in enumerate(STAGES):
        first = np.char.startswith(sites["site_id"].astype(str), f"backlog-{i:02d}")
        assert first.sum() == i + 1
        assert np.isnan(sites[f"{stage.name}_wait_days"][first]).all()
        assert np.isnan(sites[f"{stage.name}_work_days"][first]).all()
        assert np.isfinite(sites["connectivity_work_days"][first]).all() == (i < 4)


def test_a_backlog_brings_the_money_that_was_left():
    """Rs 35 million pay three grants of 10 on the first day; 5 are left, and nothing more is released."""
    sites, record = one(
        {"start.states": [state(0, 0, 4, 0, 0, balance=35)], "calls.applications": 0, "rollout.grant": 10,
         "programme.hub_share": 0}
    )  # fmt: skip
    assert list(sites["state"]) == ["open"] * 3 + ["money"]
    assert set(sites["funded"][:3]) == {0.0}
    for at in (0, -1):
        assert metric([record], "grants_rs_million", at) == 30
        assert metric([record], "balance_rs_million", at) == 5


def test_backlogs_are_picked_with_equal_weight():
    rows = [state(i, 0, 0, 0, 0) for i in range(4)]
    world = study({"start.states": rows, "calls.applications": 0, "end": "2025-11-30"}, "baseline")
    assert {int(n) for n in metric(run(world, 40), "applications")} == {0, 1, 2, 3}


def test_the_record_of_a_day_includes_that_day():
    """Recorded every day for four months: a hub that opens or closes on a day is counted on that day."""
    days = {date(2026, 3, 1) + timedelta(i) for i in range(120)}
    world = study({"hubs.closure": 0.05, "rollout.evaluation": 0.5, "rollout.fit_out": 0.5, "rollout.finance": 1})
    (record,) = run(world, record_on=days)
    opened, closed = (np.sort(np.floor(record.sites[name])) for name in ("opened", "closed"))
    changes = 0
    for i, day in enumerate(record.dates):
        number = (day - date(2025, 11, 14)).days
        assert metric([record], "opened", i) == (opened <= number).sum()
        assert metric([record], "closed", i) == (closed <= number).sum()
        changes += (opened == number).sum() + (closed == number).sum() if day in days else 0
    assert changes > 10


@pytest.mark.parametrize("survived", [0, 10, 24, 40])
@pytest.mark.parametrize("u", [0.001, 0.1, 0.4, 0.9])
def test_closing_age(survived, u):
    """The age A solves P(alive at A | alive at `survived`) = 1 - u under 0.02 a month, 0.05 after 24 months."""
    world = World(study({"hubs.closure": 0.02, "hubs.closure_later": 0.05}), Streams(1, 0))

    def alive(age):
        return exp(-0.02 * min(age, 24) - 0.05 * max(age - 24, 0))

    age = world.closing_age(u, survived)
    assert age >= survived
    assert alive(age) / alive(survived) == pytest.approx(1 - u)


def test_without_hazard_nothing_closes():
    never = World(study({"hubs.closure": 0, "hubs.closure_later": 0}), Streams(1, 0))
    assert never.closing_age(0.999999, 0) == np.inf
    early = World(study({"hubs.closure": 0.5, "hubs.closure_later": 0}), Streams(1, 0))
    assert early.closing_age(0.1, 0) < 24 < early.closing_age(1 - 1e-9, 0)


def test_a_replication_depends_on_its_configuration_seed_and_number_only():
    world = study()
    a, again, number, seed = (simulate(world, s, r) for s, r in ((1, 0), (1, 0), (1, 1), (2, 0)))
    np.testing.assert_array_equal(a.monthly, again.monthly)
    assert a.drawn == again.drawn
    for other in (number, seed):
        assert a.drawn != other.drawn
        assert not np.array_equal(a.monthly, other.monthly)


def test_history_starts_from_nothing():
    (record,) = run(study(experiment="history", end="2024-12-31"))
    assert record.dates[0] == date(2023, 10, 31)
    assert metric([record], "hubs_open", 0) == metric([record], "jobs_supported", 0) == 0
    assert not mask(record, origin="initial").any()
    assert metric([record], "applications", 0) > 0  # the first call is on the first day


# --- what is known of the start date


def known(**parameters):
    return state(0, 0, 0, 0, 0) | {"parameters": parameters}


def test_parameters_of_a_state_hold_where_the_configuration_has_their_prior():
    path, prior = "calls.applications", ["pert", 35, 48, 75]
    start = {"start.states": [known(**{path: 61.5, "rollout.refusal": 0.31})], "start.prior": {path: prior}}
    drawn = run(study(start, end="2025-11-30"))[0].drawn
    assert drawn[path] == 61.5
    assert drawn["rollout.refusal"] != 0.31  # no prior is named
    other = study({**start, path: {"value": ["pert", 35, 50, 75]}}, end="2025-11-30")
    assert run(other)[0].drawn[path] != 61.5  # the user's own distribution
    number = run(study({**start, path: 50}, end="2025-11-30"))[0]
    assert path not in number.drawn  # the user's own number


def test_days_that_are_left_of_a_stage_are_worked_off():
    """And no shock or factor stretches them once more."""
    hubs = [["fit_out", 40.25], ["connectivity", 10.0], ["finance", 0.0], ["money"]]
    sites, _ = one(
        {"start.states": [known() | {"hubs": hubs}], "calls.applications": 0, "rollout.programme_shock": 3,
         "rollout.brownfield_share": 1}, end="2027-12-31",
    )  # fmt: skip
    by_id = dict(zip(sites["site_id"], range(4), strict=True))
    month = 3 * 0.5 * DAYS_PER_MONTH  # of those stages that are begun afresh
    opened = {name: sites["opened"][i] for name, i in by_id.items()}
    assert opened["backlog-03-000"] == pytest.approx(40.25 + 1 * month)
    assert opened["backlog-04-000"] == pytest.approx(10.0)
    assert opened["backlog-01-000"] == pytest.approx(0.0 + (4 + 1) * month)
    assert opened["backlog-02-000"] == pytest.approx((4 + 1) * month)


def test_who_is_with_the_committee_at_the_start_stays_ahead_of_a_call_that_has_just_closed():
    """Two places are taken and one hub is in line: the four applications of 3 November come after all of them."""
    hubs = [["evaluation", 5.0], ["evaluation", 7.0], ["evaluation", None]]
    sites, _ = one(
        {"start.states": [known() | {"hubs": hubs}], "calls.applications": 4, "rollout.committee": 2}, end="2026-12-31"
    )
    evaluated = dict(zip(sites["site_id"], sites["evaluated"], strict=True))
    working, more, in_line = (evaluated[f"backlog-00-{number:03d}"] for number in range(3))
    months = 2 * DAYS_PER_MONTH
    assert (working, more) == pytest.approx((5, 7))
    assert 5 < in_line <= 5 + months  # a part of its work may have been done before
    fresh = sorted(time for name, time in evaluated.items() if name.startswith("call"))
    assert fresh == pytest.approx(sorted(turn + n * months for turn in (more, in_line) for n in (1, 2)))


def test_what_is_known_of_a_hub_under_way_holds():
    hubs = [["fit_out", None, "GB", True, None, 0.001, 0.25],
            ["fit_out", 40.0, "KP", False, None, 0.999],
            ["fit_out", 40.0, "KP", False, None, 0.001, 0.25]]  # fmt: skip
    sites, _ = one(
        {"start.states": [known() | {"hubs": hubs}], "calls.applications": 0, "rollout.abandonment": 0.1,
         "rollout.remote_factor": 1, "rollout.programme_shock": 1}, end="2027-12-31",
    )  # fmt: skip
    assert sites["region"].tolist() == ["GB", "KP", "KP"]
    assert sites["brownfield"].tolist() == [True, False, False]
    assert sites["state"].tolist() == ["abandoned", "open", "abandoned"]
    assert np.isnan(sites["fit_out_work_days"][0])  # a part of it may have been done before
    assert sites["ended"][0] == pytest.approx(0.25 * 0.5 * 4 * DAYS_PER_MONTH)  # not begun: the whole time
    assert sites["ended"][2] == pytest.approx(10.0)


ONE_YEAR = {"calls.applications": 0, "programme.line_2026": 100, "programme.hub_share": 1,
            "programme.execution": 1, "programme.concentration": 1e9}  # fmt: skip
DRAWS_OF_YEAR = {2026: [0.5] * FISCAL_DRAWS}


@pytest.mark.parametrize(
    ("delay", "state", "paid"),
    [  # 15 + 20 + 25 + 40 a year; of fiscal year 2026 October, January and April, of 2027 July and October
        (0.0, {}, 25 + 40 + 15 + 20),  # October's was due, so it is in the account
        (2.0, {}, 20 + 25 + 40 + 15 + 20),
        (0.0, {"released": "2025-10-01"}, 25 + 40 + 15 + 20),
        (2.0, {"released": "2025-10-01"}, 25 + 40 + 15 + 20),
        (0.0, {"released": "2025-07-01"}, 20 + 25 + 40 + 15 + 20),
        (2.0, {"released": "2025-07-01", "fiscal_years": DRAWS_OF_YEAR}, 20 + 25 + 40 + 15 + 20),
    ],
)
def test_a_release_is_paid_once(delay, state, paid):
    (record,) = run(
        study(ONE_YEAR | {"start.states": [known() | {"balance": 7} | state], "programme.release_delay": delay})
    )
    assert record.balance[-1] == pytest.approx(7 + paid, rel=1e-3)


def test_the_fiscal_year_of_a_state_goes_on():
    settings = ONE_YEAR | {"programme.execution": {"value": ["uniform", 0, 1]},
                           "programme.release_delay": {"value": ["uniform", 0, 2]}}  # fmt: skip
    state = known() | {"released": "2025-10-01", "fiscal_years": {2026: [0.25, 0.5, 0.5, 0.5, 0.5, 0.5]}}
    (record,) = run(study(settings | {"start.states": [state]}, end="2026-06-30"))
    assert np.unique(np.diff(record.balance).round(3)).tolist() == pytest.approx([0, 6.25, 10], abs=0.01)
    paid = [str(day) for day, more in zip(record.dates[1:], np.diff(record.balance), strict=True) if more]
    assert paid == ["2026-01-31", "2026-05-31"]  # a month late


def test_work_that_is_left_at_the_end_is_recorded():
    sites, _ = one({"calls.applications": 6, "rollout.committee": 4}, end="2025-12-31")
    left = sites["work_left_days"]
    end = (date(2025, 12, 31) - date(2025, 11, 14)).days + 1
    np.testing.assert_allclose(left[:4], 2 * DAYS_PER_MONTH + APPLIED - end, atol=1e-5)
    assert np.isnan(left[4:]).all()  # who waits has not begun


def test_a_world_that_would_run_for_hours_is_stopped_at_once(monkeypatch):
    """Too many hubs, or hubs that would hold too many rounds until the end; the latter by the limit as it is."""
    many = {"calls.applications": 20_000, "calls.applications_sd": 0}
    with pytest.raises(TooLarge, match=r"may hold 10,000,000 hiring rounds in a replication, and here they would"):
        run(study(many | {"hiring.round_days": 1}, end="2030-12-31"))
    monkeypatch.setattr(world, "MOST_PLACES", 500)
    with pytest.raises(TooLarge, match="a replication may have 500 hubs and units of parks, and this one has more"):
        run(study(many, end="2027-12-31"))
