"""A door before a TCP server that can be slow, shut, or slammed."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType


class Door:
    """Forwards 127.0.0.1:`port` to another port of loopback.

    Args:
        behind: The port of the real server.
        delay: Seconds before a connection is let through: the server's banner comes late.
        refusals: So many first connections are closed without a word.
    """

    def __init__(self, behind: int, *, delay: float = 0, refusals: int = 0) -> None:
        self._behind = behind
        self._delay = delay
        self._refusals = refusals
        self._closed = threading.Event()
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self.connections = 0

    def __enter__(self) -> Self:
        self._spawn(self._accept)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closed.set()
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self.slam()
        for thread in self._threads:
            thread.join(5)
        self._server.close()

    def slam(self) -> None:
        """Break every connection that stands."""
        for end in self._open:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _spawn(self, target: object, *args: object) -> None:
        thread = threading.Thread(target=target, args=args)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._closed.is_set():
            try:
                caller, _ = self._server.accept()
            except OSError:
                return
            self.connections += 1
            if self.connections <= self._refusals:
                caller.close()
                continue
            self._spawn(self._forward, caller)

    def _forward(self, caller: socket.socket) -> None:
        self._closed.wait(self._delay)
        with caller, socket.create_connection(("127.0.0.1", self._behind)) as server:
            ends = {caller: server, server: caller}
            self._open += ends
            with contextlib.suppress(OSError):
                while True:
                    for end in select.select(list(ends), [], [])[0]:
                        data = end.recv(65536)
                        if not data:
                            return
                        ends[end].sendall(data)
