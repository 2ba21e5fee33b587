"""What became of each cell, kept line by line, and all of them as a table."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from tests.e2e.faults.cells import PHASES, SENSIBLE, Cell, Fault
from tests.e2e.faults.trial import Trial

if TYPE_CHECKING:
    from collections.abc import Sequence
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
    """Return a table of faults and phases in Markdown, and below it what is bad.

    An entry is with what the struck `up` ended: its exit code and, where another phase than
    the struck one failed, that phase.
    """
    latest = {trial.cell: trial for trial in trials}
    tried = [latest[str(cell)] for cell in SENSIBLE if str(cell) in latest]
    bad = [trial for trial in tried if not trial.is_good]
    commits = ", ".join(dict.fromkeys(trial.commit for trial in tried))
    head = f"{len(tried)} of {len(SENSIBLE)} cells tried at {commits}; {len(bad)} bad"
    rows = [f"| fault | {' | '.join(PHASES)} |", f"|---|{'---|' * len(PHASES)}"]
    for fault in Fault:
        entries = (_entry(latest, Cell(phase, fault)) for phase in PHASES)
        rows.append(f"| {fault} | {' | '.join(entries)} |")
    return "\n".join([head, "", *rows, *(f"\n{line(trial)}" for trial in bad)])


def _entry(latest: dict[str, Trial], cell: Cell) -> str:
    if cell.why_senseless:
        return ""
    trial = latest.get(str(cell))
    if trial is None:
        return "?"
    noticed = "" if trial.noticed in {"", cell.phase} else f" {trial.noticed}"
    return f"{trial.status}{noticed}{'' if trial.is_good else ' BAD'}"
