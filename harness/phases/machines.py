"""machines: every planned machine runs and lets us in with the cluster's own key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.events import MachineProgress
from harness.interfaces import MachineState
from harness.phases.base import Phase

if TYPE_CHECKING:
    from harness.phases.base import Site
    from harness.spec import MachinePlan
    from harness.wait import Deadline

NAME = "machines"
LOGIN_SECONDS = 60.0


def _run(site: Site, deadline: Deadline) -> str:
    site.network.create()
    states = site.provider.machines(timeout=deadline.remaining)
    missing = [name for name in site.plan.names if states[name] is not MachineState.RUNNING]
    absent = [name for name in missing if states[name] is MachineState.ABSENT]
    # Interrupted between making a machine and recording it, Vagrant would trip over it now.
    site.network.discard(absent)
    for name in absent:
        site.forget(name)

    def on_line(machine: str, line: str) -> None:
        if machine in site.plan.names:
            site.report(MachineProgress(machine, NAME, line.strip()))

    site.provider.up(missing, timeout=deadline.remaining, on_line=on_line)

    def log_in(machine: MachinePlan) -> None:
        site.transport(machine.name).run(["true"], timeout=LOGIN_SECONDS).check()

    site.on_all(site.plan.machines, NAME, log_in)
    if not missing:
        return "already running"
    return f"{len(missing)} brought up"


PHASE = Phase(NAME, timeout_seconds=1200, run=_run)
