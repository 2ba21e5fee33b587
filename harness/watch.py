"""Watch: keeps the committed groups as committed, one pass after the other.

What a pass decides is the ward's business (`harness.ward`); what it takes, the one engine's
(`harness.convergence`).
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from harness import flavors, reconcile, wait
from harness.convergence import converge
from harness.errors import ClusterHeldError, HarnessError, InterruptedRunError, UsageError
from harness.events import Notice
from harness.interfaces import HealthState, MachineState
from harness.snapshot import Snapshot
from harness.ward import Ward, watched

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from harness.cluster import Cluster
    from harness.interfaces import Health, Reporter
    from harness.spec import ClusterPlan

INTERVAL_SECONDS = 5.0
STATES_SECONDS = 30.0
# Nodes tell within 40 s that a machine is gone; Vagrant, which takes 2 s of a processor, is
# asked then, and now and again.
VAGRANT_SECONDS = 60.0


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
        self._heals = False
        self._told = ""

    def run(self) -> None:
        """Look again and again, until it is interrupted, or all is removed.

        Raises:
            KeyboardInterrupt, InterruptedRunError: If a healing was interrupted.
        """
        try:
            while self._look_and_tell():
                self._pause(INTERVAL_SECONDS)
        except (KeyboardInterrupt, InterruptedRunError):
            if self._heals:
                raise

    def _look_and_tell(self) -> bool:
        """Look, and tell what went wrong; return whether anything is left to watch."""
        try:
            self.look()
        except InterruptedRunError:
            raise
        except ClusterHeldError:
            return True  # somebody else works on it; the next look sees what came of it
        except UsageError as error:
            self._reporter.report(Notice(f"Nothing is left to watch: {error.message}"))
            return False
        except HarnessError as error:
            if error.message != self._told:
                self._reporter.report(Notice(error.message, level="error"))
            self._told = error.message
        else:
            self._told = ""
        return True

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
        self._was_well, self._heals = False, True
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
        self._heals = False
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
