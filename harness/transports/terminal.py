"""Joins the caller's terminal to a channel: raw mode, window size, and back again."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import termios
import tty
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    import paramiko

CHUNK_BYTES = 65536
TICK_SECONDS = 0.2
SEND_TICK_SECONDS = 0.005
# The exit status follows the end of the output at once, unless the connection broke.
STATUS_SECONDS = 2.0
LOST = 255
"""ssh(1) says 255 when it does not know how the command ended."""


def kind_and_size() -> tuple[str, int, int]:
    """Return (TERM, columns, lines) of the caller's terminal."""
    size = os.get_terminal_size(sys.stdin.fileno())
    return os.environ.get("TERM", "xterm"), size.columns, size.lines


def attach(channel: paramiko.Channel) -> int:
    """Copy between our standard streams and a channel until its output ends.

    Args:
        channel: A channel whose command has been started.

    Returns:
        The exit status, or 255 if none came.
    """
    try:
        return _copy(channel, sys.stdin.fileno())
    except _TerminalGoneError:
        return LOST


class _TerminalGoneError(Exception):
    """Whoever sat at the terminal closed it."""


def _copy(channel: paramiko.Channel, stdin: int) -> int:
    is_terminal = os.isatty(stdin)
    with _raw_mode(stdin), _window_changes(channel):
        unsent = b""
        typing = True
        while not (channel.eof_received or channel.closed):
            unsent = _send(channel, unsent)
            watched = [channel.fileno()] + ([stdin] if typing and not unsent else [])
            tick = SEND_TICK_SECONDS if unsent else TICK_SECONDS
            ready, _, _ = select.select(watched, [], [], tick)
            if stdin in ready:
                unsent = _typed(stdin)
                typing = bool(unsent)
                if not typing and is_terminal:
                    # In raw mode no key means an end.
                    raise _TerminalGoneError
                if not typing:
                    channel.shutdown_write()
            _show(channel)
        _show(channel)
    channel.status_event.wait(STATUS_SECONDS)
    return channel.exit_status if channel.exit_status >= 0 else LOST


def _send(channel: paramiko.Channel, unsent: bytes) -> bytes:
    """Send what the other side takes now; blocking here would stop its output too."""
    if unsent and channel.send_ready():
        return unsent[channel.send(unsent) :]
    return unsent


def _typed(stdin: int) -> bytes:
    """Read what was typed; a terminal that just went says EIO, one that went before nothing."""
    try:
        return os.read(stdin, CHUNK_BYTES)
    except OSError as error:
        raise _TerminalGoneError from error


def _show(channel: paramiko.Channel) -> None:
    while channel.recv_ready():
        _write_all(sys.stdout.fileno(), channel.recv(CHUNK_BYTES))
    while channel.recv_stderr_ready():
        _write_all(sys.stderr.fileno(), channel.recv_stderr(CHUNK_BYTES))


def _write_all(fd: int, data: bytes) -> None:
    try:
        while data:
            data = data[os.write(fd, data) :]
    except BrokenPipeError:
        raise  # a reader that left, as in `harness exec … | head`
    except OSError as error:
        raise _TerminalGoneError from error


@contextlib.contextmanager
def _raw_mode(stdin: int) -> Iterator[None]:
    """Give keys to the machine as they are pressed, Ctrl-C too; no terminal, no change."""
    if not os.isatty(stdin):
        yield
        return
    before = termios.tcgetattr(stdin)
    try:
        tty.setraw(stdin, termios.TCSADRAIN)  # what was typed early counts
        yield
    finally:
        with contextlib.suppress(termios.error):  # the terminal may be gone
            termios.tcsetattr(stdin, termios.TCSADRAIN, before)


@contextlib.contextmanager
def _window_changes(channel: paramiko.Channel) -> Iterator[None]:
    def tell(_number: int, _frame: object) -> None:
        _, columns, lines = kind_and_size()
        with contextlib.suppress(Exception):  # it is just being closed
            channel.resize_pty(columns, lines)

    before = signal.signal(signal.SIGWINCH, tell)
    try:
        yield
    finally:
        signal.signal(signal.SIGWINCH, before)
