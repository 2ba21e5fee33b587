"""The functions that Go's template language brings along itself."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from urllib.parse import quote_plus

from harness.template.functions.table import kind_of
from harness.template.go.formats import sprintf
from harness.template.values import equal, less, printed, truth

_JS = {
    "\\": "\\\\", "'": "\\'", '"': '\\"', "<": "\\u003C", ">": "\\u003E", "&": "\\u0026",
    "=": "\\u003D",
}  # fmt: skip
_FIRST_PRINTABLE = 0x20
_MAX_SLICE = 2


def _eq(first: object, *others: object) -> bool:
    if not others:
        raise TypeError("missing argument for comparison")
    return any(equal(first, other) for other in others)


def _index(item: object, *keys: object) -> object:
    for key in keys:
        item = _at(item, key)
    return item


def _at(item: object, key: object) -> object:
    if isinstance(item, Mapping):
        if key not in item:
            raise LookupError(f"there is no key {printed(key)!r}")
        return item[key]
    if isinstance(key, bool) or not isinstance(key, int):
        raise TypeError(f"cannot index slice/array with type {kind_of(key)}")
    several = item.encode() if isinstance(item, str) else item
    if not isinstance(several, bytes | list | tuple):
        raise TypeError(f"can't index item of type {kind_of(item)}")
    if not 0 <= key < len(several):
        raise LookupError(f"index out of range: {key}")
    found: object = several[key]
    return found


def _slice(item: object, *bounds: object) -> object:
    if not isinstance(item, str | list | tuple):
        raise TypeError(f"can't slice item of type {kind_of(item)}")
    if len(bounds) > _MAX_SLICE:
        raise TypeError(f"too many slice indexes: {len(bounds)}")
    several = item.encode() if isinstance(item, str) else item
    ends = [0, len(several)]
    for place, bound in enumerate(bounds):
        if isinstance(bound, bool) or not isinstance(bound, int):
            raise TypeError(f"cannot index slice/array with type {kind_of(bound)}")
        ends[place] = bound
    start, stop = ends
    if not 0 <= start <= stop <= len(several):
        raise LookupError(f"slice bounds out of range: {start}:{stop}")
    part = several[start:stop]
    return part.decode() if isinstance(part, bytes) else part


def _len(item: object) -> int:
    if isinstance(item, str):
        return len(item.encode())
    if isinstance(item, list | tuple | Mapping):
        return len(item)
    raise TypeError(f"len of type {kind_of(item)}")


def _print(*values: object) -> str:
    text = ""
    for place, value in enumerate(values):
        apart = place and not isinstance(value, str) and not isinstance(values[place - 1], str)
        text += (" " if apart else "") + printed(value)
    return text


def _println(*values: object) -> str:
    return " ".join(map(printed, values)) + "\n"


def _html(*values: object) -> str:
    escaped = html.escape(_print(*values)).replace("&#x27;", "&#39;").replace("&quot;", "&#34;")
    return escaped.replace("\0", "\ufffd")


def _js(*values: object) -> str:
    return "".join(
        _JS.get(one) or (one if ord(one) >= _FIRST_PRINTABLE else f"\\u{ord(one):04X}")
        for one in _print(*values)
    )


def _call(function: object, *arguments: object) -> object:
    if not callable(function):
        raise TypeError(f"non-function of type {kind_of(function)}")
    called: object = function(*arguments)
    return called


def _printf(template: object, *values: object) -> str:
    if not isinstance(template, str):
        raise TypeError(f"wrong type for value; expected string; got {kind_of(template)}")
    return sprintf(template, *values)


SHORT_CIRCUIT = ("and", "or")
"""Evaluated argument by argument, by the evaluation itself."""

BUILTINS: Mapping[str, Callable[..., object]] = {
    "call": _call,
    "eq": _eq,
    "ge": lambda left, right: not less(left, right),
    "gt": lambda left, right: less(right, left),
    "html": _html,
    "index": _index,
    "js": _js,
    "le": lambda left, right: not less(right, left),
    "len": _len,
    "lt": less,
    "ne": lambda left, right: not equal(left, right),
    "not": lambda value: not truth(value),
    "print": _print,
    "printf": _printf,
    "println": _println,
    "slice": _slice,
    "urlquery": lambda *values: quote_plus(_print(*values)),
}
