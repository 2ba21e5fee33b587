"""Traces: what has a cluster's name on this host, and for which workspace it was made.

Names are the host's, and there may be several state folders; so what is made says whose it
is: a namespace by the alias of its bridge, a machine by the group that LXC has it in.
"""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness import process
from harness.lab import machines
from harness.spec import MACHINE_PREFIX
from harness.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterable

BRIDGE = "harness0"
NAMESPACES = Path("/run/netns")
QUICK_SECONDS = 30.0
_MACHINE = re.compile(rf"{MACHINE_PREFIX}-(.+)-ip-[0-9.]+")


@dataclass(frozen=True, slots=True)
class Traces:
    """What of one cluster is here, looked at anew with each question; nothing is changed.

    Attributes:
        cluster: KubeClusterID.
    """

    cluster: str

    @property
    def name(self) -> str:
        """Of its namespace, with which its machines' names begin."""
        return f"{MACHINE_PREFIX}-{self.cluster}"

    @property
    def namespace(self) -> Path:
        """Where its namespace is, if it is."""
        return NAMESPACES / self.name

    def machines(self) -> list[str]:
        """Return LXC's names of its machines."""
        # Not only the prefix: cluster `a` must not take the machines of cluster `a-b`.
        return [name for name in machines.names() if cluster_of(name) == self.cluster]

    def remains(self) -> list[str]:
        """Name what is here, whoever claims it."""
        left = [f"machine {name}" for name in self.machines()]
        return [*left, f"namespace {self.name}"] if self.namespace.exists() else left

    def processes(self) -> list[int]:
        """Return the processes that are in the namespace now."""
        if not self.namespace.exists():
            return []
        return [int(word) for word in ip("netns", "pids", self.name).split()]

    def bridge(self) -> dict[str, str]:
        """Return what `ip` tells of the bridge; nothing if it is not there.

        Nor if `ip netns add` was stopped before there was more than a file.
        """
        argv = ["ip", "-netns", self.name, "-json", "link", "show"]
        finished = process.run(argv, timeout=QUICK_SECONDS, check=False)
        links = json.loads(finished.stdout) if finished.exit_status == 0 else []
        return next((link for link in links if link["ifname"] == BRIDGE), {})

    def claims(self) -> list[Path]:
        """Return the workspaces for which this was made, sorted; one, in an orderly world."""
        tags = {machines.workspace(name) for name in self.machines()}
        if self.namespace.exists() and (alias := self.bridge().get("ifalias")):
            tags.add(Path(alias))
        return sorted(tag for tag in tags if tag is not None)

    def claimed_from(self, workspace: Path) -> Path | None:
        """Return another workspace than this one that claims the name and is still there."""
        return living(self.claims(), workspace)


def clusters() -> list[str]:
    """Return every cluster of which there are traces, sorted."""
    named = {cluster for name in machines.names() if (cluster := cluster_of(name))}
    spaces = (path.name for path in NAMESPACES.glob(f"{MACHINE_PREFIX}-*"))
    return sorted({*named, *(name.removeprefix(f"{MACHINE_PREFIX}-") for name in spaces)})


def living(claims: Iterable[Path], own: Path) -> Path | None:
    """Return the first workspace among these that is still there, but for one's own."""
    others = (claim for claim in claims if claim.resolve() != own.resolve())
    return next((claim for claim in others if _is_there(claim)), None)


def removal(workspace: Path) -> str:
    """Return the command that removes a cluster of another state folder."""
    state = shlex.quote(str(workspace.parent.parent))
    return f"HARNESS_STATE_DIR={state} harness down --name {workspace.name}"


def ip(*words: str, stdin: str = "") -> str:
    """Run `ip` and return what it prints.

    Raises:
        ProcessFailed: With its own words.
    """
    return process.run(["ip", *words], timeout=QUICK_SECONDS, stdin=stdin.encode()).stdout


def cluster_of(machine: str) -> str:
    """Return the cluster whose machine has this name towards its provider; empty if none."""
    found = _MACHINE.fullmatch(machine)
    return found[1] if found else ""


def _is_there(workspace: Path) -> bool:
    try:
        return Workspace(workspace, workspace.name).exists
    except OSError:  # a home that root may not look into: its owner may well be there
        return True
