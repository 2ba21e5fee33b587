"""What a killed harness left running is ended by the next one, and nothing else is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from harness import process, strays
from tests.contract.conftest import lives
from tests.e2e.lab import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

# Its parent goes away, as a harness does that is killed.
LEAVE = """
import subprocess, sys
left = subprocess.Popen(sys.argv[2:], cwd=sys.argv[1], start_new_session=True,
                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print(left.pid)
"""
DEAF = ("sh", "-c", "trap '' INT TERM; while :; do sleep 0.1; done")


@pytest.fixture
def leave(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., int]]:
    """Leave a program running in a folder, and return its process id."""
    steps = ((signal.SIGINT, 0.3), (signal.SIGTERM, 0.3), (signal.SIGKILL, 2.0))
    monkeypatch.setattr(process, "GRACE", steps)
    left = []

    def begin(folder: Path, *argv: str) -> int:
        started = [sys.executable, "-c", LEAVE, str(folder), *argv]
        done = subprocess.run(started, capture_output=True, text=True, timeout=20, check=True)
        left.append(int(done.stdout))
        return left[-1]

    yield begin
    for pid in left:
        if lives(pid):
            os.killpg(pid, signal.SIGKILL)


@pytest.mark.parametrize("argv", [("sleep", "60"), ("sh", "-c", "sleep 60; :"), DEAF])
def test_what_was_left_is_ended_however_deaf_with_all_its_children(
    argv: tuple[str, ...], leave: Callable[..., int], tmp_path: Path
) -> None:
    left = leave(tmp_path, *argv)
    assert lives(left)
    strays.end(tmp_path)
    wait_for("its end", lambda: not lives(left), timeout=5)
    strays.end(tmp_path)  # nothing is there any more


def test_what_runs_elsewhere_is_left_alone(leave: Callable[..., int], tmp_path: Path) -> None:
    folder = tmp_path / "a"
    folder.mkdir()
    left = leave(folder, "sleep", "60")
    strays.end(tmp_path)
    assert lives(left)


def test_what_this_harness_runs_there_is_no_stray(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"], cwd=tmp_path, start_new_session=True) as own:
        strays.end(tmp_path)
        assert lives(own.pid)
        own.kill()
