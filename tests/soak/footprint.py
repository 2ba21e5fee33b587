"""What a cluster may leave on a host: a look from outside, before and after."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.spec import MACHINE_PREFIX
from tests.e2e import lab as labs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

MACHINES = Path("/var/lib/lxc")
TEMPORARY = Path("/tmp")
# How Vagrant, Ruby, LXC and the harness call what they put there.
TEMPORARY_NAMES = re.compile(r".*(vagrant|harness|lxc).*|.*\d{8}-\d+-\w+")
# By its empty lock harnesses wait for each other: without it two could hold one cluster;
# evidence is there to be read afterwards; and Vagrant has one index for all clusters, with empty
# locks, some of which a Vagrant that is killed leaves.
KEPT = re.compile(
    r".*/locks/[^/]+\.lock|.*/evidence/[^/]+\.tar\.gz"
    r"|.*/vagrant/data/(lock\.[\w-]+\.lock|machine-index/(index|\w+\.lock))"
)
# The kernel takes namespaces and cgroups away after the last process in them, not with it.
SETTLE_SECONDS = 5.0
PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
BLOCK_BYTES = 512  # of st_blocks
MEBIBYTE = 2**20


@dataclass(frozen=True)
class Footprint:
    """What is on this host now.

    Attributes:
        things: Kind → names; what is new afterwards was left.
        disk_mib: What LXC's folder and the given ones take, in MiB.
        descriptors: Open files of the whole host; exact to some dozens, because the kernel
            counts them per processor.
    """

    things: dict[str, set[str]]
    disk_mib: float
    descriptors: int

    @classmethod
    def now(cls, folders: Sequence[Path]) -> Footprint:
        """Look at the host, and at these folders."""
        things = {
            **labs.seen(),
            # By descent, not by name: whatever was started by what this process started.
            "processes": descendants(os.getpid()),
            "files": {str(path) for path in files(folders) if not KEPT.fullmatch(str(path))},
            "temporary": {
                entry.name for entry in TEMPORARY.iterdir() if TEMPORARY_NAMES.fullmatch(entry.name)
            },
        }
        return cls(things, disk_mib([MACHINES, *folders]), open_files())

    def left_since(self, before: Footprint, cluster: str) -> dict[str, list[str]]:
        """Return kind → what is new, but for what names another cluster as its own.

        As long as another cluster is here, what all share is not ours either.
        """
        everything = [name for names in self.things.values() for name in names]
        is_shared = any(not is_ours(name, cluster) for name in everything)

        def counts(name: str) -> bool:
            return is_ours(name, cluster) and not (is_shared and labs.SHARED.fullmatch(name))

        found = {
            kind: sorted(filter(counts, names - before.things[kind]))
            for kind, names in self.things.items()
        }
        return {kind: names for kind, names in found.items() if names}


def is_ours(name: str, cluster: str) -> bool:
    """Tell whether something is this cluster's, or nobody's by its name."""
    others = re.findall(rf"{MACHINE_PREFIX}-([a-z0-9-]+?)(?:-ip-[0-9.]+|$|[/ ])", name)
    return not others or cluster in others


def settled(before: Footprint, folders: Sequence[Path], cluster: str) -> Footprint:
    """Return what is there once nothing new is left, or after a moment all the same."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        reap()
        after = Footprint.now(folders)
        if not after.left_since(before, cluster) or time.monotonic() > deadline:
            return after
        time.sleep(0.2)  # noqa: TID251 - nothing here can be told to hurry


def adopt_orphans() -> None:
    """Let what our children leave running become ours, not init's, so that none escapes.

    Raises:
        OSError: If the kernel does not do that.
    """
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1) != 0:
        raise OSError(ctypes.get_errno(), "PR_SET_CHILD_SUBREAPER")


def reap() -> None:
    """Take note of orphans that ended."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def end(processes: Iterable[str]) -> None:
    """End what was left, so that the next cycle starts from nothing."""
    for one in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(one.split()[0]), signal.SIGKILL)


def descendants(root: int) -> set[str]:
    """Return ``PID command`` of all that a process has started, and what that has started…"""
    children: dict[int, list[int]] = {}
    commands: dict[int, str] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it ended meanwhile
            # The name in parentheses may hold anything; after it come state and parent.
            name, _, rest = (entry / "stat").read_text().rpartition(")")
            children.setdefault(int(rest.split()[1]), []).append(int(entry.name))
            words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            commands[int(entry.name)] = words or name.partition("(")[2]
    found: set[str] = set()
    waiting = [root]
    while waiting:
        for pid in children.get(waiting.pop(), []):
            found.add(f"{pid} {commands[pid]}")
            waiting.append(pid)
    return found


def disk_mib(folders: Iterable[Path]) -> float:
    """Return what folders take on disk, each file once however many names it has."""
    blocks: dict[tuple[int, int], int] = {}
    for folder in folders:
        for path, _, files in os.walk(folder):
            for name in (".", *files):
                with contextlib.suppress(FileNotFoundError):  # it was removed meanwhile
                    status = (Path(path) / name).lstat()
                    blocks[status.st_dev, status.st_ino] = status.st_blocks
    return sum(blocks.values()) * BLOCK_BYTES / MEBIBYTE


def files(folders: Iterable[Path]) -> Iterator[Path]:
    """Return every file below folders, and what LXC has of machines."""
    if MACHINES.is_dir():
        yield from MACHINES.iterdir()
    for folder in folders:
        yield from (path for path in folder.rglob("*") if not path.is_dir())


def open_files() -> int:
    """Return how many files are open on this host."""
    return int(Path("/proc/sys/fs/file-nr").read_text().split()[0])
