"""The three pipes of a running program, served together by one thread.

Reading one stream to its end before the other hangs as soon as the other's buffer is
full, and so does writing before reading; a selector does all three at once.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import time
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from io import RawIOBase

CHUNK_BYTES = 65536


class Stream:
    """One output stream: its bytes so far, and the line that is not yet complete."""

    def __init__(self, on_line: Callable[[str], None] | None) -> None:
        self._content = bytearray()
        self._partial = b""
        self._on_line = on_line

    def add(self, data: bytes) -> None:
        """Take what came, and tell the lines that it completes."""
        self._content += data
        if self._on_line:
            *lines, self._partial = (self._partial + data).split(b"\n")
            for line in lines:
                self._on_line(_decoded(line))

    def flush(self) -> None:
        """Tell the last line, which no newline ended."""
        if self._on_line and self._partial:
            rest, self._partial = self._partial, b""
            self._on_line(_decoded(rest))

    def text(self) -> str:
        """Return all that came, undecodable bytes replaced."""
        return self._content.decode(errors="replace")


def _decoded(line: bytes) -> str:
    return line.decode(errors="replace").rstrip("\r")


class Pipes:
    """Feeds a program's standard input and collects its two outputs.

    Attributes:
        stdout: What came on standard output.
        stderr: What came on standard error.
    """

    def __init__(
        self,
        stdin: IO[bytes] | None,
        stdout: IO[bytes] | None,
        stderr: IO[bytes] | None,
        *,
        on_line: Callable[[str], None] | None = None,
        log: RawIOBase | None = None,
    ) -> None:
        self.stdout, self.stderr = Stream(on_line), Stream(on_line)
        self._stdin = stdin
        self._pipes = [pipe for pipe in (stdin, stdout, stderr) if pipe]
        self._unsent = memoryview(b"")
        self._log = log
        self._selector = selectors.DefaultSelector()
        for pipe, stream in ((stdout, self.stdout), (stderr, self.stderr)):
            if pipe:
                self._selector.register(pipe, selectors.EVENT_READ, stream)

    def feed(self, content: bytes) -> None:
        """Give what the program shall read; it is written while its output is read."""
        if self._stdin is None:
            return
        self._unsent = memoryview(content)
        os.set_blocking(self._stdin.fileno(), False)
        self._selector.register(self._stdin, selectors.EVENT_WRITE, None)

    @property
    def open(self) -> bool:
        """Whether anything can still come or go."""
        return bool(self._selector.get_map())

    def serve(self, seconds: float) -> None:
        """Move what can be moved now, or wait up to `seconds` for the first of it."""
        for key, _ in self._selector.select(seconds):
            if key.data is None:
                self._write(key.fd)
                continue
            data = os.read(key.fd, CHUNK_BYTES)
            if not data:
                self._selector.unregister(key.fileobj)
                continue
            if self._log:
                self._log.write(data)
            key.data.add(data)

    def drain(self, seconds: float) -> None:
        """Read what is left, up to `seconds`: a daemon may keep our pipes open for ever."""
        deadline = time.monotonic() + seconds
        while self.open and time.monotonic() < deadline:
            self.serve(seconds / 10)
        self.stdout.flush()
        self.stderr.flush()

    def _write(self, fd: int) -> None:
        try:
            self._unsent = self._unsent[os.write(fd, self._unsent[:CHUNK_BYTES]) :]
        except BrokenPipeError:
            self._unsent = memoryview(b"")  # it closed its standard input: its choice
        if not self._unsent and self._stdin:
            self._selector.unregister(self._stdin)
            self._stdin.close()

    def close(self) -> None:
        """Close our ends."""
        self._selector.close()
        for pipe in self._pipes:
            with contextlib.suppress(OSError):
                pipe.close()
