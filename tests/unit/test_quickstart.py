"""The README's first command says what it will do, and what it cannot do, before it begins."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
IS_DEBIAN_12 = platform.freedesktop_os_release().get("VERSION_CODENAME") == "bookworm"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout in which nothing was ever set up, whatever this one is."""
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "quickstart", tmp_path / "scripts")
    (tmp_path / "bin").mkdir()
    return tmp_path


def pretend(checkout: Path, program: str, script: str) -> None:
    file = checkout / "bin" / program
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)


def run(checkout: Path, *words: str) -> subprocess.CompletedProcess[str]:
    env = {
        **os.environ,
        "PATH": f"{checkout / 'bin'}:{os.environ['PATH']}",
        "HARNESS_CACHE_DIR": str(checkout / "cache"),
    }
    script = checkout / "scripts" / "quickstart"
    return subprocess.run(
        [script, *words], cwd="/", env=env, capture_output=True, text=True, check=False
    )


def test_an_unknown_option_is_an_error_of_usage(checkout: Path) -> None:
    done = run(checkout, "--fast")
    assert done.returncode == 2
    assert "There is no option --fast." in done.stderr


def test_it_explains_itself(checkout: Path) -> None:
    done = run(checkout, "--help")
    assert done.returncode == 0
    assert "--setup-only" in done.stdout


@pytest.mark.skipif(not IS_DEBIAN_12, reason="the lab is built on Debian 12")
@pytest.mark.skipif(os.geteuid() != 0, reason="it would ask sudo first")
def test_it_says_what_it_will_do_and_stops_where_the_disk_is_too_small(checkout: Path) -> None:
    pretend(checkout, "dpkg-query", "exit 1")  # nothing is installed
    pretend(checkout, "df", "printf 'Avail\\n5000\\n'")
    done = run(checkout)
    assert done.returncode == 4
    assert "install vagrant vagrant-lxc lxc" in done.stderr
    assert "Only 4 GiB are free" in done.stderr
    assert "HARNESS_CACHE_DIR" in done.stderr
    assert "Installing" not in done.stderr


@pytest.mark.skipif(not IS_DEBIAN_12, reason="the lab is built on Debian 12")
@pytest.mark.skipif(os.geteuid() != 0, reason="it would ask sudo first")
def test_where_all_packages_are_there_apt_is_left_alone(checkout: Path) -> None:
    pretend(checkout, "dpkg-query", "printf 'ii '")
    pretend(checkout, "apt-get", "echo apt-get ran >&2; exit 1")
    pretend(checkout, "df", "printf 'Avail\\n5000\\n'")  # and so it ends here
    done = run(checkout)
    assert "apt     nothing: all packages are there" in done.stderr
    assert "apt-get ran" not in done.stderr
