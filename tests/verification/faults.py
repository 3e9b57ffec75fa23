"""Faults planted in the model or its statistics, each with its size and the check that must go red."""

from typing import Any, NamedTuple

from scipy.special import ndtri, stdtrit

from sim.analysis import compare, discover, intervals, precision, sensitivity, solve, value_of_information, variance
from sim.model import exports, programme, rollout, world
from sim.model.firms import Firms
from sim.model.hiring import Hiring
from sim.model.site import Draw, State
from sim.model.snapshot import snapshot
from sim.model.world import World
from sim.study import design


class Fault(NamedTuple):
    what: str
    size: str
    check: str
    plant: Any  # function of pytest's monkeypatch


FAULTS: list[Fault] = []


def fault(what, size, *checks):
    def enter(plant):
        FAULTS.extend(Fault(what, size, check, plant) for check in checks)
        return plant

    return enter


def scaled(patch, owner, name, factor):
    """Multiply an attribute that is set by __init__."""
    made = owner.__init__

    def init(self, *args):
        made(self, *args)
        setattr(self, name, getattr(self, name) * factor)

    patch.setattr(owner, "__init__", init)


@fault("evaluation takes longer", "10%", "hubs_open_by_date", "stage_durations")
def slow_evaluation(patch):
    work = rollout.work
    patch.setattr(rollout, "work", lambda w, s, months: work(w, s, months * (1 + 0.1 * (s.state == State.evaluation))))


@fault("employees leave more often", "attrition x 1.15", "settled_hub")
def more_attrition(patch):
    scaled(patch, Hiring, "attrition", 1.15)


@fault("vacancies for employees are filled later", "time to hire x 1.15", "rounds_and_persons")
def slow_hiring(patch):
    to_hire = Hiring.unfilled
    patch.setattr(Hiring, "unfilled", lambda self, days, u: to_hire(self, days / 1.15, u))


@fault("a contractor is never released", "by one hub of a call", "every_wait")
def leaked_contractor(patch):
    fit_out = rollout.PROCESS[State.fit_out]

    def leaking(w, site):
        if site.number == 5:
            yield site.region.contractors.request()
            yield rollout.work(w, site, w.p.rollout.fit_out(site.u[Draw.fit_out]))
            return None
        return (yield from fit_out(w, site))

    patch.setitem(rollout.PROCESS, State.fit_out, leaking)


@fault("an abandoned hub keeps its contractor to the planned end", "1 hub in 5", "pollaczek_khinchine")
def kept_contractor(patch):
    fit_out = rollout.PROCESS[State.fit_out]

    def keeping(w, site):
        site.u[Draw.abandoned_at] = 1.0
        return (yield from fit_out(w, site))

    patch.setitem(rollout.PROCESS, State.fit_out, keeping)


@fault("the committee has a place too many", "3 for 2", "erlang_c")
def extra_place(patch):
    made = World.__init__

    def init(self, *args):
        made(self, *args)
        self.committee._capacity += 1

    patch.setattr(World, "__init__", init)


@fault("a stream is shared by two hubs", "2 of 4,000", "streams_apart")
def shared_stream(patch):
    entity = world.site_entity
    patch.setattr(world, "site_entity", lambda o, b, n: entity(o, b, 6 if (b, n) == (20, 7) else n))


@fault("half-widths of t intervals are too small", "20%", "mean_interval")
def narrow_mean(patch):
    patch.setattr(intervals, "stdtrit", lambda dof, p: 0.8 * stdtrit(dof, p))


@fault("half-widths of Wilson's intervals are too small", "20%", "wilson_interval")
def narrow_chance(patch):
    patch.setattr(intervals, "ndtri", lambda p: 0.8 * ndtri(p))


@fault("runs are stopped by intervals of a fixed number", "4 to 5 looks", "stopped_chances", "stopped_means")
def fixed_number(patch):
    patch.setattr(precision, "_each", lambda asked: asked.confidence)


@fault("comparisons are not corrected for their number", "6 comparisons", "family_of_comparisons")
def uncorrected(patch):
    patch.setattr(compare, "_holm", lambda found, m: [one._replace(distinct=one.p < compare.ALPHA) for one in found])


