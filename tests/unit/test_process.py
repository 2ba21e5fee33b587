"""A program that is run ends in time, whole, with all of its output."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness import process, signals
from harness.errors import HostError, InterruptedRunError
from harness.streams import Pipes
from tests.e2e.lab import wait_for
from tests.samples import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def short_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = ((signal.SIGINT, 0.2), (signal.SIGTERM, 0.2), (signal.SIGKILL, 1.0))
    monkeypatch.setattr(process, "GRACE", steps)


@pytest.fixture
def resumed() -> Iterator[None]:
    yield
    process.resume()


def shell(script: str) -> list[str]:
    return ["sh", "-c", script]


def lives(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def test_output_status_and_seconds_are_told() -> None:
    finished = process.run(shell("echo out; echo err >&2"), timeout=10)
    assert (finished.exit_status, finished.stdout, finished.stderr) == (0, "out\n", "err\n")
    assert 0 < finished.seconds < 10


def test_no_shell_comes_between() -> None:
    words = ["$HOME", "a;b", "it's", "", "*"]
    finished = process.run(["printf", "[%s]", *words], timeout=10)
    assert finished.stdout == "".join(f"[{word}]" for word in words)


def test_megabytes_on_all_three_streams_do_not_hang() -> None:
    content = os.urandom(2_000_000).hex().encode()
    script = "head -c 3000000 /dev/zero >&2; cat; head -c 3000000 /dev/zero >&2"
    finished = process.run(shell(script), timeout=30, stdin=content)
    assert finished.stdout.encode() == content
    assert len(finished.stderr) == 6_000_000


def test_a_program_that_ignores_its_input_ends_all_the_same() -> None:
    assert process.run(["true"], timeout=10, stdin=b"x" * 1_000_000).exit_status == 0


def test_a_program_without_pipes_is_fed_nothing() -> None:
    pipes = Pipes(None, None, None)
    pipes.feed(b"anything")
    assert not pipes.open
    pipes.close()


def test_a_failure_can_be_pasted_and_shows_the_last_lines() -> None:
    argv = shell("seq 100; echo why >&2; exit 3")
    with pytest.raises(process.ProcessFailed) as info:
        process.run(argv, timeout=10)
    assert f"`{shlex.join(argv)}` exited 3:" in info.value.message
    assert info.value.message.endswith("100\nwhy")
    assert "\n50\n" not in info.value.message
    assert info.value.finished.exit_status == 3


def test_a_failure_may_be_wanted() -> None:
    assert process.run(["false"], timeout=10, check=False).exit_status == 1


def test_a_program_that_does_not_exist_is_an_error_of_this_host() -> None:
    with pytest.raises(HostError, match="`no-such-program` could not be started") as info:
        process.run(["no-such-program"], timeout=10)
    assert "doctor" in info.value.hint


def test_lines_are_told_as_they_come_and_the_last_needs_no_newline() -> None:
    lines: list[str] = []
    process.run(["printf", r"one\r\ntwo\n\377\nend"], timeout=10, on_line=lines.append)
    assert lines == ["one", "two", "\N{REPLACEMENT CHARACTER}", "end"]


def test_the_log_has_the_command_and_both_streams_and_is_appended_to(tmp_path: Path) -> None:
    log = tmp_path / "log"
    process.run(["echo", "a b"], timeout=10, log=log)
    process.run(shell("echo err >&2"), timeout=10, log=log)
    assert log.read_text() == "$ echo 'a b'\na b\n$ sh -c 'echo err >&2'\nerr\n"


def test_environment_and_folder_are_the_callers_choice(tmp_path: Path) -> None:
    env = {"PATH": os.environ["PATH"], "ONLY": "this"}
    finished = process.run(shell("pwd; env"), timeout=10, env=env, cwd=tmp_path)
    assert finished.stdout.startswith(f"{tmp_path}\n")
    assert "ONLY=this\n" in finished.stdout
    assert "HOME=" not in finished.stdout


def test_out_of_time_kills_the_program_and_its_children(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    script = f"trap '' INT TERM; sleep 60 & echo $$ $! > {pids}; echo began; wait"
    with pytest.raises(process.ProcessTimedOut, match=r"did not end within 0\.5 s.*:\nbegan"):
        process.run(shell(script), timeout=0.5)
    assert not [pid for pid in pids.read_text().split() if lives(int(pid))]


def test_a_program_may_clean_up_when_it_is_interrupted() -> None:
    script = "trap 'echo cleaned; exit' INT; echo began; while :; do sleep 0.05; done"
    with pytest.raises(process.ProcessTimedOut) as info:
        process.run(shell(script), timeout=0.3)
    assert info.value.finished.stdout == "began\ncleaned\n"


def test_a_second_interruption_kills_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "GRACE", ((signal.SIGINT, 60.0),))
    pids: list[int] = []

    def interrupt(line: str) -> None:
        pids.append(int(line))
        raise KeyboardInterrupt

    script = "trap 'echo $$' INT; echo $$; while :; do sleep 0.05; done"
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        process.run(shell(script), timeout=60, on_line=interrupt)
    assert time.monotonic() - began < 10
    assert len(pids) == 2
    process.run(["true"], timeout=5)
    assert not lives(pids[0])


def test_an_error_in_the_callers_thread_kills_the_program(tmp_path: Path) -> None:
    pid = tmp_path / "pid"

    def interrupt(_line: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        process.run(shell(f"echo $$ > {pid}; echo line; sleep 60"), timeout=60, on_line=interrupt)
    assert not lives(int(pid.read_text()))


def test_a_daemon_that_keeps_the_pipes_is_neither_waited_for_nor_killed() -> None:
    finished = process.run(shell("sleep 30 & echo $!"), timeout=10)
    assert finished.seconds < 5
    daemon = int(finished.stdout)
    assert lives(daemon)
    os.kill(daemon, signal.SIGKILL)


@pytest.mark.usefixtures("resumed")
def test_another_thread_ends_every_run_and_refuses_new_ones() -> None:
    outcomes: list[BaseException] = []

    def work() -> None:
        try:
            process.run(["sleep", "60"], timeout=60)
        except InterruptedRunError as error:
            outcomes.append(error)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    time.sleep(0.2)  # noqa: TID251 - real programs must be running
    process.stop_all()
    for thread in threads:
        thread.join(10)
    assert len(outcomes) == 3
    with pytest.raises(InterruptedRunError, match="was not run"):
        process.run(["true"], timeout=10)


def test_a_background_program_lives_as_long_as_its_block(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with process.background(shell("echo $$; exec sleep 60"), log=log):
        while not (text := log.read_text()):
            time.sleep(0.01)  # noqa: TID251 - a real program is starting
        assert lives(int(text))
    assert not lives(int(text))


BACKGROUND = """
import sys
from pathlib import Path
from harness import process
with process.background(["sh", "-c", "echo $$; exec sleep 60"], log=Path(sys.argv[1])):
    sys.stdin.read()
