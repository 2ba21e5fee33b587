"""Whose machines are whose, and which words are run, on a host whose programs are fakes."""

from __future__ import annotations

import socket
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from harness.errors import HostError
from harness.host_network import HostNetwork
from harness.lab import machines, network
from harness.lab.network import LabNetwork
from tests.samples import cluster_plan

if TYPE_CHECKING:
    from pathlib import Path

# `ip netns add` and `delete` really make and remove the file; everything is written down.
PROGRAMS = {
    "ip": """case "$*" in
        "netns add "*) mkdir -p "$HOST/netns"; touch "$HOST/netns/$3" ;;
        "netns delete "*) rm "$HOST/netns/$3" ;;
        "netns pids "*) cat "$HOST/pids"; : >"$HOST/pids" ;;
        *"link show") cat "$HOST/links" ;;
        *"-batch -") cat >>"$HOST/batch"; echo "harness0 UP" >"$HOST/links" ;;
        esac""",
    "lxc-ls": 'cat "$HOST/containers"',
    # The container's name is the last word, inside a namespace as well as outside.
    "nsenter": 'for name; do :; done; sed -i "/^$name$/d" "$HOST/containers"',
    "lxc-destroy": 'for name; do :; done; sed -i "/^$name$/d" "$HOST/containers"',
    "umount": "",
}


@dataclass
class Host:
    """A host's world, as files."""

    root: Path

    def write(self, name: str, text: str = "") -> None:
        (self.root / name).write_text(text)

    def read(self, name: str) -> str:
        file = self.root / name
        return file.read_text() if file.exists() else ""

    @property
    def calls(self) -> list[str]:
        """What was run and changes something."""
        lines = self.read("calls").splitlines()
        return [line for line in lines if "show" not in line and "lxc-ls" not in line]

    @property
    def namespaces(self) -> Path:
        return self.root / "netns"

    @property
    def scratch(self) -> Path:
        return self.root / "scratch"

    def machines(self, *names: str) -> None:
        self.write("containers", "".join(f"{name}\n" for name in names))


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    made = Host(tmp_path)
    (tmp_path / "bin").mkdir()
    for name, body in PROGRAMS.items():
        program = tmp_path / "bin" / name
        program.write_text(f'#!/bin/sh\necho "{name} $*" >>"$HOST/calls"\n{body}\n')
        program.chmod(stat.S_IRWXU)
    for name in ("containers", "pids", "links"):
        made.write(name)
    monkeypatch.setenv("HOST", str(tmp_path))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setattr(network, "NAMESPACES", made.namespaces)
    monkeypatch.setattr(network, "SCRATCH", made.scratch)
    monkeypatch.setattr(machines, "CGROUPS", tmp_path / "cgroup")
    return made


@pytest.fixture
def lab(host: Host) -> LabNetwork:
    del host
    return LabNetwork("a", "192.168.2.1/24")


def test_a_network_is_named_after_its_cluster_and_has_the_plans_gateway(host: Host) -> None:
    made = LabNetwork.of(cluster_plan())
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
    host.write("links", "lo UNKNOWN\nharness0x@if3 UP\n")
    lab.create()
    assert host.read("batch").count("link add harness0 type bridge") == 2


def test_every_change_of_links_names_the_namespace(host: Host, lab: LabNetwork) -> None:
    lab.create()
    for call in host.calls:
        assert "harness-a" in call.split()


def test_entering_takes_the_network_and_keeps_the_words_apart(lab: LabNetwork) -> None:
    argv = lab.enter(["echo", "a b", "$HOME"])
    assert argv[:2] == ["nsenter", f"--net={network.NAMESPACES}/harness-a"]
    assert argv[2:6] == ["unshare", "--mount", "--propagation", "slave"]
    assert argv[-4:] == ["harness", "echo", "a b", "$HOME"]
    assert 'exec "$@"' in argv[-5]


def test_only_machines_of_this_cluster_are_its_own(host: Host, lab: LabNetwork) -> None:
    own = ("harness-a-ip-192.168.2.2", "harness-a-ip-10.0.0.1")
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
    assert LabNetwork("a.b", "192.168.2.1/24").leftovers() == []


def test_machines_of_other_clusters_outlive_a_removal(host: Host, lab: LabNetwork) -> None:
    host.machines("harness-a-ip-192.168.2.2", "harness-a-b-ip-192.168.2.2")
    lab.create()
    lab.remove()
    assert host.read("containers").split() == ["harness-a-b-ip-192.168.2.2"]
    assert lab.leftovers() == []


def test_half_made_machines_are_discarded_by_their_whole_names(host: Host, lab: LabNetwork) -> None:
    kept = ["harness-a-ip-192.168.2.20", "harness-a-b-ip-192.168.2.2"]
    host.machines("harness-a-ip-192.168.2.2", *kept)
    lab.discard(["ip-192.168.2.2", "ip-192.168.2.4"])
    assert host.read("containers").split() == kept
    lab.discard([])
    assert host.read("containers").split() == kept


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
    assert host.read("containers") == ""
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
    other = LabNetwork("b", "192.168.2.1/24")
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
    (host.root / "bin" / "nsenter").write_text("#!/bin/sh\n")
    host.machines("harness-a-ip-192.168.2.2")
    with pytest.raises(HostError, match=r"Still there: machine harness-a-ip-192\.168\.2\.2\."):
        lab.remove()


def test_lxc_pivots_go_with_the_last_machine_of_the_host(host: Host, lab: LabNetwork) -> None:
    pivot = host.root / "cgroup" / "memory" / "lxc.pivot"
    pivot.mkdir(parents=True)
    host.machines("web")
    lab.remove()
    assert pivot.exists()
    host.machines()
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
