"""What the contract suites run on: fakes, a fake executable, a real sshd on loopback."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness import process
from harness.interfaces import Endpoint, Provider, Transport
from harness.providers.vagrant import VagrantProvider, at_once
from harness.spec import ProviderName
from harness.transports.ssh import SshTransport
from tests.fakes import FakeNetwork, FakeProvider

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness.providers.vagrant import Turn

NAMES = ("ip-192.168.2.200", "ip-192.168.2.2", "ip-192.168.2.20")
SSHD = Path("/usr/sbin/sshd")


@dataclass(frozen=True)
class ProviderUnderTest:
    """A provider none of whose machines exist yet, and how long it may take."""

    provider: Provider
    names: tuple[str, ...]
    timeout: float


class FakeVagrant:
    """`tests/bin/vagrant` first on PATH, with its folder and its faults."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.logs = folder / "logs"
        self.network = FakeNetwork()
        self._bin = Path(__file__).parents[1] / "bin"
        monkeypatch.setenv("PATH", f"{self._bin}{os.pathsep}{os.environ['PATH']}")
        # As after a first run: without a record the provider need not ask.
        (folder / ".vagrant" / "machines").mkdir(parents=True)
        (folder / "names").write_text("".join(f"{name}\n" for name in NAMES))

    def provider(
        self, *faults: str, provider: ProviderName = ProviderName.LXC, turn: Turn = at_once
    ) -> VagrantProvider:
        return VagrantProvider(
            self.folder,
            env={"FAKE_VAGRANT": str(self.folder), "FAKE_VAGRANT_FAULTS": " ".join(faults)},
            network=self.network,
            names=NAMES,
            logs=self.logs,
            provider=provider,
            turn=turn,
        )

    @property
    def calls(self) -> list[str]:
        return (self.folder / "calls").read_text().splitlines()

    def log(self, name: str) -> str:
        return (self.logs / f"{name}.log").read_text()


@pytest.fixture
def fake_vagrant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeVagrant:
    return FakeVagrant(tmp_path / "vagrant", monkeypatch)


@pytest.fixture(params=["fake", "executable"])
def provider_under_test(
    request: pytest.FixtureRequest, fake_vagrant: FakeVagrant
) -> ProviderUnderTest:
    """Override this fixture (tests/e2e does, with LXC) to run the suite on another provider."""
    if request.param == "fake":
        return ProviderUnderTest(FakeProvider(NAMES), NAMES, 5)
    return ProviderUnderTest(fake_vagrant.provider(), NAMES, 20)


@dataclass(frozen=True)
class TransportUnderTest:
    """A transport to a machine, and a look at that machine's files from beside it.

    Attributes:
        transport: What is tested.
        name: The machine's name.
        folder: A folder over there that does not exist yet.
        read: Returns (content, permission bits) of a file over there.
        timeout: Seconds in which the machine does any small thing.
        soon: Seconds in which it begins to do one.
    """

    transport: Transport
    name: str
    folder: str
    read: Callable[[str], tuple[bytes, int]]
    timeout: float = 10
    soon: float = 1.5


class Sshd:
    """A real OpenSSH server on loopback, run by and for this user alone."""

    def __init__(self, folder: Path) -> None:
        assert SSHD.exists(), "the contract needs a real sshd: apt-get install openssh-server"
        self.folder = folder
        self.port = free_port()
        self._config = folder / "sshd_config"
        self._process: subprocess.Popen[bytes] | None = None
        for key in ("host_key", "other_host_key", "user_key", "stranger_key"):
            make_key(folder / key)
        (folder / "user_key.pub").rename(folder / "authorized_keys")
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)  # where sshd, as root, drops privileges

    def start(self, host_key: str = "host_key", **more: object) -> None:
        options = {
            **more,
            "ListenAddress": "127.0.0.1",
            "Port": self.port,
            "HostKey": self.folder / host_key,
            "AuthorizedKeysFile": self.folder / "authorized_keys",
            "PidFile": "none",
            "StrictModes": "no",
            "UsePAM": "no",
            "PasswordAuthentication": "no",
            "KbdInteractiveAuthentication": "no",
        }
        self._config.write_text("".join(f"{key} {value}\n" for key, value in options.items()))
        argv: list[str | Path] = [SSHD, "-D", "-e", "-f", self._config]
        self._process = subprocess.Popen(argv, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
                return
            assert self._process.poll() is None, "sshd did not start"
            threading.Event().wait(0.02)

    def stop(self) -> None:
        if self._process:
            self._process.terminate()
            self._process.wait(10)
            self._process = None

    def endpoint(self, *, port: int = 0, key: str = "user_key") -> Endpoint:
        user = process.run(["id", "-un"], timeout=5).stdout.strip()
        private_key = (self.folder / key).read_text()
        return Endpoint("ip-192.168.2.3", "127.0.0.1", port or self.port, user, private_key)


def lives(pid: int) -> bool:
    """Whether a process is there and is more than a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def make_key(path: Path) -> None:
    argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)]
    process.run(argv, timeout=20)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


@pytest.fixture(scope="session")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    server = Sshd(tmp_path_factory.mktemp("sshd"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def own_sshd(tmp_path: Path) -> Iterator[Sshd]:
    """A server that the test starts and stops itself."""
    folder = tmp_path / "own-sshd"
    folder.mkdir()
    server = Sshd(folder)
    yield server
    server.stop()


@pytest.fixture
def connect(tmp_path: Path) -> Iterator[Callable[..., SshTransport]]:
    """Make transports that are closed afterwards; they share one known_hosts file."""
    with contextlib.ExitStack() as stack:

        def make(endpoint: Endpoint, connect_timeout: float = 10) -> SshTransport:
            transport = SshTransport(
                endpoint,
                network=FakeNetwork(),
                known_hosts=tmp_path / "known_hosts",
                connect_timeout=connect_timeout,
            )
            stack.callback(transport.close)
            return transport

        yield make
