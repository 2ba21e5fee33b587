"""LXC machines by name: what Vagrant lost or never knew can still be found and removed."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from harness import process

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.interfaces import Network

CGROUPS = Path("/sys/fs/cgroup")
LXC_SECONDS = 60.0


def names() -> list[str]:
    """Return the names of all LXC machines on this host, nobody's left out."""
    if process.which("lxc-ls") is None:
        return []
    return process.run(["lxc-ls", "-1"], timeout=LXC_SECONDS).stdout.split()


def destroy(containers: Iterable[str], network: Network | None) -> None:
    """Stop and remove containers.

    Args:
        containers: LXC names.
        network: Where they run. A container can only be asked there whether it runs: its
            command socket is an abstract one, which belongs to a network namespace.

    Raises:
        ProcessFailed: With LXC's own words.
    """
    for name in containers:
        argv = ["lxc-destroy", "--force", "--name", name]
        process.run(network.enter(argv) if network else argv, timeout=LXC_SECONDS)


def remove_pivots() -> None:
    """Remove the empty cgroups that LXC makes for itself and leaves behind."""
    for pivot in (*CGROUPS.glob("lxc.pivot"), *CGROUPS.glob("*/lxc.pivot")):
        with contextlib.suppress(OSError):  # in use again, or gone by somebody else's hand
            pivot.rmdir()
