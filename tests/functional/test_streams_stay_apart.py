"""One more hub or contractor leaves every other hub's dice alone: compared row by row."""

import numpy as np
import pytest

from tests.helpers import NO_LIMITS, metric, run, same_sites, study

REPLICATIONS = 4
PIPELINE = (
    "site_id", "kind", "region", "origin", "state", "brownfield", "large_city", "seats", "applied", "evaluated",
    "financed", "funded", "fitted_out", "opened", "ended", "closed",
)  # fmt: skip
DRAWN = ("site_id", "kind", "region", "origin", "brownfield", "large_city", "applied")
WORK = tuple(f"{stage}_work_days" for stage in ("evaluation", "finance", "fit_out", "connectivity"))


@pytest.fixture(scope="module")
def one_hub_more():
    return [
        run(study({"start.open_hubs": hubs, "outages.frequency": 3}, end="2027-06-30"), REPLICATIONS)
        for hubs in (40, 41)
    ]


def test_a_41st_hub_leaves_the_draws_and_the_pipeline_of_all_others_alone(one_hub_more):
    for before, after in zip(*one_hub_more, strict=True):
        others = after.sites["site_id"] != "initial-00-040"
        assert (~others).sum() == 1
        assert len(before.sites["site_id"]) == others.sum() > 80
        assert before.drawn == after.drawn
        everything = np.ones(len(before.sites["site_id"]), bool)
        # People and exports may differ: hubs of one region hire from one pool.
        same_sites(before, after, everything, others, without=("people", "exports_usd"))


def test_a_41st_hub_changes_nothing_in_other_regions(one_hub_more):
    for before, after in zip(*one_hub_more, strict=True):
        region = after.sites["region"][after.sites["site_id"] == "initial-00-040"][0]
        same_sites(before, after, before.sites["region"] != region, after.sites["region"] != region)
        for i, (_, name) in enumerate(before.places):
            same = np.array_equal(before.monthly[i], after.monthly[i])
            assert same == (name != region)


def test_the_new_hub_is_in_different_regions():
    """Otherwise the test above would always look at the same one."""
    world = study({"start.open_hubs": 41}, end="2025-11-30")
    regions = {record.sites["region"][record.sites["site_id"] == "initial-00-040"][0] for record in run(world, 20)}
    assert len(regions) > 1


def test_another_contractor_changes_no_draw():
    """With few contractors, where the queue does change."""
    few = {f"regions.{region}.contractors": 2 for region in ("Punjab", "Sindh", "KP", "Islamabad", "Balochistan")}
    before, after = (
        run(study(few | {"regions.Punjab.contractors": number}, end="2027-06-30"), REPLICATIONS) for number in (2, 3)
    )
    moved = 0
    for a, b in zip(before, after, strict=True):
        assert a.drawn == b.drawn
        for name in DRAWN:
            np.testing.assert_array_equal(a.sites[name], b.sites[name], err_msg=name)
        both_open = (a.sites["seats"] > 0) & (b.sites["seats"] > 0)
        np.testing.assert_array_equal(a.sites["seats"][both_open], b.sites["seats"][both_open])
        for name in WORK:  # durations of the stages that both have behind them
            behind = ~np.isnan(a.sites["ended"]) & ~np.isnan(b.sites["ended"])
            np.testing.assert_allclose(a.sites[name][behind], b.sites[name][behind], rtol=1e-9, atol=1e-9)
        elsewhere = a.sites["region"] != "Punjab"
        same_sites(a, b, elsewhere, elsewhere)
        moved += not np.array_equal(a.sites["opened"], b.sites["opened"], equal_nan=True)
    assert moved > 0


def test_another_contractor_changes_nothing_where_nobody_waits():
    base = run(study(NO_LIMITS, end="2027-06-30"), 2)
    more = run(study({**NO_LIMITS, "regions.Punjab.contractors": 10_001}, end="2027-06-30"), 2)
    for a, b in zip(base, more, strict=True):
        everything = np.ones(len(a.sites["site_id"]), bool)
        assert np.nanmax(a.sites["fit_out_wait_days"]) < 1e-9
        same_sites(a, b, everything, everything)
        np.testing.assert_array_equal(a.monthly, b.monthly)


def test_a_lever_on_one_thing_leaves_the_dice_of_others_alone():
    """More hiring rounds, another closure hazard: the rollout is the same to the minute."""
    base = run(study(), 2)
    for overrides in ({"hiring.round_days": 15}, {"hiring.freelancer_share": 1}, {"outages.frequency": 0}):
        for a, b in zip(base, run(study(overrides), 2), strict=True):
            for name in PIPELINE:
                np.testing.assert_array_equal(a.sites[name], b.sites[name], err_msg=name)


# --- common random numbers


PAIRS = 30
SETTINGS = {
    "occupancy": {"hiring.occupancy": 0.72},
    "one more hub": {"start.open_hubs": 44},
    "committee": {"rollout.committee": 12},
}
BASE = {"hiring.occupancy": 0.68, "start.open_hubs": 43, "rollout.committee": 10}


def jobs(overrides, seed):
    return metric(run(study(BASE | overrides, end="2026-12-31"), PAIRS, seed=seed), "jobs_supported")


@pytest.fixture(scope="module")
def base_jobs():
    return jobs({}, seed=1), jobs({}, seed=2)


@pytest.mark.parametrize("name", SETTINGS)
def test_pairs_on_common_numbers_differ_a_quarter_as_much_at_most(name, base_jobs):
    """sd of the paired difference in jobs under a quarter of the sd of a difference with independent seeds."""
    same, other = base_jobs
    changed = jobs(SETTINGS[name], seed=1)
    paired, independent = np.std(changed - same, ddof=1), np.std(changed - other, ddof=1)
    assert paired > 0
    assert paired < independent / 4
