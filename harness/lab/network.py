"""The lab's network: a namespace of the cluster's own, with one bridge in it.

The host's interfaces, routes and firewall stay as they are, several clusters may use the
same addresses, and removing the namespace removes it all. `ip netns exec` is not enough:
LXC looks for bridges in /sys/class/net, so it needs the namespace's own /sys, and under it
the host's cgroups (reference/lab.md); both are put into a mount namespace of each command.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import socket
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from harness import process, wait
from harness.errors import HostError
from harness.lab import machines
from harness.spec import MACHINE_PREFIX

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.spec import ClusterPlan

BRIDGE = "harness0"
NAMESPACES = Path("/run/netns")
# An empty folder to keep the cgroup tree in while /sys is exchanged; only the command's
# own mount namespace ever sees it used.
SCRATCH = Path("/run/harness")
QUICK_SECONDS = 30.0
CLONE_NEWNET = 0x40000000
ENTER = (
    f"mount --rbind /sys/fs/cgroup {SCRATCH} && mount -t sysfs sysfs /sys && "
    f'mount --move {SCRATCH} /sys/fs/cgroup && exec "$@"'
)


class LabNetwork:
    """One cluster's namespace, as `interfaces.Network`.

    Args:
        cluster: KubeClusterID, from which the namespace has its name.
        gateway: The bridge's address, with its prefix length: ``192.168.2.1/24``.
    """

    def __init__(self, cluster: str, gateway: str) -> None:
        self.name = f"{MACHINE_PREFIX}-{cluster}"
        # Not only the prefix: cluster `a` must not take the machines of cluster `a-b`.
        self._own = re.compile(rf"{re.escape(self.name)}-ip-[0-9.]+")
        self._gateway = gateway

    @classmethod
    def of(cls, plan: ClusterPlan) -> LabNetwork:
        """Return the network that a plan asks for."""
        return cls(plan.cluster, f"{plan.gateway}/{plan.prefix_length}")

    @property
    def _path(self) -> Path:
        return NAMESPACES / self.name

    @property
    def exists(self) -> bool:
        """Whether the namespace is there."""
        return self._path.exists()

    def create(self) -> None:
        """Make the namespace and its bridge, or what is missing of them.

        Raises:
            HostError: If this host does not allow it.
        """
        SCRATCH.mkdir(exist_ok=True)
        if not self.exists:
            _ip("netns", "add", self.name)
        links = _ip("-netns", self.name, "-brief", "link", "show").split()
        if not any(word.split("@")[0] == BRIDGE for word in links):
            bridge = f"link add {BRIDGE} type bridge\naddr add {self._gateway} dev {BRIDGE}\n"
            up = f"link set lo up\nlink set {BRIDGE} up\n"
            _ip("-netns", self.name, "-batch", "-", stdin=bridge + up)
        # With forwarding on and no route out, what a machine sends elsewhere is refused at
        # once instead of timing out: kubelet 1.20 asks cloud metadata addresses at its start.
        inside = ["ip", "netns", "exec", self.name, "sysctl", "-qw", "net.ipv4.ip_forward=1"]
        process.run(inside, timeout=QUICK_SECONDS)

    def enter(self, argv: Sequence[str]) -> list[str]:
        """Return `argv` changed so that it runs in the namespace, with its /sys."""
        namespace = ["nsenter", f"--net={self._path}"]
        mounts = ["unshare", "--mount", "--propagation", "slave"]
        return [*namespace, *mounts, "sh", "-c", ENTER, "harness", *argv]

    def connect(self, address: str, port: int, *, timeout: float) -> socket.socket:
        """Open a TCP connection from inside the namespace.

        Raises:
            OSError: As `socket.create_connection` does, or if there is no namespace.
        """
        outcome: list[socket.socket | OSError] = []

        def inside() -> None:
            try:
                join(self._path)
                outcome.append(socket.create_connection((address, port), timeout=timeout))
            except OSError as error:
                outcome.append(error)

        # A socket stays in the namespace in which it was made, and a thread can move there
        # alone; this one does so and ends, so nobody else is ever in the wrong place.
        thread = threading.Thread(target=inside, daemon=True)
        thread.start()
        thread.join()
        if isinstance(outcome[0], OSError):
            raise outcome[0]
        return outcome[0]

    def discard(self, names: Sequence[str]) -> None:
        """Remove containers of these machine names that an interrupted run left half-made."""
        wanted = {f"{self.name}-{name}" for name in names}
        machines.destroy([name for name in self._containers() if name in wanted], self)

    def remove(self) -> None:
        """Remove the cluster's machines, processes and namespace, known to Vagrant or not.

        Raises:
            HostError: If something does not go away; names it.
        """
        if self.exists:
            machines.destroy(self._containers(), self)
            self._end_processes()
            _ip("netns", "delete", self.name)
        else:
            machines.destroy(self._containers(), None)
        self._tidy()
        if left := self.leftovers():
            raise HostError(f"Still there: {', '.join(left)}.", hint="Run `harness down` again.")

    def leftovers(self) -> list[str]:
        """Name what of the cluster is still on this host."""
        left = [f"machine {name}" for name in self._containers()]
        return [*left, f"namespace {self.name}"] if self.exists else left

    def processes(self) -> list[int]:
        """Return the processes that are in the namespace now."""
        return [int(word) for word in _ip("netns", "pids", self.name).split()]

    def _containers(self) -> list[str]:
        return [name for name in machines.names() if self._own.fullmatch(name)]

    def _end_processes(self) -> None:
        """End what still runs in the namespace; all of it is the cluster's own."""

        def still() -> str | None:
            pids = self.processes()
            for pid in pids:
                process.kill(pid)
            return f"processes {', '.join(map(str, pids))}" if pids else None

        wait.until(
            still, timeout=QUICK_SECONDS, interval=0.2, what=f"the end of all in {self.name}"
        )

    def _tidy(self) -> None:
        """Remove what `ip` and LXC leave once the last cluster of this host is gone."""
        if NAMESPACES.is_dir() and not any(NAMESPACES.iterdir()):
            # `ip netns add` mounts it on itself; fails if somebody else did not.
            process.run(["umount", str(NAMESPACES)], timeout=QUICK_SECONDS, check=False)
        if not NAMESPACES.is_dir() or not any(NAMESPACES.glob(f"{MACHINE_PREFIX}-*")):
            with contextlib.suppress(FileNotFoundError):  # never made, or gone with a reboot
                SCRATCH.rmdir()
        if not machines.names():
            machines.remove_pivots()


def join(namespace: Path) -> None:
    """Move the calling thread, and no other, into a network namespace.

    Raises:
        OSError: If there is no such namespace or no right to.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = os.open(namespace, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if libc.setns(descriptor, CLONE_NEWNET) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(namespace))
    finally:
        os.close(descriptor)


def _ip(*words: str, stdin: str = "") -> str:
    return process.run(["ip", *words], timeout=QUICK_SECONDS, stdin=stdin.encode()).stdout
