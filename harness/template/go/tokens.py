"""The words of Go's template language: a text becomes tokens, with trim markers applied."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from harness.template.faults import FaultError, Site

LEFT, RIGHT = "{{", "}}"
SPACES = " \t\r\n"


class Kind(StrEnum):
    """What a token is."""

    TEXT = "text"
    LEFT = "{{"
    RIGHT = "}}"
    FIELD = "field"
    VARIABLE = "variable"
    WORD = "word"
    NUMBER = "number"
    CHAR = "character"
    STRING = "string"
    RAW = "raw string"
    MARK = "mark"
    END = "end of text"


@dataclass(frozen=True, slots=True)
class Token:
    """One word.

    Attributes:
        kind: What it is.
        text: As it is written.
        start: Offset of its first character.
        spaced: Whether white space stands before it.
    """

    kind: Kind
    text: str
    start: int
    spaced: bool = False

    @property
    def stop(self) -> int:
        """Offset after its last character."""
        return self.start + len(self.text)


_NUMBER = (
    r"[+-]?(?:0[xX][0-9a-fA-F_]+(?:\.[0-9a-fA-F]*)?(?:[pP][+-]?\d+)?|0[bB][01_]+|0[oO][0-7_]+"
    r"|\d[\d_]*(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)"
)
_TOKENS = re.compile(
    "|".join(
        f"(?P<{name}>{pattern})"
        for name, pattern in (
            ("NUMBER", _NUMBER),
            ("FIELD", r"\.[^\W\d]\w*"),
            ("VARIABLE", r"\$(?:\w+)?"),
            ("WORD", r"[^\W\d]\w*"),
            ("STRING", r'"(?:[^"\\\n]|\\.)*"'),
            ("CHAR", r"'(?:[^'\\\n]|\\.)+'"),
            ("RAW", r"`[^`]*`"),
            ("MARK", r":=|[=|(),.]"),
        )
    )
)
_END_OF_WORD = re.compile(r"[\s.,|:)(=]|\}\}|$")
_TRIM_LEFT = re.compile(r"-(?=[ \t\r\n])")
_RIGHT = re.compile(r"(?P<trim>[ \t\r\n]-)?\}\}")


class Lexer:
    """Cuts one text into tokens."""

    def __init__(self, text: str, name: str) -> None:
        self._text = text
        self._name = name
        self._at = 0
        self._tokens: list[Token] = []
        self._trim_next = False

    def tokens(self) -> list[Token]:
        """Return all tokens, the last of kind END.

        Raises:
            FaultError: For what is no token.
        """
        while (left := self._text.find(LEFT, self._at)) >= 0:
            self._action(left)
        self._literal(self._text[self._at :], trim_end=False)
        self._tokens.append(Token(Kind.END, "", len(self._text)))
        return self._tokens

    def _action(self, left: int) -> None:
        inside = left + len(LEFT)
        trims = _TRIM_LEFT.match(self._text, inside) is not None
        self._literal(self._text[self._at : left], trim_end=trims)
        start = inside + (2 if trims else 0)
        if self._text.startswith("/*", start):
            self._comment(left, start)
            return
        self._tokens.append(Token(Kind.LEFT, LEFT, left))
        self._at = start
        while not self._closed(left):
            self._token(left)

    def _literal(self, text: str, *, trim_end: bool) -> None:
        start = self._at
        if self._trim_next:
            start += len(text) - len(text.lstrip(SPACES))
            text = text.lstrip(SPACES)
        if trim_end:
            text = text.rstrip(SPACES)
        if text:
            self._tokens.append(Token(Kind.TEXT, text, start))
        self._trim_next = False

    def _comment(self, left: int, start: int) -> None:
        stop = self._text.find("*/", start)
        if stop < 0:
            raise self.fault("unclosed comment", left)
        right = _RIGHT.match(self._text, stop + 2)
        if right is None:
            raise self.fault("comment ends before closing delimiter", left)
        self._close(right)

    def _closed(self, left: int) -> bool:
        right = _RIGHT.match(self._text, self._at)
        if right is None:
            return False
        del left
        self._tokens.append(Token(Kind.RIGHT, right.group(), self._at))
        self._close(right)
        return True

    def _close(self, right: re.Match[str]) -> None:
        self._trim_next = right["trim"] is not None
        self._at = right.end()

    def _token(self, left: int) -> None:
        start = self._at
        while self._text[self._at : self._at + 1] in {*SPACES}:
            if _RIGHT.match(self._text, self._at):
                return
            self._at += 1
        spaced = self._at > start
        if spaced and _RIGHT.match(self._text, self._at):
            return
        if self._at >= len(self._text):
            raise self.fault("unclosed action", left)
        found = _TOKENS.match(self._text, self._at)
        if found is None:
            raise self.fault(_no_token(self._text[self._at]), self._at)
        kind = Kind[found.lastgroup or "MARK"]
        self._at = found.end()
        if kind in {Kind.NUMBER, Kind.WORD, Kind.FIELD, Kind.VARIABLE}:
            self._ends(kind, found)
        self._tokens.append(Token(kind, found.group(), found.start(), spaced))

    def _ends(self, kind: Kind, found: re.Match[str]) -> None:
        if not _END_OF_WORD.match(self._text, self._at):
            bad = self._text[self._at]
            if kind is Kind.NUMBER:
                raise self.fault(f"bad number syntax: {found.group() + bad!r}", found.start())
            raise self.fault(f"bad character {bad!r} after `{found.group()}`", self._at)

    def fault(self, message: str, offset: int) -> FaultError:
        """Return a fault at an offset."""
        return FaultError(message, site(self._text, self._name, offset))


def _no_token(character: str) -> str:
    closing = {'"': "unterminated quoted string", "`": "unterminated raw quoted string"}
    closing["'"] = "unterminated character constant"
    return closing.get(character, f"unrecognized character in action: {character!r}")


def site(text: str, name: str, offset: int) -> Site:
    """Return the place of an offset; columns count from 1."""
    line = text.count("\n", 0, offset) + 1
    return Site(name, line, offset - (text.rfind("\n", 0, offset) + 1) + 1)
