"""Machines and nodes in memory, which the engine changes: upstream's `testplugin.go`, for ours.

Bringing up is one phase here; draining, destroying and the gate of a rolling update are the
real ones.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from harness import pki, render
from harness.convergence import converge
from harness.interfaces import MachineState
from harness.phases.base import Phase
from tests.fake_cluster import FakeWorld
from tests.fake_site import node, still_clock
from tests.fakes import RecordingReporter
from tests.samples import cluster_plan

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pytest

    from harness.cluster import Cluster
    from harness.interfaces import Reporter
    from harness.phases.base import Site
    from harness.spec import ClusterPlan
    from harness.wait import Deadline

WORKERS = "kubernetes-workers"
MAKERS = {name: functools.cache(make) for name, make in pki.MAKERS.items()}


def plan_of(
    workers: int,
    made_of: str = "old",
    *,
    manager_of: str = "old",
    drains: bool = True,
    looks: int = 1,
) -> ClusterPlan:
    """Return a plan of one manager and so many workers.

    Args:
        workers: How many.
        made_of: Their fingerprint.
        manager_of: The manager's.
        drains: Whether a rolling update of them drains.
        looks: How often in a row a new one must be found healthy.
    """
    plan = cluster_plan()
    model = plan.workers[0]
    made = [replace(plan.manager, fingerprint=manager_of)]
    for index in range(workers):
        address = f"192.168.2.{index + 2}"
        made.append(
            replace(model, name=f"ip-{address}", address=address, index=index, fingerprint=made_of)
        )
    managers, own = plan.groups
    groups = [managers, replace(own, drains=drains, healthy_count=looks)]
    return replace(plan.of(made), groups=tuple(groups))


@dataclass
class Estate:
    """One cluster in memory.

    Attributes:
        world: Workspace, provider, API server.
        reporter: Keeps every event.
        made: (name, fingerprint) of every machine that was made, in order.
        most_missing: How many of the machines that were there before were missing at once.
        fails: Names of machines that cannot be made.
    """

    world: FakeWorld
    reporter: RecordingReporter = field(default_factory=RecordingReporter)
    made: list[tuple[str, str]] = field(default_factory=list)
    fails: dict[str, BaseException] = field(default_factory=dict)

    @classmethod
    def of(cls, state: Path, monkeypatch: pytest.MonkeyPatch) -> Estate:
        """Make an estate with nothing in it, in which waiting takes no time."""
        still_clock(monkeypatch)
        # Keys take longer to make than all the rest; these are as good for every test.
        monkeypatch.setattr(pki, "MAKERS", MAKERS)
        made = cls(FakeWorld.of(state))
        made.world.provider.states.clear()
        return made

    @property
    def nodes(self) -> list[str]:
        """Names of the nodes, sorted."""
        return sorted(item["metadata"]["name"] for item in self.world.api.items["nodes"])

    @property
    def machines(self) -> list[str]:
        """Names of the machines that exist, sorted."""
        states = self.world.provider.states
        return sorted(name for name in states if states[name] is not MachineState.ABSENT)

    @property
    def drained(self) -> list[str]:
        """Nodes that were drained, in order."""
        return [words[1] for words in self.world.api.calls if words[0] == "drain"]

    @property
    def destroyed(self) -> list[str]:
        """Machines that were destroyed, in order."""
        calls = self.world.provider.calls
        return [name for kind, names in calls if kind == "destroy" for name in names]

    @property
    def recorded(self) -> ClusterPlan:
        """What is on disk."""
        plan = self.world.workspace.load_plan()
        assert plan is not None
        return plan

    def is_recorded(self, plan: ClusterPlan) -> bool:
        """Whether that, and nothing else, is on disk."""
        return render.content_hash(self.recorded) == render.content_hash(plan)

    def node(self, name: str) -> dict[str, Any]:
        """Return a node, to be changed behind the harness's back."""
        found = [one for one in self.world.api.items["nodes"] if one["metadata"]["name"] == name]
        return found[0]

    def cluster(self, plan: ClusterPlan) -> Cluster:
        """Return the cluster that shall be."""
        return replace(self.world.cluster, plan=plan, forget=lambda _name: None)

    def converge(self, plan: ClusterPlan, *, force: bool = False, sick: Sequence[str] = ()) -> None:
        """Get the estate to a plan, and forget what was done before."""
        self.made.clear()
        self.world.api.calls.clear()
        self.world.provider.calls.clear()
        self.engine(self.cluster(plan), self.reporter, timeout=600, force=force, sick=sick)

    def engine(
        self,
        cluster: Cluster,
        reporter: Reporter,
        *,
        timeout: float,
        force: bool = False,
        sick: Sequence[str] = (),
        phases: Sequence[Phase] = (),
    ) -> None:
        """Be the engine, with a bring-up in memory whatever the phases are."""
        del phases
        ours = [Phase("bring-up", 60, self._bring_up)]
        converge(cluster, reporter, timeout=timeout, force=force, sick=sick, phases=ours)

    def _bring_up(self, site: Site, _deadline: Deadline) -> str:
        for machine in site.plan.machines:
            if machine.name in self.fails:
                raise self.fails[machine.name]
            if machine.name not in self.machines:
                self.made.append((machine.name, machine.fingerprint))
                site.provider.up([machine.name], timeout=1, on_line=lambda *_: None)
            if machine.name not in self.nodes:
                self.world.api.items["nodes"].append(node(machine))
        return ""
