"""What templates reach beyond their own text; handed in, so that tests hand in another."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from harness.template.addresses import Address

MAX_BYTES = 4 * 1024 * 1024
"""Of one fetched text."""

MAX_OUTPUT = 16 * 1024 * 1024
"""Of one rendered text, in characters."""

MAX_ITEMS = 100_000
"""Of what `loop`, `until` and their like make; a range in Go's dialect is not longer either."""

MAX_DEPTH = 30
"""Of includes within includes."""

MAX_STEPS = 500_000
"""Of one rendering, with all that it includes: loops' turns, calls, and Go's nodes."""

RENDER_SECONDS = 60.0
"""Of one rendering; what it fetches last has `outside.FETCH_SECONDS` of its own."""


class Fetcher(Protocol):
    """Gets the bytes behind an address."""

    def fetch(self, address: Address, headers: Mapping[str, str]) -> bytes:
        """Return what is there.

        Raises:
            OSError: If it cannot be had.
            ValueError: If this fetcher does not go there, or it is larger than `MAX_BYTES`.
        """
        ...


class Files:
    """The fetcher of those who stay on this host: texts and files, no network."""

    def fetch(self, address: Address, headers: Mapping[str, str]) -> bytes:
        """Return the bytes of a text or a file; headers are for others."""
        del headers
        if address.scheme == "str":
            return address.path.encode()
        if address.scheme != "file":
            raise ValueError(f"{address.shown} is not on this host, and nothing else is allowed")
        with Path(address.path).open("rb") as stream:
            return limited(stream.read(MAX_BYTES + 1))


def limited(data: bytes | bytearray) -> bytes:
    """Return data that is not too large.

    Raises:
        ValueError: If it is.
    """
    if len(data) > MAX_BYTES:
        raise ValueError(f"it is larger than {MAX_BYTES // 1024 // 1024} MiB")
    return bytes(data)


def _say_nothing(text: str) -> None:
    del text


def _stand_still() -> float:
    return 0.0


@dataclass(frozen=True, slots=True)
class World:
    """Fetcher, clock, dice, environment and standard error.

    Attributes:
        fetcher: Gets texts.
        now: The clock; returns a time with its zone.
        dice: For random text; a `random.SystemRandom` where it matters.
        environment: For `env` and `expandenv`.
        say: Where `echo` goes.
        seconds: A clock that only runs forward, for `RENDER_SECONDS`.
    """

    fetcher: Fetcher = field(default_factory=Files)
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    dice: random.Random = field(default_factory=random.SystemRandom)
    environment: Mapping[str, str] = field(default_factory=dict)
    say: Callable[[str], None] = _say_nothing
    seconds: Callable[[], float] = _stand_still
