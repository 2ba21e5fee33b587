"""Runs other programs: the one importer of subprocess, and the one switch that stops them all.

Every run has a time limit and a process group of its own. Both streams are drained
together, and the whole group is ended when the time is up, when the caller's thread is
interrupted or its callback raises, and when another thread calls `stop_all`.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, NoReturn

from harness import signals
from harness.errors import HostError, InterruptedRunError
from harness.streams import Pipes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

TAIL_LINES = 12
TICK_SECONDS = 0.1
# A daemon that inherited our pipes keeps them open; nobody waits for it longer than this.
DRAIN_SECONDS = 0.5
# Vagrant answers SIGINT by finishing what cannot be broken off, so it comes first.
GRACE = ((signal.SIGINT, 5.0), (signal.SIGTERM, 2.0), (signal.SIGKILL, 1.0))
NOT_FOUND = 127
# Of util-linux. What counts is the thread that starts the program.
DIES_WITH_US = ("setpriv", "--pdeathsig", "KILL", "--")

STOPPING = threading.Event()
"""Set from `stop_all` until `resume`; whoever waits (`harness.wait`, transports) watches it."""

_DETACHED: list[subprocess.Popen[bytes]] = []
"""Kept because Python warns of a program that still runs when its object goes."""


@dataclass(frozen=True, slots=True)
class Finished:
    """How a program ended.

    Attributes:
        argv: What ran.
        exit_status: 0 to 255, or minus the signal's number.
        stdout: Decoded as UTF-8, undecodable bytes replaced.
        stderr: Likewise.
        seconds: How long it took.
    """

    argv: tuple[str, ...]
    exit_status: int
    stdout: str
    stderr: str
    seconds: float

    @property
    def tail(self) -> str:
        """The last lines of standard output and error, for messages."""
        return "\n".join((self.stdout + self.stderr).splitlines()[-TAIL_LINES:])


class ProcessFailed(HostError):  # noqa: N818 - reads as what happened, beside `Finished`
    """A program on this host exited with a status other than 0, or was not found.

    Attributes:
        finished: Its status and output.
        what: What it did: "exited 1", "could not be started: …".
    """

    def __init__(self, finished: Finished, *, what: str = "", hint: str = "") -> None:
        self.finished = finished
        self.what = what or f"exited {finished.exit_status}"
        message = f"`{shlex.join(finished.argv)}` {self.what}"
        super().__init__(f"{message}:\n{finished.tail}" if finished.tail else message, hint=hint)


class ProcessTimedOut(ProcessFailed):
    """A program ran longer than it may; its whole process group was ended."""


def stop_all() -> None:
    """End every running program and every wait, and refuse new ones until `resume`.

    Each run is ended by the thread that waits for it, within a tick, so that its output
    and its exit are collected; those threads raise `InterruptedRunError`. Call this from
    ordinary code (an ``except KeyboardInterrupt``), not from inside a signal handler:
    the handler may have interrupted the very lock that the event needs.
    """
    STOPPING.set()


def resume() -> None:
    """Allow programs and waits again, for what is done after an interruption."""
    STOPPING.clear()


def which(name: str, *, path: str | None = None) -> str | None:
    """Return where the program `name` is on `path` (default: PATH), or None."""
    return shutil.which(name, path=path)


def exec_replace(argv: Sequence[str], env: Mapping[str, str]) -> NoReturn:
    """Become another program, with the caller's terminal; for interactive commands.

    Raises:
        HostError: If there is no such program.
    """
    try:
        os.execvpe(argv[0], list(argv), dict(env))  # noqa: S606 - no shell is what we want
    except OSError as error:
        raise HostError(f"cannot start `{argv[0]}`: {error.strerror}") from error


def run(  # noqa: PLR0913 - one call says everything about one program
    argv: Sequence[str],
    *,
    timeout: float,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: bytes = b"",
    on_line: Callable[[str], None] | None = None,
    log: Path | None = None,
    check: bool = True,
) -> Finished:
    """Run a program to its end.

    Args:
        argv: The program and its arguments; no shell is involved.
        timeout: Seconds until its process group is ended.
        env: Its whole environment; default: ours.
        cwd: Its working folder.
        stdin: Sent to it, then closed.
        on_line: Called in this thread with each line of either stream as it comes.
        log: A file to which the command line and both streams are appended.
        check: Whether a status other than 0 is an error.

    Raises:
        ProcessFailed: If `check` and it fails, or if it cannot be started.
        ProcessTimedOut: If the time runs out.
        InterruptedRunError: If `stop_all` was called.
    """
    _refuse_while_stopping(argv)
    with contextlib.ExitStack() as stack:
        log_file = stack.enter_context(log.open("ab", buffering=0)) if log else None
        if log_file:
            log_file.write(f"$ {shlex.join(argv)}\n".encode())
        popen = _start(argv, env, cwd)
        pipes = Pipes(popen.stdin, popen.stdout, popen.stderr, on_line=on_line, log=log_file)
        stack.callback(pipes.close)
        child = _Child(argv, popen, pipes)
        try:
            pipes.feed(stdin)
            in_time = child.wait(timeout)
        except BaseException:
            child.end()
            raise
        if not in_time:
            child.end()
            what = f"did not end within {round(timeout, 1):g} s and was stopped"
            raise ProcessTimedOut(child.finished(), what=what)
    finished = child.finished()
    if check and finished.exit_status != 0:
        raise ProcessFailed(finished)
    return finished


@contextlib.contextmanager
def background(argv: Sequence[str], *, log: Path) -> Iterator[None]:
    """Keep a program running while the caller works, and end its process group then.

    Args:
        argv: The program and its arguments.
        log: A file to which both of its streams are appended.

    Raises:
        ProcessFailed: If it cannot be started.
    """
    _refuse_while_stopping(argv)
    with log.open("ab", buffering=0) as output:
        popen = _start([*DIES_WITH_US, *argv], None, None, output=output)
        try:
            yield
        finally:
            pipes = Pipes(None, None, None)
            _Child(argv, popen, pipes).end()
            pipes.close()


def detach(argv: Sequence[str], *, log: Path) -> int:
    """Start a program that outlives this one, in a session of its own; return its process id.

    Raises:
        ProcessFailed: If it cannot be started.
    """
    with log.open("ab", buffering=0) as output:
        popen = _start(argv, None, None, output=output)
    _DETACHED.append(popen)
    return popen.pid


def kill(pid: int) -> None:
    """Kill a process that belongs to the harness and that nobody waits for."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _refuse_while_stopping(argv: Sequence[str]) -> None:
    if STOPPING.is_set():
        raise InterruptedRunError(f"`{argv[0]}` was not run: everything is being stopped")


