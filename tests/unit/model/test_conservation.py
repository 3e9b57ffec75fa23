"""The laws of conservation are checked in every replication: each is broken here, and noticed."""

import ast
from pathlib import Path

import pytest

from sim.model import hiring, record, rollout
from sim.model.firms import Firms
from sim.model.hiring import Hiring
from sim.model.record import ConservationError
from sim.model.site import Site, State
from sim.model.world import World
from tests.helpers import run, study

FAST = {
    "rollout.programme_shock": 0.3, "hubs.closure": 0.02, "hubs.closure_later": 0.02,
    "parks.islamabad_park.construction": 2, "parks.islamabad_park.realised_share": 1, "firms.from_stp": 0.3,
}  # fmt: skip
SABOTAGE = {}


def sabotage(break_it):
    SABOTAGE[break_it.__name__] = break_it
    return break_it


def after(patch, owner, name, then):
    """Let a method do its work, and something wrong after it."""
    method = getattr(owner, name)

    def wrapped(self, *args, **kwargs):
        result = method(self, *args, **kwargs)
        then(self, *args, **kwargs)
        return result

    patch.setattr(owner, name, wrapped)


@sabotage
def a_leaver_is_not_counted(patch):
    def miscount(self, site, leavers, *_):
        site.ledger.leavers -= leavers > 0

    after(patch, Hiring, "employees_leave", miscount)


@sabotage
def an_employee_who_leaves_is_not_counted(patch):
    def miscount(self, site, leavers, *_):
        site.ledger.employees_left -= leavers > 0

    after(patch, Hiring, "employees_leave", miscount)


@sabotage
def people_who_return_do_not_reach_the_pool(patch):
    def lose(self, site, leavers, *_):
        site.ledger.region.talent -= leavers > 0

    after(patch, Hiring, "employees_leave", lose)


@sabotage
def talent_appears_from_nowhere(patch):
    def appear(self):
        next(iter(self.regions.values())).talent += 1

    after(patch, World, "_start_processes", appear)


@sabotage
def a_join_is_counted_twice(patch):
    def miscount(self, site, *_):
        site.ledger.joins += site.members > 0

    after(patch, Hiring, "round", miscount)


@sabotage
def a_member_is_made_up(patch):
    after(patch, Hiring, "round", lambda self, site, *_: setattr(site, "members", site.members + 1))


@sabotage
def an_employee_turns_into_a_member(patch):
    def swap(self, site, *_):
        if site.employees:
            site.employees -= 1
            site.members += 1

    after(patch, Hiring, "round", swap)


@sabotage
def people_stay_in_a_closed_site(patch):
    after(patch, Hiring, "close", lambda self, site, *_: setattr(site, "members", 1))


@sabotage
def a_closed_site_stays_in_the_list(patch):
    after(patch, Hiring, "close", lambda self, site, *_: site.ledger.open_sites.__setitem__(site, None))


@sabotage
def more_women_than_people(patch):
    after(
        patch, Hiring, "round", lambda self, site, *_: setattr(site, "women_members", site.members + site.employees + 1)
    )


@sabotage
def fewer_women_than_none(patch):
    def miscount(self, site, *_):
        site.women_members, site.women_employees = -1, 0

    after(patch, Hiring, "round", miscount)


@sabotage
def money_is_lost(patch):
    def money(world, site):
        yield world.money.get(1)

    patch.setitem(rollout.PROCESS, State.money, money)


@sabotage
def money_is_spent_twice(patch):
    def money(world, site):
        yield world.money.get(1)
        site.ledger.grants += 2

    patch.setitem(rollout.PROCESS, State.money, money)


@sabotage
def an_application_is_counted_twice(patch):
    def miscount(self, *identity):
        next(iter(self.ledgers["hub"].values())).applications += 1

    after(patch, World, "new_hub", miscount)


@sabotage
def a_site_is_forgotten(patch):
    def forget(self, *identity):
        for ledger in self.ledgers["hub"].values():
            if len(ledger.sites) > 20:
                ledger.sites.pop()

    after(patch, World, "new_hub", forget)


@sabotage
def a_change_of_state_is_not_counted(patch):
    def miscount(self, state, *_):
        if state == State.connectivity:
            self.ledger.count[State.fit_out] += 1

    after(patch, Site, "enter", miscount)


@sabotage
def a_rejected_hub_opens_all_the_same(patch):
    def reopen(self, state, *_):
        if state == State.rejected:
            self.state = State.open

    after(patch, Site, "enter", reopen)


@sabotage
def an_opening_is_not_counted(patch):
    def miscount(self, site, *_):
        site.ledger.opened -= 1

    after(patch, Hiring, "open", miscount)


@sabotage
def exports_do_not_reach_the_region(patch):
    def lossy(site, now, *ramps):
        before = site.exports_usd
        settle(site, now, *ramps)
        site.ledger.exports_usd -= (site.exports_usd - before) / 1000

    settle = hiring.settle
    patch.setattr(hiring, "settle", lossy)
    patch.setattr(record, "settle", lossy)


@sabotage
def a_firm_moves_and_its_people_stay(patch):
    def keep(self, old, new):
        old.site.employees += 1

    after(patch, Firms, "_relocate", keep)


@sabotage
def people_who_move_in_are_not_counted(patch):
    def miscount(self, unit, staff, *_):
        unit.site.ledger.moved_in -= staff > 0

    after(patch, Firms, "_arrive", miscount)


@sabotage
def people_who_move_in_come_from_nowhere(patch):
    def miscount(self, unit, staff, *_):
        unit.site.region.talent_in -= staff > 0

    after(patch, Firms, "_arrive", miscount)


@sabotage
def a_firm_that_leaves_forgets_somebody(patch):
    def forget(self, unit, *_, **__):
        unit.staff += unit.staff == 0

    after(patch, Firms, "_change", forget)


@sabotage
def jobs_brought_along_are_called_new(patch):
    def miscount(self, unit, staff, *_):
        unit.site.new_jobs += 1

    after(patch, Firms, "_arrive", miscount)


@sabotage
def a_firm_has_more_people_than_space(patch):
    def crowd(self, unit, *_):
        unit.space = min(unit.space, max(0, unit.staff - 1))

    after(patch, Firms, "round", crowd)


@pytest.mark.parametrize("break_it", SABOTAGE.values(), ids=list(SABOTAGE))
def test_a_broken_law_is_noticed(break_it, monkeypatch):
    world = study(FAST, "portfolio")
    break_it(monkeypatch)
    with pytest.raises(ConservationError):
        run(world)


def test_without_sabotage_the_laws_hold():
    run(study(), 3)
    run(study(FAST, "portfolio"), 2)


def test_checks_do_not_depend_on_assert_statements():
    """`python -O` removes assert statements; the laws must hold there too."""
    tree = ast.parse(Path(record.__file__).read_text(encoding="utf-8"))
    assert not [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Assert)]
