"""Real virtual machines: libvirt, QEMU and Vagrant in a network namespace of their own.

The box is built once and cached; machines are rendered and driven as the harness does it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import filelock
import pytest

from harness import render
from harness.interfaces import Endpoint
from harness.lab.network import LabNetwork
from harness.lab.traces import NAMESPACES
from harness.providers.vagrant import VagrantProvider
from harness.spec import ClusterPlan, ProviderName
from harness.transports.ssh import SshTransport
from harness.workspace import Workspace
from tests.e2e.libvirt import box, daemon
from tests.samples import PACKAGES, cluster_plan

if TYPE_CHECKING:
    from collections.abc import Iterator

CLUSTER = "libvirt-test"
MACHINES = 3  # as many as the provider's contract speaks of; two at most run at a time
MEMORY_MIB = 512
UP_SECONDS = 480.0


@dataclass(frozen=True)
class Site:
    """A cluster of virtual machines, none of which exists yet.

    Attributes:
        plan: What was decided.
        workspace: Where its Vagrantfile, keys and logs are.
        provider: The harness's own, on a libvirtd of the tests'.
        network: The namespace that holds it all.
        vagrant_home: Of the Vagrant that has the box.
    """

    plan: ClusterPlan
    workspace: Workspace
    provider: VagrantProvider
    network: LabNetwork
    vagrant_home: Path

    def transport(self, name: str, *, key: Path | None = None) -> SshTransport:
        """Log in at the planned address, as the harness does; by default with its key."""
        private_key = (key or self.workspace.ssh_key).read_text()
        return SshTransport(
            Endpoint(name, self.plan.machine(name).address, 22, "vagrant", private_key),
            network=self.network,
            known_hosts=self.workspace.known_hosts,
            connect_timeout=60,
        )


def missing() -> list[str]:
    """Return what the tests need and this host lacks, in Debian's names."""
    lines = (Path(__file__).with_name("packages.txt")).read_text().splitlines()
    pairs = [line.split() for line in lines if not line.startswith("#")]
    lacking = [package for package, proof in pairs if not Path(proof).exists()]
    return lacking if os.geteuid() == 0 else ["root", *lacking]


def require_tools() -> None:
    """Skip where the tools are missing; in CI that is a failure."""
    if lacking := missing():
        reason = f"virtual machines need {', '.join(lacking)}"
        if os.environ.get("CI"):
            pytest.fail(f"{reason}, and CI skips nothing")
        pytest.skip(reason)


def decide() -> ClusterPlan:
    """Plan small machines of the test box."""
    plan = cluster_plan(provider=ProviderName.LIBVIRT, supply=PACKAGES)
    machines = [
        replace(machine, box=box.NAME, cpus=1, memory_mib=MEMORY_MIB)
        for machine in plan.machines[:MACHINES]
    ]
    return replace(plan, cluster=CLUSTER, machines=tuple(machines))


def prepare(folder: Path, network: LabNetwork, uri: str, vagrant_home: Path) -> Site:
    """Write the cluster's Vagrantfile, as the harness renders it."""
    plan = decide()
    workspace = Workspace(folder / "workspace", plan.cluster)
    workspace.vagrant_dir.mkdir(parents=True)
    settings = render.VagrantSettings(
        private_key=workspace.ssh_key,
        insecure_key=vagrant_home / "insecure_private_key",
        public_key=workspace.secrets().ssh_public_key,
        consoles=workspace.logs_dir,
        workspace=workspace.root,
        libvirt_driver="qemu",
        boot_timeout_seconds=int(UP_SECONDS),
    )
    vagrantfile = workspace.vagrant_dir / "Vagrantfile"
    vagrantfile.write_text(render.vagrantfile(plan, settings))
    provider = VagrantProvider(
        workspace.vagrant_dir,
        env={"VAGRANT_HOME": str(vagrant_home), "LIBVIRT_DEFAULT_URI": uri},
        network=network,
        names=plan.names,
        logs=workspace.logs_dir,
        provider=ProviderName.LIBVIRT,
    )
    return Site(plan, workspace, provider, network, vagrant_home)


def processes_in(namespace: int) -> set[str]:
    """Return the commands of all processes in a network namespace, by its inode."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "ns/net").stat().st_ino == namespace:
                found.add((process / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue  # it has ended
    return found


def of_libvirt() -> set[str]:
    """Return what a libvirtd in the wrong place would leave on this host."""
    folders = (f"{path}/libvirt" for path in ("/run", "/var/cache", "/var/lib", "/var/log"))
    links = (path.name for path in Path("/sys/class/net").glob("v[in]*"))
    return {*links, *(path for path in folders if Path(path).exists())}


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A libvirtd with the box, and afterwards nothing: looked at from outside."""
    require_tools()
    vagrant_home = box.build(on_event=print)
    folder = tmp_path_factory.mktemp("libvirt")
    with filelock.FileLock(box.root() / "in-use"):
        before = of_libvirt()
        network = LabNetwork(CLUSTER, daemon.GATEWAY, folder / "workspace")
        if network.exists:  # of a run that was killed
            network.remove()
        network.create()
        namespace = (NAMESPACES / network.name).stat().st_ino
        try:
            with daemon.running(folder, network) as uri:
                yield prepare(folder, network, uri, vagrant_home)
        finally:
            network.remove()
        assert network.leftovers() == []
        assert processes_in(namespace) == set()
        assert of_libvirt() == before
        assert str(folder) not in Path("/proc/mounts").read_text()