def _start(
    argv: Sequence[str],
    env: Mapping[str, str] | None,
    cwd: Path | None,
    *,
    output: BinaryIO | None = None,
) -> subprocess.Popen[bytes]:
    """Start a program, on pipes, or with nothing to read and `output` to write to."""
    try:
        return subprocess.Popen(
            list(argv),
            stdin=subprocess.DEVNULL if output else subprocess.PIPE,
            stdout=output or subprocess.PIPE,
            stderr=output or subprocess.PIPE,
            env=None if env is None else dict(env),
            cwd=cwd,
            start_new_session=True,
        )
    except OSError as error:
        finished = Finished(tuple(argv), NOT_FOUND, "", "", 0.0)
        what = f"could not be started: {error.strerror}: {error.filename}"
        hint = "`harness doctor` lists what this host needs."
        raise ProcessFailed(finished, what=what, hint=hint) from error


class _Child:
    """A running program with its pipes, watched by one thread."""

    def __init__(self, argv: Sequence[str], popen: subprocess.Popen[bytes], pipes: Pipes) -> None:
        self._argv = tuple(argv)
        self._popen = popen
        self._pipes = pipes
        self._began = time.monotonic()
        self._seconds = 0.0

    def wait(self, timeout: float) -> bool:
        """Serve the pipes until the program has ended; return whether that was in time."""
        deadline = self._began + timeout
        while self._popen.poll() is None:
            if STOPPING.is_set():
                raise InterruptedRunError(f"`{self._argv[0]}` was stopped")
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            if self._pipes.open:
                self._pipes.serve(min(TICK_SECONDS, left))
            else:  # its end is a few microseconds away: do not sleep a whole tick
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._popen.wait(min(TICK_SECONDS, left))
        self._seconds = time.monotonic() - self._began
        self._pipes.drain(DRAIN_SECONDS)
        return True

    def end(self) -> None:
        """End the whole process group: ask, insist, kill. A second Ctrl-C kills at once."""
        try:
            for number, grace in GRACE:
                deadline = time.monotonic() + grace
                if self._group_lives():
                    signals.send(self._popen.pid, number)
                while self._group_lives() and time.monotonic() < deadline:
                    with contextlib.suppress(Exception):  # the first error is on its way up
                        self._pipes.serve(TICK_SECONDS / 2)
            with contextlib.suppress(Exception):
                self._pipes.drain(TICK_SECONDS)  # its last words say what it left behind
        finally:
            if self._group_lives():
                signals.send(self._popen.pid, signal.SIGKILL)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._popen.wait(TICK_SECONDS)
            self._seconds = time.monotonic() - self._began

    def _group_lives(self) -> bool:
        self._popen.poll()  # a dead leader that nobody reaped still counts as its group
        return signals.lives(self._popen.pid)

    def finished(self) -> Finished:
        """Return how it ended."""
        status = self._popen.returncode if self._popen.returncode is not None else -signal.SIGKILL
        stdout, stderr = self._pipes.stdout.text(), self._pipes.stderr.text()
        return Finished(self._argv, status, stdout, stderr, self._seconds)
