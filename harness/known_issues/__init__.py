"""The catalogue of known failures, in the manner of minikube's known issues.

Pure: text in, entries out. `docs/troubleshooting.md` is generated from it, and each entry
has a test that makes the failure or replays its real output (tests/replays).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.errors import HarnessError, leaves
from harness.known_issues import containers, hosts, joining, machines, networks, supplies
from harness.known_issues.issue import DOCUMENT, KnownIssue

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["CATALOGUE", "DOCUMENT", "KnownIssue", "excerpt", "explaining", "texts"]

CATALOGUE: tuple[KnownIssue, ...] = (
    *supplies.ISSUES,
    *hosts.ISSUES,
    *machines.ISSUES,
    *containers.ISSUES,
    *joining.ISSUES,
    *networks.ISSUES,
)
"""In the order in which one thing leads to another: what comes first is the likelier cause."""


def explaining(error: BaseException) -> tuple[KnownIssue, ...]:
    """Return the issues that an error, or a group of errors, shows; the likeliest cause first."""
    text = "\n".join(texts(error))
    kinds = [leaf for leaf in leaves(error) if isinstance(leaf, HarnessError)]
    return tuple(
        issue
        for issue in CATALOGUE
        if any(isinstance(kind, issue.errors) for kind in kinds) and issue.match(text)
    )


def texts(error: BaseException) -> Iterator[str]:
    """Yield all that is told of an error: message, hint, and what was noted on it."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from texts(inner)
    elif isinstance(error, HarnessError):
        yield error.message
        yield error.hint
    yield from getattr(error, "__notes__", ())


def excerpt(log: str, last: int) -> str:
    """Return the last lines of a log, and before them those by which issues are recognised.

    What a failure comes from is often said once, long before the last word. Of several
    lines that show the same issue the latest is enough.
    """
    lines = log.splitlines()
    earlier = max(0, len(lines) - last)
    telling = {
        issue.id: number
        for number, line in enumerate(lines[:earlier])
        for issue in CATALOGUE
        if issue.match(line)
    }
    return "\n".join([*(lines[number] for number in sorted({*telling.values()})), *lines[earlier:]])
