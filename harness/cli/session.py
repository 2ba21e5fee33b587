"""What commands do around their work: find the cluster, report, hand files back."""

from __future__ import annotations

import contextlib
import os
import pwd
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from harness import groups
from harness.cli import options, parts, privilege
from harness.errors import UsageError
from harness.events import Notice
from harness.reporters import JsonLines, Many, choose
from harness.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.cluster import Cluster
    from harness.interfaces import Reporter

EVENTS = "events.jsonl"


def cluster_name(name: str | None) -> str:
    """Return the cluster that a command is about: the named one, or the walkthrough's."""
    if name:
        return name
    return groups.load(options.group_files(None))[0].flavor.cluster_id


def recorded(name: str | None) -> Cluster:
    """Return a cluster that was brought up before, with what it takes to reach it.

    Raises:
        UsageError: If it never was.
        HostError: If reaching it needs root, and that cannot be had.
    """
    chosen = cluster_name(name)
    plan = Workspace.of(chosen).load_plan()
    if plan:
        privilege.ensure(plan.provider)
    return parts.recorded(chosen)


@contextlib.contextmanager
def reporting(workspace: Workspace) -> Iterator[Reporter]:
    """Report to the terminal and to the cluster's log; then hand its files to the caller.

    A run that failed before anything was planned leaves no folder of its own behind.
    """
    is_new = not workspace.root.exists()
    events = JsonLines(workspace.logs_dir / EVENTS)
    reporter = Many([events, choose(sys.stderr, os.environ)])
    try:
        yield reporter
    finally:
        reporter.close()
        if is_new and not workspace.exists:
            workspace.remove()
        workspace.give_to_caller()


@contextlib.contextmanager
def holding(workspace: Workspace, command: str, reporter: Reporter) -> Iterator[None]:
    """Be the only harness that works on this cluster; tell of one that was killed at it.

    Raises:
        ClusterHeldError: If another one does.
    """
    with workspace.hold(command) as killed:
        if killed:
            message = f"Going on where {killed} was killed."
            reporter.report(Notice(message, level="warning"))
        yield


def user_kubeconfig() -> Path:
    """Return the kubeconfig that the caller's own kubectl writes to."""
    if chosen := os.environ.get("KUBECONFIG"):
        return Path(chosen.split(os.pathsep)[0])
    caller = os.environ.get("SUDO_UID")
    home = Path(pwd.getpwuid(int(caller)).pw_dir) if caller else Path.home()
    return home / ".kube" / "config"


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Say that a file, which the caller has named, cannot be written.

    Raises:
        UsageError: In place of any OSError of the block, and if there is no file but a
            device or a folder: it would be replaced.
    """
    if path.exists() and not path.is_file():
        raise UsageError(f"`{path}` is no file.", hint="Name a file that is new.")
    try:
        yield
    except OSError as error:
        raise UsageError(f"`{path}` cannot be written: {error.strerror}.") from error


def make_folder(path: Path) -> None:
    """Make a folder for a file of the caller's, as the caller's."""
    if not path.is_dir():
        path.mkdir(parents=True)
        give_file(path)


def give_file(path: Path) -> None:
    """Hand a file that was written as root to the user who called through sudo."""
    user, group = os.environ.get("SUDO_UID"), os.environ.get("SUDO_GID")
    if os.geteuid() == 0 and user and group:
        os.chown(path, int(user), int(group))
