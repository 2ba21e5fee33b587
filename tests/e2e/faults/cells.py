"""The fault matrix: which fault strikes in which phase, and what is expected of `up` then.

Pure, so that the same cells run on real machines (here) and on fakes (tests/unit).
"""

from __future__ import annotations

import re
import signal
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from harness.errors import HostError, InterruptedRunError, NotReadyError, PhaseError, ProviderError
from harness.phases import SEQUENCE

if TYPE_CHECKING:
    from collections.abc import Iterable

PHASES = tuple(phase.name for phase in SEQUENCE)
MANAGER = "ip-192.168.2.200"
WORKER = "ip-192.168.2.3"


class Fault(StrEnum):
    """What goes wrong."""

    SIGKILL = "sigkill"
    SIGINT = "sigint"
    SIGTERM = "sigterm"
    MACHINE_STOPPED = "machine-stopped"
    MACHINE_DESTROYED = "machine-destroyed"
    SSHD_STOPPED = "sshd-stopped"
    NETWORK_CUT = "network-cut"
    DISK_FULL = "disk-full"
    KUBELET_STOPPED = "kubelet-stopped"
    API_SERVER_STOPPED = "api-server-stopped"
    VAGRANT_HANGS = "vagrant-hangs"
    VAGRANT_FAILS = "vagrant-fails"
    VAGRANT_NOISE = "vagrant-noise"


SIGNALS = {
    Fault.SIGKILL: signal.SIGKILL,
    Fault.SIGINT: signal.SIGINT,
    Fault.SIGTERM: signal.SIGTERM,
}
VAGRANT = frozenset({Fault.VAGRANT_HANGS, Fault.VAGRANT_FAILS, Fault.VAGRANT_NOISE})
PASSING = frozenset({Fault.NETWORK_CUT, Fault.VAGRANT_NOISE})
"""What `up` bears: it ends with four Ready nodes all the same."""

PHASE, NOT_READY = PhaseError.exit_code, NotReadyError.exit_code
# Where a phase does not ask who was struck, a later one does; so some have two.
CODES: dict[Fault, frozenset[int]] = {
    Fault.SIGKILL: frozenset({-signal.SIGKILL}),
    Fault.SIGINT: frozenset({InterruptedRunError.exit_code}),
    Fault.SIGTERM: frozenset({InterruptedRunError.exit_code}),
    Fault.MACHINE_STOPPED: frozenset({PHASE, NOT_READY}),
    Fault.MACHINE_DESTROYED: frozenset({PHASE, NOT_READY}),
    Fault.SSHD_STOPPED: frozenset({PHASE, NOT_READY}),
    Fault.NETWORK_CUT: frozenset({0}),
    Fault.DISK_FULL: frozenset({PHASE, NOT_READY}),
    Fault.KUBELET_STOPPED: frozenset({PHASE, NOT_READY}),
    Fault.API_SERVER_STOPPED: frozenset({PHASE, NOT_READY}),
    Fault.VAGRANT_HANGS: frozenset({ProviderError.exit_code}),
    Fault.VAGRANT_FAILS: frozenset({ProviderError.exit_code}),
    Fault.VAGRANT_NOISE: frozenset({0}),
}
SAYS: dict[Fault, str] = {
    Fault.MACHINE_STOPPED: r"{machine} is stopped",
    Fault.MACHINE_DESTROYED: r"{machine} is absent",
    Fault.SSHD_STOPPED: r"{machine}: .*(?i:refused|connection)",
    Fault.DISK_FULL: r"{machine}, state:\n(?s:.*)/\S+ is full|{machine}: .*No space left",
    Fault.KUBELET_STOPPED: r"kubelet does not (?:run|answer)",
    Fault.API_SERVER_STOPPED: r"(?i:api server|:6443|control plane)",
    Fault.VAGRANT_HANGS: r"did not end within [\d.]+ s",
    Fault.VAGRANT_FAILS: r"exited 1\b(?s:.*)no ruby today",
}


