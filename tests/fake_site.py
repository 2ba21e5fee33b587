"""What phases work with, made of fakes: init scripts, an API server, and a clock that is ours."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from harness import wait
from harness.events import MachineProgress, Notice
from harness.phases import diagnosis, script
from harness.phases.base import Site
from tests.fake_api import FakeAPI
from tests.fake_cluster import FakeWorld
from tests.fakes import Answer, FakeClock, FakeNetwork, FakeProvider, FakeTransport
from tests.samples import SECRETS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pytest

    from harness.spec import ClusterPlan, MachinePlan
    from tests.fakes import RecordingReporter

LAST_WORDS = f"{diagnosis.HEAD}last lines of kubelet\nkubelet: exiting\n"


def observed(
    *sections: str,
    active: str = "active",
    result: str = "success",
    fingerprint: str = "",
    reason: str = "",
) -> str:
    """Return what `script.OBSERVE` prints, with these sections a second apart."""
    marks = "".join(f"{100 + number}.250 {name}\n" for number, name in enumerate(sections))
    unit = f"ActiveState={active}\nResult={result}\n"
    return f"{unit}{fingerprint}\n{reason}\n{marks}"


NO_UNIT = observed(active="inactive")
"""What a machine says that was never given a script."""


@dataclass
class InitUnit:
    """A machine's init script, as seen over SSH: a reply for each look, the last one for ever.

    Attributes:
        looks: What `OBSERVE` prints.
        once_started: What it prints from `START` on.
        started: Fingerprints that `START` was given.
        last_words: What `diagnosis.LOOK` prints.
    """

    looks: list[str] = field(default_factory=lambda: [NO_UNIT])
    once_started: list[str] = field(default_factory=lambda: [observed("install", "init")])
    started: list[str] = field(default_factory=list)
    last_words: str = LAST_WORDS

    def __call__(self, argv: tuple[str, ...], stdin: bytes) -> Answer | None:
        """Answer as a machine does, for `FakeTransport.script`."""
        if argv == ("sh", "-c", script.OBSERVE):
            return Answer(self.looks.pop(0) if len(self.looks) > 1 else self.looks[0])
        if argv[:3] == ("sh", "-c", script.START):
            self.started.append(argv[-1])
            self.looks = list(self.once_started)
            return Answer()
        return Answer(self.last_words) if stdin == diagnosis.LOOK.encode() else None


@dataclass
class MachineClock:
    """A machine's clock, as `date` tells it.

    Attributes:
        off: By how many seconds it is ahead of ours at each look, the last answer for ever.
        fixed: What it shows whatever ours shows, in seconds since the epoch.
    """

    off: list[float] = field(default_factory=lambda: [0.0])
    fixed: float | None = None

    def __call__(self, argv: tuple[str, ...], _stdin: bytes) -> Answer | None:
        """Answer as a machine does, for `FakeTransport.script`."""
        if argv != ("date", "+%s.%N"):
            return None
        off = self.off.pop(0) if len(self.off) > 1 else self.off[0]
        return Answer(f"{time.time() + off if self.fixed is None else self.fixed:.9f}\n")


@dataclass
class PolledAPI(FakeAPI):
    """An API server that answers each `get` of nodes differently, the last answer for ever.

    Attributes:
        polls: Items, or what is raised instead.
        asked: How often nodes were asked for.
    """

    polls: list[list[dict[str, Any]] | Exception] = field(default_factory=list)
    asked: int = 0

    def get(
        self, kind: str, *, namespace: str = "", selector: str = "", timeout: float = 20.0
    ) -> list[dict[str, Any]]:
        if kind != "nodes" or not self.polls:
            return super().get(kind, namespace=namespace, selector=selector, timeout=timeout)
        self.asked += 1
        answer = self.polls.pop(0) if len(self.polls) > 1 else self.polls[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def node(
    machine: MachinePlan, *, addresses: Sequence[str] = (), ready: str = "True", pods: str = ""
) -> dict[str, Any]:
    """Return a machine's node as the API server has it; by default all is well with it.

    Args:
        machine: Whose node.
        addresses: Its InternalIPs, if they are not as planned.
        ready: Status of its condition Ready; empty for none.
        pods: Its podCIDR.
    """
    network = {"type": "NetworkUnavailable", "status": "False"}
    why = {"reason": "KubeletNotReady", "message": "cni plugin not initialized"}
    ready_condition = {"type": "Ready", "status": ready, **({} if ready == "True" else why)}
    hostname = {"type": "Hostname", "address": machine.name}
    ips = addresses or (machine.address,)
    return {
        "metadata": {"name": machine.name, "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"podCIDR": pods} if pods else {},
        "status": {
            "addresses": [hostname, *({"type": "InternalIP", "address": ip} for ip in ips)],
            "conditions": [network, ready_condition] if ready else [network],
            "nodeInfo": {"kubeletVersion": "v1.20.2"},
        },
    }


def good_nodes(plan: ClusterPlan) -> list[dict[str, Any]]:
    """Return every planned node, Ready."""
    return [node(machine) for machine in plan.machines]


@dataclass
class FakeSite:
    """The parts that phases work with, and what they were made to do.

    Attributes:
        world: Plan, provider and transports.
        network: Records what it is told.
        api: Answers poll by poll.
        reporter: Keeps every event.
        clock: The seconds that pass in waits.
        units: Machine name → its init script.
        clocks: Machine name → its clock.
        forgotten: Machines whose host keys were dropped.
    """

    world: FakeWorld
    reporter: RecordingReporter
    clock: FakeClock
    network: FakeNetwork = field(default_factory=FakeNetwork)
    api: PolledAPI = field(default_factory=PolledAPI)
    units: dict[str, InitUnit] = field(default_factory=dict)
    clocks: dict[str, MachineClock] = field(default_factory=dict)
    forgotten: list[str] = field(default_factory=list)

    @classmethod
    def of(
        cls, state: Path, reporter: RecordingReporter, monkeypatch: pytest.MonkeyPatch
    ) -> FakeSite:
        """Make the walkthrough's site, in which a wait takes no time."""
        made = cls(FakeWorld.of(state), reporter, still_clock(monkeypatch))
        for name, transport in made.transports.items():
            made.units[name] = InitUnit()
            made.clocks[name] = MachineClock()
            transport.script += [made.units[name], made.clocks[name]]
            transport.on("true", answer=Answer())
        return made

    @property
    def plan(self) -> ClusterPlan:
        return self.world.plan

    @property
    def manager(self) -> str:
        return self.plan.manager.name

    @property
    def provider(self) -> FakeProvider:
        return self.world.provider

    @property
    def transports(self) -> dict[str, FakeTransport]:
        return self.world.transports

    @property
    def notices(self) -> list[Notice]:
        return [event for event in self.reporter.events if isinstance(event, Notice)]

    def progress(self, machine: str) -> list[tuple[str, bool]]:
        """Return what was told of a machine: (reason, done), in order."""
        return [
            (event.reason, event.done)
            for event in self.reporter.events
            if isinstance(event, MachineProgress) and event.machine == machine
        ]

    def deadline(self, seconds: float = 60) -> wait.Deadline:
        """Return a deadline by the site's own clock."""
        return wait.Deadline(seconds, clock=self.clock)

    def site(self, plan: ClusterPlan | None = None) -> Site:
        """Return what phases are given."""
        return Site(
            plan=plan or self.plan,
            secrets=SECRETS,
            scripts={name: script_of(name) for name in self.plan.names},
            provider=self.provider,
            network=self.network,
            transport=lambda name: self.transports[name],
            forget=self.forgotten.append,
            api=self.api,
            check_host=lambda: None,
            report=self.reporter.report,
        )


def script_of(name: str) -> str:
    """Return a machine's init script; it holds the token, as real ones do."""
    return f"#!/bin/bash\n# {name}\ntoken={SECRETS.token}\n"


def still_clock(monkeypatch: pytest.MonkeyPatch, clock: FakeClock | None = None) -> FakeClock:
    """Let every wait pass its seconds on a clock of ours, so that no test sleeps."""
    clock = clock or FakeClock()
    for name in ("until", "retry"):
        ours = partial(getattr(wait, name), clock=clock, sleep=clock.sleep)
        monkeypatch.setattr(wait, name, ours)
    return clock
