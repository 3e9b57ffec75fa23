"""What is a valid study, and what is said about one that is not."""

from copy import deepcopy
from datetime import date

import pytest

from sim import config as configuration
from sim.config import compose_config, digest, dotted_keys, parameter_rows, read_study, scenarios
from sim.errors import InputError
from tests.helpers import config, state, study


def mistake(overrides):
    with pytest.raises(InputError) as caught:
        read_study(config(overrides))
    return str(caught.value).splitlines()


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({"hiring.attrition": "often"}, ["hiring.attrition: ", "number or a distribution", "'often'"]),
        ({"rollout.evaluation": -1}, ["rollout.evaluation: ", "at least 0 (months)", "-1"]),
        ({"rollout.rejection": 1.2}, ["rollout.rejection: ", "between 0 and 1 (probability)", "1.2"]),
        ({"rollout.committee": 0}, ["rollout.committee: ", "at least 1", "0"]),
        ({"rollout.committee": 2.5}, ["rollout.committee: ", "whole number", "2.5"]),
        ({"rollout.evaluation.value": ["pert", 5, 3, 8]}, ["rollout.evaluation: ", "low <= mode <= high", "5"]),
        ({"rollout.evaluation.unit": "days"}, ["rollout.evaluation: ", "'months'", "'days'"]),
        ({"replications": 0}, ["replications: ", "greater than or equal to 1", "0"]),
        ({"replications": "two"}, ["replications: ", "integer", "two"]),
        ({"seed": -1}, ["seed: ", "greater than or equal to 0", "-1"]),
        ({"workers": -1}, ["workers: ", "-1"]),
        ({"only": -1}, ["only: ", "-1"]),
        ({"end": "tomorrow"}, ["end: ", "date", "tomorrow"]),
        ({"end": "2025-11-13"}, ["end", "2025-11-14", "2025-11-13"]),
        ({"tables": ["rnus"]}, ["tables.0: ", "'runs', 'monthly' or 'sites'", "'rnus'"]),
        ({"start.calls": ["2026-02-01", "2025-11-03"]}, ["start: calls", "in order of date", "2026-02-01"]),
        ({"start.openings": {"2026-01-01": 5}}, ["start: openings", "2025-11-14"]),
        ({"start.openings": {"2024-01-01": 5, "2025-01-01": 4}}, ["start: openings", "never fall"]),
        ({"start.states": [state(0, 0, 1, 0, 0) | {"balance": -1}]}, ["start.states.0.balance", "or equal to 0", "-1"]),
        ({"start.states": [state(0, 0, 1, 0, 0) | {"hubs": [["x", 1]]}]}, ["start.states.0.hubs.0.0", "money"]),
        ({"start.states": [state(0, 0, 0, 0, 0) | {"hubs": [["money", -1]]}]}, ["days left", "at least 0"]),
        (
            {"start.states": [state(0, 0, 0, 0, 0) | {"hubs": [["money"], ["money", None, "Punjap"]]}]},
            ["start.states.0.hubs.1.region", "Punjab", "'Punjap'"],
        ),
        (
            {"start.states": [state(0, 0, 0, 0, 0) | {"hubs": [["money", None, "Punjab", True, 1.5]]}]},
            ["uniforms of hubs", "between 0 and 1"],
        ),
        ({"start.states": [state(0, 0, 0, 0, 0) | {"released": "2025-10-05"}]}, ["first day of a quarter", "10-05"]),
        ({"start.states": [state(0, 0, 0, 0, 0) | {"released": "2026-01-01"}]}, ["not be after the start date"]),
        (
            {"start.states": [state(0, 0, 0, 0, 0) | {"fiscal_years": {2026: [0.5, 1.5, 0.5, 0.5, 0.5, 0.5]}}]},
            ["fiscal years", "between 0 and 1"],
        ),
        ({"start.states": [state(0, 0, 0, 0, 0) | {"fiscal_years": {2026: [0.5]}}]}, ["fiscal_years", "6 uniforms"]),
        ({"calls.applications_sd": 3}, ["calls: applications_sd", "square exceeds applications", "75"]),
        ({"regions": {}}, ["regions", "at least one"]),
        ({"start.calls": []}, ["start: calls", "at least one"]),
        ({"hiring.ramp": 0}, ["hiring.ramp: ", "at least 1e-06 (months)", "0"]),
        ({"programme.first_quarter": 0.5}, ["programme: ", "four quarters", "sum to 1", "0.5"]),
        ({"regions.Punjab.talent_share": 1}, ["talent_share", "sum to 1", "others have less", "1 in Punjab", "1.482"]),
        ({"regions.GB.talent_share.value": ["uniform", 0, 0.006]}, ["talent_share", "numbers", "uniform(0, 0.006) in"]),
    ],
    ids=str,
)  # fmt: skip
def test_one_line_names_key_allowed_and_value(overrides, words):
    (line,) = mistake(overrides)
    for word in words:
        assert word in line


