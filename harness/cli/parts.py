"""The composition root: the one place that knows every part and puts them together."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from harness import commitments, doctor, outside, reconcile, render
from harness.cluster import Cluster
from harness.errors import UsageError
from harness.host_network import HostNetwork, LibvirtNetwork
from harness.interfaces import Endpoint
from harness.kubectl import KubectlOnManager
from harness.lab import box, forward, locks
from harness.lab.network import LabNetwork
from harness.lab.traces import BRIDGE
from harness.spec import ProviderName
from harness.transports import known_hosts
from harness.workspace import Workspace, clusters, state_dir

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

    from harness.cli.resolution import Resolved
    from harness.commitments import Commitment
    from harness.interfaces import Network, Transport
    from harness.spec import ClusterPlan, ClusterSecrets

SSH_PORT = 22
SSH_USER = "vagrant"
CONNECT_SECONDS = 60.0
BOOT_SECONDS = 300
# Four machines at once took 7 min 50 s on two cores (reference/lab.md).
EMULATED_BOOT_SECONDS = 900


def planned(resolved: Resolved) -> Cluster:
    """Return the cluster that is asked for, whether it exists or not."""
    return _cluster(resolved.plan, resolved.recorded, resolved.commitments)


def recorded(name: str) -> Cluster:
    """Return a cluster that was begun on this host.

    Raises:
        UsageError: If there is none of this name.
    """
    decided = Workspace.of(name).load_plan()
    if decided is None:
        raise _unknown(name)
    return _cluster(decided, decided, commitments.load(Workspace.of(name)))


def committed(name: str) -> Cluster:
    """Return a cluster as it was committed last, whether that has come about or not.

    Raises:
        UsageError: If nothing of this name is committed here.
    """
    workspace = Workspace.of(name)
    decided = workspace.load_committed()
    if decided is None:
        raise _unknown(name)
    return _cluster(decided, workspace.load_plan(), commitments.load(workspace))


def _unknown(name: str) -> UsageError:
    known = ", ".join(clusters(state_dir())) or "none"
    return UsageError(
        f"There is no cluster `{name}` here.",
        hint=f"Known clusters: {known}. `harness up` begins one.",
    )


def remains(workspace: Workspace) -> Network:
    """Return what is left on this host of a cluster whose plan is not known."""
    return LabNetwork(workspace.cluster, "", workspace.root)


def _cluster(
    decided: ClusterPlan, before: ClusterPlan | None, committed: tuple[Commitment, ...]
) -> Cluster:
    from harness.providers.vagrant import VagrantProvider, at_once  # noqa: PLC0415

    workspace = Workspace.of(decided.cluster)
    in_lab = decided.provider is ProviderName.LXC
    network = _network(decided, workspace)
    environment: Mapping[str, str] = box.vagrant_environment() if in_lab else {}
    # What goes must be reached too.
    everything = reconcile.union(decided, before)
    connections = Connections(everything, workspace, network)
    return Cluster(
        plan=decided,
        workspace=workspace,
        provider=VagrantProvider(
            workspace.vagrant_dir,
            env=environment,
            network=network,
            names=everything.names,
            logs=workspace.logs_dir,
            provider=decided.provider,
            turn=at_once if in_lab else _turn,
        ),
        network=network,
        transport=connections.to,
        forget=connections.forget,
        api=KubectlOnManager(lambda: connections.to(decided.manager.name)),
        vagrantfile=partial(_vagrantfile, workspace),
        check_host=lambda: _check_host(decided, network),
        api_url=lambda: _api_url(decided, workspace, network),
        close=connections.close,
        world=outside.world(),
        commitments=committed,
        recorded=before,
    )


def _network(decided: ClusterPlan, workspace: Workspace) -> Network:
    if decided.provider is ProviderName.LXC:
        return LabNetwork.of(decided, workspace.root)
    if decided.provider is ProviderName.LIBVIRT:
        return LibvirtNetwork(decided.cluster, workspace.root)
    return HostNetwork()


def _turn(tell: Callable[[str], None], seconds: float) -> AbstractContextManager[None]:
    """Wait until no other harness of this user has Vagrant make machines.

    Whoever makes the first machine of a box imports it, and two that do so at once spoil it for
    each other (reference/peers.md, lesson 5). The lab's boxes are imported before.
    """
    lock = doctor.vagrant_home() / "harness.lock"
    return locks.alone(lock, "making machines", lambda it: tell(it.message), timeout=seconds)


def _check_host(decided: ClusterPlan, network: Network) -> None:
    doctor.require(decided.provider, machines=len(decided.machines))
    if isinstance(network, LabNetwork):
        network.require_name()


def _vagrantfile(workspace: Workspace, decided: ClusterPlan, secrets: ClusterSecrets) -> str:
    home = box.vagrant_home() if decided.provider is ProviderName.LXC else doctor.vagrant_home()
    driver = "kvm" if doctor.kvm_works() else "qemu"
    settings = render.VagrantSettings(
        private_key=workspace.ssh_key,
        insecure_key=home / "insecure_private_key",
        public_key=secrets.ssh_public_key,
        consoles=workspace.logs_dir,
        workspace=workspace.root,
        bridge=BRIDGE,
        libvirt_driver=driver,
        boot_timeout_seconds=BOOT_SECONDS if driver == "kvm" else EMULATED_BOOT_SECONDS,
    )
    return render.vagrantfile(decided, settings)


def _api_url(decided: ClusterPlan, workspace: Workspace, network: Network) -> str:
    if not isinstance(network, LabNetwork):
        return f"https://{decided.join_address}:{decided.bind_port}"
    port = forward.ensure(
        network,
        workspace.forward,
        workspace.logs_dir / "forward.log",
        decided.join_address,
        decided.bind_port,
    )
    return f"https://{forward.HOST}:{port}"


class Connections:
    """One SSH transport per machine, made when it is first asked for."""

    def __init__(self, decided: ClusterPlan, workspace: Workspace, network: Network) -> None:
        self._plan = decided
        self._workspace = workspace
        self._network = network
        self._open: dict[str, Transport] = {}

    def to(self, name: str) -> Transport:
        """Return the transport of a machine.

        Raises:
            UsageError: If the plan has no such machine.
        """
        if name not in self._open:
            from harness.transports.ssh import SshTransport  # noqa: PLC0415 - 0.3 s

            # The planned address: it is the machine's, whoever the provider is, and asking
            # Vagrant for it takes 2 s.
            endpoint = Endpoint(
                name=name,
                address=self._plan.machine(name).address,
                port=SSH_PORT,
                user=SSH_USER,
                private_key=self._workspace.ssh_key.read_text(),
            )
            self._open[name] = SshTransport(
                endpoint,
                network=self._network,
                known_hosts=self._workspace.known_hosts,
                connect_timeout=CONNECT_SECONDS,
            )
        return self._open[name]

    def forget(self, name: str) -> None:
        """Drop a machine's connection and host key: another machine will have its address."""
        if transport := self._open.pop(name, None):
            transport.close()
        known_hosts.forget(self._workspace.known_hosts, self._plan.machine(name).address)

    def close(self) -> None:
        """Close every connection that was made."""
        for transport in self._open.values():
            transport.close()
        self._open.clear()
