"""A small cluster in memory, which behaves like the real one: machines, Vagrant, network, API.

The phases that run on it are the real ones, and so is kubectl's way over the manager.
"""

from __future__ import annotations

import functools
import os
import threading
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from harness import convergence, doctor, pki, render, template, wait
from harness.errors import CommandError, LoginRefusedError, TransportError
from harness.events import PhaseStarted
from harness.interfaces import MachineState
from harness.kubectl import KubectlOnManager
from harness.phases import diagnosis, script
from harness.phases.machines import NAME
from tests.fake_cluster import FakeWorld
from tests.fake_estate import MAKERS
from tests.fake_lab_api import LabAPI
from tests.fake_machine import PATIENCE_SECONDS, SECTIONS, SSH, Machine, follows
from tests.fake_site import MachineClock, script_of, still_clock
from tests.fake_vagrant import LabClock, LabVagrant
from tests.fakes import Answer, FakeNetwork, FakeTransport

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence
    from pathlib import Path

    import pytest

    from harness.cluster import Cluster
    from harness.events import Event
    from harness.interfaces import Result

CONNECT_SECONDS = 60.0
READ = functools.cache(template.sources)


def _sources(
    where: str | Path, options: template.Options | None = None, _world: object = None
) -> tuple[template.Source, ...]:
    """Read templates once for all clusters: they are files, and want nothing of the world."""
    return READ(where, options)


@dataclass
class LabTransport(FakeTransport):
    """SSH to a machine in memory.

    Attributes:
        machine: Which one.
        lock: Held while it answers: machines see each other.
    """

    machine: Machine = field(kw_only=True)
    lock: threading.RLock = field(kw_only=True)

    def run(
        self, argv: Sequence[str], *, timeout: float, stdin: bytes = b"", sudo: bool = False
    ) -> Result:
        self._connect(timeout)
        with self.lock:
            return super().run(argv, timeout=timeout, stdin=stdin, sudo=sudo)

    def put(self, content: bytes, path: str, *, mode: int, timeout: float) -> None:
        self._connect(timeout)
        if self.machine.is_full:
            why = "cat: write error: No space left on device"
            raise CommandError(f"{self.name}: writing {path} failed: {why}")
        super().put(content, path, mode=mode, timeout=timeout)

    def _connect(self, timeout: float) -> None:
        """Try for as long as SSH does, and say what it says."""

        def attempt() -> None:
            if error := self.machine.why_unreachable(SSH):
                raise error
            if not self.machine.disk.has_key:
                raise LoginRefusedError(f"{self.name}: the cluster's key is not in place")

        try:
            wait.retry(
                attempt,
                on=(OSError,),
                timeout=min(timeout, CONNECT_SECONDS),
                interval=0.5,
                what=f"{self.name}: SSH to {self.machine.plan.address}:{SSH}",
            )
        except wait.WaitTimeout as error:
            raise TransportError(error.message) from error


class LabNetwork(FakeNetwork):
    """Where the machines live.

    Attributes:
        is_made: Whether it is there.
    """

    def __init__(self, machines: dict[str, Machine]) -> None:
        super().__init__()
        self._machines = machines
        self.is_made = False

    def create(self) -> None:
        super().create()
        self.is_made = True

    def remove(self) -> None:
        super().remove()
        for machine in self._machines.values():
            machine.destroy()
        self.is_made = False

    def leftovers(self) -> list[str]:
        machines = [one.name for one in self._machines.values() if one.state != MachineState.ABSENT]
        return [*machines, *(["the network"] if self.is_made else [])]

    def connect(self, address: str, port: int, *, timeout: float) -> socket.socket:
        machine = next(one for one in self._machines.values() if one.plan.address == address)
        if error := machine.why_unreachable(port):
            raise error
        if not machine.runs_kubelet:
            raise ConnectionRefusedError(111, "Connection refused")
        return super().connect(address, port, timeout=timeout)


