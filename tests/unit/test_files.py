"""Files are whole or as they were, and a folder that stays says why."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, NoReturn

import pytest

from harness import mounts
from harness.errors import HostError
from harness.files import remove_folder, write_atomically

if TYPE_CHECKING:
    from pathlib import Path


def test_a_crash_while_writing_leaves_the_old_text_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int) -> NoReturn:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    file = tmp_path / "kubeconfig"
    file.write_text("old")
    with pytest.raises(OSError, match="No space left"):
        write_atomically(file, "half a secret", mode=0o600)
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_a_file_is_private_before_anything_is_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where a harness of the same process id was killed at it, and it was not private."""
    part = tmp_path / f".token.{os.getpid()}"
    part.touch(mode=0o644)
    seen = []

    def look(_descriptor: int) -> None:
        seen.append(part.stat().st_mode)

    monkeypatch.setattr(os, "fsync", look)
    write_atomically(tmp_path / "token", "secret", mode=0o600)
    assert [oct(mode & 0o777) for mode in seen] == ["0o600"]


def test_a_file_that_is_replaced_stays_its_owners(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root writes files of others")
    file = tmp_path / "config"
    write_atomically(file, "one")
    os.chown(file, 12345, 12346)
    write_atomically(file, "two", mode=0o600)
    assert (file.stat().st_uid, file.stat().st_gid) == (12345, 12346)


def test_a_folder_goes_with_all_that_is_in_it(tmp_path: Path) -> None:
    folder = tmp_path / "cluster"
    (folder / "logs").mkdir(parents=True)
    remove_folder(folder)
    remove_folder(folder)
    assert not folder.exists()


def test_where_something_is_mounted_nothing_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "it is"
    (folder / "logs").mkdir(parents=True)
    (folder / "logs" / "of somebody else").touch()
    table = tmp_path / "mountinfo"
    point = str(folder / "logs")
    table.write_text(f"30 21 0:25 / {point.replace(' ', chr(92) + '040')} rw - tmpfs none rw\n")
    monkeypatch.setattr(mounts, "TABLE", table)
    with pytest.raises(HostError, match=f"Still there: {folder}, in which something") as caught:
        remove_folder(folder)
    assert f"`umount '{folder}/logs'`" in caught.value.hint
    assert (folder / "logs" / "of somebody else").exists()


def test_a_folder_that_stays_is_told_with_its_reason_and_how_to_remove_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(path: Path) -> NoReturn:
        raise OSError(16, "Device or resource busy", str(path / "logs"))

    monkeypatch.setattr(shutil, "rmtree", busy)
    with pytest.raises(HostError) as caught:
        remove_folder(tmp_path)
    why = f"Still there: {tmp_path}: Device or resource busy: {tmp_path}/logs."
    assert caught.value.message == why
    assert f"`rm -r {tmp_path}`" in caught.value.hint
