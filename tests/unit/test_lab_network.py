"""Whose machines are whose, and which words are run, on a host whose programs are fakes."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness import mounts
from harness.errors import HostError
from harness.host_network import HostNetwork
from harness.lab import machines, network, traces
from harness.lab.network import LabNetwork
from tests.fake_host import PROGRAMS
from tests.samples import cluster_plan

if TYPE_CHECKING:
    from tests.fake_host import Host

OWN = Path("/nowhere/clusters/a")


@pytest.fixture
def lab(host: Host) -> LabNetwork:
    del host
    return LabNetwork("a", "192.168.2.1/24", OWN)


def test_a_network_is_named_after_its_cluster_and_has_the_plans_gateway(host: Host) -> None:
    made = LabNetwork.of(cluster_plan(), OWN)
    made.create()
    assert made.name == "harness-walkthrough"
    assert "addr add 192.168.2.1/24 dev harness0" in host.read("batch")


def test_making_it_twice_makes_it_once(host: Host, lab: LabNetwork) -> None:
    lab.create()
    first = len(host.calls)
    assert lab.exists
    assert "ip netns add harness-a" in host.calls
    assert host.read("batch").count("link add harness0 type bridge") == 1
    lab.create()
    assert "ip netns add harness-a" not in host.calls[first:]
    assert host.read("batch").count("link add harness0 type bridge") == 1


def test_a_namespace_that_lost_its_bridge_gets_one(host: Host, lab: LabNetwork) -> None:
    lab.create()
    host.namespace("a")
    lab.create()
    assert host.read("batch").count("link add harness0 type bridge") == 2


def test_every_change_of_links_names_the_namespace(host: Host, lab: LabNetwork) -> None:
    lab.create()
    for call in host.calls:
        assert "harness-a" in call.split()


def test_entering_takes_the_network_and_keeps_the_words_apart(lab: LabNetwork) -> None:
    argv = lab.enter(["echo", "a b", "$HOME"])
    assert argv[:2] == ["nsenter", f"--net={traces.NAMESPACES}/harness-a"]
    assert argv[2:6] == ["unshare", "--mount", "--propagation", "slave"]
    assert argv[-4:] == ["harness", "echo", "a b", "$HOME"]
    assert 'exec "$@"' in argv[-5]


def test_entering_makes_the_folder_that_a_neighbour_has_just_removed() -> None:
    assert network.ENTER.startswith("mkdir -p /run/harness && mount ")


def test_only_machines_of_this_cluster_are_its_own(host: Host, lab: LabNetwork) -> None:
    own = ("harness-a-ip-10.0.0.1", "harness-a-ip-192.168.2.2")
    host.machines(
        *own,
        "harness-a-b-ip-192.168.2.2",  # cluster `a-b`
        "harness-a-ip-ip-192.168.2.2",  # cluster `a-ip`
        "harness-ab-ip-192.168.2.2",
        "harness-b-ip-192.168.2.2",
        "my-harness-a-ip-192.168.2.2",
        "harness-a-ip-192.168.2.2-copy",
        "harness-a",
        "web",
    )
    assert lab.leftovers() == [f"machine {name}" for name in own]


def test_a_dot_in_a_clusters_name_is_a_dot(host: Host) -> None:
    host.machines("harness-axb-ip-192.168.2.2")
    assert LabNetwork("a.b", "192.168.2.1/24", OWN).leftovers() == []


def test_machines_of_other_clusters_outlive_a_removal(host: Host, lab: LabNetwork) -> None:
    host.machines("harness-a-ip-192.168.2.2", "harness-a-b-ip-192.168.2.2")
    lab.create()
    lab.remove()
    assert host.left == ["harness-a-b-ip-192.168.2.2"]
    assert lab.leftovers() == []


def test_half_made_machines_are_discarded_by_their_whole_names(host: Host, lab: LabNetwork) -> None:
    kept = ["harness-a-b-ip-192.168.2.2", "harness-a-ip-192.168.2.20"]
    host.machines("harness-a-ip-192.168.2.2", *kept)
    lab.discard(["ip-192.168.2.2", "ip-192.168.2.4"])
    assert host.left == kept
    lab.discard([])
    assert host.left == kept


def test_machines_are_removed_where_they_can_be_asked(host: Host, lab: LabNetwork) -> None:
    host.machines("harness-a-ip-192.168.2.2")
    lab.create()
    lab.remove()
    (call,) = [call for call in host.calls if "lxc-destroy" in call]
    assert call.startswith(f"nsenter --net={host.namespaces}/harness-a ")
    assert call.endswith("lxc-destroy --force --name harness-a-ip-192.168.2.2")


def test_machines_whose_namespace_is_gone_are_removed_all_the_same(
    host: Host, lab: LabNetwork
) -> None:
    host.machines("harness-a-ip-192.168.2.2")
    lab.remove()
    assert host.left == []
    assert "lxc-destroy --force --name harness-a-ip-192.168.2.2" in host.calls


def test_removing_what_never_was_is_no_error(host: Host, lab: LabNetwork) -> None:
    lab.remove()
    lab.remove()
    assert not any(call.startswith("ip netns delete") for call in host.calls)


def test_a_removal_leaves_nothing_of_the_last_cluster(host: Host, lab: LabNetwork) -> None:
    lab.create()
    lab.remove()
    assert lab.leftovers() == []
    assert not host.scratch.exists()
    assert f"umount {host.namespaces}" in host.calls


def test_a_removal_leaves_what_another_cluster_needs(host: Host, lab: LabNetwork) -> None:
    other = LabNetwork("b", "192.168.2.1/24", OWN.with_name("b"))
    lab.create()
    other.create()
    lab.remove()
    assert host.scratch.is_dir()
    assert other.leftovers() == ["namespace harness-b"]
    assert not any(call.startswith("umount") for call in host.calls)


def test_a_namespace_of_somebody_else_keeps_the_mount_but_not_our_folder(
    host: Host, lab: LabNetwork
) -> None:
    lab.create()
    (host.namespaces / "vpn").touch()
    lab.remove()
    assert not host.scratch.exists()
    assert not any(call.startswith("umount") for call in host.calls)


def test_what_does_not_go_away_is_named(host: Host, lab: LabNetwork) -> None:
    lab.create()
    host.program("nsenter", "")
    host.machines("harness-a-ip-192.168.2.2")
    with pytest.raises(HostError, match=r"Still there: machine harness-a-ip-192\.168\.2\.2, "):
        lab.remove()


def test_what_remains_is_told_with_its_reason_and_how_to_remove_it(
    host: Host, lab: LabNetwork
) -> None:
    lab.create()
    removes = PROGRAMS["nsenter"]
    host.program("nsenter", f'case "$*" in *.2) echo busy >&2; exit 1; esac; {removes}')
    host.machines("harness-a-ip-192.168.2.2", "harness-a-ip-192.168.2.3")
    with pytest.raises(HostError) as caught:
        lab.remove()
    # One that stays does not keep the others.
    assert host.left == ["harness-a-ip-192.168.2.2"]
    first, *why = caught.value.message.splitlines()
    assert first == "Still there: machine harness-a-ip-192.168.2.2, namespace harness-a."
    assert "busy" in why
    destroy = f"nsenter --net={host.namespaces}/harness-a lxc-destroy --force --name {host.left[0]}"
    assert f"`{destroy}`; `ip netns delete harness-a`" in caught.value.hint


def test_a_namespace_that_stays_is_told_with_its_reason(host: Host, lab: LabNetwork) -> None:
    lab.create()
    host.program("ip", 'case "$*" in *delete*) echo busy >&2; exit 2;; *link*) echo "[]";; esac')
    with pytest.raises(HostError, match=r"Still there: namespace harness-a\.\n(.|\n)*busy"):
        lab.remove()


def test_a_process_that_does_not_end_keeps_its_namespace_and_is_named(
    host: Host, lab: LabNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.create()
    monkeypatch.setattr(network, "QUICK_SECONDS", 0.01)
    nobody = 2**22 + 1  # more than Linux gives
    host.program("ip", f'case "$*" in *pids*) echo {nobody};; *link*) echo "[]";; esac')
    with pytest.raises(HostError, match=f"Still there: namespace harness-a.\n.*processes {nobody}"):
        lab.remove()
    assert "ip netns delete harness-a" not in host.calls


def test_a_machine_whose_making_or_removal_was_broken_off_is_found_and_removed(
    host: Host, lab: LabNetwork
) -> None:
    delta = host.root / "lxc" / "harness-a-ip-192.168.2.2" / "delta"
    delta.mkdir(parents=True)
    assert lab.leftovers() == ["machine harness-a-ip-192.168.2.2"]
    lab.remove()
    assert host.left == []
    assert not any("lxc-destroy" in call for call in host.calls)


def test_a_machine_in_which_something_is_mounted_is_told_with_what_to_unmount(
    host: Host, lab: LabNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.program("rm", 'case "$*" in *one-file-system*) echo "busy" >&2; exit 1;; esac')
    root = host.root / "lxc" / "harness-a-ip-192.168.2.2" / "rootfs"
    root.mkdir(parents=True)
    host.write("mountinfo", f"30 21 0:25 / {root} rw - tmpfs none rw\n")
    monkeypatch.setattr(mounts, "TABLE", host.root / "mountinfo")
    with pytest.raises(HostError) as caught:
        lab.remove()
    assert caught.value.message.startswith("Still there: machine harness-a-ip-192.168.2.2.\n")
    # `lxc-destroy` would say that there is no such machine.
    remove = f"rm --recursive --force --one-file-system {root.parent}"
    assert caught.value.hint.endswith(f"by hand: `umount {root}`; `{remove}`")


def test_a_damaged_namespace_can_be_removed(host: Host, lab: LabNetwork) -> None:
    host.namespace("a", Path("damaged"))
    lab.remove()
    assert lab.leftovers() == []


def test_lxc_pivots_go_with_the_last_machine_of_the_host(host: Host, lab: LabNetwork) -> None:
    pivot = host.root / "cgroup" / "memory" / "lxc.pivot"
    pivot.mkdir(parents=True)
    host.machines("web")
    lab.remove()
    assert pivot.exists()
    (host.root / "lxc" / "web" / "config").unlink()
    (host.root / "lxc" / "web").rmdir()
    lab.remove()
    assert not pivot.exists()


def test_a_pivot_that_somebody_uses_stays(host: Host, lab: LabNetwork) -> None:
    used = host.root / "cgroup" / "lxc.pivot" / "1"
    used.mkdir(parents=True)
    lab.remove()
    assert used.exists()


def test_a_host_without_lxc_has_no_machines(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(host.root))
    assert machines.names() == []


def test_a_connection_from_a_namespace_that_is_not_there_is_refused(lab: LabNetwork) -> None:
    with pytest.raises(FileNotFoundError):
        lab.connect("127.0.0.1", 1, timeout=1)


def test_the_hosts_own_network_is_neither_made_nor_removed() -> None:
    host = HostNetwork()
    host.create()
    host.discard(["ip-192.168.2.2"])
    host.remove()
    assert host.leftovers() == []
    assert host.enter(("echo", "a b")) == ["echo", "a b"]


def test_the_hosts_own_network_connects_as_every_program_does() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with HostNetwork().connect("127.0.0.1", port, timeout=10) as guest:
            assert guest.getpeername() == ("127.0.0.1", port)
    with pytest.raises(ConnectionRefusedError):
        HostNetwork().connect("127.0.0.1", port, timeout=10)
