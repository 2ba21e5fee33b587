"""Waits: the one importer of tenacity, whose defaults retry every error for ever.

Nothing here waits without a deadline, and `process.stop_all` ends every wait at once.
The clock and the sleep are parameters, so that no test sleeps.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

import tenacity
from tenacity.nap import sleep_using_event

from harness.errors import InterruptedRunError, PhaseError
from harness.process import STOPPING

if TYPE_CHECKING:
    from collections.abc import Callable

    Clock = Callable[[], float]
    Sleep = Callable[[float], None]

Answer = TypeVar("Answer")

pause = sleep_using_event(STOPPING)
"""Sleeps some seconds, or less if everything is being stopped."""


class WaitTimeout(PhaseError):  # noqa: N818 - reads as what happened
    """Something did not come true in time.

    Attributes:
        what: What was waited for.
        reason: Why it was not yet true when it was last looked at.
    """

    def __init__(self, what: str, reason: str, timeout: float) -> None:
        self.what = what
        self.reason = reason
        super().__init__(f"{what}: not within {round(timeout, 1):g} s: {reason}")


class Deadline:
    """A moment by which something must have happened."""

    def __init__(self, seconds: float, *, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._end = clock() + seconds

    @property
    def remaining(self) -> float:
        """Seconds that are left, never negative."""
        return max(0.0, self._end - self._clock())

    @property
    def expired(self) -> bool:
        """Whether nothing is left."""
        return self.remaining <= 0


class _NotYetError(Exception):
    """Carries a condition's reason through tenacity."""


def until(  # noqa: PLR0913 - one call says everything about one wait
    condition: Callable[[], str | None],
    *,
    timeout: float,
    interval: float,
    what: str,
    on_reason: Callable[[str], None] | None = None,
    clock: Clock = time.monotonic,
    sleep: Sleep = pause,
) -> None:
    """Wait until a condition no longer has a reason to say "not yet".

    Args:
        condition: Returns why not yet, or None when it is so. What it raises surfaces at
            once. It is asked at least once, and once more when the time has run out.
        timeout: Seconds; a call that hangs needs a limit of its own.
        interval: Seconds between two looks.
        what: What is waited for, for the message.
        on_reason: Told each reason that differs from the one before.
        clock: Monotonic seconds.
        sleep: Lets seconds pass.

    Raises:
        WaitTimeout: With the last reason.
        InterruptedRunError: If everything is being stopped.
    """
    told: str | None = None

    def look() -> None:
        nonlocal told
        reason = condition()
        if reason is None:
            return
        if on_reason and reason != told:
            on_reason(reason)
        told = reason
        raise _NotYetError(reason)

    retry(
        look,
        on=(_NotYetError,),
        timeout=timeout,
        interval=interval,
        what=what,
        clock=clock,
        sleep=sleep,
    )


def retry(  # noqa: PLR0913 - one call says everything about one wait
    call: Callable[[], Answer],
    *,
    on: tuple[type[Exception], ...],
    timeout: float,
    interval: float,
    what: str,
    clock: Clock = time.monotonic,
    sleep: Sleep = pause,
) -> Answer:
    """Call again while it raises what is known to pass; return its answer.

    Args:
        call: Made at least once, and once more when the time has run out.
        on: What is known to pass; anything else surfaces at once.
        timeout: Seconds from now.
        interval: Seconds between two calls.
        what: What is tried, for the message.
        clock: Monotonic seconds.
        sleep: Lets seconds pass.

    Raises:
        WaitTimeout: With the last error's text as its reason, and that error as its cause.
        InterruptedRunError: If everything is being stopped.
    """
    deadline = Deadline(timeout, clock=clock)

    def guarded() -> Answer:
        if STOPPING.is_set():
            raise InterruptedRunError(f"stopped while waiting: {what}")
        return call()

    retrying = tenacity.Retrying(
        sleep=sleep,
        stop=lambda _: deadline.expired,
        wait=lambda _: min(interval, deadline.remaining),
        retry=tenacity.retry_if_exception_type(on),
    )
    try:
        return retrying(guarded)
    except tenacity.RetryError as error:
        last = error.last_attempt.exception()
        raise WaitTimeout(what, str(last), timeout) from last
