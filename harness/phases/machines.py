"""machines: every planned machine runs, lets us in, and has begun its init script.

A machine does not wait for its neighbours: its script begins as soon as Vagrant has put
the cluster's key in place, while other machines may still be booting.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from harness import wait
from harness.errors import CommandError, LoginRefusedError, TransportError
from harness.events import MachineProgress, Notice
from harness.interfaces import MachineState
from harness.phases import clocks, diagnosis, script
from harness.phases.base import Phase

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from harness.phases.base import Site
    from harness.spec import MachinePlan
    from harness.wait import Deadline

NAME = "machines"
LOGIN_SECONDS = 60.0
KUBECTL_SECONDS = 30.0
TICK_SECONDS = 0.1
VAGRANT_END_SECONDS = 30.0
# What the Vagrantfile's provisioner says when it is done (Vagrantfile.j2).
KEY_IN_PLACE = "harness: the cluster's key is in place"


def _run(site: Site, deadline: Deadline) -> str:
    site.network.create()
    states = site.provider.machines(timeout=deadline.remaining)
    missing = [name for name in site.plan.names if states[name] is not MachineState.RUNNING]
    absent = [name for name in missing if states[name] is MachineState.ABSENT]
    # Interrupted between making a machine and recording it, Vagrant would trip over it now.
    site.network.discard(absent)
    for name in absent:
        site.forget(name)
    if absent and site.plan.manager.name not in missing:
        _forget_nodes(site, absent)
    _bring_up(site, missing, deadline)
    return f"{len(missing)} brought up" if missing else "already running"


def _forget_nodes(site: Site, names: list[str]) -> None:
    """Delete the nodes of machines that went behind our back, or kubeadm would refuse new ones.

    A node whose machine is gone stays Ready for 40 s, and nobody may join under its name.
    """
    argv = ["delete", "node", *names, "--ignore-not-found"]
    try:
        site.api.kubectl(argv, timeout=KUBECTL_SECONDS).check()
    except (CommandError, TransportError) as error:
        # Not yet a cluster, or its API server does not answer: `init` will say so.
        site.report(Notice(f"No node was deleted: {error.message}", level="debug"))


def _bring_up(site: Site, missing: list[str], deadline: Deadline) -> None:
    """Run Vagrant, and beside it a thread for each machine that takes it from there."""
    doors = _Doors(site.plan.names, closed=missing)

    def on_line(machine: str, line: str) -> None:
        if machine in site.plan.names:
            site.report(MachineProgress(machine, NAME, line.strip()))
            if KEY_IN_PLACE in line:
                doors.open(machine)

    def vagrant() -> None:
        with doors.opened_at_the_end():
            site.provider.up(missing, timeout=deadline.remaining, on_line=on_line)

    def begin(machine: MachinePlan) -> None:
        wait.until(
            lambda: doors.why_closed(machine.name),
            # Vagrant has the time limit: it is stopped then, and how it ended is told once.
            timeout=deadline.remaining + VAGRANT_END_SECONDS,
            interval=TICK_SECONDS,
            what=f"{machine.name} up",
        )
        try:
            site.transport(machine.name).run(["true"], timeout=LOGIN_SECONDS).check()
        except LoginRefusedError:
            # It booted, and whoever brought it up was stopped before the keys were exchanged.
            site.provider.provision([machine.name], timeout=deadline.remaining, on_line=on_line)
            site.transport(machine.name).run(["true"], timeout=LOGIN_SECONDS).check()
        clocks.check(site, machine, phase=NAME, deadline=deadline)
        script.start(site, machine)

    site.on_all(site.plan.machines, NAME, begin, beside=vagrant)


class _Doors:
    """Which machines let us in by now; threads of one phase share it."""

    def __init__(self, names: Iterable[str], *, closed: Iterable[str]) -> None:
        self._names = frozenset(names)
        self._open = set(self._names.difference(closed))
        self._failure: Exception | None = None

    def open(self, name: str) -> None:
        """Note that a machine lets us in."""
        self._open.add(name)

    @contextlib.contextmanager
    def opened_at_the_end(self) -> Iterator[None]:
        """Open what is still closed when the block ends, or keep why it failed."""
        try:
            yield
        except Exception as error:
            self._failure = error
            raise
        self._open |= self._names

    def why_closed(self, name: str) -> str | None:
        """Be the condition of a wait: nothing waits for machines that will not come.

        Raises:
            Exception: The very one that ended Vagrant.
        """
        if name in self._open:
            return None
        if self._failure:
            raise self._failure
        return "Vagrant is not done with it"


def _diagnose(site: Site) -> str:
    """Ask which machines do not run, and those that do and have not begun."""
    return diagnosis.of_running(site, is_meant=script.is_idle)


PHASE = Phase(NAME, timeout_seconds=1200, run=_run, diagnose=_diagnose)
