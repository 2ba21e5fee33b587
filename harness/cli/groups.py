"""Commands on single groups, in the words of InfraKit's walkthrough."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness import commitments, convergence, nodes, orchestrator, status
from harness import watch as watching
from harness.cli import (
    failures,
    interrupts,
    offline,
    options,
    parts,
    privilege,
    resolution,
    session,
)
from harness.cli.options import Files, Name, Output, Print, Provider, ProviderChoice, example
from harness.errors import UsageError
from harness.events import Notice
from harness.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.cli.resolution import Resolved
    from harness.cluster import Cluster
    from harness.commitments import Commitment
    from harness.reconcile import Change

app = options.new_app()
group = options.new_app()
app.add_typer(group, name="group", help="What becomes of single groups.")

GROUPS_HEAD = ("ID", "ROLE", "SIZE", "READY", "STATE")
INSTANCES_HEAD = ("ID", "LOGICAL", "HEALTH", "TAGS", "REASON")

Group = Annotated[str, typer.Argument(metavar="ID", help="A committed group's ID.")]


@group.command(
    epilog=example(
        "harness group commit groups/groups-manager.json",
        "harness group commit groups/groups-worker.json --pretend",
    )
)
def commit(  # noqa: PLR0913 - each is an option
    files: Files = None,
    provider: Provider = ProviderChoice.AUTO,
    timeout: options.Timeout = options.UP_SECONDS,
    *,
    pretend: Annotated[
        bool, typer.Option("--pretend", help="Say what it would involve, and do nothing.")
    ] = False,
    no_wait: Annotated[
        bool, typer.Option("--no-wait", help="Record it, and leave it to `harness watch`.")
    ] = False,
    force: options.Force = False,
    output: Print = Output.TABLE,
) -> None:
    """Keep groups as their files say, from now on; return once the cluster is like that.

    Groups that were committed before stay. A group that is committed again changes to what its
    file says: machines are added, drained and removed, or replaced one at a time if their
    properties or the content of their templates have changed. Commit managers first.
    """
    resolved = resolution.committing(options.group_files(files), provider)
    offline.warn(resolved)
    named = resolved.fresh
    found = {name: change for name, change in resolved.changes.items() if name in named}
    if pretend:
        _tell(found, output, "Committing {} would involve: {}")
        return
    if no_wait and force:
        raise UsageError(
            "--force is not remembered for later.", hint="Say --no-wait or --force, not both."
        )
    _carry_out(resolved, timeout=timeout, force=force, waits=not no_wait)
    _tell(found, output, "Committed {}: {}")


def _tell(found: Mapping[str, Change], output: Output, line: str) -> None:
    if output is Output.JSON:
        options.print_json({name: asdict(change) for name, change in found.items()})
        return
    for name, change in found.items():
        typer.echo(line.format(name, change.text))


def _carry_out(
    resolved: Resolved,
    *,
    timeout: float = options.UP_SECONDS,
    force: bool = False,
    waits: bool = True,
) -> None:
    """Get a cluster to what is asked for, or only record it."""
    privilege.ensure(resolved.plan.provider)
    cluster = parts.planned(resolved)
    name, workspace = cluster.plan.cluster, cluster.workspace
    interrupted = interrupts.explained(
        f"Interrupted. What exists of cluster `{name}` is kept.",
        hint="The same command goes on from here, `harness down` removes everything.",
    )
    with session.reporting(workspace) as reporter, interrupted:
        if not workspace.exists:
            cluster.check_host()
        with session.holding(workspace, "group", reporter):
            if not waits:
                convergence.commit(cluster, reporter)
                return
            for group_id, change in resolved.changes.items():
                reporter.report(Notice(f"{group_id}: {change.text}"))
            with failures.documented(cluster, reporter, clean=False):
                orchestrator.up(cluster, reporter, timeout=timeout, force=force)


@group.command("ls", epilog=example("harness group ls", "harness group ls -o json"))
def list_(name: Name = None, output: Print = Output.TABLE) -> None:
    """List the groups of a cluster, and whether they are as they were committed."""
    found = status.groups(session.recorded(name))
    if output is Output.JSON:
        options.print_json(found)
        return
    lines = [
        (
            one["id"],
            one["role"],
            str(one["size"]),
            "?" if one["ready"] is None else str(one["ready"]),
            one["state"],
        )
        for one in found
    ]
    typer.echo(nodes.columns(GROUPS_HEAD, lines))


@group.command(epilog=example("harness group describe kubernetes-workers"))
def describe(group_id: Group, name: Name = None, output: Print = Output.TABLE) -> None:
    """Show the machines of a group, as upstream's `group ls ID` does, and their health."""
    cluster = session.recorded(name)
    commitments.find(cluster.commitments, group_id)
    found = status.instances(cluster, group_id)
    if output is Output.JSON:
        options.print_json(found)
        return
    lines = [_instance_line(one) for one in found["instances"]]
    typer.echo(nodes.columns(INSTANCES_HEAD, lines))


