"""The cells of the fault matrix, for machines in memory: how each strikes, and how it is cured."""

from __future__ import annotations

import shutil
import signal
import threading
from typing import TYPE_CHECKING

from harness import process
from harness.events import MachineProgress, PhaseStarted
from tests.e2e.faults import cells
from tests.e2e.faults.cells import Fault
from tests.fake_vagrant import BOOTED

if TYPE_CHECKING:
    from pathlib import Path

    from harness.events import Event
    from tests.e2e.faults.cells import Cell
    from tests.fake_lab import Lab
    from tests.fake_machine import Machine

# Longer than a command on a machine may take, and than a node without news is called Ready.
CUT_SECONDS = 45.0
STOP_SECONDS = 20.0


class Striker:
    """A reporter that lets a cell's fault strike, once, as soon as it hears of its moment.

    Attributes:
        has_struck: Whether it did.
    """

    def __init__(self, cell: Cell, lab: Lab, state: Path) -> None:
        self._cell = cell
        self._lab = lab
        self._state = state
        self._machine = lab.machines[cell.machine]
        self.has_struck = False

    def report(self, event: Event) -> None:
        if not self.has_struck and self._is_moment(event):
            self.has_struck = True
            self._strike()

    def close(self) -> None:
        """Do nothing: others hear of the events too."""

    def _is_moment(self, event: Event) -> bool:
        fault, phase = self._cell.fault, self._cell.phase
        if phase == "machines" and fault not in cells.VAGRANT:
            # It runs, and nobody but Vagrant can log in to it.
            return event == MachineProgress(self._cell.machine, phase, BOOTED)
        return isinstance(event, PhaseStarted) and event.phase == phase

    def _strike(self) -> None:
        fault, machine = self._cell.fault, self._machine
        if fault is Fault.SIGKILL:
            # What a run that is interrupted does yet, one that is killed does not.
            shutil.copytree(self._state, self._kept)
            self._send(signal.SIGINT)
        elif fault in cells.SIGNALS:
            self._send(cells.SIGNALS[fault])
        elif fault in cells.VAGRANT:
            self._lab.vagrant.fault = fault
        else:
            self._break(fault, machine)

    def _break(self, fault: Fault, machine: Machine) -> None:
        {
            Fault.MACHINE_STOPPED: machine.stop,
            Fault.MACHINE_DESTROYED: machine.destroy,
            Fault.SSHD_STOPPED: machine.stop_sshd,
            Fault.NETWORK_CUT: lambda: machine.cut(CUT_SECONDS),
            Fault.DISK_FULL: machine.fill,
            Fault.KUBELET_STOPPED: machine.stop_kubelet,
            Fault.API_SERVER_STOPPED: machine.stop_api,
        }[fault]()

    def _send(self, number: signal.Signals) -> None:
        """Send a signal to the main thread, as the kernel does, and wait for what it does."""
        signal.pthread_kill(threading.main_thread().ident or 0, number)
        process.STOPPING.wait(STOP_SECONDS)

    @property
    def _kept(self) -> Path:
        return self._state.with_name("killed")

    def ended(self) -> None:
        """Let a new process begin, and undo what a killed one would not have done."""
        process.resume()
        if self._kept.exists():
            shutil.rmtree(self._state)
            self._kept.rename(self._state)

    def cure(self) -> None:
        """Take the fault away; what does not run, or is gone, is not brought back."""
        self._lab.vagrant.fault = None
        self._machine.cure()
