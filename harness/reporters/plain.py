"""Plain lines: one per event, with the seconds since the start, for logs and pipes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TextIO

from harness.events import Event, MachineProgress, Notice, PhaseEnded, PhaseFailed, PhaseStarted
from harness.reporters.safe import SafeReporter, one_line

if TYPE_CHECKING:
    from collections.abc import Callable


class Plain(SafeReporter):
    """Writes ``[ 12.3s] ip-192.168.2.2 join: waiting for …``, each reason once."""

    def __init__(self, stream: TextIO, *, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._stream = stream
        self._clock = clock
        self._began = clock()
        self._told: dict[tuple[str, str], str] = {}

    def _take(self, event: Event) -> None:
        line = self._line(event)
        if line:
            self._stream.write(f"[{self._clock() - self._began:6.1f}s] {line}\n")
            self._stream.flush()

    def _line(self, event: Event) -> str:
        match event:
            case PhaseStarted(phase, machines):
                where = f" on {', '.join(machines)}" if machines else ""
                return f"{phase}: begins{where}"
            case PhaseEnded(phase, seconds, note):
                return f"{phase}: done in {seconds:.1f} s{f' ({note})' if note else ''}"
            case PhaseFailed(phase, seconds, message):
                return f"{phase}: failed after {seconds:.1f} s: {one_line(message)}"
            case MachineProgress():
                return self._progress(event)
            case Notice(message, level):
                return message if level == "info" else f"{level}: {message}"

    def _progress(self, event: MachineProgress) -> str:
        text = "done" if event.done else one_line(event.reason)
        key = (event.machine, event.phase)
        if self._told.get(key) == text:
            return ""
        self._told[key] = text
        return f"{event.machine} {event.phase}: {text}" if text else ""
