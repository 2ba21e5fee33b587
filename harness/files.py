"""Files: written whole or not at all, and folders that go or say why not."""

from __future__ import annotations

import os
import shlex
import shutil
from typing import TYPE_CHECKING

from harness import mounts
from harness.errors import HostError

if TYPE_CHECKING:
    from pathlib import Path

PRIVATE_FILE = 0o600
PRIVATE_FOLDER = 0o700


def write_atomically(path: Path, content: str, *, mode: int = 0o644) -> None:
    """Write a file so that a reader, or a crash, sees the old or the new text and no other."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            part.chmod(mode)
            if os.geteuid() == 0 and path.exists():  # as root for a user: it stays that user's
                os.chown(part, path.stat().st_uid, path.stat().st_gid)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)  # it may hold half a secret
        raise


def remove_folder(folder: Path) -> None:
    """Remove a folder with all that is in it; one that is not there is no error.

    Raises:
        HostError: If it stays; says why, and how to remove it by hand.
    """
    # Before anything goes: what is mounted there may be somebody's own.
    if busy := mounts.below(folder):
        commands = "; ".join(f"`{shlex.join(['umount', str(point)])}`" for point in busy)
        raise HostError(
            f"Still there: {folder}, in which something is mounted.",
            hint=f"Unmount it and run `harness down` again: {commands}.",
        )
    try:
        if folder.exists():
            shutil.rmtree(folder)
    except OSError as error:
        raise HostError(
            f"Still there: {folder}: {error.strerror}: {error.filename}.",
            hint=f"Run `harness down` again, or remove it: `rm -r {shlex.quote(str(folder))}`.",
        ) from error
