"""Clusters of this host, whosever they are: to choose what is removed, and to show them all."""

from __future__ import annotations

import contextlib
from typing import Any

import typer

from harness import domains, nodes
from harness.cli import options, privilege
from harness.cli.options import Output
from harness.errors import HostError, UnreadablePlanError, UsageError
from harness.lab import census, traces
from harness.lab.census import Found, Owner
from harness.workspace import Workspace, state_dir

HEAD = ("CLUSTER", "OWNER", "MACHINES", "WORKSPACE")
# What `down --all` may take: nobody else will ever miss it.
REMOVABLE = (Owner.OWN, Owner.LOST)


def take() -> list[Found]:
    """Return every cluster of this state folder, and every one that is on this host.

    Raises:
        HostError: If only root can see them, and that cannot be had.
    """
    if census.needs_root() or domains.needs_root():
        privilege.become_root("machines and namespaces of all clusters")
    try:
        virtual = domains.found()
    except HostError as error:  # the lab's clusters are told and removed all the same
        typer.echo(f"warning: libvirt's machines are not known: {error.message}", err=True)
        virtual = {}
    return census.take(state_dir(), virtual)


def removable() -> list[Found]:
    """Return the clusters that `down --all` removes; tell of those that it does not know."""
    found = take()
    for one in found:
        if one.owner is Owner.UNKNOWN:
            typer.echo(
                f"warning: nothing says whose `{one.cluster}` is; it stays. "
                f"`harness down --name {one.cluster}` removes it.",
                err=True,
            )
    return [one for one in found if one.owner in REMOVABLE]


def chosen(name: str) -> list[Found]:
    """Return the one cluster that is meant, or nothing if there is nothing of it.

    Raises:
        UsageError: If it is another state folder's.
    """
    workspace = Workspace.of(name)
    # Where the plan cannot be read, its machines are found by their names.
    with contextlib.suppress(UnreadablePlanError):
        if workspace.load_plan():
            return [Found(name, Owner.OWN, workspace.root)]
    found = [one for one in take() if one.cluster == name]
    for one in found:
        if one.owner is Owner.OTHER and one.workspace:
            raise UsageError(
                f"Cluster `{name}` is of another state folder: {one.workspace}.",
                hint=f"`{traces.removal(one.workspace)}` removes it.",
            )
    return found


def show(output: Output) -> None:
    """Print every cluster that `take` finds."""
    found = take()
    if output is Output.JSON:
        options.print_json([_entry(one) for one in found])
    else:
        typer.echo(nodes.columns(HEAD, [_line(one) for one in found]))


def _entry(one: Found) -> dict[str, Any]:
    return {
        "cluster": one.cluster,
        "owner": str(one.owner),
        "workspace": str(one.workspace or ""),
        "remains": [*one.remains, *(f"virtual machine {name}" for name in one.domains)],
    }


def _line(one: Found) -> list[str]:
    machines = len(one.domains) + sum(what.startswith("machine ") for what in one.remains)
    return [one.cluster, str(one.owner), str(machines), str(one.workspace or "?")]
