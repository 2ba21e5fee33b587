"""Waits end: with what was waited for, with the reason why not, or because all is stopped."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from harness import process, wait
from harness.errors import InterruptedRunError, PhaseError
from tests.fakes import FakeClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class PassingError(Exception):
    """Something that is known to pass."""


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def resumed() -> Iterator[None]:
    yield
    process.resume()


def reasons(*given: str | None) -> Callable[[], str | None]:
    """Return a condition that has these reasons, then the last one for ever."""
    left = list(given)
    return lambda: left.pop(0) if len(left) > 1 else left[0]


def test_a_condition_that_is_met_is_not_slept_on(clock: FakeClock) -> None:
    wait.until(lambda: None, timeout=5, interval=1, what="this", clock=clock, sleep=clock.sleep)
    assert clock.slept == []


def test_a_condition_is_asked_again_until_it_has_no_reason_left(clock: FakeClock) -> None:
    condition = reasons("no", "not yet", None)
    wait.until(condition, timeout=60, interval=2, what="this", clock=clock, sleep=clock.sleep)
    assert clock.slept == [2, 2]


def test_running_out_of_time_quotes_the_last_reason(clock: FakeClock) -> None:
    condition = reasons("no answer", "kubelet has not posted ready status")
    with pytest.raises(wait.WaitTimeout) as info:
        wait.until(
            condition, timeout=5, interval=2, what="w1 Ready", clock=clock, sleep=clock.sleep
        )
    error = info.value
    assert (error.what, error.reason) == ("w1 Ready", "kubelet has not posted ready status")
    assert error.message == "w1 Ready: not within 5 s: kubelet has not posted ready status"
    assert isinstance(error, PhaseError)


def test_the_last_look_is_at_the_deadline_and_not_beyond_it(clock: FakeClock) -> None:
    condition = reasons("no")
    with pytest.raises(wait.WaitTimeout):
        wait.until(condition, timeout=5, interval=2, what="x", clock=clock, sleep=clock.sleep)
    assert clock.slept == [2, 2, 1]


def test_no_time_at_all_still_looks_once(clock: FakeClock) -> None:
    wait.until(lambda: None, timeout=0, interval=1, what="x", clock=clock, sleep=clock.sleep)
    with pytest.raises(wait.WaitTimeout, match="no"):
        wait.until(lambda: "no", timeout=0, interval=1, what="x", clock=clock, sleep=clock.sleep)


def test_each_new_reason_is_told_once(clock: FakeClock) -> None:
    told: list[str] = []
    wait.until(
        reasons("a", "a", "b", "a", None),
        timeout=60,
        interval=1,
        what="x",
        on_reason=told.append,
        clock=clock,
        sleep=clock.sleep,
    )
    assert told == ["a", "b", "a"]


def test_a_bug_in_a_condition_surfaces_at_once(clock: FakeClock) -> None:
    def condition() -> str | None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        wait.until(condition, timeout=60, interval=1, what="x", clock=clock, sleep=clock.sleep)
    assert clock.slept == []


def test_what_is_known_to_pass_is_tried_again_and_the_answer_returned(clock: FakeClock) -> None:
    errors = [PassingError("refused"), PassingError("refused")]

    def call() -> int:
        if errors:
            raise errors.pop()
        return 42

    answer = wait.retry(
        call,
        on=(PassingError,),
        timeout=9,
        interval=1,
        what="x",
        clock=clock,
        sleep=clock.sleep,
    )
    assert answer == 42
    assert clock.slept == [1, 1]


def test_a_retry_out_of_time_keeps_the_last_error_as_its_cause(clock: FakeClock) -> None:
    def call() -> int:
        raise PassingError("connection refused")

    with pytest.raises(wait.WaitTimeout, match="SSH: not within 3 s: connection refused") as info:
        wait.retry(
            call,
            on=(PassingError,),
            timeout=3,
            interval=1,
            what="SSH",
            clock=clock,
            sleep=clock.sleep,
        )
    assert isinstance(info.value.__cause__, PassingError)


def test_a_deadline_counts_down_and_never_below_zero(clock: FakeClock) -> None:
    deadline = wait.Deadline(5, clock=clock)
    clock.sleep(2)
    assert (deadline.remaining, deadline.expired) == (3, False)
    clock.sleep(9)
    assert (deadline.remaining, deadline.expired) == (0, True)


@pytest.mark.usefixtures("resumed")
def test_stopping_everything_ends_a_wait_in_another_thread_at_once() -> None:
    threading.Timer(0.1, process.stop_all).start()
    began = time.monotonic()
    with pytest.raises(InterruptedRunError, match="w1 Ready"):
        wait.until(lambda: "no", timeout=60, interval=30, what="w1 Ready")
    assert time.monotonic() - began < 5
