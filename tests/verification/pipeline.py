"""The rollout without limits, calls, money and closing, against the probabilities they are made of."""

from datetime import date

import numpy as np
from scipy import stats
from scipy.signal import fftconvolve

from sim.model.clock import DAYS_PER_MONTH
from sim.model.streams import Purpose, Streams
from sim.model.world import World
from tests.helpers import NO_LIMITS, metric, run, study
from tests.verification.alarms import SEED, check, dots, fitted

ONE_CALL = {"start.open_hubs": 0, "start.states": [], "start.calls": [date(2025, 11, 3)], "calls.interval": 600,
            "calls.applications_sd": 0}  # fmt: skip
ALL_GO_ON = {"rollout.rejection": 0, "rollout.refusal": 0, "rollout.abandonment": 0}
NEVER_CLOSE = {"hubs.closure": 0, "hubs.closure_later": 0}
REJECTION, REFUSAL, SELF, ABANDONMENT = 0.3, 0.35, 0.3, 0.08
CHANCES = {"rollout.rejection": REJECTION, "rollout.refusal": REFUSAL, "rollout.self_finance": SELF,
           "rollout.abandonment": ABANDONMENT}  # fmt: skip
OPENS = (1 - REJECTION) * (1 - REFUSAL * (1 - SELF)) * (1 - ABANDONMENT)
MONTHS = {
    "evaluation": stats.beta(1 + 4 * 2 / 7, 1 + 4 * 5 / 7, loc=1, scale=7),
    "finance": stats.lognorm(0.6, scale=3.0),
    "fit_out": stats.beta(1 + 4 * 2.5 / 8.5, 1 + 4 * 6 / 8.5, loc=1.5, scale=8.5),
    "connectivity": stats.lognorm(0.7, scale=1.0),
}
DURATIONS = {
    "rollout.evaluation": {"value": ["pert", 1, 3, 8]}, "rollout.finance": {"value": ["lognormal", 3, 0.6]},
    "rollout.fit_out": {"value": ["pert", 1.5, 4, 10]}, "rollout.connectivity": {"value": ["lognormal", 1, 0.7]},
}  # fmt: skip


@check(short=True)
def ends_of_applications(level):
    """How applications end.

    Theory: independent decisions, so (1 - rejection)(1 - refusal (1 - self-finance))(1 - abandonment) = 0.486 open,
    and the other ends likewise.
    Test: all four ends of 12,000 applications, chi-square with 3 degrees of freedom.
    False alarm: 1e-4.
    """
    world = study(
        NO_LIMITS | ONE_CALL | NEVER_CLOSE | CHANCES | {"calls.applications": 600, "rollout.programme_shock": 0.02},
        end="2026-06-30",
    )
    states = np.concatenate([record.sites["state"] for record in run(world, 20, SEED)])
    refused = REFUSAL * (1 - SELF)
    expected = {"rejected": REJECTION, "refused": (1 - REJECTION) * refused,
                "abandoned": OPENS * ABANDONMENT / (1 - ABANDONMENT), "open": OPENS}  # fmt: skip
    counts = np.array([np.sum(states == state) for state in expected])
    shares = np.array(list(expected.values()))
    assert counts.sum() == len(states) == 12_000
    level.p(stats.chisquare(counts, shares * 12_000).pvalue, 1, "ends")

    error = np.sqrt(shares * (1 - shares) / 12_000)
    return dots(list(expected), counts / 12_000, error, shares, ylabel="share of applications", ylim=(0, None))


@check(short=True)
def stage_durations(level):
    """Working time of the four stages.

    Theory: the declared distributions, beta-PERT (Malcolm et al. 1959) and log-normal, times the common factor.
    Test: 3,000 hubs that convert nothing in regions that are not remote; Kolmogorov-Smirnov for each stage.
    False alarm: 1e-4.
    """
    world = study(
        NO_LIMITS | ONE_CALL | ALL_GO_ON | DURATIONS
        | {"calls.applications": 500, "rollout.programme_shock": 0.1, "rollout.brownfield_share": 0,
           "rollout.remote_factor": 1}, end="2026-12-31",
    )  # fmt: skip
    records = run(world, 6, SEED)
    for stage, reference in MONTHS.items():
        months = np.concatenate([record.sites[f"{stage}_work_days"] for record in records]) / DAYS_PER_MONTH / 0.1
        assert len(months) == 3000
        level.p(stats.kstest(months, reference.cdf).pvalue, 1 / 4, stage)
        if stage == "evaluation":
            shown = months
    return fitted(shown, MONTHS["evaluation"].cdf, "months of evaluation")


