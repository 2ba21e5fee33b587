"""Selectors: which machines of a cluster a command means."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.spec import Role

if TYPE_CHECKING:
    from harness.spec import ClusterPlan

HELP = "A machine's name, or @managers, @workers, @all."


def select(plan: ClusterPlan, selector: str) -> tuple[str, ...]:
    """Return the names of the machines that are meant, as the plan orders them.

    Raises:
        UsageError: If there is no such machine.
    """
    roles = {
        "@managers": {Role.MANAGER},
        "@workers": {Role.WORKER},
        "@all": {Role.MANAGER, Role.WORKER},
    }.get(selector)
    if roles is None:
        return (plan.machine(selector).name,)
    return tuple(machine.name for machine in plan.machines if machine.role in roles)
