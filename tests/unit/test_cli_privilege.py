from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from harness.cli import privilege, session
from harness.errors import HostError
from harness.spec import ProviderName

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("provider", [ProviderName.LIBVIRT, ProviderName.VIRTUALBOX])
def test_only_the_lab_needs_root(provider: ProviderName, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("PATH", "")
    privilege.ensure(provider)


def test_root_goes_on_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("PATH", "")
    privilege.ensure(ProviderName.LXC)


def test_a_host_without_sudo_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(HostError, match="the lab's network namespace and machines need root"):
        privilege.ensure(ProviderName.LXC)


def test_sudo_is_given_the_callers_state_and_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARNESS_STATE_DIR", str(tmp_path / "state"))
    environ = {
        "HARNESS_CACHE_DIR": str(tmp_path / "cache"),
        "HARNESS_OWN": "a word",
        "HOME": "/home/me",
        "NO_COLOR": "1",
        "SECRET": "no",
    }
    assert privilege.command(["up", "--name", "a b"], environ) == [
        *("sudo", "-n", "--", "env"),
        f"HARNESS_CACHE_DIR={tmp_path}/cache",
        "HARNESS_OWN=a word",
        "NO_COLOR=1",
        f"HARNESS_STATE_DIR={tmp_path}/state",
        *(sys.executable, "-m", "harness", "up", "--name", "a b"),
    ]


def test_state_and_cache_are_spelled_out_although_nobody_chose_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HARNESS_STATE_DIR", "HARNESS_CACHE_DIR", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    words = privilege.command(["up"], os.environ)
    assert f"HARNESS_STATE_DIR={tmp_path}/.local/state/harness" in words
    assert f"HARNESS_CACHE_DIR={tmp_path}/.cache/harness" in words


def test_a_file_written_as_root_is_handed_to_who_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = []
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "chown", lambda *words: given.append(words))
    session.give_file(tmp_path)
    monkeypatch.setenv("SUDO_UID", "1000")
    monkeypatch.setenv("SUDO_GID", "1001")
    session.give_file(tmp_path)
    assert given == [(tmp_path, 1000, 1001)]
