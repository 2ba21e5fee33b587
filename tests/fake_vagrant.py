"""Vagrant, for machines in memory: it makes them, or hangs, fails and mumbles."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

from harness.errors import InterruptedRunError, ProviderError
from harness.interfaces import MachineState
from harness.phases.machines import KEY_IN_PLACE
from harness.process import STOPPING
from tests.e2e.faults.cells import Fault
from tests.fake_cluster import GOOD_HOST
from tests.fake_machine import SSH
from tests.fakes import FakeClock, FakeProvider

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from harness.host_facts import Facts
    from tests.fake_machine import Machine

    OnLine = Callable[[str, str], None]

BOOTED = "Machine booted and ready!"
NOISE = ("W, [2024-01-01T00:00:00] vagrant-lxc: could not, for now, read its cache", "", "%")
VERSION_SECONDS = 10.0
# The longer a sleep, the fewer looks in a wait that ends with a timeout.
LEAST_SECONDS = 2.0
HELD_SECONDS = 0.001


class LabClock(FakeClock):
    """Seconds that pass in waits, but not in those for Vagrant, which needs none.

    Attributes:
        is_held: Whether Vagrant is at work, or will be next.
    """

    def __init__(self) -> None:
        super().__init__()
        self.is_held = False

    def sleep(self, seconds: float) -> None:
        if self.is_held and threading.current_thread() is not threading.main_thread():
            STOPPING.wait(HELD_SECONDS)
        else:
            super().sleep(max(seconds, LEAST_SECONDS))


class LabVagrant(FakeProvider):
    """Makes machines in memory, one after the other.

    Attributes:
        fault: What is wrong with Vagrant itself.
    """

    def __init__(self, machines: Mapping[str, Machine], clock: LabClock) -> None:
        super().__init__(machines)
        self._machines = machines
        self._clock = clock
        self.fault: Fault | None = None

    def facts(self) -> Facts:
        """Return what this host can do, of whose Vagrant that is so."""
        trouble = self._trouble(VERSION_SECONDS)
        told = f"`vagrant --version` {trouble}" if trouble else ""
        return replace(GOOD_HOST, vagrant_trouble=told)

    def up(self, names: Sequence[str], *, timeout: float, on_line: OnLine) -> None:
        try:
            self._begin("up", names, timeout)
            for name in names:
                for line in NOISE if self.fault is Fault.VAGRANT_NOISE else ():
                    self._say("", line, on_line)
                self._say(name, "Starting container", on_line)
                self._machines[name].boot()
                self._say(name, BOOTED, on_line)
            self._exchange_keys(names, on_line)
        finally:
            self._clock.is_held = False

    def provision(self, names: Sequence[str], *, timeout: float, on_line: OnLine) -> None:
        self._begin("provision", names, timeout)
        self._exchange_keys(names, on_line)

    def machines(self, *, timeout: float) -> dict[str, MachineState]:
        states = {name: machine.state for name, machine in self._machines.items()}
        if set(states.values()) != {MachineState.ABSENT}:  # else there is nobody to ask about
            self._begin("status", list(self._machines), timeout)
        return states

    def destroy(self, names: Sequence[str], *, timeout: float) -> None:
        self._begin("destroy", names, timeout)
        for name in names:
            self._machines[name].destroy()

    def _begin(self, command: str, names: Sequence[str], timeout: float) -> None:
        """Start, or tell why not.

        Raises:
            ProviderError: If it is out of order.
        """
        self.calls.append((command, tuple(names)))
        if trouble := names and self._trouble(timeout):
            raise ProviderError(f"{', '.join(names)}: `vagrant {command}` {trouble}")

    def _trouble(self, timeout: float) -> str:
        if self.fault is Fault.VAGRANT_HANGS:
            self._clock.now += timeout
            return f"did not end within {timeout:g} s and was stopped"
        return "exited 1:\nno ruby today" if self.fault is Fault.VAGRANT_FAILS else ""

    def _exchange_keys(self, names: Sequence[str], on_line: OnLine) -> None:
        for name in names:
            machine = self._machines[name]
            self._clock.now = max(self._clock.now, machine.cut_until)  # it tries for minutes
            if error := machine.why_unreachable(SSH):
                raise ProviderError(f"{name}: `vagrant up` exited 1:\n{error}")
            machine.disk.has_key = True
            self._say(name, KEY_IN_PLACE, on_line)

    def _say(self, name: str, line: str, on_line: OnLine) -> None:
        """Print a line, unless everything is being stopped: then the harness ends Vagrant."""
        if not STOPPING.is_set():
            on_line(name, line)
        if STOPPING.is_set():
            raise InterruptedRunError("`vagrant` was stopped")
