"""Runs phases, and keeps how long each took."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from harness import known_issues, wait
from harness.errors import HarnessError, is_stop, leaves
from harness.events import PhaseEnded, PhaseFailed, PhaseStarted
from harness.redaction import Redactor

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
        try:
            self._report(PhaseStarted(phase.name, site.plan.names))
            note = phase.run(site, wait.Deadline(seconds))
        except BaseException as error:
            self._record(phase, began, "failed")
            seconds = self._clock() - began
            try:
                _explain(phase, site, error)
            finally:  # whoever interrupts the diagnosis still sees the phase fail
                issues = tuple(issue.id for issue in known_issues.explaining(error))
                self._report(PhaseFailed(phase.name, seconds, _message(error), issues))
            raise
        self._record(phase, began, note or "done")
        self._report(PhaseEnded(phase.name, self._clock() - began, note))

    def _record(self, phase: Phase, began: float, note: str) -> None:
        seconds = round(self._clock() - began, 3)
        self.timings.append({"phase": phase.name, "seconds": seconds, "note": note})
        self._keep(self.timings)


def _explain(phase: Phase, site: Site, error: BaseException) -> None:
    """Note on an error what the machines know about it; of an interruption, where it came."""
    if is_stop(error):
        error.add_note(f"In phase {phase.name}: {_message(error)}")
        return
    if not all(isinstance(leaf, HarnessError) for leaf in leaves(error)):
        return
    try:
        if found := phase.diagnose(site):
            # It ends on a screen, in CI for all to read; a script may have said anything.
            error.add_note(Redactor([site.secrets.token, site.secrets.ca_key])(found))
    except Exception as second:  # noqa: BLE001 - must not hide what it should explain
        error.add_note(f"The diagnosis failed too: {second!r}")


def _message(error: BaseException) -> str:
    said = error.message if isinstance(error, HarnessError) else str(error)
    return said or type(error).__name__
