"""The live display: a row per machine, and the finished phases above them."""

from __future__ import annotations

import contextlib
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from harness.events import Event, MachineProgress, Notice, PhaseEnded, PhaseFailed, PhaseStarted
from harness.reporters.safe import one_line

if TYPE_CHECKING:
    from collections.abc import Callable

REFRESHES_PER_SECOND = 4
LEVEL_STYLES = {"warning": "yellow", "error": "bold red"}


@dataclass(frozen=True, slots=True)
class Row:
    """What is shown of one machine in one phase.

    Attributes:
        began: When it came into the phase, in the clock's seconds.
        reason: What it does or waits for.
        seconds: How long it took, once it is done.
    """

    began: float
    reason: str = ""
    seconds: float | None = None


class Board:
    """Which machines are in which phases: what the display shows, without a terminal.

    A phase that names no machine has one row without a name until a machine reports in it.
    A machine may be in several phases at once, as the parallel steps of a bundle are.
    """

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str], Row] = {}
        self._phases: dict[str, float] = {}

    def take(self, event: Event, now: float) -> None:
        """Change what is shown."""
        match event:
            case PhaseStarted(phase, machines):
                self._phases[phase] = now
                for machine in machines or ("",):
                    self._enter(machine, phase, now)
            case PhaseEnded(phase) | PhaseFailed(phase):
                self._phases.pop(phase, None)
                # Rows of phases that nobody announced go with whichever ends next.
                self._drop(lambda _, of: of not in self._phases)
            case MachineProgress(machine, phase, reason, done):
                self._rows.pop(("", phase), None)
                row = self._enter(machine, phase, self._phases.get(phase, now))
                seconds = now - row.began if done else None
                self._rows[machine, phase] = Row(row.began, one_line(reason), seconds)
            case Notice():
                pass

    def _enter(self, machine: str, phase: str, now: float) -> Row:
        if (machine, phase) not in self._rows:
            done = {key for key, row in self._rows.items() if row.seconds is not None}
            self._drop(lambda name, of: name == machine and (name, of) in done)
            self._rows[machine, phase] = Row(now)
        return self._rows[machine, phase]

    def _drop(self, unwanted: Callable[[str, str], bool]) -> None:
        self._rows = {key: row for key, row in self._rows.items() if not unwanted(*key)}

    def cells(self, now: float) -> list[tuple[str, str, str, str]]:
        """Return name, phase, elapsed time and reason of each row, in order of appearance."""
        return [
            (
                machine,
                phase,
                f"{now - row.began if row.seconds is None else row.seconds:.0f}s",
                row.reason if row.seconds is None else "done",
            )
            for (machine, phase), row in self._rows.items()
        ]


class Terminal:
    """Draws the board with rich; finished phases and notices scroll away above it."""

    def __init__(
        self, stream: TextIO, *, color: bool = True, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._console = Console(file=stream, no_color=not color, highlight=False)
        self._clock = clock
        self._board = Board()
        self._lock = threading.Lock()
        self._live = Live(
            console=self._console,
            get_renderable=self._table,
            refresh_per_second=REFRESHES_PER_SECOND,
            transient=True,
            # What commands print to stdout is for programs: rich must not touch it.
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def report(self, event: Event) -> None:
        """Take one event; what goes wrong in drawing is not the cluster's problem."""
        with contextlib.suppress(Exception):
            # Drawn after our lock is released: the thread that refreshes takes rich's lock
            # and then ours, and the other order here would end in a deadlock.
            with self._lock:
                self._board.take(event, self._clock())
            line = _line(event)
            if line:
                self._console.print(line)
            self._live.start()

    def close(self) -> None:
        """Take the display away and give the cursor back."""
        with contextlib.suppress(Exception):
            self._live.stop()

    def _table(self) -> Table:
        table = Table.grid(padding=(0, 2), expand=True)
        table.add_column(no_wrap=True, style="bold")
        table.add_column(no_wrap=True, style="cyan")
        table.add_column(no_wrap=True, justify="right")
        table.add_column(no_wrap=True, overflow="ellipsis", ratio=1, style="dim")
        with self._lock:
            rows = self._board.cells(self._clock())
        for row in rows:
            table.add_row(*(Text(cell) for cell in row))
        return table


def _line(event: Event) -> Text | None:
    """Return what stays on the screen of an event."""
    match event:
        case PhaseEnded(phase, seconds, note):
            mark = ("✓ ", "green")
            return Text.assemble(mark, f"{phase:<12}", f"{seconds:6.1f} s", f"  {note}".rstrip())
        case PhaseFailed(phase, seconds, message):
            mark = ("✗ ", "bold red")
            text = f"  {one_line(message)}"
            return Text.assemble(mark, f"{phase:<12}", f"{seconds:6.1f} s", text)
        case Notice(message, level):
            return Text(message, style=LEVEL_STYLES.get(level, ""))
        case _:
            return None
