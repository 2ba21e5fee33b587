"""The lab's namespaces on this host: real ones, several at once, and nothing of them afterwards."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness import process
from harness.errors import HarnessError
from harness.lab import forward, network, traces
from harness.lab.network import LabNetwork

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.lab
GATEWAY = "192.168.77.1"
SECONDS = 10.0
# What refuses does so at once; a packet that nobody answers takes minutes.
AT_ONCE = 2.0


def said(*argv: str) -> str:
    return process.run(argv, timeout=SECONDS).stdout


def host_network() -> dict[str, str]:
    """Look at the host's own network; counters and times are left out."""
    return {
        "links": said("ip", "-brief", "link"),
        "addresses": said("ip", "-brief", "address"),
        "routes": said("ip", "route"),
        "forwarding": Path("/proc/sys/net/ipv4/ip_forward").read_text(),
    }


def mounts() -> set[str]:
    """Return what of ours, or under /sys, is mounted here; other work on the host may go on."""
    places = {line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()}
    ours = ("/sys", str(network.SCRATCH), f"{traces.NAMESPACES}/harness-ns-a")
    return {place for place in places if place.startswith(ours)}


@pytest.fixture(scope="module")
def root() -> None:
    """Skip where no namespace can be made; in CI that is a failure."""
    if os.geteuid() != 0:
        pytest.skip("namespaces need root")


@contextlib.contextmanager
def made(cluster: str) -> Iterator[LabNetwork]:
    lab = LabNetwork(cluster, f"{GATEWAY}/24", Path("/nowhere/clusters") / cluster)
    lab.create()
    try:
        yield lab
    finally:
        lab.remove()


@pytest.fixture
def lab(root: None) -> Iterator[LabNetwork]:
    del root
    before = host_network(), mounts()
    with made("ns-a") as one:
        yield one
    assert (host_network(), mounts()) == before
    assert not one.exists


def inside(lab: LabNetwork, *argv: str) -> str:
    return said(*lab.enter(argv))


def links(lab: LabNetwork) -> set[str]:
    return set(inside(lab, "ls", "/sys/class/net").split())


def test_making_it_twice_changes_nothing(lab: LabNetwork) -> None:
    before = inside(lab, "ip", "-brief", "address")
    lab.create()
    assert inside(lab, "ip", "-brief", "address") == before
    assert before.count(f"{GATEWAY}/24") == 1


def test_a_bridge_that_is_lost_is_made_again(lab: LabNetwork) -> None:
    said("ip", "-netns", lab.name, "link", "delete", traces.BRIDGE)
    lab.create()
    assert traces.BRIDGE in links(lab)


def test_a_command_inside_sees_its_own_links_and_the_hosts_cgroups(lab: LabNetwork) -> None:
    # Some kernels put fallback tunnels of their own into every namespace.
    theirs = {"tunl0", "sit0", "ip6tnl0", "gre0", "gretap0", "erspan0", "ip_vti0", "ip6_vti0"}
    assert links(lab) - theirs - {"ip6gre0"} == {"lo", traces.BRIDGE}
    cgroups = sorted(path.name for path in Path("/sys/fs/cgroup").iterdir())
    assert sorted(inside(lab, "ls", "/sys/fs/cgroup").split()) == cgroups
    assert inside(lab, "cat", "/proc/sys/net/ipv4/ip_forward") == "1\n"


def test_words_come_through_as_they_are_and_so_does_the_exit_status(lab: LabNetwork) -> None:
    words = ["a b", "$HOME", '"', "*", ""]
    assert inside(lab, "printf", "%s\\n", *words).split("\n")[:-1] == words
    finished = process.run(lab.enter(["sh", "-c", "exit 7"]), timeout=SECONDS, check=False)
    assert finished.exit_status == 7


def test_mounts_of_a_command_inside_end_with_it(lab: LabNetwork) -> None:
    before = mounts()
    inside(lab, "true")
    assert mounts() == before