def chance_open(months, remote, brownfield, hazard, step=0.005, horizon=80.0):
    """Probability that a hub is open so many months after its application, and that it has opened by then.

    Densities of the stages are convolved on a grid; a share of hubs is remote, and a share converts.
    """
    grid = np.arange(0, horizon, step)

    def mass(stage, factor):
        edges = np.append(grid - step / 2, grid[-1] + step / 2)
        return np.diff(MONTHS[stage].cdf(edges / factor))

    density = np.zeros(len(grid))
    for (far, share_far), (near, share) in (
        (a, b) for a in ((1.3, remote), (1.0, 1 - remote)) for b in ((0.5, brownfield), (1.0, 1 - brownfield))
    ):
        one = mass("evaluation", 1.0)
        for stage in ("finance", "fit_out", "connectivity"):
            one = fftconvolve(one, mass(stage, far * near))[: len(grid)]
        density += share_far * share * one
    opened = OPENS * np.cumsum(density)
    still = OPENS * fftconvolve(density, np.exp(-hazard * grid))[: len(grid)]
    return [np.clip(np.interp(months, grid, curve, left=0.0), 0.0, 1.0) for curve in (still, opened)]


@check(short=True)
def hubs_open_by_date(level):
    """Hubs open on every month end.

    Theory: without limits each application opens after evaluation + factor x (finance + fit-out + connectivity),
    where the factor is that of its region and of its building, unless it is rejected, refused or abandoned, and
    closes at a constant hazard: the distribution is the convolution of the stages', here on a grid of 0.005 months.
    Test: 80 runs of three calls with 120 applications each, two fifths of them remote and two fifths conversions; z
    of the hubs open on some 40 month ends, binomial test of the share that opens, Kolmogorov-Smirnov of the months
    from application to opening.
    False alarm: 3e-4.
    """
    remote, brownfield, hazard, runs, size = 0.4, 0.4, 0.01, 80, 120
    regions = {f"regions.{name}.planned_hubs": 0 for name in ("Sindh", "KP", "Islamabad", "Balochistan", "AJK")}
    world = study(
        NO_LIMITS | ONE_CALL | CHANCES | DURATIONS | regions
        | {"regions.Punjab.planned_hubs": 3, "regions.GB.planned_hubs": 2, "rollout.remote_factor": 1.3,
           "rollout.brownfield_share": brownfield, "rollout.brownfield_factor": 0.5, "rollout.programme_shock": 1,
           "hubs.closure": hazard, "hubs.closure_later": hazard, "hiring.round_days": 365, "calls.applications": size,
           "start.calls": [date(2025, 11, 14), date(2026, 6, 1), date(2027, 1, 1)]}, end="2029-11-13",
    )  # fmt: skip
    records = run(world, runs, SEED)
    days = np.array([(day - date(2025, 11, 14)).days + 1.0 for day in records[0].dates])
    calls = np.array([(day - date(2025, 11, 14)).days + 0.5 for day in world.start.calls])
    still, _ = chance_open((days[:, None] - calls) / DAYS_PER_MONTH, remote, brownfield, hazard)
    expected, sd = size * still.sum(1), np.sqrt(size * np.sum(still * (1 - still), 1) / runs)
    counted = np.mean([[metric([record], "hubs_open", i)[0] for i in range(len(days))] for record in records], axis=0)
    telling = sd > 0.05  # where a z is a z: some 10 hubs or more are expected in all runs together
    assert telling.sum() > 38
    for i in np.flatnonzero(telling):
        level.z((counted[i] - expected[i]) / sd[i], 1 / 3 / telling.sum(), f"hubs open on {records[0].dates[i]}")
    limit = (days[-1] - calls[-1]) / DAYS_PER_MONTH
    months = np.concatenate([(r.sites["opened"] - r.sites["applied"]) / DAYS_PER_MONTH for r in records])
    opened = months[months <= limit]
    grid = np.linspace(0, limit, 2000)
    curve = chance_open(grid, remote, brownfield, hazard)[1]
    level.p(stats.binomtest(len(opened), len(months), curve[-1]).pvalue, 1 / 3, "hubs that have opened at all")
    level.p(stats.kstest(opened, lambda x: np.interp(x, grid, curve / curve[-1])).pvalue, 1 / 3, "months to opening")
    return dots(days, counted, sd, expected, xlabel="days since the start date", ylabel="hubs open, mean of 80 runs")


@check(short=True)
def batches(level):
    """Applications of a call.

    Theory: negative binomial with mean 48 and standard deviation 25.
    Test: 400 first calls, chi-square on 12 cells of about equal probability.
    False alarm: 1e-4.
    """
    world = study(ONE_CALL | {"calls.applications": 48, "calls.applications_sd": 25}, end="2025-11-15")
    found = np.array([len(record.sites["site_id"]) for record in run(world, 400, SEED)])
    p = 48 / 25**2
    reference = stats.nbinom(48 * p / (1 - p), p)
    edges = np.unique(reference.ppf(np.linspace(0, 1, 13)[1:-1]))
    share = np.diff([0, *reference.cdf(edges), 1])
    counts = np.bincount(np.searchsorted(edges, found), minlength=len(share))
    level.p(stats.chisquare(counts, share * 400).pvalue, 1, "batches")

    names, error = [f"{low:.0f}-" for low in [0, *(edges + 1)]], np.sqrt(share * (1 - share) / 400)
    return dots(names, counts / 400, error, share, xlabel="applications in a call", ylabel="share of calls")


