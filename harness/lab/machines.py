"""LXC machines by name: what Vagrant lost or never knew can still be found and removed."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import TYPE_CHECKING

from harness import process

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.interfaces import Network

FOLDER = Path("/var/lib/lxc")
CGROUPS = Path("/sys/fs/cgroup")
LXC_SECONDS = 60.0
# The Vagrantfile puts every machine into the group of its workspace (Vagrantfile.j2).
GROUP = re.compile(r"^lxc\.group *= *(/.*)$", re.MULTILINE)


def names() -> list[str]:
    """Return the names of all LXC machines on this host, nobody's left out.

    `lxc-ls` would pass over those whose making or removal was broken off: they have a
    folder, and no configuration.

    Raises:
        PermissionError: If this is not root.
    """
    if not FOLDER.is_dir():
        return []
    return sorted(entry.name for entry in FOLDER.iterdir() if entry.is_dir())


def workspace(name: str) -> Path | None:
    """Return the workspace that a machine was made for; None if it was never started."""
    try:
        config = (FOLDER / name / "config").read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    found = GROUP.search(config)
    return Path(found[1]) if found else None


def destroy(name: str, network: Network | None) -> None:
    """Stop and remove a machine, whatever is left of it.

    Args:
        name: As LXC has it.
        network: Where it runs. A machine can only be asked there whether it runs: its
            command socket is an abstract one, which belongs to a network namespace.

    Raises:
        ProcessFailed: With LXC's own words.
    """
    process.run(removal(name, network.enter if network else list), timeout=LXC_SECONDS)


def removal(name: str, enter: Callable[[list[str]], list[str]]) -> list[str]:
    """Return the command that removes a machine, whatever is left of it.

    Args:
        name: As LXC has it.
        enter: Makes a command run where the machine does.
    """
    if (FOLDER / name / "config").exists():
        return enter(["lxc-destroy", "--force", "--name", name])
    # LXC knows nothing of it; and should there be a mount in it, that is not ours.
    return ["rm", "--recursive", "--force", "--one-file-system", str(FOLDER / name)]


def remove_pivots() -> None:
    """Remove the empty cgroups that LXC makes for itself and leaves behind."""
    for pivot in (*CGROUPS.glob("lxc.pivot"), *CGROUPS.glob("*/lxc.pivot")):
        with contextlib.suppress(OSError):  # in use again, or gone by somebody else's hand
            pivot.rmdir()
