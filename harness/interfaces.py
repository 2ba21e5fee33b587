"""The seams: small Protocols between parts that must not know each other.

Each has one contract suite in `tests/contract`, run on the fake and on the real thing.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

from harness.errors import CommandError

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping, Sequence

    from harness.events import Event
    from harness.spec import (
        ClusterPlan,
        ClusterSecrets,
        FlavorPart,
        InstanceSpec,
        MachinePlan,
    )

TAIL_LINES = 12


class MachineState(StrEnum):
    """Whether a machine exists, in the words of `status -o json`."""

    RUNNING = "running"
    STOPPED = "stopped"
    ABSENT = "absent"


class HealthState(StrEnum):
    """What a flavor can tell of a machine that it made."""

    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Health:
    """Whether a machine does what it is there for.

    Attributes:
        state: UNKNOWN where nobody could be asked, which is no reason to replace a machine.
        reason: Why it is not healthy, or why that is not known; empty if it is.
    """

    state: HealthState
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """How to log in to a machine.

    Attributes:
        name: The machine's name, for messages.
        address: IPv4 address, as seen from the cluster's network.
        port: TCP port of sshd.
        user: Login user, who has password-less sudo.
        private_key: PEM or OpenSSH text of the cluster's private key.
    """

    name: str
    address: str
    port: int
    user: str
    private_key: str

    def __repr__(self) -> str:
        """Leave the key out: a repr ends up in logs."""
        return f"Endpoint({self.name}: {self.user}@{self.address}:{self.port})"


@dataclass(frozen=True, slots=True)
class Result:
    """How a command on a machine ended. Failing on it is the caller's choice.

    Attributes:
        machine: Where it ran.
        argv: What ran.
        exit_status: 0 to 255.
        stdout: Decoded as UTF-8, undecodable bytes replaced.
        stderr: Likewise.
        seconds: How long it took.
    """

    machine: str
    argv: tuple[str, ...]
    exit_status: int
    stdout: str
    stderr: str
    seconds: float

    def check(self) -> Result:
        """Return self if the command succeeded.

        Raises:
            CommandError: With the command as one could paste it, its status, and the last
                lines of both streams.
        """
        if self.exit_status == 0:
            return self
        tail = "\n".join((self.stdout + self.stderr).splitlines()[-TAIL_LINES:])
        message = f"{self.machine}: `{shlex.join(self.argv)}` exited {self.exit_status}"
        raise CommandError(f"{message}:\n{tail}" if tail else message)


class Network(Protocol):
    """Where a cluster's machines live and can be reached from. Must not know who uses it."""

    def create(self) -> None:
        """Make it, or what is missing of it.

        Raises:
            HostError: If this host does not allow it.
            ClusterHeldError: If another workspace has the cluster's name.
        """
        ...

    def discard(self, names: Sequence[str]) -> None:
        """Remove half-made machines of these names, which the provider does not know."""
        ...

    def remove(self) -> None:
        """Remove it with all that is in it, whether the provider knows of it or not.

        Raises:
            HostError: If something is still there afterwards; names it.
        """
        ...

    def leftovers(self) -> list[str]:
        """Name what of the cluster is on this host, machines and network alike."""
        ...

    def enter(self, argv: Sequence[str]) -> list[str]:
        """Return `argv` changed so that it runs inside this network."""
        ...

    def connect(self, address: str, port: int, *, timeout: float) -> socket.socket:
        """Open a TCP connection from inside this network.

        Raises:
            OSError: As `socket.create_connection` does.
        """
        ...


