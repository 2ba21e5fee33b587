"""Go's literals: numbers, characters and strings, as values."""

from __future__ import annotations

import re

_ESCAPE = re.compile(
    r"\\(?:(?P<x>x[0-9a-fA-F]{2})|(?P<u>u[0-9a-fA-F]{4})|(?P<U>U[0-9a-fA-F]{8})"
    r"|(?P<octal>[0-7]{3})|(?P<one>.))",
    re.DOTALL,
)
_ONE = dict(zip("abfnrtv\\'\"", "\a\b\f\n\r\t\v\\'\"", strict=True))
_MAX_BYTE = 0xFF


def number(text: str) -> int | float:
    """Return the value of a number.

    Raises:
        ValueError: If it is none.
    """
    digits = text.replace("_", "")
    lowered = digits.lower()
    if lowered.lstrip("+-").startswith(("0x", "0b", "0o")):
        return float.fromhex(digits) if "p" in lowered or "." in lowered else int(digits, 0)
    if any(mark in lowered for mark in ".e"):
        return float(digits)
    plain = digits.lstrip("+-")
    if len(plain) > 1 and plain.startswith("0"):
        if set(plain) & {"8", "9"}:
            raise ValueError(f"bad number syntax: '{text}'")
        return int(digits, 8)
    return int(digits)


def quoted(text: str) -> str:
    """Return what a string or a character between quotes says.

    Raises:
        ValueError: For an escape that Go does not know.
    """
    quote, inner = text[0], text[1:-1]
    if "\\" not in inner:
        return inner
    # \x41 and \101 are bytes, \u0041 is a character; bytes must add up to UTF-8.
    data = b""
    at = 0
    for found in _ESCAPE.finditer(inner):
        data += inner[at : found.start()].encode() + _unescaped(found, quote)
        at = found.end()
    return (data + inner[at:].encode()).decode()


def _unescaped(found: re.Match[str], quote: str) -> bytes:
    if found["x"]:
        return bytes([int(found["x"][1:], 16)])
    if code := found["u"] or found["U"]:
        return chr(int(code[1:], 16)).encode()
    if found["octal"]:
        if int(found["octal"], 8) > _MAX_BYTE:
            raise ValueError(f"`{found.group()}` is no byte")
        return bytes([int(found["octal"], 8)])
    other = "'" if quote == '"' else '"'
    if found["one"] not in _ONE or found["one"] == other:
        raise ValueError(f"Go knows no escape `{found.group()}`")
    return _ONE[found["one"]].encode()


def character(text: str) -> int:
    """Return the code point of a character between quotes.

    Raises:
        ValueError: If there are several.
    """
    inner = quoted(text)
    if len(inner) != 1:
        raise ValueError(f"{text} is not one character")
    return ord(inner)
