"""Runs phases, and keeps how long each took."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from harness import wait
from harness.errors import HarnessError, InterruptedRunError
from harness.events import PhaseEnded, PhaseFailed, PhaseStarted

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.events import Event
    from harness.phases.base import Phase, Site


class Stopwatch:
    """Runs phases, times them, tells of them, and keeps the record."""

    def __init__(
        self,
        report: Callable[[Event], None],
        keep: Callable[[list[dict[str, Any]]], None],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._report = report
        self._keep = keep
        self._clock = clock
        self.timings: list[dict[str, Any]] = []

    def run(self, phase: Phase, site: Site, deadline: wait.Deadline) -> None:
        """Run one phase within its own limit and the whole run's.

        Raises:
            HarnessError: What the phase raised, with what the machines know about it.
        """
        seconds = min(phase.timeout_seconds, deadline.remaining)
        began = self._clock()
        self._report(PhaseStarted(phase.name, site.plan.names))
        try:
            note = phase.run(site, wait.Deadline(seconds))
        except BaseException as error:
            self._record(phase, began, "failed")
            message = error.message if isinstance(error, HarnessError) else str(error)
            self._report(PhaseFailed(phase.name, self._clock() - began, message))
            stopped = isinstance(error, InterruptedRunError)
            if isinstance(error, HarnessError) and not stopped and (known := phase.diagnose(site)):
                error.add_note(known)
            raise
        self._record(phase, began, note or "done")
        self._report(PhaseEnded(phase.name, self._clock() - began, note))

    def _record(self, phase: Phase, began: float, note: str) -> None:
        seconds = round(self._clock() - began, 3)
        self.timings.append({"phase": phase.name, "seconds": seconds, "note": note})
        self._keep(self.timings)