class Provider(Protocol):
    """Makes machines, through Vagrant. Must not know phases or Kubernetes."""

    parallel: bool

    def up(
        self, names: Sequence[str], *, timeout: float, on_line: Callable[[str, str], None]
    ) -> None:
        """Create or start these machines; return when Vagrant says that they run.

        Args:
            names: Machine names as in the Vagrantfile.
            timeout: Seconds until the whole call is killed.
            on_line: Called with (machine name or "", line) for each line of output.

        Raises:
            ProviderError: With the last lines of output; machines that exist are kept.
        """
        ...

    def provision(
        self, names: Sequence[str], *, timeout: float, on_line: Callable[[str, str], None]
    ) -> None:
        """Put the cluster's key on machines that run; `up` does so only when it makes them.

        Machines that do not run are passed over, as Vagrant passes them over.

        Raises:
            ProviderError: With the last lines of output.
        """
        ...

    def machines(self, *, timeout: float) -> dict[str, MachineState]:
        """Ask Vagrant for the state of every machine of the Vagrantfile."""
        ...

    def halt(self, names: Sequence[str], *, timeout: float) -> None:
        """Stop these machines and keep them."""
        ...

    def destroy(self, names: Sequence[str], *, timeout: float) -> None:
        """Remove these machines; absent ones are no error.

        Raises:
            ProviderError: If one of them is still there afterwards.
        """
        ...


class Transport(Protocol):
    """Runs commands on one machine. Must not know Kubernetes, nor retry commands."""

    def run(
        self, argv: Sequence[str], *, timeout: float, stdin: bytes = b"", sudo: bool = False
    ) -> Result:
        """Run a command to its end.

        Args:
            argv: The command; quoting is done here and nowhere else.
            timeout: Seconds for the whole command, not for one read.
            stdin: Sent to the command, then closed.
            sudo: Run as root.

        Raises:
            TransportError: If the connection fails or the time runs out; never for an
                exit status.
        """
        ...

    def put(self, content: bytes, path: str, *, mode: int, timeout: float) -> None:
        """Write a file as root, atomically; its directory is made if it is missing."""
        ...

    def interactive(self, argv: Sequence[str]) -> int:
        """Run with the caller's terminal; return the exit status. No argv: a login shell."""
        ...

    def close(self) -> None:
        """Close the connection; a later call connects anew."""
        ...


class ClusterAPI(Protocol):
    """The cluster's API server. Must not know how it is reached."""

    def get(
        self, kind: str, *, namespace: str = "", selector: str = "", timeout: float = 20.0
    ) -> list[dict[str, Any]]:
        """Return the items of `kubectl get KIND -o json`; all namespaces if none is named.

        Raises:
            TransportError, CommandError: If the API does not answer.
        """
        ...

    def kubectl(self, argv: Sequence[str], *, timeout: float, stdin: bytes = b"") -> Result:
        """Run kubectl with the cluster's administrator configuration."""
        ...


class Flavor(Protocol):
    """Makes of its properties what a machine runs, and knows whether it does.

    Pure but for the API that it is handed; must not know machines or providers.
    """

    def validate(self, properties: Mapping[str, Any]) -> None:
        """Check properties in InfraKit's spelling.

        Raises:
            InvalidInputError: With every problem, placed below ``$``.
        """
        ...

    def prepare(
        self,
        part: FlavorPart,
        given: InstanceSpec,
        *,
        plan: ClusterPlan,
        machine: MachinePlan,
        secrets: ClusterSecrets,
    ) -> InstanceSpec:
        """Add to what a machine is given; `part` is what this flavor is told.

        Raises:
            InvalidInputError: With the place in the template that cannot be rendered.
        """
        ...

    def healthy(self, part: FlavorPart, machine: MachinePlan, api: ClusterAPI) -> Health:
        """Judge what became of a machine; one that cannot be asked for is UNKNOWN, never an error.

        A machine that was drained, or closed to new pods, is as healthy as before.
        """
        ...

    def drain(
        self, part: FlavorPart, machine: MachinePlan, api: ClusterAPI, *, timeout: float
    ) -> None:
        """Take a machine out of service, before it is destroyed; one that is out is no error.

        Args:
            part: What this flavor is told.
            machine: Which one.
            api: The cluster's.
            timeout: Seconds for what runs on it to end; asking for that comes on top.

        Raises:
            PhaseError: With what the cluster says. The machine may be closed to new pods then.
        """
        ...


class Reporter(Protocol):
    """Tells somebody what happens. Never raises; must not know how phases work."""

    def report(self, event: Event) -> None:
        """Take one event."""
        ...

    def close(self) -> None:
        """Flush and give the terminal back."""
        ...
