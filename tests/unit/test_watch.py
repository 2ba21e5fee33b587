"""The watch: what it sees, what it has done about it, what it tells, and how it ends."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from harness.errors import ClusterHeldError, InterruptedRunError, PhaseError, ProviderError
from harness.events import Notice
from harness.ward import PATIENCE_SECONDS
from harness.watch import VAGRANT_SECONDS, Watch
from tests.fake_estate import WORKERS, Estate, plan_of
from tests.fakes import FakeClock

if TYPE_CHECKING:
    from pathlib import Path

    from harness.cluster import Cluster

PLAN = plan_of(2)
FIRST, SECOND = PLAN.names[1:]


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
    assert watched.said == [well, f"{FIRST} is unhealthy: KubeletNotReady: down", well]


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


@pytest.mark.parametrize("error", [KeyboardInterrupt(), InterruptedRunError("stopped")])
def test_an_interruption_of_a_look_that_heals_nothing_ends_it_in_peace(
    error: BaseException, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> list[object]:
        raise error

    monkeypatch.setattr(watched.estate.world.api, "get", interrupted)
    watched.watch.run()
    assert watched.pauses == 0


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
