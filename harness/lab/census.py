"""Which clusters are on this host, and whose they are.

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
    from collections.abc import Mapping
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
        domains: libvirt's names of its virtual machines.
    """

    cluster: str
    owner: Owner
    workspace: Path | None
    remains: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()


def needs_root() -> bool:
    """Return whether there may be clusters that only root can see."""
    if os.geteuid() == 0:
        return False
    is_hidden = machines.FOLDER.is_dir() and not os.access(machines.FOLDER, os.R_OK | os.X_OK)
    return is_hidden or bool(traces.clusters())


def take(state: Path, domains: Mapping[str, Path | None]) -> list[Found]:
    """Look at this host; nothing is changed.

    Args:
        state: The state folder whose clusters are our own.
        domains: libvirt's machines, and the workspaces for which they were made.
    """
    own = clusters(state)
    virtual = {cluster for name in domains if (cluster := traces.cluster_of(name))}
    found = [_whose(name, state, domains) for name in {*traces.clusters(), *virtual}]
    # Ours of which nothing is on this host, or whose name is another's there.
    seen = {one.cluster for one in found if one.owner in {Owner.OWN, Owner.LOST}}
    roots = {name: Workspace.of(name, state=state).root for name in own if name not in seen}
    found += [Found(name, Owner.OWN, root) for name, root in roots.items()]
    return sorted(found, key=lambda one: (one.cluster, one.owner))


def _whose(cluster: str, state: Path, domains: Mapping[str, Path | None]) -> Found:
    ours = Workspace.of(cluster, state=state)
    root = ours.root
    here = Traces(cluster)
    its = {name: tag for name, tag in domains.items() if traces.cluster_of(name) == cluster}
    claims = [*here.claims(), *filter(None, its.values())]
    if other := traces.living(claims, root):
        owner, workspace = Owner.OTHER, other
    # Not its folder: whoever lists machines makes LXC create the folders of its logs again.
    elif ours.exists:
        owner, workspace = Owner.OWN, root
    elif claims:
        owner, workspace = Owner.LOST, claims[0]
    else:
        # Whoever makes a namespace tags it at once, before anything is in it.
        is_empty = not here.machines() and not here.processes() and not its
        owner, workspace = Owner.LOST if is_empty else Owner.UNKNOWN, None
    return Found(cluster, owner, workspace, tuple(here.remains()), tuple(its))
