"""Reporters: readers of events, for a terminal, for plain logs and for programs.

None of them ever raises: a full disk or a closed terminal must not fail a cluster.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

from harness.reporters.jsonl import JsonLines
from harness.reporters.plain import Plain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.events import Event
    from harness.interfaces import Reporter

__all__ = ["JsonLines", "Many", "Plain", "choose"]


class Many:
    """Hands each event to several reporters, in their order."""

    def __init__(self, reporters: Sequence[Reporter]) -> None:
        self._reporters = tuple(reporters)

    def report(self, event: Event) -> None:
        """Hand on one event."""
        for reporter in self._reporters:
            reporter.report(event)

    def close(self) -> None:
        """Close them all."""
        for reporter in self._reporters:
            reporter.close()


def choose(stream: TextIO, environ: Mapping[str, str]) -> Reporter:
    """Return the live display where `stream` is a terminal that can show it, else plain lines.

    CI systems that offer a terminal still keep what is written as a log, where a display
    that redraws itself is unreadable.
    """
    live = stream.isatty() and environ.get("TERM", "dumb") != "dumb" and not environ.get("CI")
    if not live:
        return Plain(stream)
    # rich takes 100 ms to import, which a pipe need not pay.
    from harness.reporters.terminal import Terminal  # noqa: PLC0415

    return Terminal(stream, color=not environ.get("NO_COLOR"))
