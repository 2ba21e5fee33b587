"""The watch: what it makes of what it sees, how patient it is, and when it gives up."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from harness.errors import ClusterHeldError, InterruptedRunError, PhaseError, ProviderError
from harness.events import Notice
from harness.interfaces import Health, HealthState, MachineState
from harness.watch import (
    FIRST_PAUSE_SECONDS,
    MOST_ATTEMPTS,
    PATIENCE_SECONDS,
    RECOVERED_SECONDS,
    VAGRANT_SECONDS,
    Verdict,
    Ward,
    Watch,
)
from tests.fake_estate import WORKERS, Estate, plan_of
from tests.fakes import FakeClock

if TYPE_CHECKING:
    from pathlib import Path

    from harness.cluster import Cluster
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


class Watched:
    """An estate of two workers that is watched."""

    def __init__(self, estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
        from harness import watch  # noqa: PLC0415 - its engine is exchanged

        self.estate = estate
        self.plan = PLAN
        self.clock = FakeClock()
        estate.converge(PLAN)
        monkeypatch.setattr(watch, "converge", self._converge)
        self.watch = Watch(
            self.cluster, estate.reporter, timeout=60, clock=self.clock, pause=self.pause
        )
        self.pauses = 0

    def _converge(self, cluster: Cluster, _reporter: object, **rest: object) -> None:
        self.estate.converge(cluster.plan, sick=rest["sick"])  # type: ignore[arg-type]  # handed on

    def cluster(self) -> Cluster:
        return self.estate.cluster(self.plan)

    def pause(self, seconds: float) -> None:
        self.clock.sleep(seconds)
        self.pauses += 1
        if self.pauses == 3:
            raise KeyboardInterrupt

    @property
    def said(self) -> list[str]:
        return [one.message for one in self.estate.reporter.events if isinstance(one, Notice)]


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Watched:
    return Watched(Estate.of(tmp_path, monkeypatch), monkeypatch)


def test_machines_that_leave_no_trace_on_the_host_are_there_if_vagrant_says_so(
    watched: Watched,
) -> None:
    """VirtualBox's: the host's network cannot tell of them."""
    assert watched.cluster().network.leftovers() == []
    assert not watched.watch.look()
    assert ("machines", ()) in watched.estate.world.provider.calls


def test_a_machine_that_somebody_destroyed_is_made_again(watched: Watched) -> None:
    assert not watched.watch.look()
    watched.estate.world.provider.destroy([SECOND], timeout=1)
    watched.clock.sleep(VAGRANT_SECONDS)
    assert watched.watch.look()
    assert watched.estate.made == [(SECOND, "old")]
    assert watched.said[-1] == f"{PLAN.cluster} is as committed."
    assert not watched.watch.look()


def test_that_all_is_well_is_said_once_and_again_when_it_is_again(watched: Watched) -> None:
    well = f"{PLAN.cluster} is as committed."
    watched.watch.look()
    watched.watch.look()
    assert watched.said == [well]
    condition = watched.estate.node(FIRST)["status"]["conditions"][-1]
    condition |= {"status": "False", "reason": "KubeletNotReady", "message": "down"}
    watched.watch.look()
    condition["status"] = "True"
    watched.watch.look()
    assert watched.said == [well, f"{FIRST} is unhealthy: {ILL.reason}", well]


def test_what_becomes_of_a_group_that_was_freed_is_no_reason_not_to_be_well(
    watched: Watched,
) -> None:
    groups = tuple(replace(one, watched=one.id != WORKERS) for one in PLAN.groups)
    watched.plan = replace(PLAN, groups=groups)
    watched.estate.node(FIRST)["status"]["conditions"][-1]["status"] = "False"
    watched.watch.look()
    assert watched.said == [f"{PLAN.cluster} is as committed."]


def test_vagrant_is_asked_as_soon_as_a_node_is_not_well(watched: Watched) -> None:
    watched.watch.look()
    watched.estate.world.provider.destroy([SECOND], timeout=1)
    assert not watched.watch.look()
    watched.estate.node(SECOND)["status"]["conditions"][-1]["status"] = "False"
    assert watched.watch.look()
    assert watched.estate.made == [(SECOND, "old")]


def test_a_node_that_stays_unhealthy_gets_another_machine(watched: Watched) -> None:
    watched.estate.node(FIRST)["status"]["conditions"][-1]["status"] = "False"
    assert not watched.watch.look()
    watched.clock.sleep(PATIENCE_SECONDS)
    assert watched.watch.look()
    assert watched.estate.destroyed == [FIRST]
    assert watched.estate.drained == []


def test_what_was_committed_meanwhile_is_brought_about(watched: Watched) -> None:
    watched.plan = plan_of(3)
    assert watched.watch.look()
    assert [name for name, _ in watched.estate.made] == ["ip-192.168.2.4"]


def test_where_every_machine_is_gone_all_are_made_again(watched: Watched) -> None:
    watched.estate.world.provider.destroy(PLAN.names, timeout=1)
    watched.clock.sleep(VAGRANT_SECONDS)
    assert watched.watch.look()
    assert sorted(name for name, _ in watched.estate.made) == sorted(PLAN.names)


def test_what_cannot_be_healed_is_told_and_tried_again_later(watched: Watched) -> None:
    watched.estate.world.provider.destroy([SECOND], timeout=1)
    watched.estate.fails[SECOND] = ProviderError("no space left")
    assert watched.watch.look()
    assert "Not healed: no space left" in watched.said
    assert not watched.watch.look()
    watched.estate.fails.clear()
    watched.clock.sleep(VAGRANT_SECONDS)
    assert watched.watch.look()
    assert SECOND in watched.estate.nodes


def test_an_interruption_of_a_healing_ends_the_watch(watched: Watched) -> None:
    watched.estate.world.provider.destroy([SECOND], timeout=1)
    watched.estate.fails[SECOND] = InterruptedRunError("stopped")
    with pytest.raises(InterruptedRunError):
        watched.watch.run()


def test_it_looks_until_somebody_interrupts_its_pause(watched: Watched) -> None:
    watched.watch.run()
    assert watched.pauses == 3


@pytest.mark.parametrize(
    ("error", "told"),
    [(ClusterHeldError("held"), []), (PhaseError("a template is gone"), ["a template is gone"])],
)
def test_what_goes_wrong_in_a_look_does_not_end_it(
    error: Exception,
    told: list[str],
    watched: Watched,
) -> None:
    def fails() -> Cluster:
        raise error

    Watch(
        fails, watched.estate.reporter, timeout=60, clock=watched.clock, pause=watched.pause
    ).run()
    assert watched.pauses == 3
    assert watched.said == told


def test_it_holds_the_lock_for_a_look_only(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[bool] = []
    workspace = watched.estate.world.workspace

    def tries(*_: object, **__: object) -> list[object]:
        try:
            with workspace.hold("test"):
                held.append(False)
        except ClusterHeldError:
            held.append(True)
        return []

    monkeypatch.setattr(watched.estate.world.api, "get", tries)
    watched.watch.look()
    tries()
    assert held[0]
    assert not held[-1]
