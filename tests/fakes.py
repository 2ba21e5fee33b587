"""Stand-ins for what is slow or far away; they pass the same contract suites as the real ones.

Import them in tests as ``from tests.fakes import FakeProvider``.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.errors import ProviderError, TransportError
from harness.interfaces import MachineState, Result
from harness.phases import kubelets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from harness.events import Event


class FakeClock:
    """Monotonic seconds that pass only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


class FakeNetwork:
    """This host's loopback, in which every command is marked by a harmless `env`.

    Attributes:
        entered: Every command, as it was before.
        calls: "create", "remove" and "discard NAME…", in order.
        left: What `leftovers` answers.
        silent: Addresses where no kubelet answers; at all others one does.
    """

    def __init__(self) -> None:
        self.entered: list[list[str]] = []
        self.calls: list[str] = []
        self.left: list[str] = []
        self.silent: set[str] = set()

    def create(self) -> None:
        self.calls.append("create")

    def discard(self, names: Sequence[str]) -> None:
        self.calls.append(f"discard {' '.join(names)}")

    def remove(self) -> None:
        self.calls.append("remove")

    def leftovers(self) -> list[str]:
        return list(self.left)

    def enter(self, argv: Sequence[str]) -> list[str]:
        self.entered.append(list(argv))
        return ["env", "FAKE_NETWORK=entered", *argv]

    def connect(self, address: str, port: int, *, timeout: float) -> socket.socket:
        if port == kubelets.PORT:
            return self._connect_to_kubelet(address)
        assert address.startswith("127."), f"a test must not connect to {address}"
        return socket.create_connection((address, port), timeout=timeout)

    def _connect_to_kubelet(self, address: str) -> socket.socket:
        if address in self.silent:
            raise ConnectionRefusedError(111, "Connection refused")
        ours, theirs = socket.socketpair()
        theirs.close()
        return ours


class FakeProvider:
    """Machines that are words in a dictionary.

    Attributes:
        states: What `machines` answers; tests may change it behind the harness's back.
        calls: ("up", names)… in order.
        broken: Names whose `up` fails.
        stubborn: Names that `destroy` cannot remove.
    """

    def __init__(self, names: Iterable[str], *, parallel: bool = True) -> None:
        self.parallel = parallel
        self.states = dict.fromkeys(names, MachineState.ABSENT)
        self.calls: list[tuple[str, tuple[str, ...]]] = []
        self.broken: set[str] = set()
        self.stubborn: set[str] = set()

    def up(
        self, names: Sequence[str], *, timeout: float, on_line: Callable[[str, str], None]
    ) -> None:
        del timeout
        self.calls.append(("up", tuple(names)))
        for name in names:
            on_line(name, "Starting machine")
            self.states[name] = MachineState.RUNNING
        failed = sorted(self.broken.intersection(names))
        if failed:
            raise ProviderError(f"{', '.join(failed)}: `vagrant up` exited 1:\nno space left")

    def provision(
        self, names: Sequence[str], *, timeout: float, on_line: Callable[[str, str], None]
    ) -> None:
        del timeout
        self.calls.append(("provision", tuple(names)))
        for name in names:
            if self.states[name] is MachineState.RUNNING:
                on_line(name, "Running provisioner: shell...")

    def machines(self, *, timeout: float) -> dict[str, MachineState]:
        del timeout
        self.calls.append(("machines", ()))
        return dict(self.states)

    def halt(self, names: Sequence[str], *, timeout: float) -> None:
        del timeout
        self.calls.append(("halt", tuple(names)))
        for name in names:
            if self.states[name] is MachineState.RUNNING:
                self.states[name] = MachineState.STOPPED

    def destroy(self, names: Sequence[str], *, timeout: float) -> None:
        del timeout
        self.calls.append(("destroy", tuple(names)))
        left = sorted(self.stubborn.intersection(names))
        for name in set(names) - self.stubborn:
            self.states[name] = MachineState.ABSENT
        if left:
            raise ProviderError(f"Vagrant still has {', '.join(left)}")


@dataclass(frozen=True, slots=True)
class Answer:
    """How a scripted command ends; `hangs` means that it does not."""

    stdout: str = ""
    stderr: str = ""
    exit_status: int = 0
    hangs: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """One `run`, as it was asked for."""

    argv: tuple[str, ...]
    stdin: bytes
    sudo: bool
    timeout: float


@dataclass
class FakeTransport:
    """A machine that answers from a script.

    Attributes:
        name: The machine's name.
        script: Asked in order with (argv without sudo, stdin); the first answer counts.
        reachable: Whether connections work.
        calls: Every `run`.
        files: path → (content, mode), as `put` left them.
        typed: Every `interactive`.
    """

    name: str
    script: list[Callable[[tuple[str, ...], bytes], Answer | None]] = field(default_factory=list)
    reachable: bool = True
    calls: list[Call] = field(default_factory=list)
    files: dict[str, tuple[bytes, int]] = field(default_factory=dict)
    typed: list[tuple[str, ...]] = field(default_factory=list)

    def on(self, *prefix: str, answer: Answer) -> None:
        """Answer every command that begins with these words."""

        def script(argv: tuple[str, ...], _stdin: bytes) -> Answer | None:
            return answer if argv[: len(prefix)] == prefix else None

        self.script.append(script)

    def run(
        self, argv: Sequence[str], *, timeout: float, stdin: bytes = b"", sudo: bool = False
    ) -> Result:
        self._reach()
        self.calls.append(Call(tuple(argv), stdin, sudo, timeout))
        answer = self._answer(tuple(argv), stdin)
        full = ("sudo", "-n", "--", *argv) if sudo else tuple(argv)
        if answer.hangs:
            what = f"{self.name}: `{' '.join(full)}`: it did not end within {timeout:g} s"
            raise TransportError(f"{what}:\n{answer.stdout}{answer.stderr}")
        return Result(self.name, full, answer.exit_status, answer.stdout, answer.stderr, 0.0)

    def _answer(self, argv: tuple[str, ...], stdin: bytes) -> Answer:
        for script in self.script:
            answer = script(argv, stdin)
            if answer is not None:
                return answer
        return Answer(stderr=f"{argv[0]}: not in the fake's script\n", exit_status=127)

    def put(self, content: bytes, path: str, *, mode: int, timeout: float) -> None:
        del timeout
        self._reach()
        self.files[path] = (content, mode)

    def interactive(self, argv: Sequence[str]) -> int:
        self._reach()
        self.typed.append(tuple(argv))
        return self._answer(tuple(argv), b"").exit_status

    def close(self) -> None:
        """Do nothing: there is no connection."""

    def _reach(self) -> None:
        if not self.reachable:
            raise TransportError(f"{self.name}: cannot be reached")


class RecordingReporter:
    """Keeps every event."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.closed = False

    def report(self, event: Event) -> None:
        self.events.append(event)

    def close(self) -> None:
        self.closed = True
