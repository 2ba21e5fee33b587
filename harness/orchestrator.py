"""Brings a cluster up, phase by phase, and takes it down."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from harness import nodes, render
from harness.errors import HarnessError, InterruptedRunError, UsageError
from harness.events import Notice, PhaseEnded, PhaseFailed, PhaseStarted
from harness.phases import SEQUENCE, ready
from harness.phases.base import Site
from harness.stopwatch import Stopwatch
from harness.wait import Deadline

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
    phases: Sequence[Phase] = SEQUENCE,
) -> Outcome:
    """Bring the cluster up from wherever it is; every phase finds what is done already.

    Raises:
        HarnessError, ExceptionGroup: What the first failing phase raised; machines are kept.
    """
    began = time.monotonic()
    workspace, plan, world = cluster.workspace, cluster.plan, cluster.world
    content_hash = render.content_hash(plan)
    if rows := _settled(cluster, content_hash):
        return Outcome(changed=False, nodes=rows, seconds=time.monotonic() - began)
    _refuse_another_plan(workspace.load_plan(), plan)
    secrets = workspace.secrets()
    scripts = {one.name: render.init_script(plan, one, secrets, world) for one in plan.machines}
    # Before any machine is made, so that none can be orphaned.
    workspace.save_plan(plan, vagrantfile=cluster.vagrantfile(secrets), content_hash=content_hash)
    site = Site(
        plan=plan,
        secrets=secrets,
        scripts=scripts,
        provider=cluster.provider,
        network=cluster.network,
        transport=cluster.transport,
        forget=cluster.forget,
        api=cluster.api,
        check_host=cluster.check_host,
        report=reporter.report,
    )
    stopwatch, deadline = Stopwatch(site.report, workspace.save_timings), Deadline(timeout)
    for phase in phases:
        stopwatch.run(phase, site, deadline)
    items = cluster.api.get("nodes")
    workspace.mark_completed()
    return Outcome(changed=True, nodes=_rows(items, plan), seconds=time.monotonic() - began)


def _refuse_another_plan(recorded: ClusterPlan | None, plan: ClusterPlan) -> None:
    """Refuse to forget machines that exist.

    Raises:
        UsageError: If the cluster was begun with another provider, or with machines that the
            groups no longer have.
    """
    if recorded is None:
        return
    hint = f"Run `harness down --name {plan.cluster}` first."
    if recorded.provider != plan.provider:
        raise UsageError(
            f"Cluster `{plan.cluster}` was begun with {recorded.provider}, not {plan.provider}.",
            hint=hint,
        )
    if gone := [name for name in recorded.names if name not in plan.names]:
        raise UsageError(
            f"Cluster `{plan.cluster}` has {', '.join(gone)}, which the groups no longer have.",
            hint=hint,
        )


def _settled(cluster: Cluster, content_hash: str) -> tuple[NodeRow, ...] | None:
    """Return the table if the cluster already is as planned, else None.

    Proved by a live query: the recorded hash says only that nothing else was asked for.
    """
    if cluster.workspace.content_hash != content_hash or not cluster.workspace.completed:
        return None
    try:
        items = cluster.api.get("nodes", timeout=SETTLED_SECONDS)
    except HarnessError:
        return None
    if ready.reasons(cluster.plan, items):
        return None
    return _rows(items, cluster.plan)


def _rows(items: list[dict[str, Any]], plan: ClusterPlan) -> tuple[NodeRow, ...]:
    return nodes.rows(items, datetime.now(tz=UTC), plan.names)


def down(cluster: Cluster, reporter: Reporter) -> None:
    """Remove machines, network and workspace, and look whether anything is left.

    What Vagrant no longer knows is removed by its name; the workspace goes last, so that
    an interrupted `down` can be repeated.

    Raises:
        ProviderError, HostError: Naming what is still there.
    """
    cluster.close()
    report, began = reporter.report, time.monotonic()
    report(PhaseStarted("down", cluster.plan.names))
    try:
        _destroy(cluster, report)
        cluster.network.remove()
    except HarnessError as error:
        report(PhaseFailed("down", time.monotonic() - began, error.message))
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