@check
def programme_spends_its_line(level):
    """What the programme releases in a year.

    Theory: line x execution, beta(5, 3), so five eighths of the line on average, with that distribution's spread.
    Test: fiscal year 2027 of 100 runs without delay, all of it asked for in grants of half a million; z of the mean,
    where whole grants may shift it by one grant.
    False alarm: 1e-4.
    """
    world = study(
        NO_LIMITS | ONE_CALL | ALL_GO_ON
        | {"calls.applications": 400, "rollout.programme_shock": 0, "rollout.grant": 0.5, "programme.line_2026": 100,
           "programme.hub_share": 1, "programme.release_delay": 0, "programme.execution": {"value": ["beta", 5, 3]},
           "hiring.round_days": 365, "outages.frequency": 0}, end="2027-06-30",
    )  # fmt: skip
    first, last = ((day - date(2025, 11, 14)).days for day in (date(2026, 7, 1), date(2027, 7, 1)))
    funded = [record.sites["funded"] for record in run(world, 100, SEED)]
    spent = 0.5 * np.array([np.sum((days >= first) & (days < last)) for days in funded])
    reference = stats.beta(5, 3, scale=100)
    off = max(0.0, abs(spent.mean() - reference.mean()) - 0.5)
    level.z(off / reference.std() * 10, 1, "mean of the year")
    return fitted(spent, reference.cdf, "Rs million released in a year")


@check(short=True)
def regions_as_planned(level):
    """Where hubs stand.

    Theory: hubs fall to regions independently, in proportion to planned_hubs.
    Test: 6,000 hubs, chi-square over the seven regions.
    False alarm: 1e-4.
    """
    world = study(ONE_CALL | {"calls.applications": 300}, end="2025-11-15")
    regions = np.concatenate([record.sites["region"] for record in run(world, 20, SEED)])
    planned = {name: region.planned_hubs.value for name, region in world.regions.items()}
    share = np.array(list(planned.values())) / sum(planned.values())
    counts = np.array([np.sum(regions == name) for name in planned])
    assert counts.sum() == 6000
    level.p(stats.chisquare(counts, share * 6000).pvalue, 1, "regions")

    error = np.sqrt(share * (1 - share) / 6000)
    return dots(list(planned), counts / 6000, error, share, ylabel="share of hubs", yscale="log")


EARLY, LATER, CHANGE = 0.02, 0.05, 24.0
HAZARDS = {"hubs.closure": EARLY, "hubs.closure_later": LATER, "hubs.closure_change": CHANGE}


def integrated(age):
    """Integrated hazard of closing up to an age in months."""
    return EARLY * np.minimum(age, CHANGE) + LATER * np.maximum(age - CHANGE, 0)


@check(short=True)
def closing_ages(level):
    """Ages at which hubs close.

    Theory: piecewise exponential, hazard 0.02 a month, 0.05 after 24 months, given survival to an age.
    Test: 20,000 ages for survival to 0, 7 and 30 months each; Kolmogorov-Smirnov.
    False alarm: 3e-4.
    """
    world = World(study(HAZARDS), Streams(1, 0))
    for survived in (30.0, 7.0, 0.0):
        us = Streams(SEED, int(survived)).block(Purpose.SITE, 1, 20_000)
        ages = np.array([world.closing_age(u, survived) for u in us])
        assert ages.min() >= survived
        p = stats.kstest(ages, lambda age, at=survived: 1 - np.exp(integrated(at) - integrated(age))).pvalue
        level.p(p, 1 / 3, f"given {survived} months")
    return fitted(ages, lambda age: 1 - np.exp(-integrated(age)), "age at closing, months", 100)


@check(short=True)
def closures(level):
    """How many hubs close in whole runs.

    Theory: integrated hazards of lives that are cut at the end of a run: closures have the mean and the variance of
    the hazard lived through (Aalen et al. 2008, Survival and Event History Analysis, 2.2).
    Test: 40 runs with 60 hubs open at the start, which count from the start on as they are known to have survived; z.
    False alarm: 1e-4.
    """
    closed_by_run, lived_by_run = [], []
    for record in run(study({**HAZARDS, "start.open_hubs": 60}, end="2027-12-31"), 40, SEED):
        end = (record.dates[-1] - record.dates[0]).days + 1.0
        opened, closed = record.sites["opened"], record.sites["closed"]
        lived = ~np.isnan(opened)
        opened, last = opened[lived], np.where(np.isnan(closed), end, closed)[lived]
        from_age = np.maximum(-opened, 0) / DAYS_PER_MONTH
        lived_by_run.append(np.sum(integrated((last - opened) / DAYS_PER_MONTH) - integrated(from_age)))
        closed_by_run.append(np.sum(~np.isnan(closed)))
    count, hazard = np.sum(closed_by_run), np.sum(lived_by_run)
    assert count > 1000
    level.z((count - hazard) / np.sqrt(hazard), 1, f"{count} closures, hazard {hazard:.0f}")

    x, y = np.transpose(sorted(zip(lived_by_run, closed_by_run, strict=True)))
    return dots(x, y, np.sqrt(x), x, xlabel="hazard lived through in a run", ylabel="closures in a run")
