"""The rollout against the probabilities it is made of."""

import numpy as np
import pytest
from scipy import stats

from sim.model.clock import DAYS_PER_MONTH
from tests.helpers import NO_LIMITS, run, study

pytestmark = [pytest.mark.verification, pytest.mark.short]

ALARM = 1e-4
REJECTION, REFUSAL, SELF, ABANDONMENT = 0.3, 0.35, 0.3, 0.08


def test_the_share_of_applications_that_open():
    """(1 - rejection)(1 - refusal (1 - self-finance))(1 - abandonment) = 0.486 open, without limits.

    All four ends of 12,000 applications together, chi-square with 3 degrees of freedom: false alarm 1e-4.
    """
    world = study(
        NO_LIMITS
        | {"start.open_hubs": 0, "start.backlog": [], "calls.applications": 600, "calls.applications_sd": 0,
           "calls.interval": 600, "rollout.programme_shock": 0.02, "hubs.closure": 0, "hubs.closure_later": 0,
           "rollout.rejection": REJECTION, "rollout.refusal": REFUSAL, "rollout.self_finance": SELF,
           "rollout.abandonment": ABANDONMENT}, end="2026-06-30",
    )  # fmt: skip
    states = np.concatenate([record.sites["state"] for record in run(world, 20)])
    refused = REFUSAL * (1 - SELF)
    opens = (1 - REJECTION) * (1 - refused) * (1 - ABANDONMENT)
    expected = {
        "rejected": REJECTION,
        "refused": (1 - REJECTION) * refused,
        "abandoned": (1 - REJECTION) * (1 - refused) * ABANDONMENT,
        "open": opens,
    }
    assert opens == pytest.approx(0.486, abs=5e-4)
    counts = [np.sum(states == state) for state in expected]
    assert sum(counts) == len(states) == 12_000
    assert stats.chisquare(counts, np.array(list(expected.values())) * 12_000).pvalue > ALARM


def test_durations_follow_their_distributions():
    """Working time of each stage of greenfield hubs in regions that are not remote, KS: false alarm 1e-4 together."""
    world = study(
        NO_LIMITS
        | {"start.open_hubs": 0, "start.backlog": [], "calls.applications": 500, "calls.applications_sd": 0,
           "calls.interval": 600, "rollout.programme_shock": 0.1, "rollout.rejection": 0, "rollout.refusal": 0,
           "rollout.abandonment": 0, "rollout.brownfield_share": 0, "rollout.remote_factor": 1}, end="2026-12-31",
    )  # fmt: skip
    records = run(world, 6)
    fit_out = stats.beta(1 + 4 * 2.5 / 8.5, 1 + 4 * 6 / 8.5, loc=1.5, scale=8.5)
    references = {
        "evaluation": stats.beta(1 + 4 * 2 / 7, 1 + 4 * 5 / 7, loc=1, scale=7),
        "finance": stats.lognorm(0.6, scale=3.0),
        "fit_out": fit_out,
        "connectivity": stats.lognorm(0.7, scale=1.0),
    }
    for stage, reference in references.items():
        months = np.concatenate([record.sites[f"{stage}_work_days"] for record in records]) / DAYS_PER_MONTH / 0.1
        assert len(months) == 3000
        assert stats.kstest(months, reference.cdf).pvalue > ALARM / 4, stage


def test_calls_bring_negative_binomial_batches():
    """Batches of 400 first calls with mean 48 and sd 25, chi-square on 12 equally likely bins: false alarm 1e-4."""
    world = study({"start.open_hubs": 0, "start.backlog": [], "calls.applications": 48, "calls.interval": 600},
                  end="2025-11-15")  # fmt: skip
    batches = np.array([len(record.sites["site_id"]) for record in run(world, 400)])
    p = 48 / 25**2
    reference = stats.nbinom(48 * p / (1 - p), p)
    edges = np.unique(reference.ppf(np.linspace(0, 1, 13)[1:-1]))
    share = np.diff([0, *reference.cdf(edges), 1])
    counts = np.bincount(np.searchsorted(edges, batches), minlength=len(share))
    assert stats.chisquare(counts, share * 400).pvalue > ALARM


def test_the_programme_spends_its_share_of_the_line():
    """Released in a full fiscal year: line x execution on average; 100 runs, z on the mean: false alarm 1e-4.

    From 1 July 2026 to 30 June 2027 without delay, all of it asked for: hubs in the queue would take ten times as much.
    """
    world = study(
        NO_LIMITS
        | {"start.open_hubs": 0, "start.backlog": [], "calls.applications": 400, "calls.applications_sd": 0,
           "calls.interval": 600, "rollout.programme_shock": 0, "rollout.rejection": 0, "rollout.refusal": 0,
           "rollout.grant": 0.5, "programme.line_2026": 100, "programme.hub_share": 1, "programme.release_delay": 0,
           "hiring.round_days": 365},
        end="2027-06-30",
    )  # fmt: skip
    spent = []
    for record in run(world, 100):
        funded, start = record.sites["funded"], record.dates[0]
        days = [(np.datetime64(day) - np.datetime64(start)).astype(int) for day in ("2026-07-01", "2027-07-01")]
        spent.append(0.5 * np.sum((funded >= days[0]) & (funded < days[1])))
    mean, sd = 100 * 5 / 8, 100 * stats.beta(5, 3).std()
    # Rounding to whole grants and the share carried over from the quarter before: at most one grant either way.
    assert abs(np.mean(spent) - mean) < stats.norm.isf(ALARM / 2) * sd / np.sqrt(len(spent)) + 0.5
