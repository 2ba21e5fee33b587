"""The quoting filters: one per language that a template may write."""

from __future__ import annotations

import shlex
from pathlib import Path


def sh(value: object) -> str:
    """Quote a value so that a POSIX shell reads it back as one word, unchanged.

    Raises:
        TypeError: For anything but text and whole numbers; a list would be one word.
        ValueError: For a NUL, which no shell word can hold.
    """
    return shlex.quote(_text(value))


def ruby(value: object) -> str:
    r"""Write a value as a single-quoted Ruby literal, where only `\` and `'` are special.

    Raises:
        TypeError: For anything but text and whole numbers.
        ValueError: For a NUL or a carriage return, which Ruby's lexer would change.
    """
    text = _text(value)
    if "\r" in text:
        raise ValueError("a carriage return cannot stand in a Ruby literal")
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _text(value: object) -> str:
    # StrictUndefined raises here, in str().
    text = str(value)
    if isinstance(value, bool) or not isinstance(value, str | int | Path):
        raise TypeError(f"only text and whole numbers can be quoted, not {type(value).__name__}")
    if "\0" in text:
        raise ValueError("a NUL cannot be quoted")
    return text
