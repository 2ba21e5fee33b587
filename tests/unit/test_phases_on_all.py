"""Work on several machines at once: every outcome counts, and an interruption stops it all."""

from __future__ import annotations

import os
import signal
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import pytest

from harness import process
from harness.errors import CommandError, InterruptedRunError, ProviderError
from tests.fake_site import FakeSite
from tests.fakes import RecordingReporter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from harness.spec import MachinePlan

Words = ParamSpec("Words")
Answer = TypeVar("Answer")


class InterruptedPool(ThreadPoolExecutor):
    """A pool in which Ctrl-C strikes while the third piece of work is handed out."""

    handed_out = 0

    def submit(
        self, fn: Callable[Words, Answer], /, *args: Words.args, **kwargs: Words.kwargs
    ) -> Future[Answer]:
        self.handed_out += 1
        if self.handed_out == 3:
            raise KeyboardInterrupt
        return super().submit(fn, *args, **kwargs)


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeSite]:
    yield FakeSite.of(tmp_path, RecordingReporter(), monkeypatch)
    process.resume()


def test_a_bug_on_one_machine_is_not_lost_among_failures(fake: FakeSite) -> None:
    def work(machine: MachinePlan) -> None:
        if machine.name == fake.manager:
            raise ZeroDivisionError
        raise CommandError(machine.name)

    with pytest.raises(ExceptionGroup) as caught:
        fake.site().on_all(fake.plan.machines, "x", work)
    assert [type(error) for error in caught.value.exceptions] == [
        ZeroDivisionError,
        *[CommandError] * 3,
    ]


def test_what_is_done_beside_is_an_outcome_too(fake: FakeSite) -> None:
    def beside() -> None:
        raise ProviderError("no space left")

    done: list[str] = []
    with pytest.raises(ProviderError):
        fake.site().on_all(
            fake.plan.machines, "x", lambda machine: done.append(machine.name), beside=beside
        )
    assert sorted(done) == sorted(fake.plan.names)


def test_nobody_to_work_on_is_nothing_to_do(fake: FakeSite) -> None:
    fake.site().on_all([], "x", lambda machine: pytest.fail(machine.name))


def test_a_thread_that_is_being_started_when_an_interruption_comes_is_waited_for(
    fake: FakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, begun, never = threading.Thread.start, threading.Event(), threading.Event()
    ended: list[str] = []

    def interrupted(thread: threading.Thread) -> None:
        start(thread)
        assert begun.wait(timeout=20)
        raise KeyboardInterrupt

    def beside() -> None:
        begun.set()
        process.STOPPING.wait(timeout=20)
        never.wait(timeout=0.2)  # what it runs takes a moment to end
        ended.append("beside")

    monkeypatch.setattr(threading.Thread, "start", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fake.site().on_all(fake.plan.machines, "x", lambda _: None, beside=beside)
    assert ended == ["beside"]


def test_nothing_is_begun_once_everything_is_being_stopped(fake: FakeSite) -> None:
    process.stop_all()
    with pytest.raises(ExceptionGroup) as caught:
        fake.site().on_all(fake.plan.machines, "x", lambda machine: pytest.fail(machine.name))
    assert {type(error) for error in caught.value.exceptions} == {InterruptedRunError}


def test_an_interruption_while_the_work_is_handed_out_stops_what_has_begun(
    fake: FakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    def work(_machine: MachinePlan) -> None:
        assert process.STOPPING.wait(timeout=30)

    monkeypatch.setattr("concurrent.futures.ThreadPoolExecutor", InterruptedPool)
    with pytest.raises(KeyboardInterrupt):
        fake.site().on_all(fake.plan.machines, "x", work)
    assert process.STOPPING.is_set()


def test_an_interruption_stops_the_work_on_every_machine(fake: FakeSite) -> None:
    all_there = threading.Barrier(len(fake.plan.names))
    stopped = threading.Semaphore(0)

    def work(machine: MachinePlan) -> None:
        if all_there.wait(timeout=30) == 0:
            os.kill(os.getpid(), signal.SIGINT)
        assert process.STOPPING.wait(timeout=30)
        stopped.release()
        raise InterruptedRunError(machine.name)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            fake.site().on_all(fake.plan.machines, "x", work)
    finally:
        signal.signal(signal.SIGINT, before)
    assert all(stopped.acquire(timeout=30) for _ in fake.plan.names)
