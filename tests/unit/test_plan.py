"""The plan: names, addresses, roles, and that they stay where they are."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from harness import groups, plan
from harness.errors import UsageError
from harness.spec import ClusterPlan, ProviderName, Role
from tests.samples import BUNDLE, CONTAINER, cluster_plan

if TYPE_CHECKING:
    from pathlib import Path


def group(name: str, role: str, **allocation: object) -> dict[str, Any]:
    return {
        "ID": name,
        "Properties": {
            "Allocation": allocation,
            "Flavor": {
                "Plugin": f"flavor-kubernetes/{role}",
                "Properties": {"KubeJoinIP": "192.168.2.200", "KubeClusterID": "demo"},
            },
            "Instance": {"Plugin": "instance-vagrant", "Properties": {"Box": f"box/{name}"}},
        },
    }


MANAGER = group("m", "manager", LogicalIDs=["192.168.2.200"])


def resolve(folder: Path, *documents: dict[str, Any]) -> ClusterPlan:
    file = folder / "groups.json"
    file.write_text(json.dumps(documents))
    return plan.resolve(
        groups.load([file]),
        provider=ProviderName.LXC,
        supply=BUNDLE,
        traits=CONTAINER,
        default_box="default",
    )


def addresses(planned: ClusterPlan, name: str) -> list[str]:
    return [machine.address for machine in planned.machines if machine.group == name]


def test_the_walkthrough_is_planned_as_it_is_told() -> None:
    planned = cluster_plan()
    assert planned.names == (
        "ip-192.168.2.200",
        "ip-192.168.2.2",
        "ip-192.168.2.3",
        "ip-192.168.2.4",
    )
    assert planned.manager.name == "ip-192.168.2.200"
    assert [machine.index for machine in planned.workers] == [0, 1, 2]
    assert {machine.box for machine in planned.machines} == {"harness/lab"}
    assert (planned.cluster, planned.network, planned.gateway) == (
        "walkthrough",
        "192.168.2.0/24",
        "192.168.2.1",
    )
    assert (planned.join_address, planned.bind_port) == ("192.168.2.200", 6443)
    assert (planned.prefix_length, planned.netmask) == (24, "255.255.255.0")
    assert [add_on.name for add_on in planned.add_ons] == ["lab"]
    assert planned.manager.spec["KubeJoinIP"] == "192.168.2.200"


def test_managers_come_first_whatever_the_order_of_files(tmp_path: Path) -> None:
    planned = resolve(tmp_path, group("w", "worker", Size=1), MANAGER)
    assert [machine.role for machine in planned.machines] == [Role.MANAGER, Role.WORKER]


def test_scaling_down_removes_the_highest_index(tmp_path: Path) -> None:
    three = addresses(resolve(tmp_path, MANAGER, group("w", "worker", Size=3)), "w")
    two = addresses(resolve(tmp_path, MANAGER, group("w", "worker", Size=2)), "w")
    assert two == three[:2]


def test_scaling_one_group_moves_no_machine_of_another(tmp_path: Path) -> None:
    one, other = group("a", "worker", Size=1), group("b", "worker", Size=2)
    before = addresses(resolve(tmp_path, MANAGER, one, other), "b")
    after = addresses(resolve(tmp_path, MANAGER, group("a", "worker", Size=9), other), "b")
    assert before == after == ["192.168.2.66", "192.168.2.67"]


def test_size_groups_step_over_logical_ids(tmp_path: Path) -> None:
    fixed = group("f", "worker", LogicalIDs=["192.168.2.3"])
    planned = resolve(tmp_path, MANAGER, group("w", "worker", Size=3), fixed)
    assert addresses(planned, "w") == ["192.168.2.2", "192.168.2.4", "192.168.2.5"]


def test_others_of_a_manager_group_join_as_workers(tmp_path: Path) -> None:
    ids = ["192.168.2.201", "192.168.2.200"]
    planned = resolve(tmp_path, group("m", "manager", LogicalIDs=ids))
    assert planned.manager.address == "192.168.2.200"
    assert [machine.address for machine in planned.workers] == ["192.168.2.201"]


def test_a_box_of_its_own_wins_over_the_default(tmp_path: Path) -> None:
    assert resolve(tmp_path, MANAGER).manager.box == "box/m"


def test_a_machine_is_found_by_name_or_the_names_are_told() -> None:
    planned = cluster_plan()
    assert planned.machine("ip-192.168.2.3").index == 1
    with pytest.raises(UsageError) as caught:
        planned.machine("ip-192.168.2.9")
    assert "ip-192.168.2.4" in caught.value.hint


def test_a_machine_is_named_so_that_its_owner_can_be_told() -> None:
    name = cluster_plan().container_name("ip-192.168.2.3")
    assert name == "harness-walkthrough-ip-192.168.2.3"
