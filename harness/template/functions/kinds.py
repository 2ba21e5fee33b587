"""Sprig's functions of defaults and kinds."""

from __future__ import annotations

from collections.abc import Mapping

from harness.template.functions.table import function, kind_of
from harness.template.values import truth

_TYPES = {"slice": "[]interface {}", "map": "map[string]interface {}", "invalid": "<nil>"}


@function("default", "A value, or another if it is empty.", ("a", ""), "a")
def _default(otherwise: object, value: object = None) -> object:
    return value if truth(value) else otherwise


@function("empty", "Whether a value is empty: 0, no, nothing.", ("",), gives=True)
def _empty(value: object) -> bool:
    return not truth(value)


@function("coalesce", "The first value that is not empty.", ("", 0, "a"), "a")
def _coalesce(*values: object) -> object:
    return next((value for value in values if truth(value)), None)


@function("kindOf", "A value's kind, as Go names it.", ([1],), "slice")
def _kind_of(value: object) -> str:
    return kind_of(value)


@function("kindIs", "Whether a value is of a kind.", ("int", 1), gives=True)
def _kind_is(kind: str, value: object) -> bool:
    return kind_of(value) == kind


@function("typeOf", "A value's type, as Go names it.", ("a",), "string")
def _type_of(value: object) -> str:
    kind = kind_of(value)
    if isinstance(value, Mapping) or kind in _TYPES:
        return _TYPES[kind]
    return kind


@function("typeIs", "Whether a value is of a type.", ("string", "a"), gives=True)
def _type_is(name: str, value: object) -> bool:
    return _type_of(value) == name


@function("typeIsLike", "Whether a value is of a type, or points to one.", ("int", 1), gives=True)
def _type_is_like(name: str, value: object) -> bool:
    return _type_of(value) == name.removeprefix("*")
