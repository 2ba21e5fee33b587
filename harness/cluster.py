"""One cluster and the parts that reach it, as `cli` puts them together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness import kubeconfig
from harness.kubectl import ADMIN_CONF

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.commitments import Commitment
    from harness.interfaces import ClusterAPI, Network, Provider, Transport
    from harness.spec import ClusterPlan, ClusterSecrets
    from harness.template import World
    from harness.workspace import Workspace

FETCH_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Cluster:
    """One planned cluster and the parts that reach it, put together by `cli`.

    Attributes:
        plan: What shall be, or what was brought up.
        workspace: What is remembered of it.
        provider: Makes its machines.
        network: Where they live.
        transport: Machine name → how to run commands there.
        forget: Machine name → drops its connection and its host key.
        api: Its API server.
        vagrantfile: Renders the Vagrantfile of a plan of this cluster, for its secrets.
        check_host: Raises HostError if this host cannot do it.
        api_url: Returns where this host's ordinary shell reaches the API server.
        close: Closes every connection.
        world: What templates may reach; None means files alone.
        commitments: The groups that the plan was made from.
        recorded: What was recorded when it was made; None if nothing was.
    """

    plan: ClusterPlan
    workspace: Workspace
    provider: Provider
    network: Network
    transport: Callable[[str], Transport]
    forget: Callable[[str], None]
    api: ClusterAPI
    vagrantfile: Callable[[ClusterPlan, ClusterSecrets], str]
    check_host: Callable[[], None]
    api_url: Callable[[], str]
    close: Callable[[], None]
    world: World | None = None
    commitments: tuple[Commitment, ...] = ()
    recorded: ClusterPlan | None = None

    def admin_conf(self) -> str:
        """Return the administrator's configuration, as kubeadm wrote it on the manager."""
        transport = self.transport(self.plan.manager.name)
        return transport.run(["cat", ADMIN_CONF], timeout=FETCH_SECONDS, sudo=True).check().stdout

    def kubeconfig_text(self) -> str:
        """Return a configuration that works from this host's ordinary shell."""
        return kubeconfig.export(
            self.admin_conf(), cluster=self.plan.cluster, server=self.api_url()
        )
