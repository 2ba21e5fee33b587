"""A cluster made of fakes, and a host that can do everything, for tests of commands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness import render
from harness.cluster import Cluster
from harness.host_facts import LXC_PROGRAMS, Facts, Space
from harness.workspace import Workspace
from tests.fake_api import FakeAPI
from tests.fakes import FakeNetwork, FakeProvider, FakeTransport
from tests.samples import cluster_plan

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from harness.spec import ClusterPlan

GOOD_HOST = Facts(
    root="root",
    vagrant="2.3.4",
    vagrant_trouble="",
    plugins=frozenset({"vagrant-lxc", "vagrant-libvirt"}),
    programs=frozenset({*LXC_PROGRAMS, "VBoxManage"}),
    namespace_trouble="",
    cgroup_version=2,
    controllers=frozenset({"cpu", "cpuset", "memory", "pids"}),
    has_sys_resource=True,
    has_overlay=True,
    cache=Space("/cache", 10 * 1024),
    state=Space("/state", 10 * 1024),
    machines=Space("/var/lib/lxc", 10 * 1024),
    memory_mib=16 * 1024,
    inotify_instances=512,
    lab_machines=0,
    has_virtualization=True,
    has_kvm=True,
    bundle="",
    has_box=True,
)
"""A host on which every provider works."""


class FakeLab(FakeNetwork):
    """A network with nothing in it that would have to be made or removed."""

    def create(self) -> None:
        """Do nothing."""

    def discard(self, names: Sequence[str]) -> None:
        """Do nothing."""

    def remove(self) -> None:
        """Do nothing."""

    def leftovers(self) -> list[str]:
        return []


@dataclass
class FakeWorld:
    """A cluster and the fakes that it is made of.

    `forwards` counts how often the host's way to the API server was asked for.
    """

    plan: ClusterPlan
    workspace: Workspace
    provider: FakeProvider
    network: FakeLab
    transports: dict[str, FakeTransport]
    api: FakeAPI
    forwards: int = 0

    @classmethod
    def of(cls, state: Path) -> FakeWorld:
        """Make the walkthrough's cluster, remembered below `state`."""
        plan = cluster_plan()
        return cls(
            plan=plan,
            workspace=Workspace.of(plan.cluster, state=state),
            provider=FakeProvider(plan.names),
            network=FakeLab(),
            transports={name: FakeTransport(name) for name in plan.names},
            api=FakeAPI(),
        )

    @property
    def cluster(self) -> Cluster:
        """The cluster, as the composition root would hand it out."""
        return Cluster(
            plan=self.plan,
            workspace=self.workspace,
            provider=self.provider,
            network=self.network,
            transport=lambda name: self.transports[name],
            forget=lambda name: self.transports[name].close(),
            api=self.api,
            vagrantfile=lambda plan, secrets: f"# {' '.join(plan.names)}: {secrets.ca_cert_hash}\n",
            check_host=lambda: None,
            api_url=self._api_url,
            close=lambda: None,
            recorded=self.workspace.load_plan(),
        )

    def _api_url(self) -> str:
        self.forwards += 1
        return "https://127.0.0.1:16443"

    def record(self) -> None:
        """Remember the cluster, as `up` does before it makes machines."""
        self.workspace.save_plan(
            self.plan, vagrantfile="# nothing\n", content_hash=render.content_hash(self.plan)
        )
