"""The ward: what it makes of what is seen, how patient it is, and when it gives up."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from harness.events import Notice
from harness.interfaces import Health, HealthState, MachineState
from harness.ward import (
    FIRST_PAUSE_SECONDS,
    MOST_ATTEMPTS,
    PATIENCE_SECONDS,
    RECOVERED_SECONDS,
    Verdict,
    Ward,
)
from tests.fake_estate import WORKERS, plan_of
from tests.fakes import FakeClock

if TYPE_CHECKING:
    from harness.events import Event

PLAN = plan_of(2)
MANAGER, FIRST, SECOND = PLAN.names
WELL = Health(HealthState.HEALTHY, "")
ILL = Health(HealthState.UNHEALTHY, "KubeletNotReady: down")
UNKNOWN = Health(HealthState.UNKNOWN, "no route to host")
NOTHING = Verdict(frozenset(), frozenset(), is_due=False)


class Round:
    """A ward whose clock and looks are the test's."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.events: list[Event] = []
        self.ward = Ward(self.clock, self.events.append)

    @property
    def said(self) -> list[str]:
        return [event.message for event in self.events if isinstance(event, Notice)]

    def look(
        self,
        *,
        after: float = 0.0,
        pending: bool = False,
        states: dict[str, MachineState] | None = None,
        **health: Health,
    ) -> Verdict:
        """Look once; health is that of `first`, `second` and `manager`, else well."""
        self.clock.sleep(after)
        names = {"manager": MANAGER, "first": FIRST, "second": SECOND}
        found = {name: health.get(key, WELL) for key, name in names.items()}
        return self.ward.judge(PLAN, states or {}, found, is_pending=pending)


@pytest.fixture
def rounds() -> Round:
    return Round()


def test_where_all_is_well_nothing_is_done_or_said(rounds: Round) -> None:
    assert rounds.look() == NOTHING
    assert not NOTHING
    assert rounds.said == []


@pytest.mark.parametrize("state", [MachineState.ABSENT, MachineState.STOPPED])
def test_what_is_gone_comes_back_at_once(state: MachineState, rounds: Round) -> None:
    verdict = rounds.look(states={FIRST: state, MANAGER: state})
    assert verdict.gone == {FIRST, MANAGER}
    assert f"{FIRST} is {state}; healing, attempt 1 of {MOST_ATTEMPTS}" in rounds.said


def test_what_stays_unhealthy_is_replaced_after_a_while(rounds: Round) -> None:
    assert not rounds.look(first=ILL)
    assert not rounds.look(first=ILL, after=PATIENCE_SECONDS - 1)
    assert rounds.look(first=ILL, after=1).sick == {FIRST}
    assert rounds.said == [
        f"{FIRST} is unhealthy: {ILL.reason}",
        f"{FIRST} stays unhealthy: {ILL.reason}; healing, attempt 1 of {MOST_ATTEMPTS}",
    ]


@pytest.mark.parametrize("between", [WELL, UNKNOWN])
def test_what_is_well_or_unknown_in_between_is_not_replaced(between: Health, rounds: Round) -> None:
    rounds.look(first=ILL)
    rounds.look(first=between, after=PATIENCE_SECONDS - 1)
    assert not rounds.look(first=ILL, after=2)


def test_what_nobody_can_tell_is_left_alone_and_said_once(rounds: Round) -> None:
    for _ in range(3):
        assert not rounds.look(first=UNKNOWN, after=PATIENCE_SECONDS)
    assert rounds.said == [f"{FIRST}: not known to be well: no route to host"]


def test_the_only_control_plane_is_never_replaced(rounds: Round) -> None:
    rounds.look(manager=ILL)
    assert not rounds.look(manager=ILL, after=10 * PATIENCE_SECONDS)
    assert "it is not replaced" in rounds.said[-1]


@pytest.mark.defect("W11")
def test_pauses_between_attempts_double_and_their_number_is_limited(rounds: Round) -> None:
    gone = {FIRST: MachineState.ABSENT}
    waited = []
    for _ in range(MOST_ATTEMPTS):
        assert rounds.look(states=gone).gone == {FIRST}
        rounds.ward.treated([FIRST])
        began = rounds.clock.now
        while not rounds.look(states=gone) and rounds.clock.now - began < 1000:
            rounds.clock.sleep(1)
        waited.append(rounds.clock.now - began)
    assert waited[:-1] == [FIRST_PAUSE_SECONDS * factor for factor in (1, 2, 4, 8)]
    assert waited[-1] >= 1000
    assert "given up after 5 attempts" in rounds.said[-1]


def test_what_was_well_for_long_begins_anew(rounds: Round) -> None:
    gone = {FIRST: MachineState.ABSENT}
    rounds.look(states=gone)
    rounds.ward.treated([FIRST])
    rounds.look()
    assert rounds.ward.records[FIRST].attempts == 1
    rounds.look(after=RECOVERED_SECONDS)
    assert rounds.ward.records[FIRST].attempts == 0


def test_what_is_pending_is_tried_with_the_same_patience(rounds: Round) -> None:
    assert rounds.look(pending=True).is_due
    rounds.ward.treated([PLAN.cluster])
    assert not rounds.look(pending=True)
    assert rounds.look(pending=True, after=FIRST_PAUSE_SECONDS).is_due


def test_a_group_that_was_freed_is_none_of_its_business(rounds: Round) -> None:
    groups = tuple(replace(one, watched=one.id != WORKERS) for one in PLAN.groups)
    plan = replace(PLAN, groups=groups)
    health = dict.fromkeys(PLAN.names, ILL)
    states = {FIRST: MachineState.ABSENT}
    assert rounds.ward.judge(plan, states, health, is_pending=False) == NOTHING
