"""Estimates under every design of the parameters, and with control variates: unbiased, and covered as they claim."""

from zlib import crc32

import numpy as np
from scipy import stats

from sim.analysis.intervals import mean
from sim.analysis.variance import controlled, grouped
from sim.model.streams import Purpose, Streams
from sim.results.tables import build
from sim.study import design
from sim.study.design import GROUPS, designed, uniforms
from sim.study.montecarlo import replicate
from sim.workflow import variance_reduction
from tests.helpers import study
from tests.verification.alarms import BLUE, GREY, ORANGE, SEED, VERMILLION, check, mean_of, rng

PATHS = ["calls.applications", "rollout.refusal", "rollout.rejection", "rollout.programme_shock"]
N, STUDIES = 80, 600
TRUE = np.exp(1) - 1 + 0.25 + 0.5  # of `response`


def response(u, random):
    """A figure that is monotone in three parameters, has an interaction, and luck of its own."""
    return np.exp(u[:, 0]) + u[:, 1] * u[:, 2] + (u[:, 3] > 0.5) + random.normal(0, 0.3, len(u))


def points(world):
    """Uniforms of the parameters of all replications, as the design or the streams say."""
    rows = []
    for number, point in enumerate(uniforms(world, 0, N)):
        own = {} if point else {
            path: Streams(world.seed, number).block(Purpose.PARAMETER, crc32(path.encode()), 1)[0]
            for path in PATHS
        }  # fmt: skip
        rows.append([(point or own)[path] for path in PATHS])
    return np.array(rows)


@check(short=True)
def designs_and_controls(level):
    """Designs of the parameters and control variates.

    Theory: every replication of an antithetic, Latin hypercube or scrambled Sobol design is uniform, so means stay
    unbiased. Means of pairs or of hypercubes are independent, so their t interval covers 95%, as that of control
    variates does up to 1 / n. The plain t interval takes replications for independent: where the design makes means
    vary less (figures monotone in the parameters) it covers more than it claims.
    Test: 600 studies of 80 replications of a known function of four parameters plus luck; t test of the mean error;
    coverage of 95% where that is claimed, and not below it for the plain interval under a design (binomial); the
    variance of the mean is not above that of chance (F).
    False alarm: 4e-4.
    """
    base = study({"designed": PATHS})
    found, variance = {}, {}
    for kind in ("random", "antithetic", "latin_hypercube", "sobol"):
        estimates = {"plain": [], "own": []}
        for number in range(STUDIES):
            world = base.model_copy(update={"seed": 1000 * SEED + number, "design": kind})
            assert set(designed(world)) == set(PATHS)
            u = points(world)
            y = response(u, rng(60, number))
            estimates["plain"].append(mean(y))
            if kind == "random":
                estimates["own"].append(controlled(y, u - 0.5))
            elif kind in GROUPS:
                estimates["own"].append(grouped(y, np.arange(N), GROUPS[kind]))
        for name, ones in estimates.items():
            if not ones:
                continue
            what = f"{kind}, {'control variates' if (kind, name) == ('random', 'own') else name}"
            errors = np.array([one.value - TRUE for one in ones])
            covered = [one.low <= TRUE <= one.high for one in ones]
            found[what] = np.mean(covered)
            variance[what] = errors.var(ddof=1)
            level.t(mean_of(errors), 1 / 20, 0, f"error, {what}")
            if name == "own" or kind == "random":
                p = stats.binomtest(sum(covered), STUDIES, 0.95).pvalue
                level.p(p, 1 / 20, f"coverage, {what}: {found[what]:.3f}")
            else:
                p = stats.binomtest(sum(covered), STUDIES, 0.95, alternative="less").pvalue
                level.p(p, 1 / 20, f"coverage not below, {what}: {found[what]:.3f}")
            if what != "random, plain":
                gain = variance["random, plain"] / variance[what]
                level.rows.append((what, found[what], gain))
                p = stats.f.cdf(gain, STUDIES - 1, STUDIES - 1)
                level.p(p, 1 / 20, f"variance below chance, {what}: equal to {gain:.1f} times as many runs")

    def draw(ax):
        names = list(found)
        ax.bar(range(len(names)), [100 * found[name] for name in names], 0.6,
               color=[BLUE if "plain" in name else ORANGE for name in names])  # fmt: skip
        ax.axhline(95, color=VERMILLION, lw=1, label="claimed")
        for i, name in enumerate(names):
            ax.text(
                i, 90.4, f"{variance['random, plain'] / variance[name]:.1f}×", ha="center", fontsize=7, color="white"
            )
        ax.set_xticks(range(len(names)), [name.replace(", ", ",\n").replace("_", "\n") for name in names], fontsize=6)
        ax.set(ylim=(90, 101), ylabel="coverage, %", xlabel="in the bars: equal to so many times as many plain runs")

    return draw


RUNS, LAST = 320, "2026-06-30"


@check
def designs_of_the_model(level):
    """Designs of the parameters and control variates, on the model.

    Theory: whatever the design, each replication has the distribution of one at random, so means of the model's figures
    are those of chance; so is what the summary makes of them by pairs, hypercubes or control variates, but for terms of
    1 / n in the last.
    Test: baseline to the end of June 2026, 320 replications under each design and, with control variates, at random,
    all of independent seeds; t test of mean applications, hubs open and jobs, as the summary has them, against 320
    other replications at random (for a Sobol sequence with the plain standard error, which is too large).
    False alarm: 4e-4.
    """
    names = ("applications", "hubs_open", "jobs_supported")
    columns = [f"{name}@{LAST}" for name in names]
    base = study({"goals": {}}, end=LAST)

    def outcomes(kind, seed):
        world = base.model_copy(update={"seed": 2000 * SEED + seed, "design": kind})
        made = [replicate(world, number, point) for number, point in enumerate(design.points(world, 0, RUNS))]
        return world, build(made, world.start.date)["runs"]

    def plain(runs):
        return [mean_of(runs.column(name).to_numpy()) for name in columns]

    chance = plain(outcomes("random", 0)[1])
    found = {"at random": chance}
    kinds = {"control variates": "random", "pairs": "antithetic", "hypercubes": "latin_hypercube", "Sobol": "sobol"}
    for seed, (what, kind) in enumerate(kinds.items(), 1):
        world, runs = outcomes(kind, seed)
        reduced = variance_reduction(world, runs, columns)
        assert bool(reduced) == (kind != "sobol")
        if reduced:
            assert [f"{one['metric']}@{one['date']}" for one in reduced] == columns
            groups = RUNS // GROUPS[kind] - 1 if kind in GROUPS else RUNS - 50  # about as many controls as 50
            found[what] = [
                (one["value"], (one["high"] - one["low"]) / 2 / stats.t.isf(0.025, groups), groups) for one in reduced
            ]
        else:
            found[what] = plain(runs)
        for name, (value, error, dof), (other, spread, _) in zip(names, found[what], chance, strict=True):
            level.t((value - other, np.hypot(error, spread), min(dof, RUNS - 1)), 1 / 12, 0, f"{name}, {what}")

    def draw(ax):
        for row, ones in enumerate(found.values()):
            value, error, _ = ones[1]
            ax.errorbar(value, -row, xerr=2.576 * error, fmt="o", ms=3, color=BLUE if row else GREY)
        ax.set_yticks([-row for row in range(len(found))], list(found))
        ax.set(xlabel="mean hubs open at the end of June 2026, 99% intervals")

    return draw
