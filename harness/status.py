"""What a cluster is like now: its machines, as Vagrant has them, and their nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness import flavors, render
from harness.errors import HarnessError
from harness.interfaces import HealthState, MachineState
from harness.phases import kubelets, ready
from harness.snapshot import Snapshot
from harness.spec import Role

if TYPE_CHECKING:
    from harness.cluster import Cluster

STATES_SECONDS = 30.0


def of(cluster: Cluster) -> dict[str, Any]:
    """Return machines and nodes, in the shape of `status -o json` (design/cli.md)."""
    states, trouble = _states(cluster)
    items, why = _items(cluster)
    found = {item["metadata"]["name"]: item for item in items or ()}
    reasons = _reasons(cluster, items) if items is not None else {}
    entries = []
    for machine in cluster.plan.machines:
        node = found.get(machine.name)
        is_ready = None if items is None else machine.name not in reasons
        entries.append(
            {
                "name": machine.name,
                "group": machine.group,
                "role": str(machine.role),
                "address": machine.address,
                "machine": str(states.get(machine.name, MachineState.ABSENT)),
                "ready": is_ready,
                "version": node["status"]["nodeInfo"]["kubeletVersion"] if node else "",
                "reason": reasons.get(machine.name, why or trouble),
            }
        )
    return {
        "cluster": cluster.plan.cluster,
        "provider": str(cluster.plan.provider),
        "phase": cluster.workspace.last_phase,
        "nodes": entries,
    }


def _reasons(cluster: Cluster, items: list[dict[str, Any]]) -> dict[str, str]:
    silent = kubelets.silent(cluster.plan, items, cluster.network)
    return silent | ready.reasons(cluster.plan, items)


def _states(cluster: Cluster) -> tuple[dict[str, MachineState], str]:
    if not cluster.network.leftovers() and not cluster.workspace.exists:
        return {}, "nothing of this cluster is on this host"
    try:
        return cluster.provider.machines(timeout=STATES_SECONDS), ""
    except HarnessError as error:
        return {}, error.message


def _items(cluster: Cluster) -> tuple[list[dict[str, Any]] | None, str]:
    try:
        return cluster.api.get("nodes"), ""
    except HarnessError as error:
        return None, error.message


def groups(cluster: Cluster) -> list[dict[str, Any]]:
    """Return the groups, in the shape of `group ls -o json`.

    Each is ``{"id", "role", "size", "ready", "state"}``: how many machines there shall be, how
    many nodes of them are Ready (None if the API server does not say), and ``freed``,
    ``converged``, or ``converging`` while not all is as it was committed.
    """
    items, _ = _items(cluster)
    reasons = _reasons(cluster, items) if items is not None else {}
    found = []
    for group in cluster.plan.groups:
        members = cluster.plan.members(group.id)
        well = sum(machine.name not in reasons for machine in members)
        is_done = cluster.workspace.completed and items is not None and well == len(members)
        is_manager = cluster.plan.manager in members
        found.append(
            {
                "id": group.id,
                "role": str(Role.MANAGER if is_manager else Role.WORKER),
                "size": len(members),
                "ready": well if items is not None else None,
                "state": ("converged" if is_done else "converging") if group.watched else "freed",
            }
        )
    return found


def instances(cluster: Cluster, group: str) -> dict[str, Any]:
    """Return the machines of a group, in the shape of `group describe -o json`.

    It is ``{"id", "converged", "instances": [{"id", "logical", "health", "reason", "tags"}]}``;
    health is the flavor's word: ``healthy``, ``unhealthy`` or ``unknown``. Tags are upstream's
    and what flavors add.
    """
    found, api = [], Snapshot(cluster.api)
    for machine in cluster.plan.members(group):
        health = flavors.healthy(machine, api)
        made = render.instance(cluster.plan, machine, render.PLACEHOLDER_SECRETS, cluster.world)
        found.append(
            {
                "id": machine.name,
                "logical": machine.address,
                "health": str(health.state),
                "reason": health.reason,
                "tags": {
                    "infrakit.group": group,
                    "infrakit.config.hash": machine.fingerprint.removeprefix("sha256:")[:12],
                    **made.tags,
                },
            }
        )
    well = all(one["health"] == HealthState.HEALTHY for one in found)
    return {"id": group, "converged": cluster.workspace.completed and well, "instances": found}
