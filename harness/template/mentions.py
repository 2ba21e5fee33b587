"""What templates include, read off their text: the files that a content hash must cover."""

from __future__ import annotations

from dataclasses import dataclass

FETCHING = frozenset(["include", "source", "fetch", "raw"])
"""The functions whose first argument is an address."""


@dataclass(frozen=True, slots=True)
class Mention:
    """An address that is written in a template.

    Attributes:
        name: As it is written.
        line: Where.
        must_exist: Whether its absence is a fault even if rendering never comes there.
        is_rendered: Whether what it names is a template and no plain text.
    """

    name: str
    line: int
    must_exist: bool = False
    is_rendered: bool = True