@contextlib.contextmanager
def server(lab: LabNetwork, greeting: bytes) -> Iterator[int]:
    """Listen inside, and greet everybody who comes."""
    ready = threading.Event()
    sockets: list[socket.socket] = []

    def serve() -> None:
        network.join(traces.NAMESPACES / lab.name)
        with socket.socket() as door:  # made here, so it belongs there
            sockets.append(door)
            door.bind((GATEWAY, 0))
            door.listen()
            ready.set()
            with contextlib.suppress(OSError):  # closed from outside
                while True:
                    guest, _ = door.accept()
                    with guest:
                        guest.sendall(greeting)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    assert ready.wait(SECONDS)
    try:
        yield sockets[0].getsockname()[1]
    finally:
        sockets[0].shutdown(socket.SHUT_RDWR)
        thread.join(SECONDS)


def greeted(lab: LabNetwork, port: int) -> bytes:
    with lab.connect(GATEWAY, port, timeout=SECONDS) as guest:
        return guest.recv(100)


def test_two_clusters_have_the_same_addresses_at_once(lab: LabNetwork) -> None:
    with (
        made("ns-a-b") as other,
        server(lab, b"one") as port,
        server(other, b"other") as other_port,
    ):
        assert greeted(lab, port) == b"one"
        assert greeted(other, other_port) == b"other"


def test_removing_one_leaves_the_other(lab: LabNetwork) -> None:
    with made("ns-a-b"):
        pass
    assert lab.exists
    assert traces.BRIDGE in links(lab)


def test_whoever_connects_stays_in_the_hosts_network(lab: LabNetwork) -> None:
    before = Path("/proc/thread-self/ns/net").stat().st_ino
    with server(lab, b"one") as port:
        greeted(lab, port)
    assert Path("/proc/thread-self/ns/net").stat().st_ino == before


@pytest.mark.parametrize("address", [GATEWAY, "192.168.99.1"])
def test_nobody_there_is_told_at_once(lab: LabNetwork, address: str) -> None:
    began = time.monotonic()
    with pytest.raises(OSError, match=r"refused|unreachable|No route"):
        lab.connect(address, 9, timeout=60)
    assert time.monotonic() - began < AT_ONCE


def test_the_world_outside_is_out_of_reach(lab: LabNetwork) -> None:
    assert inside(lab, "ip", "route", "show", "default") == ""


def test_a_removal_ends_what_still_runs_inside(lab: LabNetwork) -> None:
    with subprocess.Popen(
        lab.enter(["sh", "-c", "echo in; exec sleep 300"]), stdout=subprocess.PIPE, text=True
    ) as left:
        assert left.stdout is not None
        assert left.stdout.readline() == "in\n"
        assert left.pid in lab.processes()
        lab.remove()
        assert left.wait(SECONDS) == -9
    assert lab.leftovers() == []


def test_a_removed_network_can_be_removed_and_made_again(lab: LabNetwork) -> None:
    lab.remove()
    lab.remove()
    with pytest.raises(OSError, match="ns-a"):
        lab.connect(GATEWAY, 9, timeout=1)
    with pytest.raises(HarnessError):
        inside(lab, "true")
    lab.create()
    assert traces.BRIDGE in links(lab)


def test_the_forward_leads_from_the_host_into_the_namespace(
    lab: LabNetwork, tmp_path: Path
) -> None:
    record, log = tmp_path / "forward.json", tmp_path / "forward.log"
    with server(lab, b"from inside") as port:
        here = forward.ensure(lab, record, log, GATEWAY, port)
        assert forward.ensure(lab, record, log, GATEWAY, port) == here
        with socket.create_connection((forward.HOST, here), timeout=SECONDS) as guest:
            assert guest.recv(100) == b"from inside"
    lab.remove()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((forward.HOST, here), timeout=SECONDS)
