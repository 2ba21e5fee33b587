"""The plan: groups, a supply and traits become named machines with addresses and roles.

Decides everything once; nothing downstream decides again.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from harness import topology
from harness.spec import (
    AddOn,
    ClusterPlan,
    GroupPlan,
    MachinePlan,
    ProviderName,
    Role,
    Supply,
    Traits,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.groups import GroupSpec

__all__ = ["ClusterPlan", "MachinePlan", "node_name", "resolve"]


def node_name(address: str) -> str:
    """Name a machine, and its node, as InfraKit's walkthrough shows them."""
    return f"ip-{address}"


def resolve(
    groups: Sequence[GroupSpec],
    *,
    provider: ProviderName,
    supply: Supply,
    traits: Traits,
    default_box: str,
    kept: topology.Kept = topology.NOTHING_KEPT,
) -> ClusterPlan:
    """Decide a cluster.

    Args:
        groups: As `groups.load` returned them: checked, of one cluster.
        provider: Who will make the machines.
        supply: What their software is.
        traits: What they can do on this host.
        default_box: For groups that name no box.
        kept: The addresses that its machines have already.
    """
    flavor = topology.manager_group(groups).flavor
    network = topology.machine_network(flavor)
    addresses = topology.addresses(groups, kept)
    machines = [
        _machine(group, index, address, default_box)
        for group in groups
        for index, address in enumerate(addresses[group.id])
    ]
    return ClusterPlan(
        cluster=flavor.cluster_id,
        provider=provider,
        network=str(network),
        gateway=str(topology.gateway(network)),
        pod_network=str(ipaddress.IPv4Network(flavor.pod_network)),
        service_network=str(ipaddress.IPv4Network(flavor.service_network)),
        join_address=flavor.join_ip,
        bind_port=flavor.bind_port,
        add_ons=_add_ons(topology.manager_group(groups)),
        supply=supply,
        traits=traits,
        # A stable sort: within a role the order of files and indexes stays.
        machines=tuple(sorted(machines, key=lambda machine: machine.role is not Role.MANAGER)),
        groups=tuple(_group(group) for group in groups),
        default_box=default_box,
    )


def _group(group: GroupSpec) -> GroupPlan:
    updating = group.updating
    return GroupPlan(
        id=group.id,
        healthy_count=max(1, updating.count),
        healthy_seconds=updating.seconds,
        drains=updating.skip_before_instance_destroy != "drain",
    )


def _machine(group: GroupSpec, index: int, address: str, default_box: str) -> MachinePlan:
    # The machine that answers at the join address is the control plane; InfraKit lets the
    # others of a manager group join as workers, and so do we.
    is_manager = group.role is Role.MANAGER and address == group.flavor.join_ip
    return MachinePlan(
        name=node_name(address),
        address=address,
        role=Role.MANAGER if is_manager else Role.WORKER,
        group=group.id,
        index=index,
        box=group.instance.box or default_box,
        cpus=group.instance.cpus,
        memory_mib=group.instance.memory_mib,
        flavor=group.flavor_plugin,
        template=group.template,
        spec=group.flavor.model_dump(by_alias=True),
        parts=group.parts,
        sized=group.allocation.size is not None,
        template_root=group.template_root,
    )


def _add_ons(group: GroupSpec) -> tuple[AddOn, ...]:
    # The last of a type counts, as upstream's `ADDON` has it.
    last = {add_on.type: add_on for add_on in group.flavor.add_ons}
    return tuple(
        AddOn(name=add_on.name, type=add_on.type, path=group.add_on_path(add_on))
        for add_on in last.values()
    )