"""


def test_a_background_program_does_not_outlive_a_harness_that_is_killed(tmp_path: Path) -> None:
    log = tmp_path / "log"
    argv = [sys.executable, "-c", BACKGROUND, str(log)]
    with subprocess.Popen(argv, cwd=ROOT, stdin=subprocess.PIPE) as harness:
        wait_for("its start", lambda: log.is_file() and bool(log.read_text()), timeout=20)
        pid = int(log.read_text())
        assert lives(pid)
        harness.kill()
    wait_for("its end", lambda: not lives(pid), timeout=5)


def test_a_detached_program_lives_on_in_a_session_of_its_own(tmp_path: Path) -> None:
    pid = process.detach(["sleep", "60"], log=tmp_path / "log")
    assert lives(pid)
    assert os.getsid(pid) == pid
    process.kill(pid)
    deadline = time.monotonic() + 5
    while lives(pid):
        assert time.monotonic() < deadline


def test_killing_a_process_that_is_gone_is_no_error() -> None:
    process.kill(int(process.run(shell("echo $$"), timeout=10).stdout))


def test_a_group_that_belongs_to_root_is_signalled_through_sudo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sudo = tmp_path / "sudo"
    sudo.write_text(f'#!/bin/sh\nprintf "%s " "$@" > {tmp_path}/asked\n')
    sudo.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)

    def refuse(_group: int, _number: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "killpg", refuse)
    signals.send(4242, signal.SIGTERM)
    assert (tmp_path / "asked").read_text() == "-n kill -s 15 -- -4242 "
    assert signals.lives(4242)


def test_a_group_that_is_gone_is_no_error() -> None:
    finished = process.run(shell("echo $$"), timeout=10)
    group = int(finished.stdout)
    assert not signals.lives(group)
    signals.send(group, signal.SIGTERM)


def test_becoming_another_program_keeps_the_process() -> None:
    code = "from harness import process; process.exec_replace(['sh', '-c', 'echo $A'], {'A': 'b'})"
    assert process.run([sys.executable, "-c", code], timeout=20).stdout == "b\n"


def test_becoming_a_program_that_does_not_exist_is_an_error_of_this_host() -> None:
    with pytest.raises(HostError, match="cannot start `no-such-program`"):
        process.exec_replace(["no-such-program"], {})


def test_which_finds_programs_on_a_path(tmp_path: Path) -> None:
    assert process.which("sh")
    assert process.which("sh", path=str(tmp_path)) is None