def test_talent_moves_from_one_region_to_another():
    shares = {"regions.Punjab.talent_share": 0.5, "regions.Sindh.talent_share": 0.284}
    assert read_study(config(shares)).regions["Sindh"].talent_share.value == 0.284


def test_regions_without_any_planned_hub_are_refused():
    """Hubs fall to regions in proportion to planned_hubs: if all are 0 there is no proportion."""
    lines = mistake({f"regions.{name}.planned_hubs": 0 for name in config()["regions"]})
    assert "planned_hubs" in lines[0]


def test_all_mistakes_at_once():
    lines = mistake({"rollout.rejection": 1.2, "rollout.evaluation": -1, "replications": 0})
    assert [line.split(":")[0] for line in lines] == ["rollout.evaluation", "rollout.rejection", "replications"]


@pytest.mark.parametrize(
    ("group", "key", "hint"),
    [
        ("hiring", "atrition", "attrition"),
        ("rollout", "fitout", "fit_out"),
        ("regions.Punjab", "contractor", "contractors"),
        (None, "replication", "replications"),
    ],
)
def test_an_unknown_key_gets_the_nearest_as_a_hint(group, key, hint):
    cfg = config()
    level = cfg
    for part in group.split(".") if group else []:
        level = level[part]
    level[key] = 1
    with pytest.raises(InputError, match=rf"{key}: no such key, did you mean {hint}\? \(got 1\)"):
        read_study(cfg)


def test_a_missing_key_is_named():
    cfg = config()
    del cfg["hiring"]["attrition"]
    with pytest.raises(InputError, match=r"^hiring\.attrition: is missing$"):
        read_study(cfg)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"by": "2025-11-13"}, ["goals.hubs_250_february.by", "2025-11-14", "2025-11-13"]),
        ({"by": "2028-01-01"}, ["goals.hubs_250_february.by", "2027-12-31", "2028-01-01"]),
        ({"metric": "hubs"}, ["goals.hubs_250_february", "hubs_open", "'hubs'"]),
        ({"level": "many"}, ["goals.hubs_250_february.level", "number", "'many'"]),
        ({"level": float("inf")}, ["goals.hubs_250_february.level", "finite"]),
    ],
    ids=str,
)
def test_goals(change, words):
    cfg = config(end="2027-12-31")
    cfg["goals"] = {"hubs_250_february": cfg["goals"]["hubs_250_february"] | change}
    with pytest.raises(InputError) as caught:
        read_study(cfg)
    (line,) = str(caught.value).splitlines()
    for word in words:
        assert word in line


def test_goals_are_judged_on_their_own_dates():
    assert study(end="2027-12-31").judged == [date(2027, 2, 28), date(2027, 12, 31)]
    assert study({"goals": {}}).judged == [date(2026, 12, 31)]


def test_a_sweep_is_every_combination():
    grid = {"calls.applications": [48, 80], "rollout.committee": [20, 40, 80]}
    made = scenarios(config({"sweep": {"grid": grid}}))
    assert [overrides for overrides, _ in made] == [
        {"calls.applications": a, "rollout.committee": c} for a in (48, 80) for c in (20, 40, 80)
    ]
    for overrides, variant in made:
        world = read_study(variant)
        assert world.calls.applications.value == overrides["calls.applications"]
        assert world.rollout.committee.value == overrides["rollout.committee"]
        assert variant | {"calls": 0, "rollout": 0} == config() | {"calls": 0, "rollout": 0}


def test_without_a_sweep_there_is_one_scenario():
    ((overrides, variant),) = scenarios(config())
    assert overrides == {}
    assert variant == config()


@pytest.mark.parametrize(
    ("grid", "words"),
    [
        ({"calls.aplications": [1, 2]}, "sweep.grid.calls.aplications: no such key, did you mean calls.applications?"),
        ({"calls.applications.x.y": [1]}, "sweep.grid.calls.applications.x.y: no such key"),
        ({"calls.applications": []}, "sweep.grid.calls.applications: should list at least one value"),
        (
            {"calls.applications": [48, -1]},
            "sweep, scenario calls.applications=-1: calls.applications: should be between 0 and 100000",
        ),
        ({"calls.applications": 48}, "sweep.grid.calls.applications: should be a valid list"),
    ],
)
def test_a_bad_sweep_is_refused_before_anything_runs(grid, words):
    with pytest.raises(InputError) as caught:
        scenarios(config({"sweep": {"grid": grid}}))
    (line,) = str(caught.value).splitlines()
    assert line.startswith(words)


def test_expanding_a_sweep_leaves_the_configuration_alone():
    cfg = config({"sweep": {"grid": {"calls.applications": [48, 80]}}})
    before = deepcopy(cfg)
    scenarios(cfg)
    assert cfg == before


