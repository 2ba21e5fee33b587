"""What is known of a failure: by what it is recognised, why it happens, what to do."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.errors import HarnessError

DOCUMENT = "docs/troubleshooting.md"


@dataclass(frozen=True, slots=True)
class KnownIssue:
    """A failure that somebody has met before, and understood.

    Attributes:
        id: Stable, for programs and for search engines.
        title: What it is, in one sentence.
        errors: The classes of error as which it comes; they decide the exit code.
        patterns: Regular expressions, one of which is found in the error's message, in its
            hint or in what machines say of it. A blank matches any white space, since
            messages are wrapped; a dot does not leave its line.
        why: How it comes about.
        cure: What to do.
        sources: Where it was met: a line of the reference, an upstream issue.
    """

    id: str
    title: str
    errors: tuple[type[HarnessError], ...]
    patterns: tuple[str, ...]
    why: str
    cure: str
    sources: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.id}: {self.title} {self.cure} More in {DOCUMENT}#{self.id}."

    @property
    def exit_codes(self) -> tuple[int, ...]:
        """The exit codes that it ends in."""
        return tuple(sorted({error.exit_code for error in self.errors}))

    def match(self, text: str) -> re.Match[str] | None:
        """Return where the first of the patterns is found."""
        found = (re.search(pattern.replace(" ", r"\s+"), text) for pattern in self.patterns)
        return next((match for match in found if match), None)
