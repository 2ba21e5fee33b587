"""Which of the lab's clusters are on this host, and whose they are.

A cluster is lost when the workspace that its tags name is gone, so that nobody will ever
remove it. What is not tagged and lives is left alone: of an earlier harness, perhaps.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from harness.lab import machines, traces
from harness.lab.traces import Traces
from harness.workspace import Workspace, clusters

if TYPE_CHECKING:
    from pathlib import Path


class Owner(StrEnum):
    """Whose a cluster is, in the words of `status --all -o json`."""

    OWN = "own"
    OTHER = "other"
    LOST = "lost"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Found:
    """A cluster that has a workspace here, or anything on this host.

    Attributes:
        cluster: KubeClusterID.
        owner: Whose it is.
        workspace: For which it was made; None if nothing tells.
        remains: What of it is on this host: "machine …", "namespace …".
    """

    cluster: str
    owner: Owner
    workspace: Path | None
    remains: tuple[str, ...] = ()


def needs_root() -> bool:
    """Return whether there may be clusters that only root can see."""
    if os.geteuid() == 0:
        return False
    is_hidden = machines.FOLDER.is_dir() and not os.access(machines.FOLDER, os.R_OK | os.X_OK)
    return is_hidden or bool(traces.clusters())


def take(state: Path) -> list[Found]:
    """Look at this host; nothing is changed.

    Args:
        state: The state folder whose clusters are our own.
    """
    own = clusters(state)
    found = [_whose(name, state, is_own=name in own) for name in traces.clusters()]
    # Ours of which nothing is on this host, or whose name is another's there.
    seen = {one.cluster for one in found if one.owner is Owner.OWN}
    roots = {name: Workspace.of(name, state=state).root for name in own if name not in seen}
    found += [Found(name, Owner.OWN, root) for name, root in roots.items()]
    return sorted(found, key=lambda one: (one.cluster, one.owner))


def _whose(cluster: str, state: Path, *, is_own: bool) -> Found:
    root = Workspace.of(cluster, state=state).root
    here = Traces(cluster)
    remains = tuple(here.remains())
    if other := here.claimed_from(root):
        return Found(cluster, Owner.OTHER, other, remains)
    if is_own:
        return Found(cluster, Owner.OWN, root, remains)
    if claims := here.claims():
        return Found(cluster, Owner.LOST, claims[0], remains)
    # Whoever makes a namespace tags it at once, before anything is in it.
    is_empty = not here.machines() and not here.processes()
    return Found(cluster, Owner.LOST if is_empty else Owner.UNKNOWN, None, remains)