@dataclass
class Lab:
    """Machines in memory, and everything that reaches them.

    Attributes:
        world: The plan and its workspace.
        clock: The seconds that pass in waits, on machines too.
        machines: Name → machine, the manager first.
        lock: Held by whoever looks at several machines.
    """

    world: FakeWorld
    clock: LabClock
    machines: dict[str, Machine]
    lock: threading.RLock = field(default_factory=threading.RLock)

    def __post_init__(self) -> None:
        self.vagrant = LabVagrant(self.machines, self.clock)
        self.network = LabNetwork(self.machines)
        self.api = LabAPI(machines=self.machines)
        self.transports = {name: self._transport(one) for name, one in self.machines.items()}

    @classmethod
    def of(cls, state: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
        """Make a lab with nothing in it, in which seconds pass on a clock of ours alone."""
        clock = LabClock()
        still_clock(monkeypatch, clock)
        for module in (wait, convergence):
            monkeypatch.setattr(module, "Deadline", functools.partial(wait.Deadline, clock=clock))
        # Most of the work, and nothing to these machines: keys, scripts, what these are made
        # from, and that all is on disk before the power is cut.
        monkeypatch.setattr(pki, "MAKERS", MAKERS)
        monkeypatch.setattr(render, "init_script", lambda _plan, one, *_: script_of(one.name))
        monkeypatch.setattr(template, "sources", _sources)
        monkeypatch.setattr(os, "fsync", lambda _file: None)
        world = FakeWorld.of(state)
        return cls(world, clock, {one.name: Machine(one, clock) for one in world.plan.machines})

    @property
    def manager(self) -> Machine:
        return self.machines[self.world.plan.manager.name]

    @property
    def cluster(self) -> Cluster:
        """The cluster, as the composition root would hand it out."""
        provider = self.world.plan.provider
        return replace(
            self.world.cluster,
            provider=self.vagrant,
            network=self.network,
            transport=self.transports.__getitem__,
            api=KubectlOnManager(lambda: self.transports[self.manager.name]),
            check_host=lambda: doctor.require(provider, self.vagrant.facts()),
        )

    def report(self, event: Event) -> None:
        """Hear when others begin to wait for Vagrant, as a reporter."""
        if isinstance(event, PhaseStarted) and event.phase == NAME:
            self.clock.is_held = True

    def close(self) -> None:
        """Do nothing: others hear of the events too."""

    def _transport(self, machine: Machine) -> LabTransport:
        made = LabTransport(machine.name, machine=machine, lock=self.lock)
        made.script += [functools.partial(self._answer, machine), MachineClock()]
        made.on("true", answer=Answer())
        return made

    def _answer(self, machine: Machine, argv: tuple[str, ...], stdin: bytes) -> Answer | None:
        for one in self.machines.values():
            self._proceed(one)
        if argv == ("sh", "-c", script.OBSERVE):
            return Answer(machine.observed())
        if argv[:3] == ("sh", "-c", script.START):
            machine.start_script(argv[-1])
            return Answer()
        if argv[0] == "kubectl":
            said = self.api.kubectl(argv[2:], timeout=0, stdin=stdin)
            return Answer(said.stdout, said.stderr, said.exit_status)
        return Answer(machine.looked_at()) if stdin == diagnosis.LOOK.encode() else None

    def _proceed(self, machine: Machine) -> None:
        """Let a machine's init script be as far as it is by now."""
        if machine.unit != "active" or machine.section == script.DONE:
            return
        began, section = machine.disk.marks[-1]
        seconds = self.clock() - began
        machine.disk.reason = self._why_waiting(machine, section)
        if machine.is_full:
            machine.fail(f"failed: {section}: No space left on device")
        elif machine.disk.reason and seconds >= PATIENCE_SECONDS:
            machine.fail(f"failed: {machine.disk.reason}")
        elif not machine.disk.reason and seconds >= SECTIONS[machine.plan.role][section]:
            self._finish(machine, section)

    def _why_waiting(self, machine: Machine, section: str) -> str:
        if section == "init" and not (machine.may_run_kubelet and machine.may_run_api):
            return "kubeadm init"
        if section == "network" and not machine.runs_api:
            return "applying the cni add-on"
        is_in_touch = self.manager.runs_api and not self.manager.is_cut and not machine.is_cut
        if section == "join" and not is_in_touch:
            return "the control plane does not answer yet: curl: (7) Failed to connect"
        return "kubeadm join" if section == "join" and not machine.may_run_kubelet else ""

    def _finish(self, machine: Machine, section: str) -> None:
        disk, nodes = machine.disk, self.manager.disk.nodes
        if section in {"init", "join"}:
            if nodes.get(machine.name, disk) is not disk and not machine.is_lost:
                machine.fail("failed: a Node with this name and status Ready already exists")
                return
            nodes[machine.name] = disk
            disk.has_kubelet = True
        disk.has_network = disk.has_network or section == "network"
        machine.enter(follows(machine))
