"""Brings a cluster up, phase by phase, and takes it down."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from harness import kubeconfig, nodes, render, wait
from harness.convergence import converge
from harness.errors import CommandError, HarnessError, InterruptedRunError, TransportError, leaves
from harness.events import Notice, PhaseEnded, PhaseFailed, PhaseStarted
from harness.phases import SEQUENCE, kubelets, ready

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from harness.cluster import Cluster
    from harness.events import Event
    from harness.interfaces import Reporter
    from harness.nodes import NodeRow
    from harness.phases.base import Phase
    from harness.spec import ClusterPlan

DESTROY_SECONDS = 120.0
# Machines that run answer in a quarter of a second; those that do not, never.
SETTLED_SECONDS = 5.0
# Of a cluster that is Ready: its API server is busy at worst.
TABLE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """How `up` ended.

    Attributes:
        changed: Whether there was anything to do.
        nodes: The walkthrough's table.
        seconds: How long it took.
    """

    changed: bool
    nodes: tuple[NodeRow, ...]
    seconds: float


def up(
    cluster: Cluster,
    reporter: Reporter,
    *,
    timeout: float,
    force: bool = False,
    phases: Sequence[Phase] = SEQUENCE,
) -> Outcome:
    """Bring the cluster up from wherever it is; every phase finds what is done already.

    Raises:
        UsageError, HarnessError, ExceptionGroup: As `converge` does.
    """
    began = time.monotonic()
    if rows := _settled(cluster):
        return Outcome(changed=False, nodes=rows, seconds=time.monotonic() - began)
    converge(cluster, reporter, timeout=timeout, force=force, phases=phases)
    items = wait.retry(
        lambda: cluster.api.get("nodes"),
        on=(CommandError, TransportError),
        timeout=TABLE_SECONDS,
        interval=1,
        what="the table of nodes",
    )
    return Outcome(changed=True, nodes=_rows(items, cluster.plan), seconds=time.monotonic() - began)


def _settled(cluster: Cluster) -> tuple[NodeRow, ...] | None:
    """Return the table if the cluster already is as planned, else None.

    Proved by a live query: the recorded hash says only that nothing else was asked for.
    """
    planned = render.content_hash(cluster.plan, cluster.world)
    is_recorded = cluster.workspace.content_hash == planned
    if not is_recorded or not cluster.workspace.completed:
        return None
    try:
        items = cluster.api.get("nodes", timeout=SETTLED_SECONDS)
    except HarnessError:
        return None
    if ready.reasons(cluster.plan, items) or kubelets.silent(cluster.plan, items, cluster.network):
        return None
    return _rows(items, cluster.plan)


def _rows(items: list[dict[str, Any]], plan: ClusterPlan) -> tuple[NodeRow, ...]:
    return nodes.rows(items, datetime.now(tz=UTC), plan.names)


def down(cluster: Cluster, reporter: Reporter) -> None:
    """Remove machines, network, contexts and workspace, and look whether anything is left.

    What Vagrant no longer knows is removed by its name; the workspace goes last, so that
    an interrupted `down` can be repeated.

    Raises:
        ProviderError, HostError, ExceptionGroup: Naming what is still there.
    """
    cluster.close()
    report, began = reporter.report, time.monotonic()
    report(PhaseStarted("down", cluster.plan.names))
    try:
        _destroy(cluster, report)
        cluster.network.remove()
        kubeconfig.forget_all(cluster.workspace.kubeconfigs, cluster.plan.cluster)
    except (HarnessError, ExceptionGroup) as error:
        message = "; ".join(map(str, leaves(error)))
        report(PhaseFailed("down", time.monotonic() - began, message))
        raise
    cluster.workspace.remove()
    report(PhaseEnded("down", time.monotonic() - began))


def _destroy(cluster: Cluster, report: Callable[[Event], None]) -> None:
    begun = cluster.workspace.vagrant_dir / ".vagrant"
    if not cluster.network.leftovers() and not begun.exists():
        return
    cluster.network.create()  # Vagrant runs inside it
    try:
        cluster.provider.destroy(cluster.plan.names, timeout=DESTROY_SECONDS)
    except HarnessError as error:
        # The network removes by name what Vagrant could not, or says what is left.
        report(Notice(f"Vagrant: {error.message}", level="warning"))
        if isinstance(error, InterruptedRunError) or not cluster.network.leftovers():
            raise
