"""ready: every planned node, and no other, is Ready at its planned address, and answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness import nodes, wait
from harness.errors import CommandError, HarnessError, NotReadyError, TransportError
from harness.events import MachineProgress
from harness.phases import diagnosis, kubelets
from harness.phases.base import Phase

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from harness.phases.base import Site
    from harness.spec import ClusterPlan
    from harness.wait import Deadline

NAME = "ready"
# A node that answers once may be on its way out; three good answers in a row count.
POLLS_IN_A_ROW = 3
INTERVAL_SECONDS = 0.5


def reasons(
    plan: ClusterPlan, items: Sequence[Mapping[str, Any]], others: Collection[str] = ()
) -> dict[str, str]:
    """Say why planned nodes are not as they should be; empty if all is well.

    Args:
        plan: What shall be.
        items: Of `kubectl get nodes -o json`.
        others: Nodes that may be there, and that nobody asks about.

    Returns:
        Node name → why not, for every planned node that is not Ready or has another
        InternalIP than planned, and for every node that nobody planned.
    """
    found = {
        node["metadata"]["name"]: node for node in items if node["metadata"]["name"] not in others
    }
    why: dict[str, str] = {}
    for machine in plan.machines:
        node = found.pop(machine.name, None)
        reason = nodes.ABSENT if node is None else nodes.why_not_ready(node, machine.address)
        if reason:
            why[machine.name] = reason
    return why | dict.fromkeys(found, "is not a node of this plan")


def _why_not(site: Site, items: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    found = reasons(site.plan, items, site.others)
    return found or kubelets.silent(site.plan, items, site.network)


def _run(site: Site, deadline: Deadline) -> str:
    polls = 0
    last: dict[str, str] = {}

    def condition() -> str | None:
        nonlocal polls, last
        try:
            last = _why_not(site, site.api.get("nodes"))
        except (CommandError, TransportError) as error:  # the API server may be starting again
            polls = 0
            return error.message
        for machine in site.plan.machines:
            reason = last.get(machine.name, "")
            site.report(MachineProgress(machine.name, NAME, reason, done=not reason))
        if last:
            polls = 0
            return "; ".join(f"{name} {reason}" for name, reason in last.items())
        polls += 1
        return None if polls >= POLLS_IN_A_ROW else f"Ready {polls} times in a row"

    try:
        wait.until(
            condition,
            timeout=deadline.remaining,
            interval=INTERVAL_SECONDS,
            what="every planned node Ready",
        )
    except wait.WaitTimeout as error:
        raise NotReadyError(
            error.message, hint="`harness logs` collects what the machines know."
        ) from error
    return f"{len(site.plan.machines)} nodes"


def _diagnose(site: Site) -> str:
    """Ask for the pods that do not run, and every machine whose node is not Ready."""
    try:
        why = _why_not(site, site.api.get("nodes", timeout=diagnosis.SECONDS))
    except HarnessError as error:
        why = dict.fromkeys(site.plan.names, error.message)
        pods = ""
    else:
        pods = diagnosis.of_pods(site)
    meant = [machine for machine in site.plan.machines if machine.name in why]
    return diagnosis.joined([pods, diagnosis.of_machines(site, meant)])


PHASE = Phase(NAME, timeout_seconds=300, run=_run, diagnose=_diagnose)
