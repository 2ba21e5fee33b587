"""libvirt's machines that Vagrant has lost are found by what they were made for, and removed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.errors import HostError
from harness.host_network import LibvirtNetwork
from tests.fake_host import PROGRAMS

if TYPE_CHECKING:
    from tests.fake_host import Host

OWN = Path("/state/clusters/a")
ONE, OTHER = "harness-a-ip-10.0.0.2", "harness-a-ip-10.0.0.3"


@pytest.fixture
def network(host: Host) -> LibvirtNetwork:
    """A network with two machines, on a host with some of others."""
    for name in (ONE, OTHER):
        host.domain(name, f"Source: {OWN}/vagrant/Vagrantfile")
    host.domain("harness-a-ip-10.0.0.4", "Source: /other/clusters/a/vagrant/Vagrantfile")
    host.domain("harness-a-ip-10.0.0.5", "")
    host.domain("web", f"Source: {OWN}/vagrant/Vagrantfile")
    return LibvirtNetwork("a", OWN)


def left(host: Host) -> list[str]:
    return sorted(path.name for path in (host.root / "domains").iterdir())


def test_what_was_made_for_the_workspace_is_removed_and_nothing_else(
    network: LibvirtNetwork, host: Host
) -> None:
    assert network.leftovers() == [f"virtual machine {ONE}", f"virtual machine {OTHER}"]
    network.remove()
    assert network.leftovers() == []
    assert left(host) == ["harness-a-ip-10.0.0.4", "harness-a-ip-10.0.0.5", "web"]
    network.remove()


def test_a_machine_that_vagrant_has_lost_is_discarded_by_its_name(
    network: LibvirtNetwork, host: Host
) -> None:
    network.discard(["ip-10.0.0.3", "ip-10.0.0.4"])
    assert left(host) == [ONE, "harness-a-ip-10.0.0.4", "harness-a-ip-10.0.0.5", "web"]


def test_a_machine_that_stays_is_named_and_does_not_keep_the_others(
    network: LibvirtNetwork, host: Host
) -> None:
    stays = f'case "$*" in *undefine*{ONE}*) echo "is locked" >&2; exit 1;; esac\n'
    host.program("virsh", stays + PROGRAMS["virsh"])
    with pytest.raises(HostError, match=f"Still there: virtual machine {ONE}"):
        network.remove()
    assert network.leftovers() == [f"virtual machine {ONE}"]


def test_a_libvirt_that_does_not_answer_is_told(network: LibvirtNetwork, host: Host) -> None:
    host.program("virsh", "echo no connection >&2; exit 1")
    with pytest.raises(HostError, match="no connection"):
        network.leftovers()
