"""Whether kubelets answer: the API server's word on a node may be 40 s old.

So long the node controller waits before it calls a silent node anything but Ready
(``--node-monitor-grace-period``). A machine that was stopped meanwhile, and one that was
started again and whose kubelet was not, look as if all were well with them.
"""

from __future__ import annotations

from concurrent import futures
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.interfaces import Network
    from harness.spec import ClusterPlan, MachinePlan

# kubelet's own, where a node does not say another.
PORT = 10250
# One that runs accepts within milliseconds, one that does not would never answer.
CONNECT_SECONDS = 2.0


def silent(
    plan: ClusterPlan, nodes: Sequence[Mapping[str, Any]], network: Network
) -> dict[str, str]:
    """Say whose kubelet does not answer now; empty if all do.

    Args:
        plan: What shall be.
        nodes: Items of `kubectl get nodes -o json`.
        network: Where the machines live.

    Returns:
        Node name → why not, for planned machines.
    """
    ports = {node["metadata"]["name"]: _port(node) for node in nodes}

    def ask(machine: MachinePlan) -> str:
        port = ports.get(machine.name, PORT)
        try:
            network.connect(machine.address, port, timeout=CONNECT_SECONDS).close()
        except OSError as error:
            return f"its kubelet does not answer at {machine.address}:{port}: {error}"
        return ""

    with futures.ThreadPoolExecutor(max_workers=len(plan.machines) or 1) as pool:
        answers = zip(plan.names, pool.map(ask, plan.machines), strict=True)
        return {name: why for name, why in answers if why}


def _port(node: Mapping[str, Any]) -> int:
    endpoints = node["status"].get("daemonEndpoints", {})
    return int(endpoints.get("kubeletEndpoint", {}).get("Port", PORT))
