"""Reconciling: what it takes to get from the machines of a group to those that are asked for.

Pure, and in upstream's words (docker/infrakit `pkg/controller/group`, scaler.go, quorum.go).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from harness.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.spec import ClusterPlan, MachinePlan


class Action(StrEnum):
    """What becomes of one machine."""

    CREATE = "create"
    REPLACE = "replace"
    DESTROY = "destroy"


@dataclass(frozen=True, slots=True)
class Step:
    """One action on one machine, by its name."""

    action: Action
    machine: str


@dataclass(frozen=True, slots=True)
class Change:
    """What committing a group involves.

    Attributes:
        text: In upstream's words.
        steps: In order; a rolling update replaces one machine at a time.
    """

    text: str
    steps: tuple[Step, ...]


def changes(desired: ClusterPlan, observed: ClusterPlan | None) -> dict[str, Change]:
    """Return what committing each group of a cluster involves, by group ID.

    Raises:
        UsageError: If a group with LogicalIDs would have others.
    """
    return {
        group: reconcile(_members(desired, group), _members(observed, group))
        for group in dict.fromkeys(machine.group for machine in desired.machines)
    }


def reconcile(desired: Sequence[MachinePlan], observed: Sequence[MachinePlan]) -> Change:
    """Return what it takes to get from the observed machines of a group to the desired ones.

    A machine has changed if its fingerprint has: its properties, or the content of what its
    script is made from.

    Args:
        desired: Machines of one group; at least one.
        observed: Machines of the same group that were committed before; none for a new group.

    Raises:
        UsageError: If a group with LogicalIDs would have others.
    """
    known = {machine.name: machine for machine in observed}
    wanted = {machine.name for machine in desired}
    added = [Step(Action.CREATE, one.name) for one in desired if one.name not in known]
    if not observed:
        return Change(f"Managing {len(desired)} instances", tuple(added))
    # The highest index first: what was added last goes first.
    by_age = sorted(observed, key=lambda machine: machine.index, reverse=True)
    removed = [Step(Action.DESTROY, one.name) for one in by_age if one.name not in wanted]
    if (added or removed) and not all(one.sized for one in (*desired, *observed)):
        raise UsageError(
            "Logical ID changes to a quorum is not currently supported "
            f"(group `{desired[0].group}`).",
            hint="Give the group its LogicalIDs back, or another ID.",
        )
    rolled = [
        Step(Action.REPLACE, one.name)
        for one in desired
        if one.name in known and one.fingerprint != known[one.name].fingerprint
    ]
    text = _text(len(desired), len(added), len(removed), len(rolled))
    return Change(text, (*removed, *rolled, *added))


def _members(plan: ClusterPlan | None, group: str) -> list[MachinePlan]:
    return [machine for machine in plan.machines if machine.group == group] if plan else []


def _text(size: int, added: int, removed: int, rolled: int) -> str:
    phrases = []
    if removed:
        phrases.append(f"terminating {removed} instances to reduce the group size to {size}")
    if rolled:
        phrases.append(f"performing a rolling update on {rolled} instances")
    if added:
        phrases.append(f"adding {added} instances to increase the group size to {size}")
    text = ", then ".join(phrases) or "noop"
    return text[0].upper() + text[1:]
