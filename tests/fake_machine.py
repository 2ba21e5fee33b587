"""A machine in memory: it boots, runs its init script as the clock goes on, and breaks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.interfaces import MachineState
from harness.phases import diagnosis, script
from harness.spec import Role
from tests.fake_site import observed

if TYPE_CHECKING:
    from harness.spec import MachinePlan
    from tests.fakes import FakeClock

SSH = 22
SECTIONS = {
    Role.MANAGER: {"install": 6.0, "init": 12.0, "network": 2.0},
    Role.WORKER: {"install": 6.0, "join": 5.0},
}
"""What an init script does, and how many seconds each takes."""

# kubeadm's own limit for what it waits for.
PATIENCE_SECONDS = 240.0
# So long the node controller calls a node Ready whose kubelet is silent.
GRACE_SECONDS = 40.0
FULL = "/var/lib/x"


@dataclass
class Disk:
    """What of a machine outlives a boot, and goes with the machine.

    Attributes:
        fingerprint: As its script was started.
        marks: (seconds, section) of its script.
        reason: Why its script waits.
        has_key: Whether the cluster's key is in place.
        has_kubelet: Whether kubeadm has made a kubelet that starts at boot.
        has_network: Whether the network add-on is in its etcd.
        nodes: Node → the disk of its machine, in its etcd.
    """

    fingerprint: str = ""
    marks: list[tuple[float, str]] = field(default_factory=list)
    reason: str = ""
    has_key: bool = False
    has_kubelet: bool = False
    has_network: bool = False
    nodes: dict[str, Disk] = field(default_factory=dict)


@dataclass
class Machine:
    """One machine, and what is wrong with it.

    Attributes:
        plan: What it shall be.
        clock: Everybody's.
        state: As Vagrant has it.
        disk: What is on it.
        unit: ActiveState of its init script.
        cut_until: When its network works again.
        has_sshd: Whether its sshd runs.
        is_full: Whether its disk takes nothing more.
        may_run_kubelet: Whether its kubelet runs where it should.
        may_run_api: Whether its API server runs where it should.
        silent_since: When its kubelet last told that it lives, if it does not now.
    """

    plan: MachinePlan
    clock: FakeClock
    state: MachineState = MachineState.ABSENT
    disk: Disk = field(default_factory=Disk)
    unit: str = "inactive"
    cut_until: float = 0.0
    has_sshd: bool = True
    is_full: bool = False
    may_run_kubelet: bool = True
    may_run_api: bool = True
    silent_since: float = 0.0

    @property
    def name(self) -> str:
        return self.plan.name

    @property
    def section(self) -> str:
        """The section that its script is in; empty before the first."""
        return self.disk.marks[-1][1] if self.disk.marks else ""

    @property
    def runs(self) -> bool:
        return self.state is MachineState.RUNNING

    @property
    def runs_kubelet(self) -> bool:
        return self.runs and self.disk.has_kubelet and self.may_run_kubelet

    @property
    def runs_pods(self) -> bool:
        """Whether new pods on it come to run, and are reached."""
        return self.runs_kubelet and not self.is_full and not self.is_cut

    @property
    def runs_api(self) -> bool:
        is_control_plane = self.plan.role is Role.MANAGER and self.disk.has_kubelet
        return self.runs and is_control_plane and self.may_run_api

    @property
    def is_cut(self) -> bool:
        return self.clock() < self.cut_until

    @property
    def is_lost(self) -> bool:
        """Whether its node has been silent for so long that it is no longer called Ready."""
        lives = self.runs_kubelet and not self.is_cut
        return not lives and self.clock() - self.silent_since >= GRACE_SECONDS

    def boot(self) -> None:
        """Run, from its disk or from a new one."""
        self.state = MachineState.RUNNING

    def stop(self) -> None:
        """Stop at once, as if its power was cut."""
        self.state = MachineState.STOPPED
        self.unit = "inactive"
        self.silent_since = self.clock()

    def destroy(self) -> None:
        """Be gone, with its disk."""
        self.stop()
        self.state = MachineState.ABSENT
        self.disk = Disk()

    def cut(self, seconds: float) -> None:
        """Let nobody reach it, nor it anybody, for some seconds."""
        self.silent_since = self.clock()
        self.cut_until = self.clock() + seconds

    def stop_kubelet(self) -> None:
        """Stop its kubelet, and let none start."""
        self.silent_since = self.clock()
        self.may_run_kubelet = False

    def stop_sshd(self) -> None:
        """Refuse every login."""
        self.has_sshd = False

    def stop_api(self) -> None:
        """Stop its API server, and let none start."""
        self.may_run_api = False

    def fill(self) -> None:
        """Let its disk take nothing more."""
        self.is_full = True

    def cure(self) -> None:
        """Let all be well with it that does not take Vagrant."""
        self.cut_until = 0.0
        self.has_sshd = self.may_run_kubelet = self.may_run_api = True
        self.is_full = False

    def why_unreachable(self, port: int) -> OSError | None:
        """Say why no connection is made to it."""
        if not self.runs:
            return OSError(113, "No route to host")
        if self.is_cut:
            return TimeoutError("timed out")
        if port == SSH and not self.has_sshd:
            return ConnectionRefusedError(111, "Connection refused")
        return None

    def start_script(self, fingerprint: str) -> None:
        """Start its init script, as `script.START` does."""
        self.disk.fingerprint, self.disk.reason = fingerprint, ""
        self.disk.marks = [(self.clock(), "install")]
        self.unit = "active"

    def enter(self, section: str) -> None:
        """Begin the next section, or be done."""
        self.disk.marks.append((self.clock(), section))
        self.disk.reason = ""

    def fail(self, reason: str) -> None:
        """Let its init script end with an error."""
        self.unit = "failed"
        self.disk.reason = reason

    def observed(self) -> str:
        """Return what `script.OBSERVE` prints."""
        seen = observed(
            active=self.unit,
            result="exit-code" if self.unit == "failed" else "success",
            fingerprint=self.disk.fingerprint,
            reason=self.disk.reason,
        )
        return seen + "".join(f"{when:.3f} {name}\n" for when, name in self.disk.marks)

    def looked_at(self) -> str:
        """Return what `diagnosis.LOOK` prints."""
        state = "" if self.runs_kubelet else "kubelet does not run: it is inactive\n"
        state += f"{FULL} is full\n" if self.is_full else ""
        dial = f"dial tcp {self.plan.address}:6443: connect: connection refused\n"
        parts = {
            "state": state,
            "last lines of harness-init": f"=> {self.section}\n",
            "last lines of kubelet": "" if self.may_run_api else dial,
        }
        return "".join(f"{diagnosis.HEAD}{what}\n{text}" for what, text in parts.items())


def follows(machine: Machine) -> str:
    """Return the section after the one that a machine's script is in."""
    sections = [*SECTIONS[machine.plan.role], script.DONE]
    return sections[sections.index(machine.section) + 1]
