"""Documents that are executed: their console blocks, and the shell into which they are typed.

A block holds what a terminal shows: after ``$`` a command on this host, after another prompt
what is typed into the program that this command started, and between them what is printed.
"""

from __future__ import annotations

import os
import re
import secrets
import signal
import subprocess
import threading
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from tests.e2e import lab as labs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

HEADING = re.compile(r"^## (.+)$", re.MULTILINE)
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PROMPT = re.compile(r"(?P<prompt>\$|\w+@[\w.-]+:\S*[$#]) (?P<typed>.+)")
# Stands for any number of lines that a document leaves out.
LEFT_OUT = "…"
SPAN = re.compile(r"(\d+(\.\d+)? ?[smh])+\b")
END_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Step:
    """One command of a document.

    Attributes:
        command: For the shell of this host.
        typed: Lines for the program that it starts.
        shown: Lines that it prints, by the document.
    """

    command: str
    typed: tuple[str, ...] = ()
    shown: tuple[str, ...] = ()


def sections(document: str) -> dict[str, tuple[Step, ...]]:
    """Return heading → steps, in order, for each section that has any."""
    places = [*HEADING.finditer(document), None]
    found = {}
    for place, following in pairwise(places):
        assert place is not None
        text = document[place.end() : following.start() if following else None]
        steps = tuple(step for block in BLOCK.findall(text) for step in _steps(block))
        if steps:
            found[place[1]] = steps
    return found


def _steps(block: str) -> Iterator[Step]:
    step: Step | None = None
    for line in block.splitlines():
        prompted = PROMPT.fullmatch(line)
        if prompted and prompted["prompt"] == "$":
            if step:
                yield step
            step = Step(prompted["typed"])
            continue
        assert step, f"no command prints {line!r}"
        if prompted:
            step = Step(step.command, (*step.typed, prompted["typed"]), step.shown)
        else:
            step = Step(step.command, step.typed, (*step.shown, line))
    if step:
        yield step


def is_alike(shown: Sequence[str], printed: Sequence[str]) -> bool:
    """Whether a document shows what was printed, line by line.

    How wide a column is, and how long something took, is another time different.
    """
    pattern = "".join(
        "(?:.*\n)*" if line == LEFT_OUT else re.escape(_shape(line)) + "\n" for line in shown
    )
    return bool(re.fullmatch(pattern, "".join(_shape(line) + "\n" for line in printed)))


def _shape(line: str) -> str:
    return " ".join(SPAN.sub("TIME", line).replace("[", "[ ").split())


class Shell:
    """One bash for a whole document, so that what a command sets holds for those that follow.

    Args:
        folder: Where it starts.
        env: Its environment.
    """

    def __init__(self, folder: Path, env: Mapping[str, str]) -> None:
        self._bash = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            cwd=folder,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._printed: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._bash.stdout
        self._printed.extend(iter(self._bash.stdout.readline, ""))

    def run(self, step: Step, *, timeout: float, patience: float = 2.0) -> None:
        """Type a command, and check that it succeeds and that what it shows is printed.

        Args:
            step: The command.
            timeout: Seconds for the command.
            patience: Seconds for what it shows to come after its end, from the background.
        """
        assert self._bash.stdin
        mark, begin = secrets.token_hex(8), len(self._printed)
        here = "".join(f"{line}\n" for line in step.typed)
        typed = f" <<'{mark}'\n{here}{mark}" if step.typed else ""
        # Only what is typed for it is a command's input, and not the commands that follow.
        self._bash.stdin.write(f"{{ {step.command}{typed}\n}} < /dev/null\necho {mark} $?\n")
        self._bash.stdin.flush()

        def printed() -> list[str]:
            return [line.rstrip("\n") for line in self._printed[begin:]]

        def since() -> str:
            return "\n".join([f"$ {step.command}", *printed()])

        def end() -> str | None:
            return next((line for line in printed() if line.startswith(mark)), None)

        def is_shown() -> bool:
            return is_alike(step.shown, [line for line in printed() if line != end()])

        try:
            labs.wait_for("its end", lambda: end() is not None, timeout, interval=0.2)
            assert end() == f"{mark} 0", "it failed"
            labs.wait_for("what is shown", is_shown, patience, interval=0.2)
        except AssertionError as error:
            error.add_note(since())
            raise

    def close(self) -> None:
        """End the shell and whatever it started; its output ends with the last of them."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            os.killpg(self._bash.pid, number)
            self._reader.join(END_SECONDS)
        with self._bash:
            pass  # closes its ends of the pipes