@dataclass(frozen=True)
class Cell:
    """One fault in one phase.

    Attributes:
        phase: In which it strikes.
        fault: What strikes.
    """

    phase: str
    fault: Fault

    def __str__(self) -> str:
        return f"{self.phase}:{self.fault}"

    @classmethod
    def of(cls, text: str) -> Cell:
        """Read what `str` gives.

        Raises:
            ValueError: If there is no such cell.
        """
        phase, _, fault = text.partition(":")
        cell = cls(phase, Fault(fault))
        if phase not in PHASES or cell.why_senseless:
            raise ValueError(f"{text}: {cell.why_senseless or 'there is no such phase'}")
        return cell

    @property
    def why_senseless(self) -> str:
        """Why this cell says nothing; empty if it makes sense."""
        if self.fault in SIGNALS:
            return ""
        if self.fault in VAGRANT:
            return "" if self.phase in {"preflight", "machines"} else "Vagrant has done its work"
        if self.phase == "preflight":
            return "there is no machine yet"
        if self._is_before("init") and self.fault is Fault.KUBELET_STOPPED:
            return "kubelet does not run before init"
        if self._is_before("init") and self.fault is Fault.API_SERVER_STOPPED:
            return "there is no API server before init"
        return ""

    @property
    def machine(self) -> str:
        """Who is struck: whoever the phase is about."""
        by_manager = {Fault.SSHD_STOPPED, Fault.API_SERVER_STOPPED}
        if self.phase in {"init", "network"} or self.fault is Fault.API_SERVER_STOPPED:
            return MANAGER
        # From then on kubectl is all that is asked, on the manager.
        if self.phase in {"ready", "verify"} and self.fault in by_manager:
            return MANAGER
        return WORKER

    @property
    def codes(self) -> frozenset[int]:
        """With what `up` may end."""
        if self.fault in VAGRANT and self.fault not in PASSING and self.phase == "preflight":
            return frozenset({HostError.exit_code})
        if self.phase == "machines" and self.fault not in {*SIGNALS, *PASSING}:
            return frozenset({PHASE, ProviderError.exit_code})
        return CODES[self.fault]

    @property
    def says(self) -> str:
        """A pattern for the cause in what `up` says of its failure; empty where it has none."""
        return SAYS.get(self.fault, "").format(machine=re.escape(self.machine))

    @property
    def fails(self) -> bool:
        """Whether `up` ends with an error of its own."""
        return self.fault not in SIGNALS and self.fault not in PASSING

    @property
    def resumes(self) -> bool:
        """Whether `up` goes on from there; after SIGINT `down` comes at once."""
        return self.fault is not Fault.SIGINT

    @property
    def is_fresh(self) -> bool:
        """Whether it takes a cluster on which nothing was tried before.

        Where `up` bears a fault, or `down` comes at once, nothing is left to be struck in. And
        what init or join has written before is there when the disk is full afterwards.
        """
        writes = self.fault is Fault.DISK_FULL and self.phase in {"init", "join"}
        return writes or self.fault in PASSING or not self.resumes

    def _is_before(self, phase: str) -> bool:
        return PHASES.index(self.phase) < PHASES.index(phase)


ALL = tuple(Cell(phase, fault) for fault in Fault for phase in PHASES)
SENSIBLE = tuple(cell for cell in ALL if not cell.why_senseless)


def rows(chosen: Iterable[Cell]) -> list[tuple[Cell, ...]]:
    """Group cells into rows, each of which one cluster goes through.

    A row is one fault in one phase after the other: what resumes from the first is struck by
    the second.
    """
    found: list[list[Cell]] = []
    order = list(Fault)
    for cell in sorted(chosen, key=lambda one: (order.index(one.fault), PHASES.index(one.phase))):
        if cell.is_fresh or not found or found[-1][0].fault is not cell.fault:
            found.append([])
        found[-1].append(cell)
    return list(map(tuple, found))


IN_CI = (
    Cell("preflight", Fault.SIGINT),
    Cell("machines", Fault.VAGRANT_FAILS),
    Cell("machines", Fault.SIGKILL),
    Cell("install", Fault.SIGTERM),
    Cell("init", Fault.SIGKILL),
    Cell("network", Fault.SIGTERM),
    Cell("join", Fault.SIGINT),
    Cell("ready", Fault.SIGKILL),
    Cell("verify", Fault.SIGTERM),
)
"""One row, of what takes little time: in every phase the run is given up, and the next resumes."""
