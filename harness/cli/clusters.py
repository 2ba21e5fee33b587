"""Commands that make, remove and show clusters: up, down, status, nodes."""

import shlex
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict
from functools import partial
from typing import Annotated, Any

import typer

from harness import domains, kubeconfig, orchestrator
from harness import nodes as node_rows
from harness import status as cluster_status
from harness.cli import (
    census,
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
from harness.cli.resolution import Resolved
from harness.cluster import Cluster
from harness.errors import HostError, UnreadablePlanError, UsageError, is_stop, raise_all
from harness.lab.census import Found
from harness.orchestrator import Outcome
from harness.workspace import Workspace

app = options.new_app()

NODES_SECONDS = 60.0
STATUS_HEAD = ("NAME", "GROUP", "ROLE", "ADDRESS", "MACHINE", "READY", "VERSION", "REASON")

DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the plan and create nothing.")]
CleanOnFailure = Annotated[
    bool,
    typer.Option("--clean-on-failure", help="After a failure remove all but the evidence."),
]


@app.command(
    epilog=example("harness up", "harness up my/managers.json my/workers.json --provider lxc")
)
def up(  # noqa: PLR0913 - each is an option
    files: Files = None,
    provider: Provider = ProviderChoice.AUTO,
    timeout: options.Timeout = options.UP_SECONDS,
    *,
    force: options.Force = False,
    clean_on_failure: CleanOnFailure = False,
    dry_run: DryRun = False,
    output: Print = Output.TABLE,
) -> None:
    """Bring a cluster up until every node is Ready.

    Validates, plans, creates machines, initialises the control plane, joins the workers and
    checks that pods reach each other. A second `up` changes nothing; after a failure or an
    interruption it goes on from there. After a failure the evidence is collected, as by `logs`.
    Where a group has changed since, its machines are drained, removed, added or replaced one at
    a time, as `group commit` does.
    """
    resolved = resolution.of_files(options.group_files(files), provider)
    if dry_run:
        offline.warn(resolved)
        offline.print_plan(resolved.plan, output)
        typer.echo("Nothing was created.", err=True)
        return
    privilege.ensure(resolved.plan.provider)
    offline.warn(resolved)
    if provider is ProviderChoice.AUTO:
        typer.echo(f"Provider {resolved.plan.provider}: {resolved.reason}.", err=True)
    _refuse_to_forget_groups(resolved)
    cluster = parts.planned(resolved)
    outcome = _bring_up(cluster, timeout, force=force, clean_on_failure=clean_on_failure)
    _print_outcome(outcome, output)


def _refuse_to_forget_groups(resolved: Resolved) -> None:
    """Refuse to remove a whole group because its file was not named.

    Raises:
        UsageError: Naming the groups.
    """
    named = {group.id for group in resolved.plan.groups}
    before = resolved.recorded.groups if resolved.recorded else ()
    if missing := [group.id for group in before if group.id not in named]:
        raise UsageError(
            f"Cluster `{resolved.plan.cluster}` has group {', '.join(missing)} too.",
            hint="Name its file as well, or remove it first: `harness group destroy`.",
        )


def _bring_up(cluster: Cluster, timeout: float, *, force: bool, clean_on_failure: bool) -> Outcome:
    name, workspace = cluster.plan.cluster, cluster.workspace
    interrupted = interrupts.explained(
        f"Interrupted. What exists of cluster `{name}` is kept.",
        hint="`harness up` goes on from here, `harness down` removes everything.",
    )
    with session.reporting(workspace) as reporter, interrupted:
        if not workspace.exists:
            # Before anything is recorded: what this host cannot do shall leave no trace.
            cluster.check_host()
        with session.holding(workspace, "up", reporter):
            with failures.documented(cluster, reporter, clean=clean_on_failure):
                outcome = orchestrator.up(cluster, reporter, timeout=timeout, force=force)
            if workspace.forward.is_file():
                cluster.api_url()  # a kubeconfig was handed out, and shall work after a restart
            return outcome


def _print_outcome(outcome: Outcome, output: Output) -> None:
    if not outcome.changed:
        typer.echo("Nothing to do: everything is as planned.", err=True)
    if output is Output.JSON:
        rows = [asdict(row) for row in outcome.nodes]
        changed, seconds = outcome.changed, round(outcome.seconds, 1)
        options.print_json({"changed": changed, "seconds": seconds, "nodes": rows})
    else:
        typer.echo(node_rows.table(outcome.nodes))


@app.command(epilog=example("harness down", "harness down --all"))
def down(
    name: Name = None,
    *,
    all_: Annotated[bool, typer.Option("--all", help="Every cluster, lost ones too.")] = False,
) -> None:
    """Remove a cluster, and check that nothing is left.

    Nodes are not drained: machines, network, keys and logs go at once. A cluster is lost, and
    still removed, when its workspace is gone; clusters of other state folders are left alone.
    """
    chosen = census.removable() if all_ else census.chosen(session.cluster_name(name))
    if not chosen and (all_ or not _forget_context(session.cluster_name(name))):
        typer.echo("There is nothing to remove.", err=True)
    errors: list[Exception] = []
    for one in chosen:
        try:
            _remove(one)
        except Exception as error:  # not even a bug shall keep the others
            if is_stop(error):
                raise
            errors.append(error)
    raise_all(errors, "clusters that could not be removed")


def _remove(found: Found) -> None:
    name, workspace = found.cluster, Workspace.of(found.cluster)
    interrupted = interrupts.explained(
        f"Interrupted. Cluster `{name}` may be half removed.",
        hint=f"`harness down --name {name}` removes the rest.",
    )
    cluster = _planned(workspace)
    with (
        session.reporting(workspace) as reporter,
        interrupted,
        session.holding(workspace, "down", reporter),
    ):
        if cluster:
            orchestrator.down(cluster, reporter)
        else:  # lost, or stopped before anything was planned
            _remove_by_name(workspace, found.domains)
    kubeconfig.forget_all([session.user_kubeconfig()], name)
    typer.echo(f"Cluster `{name}` is gone.", err=True)


def _forget_context(name: str) -> bool:
    """Take out the context of a cluster of which nothing else is left; return whether it was."""
    file = session.user_kubeconfig()
    is_changed = kubeconfig.forget(file, name)
    if is_changed:
        context = kubeconfig.context_name(name)
        typer.echo(f"{file} has no context {context} any more.", err=True)
    return is_changed


def _planned(workspace: Workspace) -> Cluster | None:
    """Return a cluster as it was planned; None if it was not, or if nobody can tell any more."""
    try:
        return session.recorded(workspace.cluster) if workspace.exists else None
    except UnreadablePlanError as error:
        typer.echo(f"warning: {error.message} What has the cluster's name is removed.", err=True)
        return None


def _remove_by_name(workspace: Workspace, virtual: Iterable[str]) -> None:
    """Remove what has a cluster's name, and its workspace last; what stays keeps nothing else.

    Raises:
        HostError, ExceptionGroup: Naming what is still there.
    """
    removals: list[Callable[[], None]] = [parts.remains(workspace).remove]
    removals += [partial(domains.destroy, domain) for domain in virtual]
    removals.append(partial(kubeconfig.forget_all, workspace.kubeconfigs, workspace.cluster))
    removals.append(partial(_refuse_to_forget, workspace))
    errors: list[Exception] = []
    for remove in removals:
        try:
            remove()
        except (HostError, ExceptionGroup) as error:
            errors.append(error)
    raise_all(errors, "what could not be removed")
    workspace.remove()


def _refuse_to_forget(workspace: Workspace) -> None:
    """Refuse to lose the only record of machines that nobody here can find by their names.

    Raises:
        HostError: Naming VirtualBox's machines that Vagrant has made, and how to remove them.
    """
    made = sorted(workspace.vagrant_dir.glob(".vagrant/machines/*/virtualbox/id"))
    if made:
        raise HostError(
            f"Still there: VirtualBox's machines {', '.join(id_.parts[-3] for id_ in made)}.",
            hint=f"`cd {shlex.quote(str(workspace.vagrant_dir))} && vagrant destroy --force`, then"
            " `harness down` again.",
        )


@app.command(epilog=example("harness status", "harness status -o json"))
def status(
    name: Name = None,
    output: Print = Output.TABLE,
    *,
    all_: Annotated[
        bool, typer.Option("--all", help="Every cluster on this host, and whose it is.")
    ] = False,
) -> None:
    """Show every machine and its node.

    Vagrant says which machines exist, the API server which nodes are Ready; both are asked now.

    With --all: every cluster, those of other state folders and lost ones, whose workspace is
    gone, included.
    """
    if all_:
        census.show(output)
        return
    found = cluster_status.of(session.recorded(name))
    if output is Output.JSON:
        options.print_json(found)
        return
    typer.echo(f"{found['cluster']} ({found['provider']}): {found['phase']}\n")
    typer.echo(node_rows.columns(STATUS_HEAD, [_status_line(node) for node in found["nodes"]]))


def _status_line(node: dict[str, Any]) -> list[str]:
    ready = {True: "yes", False: "no", None: "?"}[node["ready"]]
    values = {**node, "ready": ready}
    return [str(values[key.lower()] or "") for key in STATUS_HEAD]


@app.command(epilog=example("harness nodes"))
def nodes(name: Name = None) -> int:
    """Print what `kubectl get nodes` prints, verbatim."""
    result = session.recorded(name).api.kubectl(["get", "nodes"], timeout=NODES_SECONDS)
    sys.stdout.write(result.stdout)
    sys.stderr.write(result.stderr)
    return result.exit_status