def test_the_digest_tells_results_apart_and_nothing_else():
    first = digest(config())
    assert first == digest(config())
    for key, value in (("workers", 2), ("out", "somewhere"), ("only", 3), ("observations", "hubs_functional")):
        assert digest(config({key: value})) == first
    for key, value in (("seed", 2), ("replications", 5), ("hiring.attrition", 0.02), ("end", "2026-11-30")):
        assert digest(config({key: value})) != first


def test_parameter_rows():
    rows = {row[0]: row[1:] for row in parameter_rows(study({"hiring.attrition": 0.02}))}
    assert rows["rollout.evaluation"][:4] == ("pert(1, 3, 8)", "months", "hub", "P10 P29 B12")
    assert rows["regions.Punjab.planned_hubs"][:2] == ("149", "hubs")
    assert rows["hiring.attrition"][0] == "0.02"
    assert rows["hiring.attrition"][2] == "-"
    assert "command line" in rows["hiring.attrition"][3]
    assert all(all(row) for row in rows.values())


def test_dotted_keys():
    assert dotted_keys({"a": {"b": 1, "c": {"d": 2}}, "e": [1]}) == ["a", "a.b", "a.c", "a.c.d", "e"]


@pytest.mark.parametrize("override", ["sweep={grid:{rollout.committee:[20]}}", "rollout.grant={value:3,unti:months}"])
def test_a_hint_is_never_the_key_itself(override):
    """What is wrong is inside the value: `did you mean sweep?` about the key sweep helps nobody."""
    key = override.split("=")[0]
    with pytest.raises(InputError) as caught:
        read_study(compose_config([override]))
    assert f"did you mean {key}?" not in str(caught.value)


def test_a_distribution_goes_over_the_value_of_a_parameter():
    cfg = compose_config(["hiring.attrition.value=[uniform,0.01,0.04]"])
    assert str(read_study(cfg).hiring.attrition.value) == "uniform(0.01, 0.04)"


def test_who_forgets_value_is_told_how_to_write_a_distribution():
    with pytest.raises(InputError, match=r"hiring\.attrition\.value="):
        compose_config(["hiring.attrition=[uniform,0.01,0.04]"])


def test_keys_that_say_how_a_study_runs_exist():
    assert set(configuration.HOW_IT_RUNS) <= set(config())


PACKAGES = {
    "plan": {"as it is": {}, "more": {"calls.applications": 90, "calls": "observed"}},
    "world": {"dry": {"rollout.committee": 20}, "wet": {"rollout.committee": 90}},
}


def test_packages_are_crossed():
    sweep = read_study(config({"sweep": {"packages": PACKAGES}})).sweep
    assert sweep.names() == ["as it is in dry", "as it is in wet", "more in dry", "more in wet"]
    assert sweep.levers()[2] == {"plan": "more", "world": "dry"}
    overrides, made = scenarios(config({"sweep": {"packages": PACKAGES}}))[3]
    assert overrides == {"calls.applications": 90, "calls": "observed", "rollout.committee": 90}
    assert (made["calls"]["applications"], made["rollout"]["committee"]) == (90, 90)


@pytest.mark.parametrize(
    ("here", "there"),
    [
        ("rollout.committee", "rollout.committee"),
        ("calls", "calls.interval"),
        ("calls.interval.value", "calls.interval"),
    ],
)
def test_a_lever_is_moved_by_one_kind_of_packages(here, there):
    packages = {"plan": {"a": {here: 1}}, "world": {"b": {there: 2}}}
    with pytest.raises(InputError, match="should be in one kind of packages, got"):
        read_study(config({"sweep": {"packages": packages}}))


def test_a_key_in_a_group_holds_whatever_comes_first():
    """The option of a group is chosen first, then keys in it are moved."""
    order = [{"calls.interval": 5, "calls": "observed"}, {"calls": "observed", "calls.interval": 5}]
    assert [made["calls"]["interval"] for _, made in scenarios(config({"sweep": {"list": order}}))] == [5, 5]


@pytest.mark.parametrize(
    ("precision", "words"),
    [
        ({"metric": "hubs", "half_width": 1}, ["precision.metric", "hubs_open", "'hubs'"]),
        ({"metric": "hubs_open@2026-01-31", "half_width": 1}, ["METRIC@DATE", "2026-12-31", "hubs_open@2026-01-31"]),
        ({"metric": "hubs_open", "half_width": 0}, ["precision.half_width", "greater than 0", "0"]),
        ({"metric": "hubs_open", "half_width": 1, "confidence": 95}, ["precision.confidence", "less than 1", "95"]),
        ({"half_width": 1}, ["precision.metric", "missing"]),
        ({"metric": "hubs_open", "half_width": 1, "width": 1}, ["precision.width", "no such key"]),
    ],
    ids=str,
)
def test_a_precision_that_means_nothing_is_refused(precision, words):
    (line,) = mistake({"precision": precision})
    for word in words:
        assert word in line


def test_a_design_has_no_precision():
    (line,) = mistake({"precision": {"metric": "hubs_open", "half_width": 1}, "design": "sobol"})
    assert "precision should be null with design=sobol" in line
