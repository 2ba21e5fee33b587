"""Brings a cluster up, phase by phase, and takes it down; says how long each phase took."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from harness import kubeconfig, nodes, render, wait
from harness.errors import HarnessError, InterruptedRunError, UsageError
from harness.events import Notice, PhaseEnded, PhaseFailed, PhaseStarted
from harness.interfaces import MachineState
from harness.kubectl import ADMIN_CONF
from harness.phases import SEQUENCE, ready
from harness.phases.base import Site

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from harness.events import Event
    from harness.interfaces import ClusterAPI, Network, Provider, Reporter, Transport
    from harness.nodes import NodeRow
    from harness.phases.base import Phase
    from harness.spec import ClusterPlan, ClusterSecrets
    from harness.template import World
    from harness.workspace import Workspace

DESTROY_SECONDS = 120.0
STATES_SECONDS = 30.0
# Machines that run answer in a quarter of a second; those that do not, never.
SETTLED_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Cluster:
    """One planned cluster and the parts that reach it, put together by `cli`.

    Attributes:
        plan: What shall be, or what was brought up.
        workspace: What is remembered of it.
        provider: Makes its machines.
        network: Where they live.
        transport: Machine name → how to run commands there.
        forget: Machine name → drops its connection and its host key.
        api: Its API server.
        vagrantfile: Renders the Vagrantfile for the cluster's secrets.
        check_host: Raises HostError if this host cannot do it.
        api_url: Returns where this host's ordinary shell reaches the API server.
        close: Closes every connection.
        world: What templates may reach; None means files alone.
    """

    plan: ClusterPlan
    workspace: Workspace
    provider: Provider
    network: Network
    transport: Callable[[str], Transport]
    forget: Callable[[str], None]
    api: ClusterAPI
    vagrantfile: Callable[[ClusterSecrets], str]
    check_host: Callable[[], None]
    api_url: Callable[[], str]
    close: Callable[[], None]
    world: World | None = None

    def admin_conf(self) -> str:
        """Return the administrator's configuration, as kubeadm wrote it on the manager."""
        transport = self.transport(self.plan.manager.name)
        return transport.run(["cat", ADMIN_CONF], timeout=STATES_SECONDS, sudo=True).check().stdout

    def kubeconfig_text(self) -> str:
        """Return a configuration that works from this host's ordinary shell."""
        return kubeconfig.export(
            self.admin_conf(), cluster=self.plan.cluster, server=self.api_url()
        )


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


class Stopwatch:
    """Runs phases, times them, tells of them, and keeps the record."""

    def __init__(
        self,
        report: Callable[[Event], None],
        keep: Callable[[list[dict[str, Any]]], None],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._report = report
        self._keep = keep
        self._clock = clock
        self.timings: list[dict[str, Any]] = []

    def run(self, phase: Phase, site: Site, deadline: wait.Deadline) -> None:
        """Run one phase within its own limit and the whole run's.

        Raises:
            HarnessError: What the phase raised, with what the machines know about it.
        """
        seconds = min(phase.timeout_seconds, deadline.remaining)
        began = self._clock()
        self._report(PhaseStarted(phase.name, site.plan.names))
        try:
            note = phase.run(site, wait.Deadline(seconds))
        except BaseException as error:
            self._record(phase, began, "failed")
            message = error.message if isinstance(error, HarnessError) else str(error)
            self._report(PhaseFailed(phase.name, self._clock() - began, message))
            stopped = isinstance(error, InterruptedRunError)
            if isinstance(error, HarnessError) and not stopped and (known := phase.diagnose(site)):
                error.add_note(known)
            raise
        self._record(phase, began, note or "done")
        self._report(PhaseEnded(phase.name, self._clock() - began, note))

    def _record(self, phase: Phase, began: float, note: str) -> None:
        seconds = round(self._clock() - began, 3)
        self.timings.append({"phase": phase.name, "seconds": seconds, "note": note})
        self._keep(self.timings)


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
    stopwatch, deadline = Stopwatch(site.report, workspace.save_timings), wait.Deadline(timeout)
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


def status(cluster: Cluster) -> dict[str, Any]:
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
