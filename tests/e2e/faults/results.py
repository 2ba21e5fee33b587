"""What became of each cell, kept line by line, and all of them as a table."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from tests.e2e.faults.cells import PHASES, SENSIBLE, Fault
from tests.e2e.faults.trial import Trial

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path


def append(file: Path, trial: Trial) -> None:
    """Keep a trial; what was kept before stays."""
    with file.open("a", encoding="utf-8") as out:
        out.write(f"{json.dumps(asdict(trial))}\n")


def load(file: Path) -> list[Trial]:
    """Return the trials that a file keeps, in order; none if there is no file."""
    if not file.exists():
        return []
    return [Trial(**json.loads(line)) for line in file.read_text().splitlines()]


def line(trial: Trial) -> str:
    """Say in a line or more what became of a trial."""
    times = ", ".join(f"{step} {seconds:.0f} s" for step, seconds in trial.seconds.items())
    verdict = "good" if trial.is_good else f"BAD: {trial.failure}"
    noticed = f" in {trial.noticed}" if trial.noticed else ""
    return f"{trial.cell}: exit {trial.status}{noticed}; {times}; {verdict}"


def report(trials: Sequence[Trial]) -> str:
    """Return a table of faults and phases: how the struck `up` ended, and what is bad."""
    latest = {trial.cell: trial for trial in trials}
    width = max(map(len, Fault)) + 2
    rows = [" " * width + "".join(f"{phase:>11}" for phase in PHASES)]
    for fault in Fault:
        entries = (_entry(latest, f"{phase}:{fault}") for phase in PHASES)
        rows.append(f"{fault:<{width}}" + "".join(f"{entry:>11}" for entry in entries))
    tried = [latest[str(cell)] for cell in SENSIBLE if str(cell) in latest]
    bad = [trial for trial in tried if not trial.is_good]
    commits = ", ".join(dict.fromkeys(trial.commit for trial in tried))
    head = f"{len(tried)} of {len(SENSIBLE)} cells tried at {commits}; {len(bad)} bad"
    return "\n".join([head, "", *rows, *_told(bad)])


def _entry(latest: dict[str, Trial], cell: str) -> str:
    """Return the exit code and, where it is another one, the phase that noticed."""
    if cell not in {str(one) for one in SENSIBLE}:
        return "-"
    if cell not in latest:
        return "?"
    trial = latest[cell]
    return f"{trial.status}" if trial.is_good else f"{trial.status} BAD"


def _told(bad: Iterable[Trial]) -> list[str]:
    return [f"\n{line(trial)}" for trial in bad]
