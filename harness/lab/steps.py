"""Builds things step by step: each step cached, resumable, timed, and run as soon as it can be.

A step fills a new directory, which gets its name in one rename; then its stamp is written,
last. A killed step therefore starts over, alone; a step whose stamp fits what goes into it
is skipped. What goes in is its own inputs and the results of the steps that it needs.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from harness import process
from harness.errors import HarnessError, HostError, raise_all
from harness.events import Event, MachineProgress, PhaseEnded, PhaseFailed, PhaseStarted
from harness.lab.locks import alone

if TYPE_CHECKING:
    from harness.process import Finished

CACHED = "cached"
TICK_SECONDS = 0.5

OnEvent = Callable[[Event], None]
Inputs = Mapping[str, str | int | Sequence[str]]


@dataclass(frozen=True, slots=True)
class Done:
    """What a step left.

    Attributes:
        directory: Its output; nobody may change it.
        result: What identifies that output; steps that need it run again when it changes.
    """

    directory: Path
    result: str


@dataclass(frozen=True, slots=True)
class Work:
    """What a step is given to work with.

    Attributes:
        directory: Empty; becomes the step's output when the step returns.
        scratch: Empty; removed when the step returns.
        needs: What the steps that it needs left, by name.
        log: File to which all output goes.
        say: Tells the user, in one short line, what the step is at.
    """

    directory: Path
    scratch: Path
    needs: Mapping[str, Done]
    log: Path
    say: Callable[[str], None]

    def run(
        self,
        argv: Sequence[object],
        *,
        timeout: float,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        on_line: Callable[[str], None] | None = None,
    ) -> Finished:
        """Run a program to its end, as `process.run` does, into the step's log.

        Args:
            argv: Words, paths and numbers; each is made text.
            timeout: Seconds.
            env: Its whole environment; default: ours.
            cwd: Its working folder.
            on_line: Called with each line of output.
        """
        words = [str(word) for word in argv]
        return process.run(words, timeout=timeout, env=env, cwd=cwd, on_line=on_line, log=self.log)


@dataclass(frozen=True, slots=True)
class Step:
    """One step.

    Attributes:
        name: Unique; also the name of its directory.
        run: Fills `Work.directory`. Returns what identifies the output, or None if the
            inputs do that well enough.
        inputs: Everything beside `needs` that the output depends on.
        needs: Names of earlier steps.
        target: Where the output goes; default: a directory of its name beside the stamps.
        intact: Whether an output that is there is still good; asked under the lock.
    """

    name: str
    run: Callable[[Work], str | None]
    inputs: Inputs = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    target: Path | None = None
    intact: Callable[[Path], bool] = Path.is_dir


@dataclass(frozen=True, slots=True)
class _Stamp:
    digest: str
    result: str
    seconds: float


def cache_dir(environ: Mapping[str, str] = os.environ) -> Path:
    """Return where bundles, boxes and unfinished builds are kept: HARNESS_CACHE_DIR, if set."""
    if chosen := environ.get("HARNESS_CACHE_DIR"):
        return Path(chosen).expanduser().absolute()
    return platformdirs.user_cache_path("harness")


def build(steps: Sequence[Step], root: Path, *, label: str, on_event: OnEvent) -> dict[str, Done]:
    """Run every step that is not yet done, those that do not need each other in parallel.

    Args:
        steps: In an order in which a step comes after those that it needs.
        root: Directory for outputs, stamps and logs; made if it is missing.
        label: What is being built; the `machine` of the progress events.
        on_event: Called with one event at a time, from several threads.

    Returns:
        What each step left, by name.

    Raises:
        HostError: If `root` cannot be written, or if another harness builds in it and does
            not end.
        ExceptionGroup: If more than one step failed; a single failure is raised as it is.
    """
    guard = threading.Lock()

    def tell(event: Event) -> None:
        with guard:
            on_event(event)

    with alone(root / "lock", f"building the {label}", tell):
        return _Run(root, label, tell).all(steps)


class _Run:
    """One run over all steps; a thread for each, most of which wait for those they need."""

    def __init__(self, root: Path, label: str, tell: OnEvent) -> None:
        self._root = root
        self._label = label
        self._tell = tell
        self._failed = threading.Event()

    def all(self, steps: Sequence[Step]) -> dict[str, Done]:
        futures: dict[str, Future[Done | None]] = {}
        with ThreadPoolExecutor(max_workers=len(steps)) as pool:
            try:
                for step in steps:
                    needs = {name: futures[name] for name in step.needs}
                    futures[step.name] = pool.submit(self._after, step, needs)
                # In ticks: a signal that comes just before a wait begins is seen after it.
                while wait(futures.values(), timeout=TICK_SECONDS).not_done:
                    pass
            except BaseException:
                process.stop_all()  # the pool waits for its threads, and they for programs
                raise
        errors = [error for future in futures.values() if (error := future.exception())]
        raise_all(errors, f"{len(errors)} steps of the {self._label} failed")
        done = {name: future.result() for name, future in futures.items()}
        return {name: left for name, left in done.items() if left is not None}

    def _after(self, step: Step, needs: Mapping[str, Future[Done | None]]) -> Done | None:
        """Do a step when those that it needs are done; None if something failed before."""
        wait(needs.values())
        done: dict[str, Done] = {}
        for name, future in needs.items():
            if future.exception() or (left := future.result()) is None:
                return None
            done[name] = left
        if self._failed.is_set():
            return None
        try:
            return self._do(step, done)
        except BaseException:
            self._failed.set()
            raise

    def _do(self, step: Step, needs: Mapping[str, Done]) -> Done:
        digest = _digest(step, needs)
        directory = step.target or self._root / step.name
        stamp_file = self._root / f"{step.name}.json"
        self._tell(PhaseStarted(step.name))
        stamp = _read_stamp(stamp_file)
        if stamp and stamp.digest == digest and step.intact(directory):
            self._tell(PhaseEnded(step.name, 0.0, CACHED))
            return Done(directory, stamp.result)
        began = time.monotonic()
        try:
            result = self._fill(step, needs, directory, stamp_file) or digest
        except HarnessError as error:
            self._tell(PhaseFailed(step.name, time.monotonic() - began, error.message))
            raise
        except OSError as error:  # a full disk, a directory that is not ours
            self._tell(PhaseFailed(step.name, time.monotonic() - began, str(error)))
            raise HostError(f"{self._label}: {step.name}: {error}") from error
        seconds = time.monotonic() - began
        _write_stamp(stamp_file, _Stamp(digest, result, round(seconds, 3)))
        self._tell(PhaseEnded(step.name, seconds))
        return Done(directory, result)

    def _fill(
        self, step: Step, needs: Mapping[str, Done], directory: Path, stamp_file: Path
    ) -> str | None:
        new = directory.with_name(f"{directory.name}.new")
        scratch = self._root / f"{step.name}.tmp"
        log = self._root / f"{step.name}.log"
        for path in (new, scratch):
            _remove(path)
            path.mkdir(parents=True)
        log.unlink(missing_ok=True)

        def say(line: str) -> None:
            self._tell(MachineProgress(self._label, step.name, line))

        result = step.run(Work(new, scratch, needs, log, say))
        stamp_file.unlink(missing_ok=True)
        _remove(directory)
        new.rename(directory)
        _remove(scratch)
        return result


def _digest(step: Step, needs: Mapping[str, Done]) -> str:
    covered = {
        "name": step.name,
        "inputs": dict(step.inputs),
        "needs": {name: done.result for name, done in needs.items()},
    }
    return hashlib.sha256(json.dumps(covered, sort_keys=True).encode()).hexdigest()


def _read_stamp(path: Path) -> _Stamp | None:
    try:
        return _Stamp(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None  # none, or not ours: the step runs again and writes a good one


def _write_stamp(path: Path, stamp: _Stamp) -> None:
    new = path.with_suffix(".json.new")
    new.write_text(json.dumps(dataclasses.asdict(stamp)), encoding="utf-8")
    new.replace(path)


def _remove(path: Path) -> None:
    if path.exists():
        shutil.rmtree(path)