def _instance_line(instance: dict[str, Any]) -> list[str]:
    tags = ",".join(f"{key}={value}" for key, value in sorted(instance["tags"].items()))
    return [instance["id"], instance["logical"], instance["health"], tags, instance["reason"]]


@group.command(epilog=example("harness group inspect kubernetes-workers > workers.json"))
def inspect(group_id: Group, name: Name = None) -> None:
    """Print a group as it is committed: JSON that `group commit` takes again, anywhere."""
    before = commitments.load(Workspace.of(session.cluster_name(name)))
    options.print_json(commitments.find(before, group_id).portable)


@group.command(
    epilog=example("harness group scale kubernetes-workers", "harness group scale workers 5")
)
def scale(
    group_id: Group,
    size: Annotated[
        int | None, typer.Argument(metavar="N", help="How many machines there shall be.")
    ] = None,
    name: Name = None,
    timeout: options.Timeout = options.UP_SECONDS,
) -> None:
    """Print how many machines a group has, or change it.

    Machines that go are those with the highest index; they are drained first. The size holds
    until the group's file is committed again.
    """
    cluster_name = session.cluster_name(name)
    before = commitments.load(Workspace.of(cluster_name))
    one = commitments.find(before, group_id)
    if size is None:
        typer.echo(len(session.recorded(name).plan.members(group_id)))
        return
    scaled = one.scaled(size)
    resolved = resolution.committed(cluster_name, lambda all_: commitments.merged(all_, (scaled,)))
    recorded = resolved.recorded
    now = len(recorded.members(group_id)) if recorded else 0
    offline.warn(resolved)
    typer.echo(f"Group {group_id} at {now} instances, scale to {size}")
    _carry_out(resolved, timeout=timeout)


@group.command(epilog=example("harness group free kubernetes-workers"))
def free(group_id: Group, name: Name = None) -> None:
    """Leave a group alone from now on; its machines stay as they are.

    `watch` does not heal them, and no command but `down` changes them, until the group is
    committed again.
    """

    def freed(before: tuple[Commitment, ...]) -> tuple[Commitment, ...]:
        one = commitments.find(before, group_id)
        return commitments.merged(before, (replace(one, watched=False),))

    resolved = resolution.committed(session.cluster_name(name), freed)
    _carry_out(resolved, waits=False)
    typer.echo(f"Freed {group_id}")


@group.command(epilog=example("harness group destroy kubernetes-workers"))
def destroy(
    group_id: Group,
    name: Name = None,
    timeout: options.Timeout = options.UP_SECONDS,
    *,
    force: options.Force = False,
) -> None:
    """Drain and remove every machine of a group, and forget the group."""
    chosen = session.cluster_name(name)
    before = commitments.load(Workspace.of(chosen))
    commitments.find(before, group_id)
    rest = tuple(one for one in before if one.id != group_id)
    if _holds_control_plane(chosen, group_id):
        _destroy_control_plane(chosen, group_id, rest, force=force)
    else:
        resolved = resolution.committed(chosen, lambda _: rest)
        _carry_out(resolved, timeout=timeout)
    typer.echo(f"Destroyed {group_id}")


def _holds_control_plane(cluster: str, group_id: str) -> bool:
    recorded = Workspace.of(cluster).load_plan()
    return recorded is not None and recorded.manager.group == group_id


def _destroy_control_plane(
    name: str, group_id: str, rest: tuple[Commitment, ...], *, force: bool
) -> None:
    """Remove the group without which there is no cluster."""
    if rest:
        others = ", ".join(one.id for one in rest)
        raise UsageError(
            f"Group `{group_id}` holds the only control plane, and {others} cannot be without it.",
            hint=f"Destroy the other groups first, or all with `harness down --name {name}`.",
        )
    if not force:
        raise UsageError(
            f"Group `{group_id}` holds the only control plane of cluster `{name}`: with it every "
            "object of the cluster is lost.",
            hint="Say --force if that is meant. Nothing was done.",
        )
    _remove(session.recorded(name))


def _remove(cluster: Cluster) -> None:
    workspace = cluster.workspace
    with (
        session.reporting(workspace) as reporter,
        session.holding(workspace, "group", reporter),
    ):
        orchestrator.down(cluster, reporter)


@app.command(epilog=example("harness watch", "harness watch --name mine"))
def watch(
    name: Name = None,
    timeout: Annotated[
        float, typer.Option("--timeout", metavar="SECONDS", min=1, help="Limit of each healing.")
    ] = options.UP_SECONDS,
) -> None:
    """Keep the committed groups as committed, until stopped.

    Machines that are gone or stopped come back; those whose nodes stay unhealthy for a minute
    are replaced, at most five times each, with growing pauses. What was committed with
    --no-wait is carried out. The only control plane is started, and made anew if it is gone,
    but never destroyed.
    """
    chosen = session.cluster_name(name)
    privilege.ensure(parts.committed(chosen).plan.provider)
    with session.reporting(Workspace.of(chosen)) as reporter:
        watching.Watch(lambda: parts.committed(chosen), reporter, timeout=timeout).run()
    typer.echo(f"No longer watching cluster `{chosen}`.", err=True)
