"""Strays: programs that go on after the harness that ran them was killed."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from harness import process, signals, wait

TICK_SECONDS = 0.1


def end(folder: Path) -> None:
    """End every program that works in a folder of the caller's and that nobody waits for.

    The caller holds the lock of whatever the folder belongs to. So what runs there, and is not
    its own, was left by one who held it before.
    """
    for number, grace in process.GRACE:
        groups = _groups(folder)
        if not groups:
            return
        for group in groups:
            signals.send(group, number)
        with contextlib.suppress(wait.WaitTimeout):  # then with the next signal
            wait.until(
                lambda: "it runs" if _groups(folder) else None,
                timeout=grace,
                interval=TICK_SECONDS,
                what=f"the end of what was left in {folder}",
            )


def _groups(folder: Path) -> set[int]:
    """Return the process groups that work in a folder, but for those of our own children."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it ended meanwhile, or is another user's
            if (entry / "cwd").readlink() == folder:
                _, group = _parent_and_group(int(entry.name))
                parent, _ = _parent_and_group(group)
                if parent != os.getpid():
                    found.add(group)
    return found


def _parent_and_group(pid: int) -> tuple[int, int]:
    # The name in parentheses may hold anything; after it come state, parent and group.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[1]), int(fields[2])
