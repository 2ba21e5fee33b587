"""The engine: what it does to machines and nodes on the way from one plan to another."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from harness.errors import (
    ClusterHeldError,
    CommandError,
    InterruptedRunError,
    NotReadyError,
    ProviderError,
    UsageError,
)
from harness.events import Notice
from harness.spec import ProviderName
from tests.fake_estate import WORKERS, Estate, plan_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from harness.spec import ClusterPlan

MANAGER = "ip-192.168.2.200"
FIRST, SECOND, THIRD, FOURTH = (f"ip-192.168.2.{number}" for number in (2, 3, 4, 5))


@pytest.fixture
def estate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Estate:
    return Estate.of(tmp_path, monkeypatch)


@pytest.fixture
def running(estate: Estate) -> Estate:
    """A manager and three workers, Ready."""
    estate.converge(plan_of(3))
    return estate


def test_a_new_cluster_is_made_and_recorded(estate: Estate) -> None:
    plan = plan_of(3)
    estate.converge(plan)
    assert estate.machines == estate.nodes == sorted(plan.names)
    assert estate.is_recorded(plan)
    assert estate.world.workspace.completed
    assert estate.world.workspace.was_ready
    assert (estate.drained, estate.destroyed) == ([], [])


def test_more_machines_are_added_to_those_there_are(running: Estate) -> None:
    running.converge(plan_of(4))
    assert running.made == [(FOURTH, "old")]
    assert FOURTH in running.nodes
    assert (running.drained, running.destroyed) == ([], [])


def test_fewer_machines_go_drained_the_highest_index_first(running: Estate) -> None:
    running.converge(plan_of(1))
    assert running.drained == running.destroyed == [THIRD, SECOND]
    assert running.nodes == running.machines == sorted([MANAGER, FIRST])
    assert running.is_recorded(plan_of(1))


@pytest.mark.defect("G6")
def test_none_is_a_size(running: Estate) -> None:
    running.converge(plan_of(0))
    assert running.nodes == [MANAGER]
    running.converge(plan_of(2))
    assert running.nodes == sorted([MANAGER, FIRST, SECOND])


def test_a_rolling_update_replaces_one_machine_after_the_other(running: Estate) -> None:
    plan = plan_of(3, "new")
    missing: list[int] = []
    destroy = running.world.provider.destroy

    def watched(names: Sequence[str], *, timeout: float) -> None:
        destroy(names, timeout=timeout)
        missing.append(4 - len(running.machines))

    running.world.provider.destroy = watched  # type: ignore[method-assign]  # to look in between
    running.converge(plan)
    assert running.drained == running.destroyed == [FIRST, SECOND, THIRD]
    assert running.made == [(name, "new") for name in (FIRST, SECOND, THIRD)]
    assert missing == [1, 1, 1]
    assert running.is_recorded(plan)


def test_machines_go_before_others_roll_before_others_come(running: Estate) -> None:
    running.converge(plan_of(2, "new"))
    assert running.destroyed == [THIRD, FIRST, SECOND]
    running.converge(plan_of(3, "newer"))
    assert running.destroyed == [FIRST, SECOND]
    assert running.made == [(name, "newer") for name in (FIRST, SECOND, THIRD)]


def test_the_same_again_is_nothing(running: Estate) -> None:
    running.converge(plan_of(3))
    assert (running.drained, running.destroyed, running.made) == ([], [], [])


def test_a_machine_that_cannot_be_drained_stops_a_rolling_update(running: Estate) -> None:
    running.world.api.exit_status = 1
    running.world.api.said = "cannot evict pod"
    with pytest.raises(CommandError, match="cannot evict pod"):
        running.converge(plan_of(3, "new"))
    assert running.destroyed == []
    assert {machine.fingerprint for machine in running.recorded.workers} == {"old"}


def test_a_machine_that_cannot_be_drained_goes_all_the_same_if_fewer_are_asked_for(
    running: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    kubectl = running.world.api.kubectl

    def refuses(argv: list[str], *, timeout: float, stdin: bytes = b"") -> object:
        answer = kubectl(argv, timeout=timeout, stdin=stdin)
        return replace(answer, exit_status=1, stderr="no") if argv[0] == "drain" else answer

    monkeypatch.setattr(running.world.api, "kubectl", refuses)
    running.converge(plan_of(2))
    assert running.destroyed == [THIRD]
    assert THIRD not in running.nodes
    warnings = [one for one in running.reporter.events if isinstance(one, Notice)]
    assert any("Not drained" in one.message for one in warnings)


def test_draining_can_be_left_out_of_a_rolling_update(running: Estate) -> None:
    running.converge(plan_of(3, "new", drains=False))
    assert running.drained == []
    assert running.destroyed == [FIRST, SECOND, THIRD]
    running.converge(plan_of(2, "new", drains=False))
    assert running.drained == [THIRD]  # of a termination it is no part, as upstream has it


def test_a_new_machine_that_is_not_healthy_stops_a_rolling_update(
    running: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    up = running.world.provider.up

    def comes_up_sick(names: list[str], **rest: object) -> None:
        up(names, **rest)  # type: ignore[arg-type]  # handed on
        running.world.api.items["nodes"].append(sick_node(running, names[0]))

    monkeypatch.setattr(running.world.provider, "up", comes_up_sick)
    with pytest.raises(NotReadyError, match=rf"{FIRST} healthy: not within .* is unhealthy"):
        running.converge(plan_of(3, "new"))
    assert running.destroyed == [FIRST]
    made_of = {machine.name: machine.fingerprint for machine in running.recorded.workers}
    assert made_of == {FIRST: "new", SECOND: "old", THIRD: "old"}


def sick_node(estate: Estate, name: str) -> dict[str, object]:
    from tests.fake_site import node  # noqa: PLC0415 - one use

    return node(estate.recorded.machine(name), ready="False")


def test_an_old_machine_that_is_not_healthy_stops_nothing(running: Estate) -> None:
    running.node(THIRD)["status"]["conditions"][-1]["status"] = "False"
    running.converge(plan_of(3, "new"))
    assert running.destroyed == [FIRST, SECOND, THIRD]


def test_an_error_in_the_middle_leaves_the_rest_as_it_was_and_is_gone_on_from(
    running: Estate,
) -> None:
    running.fails[SECOND] = ProviderError("no space left")
    with pytest.raises(ProviderError):
        running.converge(plan_of(3, "new"))
    assert running.destroyed == [FIRST, SECOND]
    assert not running.world.workspace.completed
    running.fails.clear()
    running.converge(plan_of(3, "new"))
    assert running.destroyed == [THIRD]
    assert running.made == [(SECOND, "new"), (THIRD, "new")]
    assert running.nodes == sorted(plan_of(3).names)


@pytest.mark.parametrize("error", [InterruptedRunError("stopped"), KeyboardInterrupt()])
def test_an_interruption_is_gone_on_from(error: BaseException, running: Estate) -> None:
    running.fails[FIRST] = error
    with pytest.raises(type(error)):
        running.converge(plan_of(2, "new"))
    assert running.destroyed == [THIRD, FIRST]
    running.fails.clear()
    running.converge(plan_of(2, "new"))
    assert running.is_recorded(plan_of(2, "new"))
    assert running.nodes == sorted(plan_of(2).names)


@pytest.mark.defect("K16")
def test_the_only_control_plane_is_not_destroyed_by_the_way(running: Estate) -> None:
    with pytest.raises(UsageError, match="only control plane") as caught:
        running.converge(plan_of(3, manager_of="new"))
    assert "etcd" in caught.value.message
    assert "--force" in caught.value.hint
    assert running.world.provider.calls == []
    assert running.is_recorded(plan_of(3))
    assert running.world.workspace.completed


@pytest.mark.defect("K16")
def test_the_only_control_plane_is_destroyed_by_force_and_what_is_lost_is_told(
    running: Estate,
) -> None:
    running.converge(plan_of(3, manager_of="new"), force=True)
    assert running.destroyed == [MANAGER]
    assert running.made == [(MANAGER, "new")]
    warnings = [one for one in running.reporter.events if isinstance(one, Notice)]
    assert any("is lost" in one.message for one in warnings)


def test_where_nothing_was_ever_ready_what_changed_is_made_anew_at_once(estate: Estate) -> None:
    estate.fails[SECOND] = ProviderError("no space left")
    with pytest.raises(ProviderError):
        estate.converge(plan_of(3))
    estate.fails.clear()
    estate.world.api.unreachable = "no API server yet"
    estate.fails[MANAGER] = ProviderError("still none")
    with pytest.raises(ProviderError):
        estate.converge(plan_of(3, "new", manager_of="new"))
    assert estate.drained == []
    assert [names for kind, names in estate.world.provider.calls if kind == "destroy"] == [
        (MANAGER, FIRST, SECOND, THIRD)
    ]


def test_a_machine_that_is_sick_is_replaced_without_waiting_for_its_pods(running: Estate) -> None:
    running.converge(plan_of(3), sick=[SECOND])
    assert (running.drained, running.destroyed) == ([], [SECOND])
    assert running.made == [(SECOND, "old")]


def freed(plan: ClusterPlan) -> ClusterPlan:
    groups = [replace(one, watched=one.id != WORKERS) for one in plan.groups]
    return replace(plan, groups=tuple(groups))


def test_a_group_that_was_freed_is_left_alone(running: Estate) -> None:
    running.world.provider.destroy([THIRD], timeout=1)
    running.converge(freed(plan_of(3)))
    assert running.made == []
    assert running.recorded.names == plan_of(3).names
    running.converge(plan_of(3))
    assert running.made == [(THIRD, "old")]


def test_a_group_that_is_no_longer_there_goes_with_all_its_machines(running: Estate) -> None:
    plan = plan_of(0)
    groups = tuple(one for one in plan.groups if one.id != WORKERS)
    running.converge(replace(plan, groups=groups))
    assert running.drained == running.destroyed == [THIRD, SECOND, FIRST]
    assert running.machines == running.nodes == [MANAGER]
    assert [group.id for group in running.recorded.groups] == ["kubernetes-managers"]


@pytest.mark.defect("G2")
def test_what_another_harness_changed_meanwhile_is_not_overwritten(running: Estate) -> None:
    stale = running.cluster(plan_of(4))
    running.converge(plan_of(2))
    from harness.convergence import converge  # noqa: PLC0415 - one use

    with pytest.raises(ClusterHeldError, match="meanwhile"):
        converge(stale, running.reporter, timeout=1)
    assert running.is_recorded(plan_of(2))


def test_another_provider_is_refused(running: Estate) -> None:
    with pytest.raises(UsageError, match="begun with lxc, not libvirt"):
        running.converge(replace(plan_of(3), provider=ProviderName.LIBVIRT))
