"""Watch: keeps the committed groups as committed, one pass after the other.

What a pass decides is pure (`Ward.judge`): gone and stopped machines are brought back at once,
nodes that stay unhealthy are replaced after a while, each with a pause that doubles and a
limit on attempts, so that what cannot be healed is not made anew for ever
(docker/infrakit#331, #677).
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness import flavors, reconcile, wait
from harness.convergence import converge
from harness.errors import ClusterHeldError, HarnessError, InterruptedRunError, UsageError
from harness.events import Notice
from harness.interfaces import Health, HealthState, MachineState
from harness.snapshot import Snapshot
from harness.spec import Role

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from harness.cluster import Cluster
    from harness.events import Event
    from harness.interfaces import Reporter
    from harness.spec import ClusterPlan, MachinePlan

INTERVAL_SECONDS = 5.0
STATES_SECONDS = 30.0
# Nodes tell within 40 s that a machine is gone; Vagrant, which takes 2 s of a processor, is
# asked then, and now and again.
VAGRANT_SECONDS = 60.0
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


class Watch:
    """Looks after one cluster.

    Args:
        cluster: Returns the cluster as it is committed now.
        reporter: Takes events.
        timeout: Seconds for each healing.
        clock: Monotonic seconds.
        pause: Lets seconds pass between two looks.
    """

    def __init__(
        self,
        cluster: Callable[[], Cluster],
        reporter: Reporter,
        *,
        timeout: float,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = wait.pause,
    ) -> None:
        self._cluster = cluster
        self._reporter = reporter
        self._timeout = timeout
        self._clock = clock
        self._pause = pause
        self._ward = Ward(clock, reporter.report)
        self._vagrant_asked = clock() - VAGRANT_SECONDS
        self._was_well = False

    def run(self) -> None:
        """Look again and again, until it is interrupted between two looks, or all is removed.

        Raises:
            InterruptedRunError: If a healing was interrupted.
        """
        told = ""
        while True:
            try:
                self.look()
                told = ""
            except InterruptedRunError:
                raise
            except ClusterHeldError:
                pass  # somebody else works on it; the next look sees what came of it
            except UsageError as error:
                self._reporter.report(Notice(f"Nothing is left to watch: {error.message}"))
                return
            except HarnessError as error:
                if error.message != told:
                    self._reporter.report(Notice(error.message, level="error"))
                told = error.message
            try:
                self._pause(INTERVAL_SECONDS)
            except KeyboardInterrupt:
                return

    def look(self) -> bool:
        """Make one pass under the cluster's lock; return whether anything was done.

        Raises:
            ClusterHeldError: If another harness works on the cluster.
            UsageError: If nothing is committed any more.
            InterruptedRunError: If a healing was interrupted.
        """
        cluster = self._cluster()
        try:
            with cluster.workspace.hold("watch"):
                return self._look(cluster)
        finally:
            cluster.close()

    def _look(self, cluster: Cluster) -> bool:
        plan, api = cluster.plan, Snapshot(cluster.api)
        health = {machine.name: flavors.healthy(machine, api) for machine in watched(plan)}
        steps = reconcile.steps(plan, cluster.recorded)
        is_pending = bool(steps) or not cluster.workspace.completed
        states = self._states(cluster, health)
        verdict = self._ward.judge(plan, states, health, is_pending=is_pending)
        if not verdict:
            self._tell(plan, is_well=_are_well(health) and not is_pending)
            return False
        self._was_well = False
        try:
            converge(cluster, self._reporter, timeout=self._timeout, sick=sorted(verdict.sick))
        except InterruptedRunError:
            raise
        except (HarnessError, ExceptionGroup) as error:
            self._reporter.report(Notice(f"Not healed: {error}", level="error"))
            self._ward.treated([plan.cluster])
        else:
            self._ward.records.pop(plan.cluster)
            self._tell(plan, is_well=True)
        self._ward.treated(verdict.gone | verdict.sick)
        return True

    def _tell(self, plan: ClusterPlan, *, is_well: bool) -> None:
        """Say that all is well, if it was not at the last look, or there was none."""
        if is_well and not self._was_well:
            self._reporter.report(Notice(f"{plan.cluster} is as committed."))
        self._was_well = is_well

    def _states(self, cluster: Cluster, health: Mapping[str, Health]) -> Mapping[str, MachineState]:
        """Ask Vagrant, if a node is not well or it has not been asked for long."""
        now = self._clock()
        if _are_well(health) and now - self._vagrant_asked < VAGRANT_SECONDS:
            return {}
        self._vagrant_asked = now
        cluster.network.create()  # Vagrant runs inside it
        return cluster.provider.machines(timeout=STATES_SECONDS)


def _are_well(health: Mapping[str, Health]) -> bool:
    return all(one.state is HealthState.HEALTHY for one in health.values())