@fault("the last release is in the account at the start and paid again", "a quarter's release", "cut_and_restarted")
def release_paid_again(patch):
    patch.setattr(world, "snapshot", lambda w: snapshot(w) | {"released": "2025-07-01"})


@fault("hubs under way have more work left than they had", "20%", "cut_and_restarted")
def more_work_left(patch):
    def longer(hubs):
        return [[stage, left and 1.2 * left, *known] for stage, left, *known in hubs]

    patch.setattr(world, "snapshot", lambda w: snapshot(w) | {"hubs": longer(snapshot(w)["hubs"])})


@fault("exports are counted twice", "one booking in two hundred", "integral_of_exports")
def exports_twice(patch):
    settle, booked = exports.settle, []

    def twice(site, *args):
        before = site.exports_usd
        settle(site, *args)
        booked.append(site)
        if len(booked) % 200 == 0:
            site.exports_usd += site.exports_usd - before

    patch.setattr(exports, "settle", twice)


@fault("more money is released than the line holds", "2%", "programme_money")
def more_money(patch):
    shares = programme.dirichlet_quantiles
    patch.setattr(programme, "dirichlet_quantiles", lambda us, w: [1.02 * x for x in shares(us, w)])


@fault("hubs close earlier", "ages / 1.15", "closures", "closing_ages")
def early_closing(patch):
    age = World.closing_age
    patch.setattr(World, "closing_age", lambda self, u, survived: survived + (age(self, u, survived) - survived) / 1.15)


@fault("firms leave more often", "exits x 1.25", "tenancies")
def more_exits(patch):
    scaled(patch, Firms, "exit", 1.25)


@fault("plans are certified by their share of successes", "no bound", "errors_of_a_sequence")
def certified_without_bound(patch):
    patch.setattr(solve, "lower_bound", lambda successes, n, confidence: successes / n)


@fault("search and certificates are held to a lower target", "8 points", "certified_plans")
def lower_target(patch):
    bound, logit = solve.lower_bound, solve.logit
    patch.setattr(solve, "lower_bound", lambda *args: bound(*args) + 0.08)
    patch.setattr(solve, "logit", lambda p: logit(p - 0.08))


@fault("luck is left in the Sobol indices", "products of runs with the same luck", "indices_without_luck")
def luck_in_the_indices(patch):
    patch.setattr(sensitivity, "cross", lambda u, v: (u * v).mean(-1))


@fault("the value of information is that of knowing luck too", "no regression", "evppi_of_normal_options")
def luck_can_be_found_out(patch):
    patch.setattr(value_of_information, "gain", lambda x, v, w=None: v.max(axis=1).mean() - v.mean(axis=0).max())


@fault("intervals of Sobol indices are of 80%", "15 points", "sobol_intervals")
def narrow_indices(patch):
    patch.setattr(sensitivity, "TAILS", (0.1, 0.9))


@fault("intervals of the worth of knowing are of 80%", "15 points", "worth_intervals")
def narrow_worth(patch):
    patch.setattr(value_of_information, "TAILS", (0.1, 0.9))


@fault("a box is compared with shuffled outcomes that are too rare", "half of the cases", "boxes_of_nothing")
def lenient_boxes(patch):
    def halved(x, y, share, least, coverage):
        found = discover.densest(discover.peel(x, y, share, least), coverage)
        return found.hits / found.runs

    def half(x, y, group, share, least, coverage, times, rng):
        seen = halved(x, y, share, least, coverage)
        rarer = [rng.permutation(y) & (rng.random(len(y)) < 0.5) for _ in range(times)]
        return (1 + sum(halved(x, one, share, least, coverage) >= seen for one in rarer)) / (times + 1)

    patch.setattr(discover, "chance", half)


@fault("what a design draws leans to high values", "u ** 0.3", "designs_of_the_model")
def leaning_designs(patch):
    uniforms = design.uniforms
    patch.setattr(
        design, "uniforms", lambda *given: ({path: u**0.3 for path, u in one.items()} for one in uniforms(*given))
    )


@fault("control variates have another expectation", "10% more", "designs_of_the_model")
def other_expectations(patch):
    expectation = variance.expectation
    patch.setattr(variance, "expectation", lambda *given: 1.1 * expectation(*given))
