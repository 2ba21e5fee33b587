"""The ward: what the watch remembers of machines, and what is to be done about each.

Pure: gone and stopped machines are brought back at once, nodes that stay unhealthy are replaced
after a while, each with a pause that doubles and a limit on attempts, so that what cannot be
healed is not made anew for ever (docker/infrakit#331, #677).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.events import Notice
from harness.interfaces import HealthState, MachineState
from harness.spec import Role

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from harness.events import Event
    from harness.interfaces import Health
    from harness.spec import ClusterPlan, MachinePlan

PATIENCE_SECONDS = 60.0
FIRST_PAUSE_SECONDS = 10.0
LONGEST_PAUSE_SECONDS = 300.0
MOST_ATTEMPTS = 5
# A machine that was well for so long starts with a clean record.
RECOVERED_SECONDS = 300.0


def watched(plan: ClusterPlan) -> list[MachinePlan]:
    """Return the machines of groups that were not freed."""
    freed = {group.id for group in plan.groups if not group.watched}
    return [machine for machine in plan.machines if machine.group not in freed]


@dataclass
class Record:
    """What the watch remembers of one machine; seconds are the clock's.

    Attributes:
        unhealthy_since: When it was first found so, of late.
        healthy_since: Likewise.
        attempts: How often it was brought back or replaced without staying well.
        pause_until: When the next attempt may be made.
        told: What was last said of it.
    """

    unhealthy_since: float | None = None
    healthy_since: float | None = None
    attempts: int = 0
    pause_until: float = 0.0
    told: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a pass has to do.

    Attributes:
        gone: Machines to bring back.
        sick: Machines to replace.
        is_due: Whether what is pending is to be tried now.
    """

    gone: frozenset[str]
    sick: frozenset[str]
    is_due: bool

    def __bool__(self) -> bool:
        """Whether there is anything."""
        return bool(self.gone or self.sick or self.is_due)


@dataclass
class Ward:
    """What the watch remembers from pass to pass.

    Attributes:
        clock: Monotonic seconds.
        report: Takes events.
        records: By machine, and by the cluster's name for the whole.
    """

    clock: Callable[[], float]
    report: Callable[[Event], None]
    records: dict[str, Record] = field(default_factory=dict)

    def judge(
        self,
        plan: ClusterPlan,
        states: Mapping[str, MachineState],
        health: Mapping[str, Health],
        *,
        is_pending: bool,
    ) -> Verdict:
        """Decide what is to be done about a cluster.

        Args:
            plan: What is committed.
            states: Of the machines, as far as Vagrant was asked.
            health: Of the machines that are watched, as their flavors judge.
            is_pending: Whether something that was committed has not come about yet.
        """
        gone, sick = set(), set()
        for machine in watched(plan):
            record = self.records.setdefault(machine.name, Record())
            state = states.get(machine.name, MachineState.RUNNING)
            if state is not MachineState.RUNNING:
                if self._may_treat(record, f"{machine.name} is {state}"):
                    gone.add(machine.name)
            elif self._stays_unhealthy(machine, record, health[machine.name]):
                sick.add(machine.name)
        whole = self.records.setdefault(plan.cluster, Record())
        is_due = is_pending and self._may_treat(whole, f"{plan.cluster} is not yet as committed")
        return Verdict(frozenset(gone), frozenset(sick), is_due)

    def treated(self, names: Iterable[str]) -> None:
        """Note that machines, or the cluster, were treated, with whatever success."""
        for name in names:
            record = self.records[name]
            record.attempts += 1
            pause = FIRST_PAUSE_SECONDS * 2 ** (record.attempts - 1)
            record.pause_until = self.clock() + min(pause, LONGEST_PAUSE_SECONDS)
            record.unhealthy_since = record.healthy_since = None

    def _stays_unhealthy(self, machine: MachinePlan, record: Record, health: Health) -> bool:
        now = self.clock()
        if health.state is HealthState.HEALTHY:
            record.unhealthy_since, record.told = None, ""
            record.healthy_since = record.healthy_since or now
            if now - record.healthy_since >= RECOVERED_SECONDS:
                record.attempts = 0
            return False
        record.healthy_since = None
        if health.state is HealthState.UNKNOWN:
            record.unhealthy_since = None
            self._tell(record, f"{machine.name}: not known to be well: {health.reason}")
            return False
        record.unhealthy_since = record.unhealthy_since or now
        if now - record.unhealthy_since < PATIENCE_SECONDS:
            self._tell(record, f"{machine.name} is unhealthy: {health.reason}")
            return False
        if machine.role is Role.MANAGER:
            self._tell(
                record,
                f"{machine.name}, the only control plane, stays unhealthy ({health.reason}); it "
                "is not replaced, for all that is in the cluster would be lost",
            )
            return False
        return self._may_treat(record, f"{machine.name} stays unhealthy: {health.reason}")

    def _may_treat(self, record: Record, why: str) -> bool:
        if record.attempts >= MOST_ATTEMPTS:
            self._tell(
                record,
                f"{why}; given up after {MOST_ATTEMPTS} attempts: `harness logs` "
                "collects what there is to know, `harness up` tries again",
            )
            return False
        if self.clock() < record.pause_until:
            return False
        attempt = f"attempt {record.attempts + 1} of {MOST_ATTEMPTS}"
        self._tell(record, f"{why}; healing, {attempt}")
        return True

    def _tell(self, record: Record, message: str) -> None:
        if record.told != message:
            self.report(Notice(message, level="warning"))
        record.told = message
