"""The composition root puts the right parts together and keeps one connection per machine."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from harness import host_facts
from harness.cli import parts, resolution
from harness.errors import ClusterHeldError, HostError, UsageError
from harness.host_network import HostNetwork
from harness.lab import box, bundle, forward, traits
from harness.lab.network import LabNetwork
from harness.spec import ProviderName
from harness.transports.ssh import SshTransport
from harness.workspace import Workspace
from tests import fake_bundle
from tests.fake_cluster import GOOD_HOST
from tests.fakes import FakeNetwork
from tests.samples import CONTAINER, WALKTHROUGH, cluster_plan

if TYPE_CHECKING:
    from pathlib import Path

    from harness.cluster import Cluster
    from tests.fake_host import Host


@pytest.fixture(autouse=True)
def detected(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every host be the same."""
    del state
    monkeypatch.setattr(traits, "detect", lambda: CONTAINER)


def planned(provider: str = "lxc") -> Cluster:
    return parts.planned(resolution.of_files(WALKTHROUGH, provider))


def test_a_cluster_of_the_lab_lives_in_its_own_namespace() -> None:
    cluster = planned("lxc")
    assert isinstance(cluster.network, LabNetwork)
    assert cluster.network.name == "harness-walkthrough"
    assert cluster.provider.parallel is True


@pytest.mark.parametrize("provider", ["libvirt", "virtualbox"])
def test_virtual_machines_live_in_the_hosts_network(provider: str) -> None:
    cluster = planned(provider)
    assert isinstance(cluster.network, HostNetwork)
    assert cluster.plan.supply.source == "packages"
    assert {machine.box for machine in cluster.plan.machines} == {"debian/bookworm64"}
    assert cluster.api_url() == "https://192.168.2.200:6443"


def test_what_vagrant_lost_of_libvirts_machines_is_still_the_clusters(
    host: Host, state: Path
) -> None:
    machine = "harness-walkthrough-ip-192.168.2.2"
    folder = state / "clusters" / "walkthrough" / "vagrant"
    host.domain(machine, f"Source: {folder}/Vagrantfile")
    assert planned("libvirt").network.leftovers() == [f"virtual machine {machine}"]
    assert planned("virtualbox").network.leftovers() == []


def test_the_provider_is_told_with_its_reason() -> None:
    assert resolution.of_files(WALKTHROUGH, "lxc").reason == "as asked"
    resolved = resolution.of_files(WALKTHROUGH, "auto")
    assert resolved.reason not in {"", "as asked"}
    assert resolved.plan.provider in ProviderName


def test_without_a_bundle_a_cluster_can_still_be_planned() -> None:
    plan = planned().plan
    assert {machine.box for machine in plan.machines} == {box.NAME}
    assert plan.traits == CONTAINER


def test_the_labs_machines_are_fed_from_the_bundle() -> None:
    made = fake_bundle.write(bundle.default_path())
    plan = planned().plan
    assert plan.supply == made.supply()
    assert {machine.box for machine in plan.machines} == {box.box_name(made)}


