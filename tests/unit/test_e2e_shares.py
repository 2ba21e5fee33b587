"""The tests of a file on real machines are one worker's: they share a cluster."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.e2e.lab import wait_for
from tests.e2e.shares import LONGEST_FIRST, share, turn

ROOT = Path(__file__).parents[2]
TEST = """
import os, pytest, time

@pytest.mark.parametrize("number", range(6))
def test_it(number):
    time.sleep(0.05)
    with open(__file__ + ".workers", "a") as file:
        file.write(os.environ["PYTEST_XDIST_WORKER"] + "\\n")
"""


# Longer than pytest-xdist waits for a worker before it interrupts it once more.
REMOVING = """
import pathlib, pytest, threading

def note(word):
    pathlib.Path(__file__).with_name(word).touch()

@pytest.fixture
def machine():
    try:
        yield
    finally:
        threading.Event().wait(6)
        note("removed")

def test_it(machine):
    note("made")
    threading.Event().wait(60)
"""


def test_a_file_is_one_share_but_for_those_of_the_whole_host() -> None:
    assert share("tests/e2e/test_cluster.py::test_a") == share("tests/e2e/test_cluster.py::test_b")
    assert share("tests/e2e/test_lost.py::test_a") == share("tests/e2e/test_namespace.py::test_b")
    assert share("tests/e2e/test_cluster.py::test_a") != share("tests/e2e/test_restart.py::test_a")


def test_the_longest_shares_come_first_and_exist() -> None:
    folder = ROOT / "tests" / "e2e"
    files = [next(folder.rglob(name)) for name in LONGEST_FIRST]
    assert [turn(f"{file}::test_a") for file in files] == list(range(len(files)))
    assert turn("tests/e2e/test_new.py::test_a") == len(files)


def start_pytest(folder: Path, workers: int) -> subprocess.Popen[str]:
    """Start a real pytest with the plugin, in a process group of its own."""
    options = ["-p", "no:cacheprovider", "-p", "tests.e2e.shares", "--dist", "loadfile"]
    environment = {key: text for key, text in os.environ.items() if "PYTEST" not in key}
    return subprocess.Popen(
        [sys.executable, "-m", "pytest", *options, f"--numprocesses={workers}", str(folder)],
        cwd=folder,
        env={**environment, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def test_pytest_keeps_shares_together(tmp_path: Path) -> None:
    for name in ("test_one.py", "test_other.py"):
        (tmp_path / name).write_text(TEST)
    with start_pytest(tmp_path, workers=2) as pytest:
        said, _ = pytest.communicate(timeout=100)
    assert pytest.returncode == 0, said
    workers = [set(file.read_text().split()) for file in sorted(tmp_path.glob("*.workers"))]
    assert sorted(map(len, workers)) == [1, 1]
    assert workers[0] != workers[1]


def test_a_worker_that_is_interrupted_removes_what_it_made(tmp_path: Path) -> None:
    (tmp_path / "test_removing.py").write_text(REMOVING)
    with start_pytest(tmp_path, workers=1) as pytest:
        wait_for("a machine", (tmp_path / "made").exists, timeout=60)
        os.killpg(pytest.pid, signal.SIGINT)
        said, _ = pytest.communicate(timeout=100)
    assert "KeyboardInterrupt" in said
    assert (tmp_path / "removed").exists(), said
