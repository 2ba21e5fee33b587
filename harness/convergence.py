"""Convergence: the one engine behind `up`, commits, scaling, rolling updates and healing.

Gets a cluster from what is recorded of it to its plan, by the steps that `reconcile` returns:
machines that go are drained first, machines that change are replaced one at a time, and in
the end every phase of bring-up finds or makes what the plan has.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harness import commitments, guards, reconcile, render
from harness.errors import ClusterHeldError, HarnessError, InterruptedRunError
from harness.events import Notice
from harness.phases import SEQUENCE, destroy, drain, healthy, init, machines, preflight, verify
from harness.phases.base import Site
from harness.reconcile import Action
from harness.spec import Role
from harness.stopwatch import Stopwatch
from harness.wait import Deadline

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from harness.cluster import Cluster
    from harness.interfaces import Reporter
    from harness.phases.base import Phase
    from harness.reconcile import Step
    from harness.spec import ClusterPlan, MachinePlan

ANSWER_SECONDS = 5.0


def converge(
    cluster: Cluster,
    reporter: Reporter,
    *,
    timeout: float,
    force: bool = False,
    sick: Collection[str] = (),
    phases: Sequence[Phase] = SEQUENCE,
) -> None:
    """Make a cluster as it is planned, from wherever it is.

    What shall be is recorded before anything is made, and what goes is forgotten only once it
    is gone; so whoever runs this again after an interruption goes on.

    Args:
        cluster: With the plan that shall be.
        reporter: Takes events.
        timeout: Seconds for the whole run.
        force: Whether the only control plane may be destroyed.
        sick: Machines to replace although their plan has not changed.
        phases: Of bring-up.

    Raises:
        UsageError: If it would have to destroy the control plane, or to forget machines;
            nothing was done then.
        HarnessError, ExceptionGroup: What the first failing phase raised; machines are kept.
    """
    steps = reconcile.steps(cluster.plan, cluster.recorded, sick)
    run = _begin(cluster, reporter, Deadline(timeout), steps, force=force)
    if cluster.workspace.was_ready:
        run.change(steps, phases)
    else:
        run.start_over(steps)
    run.bring_up(phases)
    run.record(cluster.plan)
    cluster.workspace.mark_completed()


def commit(cluster: Cluster, reporter: Reporter) -> None:
    """Record what shall be and leave the rest to whoever converges next, such as `watch`.

    Raises:
        UsageError: As `converge` does.
    """
    steps = reconcile.steps(cluster.plan, cluster.recorded)
    _begin(cluster, reporter, Deadline(0), steps, force=False)


def _begin(
    cluster: Cluster,
    reporter: Reporter,
    deadline: Deadline,
    steps: Iterable[Step],
    *,
    force: bool,
) -> _Run:
    """Refuse what must not be, then record what will be."""
    desired, observed = cluster.plan, cluster.workspace.load_plan()
    if observed != cluster.recorded:
        raise ClusterHeldError(
            f"Cluster `{desired.cluster}` was changed by another harness meanwhile.",
            hint="Run the command again: it will see what is there now.",
        )
    guards.refuse_another_provider(observed, desired)
    if cluster.workspace.was_ready:
        lost = guards.control_plane(observed or desired, steps, force=force)
        if lost:
            reporter.report(Notice(lost, level="warning"))
    run = _Run.of(cluster, reporter, deadline, observed)
    commitments.save(cluster.workspace, cluster.commitments)
    cluster.workspace.save_committed(desired)
    return run


def _watched(plan: ClusterPlan) -> list[MachinePlan]:
    """Return the machines of groups that were not freed, and the manager in any case."""
    freed = {group.id for group in plan.groups if not group.watched}
    return [one for one in plan.machines if _is_manager(one) or one.group not in freed]


def _is_manager(machine: MachinePlan) -> bool:
    return machine.role is Role.MANAGER


@dataclass
class _Run:
    """One convergence.

    Attributes:
        cluster: With the plan that shall be.
        plan: What there is now, and what is being made: a machine that goes stands in it until
            it is gone.
        site: Of the plan that shall be.
        stopwatch: Runs phases.
        deadline: Of the whole run.
        resumes: Whether a run before this one did not come to its end.
    """

    cluster: Cluster
    plan: ClusterPlan
    site: Site
    stopwatch: Stopwatch
    deadline: Deadline
    resumes: bool

    @classmethod
    def of(
        cls,
        cluster: Cluster,
        reporter: Reporter,
        deadline: Deadline,
        observed: ClusterPlan | None,
    ) -> _Run:
        """Render everything that can fail, and record what there will be at most."""
        desired, secrets = cluster.plan, cluster.workspace.secrets()
        site = Site(
            plan=desired,
            secrets=secrets,
            scripts={
                machine.name: render.init_script(desired, machine, secrets, cluster.world)
                for machine in _watched(desired)
            },
            provider=cluster.provider,
            network=cluster.network,
            transport=cluster.transport,
            forget=cluster.forget,
            api=cluster.api,
            check_host=cluster.check_host,
            report=reporter.report,
        )
        stopwatch = Stopwatch(reporter.report, cluster.workspace.save_timings)
        resumes = not cluster.workspace.completed
        made = cls(cluster, desired, site, stopwatch, deadline, resumes)
        made.record(reconcile.union(desired, observed))
        return made

    def record(self, plan: ClusterPlan) -> None:
        """Write down what there is, before it is made or after it is gone."""
        self.plan = plan
        self.cluster.workspace.save_plan(
            plan,
            vagrantfile=self.cluster.vagrantfile(plan, self.site.secrets),
            content_hash=render.content_hash(plan, self.cluster.world),
        )

    def start_over(self, steps: Iterable[Step]) -> None:
        """Remove what changed where no cluster was ever Ready: nothing runs on it."""
        going = [self.plan.machine(step.machine) for step in steps if step.action.removes]
        if going:
            self._run(destroy.MACHINES_ALONE, self._only(*going))
        self.record(self.cluster.plan)

    def change(self, steps: Iterable[Step], phases: Sequence[Phase]) -> None:
        """Remove and replace machines of a cluster that is in use, one at a time."""
        going = [step for step in steps if step.action.removes]
        if going:
            self._reach_control_plane()
        if self.resumes:
            self._finish(going, phases)
        for step in going:
            machine = self.plan.machine(step.machine)
            if step.action is Action.DESTROY:
                self._terminate(machine)
            else:
                self._replace(machine, phases, is_sick=step.is_sick)

    def bring_up(self, phases: Sequence[Phase]) -> None:
        """Run every phase on what is watched; what was freed is left as it is."""
        site = self._only(*_watched(self.cluster.plan))
        for phase in phases:
            self._run(phase, site)

    def _reach_control_plane(self) -> None:
        """Have an API server that answers: nothing is taken from a cluster that is not there."""
        try:
            self.cluster.api.get("nodes", timeout=ANSWER_SECONDS)
        except InterruptedRunError:
            raise
        except HarnessError:
            site = self._only(self.plan.manager)
            for phase in (preflight.PHASE, machines.PHASE, init.PHASE):
                self._run(phase, site)

    def _finish(self, going: Iterable[Step], phases: Sequence[Phase]) -> None:
        """Bring up what an interrupted update left half-made, before it takes the next machine."""
        groups = {
            self.plan.machine(step.machine).group
            for step in going
            if step.action is Action.REPLACE and not step.is_sick
        }
        if begun := [machine for group in sorted(groups) for machine in self._updated(group)]:
            self._bring_up_some(begun, phases)

    def _bring_up_some(self, chosen: Iterable[MachinePlan], phases: Sequence[Phase]) -> None:
        site = self._only(self.plan.manager, *chosen)
        for phase in phases:
            if phase not in {preflight.PHASE, verify.PHASE}:
                self._run(phase, site)

    def _terminate(self, machine: MachinePlan) -> None:
        site = self._only(machine)
        try:
            self._run(drain.PHASE, site)
        except InterruptedRunError:
            raise
        except HarnessError as error:
            # As upstream has it: who asks for fewer machines gets them, drained or not.
            self.site.report(Notice(f"Not drained: {error.message}", level="warning"))
        self._run(destroy.PHASE, site)

    def _replace(self, machine: MachinePlan, phases: Sequence[Phase], *, is_sick: bool) -> None:
        """Replace one machine; an error leaves those after it as they were."""
        site = self._only(machine)
        group = next(one for one in self.cluster.plan.groups if one.id == machine.group)
        if _is_manager(machine):
            self._run(destroy.MACHINES_ALONE, site)
        else:
            if group.drains and not is_sick:
                self._run(drain.PHASE, site)
            self._run(destroy.PHASE, site)
        new = self.cluster.plan.machine(machine.name)
        others = [one for one in self.plan.machines if one.name != new.name]
        self.record(self.plan.of((*others, new)))
        self._bring_up_some([new], phases)
        judged = [new] if is_sick else self._updated(group.id)
        self._run(healthy.phase(group), self._only(*judged))

    def _updated(self, group: str) -> list[MachinePlan]:
        """Return the machines of a group that were there before and are as they shall be."""
        made_of = {machine.name: machine.fingerprint for machine in self.cluster.plan.machines}
        before = self.cluster.recorded.names if self.cluster.recorded else ()
        return [
            one
            for one in self.plan.members(group)
            if one.name in before and made_of.get(one.name) == one.fingerprint
        ]

    def _only(self, *chosen: MachinePlan) -> Site:
        """Return a site for these machines, whether they are to stay or to go."""
        unique = {machine.name: machine for machine in chosen}
        others = frozenset({*self.plan.names, *self.cluster.plan.names}.difference(unique))
        return replace(self.site, plan=self.plan.of(unique.values()), others=others)

    def _run(self, phase: Phase, site: Site) -> None:
        self.stopwatch.run(phase, site, self.deadline)