@pytest.mark.parametrize("provider", ["lxc", "libvirt", "virtualbox"])
def test_a_host_that_cannot_do_it_is_refused(
    provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = planned(provider)
    cluster.check_host()
    monkeypatch.setattr(host_facts, "collect", lambda: replace(GOOD_HOST, vagrant=""))
    with pytest.raises(HostError, match="Vagrant"):
        cluster.check_host()
    assert not cluster.workspace.exists


def test_a_name_that_another_state_folder_has_is_refused_before_anything_is_recorded(
    host: Host,
) -> None:
    other = host.workspace("other", "walkthrough")
    host.machines("harness-walkthrough-ip-192.168.2.2", workspace=other)
    with pytest.raises(ClusterHeldError, match=f"for {other}"):
        planned("lxc").check_host()
    planned("libvirt").check_host()


def test_the_vagrantfile_knows_the_clusters_keys_and_where_they_lie() -> None:
    cluster = planned()
    secrets = cluster.workspace.secrets()
    text = cluster.vagrantfile(cluster.plan, secrets)
    assert str(cluster.workspace.ssh_key) in text
    assert secrets.ssh_public_key in text
    assert str(box.vagrant_home() / "insecure_private_key") in text
    assert secrets.token not in text
    assert secrets.ca_key not in text


def test_a_cluster_that_was_begun_is_found_by_its_name() -> None:
    cluster = planned()
    cluster.workspace.save_plan(cluster.plan, vagrantfile="", content_hash="")
    found = parts.recorded("walkthrough")
    assert found.plan.names == cluster.plan.names
    assert found.workspace == cluster.workspace


def test_an_unknown_cluster_is_refused_with_those_that_are_known(state: Path) -> None:
    with pytest.raises(UsageError, match="There is no cluster `other` here") as caught:
        parts.recorded("other")
    assert "Known clusters: none." in caught.value.hint
    plan = cluster_plan()
    Workspace.of("walkthrough", state=state).save_plan(plan, vagrantfile="", content_hash="")
    with pytest.raises(UsageError) as caught:
        parts.recorded("other")
    assert "Known clusters: walkthrough." in caught.value.hint


def test_the_labs_api_server_is_reached_through_a_forward(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []

    def ensure(network: LabNetwork, record: Path, log: Path, address: str, port: int) -> int:
        asked.append((network.name, record, log.parent, address, port))
        return 16443

    monkeypatch.setattr(forward, "ensure", ensure)
    cluster = planned()
    assert cluster.api_url() == "https://127.0.0.1:16443"
    workspace = cluster.workspace
    assert asked == [
        ("harness-walkthrough", workspace.forward, workspace.logs_dir, "192.168.2.200", 6443)
    ]


class Noted(SshTransport):
    """A transport that says when it is closed."""

    closed = 0

    def close(self) -> None:
        type(self).closed += 1
        super().close()


@pytest.fixture
def connections(state: Path, monkeypatch: pytest.MonkeyPatch) -> parts.Connections:
    Noted.closed = 0
    monkeypatch.setattr("harness.transports.ssh.SshTransport", Noted)
    plan = cluster_plan()
    workspace = Workspace.of(plan.cluster, state=state)
    workspace.secrets()
    return parts.Connections(plan, workspace, FakeNetwork())


def test_a_connection_is_made_once_per_machine(connections: parts.Connections) -> None:
    one = connections.to("ip-192.168.2.2")
    assert connections.to("ip-192.168.2.2") is one
    assert connections.to("ip-192.168.2.3") is not one


def test_a_machine_that_is_not_planned_is_refused(connections: parts.Connections) -> None:
    with pytest.raises(UsageError, match=r"ip-10\.0\.2\.15"):
        connections.to("ip-10.0.2.15")


def test_a_machine_that_is_made_anew_is_met_anew(
    connections: parts.Connections, state: Path
) -> None:
    known_hosts = Workspace.of("walkthrough", state=state).known_hosts
    known_hosts.write_text("192.168.2.2 ssh-ed25519 AA\n192.168.2.200 ssh-ed25519 BB\n")
    one, other = connections.to("ip-192.168.2.2"), connections.to("ip-192.168.2.3")
    connections.forget("ip-192.168.2.2")
    assert Noted.closed == 1
    assert known_hosts.read_text() == "192.168.2.200 ssh-ed25519 BB\n"
    assert connections.to("ip-192.168.2.2") is not one
    assert connections.to("ip-192.168.2.3") is other


def test_a_machine_that_was_never_met_can_be_forgotten(connections: parts.Connections) -> None:
    connections.forget("ip-192.168.2.2")
    assert Noted.closed == 0


def test_closing_closes_every_connection_and_they_can_be_made_again(
    connections: parts.Connections,
) -> None:
    one = connections.to("ip-192.168.2.2")
    connections.to("ip-192.168.2.3")
    connections.close()
    assert Noted.closed == 2
    assert connections.to("ip-192.168.2.2") is not one
