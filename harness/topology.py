"""What must hold within and between groups: addresses, networks, who is the control plane."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import TYPE_CHECKING

from harness.infrakit import MAX_MACHINES
from harness.spec import Role

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from harness.errors import Problem
    from harness.infrakit import GroupSpec
    from harness.properties import KubernetesProperties
    from harness.spec import ClusterPlan

_ALLOCATION = ".Properties.Allocation"
_IDS = f"{_ALLOCATION}.LogicalIDs"

Kept = Mapping[str, tuple[str, ...]]
"""Group ID → the addresses of its machines, by index."""

NOTHING_KEPT: Kept = {}

# The gateway is the first host, so Size groups begin at the second.
_FIRST_HOST = 2


def machine_network(flavor: KubernetesProperties) -> IPv4Network:
    """Return the machines' network: `Network`, or the /24 around KubeJoinIP."""
    return IPv4Network(flavor.network or f"{flavor.join_ip}/24", strict=False)


def gateway(network: IPv4Network) -> IPv4Address:
    """Return the network's first host, which the harness keeps for itself."""
    return network.network_address + 1


def manager_group(groups: Iterable[GroupSpec]) -> GroupSpec:
    """Return the group that holds the control plane; `between` has seen that there is one."""
    return next(group for group in groups if group.role is Role.MANAGER)


def addresses(groups: Sequence[GroupSpec], kept: Kept = NOTHING_KEPT) -> dict[str, tuple[str, ...]]:
    """Give every machine its address, by group ID.

    LogicalIDs are addresses. Machines of Size groups keep those that they have. New ones count
    up from the second host and step over what is taken; each further Size group begins 64 hosts
    on, so that scaling one group moves no machine of another.

    Args:
        groups: Of one cluster.
        kept: What machines of Size groups have already.
    """
    taken = {address for group in groups for address in group.allocation.logical_ids}
    taken.update(*kept.values())
    sized = itertools.count()
    return {
        group.id: group.allocation.logical_ids
        if group.allocation.size is None
        else tuple(
            itertools.islice(
                itertools.chain(_still(group, kept), _free(group, next(sized), taken)),
                group.allocation.size,
            )
        )
        for group in groups
    }


def kept(plan: ClusterPlan | None) -> Kept:
    """Return the addresses that a plan's machines have and shall keep."""
    if plan is None:
        return NOTHING_KEPT
    return {
        group: tuple(machine.address for machine in plan.members(group) if machine.sized)
        for group in dict.fromkeys(machine.group for machine in plan.machines)
    }


def _still(group: GroupSpec, kept: Kept) -> Iterator[str]:
    """Return what a group has and may keep: not where its network has been moved."""
    network = machine_network(group.flavor)
    return (one for one in kept.get(group.id, ()) if IPv4Address(one) in network)


def _free(group: GroupSpec, ordinal: int, taken: set[str]) -> Iterator[str]:
    network = machine_network(group.flavor)
    first = _FIRST_HOST + ordinal * MAX_MACHINES
    last = network.num_addresses - 2
    candidates = (str(network.network_address + host) for host in range(first, last + 1))
    return (address for address in candidates if address not in taken)


def within(group: GroupSpec) -> Iterator[Problem]:
    """Check one group by itself."""
    yield from _logical_ids(group)
    yield from _control_plane(group)
    yield from _attachments(group)
    yield from _networks(group)
    for index, add_on in enumerate(group.flavor.add_ons):
        path = group.add_on_path(add_on)
        is_local = path and not path.startswith(("http://", "https://"))
        if is_local and not (Path(path).is_absolute() and Path(path).is_file()):
            yield group.flavor_problem(
                f"KubeAddOns[{index}].Path", f"there is no manifest file {path}"
            )


def _logical_ids(group: GroupSpec) -> Iterator[Problem]:
    network = machine_network(group.flavor)
    ids = group.allocation.logical_ids
    for index, address in enumerate(ids):
        place = f"{_IDS}[{index}]"
        if address in ids[:index]:
            yield group.problem(place, f"LogicalID {address} specified more than once")
        reason = _unusable(address, network)
        if reason:
            yield group.problem(place, f"{address} {reason}")
    reason = _unusable(group.flavor.join_ip, network)
    if reason and group.flavor.join_ip not in ids:
        yield group.flavor_problem("KubeJoinIP", f"{group.flavor.join_ip} {reason}")


def _unusable(address: str, network: IPv4Network) -> str:
    """Say why no machine can have this address, or nothing."""
    value = IPv4Address(address)
    if value not in network:
        return f"is not in the machines' network {network}"
    if value == network.network_address:
        return f"is the address of the network {network} itself"
    if value == network.broadcast_address:
        return f"is the broadcast address of {network}"
    if value == gateway(network):
        return f"is the gateway of {network}, which the harness keeps for itself"
    return ""


def _control_plane(group: GroupSpec) -> Iterator[Problem]:
    chosen, ids = group.flavor.control_plane, group.allocation.logical_ids
    place = "ControlPlane"
    if len(chosen) > 1:
        is_even = len(chosen) % 2 == 0
        odd = f"must have odd number of control plane ids: {list(chosen)}; " if is_even else ""
        yield group.flavor_problem(
            place,
            f"{odd}one control plane for now: {len(chosen)} are named, and joining a second one "
            "(shared certificates, an address for all) is not built yet; name one",
        )
    elif chosen and chosen[0] != group.flavor.join_ip:
        yield group.flavor_problem(
            place,
            f"the control plane {chosen[0]} must be at KubeJoinIP {group.flavor.join_ip}, "
            "where workers join",
        )
    if ids and not set(chosen) <= set(ids) and group.role is Role.MANAGER:
        yield group.flavor_problem(
            place,
            "ControlPlane ids must be equal or strict subset of allocations logical IDs: "
            f"{list(chosen)} vs {list(ids)}",
        )


