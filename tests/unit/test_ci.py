"""In CI no test on real machines is skipped unseen."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SKIPPED = """
import pytest

@pytest.mark.{mark}
def test_one():
    pytest.skip("no machine here")
"""


def run(folder: Path, mark: str, ci: str) -> tuple[int, str]:
    (folder / "test_skipped.py").write_text(SKIPPED.format(mark=mark))
    (folder / "pytest.ini").write_text("[pytest]\nmarkers =\n  lab\n  libvirt\n  slow\n")
    env = {**os.environ, "CI": ci, "PYTHONPATH": str(ROOT)}
    argv = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-p", "no:cacheprovider"]
    done = subprocess.run(argv, cwd=folder, env=env, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


@pytest.mark.parametrize("mark", ["lab", "libvirt"])
def test_a_skipped_test_on_real_machines_fails_in_ci(mark: str, tmp_path: Path) -> None:
    status, said = run(tmp_path, mark, ci="true")
    assert status == pytest.ExitCode.TESTS_FAILED
    assert "no machine here" in said
    assert "In CI a skipped test on real machines is a failure." in said


@pytest.mark.parametrize(("mark", "ci"), [("lab", ""), ("libvirt", ""), ("slow", "true")])
def test_any_other_skip_stays_one(mark: str, ci: str, tmp_path: Path) -> None:
    status, said = run(tmp_path, mark, ci)
    assert status == 0
    assert "1 skipped" in said
