"""Interruptions: SIGTERM is as SIGINT, the first one stops the run, later ones change nothing."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from typing import TYPE_CHECKING

from harness.errors import InterruptedRunError, is_stop

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

STDERR = 2
SIGNALS = (signal.SIGINT, signal.SIGTERM)
PATIENCE = b"\nStill stopping; what runs on machines gets a few seconds to end.\n"


class Signals:
    """Raises KeyboardInterrupt once.

    Cleaning up after the first signal must not be torn apart by a second one: a lock half
    released or a file half written is worth more than the seconds that an impatient user
    would win.
    """

    def __init__(self) -> None:
        self._stopping = False

    def take(self, number: int, _frame: FrameType | None) -> None:
        """Be the signal handler; the interruption says which signal it was."""
        if self._stopping:
            # print may have been interrupted while it held its lock; this has none.
            os.write(STDERR, PATIENCE)
            return
        self._stopping = True
        raise KeyboardInterrupt(signal.Signals(number).name)

    def ignore(self) -> None:
        """Let no later signal break what is left to do."""
        self._stopping = True


@contextlib.contextmanager
def handled() -> Iterator[Signals]:
    """Turn both signals into one KeyboardInterrupt while the block runs."""
    signals = Signals()
    if threading.current_thread() is not threading.main_thread():
        yield signals  # only the main thread may set handlers; its own are in force
        return
    before = {number: signal.signal(number, signals.take) for number in SIGNALS}
    try:
        yield signals
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def explained(message: str, *, hint: str) -> Iterator[None]:
    """Say what an interruption of the block leaves behind and how to go on.

    Raises:
        InterruptedRunError: In place of any interruption, whichever thread it struck; with what
            was noted on it.
    """
    try:
        yield
    except BaseException as error:
        if not is_stop(error):
            raise
        interrupted = InterruptedRunError(message, hint=hint)
        for note in getattr(error, "__notes__", ()):
            interrupted.add_note(note)
        raise interrupted from error
