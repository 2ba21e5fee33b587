"""Signals to process groups of ours, and whether anybody is left in them."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

ENDED = frozenset({"Z", "X"})


def send(group: int, number: int) -> None:
    """Send a signal to a process group; nobody there is no error.

    A group that belongs to root (a command behind sudo) can only be reached through sudo.
    """
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return
    except PermissionError:
        argv = ("sudo", "-n", "kill", "-s", str(int(number)), "--", f"-{group}")
        os.spawnlp(os.P_WAIT, argv[0], *argv)  # noqa: S606 - no shell is what we want


def lives(group: int) -> bool:
    """Return whether a process group has a member that is more than a zombie.

    An orphan that died counts until init reaps it, and some containers' init takes seconds.
    """
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    states = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it ended meanwhile
            state, _parent, its_group = path.read_text().rpartition(")")[2].split()[:3]
            if int(its_group) == group:
                states.append(state)
    return not states or any(state not in ENDED for state in states)
