"""What a cluster is like now: its machines, as Vagrant has them, and their nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError
from harness.interfaces import MachineState
from harness.phases import ready

if TYPE_CHECKING:
    from harness.cluster import Cluster

STATES_SECONDS = 30.0


def of(cluster: Cluster) -> dict[str, Any]:
    """Return machines and nodes, in the shape of `status -o json` (design/cli.md)."""
    states, trouble = _states(cluster)
    items, why = _items(cluster)
    found = {item["metadata"]["name"]: item for item in items or ()}
    reasons = ready.reasons(cluster.plan, items) if items is not None else {}
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
