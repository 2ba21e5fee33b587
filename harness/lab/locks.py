"""Locks between harnesses of one host; the kernel takes them back from one that dies."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import filelock

from harness import wait
from harness.errors import HostError
from harness.events import Notice

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LOCK_SECONDS = 3600.0
TICK_SECONDS = 0.2


@contextlib.contextmanager
def alone(
    file: Path,
    doing: str,
    tell: Callable[[Notice], None] = lambda _: None,
    *,
    timeout: float | None = None,
) -> Iterator[None]:
    """Be the only harness that does something; wait for another one that does.

    Args:
        file: The lock; its folder is made if it is missing.
        doing: What is done, after "another harness is".
        tell: Told of a wait.
        timeout: Seconds for the wait; by default an hour.

    Raises:
        HostError: If the lock cannot be made, or if another harness does not end.
        InterruptedRunError: If everything is being stopped.
    """
    lock = filelock.FileLock(file)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(blocking=False)
    except filelock.Timeout:  # an OSError too, hence first
        tell(Notice(f"Another harness is {doing}; waiting for it."))
        _wait_for(lock, LOCK_SECONDS if timeout is None else timeout)
    except OSError as error:
        hint = "HARNESS_CACHE_DIR chooses another place for what is built."
        raise HostError(f"cannot write to {file.parent}: {error.strerror}", hint=hint) from error
    try:
        yield
    finally:
        lock.release()


def _wait_for(lock: filelock.BaseFileLock, timeout: float) -> None:
    try:
        wait.retry(
            lambda: lock.acquire(blocking=False),
            on=(filelock.Timeout,),
            timeout=timeout,
            interval=TICK_SECONDS,
            what="the lock",
        )
    except wait.WaitTimeout as error:
        message = f"another harness has held {lock.lock_file} for {timeout:g} s"
        raise HostError(message, hint="Look for another `harness` process.") from error
