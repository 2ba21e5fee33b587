"""JSON lines: every event on disk before what it announces goes on."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TextIO

from harness.reporters.safe import SafeReporter

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from harness.events import Event


class JsonLines(SafeReporter):
    """Appends events to a file, which is made with the first one.

    Each line is ``{"time", "elapsed", "event", …}``: UTC in ISO 8601, seconds since this
    reporter was made, the class of the event, and the event's own attributes.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._path = path
        self._clock = clock
        self._began = clock()
        self._file: TextIO | None = None

    def _take(self, event: Event) -> None:
        record = {
            "time": datetime.now(tz=UTC).isoformat(timespec="milliseconds"),
            "elapsed": round(self._clock() - self._began, 3),
            "event": type(event).__name__,
            **asdict(event),
        }
        if self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("a", encoding="utf-8")
        self._file.write(json.dumps(record, ensure_ascii=False) + "\n")
        self._file.flush()

    def _finish(self) -> None:
        if self._file:
            self._file.close()
            self._file = None
