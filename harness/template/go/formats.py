"""Go's `printf`: verbs with flags, width and precision; a wrong argument is an error."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from harness.template.functions.table import kind_of, modest
from harness.template.values import printed

if TYPE_CHECKING:
    from collections.abc import Iterator

_VERB = re.compile(
    r"%(?P<flags>[-+# 0]*)(?P<width>\d*)(?:\.(?P<precision>\d*))?(?P<verb>.?)", re.DOTALL
)
_INTEGERS = {"d": "d", "o": "o", "x": "x", "X": "X"}
_MAX_WIDTH = 10_000


def sprintf(template: str, *values: object) -> str:
    """Return a text with values in the place of verbs.

    Raises:
        TypeError: If a verb does not fit its value.
        ValueError: If there are too few values or too many.
    """
    rest = iter(values)
    text = _VERB.sub(lambda found: _one(found, rest), template)
    if extra := list(rest):
        raise ValueError(f"printf has {len(extra)} values too many")
    return text


def _one(found: re.Match[str], values: Iterator[object]) -> str:
    verb = found["verb"]
    if verb == "%":
        return "%"
    for size in (found["width"], found["precision"]):
        modest(int(size or 0), _MAX_WIDTH)
    try:
        value = next(values)
    except StopIteration:
        raise ValueError(f"printf has no value for `{found.group()}`") from None
    return _padded(found, _formatted(found, verb, value))


def _formatted(found: re.Match[str], verb: str, value: object) -> str:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if verb == "v" or (verb == "s" and not is_number):
        text = _go_syntax(value) if "#" in found["flags"] else printed(value)
        return text if found["precision"] is None else text[: int(found["precision"] or 0)]
    if verb == "T":
        return kind_of(value)
    if isinstance(value, str):
        return _quoted(found["flags"], verb, value)
    if verb == "t" and isinstance(value, bool):
        return printed(value)
    if isinstance(value, float):
        return _fraction(found, verb, value)
    return _integer(found["flags"], verb, value)


def _quoted(flags: str, verb: str, value: str) -> str:
    if verb == "q":
        return json.dumps(value, ensure_ascii=False)
    if verb in {"x", "X"}:
        text = f"{'0x' if '#' in flags else ''}{value.encode().hex()}"
        return text if verb == "x" else text.upper()
    raise TypeError(f"`%{verb}` is not for a value of kind string")


def _fraction(found: re.Match[str], verb: str, value: float) -> str:
    if verb not in {*"eEfFgG"}:
        raise TypeError(f"`%{verb}` is not for a value of kind float64")
    sign = "".join(flag for flag in "+ " if flag in found["flags"])
    if verb in {*"gG"} and found["precision"] is None:
        return (sign if value >= 0 else "") + printed(value)
    precision = int(found["precision"] or 0) if found["precision"] is not None else 6
    return f"%{sign}.{precision}{verb}" % value


def _integer(flags: str, verb: str, value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"`%{verb}` is not for a value of kind {kind_of(value)}")
    sign = "".join(flag for flag in "+ " if flag in flags)[:1]
    if verb in _INTEGERS:
        alternate = "#" if "#" in flags and verb != "d" else ""
        return f"{value:{sign}{alternate}{_INTEGERS[verb]}}"
    if verb == "b":
        return f"{value:{sign}b}"
    if verb in {"c", "q"}:
        return chr(value) if verb == "c" else f"'{chr(value)}'"
    if verb == "U":
        return f"U+{value:04X}"
    raise TypeError(f"`%{verb}` is not for a value of kind int")


def _go_syntax(value: object) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else printed(value)


def _padded(found: re.Match[str], text: str) -> str:
    width = int(found["width"] or 0)
    if "-" in found["flags"]:
        return text.ljust(width)
    if "0" in found["flags"]:
        return text.zfill(width) if found["verb"] != "s" else text.rjust(width, "0")
    return text.rjust(width)
