"""What became of each cycle, kept line by line, and what all of them together say."""

from __future__ import annotations

import json
import os
import platform
import statistics
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# Each of these is a file that stays, or a machine's own disk; a folder that grew by a name
# takes 4 KiB more.
DISK_MIB = 1.0
# The kernel counts open files per processor, and adds them up when one has 32 or more
# (include/linux/percpu_counter.h). Other programs come and go meanwhile; so what counts is the
# median of all cycles, which only a leak of every cycle can move.
DESCRIPTORS_PER_PROCESSOR = 32


@dataclass
class Cycle:
    """One `up`, look and `down`.

    Attributes:
        number: From 1 on.
        commit: Of the harness.
        began: ISO 8601.
        failure: What went wrong, or nothing.
        seconds: Step → how long it took: ``up``, its phases, ``down``.
        left: Kind → what was there afterwards and not before.
        disk_mib: By how much the folders grew in which clusters are made.
        descriptors: By how much the number of this host's open files grew.
        up_descriptors: What `up` itself had open at its end.
        peak_mib: The largest resident size of `up` itself.
        load: This host's load over the minute before.
    """

    number: int
    commit: str
    began: str
    failure: str = ""
    seconds: dict[str, float] = field(default_factory=dict)
    left: dict[str, list[str]] = field(default_factory=dict)
    disk_mib: float = 0.0
    descriptors: int = 0
    up_descriptors: int = 0
    peak_mib: float = 0.0
    load: float = 0.0

    @property
    def leaks(self) -> list[str]:
        """What this cycle left, in words."""
        found = [f"{kind}: {', '.join(names)}" for kind, names in self.left.items()]
        if self.disk_mib > DISK_MIB:
            found.append(f"disk: {self.disk_mib:.1f} MiB")
        return found

    @property
    def is_good(self) -> bool:
        return not self.failure and not self.leaks


def append(file: Path, cycle: Cycle) -> None:
    """Keep a cycle; what was kept before stays."""
    with file.open("a", encoding="utf-8") as out:
        out.write(f"{json.dumps(asdict(cycle))}\n")


def load(file: Path, commit: str) -> list[Cycle]:
    """Return the cycles of one commit that a file keeps."""
    cycles = [Cycle(**json.loads(line)) for line in file.read_text().splitlines()]
    return [cycle for cycle in cycles if cycle.commit == commit]


def p95(values: Sequence[float]) -> float:
    """Return what 95 of 100 stay below, between the two nearest values."""
    if len(values) == 1:
        return values[0]
    return statistics.quantiles(values, n=20, method="inclusive")[-1]


def descriptors_leak(cycles: Sequence[Cycle]) -> str:
    """Say by how many files a cycle makes this host poorer, if it does."""
    median = statistics.median(cycle.descriptors for cycle in cycles)
    limit = DESCRIPTORS_PER_PROCESSOR * (os.cpu_count() or 1)
    return f"descriptors: {median:g} in the median of all cycles" if median > limit else ""


def line(cycle: Cycle) -> str:
    """Say in a line what became of a cycle."""
    times = ", ".join(
        f"{step} {cycle.seconds[step]:.1f} s" for step in ("up", "down") if step in cycle.seconds
    )
    return "; ".join(filter(None, [times, cycle.failure, *cycle.leaks]))


def report(cycles: Sequence[Cycle]) -> str:
    """Return the figures as text: times as a table, then what failed and what was left."""
    lines = [
        f"{len(cycles)} cycles at {cycles[0].commit} on {machine()}",
        f"load {statistics.median(cycle.load for cycle in cycles):.1f} in the median",
        "",
        f"{'seconds':<12}{'median':>8}{'p95':>8}{'max':>8}",
    ]
    for step in dict.fromkeys(step for cycle in cycles for step in cycle.seconds):
        values = [cycle.seconds[step] for cycle in cycles if step in cycle.seconds]
        worst = f"{p95(values):>8.1f}{max(values):>8.1f}"
        lines.append(f"{step:<12}{statistics.median(values):>8.1f}{worst}")
    failures = [f"cycle {one.number}: {one.failure}" for one in cycles if one.failure]
    leaks = [f"cycle {one.number}: {leak}" for one in cycles for leak in one.leaks]
    if every := descriptors_leak(cycles):
        leaks.append(every)
    return "\n".join(
        [
            *lines,
            "",
            *_counted("failures", failures),
            *_counted("leaks", leaks),
            _range("disk, MiB", [one.disk_mib for one in cycles]),
            _range("open files of the host", [one.descriptors for one in cycles]),
            _range("open files of `up` at its end", [one.up_descriptors for one in cycles]),
            _range("peak of `up`, MiB", [one.peak_mib for one in cycles]),
        ]
    )


def _counted(what: str, found: list[str]) -> list[str]:
    return [f"{what}: {len(found)}", *(f"  {one}" for one in found)]


def _range(what: str, values: Iterable[float]) -> str:
    chosen = list(values)
    low, high = min(chosen), max(chosen)
    return f"{what}: median {statistics.median(chosen):.1f}, from {low:.1f} to {high:.1f}"


def machine() -> str:
    """Describe this host in a few words."""
    memory = next(
        int(line.split()[1])
        for line in Path("/proc/meminfo").read_text().splitlines()
        if line.startswith("MemTotal")
    )
    cores, gibibytes = os.cpu_count(), round(memory / 2**20)
    return f"{cores} cores, {gibibytes} GiB, Linux {platform.release()}"
