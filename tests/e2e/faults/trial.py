"""Cells on real machines: `up` is struck, judged and run again; in the end all is removed."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import time
from concurrent import futures
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from harness.lab import box
from tests.e2e import lab as labs
from tests.e2e.conftest import make_lab
from tests.e2e.faults.cells import MANAGER, SIGNALS, VAGRANT, Cell, Fault
from tests.e2e.faults.injection import Injection
from tests.soak import footprint
from tests.soak.footprint import Footprint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

CLUSTER = "fault"
# Far more than an undisturbed `up` takes on two cores where two run at once.
UP_SECONDS = 180.0
HANGING_UP_SECONDS = 30.0
# Time for what is done after a failure: the diagnosis, the evidence.
AFTERWARDS_SECONDS = 120.0
DOWN_SECONDS = 180.0
# Before it, nobody but Vagrant can log in.
BOOTED = "Machine booted and ready!"
FAILED = re.compile(r"^(?:\[ *[\d.]+s\] )?(\w+): failed after [\d.]+ s: ", re.MULTILINE)


@dataclass
class Trial:
    """What became of one cell.

    Attributes:
        cell: Its name.
        commit: Of the harness.
        status: With what the struck `up` ended.
        noticed: The phase that failed, if one did.
        sentence: The first line of what `up` said of it.
        failure: What was not as it should be; empty if all was.
        seconds: Step → how long it took: ``up``, ``again``, ``down``.
    """

    cell: str
    commit: str
    status: int | None = None
    noticed: str = ""
    sentence: str = ""
    failure: str = ""
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def is_good(self) -> bool:
        """Whether all was as it should be."""
        return not self.failure


def run(row: Sequence[Cell], commit: str, folder: Path) -> list[Trial]:
    """Let one cluster go through some cells: each `up` is struck, and the next one resumes.

    The process must have adopted orphans (`footprint.adopt_orphans`): what is left is told by
    descent too. What happens after the last cell is told of that one. The cluster is removed
    even if the trial is interrupted.

    Args:
        row: In the order of their phases.
        commit: What is tried.
        folder: Empty; for state, groups and temporary files.
    """
    folders = [folder, *(box.vagrant_home() / name for name in ("data", "tmp"))]
    lab = make_lab(folder, CLUSTER)
    before = Footprint.now(folders)
    tools = folder / "tools"
    tools.mkdir()
    trials = [Trial(str(cell), commit) for cell in row]
    last = trials[-1]
    try:
        for trial, cell in zip(trials, row, strict=True):
            _one(trial, Injection(cell, lab, tools))
        if row[-1].resumes:
            _attempt(last, lambda: _again(last, lab))
    finally:
        _attempt(last, lambda: _down(last, lab))
    shutil.rmtree(tools)
    after = footprint.settled(before, folders, lab.cluster)
    if left := after.left_since(before, lab.cluster):
        last.failure += f"left behind: {left}\n"
    footprint.end(left.get("processes", ()))
    return trials


def _one(trial: Trial, injection: Injection) -> None:
    injection.prepare()
    _attempt(trial, lambda: _struck(trial, injection))
    _attempt(trial, injection.cure)


def _attempt(trial: Trial, step: Callable[[], None]) -> None:
    """Do one step; what is wrong with it does not keep the others from being done."""
    try:
        step()
    except (AssertionError, subprocess.TimeoutExpired) as error:
        trial.failure += f"{error}\n"


def _struck(trial: Trial, injection: Injection) -> None:
    """Run `up` until it is struck, and then to its end."""
    cell, lab = injection.cell, injection.lab
    limit = HANGING_UP_SECONDS if cell.fault is Fault.VAGRANT_HANGS else UP_SECONDS
    began = time.monotonic()
    archives = _archives(lab)
    news = News(lab.workspace / "logs" / "events.jsonl")
    process = lab.start("up", f"--timeout={limit:g}", *map(str, lab.groups))
    with futures.ThreadPoolExecutor(max_workers=1) as pool:
        said = pool.submit(process.communicate)
        try:
            _strike(process, injection, news)
            _, output = said.result(timeout=limit + AFTERWARDS_SECONDS)
        except BaseException:
            process.kill()
            raise
    trial.status = process.returncode
    trial.seconds["up"] = time.monotonic() - began
    _judge(trial, injection, output)
    if cell.fails and cell.phase != "preflight":
        made = _archives(lab) - archives
        assert len(made) == 1, f"evidence: {made}\n{output}"


def _archives(lab: labs.Lab) -> set[Path]:
    return set((lab.state / "evidence").glob("*.tar.gz"))


def _strike(process: subprocess.Popen[str], injection: Injection, news: News) -> None:
    """Wait for the cell's phase; the harness stands still while it is struck."""
    cell = injection.cell
    if cell.fault in VAGRANT:
        return  # it is faulty from the beginning, in what this phase asks of it
    labs.wait_for(
        f"the phase {cell.phase}",
        lambda: is_in(news.come(), cell) or process.poll() is not None,
        timeout=UP_SECONDS,
        interval=0.02,
    )
    assert process.poll() is None, f"`up` ended before {cell}"
    os.kill(process.pid, signal.SIGSTOP)
    try:
        injection.strike(process)
    finally:
        with contextlib.suppress(ProcessLookupError):  # it was killed
            os.kill(process.pid, signal.SIGCONT)
    injection.goes_on()


