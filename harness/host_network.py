"""The host's own network: where virtual machines of VirtualBox and libvirt are reached."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from harness import domains
from harness.errors import HostError, raise_all
from harness.spec import MACHINE_PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path


class HostNetwork:
    """Nothing to make and nothing to remove, as `interfaces.Network`.

    The provider makes its networks with its machines and removes them with the last one.
    """

    def create(self) -> None:
        """Do nothing: it is there."""

    def discard(self, names: Sequence[str]) -> None:
        """Do nothing: they cannot be found."""

    def remove(self) -> None:
        """Do nothing: it stays."""

    def leftovers(self) -> list[str]:
        """Name nothing: only the provider knows its machines."""
        return []

    def enter(self, argv: Sequence[str]) -> list[str]:
        """Return `argv` as it is."""
        return list(argv)

    def connect(self, address: str, port: int, *, timeout: float) -> socket.socket:
        """Open a TCP connection.

        Raises:
            OSError: As `socket.create_connection` does.
        """
        return socket.create_connection((address, port), timeout=timeout)


class LibvirtNetwork(HostNetwork):
    """The host's network, in which libvirt's machines are found where Vagrant has lost them.

    Only those that are described as made for this workspace are the cluster's.

    Args:
        cluster: KubeClusterID, with which its machines' names begin.
        workspace: The folder for which they were made.
    """

    def __init__(self, cluster: str, workspace: Path) -> None:
        self._cluster = cluster
        self._workspace = workspace

    def discard(self, names: Sequence[str]) -> None:
        """Remove machines of these names, which Vagrant has lost."""
        lost = {f"{MACHINE_PREFIX}-{self._cluster}-{name}" for name in names}
        _destroy(lost.intersection(self._domains()))

    def remove(self) -> None:
        """Remove the cluster's machines, known to Vagrant or not.

        Raises:
            HostError, ExceptionGroup: Naming what is still there, and how to remove it.
        """
        _destroy(self._domains())

    def leftovers(self) -> list[str]:
        """Name the cluster's machines."""
        return [f"virtual machine {name}" for name in self._domains()]

    def _domains(self) -> list[str]:
        return [name for name, made_for in domains.found().items() if made_for == self._workspace]


def _destroy(names: Iterable[str]) -> None:
    """Remove every one of these machines; one that stays does not keep the others."""
    errors = []
    for name in sorted(names):
        try:
            domains.destroy(name)
        except HostError as error:
            errors.append(error)
    raise_all(errors, "machines that could not be removed")
