"""What happens while a cluster comes up, as frozen values.

Reporters (terminal, plain lines, JSON lines) are readers of these; nothing else flows
back from the orchestrator but errors.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PhaseStarted:
    """A phase began.

    Attributes:
        phase: Its name.
        machines: The machines it works on, empty for the cluster as a whole.
    """

    phase: str
    machines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PhaseEnded:
    """A phase came to its end; `seconds` is how long it took."""

    phase: str
    seconds: float
    note: str = ""


@dataclass(frozen=True, slots=True)
class PhaseFailed:
    """A phase failed; the error itself is raised, this is for display and timings.

    Attributes:
        phase: Its name.
        seconds: How long it took, without what was asked about its failure afterwards.
        message: What the error says.
        known_issues: Ids of those that explain it (docs/troubleshooting.md), likeliest first.
    """

    phase: str
    seconds: float
    message: str
    known_issues: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MachineProgress:
    """A machine moved on, or waits for a reason.

    Attributes:
        machine: Its name.
        phase: Where it is.
        reason: What it does or why it waits, one short line; empty when it is done.
        done: Whether this machine has finished this phase.
    """

    machine: str
    phase: str
    reason: str
    done: bool = False


@dataclass(frozen=True, slots=True)
class Notice:
    """One sentence for the user that belongs to no machine."""

    message: str
    level: str = "info"


Event = PhaseStarted | PhaseEnded | PhaseFailed | MachineProgress | Notice