class News:
    """What is added to a file of events, from now on."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._read = file.stat().st_size if file.exists() else 0

    def come(self) -> list[dict[str, Any]]:
        """Return the events that have come since the last look."""
        if not self._file.exists():
            return []
        with self._file.open("rb") as file:
            file.seek(self._read)
            whole, newline, _ = file.read().rpartition(b"\n")  # the last line may be half written
        self._read += len(whole + newline)
        return [json.loads(line) for line in whole.splitlines()]


def is_in(events: Iterable[dict[str, Any]], cell: Cell) -> bool:
    """Whether one of them is of the cell's phase; in `machines`, that its machine has booted."""
    return any(
        event.get("phase") == cell.phase
        and (
            cell.phase != "machines"
            or (event.get("machine") == cell.machine and BOOTED in event["reason"])
        )
        for event in events
    )


def _judge(trial: Trial, injection: Injection, output: str) -> None:
    """Compare how the struck `up` ended with what is expected."""
    cell = injection.cell
    failed = FAILED.search(output)
    trial.noticed = failed[1] if failed else ""
    said = output[failed.start() :] if failed else output
    trial.sentence = next((line for line in said.splitlines() if line.startswith("error: ")), "")
    assert trial.status in cell.codes, f"exit {trial.status}, not {set(cell.codes)}:\n{output}"
    assert "Traceback" not in output, output
    if cell.fails:
        _judge_failure(trial, injection, said)
    elif cell.fault in SIGNALS:
        _judge_interruption(cell, injection.lab, output)
    else:
        assert injection.lab.ready_nodes() == set(labs.NAMES)


def _judge_interruption(cell: Cell, lab: labs.Lab, output: str) -> None:
    """An interruption collects nothing, and leaves what can be collected from."""
    if cell.fault is not Fault.SIGKILL:
        assert f"Interrupted. What exists of cluster `{lab.cluster}` is kept." in output, output
        assert re.search(rf"^  In phase \w+: {cell.fault.upper()}$", output, re.MULTILINE), output
    archive = lab.state / "evidence" / f"{cell.phase}.tar.gz"
    logs = lab.named("logs", "--out", str(archive), timeout=AFTERWARDS_SECONDS)
    assert logs.status == 0, f"`logs` exited {logs.status}:\n{logs.stderr}"
    assert archive.is_file()


def _judge_failure(trial: Trial, injection: Injection, said: str) -> None:
    cell = injection.cell
    assert re.search(cell.says, said), f"the cause is not told ({cell.says}):\n{said}"
    if cell.phase == "preflight":
        return  # nothing was begun: neither a phase, nor a machine, nor evidence of anything
    assert trial.noticed, f"no phase is named:\n{said}"
    names = {cell.machine, MANAGER} if cell.fault is Fault.API_SERVER_STOPPED else {cell.machine}
    assert any(name in said for name in names), f"{names} are not named:\n{said}"


def _again(trial: Trial, lab: labs.Lab) -> None:
    began = time.monotonic()
    finished = lab.up()
    trial.seconds["again"] = time.monotonic() - began
    assert finished.status == 0, f"`up` again exited {finished.status}:\n{finished.stderr}"
    assert lab.ready_nodes() == set(labs.NAMES)


def _down(trial: Trial, lab: labs.Lab) -> None:
    began = time.monotonic()
    finished = lab.named("down", timeout=DOWN_SECONDS)
    trial.seconds["down"] = time.monotonic() - began
    assert finished.status == 0, f"`down` exited {finished.status}:\n{finished.stderr}"
    assert not lab.workspace.exists(), f"{lab.workspace} is still there"
