"""The wheel, in an empty environment and far from the checkout, has all that it needs."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = (
    "harness",
    "groups",
    "scripts",
    "Vagrantfile.j2",
    "pyproject.toml",
    "README.md",
    "LICENSE",
)
PIP_SECONDS = 300


def run(*argv: str | Path, cwd: Path) -> str:
    """Run with nothing of this environment's Python; return what it printed."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        argv, cwd=cwd, env=env, capture_output=True, text=True, timeout=PIP_SECONDS, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy: building leaves folders that a later build would pack as well."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in SOURCES:
        source = ROOT / name
        if source.is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, folder / "source" / name, ignore=ignored)
        else:
            (folder / "source").mkdir(exist_ok=True)
            shutil.copy(source, folder / "source")
    pip = (sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder)
    run(*pip, folder / "source", cwd=folder)
    return next(folder.glob("*.whl"))


def packed_path(file: Path) -> str:
    """Return where a file of the checkout is in the wheel."""
    path = file.relative_to(ROOT).as_posix()
    return path if path.startswith("harness/") else f"harness/assets/{path}"


def test_every_file_that_runs_travels(wheel: Path) -> None:
    files = [path for path in (ROOT / "harness").rglob("*") if path.is_file()]
    files += [*(ROOT / "groups").glob("*.json"), *(ROOT / "scripts").glob("*.sh")]
    files.append(ROOT / "Vagrantfile.j2")
    wanted = {packed_path(file): file for file in files if "__pycache__" not in file.parts}
    with zipfile.ZipFile(wheel) as archive:
        found = {
            entry.filename: entry
            for entry in archive.infolist()
            if not entry.filename.partition("/")[0].endswith(".dist-info")
        }
    assert sorted(found) == sorted(wanted)
    runnable = {name for name, file in wanted.items() if file.stat().st_mode & stat.S_IXUSR}
    assert {name for name, entry in found.items() if entry.external_attr >> 16 & stat.S_IXUSR} == (
        runnable
    ), "what is run must stay executable"


def test_it_works_in_an_empty_environment(wheel: Path, tmp_path: Path) -> None:
    environment = tmp_path / "environment"
    python = environment / "bin" / "python"
    run(sys.executable, "-m", "venv", "--without-pip", environment, cwd=tmp_path)
    pip = (sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-compile")
    run(*pip, wheel, cwd=tmp_path)
    harness = environment / "bin" / "harness"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()

    assert json.loads(run(harness, "validate", "-o", "json", cwd=elsewhere))["valid"] is True
    assert "ip-192.168.2.200" in run(harness, "plan", "--provider", "lxc", cwd=elsewhere)
    run(harness, "render", "--out", elsewhere / "out", "--provider", "lxc", cwd=elsewhere)
    assert "kubeadm init" in (elsewhere / "out" / "ip-192.168.2.200-init.sh").read_text()
