"""The tests of a file on real machines are one worker's: they share a cluster."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

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


def test_a_file_is_one_share_but_for_those_of_the_whole_host() -> None:
    assert share("tests/e2e/test_cluster.py::test_a") == share("tests/e2e/test_cluster.py::test_b")
    assert share("tests/e2e/test_lost.py::test_a") == share("tests/e2e/test_namespace.py::test_b")
    assert share("tests/e2e/test_cluster.py::test_a") != share("tests/e2e/test_restart.py::test_a")


def test_the_longest_shares_come_first_and_exist() -> None:
    folder = ROOT / "tests" / "e2e"
    files = [next(folder.rglob(name)) for name in LONGEST_FIRST]
    assert [turn(f"{file}::test_a") for file in files] == list(range(len(files)))
    assert turn("tests/e2e/test_new.py::test_a") == len(files)


def test_pytest_keeps_shares_together(tmp_path: Path) -> None:
    for name in ("test_one.py", "test_other.py"):
        (tmp_path / name).write_text(TEST)
    options = ["-p", "no:cacheprovider", "-p", "tests.e2e.shares", "--dist", "loadfile"]
    environment = {key: text for key, text in os.environ.items() if "PYTEST" not in key}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "--numprocesses", "2", str(tmp_path)],
        cwd=tmp_path,
        env={**environment, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    workers = [set(file.read_text().split()) for file in sorted(tmp_path.glob("*.workers"))]
    assert sorted(map(len, workers)) == [1, 1]
    assert workers[0] != workers[1]
