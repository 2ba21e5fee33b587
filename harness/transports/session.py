"""One command on one SSH channel, served by one loop until a deadline."""

from __future__ import annotations

import contextlib
import select
from typing import TYPE_CHECKING

from harness.process import STOPPING
from harness.wait import Deadline

if TYPE_CHECKING:
    import paramiko

CHUNK_BYTES = 65536
TICK_SECONDS = 0.1
# paramiko cannot be asked to wake us when the other side takes more input.
SEND_TICK_SECONDS = 0.005
# A daemon that keeps the streams open after the command's exit is not waited for.
DRAIN_SECONDS = 1.0


class SessionLostError(Exception):
    """The channel closed before the command's exit status came."""


class Session:
    """A command's input, outputs and exit status.

    Args:
        channel: A new channel; `close` closes it.
        stdin: Sent to the command, then closed.
    """

    def __init__(self, channel: paramiko.Channel, stdin: bytes) -> None:
        self._channel = channel
        self._stdin = stdin
        self._sent = 0
        self._input_open = True
        self._stdout = bytearray()
        self._stderr = bytearray()
        self._drained_by: Deadline | None = None

    @property
    def stdout(self) -> str:
        """Standard output so far, undecodable bytes replaced."""
        return self._stdout.decode(errors="replace")

    @property
    def stderr(self) -> str:
        """Standard error so far, likewise."""
        return self._stderr.decode(errors="replace")

    def start(self, command: str) -> None:
        """Start the command, given as the login shell reads it.

        Raises:
            SessionLostError: If the connection breaks.
        """
        try:
            self._channel.exec_command(command)
        except Exception as error:  # paramiko's own, OSError and EOFError
            raise SessionLostError(str(error) or type(error).__name__) from error
        self._channel.setblocking(0)

    def serve(self, deadline: Deadline) -> int | None:
        """Move input and output until the command has ended.

        Returns:
            Its exit status, or None if the time ran out or everything is being stopped.

        Raises:
            SessionLostError: If the connection breaks.
        """
        while not (deadline.expired or STOPPING.is_set()):
            # Looked at before reading: what came before the end must not be left behind.
            over = self._over()
            if self._send() | self._receive():
                continue
            if over:
                return self._status()
            self._pause(min(TICK_SECONDS, deadline.remaining))
        return None

    def _over(self) -> bool:
        if self._channel.closed:
            return True
        if not self._channel.exit_status_ready():
            return False
        self._drained_by = self._drained_by or Deadline(DRAIN_SECONDS)
        return bool(self._channel.eof_received) or self._drained_by.expired

    def _status(self) -> int:
        status = self._channel.recv_exit_status()
        if status < 0:  # paramiko's word for "none came"
            raise SessionLostError("it closed before the command ended")
        return status

    def _send(self) -> bool:
        if not self._input_open:
            return False
        if self._sent < len(self._stdin) and not self._channel.send_ready():
            return False
        try:
            if self._sent < len(self._stdin):
                sent = self._channel.send(self._stdin[self._sent : self._sent + CHUNK_BYTES])
                self._sent += sent
                return True
            self._channel.shutdown_write()
        except OSError:
            pass  # the command closed its standard input: its choice
        self._input_open = False
        return True

    def _receive(self) -> bool:
        moved = False
        if self._channel.recv_ready():
            self._stdout += self._channel.recv(CHUNK_BYTES)
            moved = True
        if self._channel.recv_stderr_ready():
            self._stderr += self._channel.recv_stderr(CHUNK_BYTES)
            moved = True
        return moved

    def _pause(self, seconds: float) -> None:
        """Sleep until something comes; after the end of output only the status can come."""
        if self._input_open:
            seconds = min(seconds, SEND_TICK_SECONDS)
        if self._channel.eof_received:
            self._channel.status_event.wait(seconds)
        else:
            with contextlib.suppress(OSError):
                select.select([self._channel], [], [], seconds)

    def close(self) -> None:
        """Close the channel; the connection stays."""
        self._channel.close()