def _attachments(group: GroupSpec) -> Iterator[Problem]:
    seen: Counter[str] = Counter()
    for logical_id, attachments in group.flavor.attachments.items():
        place = f'Attachments["{logical_id}"]'
        if logical_id != "*" and logical_id not in group.allocation.logical_ids:
            yield group.flavor_problem(
                place,
                f"LogicalID {logical_id} used for an attachment but is not in group LogicalIDs",
            )
        for index, attachment in enumerate(attachments):
            seen[attachment.id] += 1
            if seen[attachment.id] > 1:
                yield group.flavor_problem(
                    f"{place}[{index}].ID", f"Attachment {attachment.id} specified more than once"
                )


def _networks(group: GroupSpec) -> Iterator[Problem]:
    flavor = group.flavor
    networks: Mapping[str, IPv4Network] = {
        "Network": machine_network(flavor),
        "PodNetwork": IPv4Network(flavor.pod_network),
        "ServiceNetwork": IPv4Network(flavor.service_network),
    }
    for (first, one), (second, other) in itertools.combinations(networks.items(), 2):
        if one.overlaps(other):
            yield group.flavor_problem(second, f"{other} overlaps {first} {one}; choose another")


def between(groups: Sequence[GroupSpec], kept: Kept = NOTHING_KEPT) -> Iterator[Problem]:
    """Check groups, each right in itself, against one another and against what there is."""
    managers = [group for group in groups if group.role is Role.MANAGER]
    if not managers:
        yield groups[-1].problem(
            f"{groups[-1].flavor_place}.Plugin",
            "no manager group: one group needs the flavor `flavor-kubernetes/manager`",
        )
    for group in managers[1:]:
        yield group.problem(
            f"{group.flavor_place}.Plugin",
            f"one control plane for now: group `{managers[0].id}` in {managers[0].file} is "
            "the manager group already",
        )
    yield from disagreements(groups)
    if len({group.id for group in groups}) < len(groups):
        return  # whose addresses are whose cannot be told then
    given = addresses(groups, kept)
    yield from _allocated(groups, given)
    if managers:
        yield from _join_address(managers[0], given)


def disagreements(groups: Sequence[GroupSpec]) -> Iterator[Problem]:
    """Check what groups must agree on, whatever other groups there may be."""
    first: dict[str, GroupSpec] = {}
    for group in groups:
        known = first.setdefault(group.id, group)
        if known is not group:
            yield group.problem(".ID", f"group ID `{group.id}` is taken by {known.file} already")
    yield from _same_cluster(groups)


def warnings(groups: Sequence[GroupSpec]) -> Iterator[Problem]:
    """Tell what is allowed and will hardly be meant."""
    manager = manager_group(groups)
    if not any(add_on.type == "network" for add_on in manager.flavor.add_ons):
        yield manager.flavor_problem(
            "KubeAddOns",
            "No Network addon configured. Your cluster will not be Ready status until apply "
            "network addon.",
        )


def _same_cluster(groups: Sequence[GroupSpec]) -> Iterator[Problem]:
    for group in groups[1:]:
        first = groups[0]
        for key, here, there in (
            ("KubeClusterID", group.flavor.cluster_id, first.flavor.cluster_id),
            ("KubeJoinIP", group.flavor.join_ip, first.flavor.join_ip),
            ("KubeBindPort", group.flavor.bind_port, first.flavor.bind_port),
            ("PodNetwork", group.flavor.pod_network, first.flavor.pod_network),
            ("ServiceNetwork", group.flavor.service_network, first.flavor.service_network),
            ("Network", machine_network(group.flavor), machine_network(first.flavor)),
        ):
            if here != there:
                yield group.flavor_problem(
                    key,
                    f"{here} differs from {there} in {first.file}; groups of one cluster must "
                    "agree on it",
                )


def _allocated(groups: Sequence[GroupSpec], given: Kept) -> Iterator[Problem]:
    owners = {
        address: group
        for group in groups
        if group.allocation.size is not None
        for address in given[group.id]
    }
    for group in groups:
        for index, address in enumerate(group.allocation.logical_ids):
            owner = owners.setdefault(address, group)
            if owner is not group:
                yield group.problem(
                    f"{_IDS}[{index}]",
                    f"{address} belongs to group `{owner.id}` in {owner.file} already; "
                    "two machines cannot share an address",
                )
        size = group.allocation.size
        if size is not None and len(given[group.id]) < size:
            yield group.problem(
                f"{_ALLOCATION}.Size",
                f"{machine_network(group.flavor)} has only {len(given[group.id])} free "
                f"addresses for these {size} machines; name a wider Network or LogicalIDs",
            )
    total = sum(group.allocation.size or len(group.allocation.logical_ids) for group in groups)
    if total > MAX_MACHINES:
        yield groups[-1].problem(
            _ALLOCATION, f"{total} machines are too many: at most {MAX_MACHINES} in one cluster"
        )


def _join_address(manager: GroupSpec, given: Kept) -> Iterator[Problem]:
    own = given[manager.id]
    if manager.flavor.join_ip not in own:
        yield manager.flavor_problem(
            "KubeJoinIP",
            f"{manager.flavor.join_ip} is not an address of the manager group `{manager.id}`, "
            f"whose addresses are {', '.join(own) or 'none'}; list it in the group's LogicalIDs",
        )
