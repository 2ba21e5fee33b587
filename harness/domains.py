"""libvirt's machines, which it calls domains: found and removed by name where Vagrant lost them."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from harness import process
from harness.errors import HostError
from harness.spec import MACHINE_PREFIX

URI = "qemu:///system"
# Of one daemon for everything, or of one for QEMU alone. Without either nobody can be asked.
SOCKETS = (Path("/run/libvirt/libvirt-sock"), Path("/run/libvirt/virtqemud-sock"))
# What vagrant-libvirt describes a domain with, before the path of its Vagrantfile.
SOURCE = "Source: "
VIRSH_SECONDS = 60.0


def needs_root() -> bool:
    """Return whether libvirt is there and does not listen to this user."""
    return any(socket.exists() and not os.access(socket, os.W_OK) for socket in SOCKETS)


def found() -> dict[str, Path | None]:
    """Return every domain that may be the harness's, and the workspace that it was made for.

    That is None where its description has none. Where no libvirt runs there are no domains.

    Raises:
        ProcessFailed: If libvirt runs and does not answer.
    """
    if process.which("virsh") is None or not any(socket.exists() for socket in SOCKETS):
        return {}
    names = sorted(_virsh("list", "--all", "--name").split())
    return {name: _workspace(name) for name in names if name.startswith(f"{MACHINE_PREFIX}-")}


def _workspace(name: str) -> Path | None:
    source = _virsh("desc", name).strip()
    vagrantfile = Path(source.removeprefix(SOURCE))
    return vagrantfile.parent.parent if source.startswith(f"{SOURCE}/") else None


def destroy(name: str) -> None:
    """Stop and remove a domain, and its disks.

    Raises:
        HostError: With libvirt's own words, and how to remove it by hand.
    """
    # Fails if it does not run; what cannot be stopped, cannot be undefined for good.
    stopped = process.run(_command("destroy", name), timeout=VIRSH_SECONDS, check=False)
    undefine = ("undefine", name, "--remove-all-storage", "--nvram", "--snapshots-metadata")
    try:
        _virsh(*undefine)
    except process.ProcessFailed as error:
        commands = (shlex.join(_command(*words)) for words in (("destroy", name), undefine))
        hint = f"By hand: {'; '.join(f'`{command}`' for command in commands)}."
        message = f"Still there: virtual machine {name}.\n{stopped.tail}\n{error.message}"
        raise HostError(message, hint=hint) from error


def _virsh(*words: str) -> str:
    return process.run(_command(*words), timeout=VIRSH_SECONDS).stdout


def _command(*words: str) -> list[str]:
    return ["virsh", "--connect", URI, *words]
