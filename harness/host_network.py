"""The host's own network: where virtual machines of libvirt and VirtualBox are reached."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class HostNetwork:
    """Nothing to make and nothing to remove, as `interfaces.Network`.

    The provider makes its networks with its machines and removes them with the last one.
    """

    def create(self) -> None:
        """Do nothing: it is there."""

    def discard(self, names: Sequence[str]) -> None:
        """Do nothing: Vagrant records a virtual machine before it makes it."""

    def remove(self) -> None:
        """Do nothing: it stays."""

    def leftovers(self) -> list[str]:
        """Name nothing: the provider knows its machines."""
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
