"""The summary of a study."""

import json
from datetime import date

import pyarrow as pa
import pytest
from scipy import stats

from sim.analysis.intervals import proportion
from sim.analysis.summary import summarise, summarise_scenarios

GOALS = {
    "hubs": {"metric": "hubs_open", "level": 250, "by": date(2027, 12, 31), "label": "250 hubs"},
    "hubs_early": {"metric": "hubs_open", "level": 250, "by": "2027-02-28", "label": "250 hubs early"},
}
END = date(2030, 12, 31)
HUBS = [100.0, 260.0, 300.0, 240.0]
REACHED = [None, date(2027, 2, 28), date(2027, 3, 31), date(2028, 1, 31)]


def runs(scenario=(0, 0, 0, 0, 0)) -> pa.Table:
    return pa.table(
        {
            "scenario": pa.array(scenario, pa.int32()),
            "replication": pa.array(range(5), pa.int32()),
            "error": pa.array([None, None, "ValueError: broken", None, None], pa.string()),
            "param.calls.mean": pa.array([48.0, 48.0, None, 48.0, 48.0]),
            "hubs_open@2027-12-31": pa.array([*HUBS[:2], None, *HUBS[2:]]),
            "hubs_open@2027-02-28": pa.array([1.0, 2.0, None, 3.0, 4.0]),
            "women_share@2027-12-31": pa.array([0.25, None, None, None, None], pa.float64()),
            "seats@2027-12-31": pa.array([None] * 5, pa.float64()),
            "reached.hubs": pa.array([*REACHED[:2], None, *REACHED[2:]], pa.date32()),
            "reached.hubs_early": pa.array([*REACHED[:2], None, *REACHED[2:]], pa.date32()),
        }
    )


def test_goals():
    late, early = summarise(runs(), GOALS, END)["goals"]
    expected = proportion(2, 4)
    assert late == {
        "name": "hubs", "metric": "hubs_open", "level": 250, "by": "2027-12-31", "probability": 0.5,
        "low": expected.low, "high": expected.high, "replications": 4, "median_date": "2027-03-31",
    }  # fmt: skip
    assert (early["by"], early["probability"]) == ("2027-02-28", 0.25)  # on the very day counts


def test_metrics():
    metrics = summarise(runs(), GOALS, END)["metrics"]
    assert list(metrics) == ["hubs_open", "hubs_open@2027-02-28", "women_share", "seats"]
    t = stats.ttest_1samp(HUBS, 0).confidence_interval()
    assert metrics["hubs_open"] == {
        "date": "2027-12-31", "mean": 225, "p10": pytest.approx(142), "p50": 250, "p90": pytest.approx(288),
        "low": pytest.approx(t.low), "high": pytest.approx(t.high), "replications": 4,
    }  # fmt: skip
    assert metrics["women_share"] == {
        "date": "2027-12-31", "mean": 0.25, "p10": 0.25, "p50": 0.25, "p90": 0.25, "low": None, "high": None,
        "replications": 1,
    }  # fmt: skip
    assert {metrics["seats"][key] for key in ("mean", "p10", "p50", "p90", "low", "high")} == {None}
    assert metrics["seats"]["replications"] == 0


def test_goal_due_after_the_horizon_is_unknown():
    late, early = summarise(runs(), GOALS, date(2027, 12, 30))["goals"]
    assert [late[key] for key in ("probability", "low", "high")] == [None] * 3
    assert early["probability"] == 0.25


def test_nothing_finished():
    summary = summarise(runs().slice(2, 1), GOALS, END)
    assert [goal["probability"] for goal in summary["goals"]] == [None, None]
    assert summary["goals"][0]["median_date"] is None
    assert summary["metrics"]["hubs_open"]["mean"] is None
    json.dumps(summary, allow_nan=False)


def test_no_goals():
    bare = runs().select(["scenario", "replication", "error", "param.calls.mean"])
    assert summarise(bare, {}, END) == {"goals": [], "metrics": {}}


def test_scenarios_are_never_pooled():
    table = runs((0, 0, 0, 4, 4))
    with pytest.raises(ValueError, match="summarise_scenarios"):
        summarise(table, GOALS, END)
    first, second = summarise_scenarios(table, GOALS, END)
    assert (first["scenario"], second["scenario"]) == (0, 4)
    assert first["metrics"]["hubs_open"]["mean"] == 180
    assert second["metrics"]["hubs_open"]["mean"] == 270
    json.dumps([first, second], allow_nan=False)
