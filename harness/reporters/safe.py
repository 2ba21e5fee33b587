"""What all reporters share: one event at a time, and never an error."""

from __future__ import annotations

import contextlib
import threading
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.events import Event


def one_line(text: str) -> str:
    """Return the first line that says something."""
    lines = (line.strip() for line in text.splitlines())
    return next((line for line in lines if line), "")


class SafeReporter(ABC):
    """Takes events from any thread, one after the other."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def report(self, event: Event) -> None:
        """Take one event; whatever goes wrong in showing it is not the cluster's problem."""
        with contextlib.suppress(Exception), self._lock:
            self._take(event)

    def close(self) -> None:
        """Flush and give the stream back; more than once is as good as once."""
        with contextlib.suppress(Exception), self._lock:
            self._finish()

    @abstractmethod
    def _take(self, event: Event) -> None:
        """Show or write one event; may raise."""

    def _finish(self) -> None:  # noqa: B027 - most have nothing to finish
        """Show or write the rest; may raise."""
