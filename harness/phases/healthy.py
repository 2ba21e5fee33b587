"""healthy: the machines of a rolling update that are made anew are, and stay, healthy."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from harness import flavors, wait
from harness.errors import NotReadyError
from harness.events import MachineProgress
from harness.interfaces import HealthState
from harness.phases import diagnosis
from harness.phases.base import Phase
from harness.snapshot import Snapshot

if TYPE_CHECKING:
    from harness.phases.base import Site
    from harness.spec import GroupPlan
    from harness.wait import Deadline

NAME = "healthy"
INTERVAL_SECONDS = 1.0
PATIENCE_SECONDS = 120.0


def phase(group: GroupPlan) -> Phase:
    """Return the gate between two machines of a group: `Updating` says when it opens."""
    looks = max(group.healthy_count, 1 + math.ceil(group.healthy_seconds / INTERVAL_SECONDS))
    seconds = PATIENCE_SECONDS + 2 * looks * INTERVAL_SECONDS
    return Phase(NAME, seconds, lambda site, deadline: _run(site, deadline, looks), _diagnose)


def why_not(site: Site) -> dict[str, str]:
    """Say why machines are not healthy, as their flavors judge; empty if all are."""
    api = Snapshot(site.api)
    found = {machine.name: flavors.healthy(machine, api) for machine in site.plan.machines}
    return {
        name: f"{health.state}: {health.reason}"
        for name, health in found.items()
        if health.state is not HealthState.HEALTHY
    }


def _run(site: Site, deadline: Deadline, looks: int) -> str:
    in_a_row = 0

    def condition() -> str | None:
        nonlocal in_a_row
        reasons = why_not(site)
        for machine in site.plan.names:
            site.report(MachineProgress(machine, NAME, reasons.get(machine, "")))
        in_a_row = 0 if reasons else in_a_row + 1
        if reasons:
            return "; ".join(f"{name} is {reason}" for name, reason in reasons.items())
        return None if in_a_row >= looks else f"healthy {in_a_row} times in a row of {looks}"

    try:
        wait.until(
            condition,
            timeout=deadline.remaining,
            interval=INTERVAL_SECONDS,
            what=f"{', '.join(site.plan.names)} healthy",
        )
    except wait.WaitTimeout as error:
        raise NotReadyError(
            error.message,
            hint="The update stopped here; the machines that follow are as they were.",
        ) from error
    return f"{looks} times in a row"


def _diagnose(site: Site) -> str:
    return diagnosis.of_machines(site, site.plan.machines)
