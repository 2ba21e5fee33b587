"""`interactive` joins a terminal to a machine; a pseudo-terminal plays the person's."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.contract.conftest import Sshd

ROOT = Path(__file__).parents[2]


class Person:
    """Somebody at a terminal who runs `interactive`, types, and looks at the screen."""

    def __init__(self, sshd: Sshd, known_hosts: Path) -> None:
        endpoint = sshd.endpoint()
        self._key = endpoint.private_key
        self._endpoint = json.dumps(
            {"name": endpoint.name, "port": endpoint.port, "user": endpoint.user}
        )
        self._known_hosts = known_hosts
        self._terminal, self._inner = pty.openpty()
        self._process: subprocess.Popen[bytes] | None = None
        self.screen = b""
        self.resize(111, 33)

    def _argv(self, argv: tuple[str, ...]) -> list[str]:
        module = [sys.executable, "-m", "tests.contract.interact"]
        return [*module, self._endpoint, str(self._known_hosts), *argv]

    @property
    def _environment(self) -> dict[str, str]:
        return {**os.environ, "PRIVATE_KEY": self._key}

    def starts(self, *argv: str) -> None:
        end = self._inner
        self._process = subprocess.Popen(
            self._argv(argv),
            cwd=ROOT,
            env=self._environment,
            stdin=end,
            stdout=end,
            stderr=end,
            start_new_session=True,
        )

    def resize(self, columns: int, lines: int) -> None:
        size = struct.pack("HHHH", lines, columns, 0, 0)
        fcntl.ioctl(self._inner, termios.TIOCSWINSZ, size)
        if self._process:
            self._process.send_signal(signal.SIGWINCH)

    def types(self, keys: bytes) -> None:
        os.write(self._terminal, keys)

    def sees(self, words: bytes) -> None:
        deadline = time.monotonic() + 20
        while words not in self.screen:
            assert time.monotonic() < deadline, self.screen
            if select.select([self._terminal], [], [], 0.5)[0]:
                self.screen += os.read(self._terminal, 65536)

    def ends(self) -> int:
        assert self._process
        return self._process.wait(20)

    @property
    def settings(self) -> list[object]:
        return list(termios.tcgetattr(self._inner))

    def pipes(self, content: bytes, *argv: str) -> subprocess.CompletedProcess[bytes]:
        """Run without any terminal."""
        return subprocess.run(
            self._argv(argv),
            cwd=ROOT,
            env=self._environment,
            input=content,
            capture_output=True,
            timeout=60,
            check=False,
        )

    def hangs_up(self) -> None:
        os.close(self._terminal)
        self._terminal = -1

    def close(self) -> None:
        if self._process and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        if self._terminal >= 0:
            self.hangs_up()
        os.close(self._inner)


@pytest.fixture
def person(sshd: Sshd, tmp_path: Path) -> Iterator[Person]:
    with contextlib.closing(Person(sshd, tmp_path / "known_hosts")) as somebody:
        yield somebody


def test_a_command_has_the_persons_terminal_and_its_status_comes_back(person: Person) -> None:
    before = person.settings
    person.starts("sh", "-c", "test -t 0 && stty size && read word && echo got $word && exit 5")
    person.sees(b"33 111")
    person.types(b"hello\n")
    person.sees(b"got hello")
    assert person.ends() == 5
    assert person.settings == before


def test_no_command_is_a_login_shell(person: Person) -> None:
    person.starts()
    person.types(b"echo $((6 * 7)); exit 4\n")
    person.sees(b"42")
    assert person.ends() == 4


def test_a_change_of_the_windows_size_arrives(person: Person) -> None:
    person.starts("sh", "-c", "echo ready; read line; stty size")
    person.sees(b"ready")
    person.resize(90, 40)
    person.types(b"\n")
    person.sees(b"40 90")
    assert person.ends() == 0


def test_control_c_interrupts_the_command_over_there(person: Person) -> None:
    person.starts("sh", "-c", "trap 'echo interrupted; exit 9' INT; echo ready; read line")
    person.sees(b"ready")
    person.types(b"\x03")
    person.sees(b"interrupted")
    assert person.ends() == 9


def test_a_terminal_that_goes_away_ends_it(person: Person) -> None:
    person.starts()
    person.types(b"echo $((6 * 7))\n")
    person.sees(b"42")
    person.hangs_up()
    assert person.ends() == 255


def test_without_a_terminal_megabytes_pass_through_unchanged(person: Person) -> None:
    content = os.urandom(6_000_000)
    done = person.pipes(content, "sh", "-c", "cat; echo over >&2; exit 6")
    assert done.stdout == content
    assert done.stderr == b"over\n"
    assert done.returncode == 6


def test_a_machine_that_gives_no_terminal_is_a_transport_error(
    own_sshd: Sshd, tmp_path: Path
) -> None:
    own_sshd.start(PermitTTY="no")
    with contextlib.closing(Person(own_sshd, tmp_path / "known_hosts")) as person:
        person.starts("true")
        person.sees(b"TransportError: ip-192.168.2.3: ")
        assert person.ends() == 1
