"""Reconciling: what it takes to get from the machines of a group to those that are asked for.

Pure, and in upstream's words (docker/infrakit `pkg/controller/group`, scaler.go, quorum.go).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from harness.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from harness.spec import ClusterPlan, MachinePlan


class Action(StrEnum):
    """What becomes of one machine."""

    CREATE = "create"
    REPLACE = "replace"
    DESTROY = "destroy"

    @property
    def removes(self) -> bool:
        """Whether a machine goes."""
        return self is not Action.CREATE


@dataclass(frozen=True, slots=True)
class Step:
    """One action on one machine, by its name.

    Attributes:
        action: What becomes of it.
        machine: Its name.
        is_sick: Whether it goes because it is not well; then nothing waits for its pods.
    """

    action: Action
    machine: str
    is_sick: bool = False


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
    before = observed.members if observed else lambda _group: ()
    known = {group.id for group in (observed.groups if observed else ()) if group.watched}
    return {
        group.id: reconcile(
            desired.members(group.id), before(group.id), is_new=group.id not in known
        )
        for group in desired.groups
        if group.watched
    }


def steps(
    desired: ClusterPlan, observed: ClusterPlan | None, sick: Collection[str] = ()
) -> tuple[Step, ...]:
    """Return all that it takes to get a cluster to its plan, in order.

    Args:
        desired: What shall be.
        observed: What was recorded; a group that `desired` does not have any more goes.
        sick: Machines to replace although nothing of them has changed.

    Raises:
        UsageError: If a group with LogicalIDs would have others.
    """
    gone = [
        Step(Action.DESTROY, machine.name)
        for machine in reversed(observed.machines if observed else ())
        if machine.group not in {group.id for group in desired.groups}
    ]
    found = [step for change in changes(desired, observed).values() for step in change.steps]
    known = {step.machine for step in found}
    replaced = [Step(Action.REPLACE, name, is_sick=True) for name in sick if name not in known]
    return (*gone, *found, *replaced)


def union(desired: ClusterPlan, observed: ClusterPlan | None) -> ClusterPlan:
    """Return a plan with everything that is there or will be, as it is now where it is there."""
    there = {machine.name: machine for machine in (observed.machines if observed else ())}
    names = {machine.name: machine for machine in desired.machines} | there
    return desired.of(names.values())


def pinned(
    desired: ClusterPlan, committed: ClusterPlan | None, fresh: Collection[str]
) -> ClusterPlan:
    """Return the plan in which groups are made of what they were committed with.

    Args:
        desired: With fingerprints of what templates say now.
        committed: The plan that was committed last; None if none was.
        fresh: IDs of the groups that are committed now, which take what is new.
    """
    made_of = {
        (machine.group, machine.role): machine.fingerprint
        for machine in (committed.machines if committed else ())
        if machine.group not in fresh
    }
    return desired.of(
        replace(one, fingerprint=made_of.get((one.group, one.role), one.fingerprint))
        for one in desired.machines
    )


def leave(
    desired: ClusterPlan, observed: ClusterPlan | None, freed: Collection[str]
) -> ClusterPlan:
    """Return the plan in which the machines of freed groups are what they are."""
    there = [
        machine for machine in (observed.machines if observed else ()) if machine.group in freed
    ]
    kept = [machine for machine in desired.machines if machine.group not in freed]
    groups = tuple(replace(group, watched=group.id not in freed) for group in desired.groups)
    return replace(desired.of((*kept, *there)), groups=groups)


def reconcile(
    desired: Sequence[MachinePlan], observed: Sequence[MachinePlan], *, is_new: bool = False
) -> Change:
    """Return what it takes to get from the observed machines of a group to the desired ones.

    A machine has changed if its fingerprint has: its properties, or the content of what its
    script is made from.

    Args:
        desired: Machines of one group.
        observed: Machines of the same group that were committed before.
        is_new: Whether the group was never committed before.

    Raises:
        UsageError: If a group with LogicalIDs would have others.
    """
    known = {machine.name: machine for machine in observed}
    wanted = {machine.name for machine in desired}
    added = [Step(Action.CREATE, one.name) for one in desired if one.name not in known]
    # The highest index first: what was added last goes first.
    by_age = sorted(observed, key=lambda machine: machine.index, reverse=True)
    removed = [Step(Action.DESTROY, one.name) for one in by_age if one.name not in wanted]
    if observed and (added or removed) and not all(one.sized for one in (*desired, *observed)):
        raise UsageError(
            "Logical ID changes to a quorum is not currently supported "
            f"(group `{(*desired, *observed)[0].group}`).",
            hint="Give the group its LogicalIDs back, or another ID.",
        )
    rolled = [
        Step(Action.REPLACE, one.name)
        for one in desired
        if one.name in known and one.fingerprint != known[one.name].fingerprint
    ]
    text = _text(len(desired), len(added), len(removed), len(rolled))
    if is_new:
        text = f"Managing {len(desired)} instances"
    return Change(text, (*removed, *rolled, *added))


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
