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
import shlex
import socket
import threading
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from harness import mounts, process, wait
from harness.errors import ClusterHeldError, HostError, PhaseError
from harness.lab import locks, machines, traces
from harness.lab.traces import BRIDGE, QUICK_SECONDS, Traces, ip
from harness.spec import MACHINE_PREFIX

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from harness.spec import ClusterPlan

# An empty folder to keep the cgroup tree in while /sys is exchanged; only the command's
# own mount namespace ever sees it used. Made by each: another cluster's last moment may be
# just when it removes it.
SCRATCH = Path("/run/harness")
# Held while a name is claimed: workspaces of the same name have no other lock in common.
LOCK = Path("/run/lock/harness.lock")
CLONE_NEWNET = 0x40000000
ENTER = (
    f"mkdir -p {SCRATCH} && mount --rbind /sys/fs/cgroup {SCRATCH} && mount -t sysfs sysfs /sys && "
    f'mount --move {SCRATCH} /sys/fs/cgroup && exec "$@"'
)


class LabNetwork:
    """One cluster's namespace, as `interfaces.Network`.

    As long as another workspace that is still there claims the cluster's name, nothing that
    has it is this cluster's.

    Args:
        cluster: KubeClusterID, from which the namespace has its name.
        gateway: The bridge's address, with its prefix length: ``192.168.2.1/24``.
        workspace: The folder for which everything is made.
    """

    def __init__(self, cluster: str, gateway: str, workspace: Path) -> None:
        self._traces = Traces(cluster)
        self._gateway = gateway
        self._workspace = workspace

    @classmethod
    def of(cls, plan: ClusterPlan, workspace: Path) -> LabNetwork:
        """Return the network that a plan asks for."""
        return cls(plan.cluster, f"{plan.gateway}/{plan.prefix_length}", workspace)

    @property
    def name(self) -> str:
        """Of the namespace."""
        return self._traces.name

    @property
    def exists(self) -> bool:
        """Whether the namespace is there."""
        return self._traces.namespace.exists()

    def require_name(self) -> None:
        """Require that no other cluster has this one's name.

        Raises:
            ClusterHeldError: If another workspace has it.
        """
        if other := self._other():
            raise ClusterHeldError(
                f"Cluster `{self._traces.cluster}` is on this host already, for {other}.",
                hint=f"Choose another KubeClusterID, or remove it: `{traces.removal(other)}`.",
            )

    def create(self) -> None:
        """Make the namespace and its bridge, or what is missing of them.

        Raises:
            HostError: If this host does not allow it.
            ClusterHeldError: If another workspace has this name.
        """
        SCRATCH.mkdir(exist_ok=True)
        with locks.alone(LOCK, "claiming a name"):
            self.require_name()
            if not self.exists:
                ip("netns", "add", self.name)
            if not self._traces.bridge():
                bridge = f"link add {BRIDGE} type bridge\naddr add {self._gateway} dev {BRIDGE}\n"
                up = f"link set lo up\nlink set {BRIDGE} up\n"
                ip("-netns", self.name, "-batch", "-", stdin=bridge + up)
            ip("-netns", self.name, "link", "set", BRIDGE, "alias", str(self._workspace))
        # With forwarding on and no route out, what a machine sends elsewhere is refused at
        # once instead of timing out: kubelet 1.20 asks cloud metadata addresses at its start.
        inside = ["ip", "netns", "exec", self.name, "sysctl", "-qw", "net.ipv4.ip_forward=1"]
        process.run(inside, timeout=QUICK_SECONDS)

    def enter(self, argv: Sequence[str]) -> list[str]:
        """Return `argv` changed so that it runs in the namespace, with its /sys."""
        namespace = ["nsenter", f"--net={self._traces.namespace}"]
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
                join(self._traces.namespace)
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
        if self._other():
            return
        wanted = {f"{self.name}-{name}" for name in names}
        for name in wanted.intersection(self._traces.machines()):
            machines.destroy(name, self)

    def remove(self) -> None:
        """Remove the cluster's machines, processes and namespace, known to Vagrant or not.

        Raises:
            HostError: If something does not go away; names it, and how to remove it by hand.
        """
        if self._other():
            return
        why = self._destroy_machines()
        if self.exists:
            stuck = _trouble(self._end_processes)
            why += stuck
            why += self._destroy_machines()  # of a Vagrant that was left alone, and went on
            if not stuck and not self._traces.machines():  # else what stays could not be reached
                why += _trouble(partial(ip, "netns", "delete", self.name))
        self._tidy()
        if left := self.leftovers():
            raise HostError(
                "\n".join([f"Still there: {', '.join(left)}.", *why]),
                hint=f"Run `harness down` again, or remove it by hand: {self._by_hand()}",
            )

    def leftovers(self) -> list[str]:
        """Name what of the cluster is still on this host."""
        return [] if self._other() else self._traces.remains()

    def processes(self) -> list[int]:
        """Return the processes that are in the namespace now."""
        return self._traces.processes()

    def _other(self) -> Path | None:
        return self._traces.claimed_from(self._workspace)

    def _destroy_machines(self) -> list[str]:
        """Remove all machines, whatever becomes of each; return what went wrong."""
        inside = self if self.exists else None
        return [
            trouble
            for name in self._traces.machines()
            for trouble in _trouble(partial(machines.destroy, name, inside))
        ]

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

    def _by_hand(self) -> str:
        """Return the commands that remove what is still there."""
        inside = ["nsenter", f"--net={self._traces.namespace}"] if self.exists else []
        commands = []
        for name in self._traces.machines():
            busy = mounts.below(machines.FOLDER / name)
            commands += [["umount", str(point)] for point in busy]
            commands.append(machines.removal(name, lambda argv: [*inside, *argv]))
        if self.exists:
            commands.append(["ip", "netns", "delete", self.name])
        return "; ".join(f"`{shlex.join(command)}`" for command in commands)

    def _tidy(self) -> None:
        """Remove what `ip` and LXC leave once the last cluster of this host is gone."""
        if traces.NAMESPACES.is_dir() and not any(traces.NAMESPACES.iterdir()):
            # `ip netns add` mounts it on itself; fails if somebody else did not.
            process.run(["umount", str(traces.NAMESPACES)], timeout=QUICK_SECONDS, check=False)
        if not traces.NAMESPACES.is_dir() or not any(traces.NAMESPACES.glob(f"{MACHINE_PREFIX}-*")):
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


def _trouble(call: Callable[[], object]) -> list[str]:
    """Return why a call failed, if it did: what is to be removed besides shall be, too."""
    try:
        call()
    except (HostError, PhaseError) as error:
        return [error.message]
    return []
