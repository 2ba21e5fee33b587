"""Go's view of values: what is true, how things print, which are equal."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from decimal import Decimal

from harness.template.functions.table import kind_of

_SMALLEST_EXPONENT, _LARGEST_EXPONENT = -4, 6


def truth(value: object) -> bool:
    """Return whether `if` takes a value for true: all but Go's zero values."""
    if value is None:
        return False
    if isinstance(value, bool | int | float | str | bytes | list | tuple | Mapping):
        return bool(value)
    return True


def printed(value: object) -> str:
    """Return a value as `fmt.Sprint` prints it."""
    if value is None or isinstance(value, bool):
        return {None: "<nil>", True: "true", False: "false"}[value]
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, list | tuple | bytes):
        return f"[{' '.join(printed(item) for item in value)}]"
    if isinstance(value, Mapping):
        pairs = (f"{printed(key)}:{printed(value[key])}" for key in ordered(value))
        return f"map[{' '.join(pairs)}]"
    if is_dataclass(value) and not isinstance(value, type):
        return f"{{{' '.join(printed(getattr(value, one.name)) for one in fields(value))}}}"
    return _other(value)


def _other(value: object) -> str:
    if callable(value):
        raise TypeError("a function cannot be printed; `call` calls it")
    return str(value)


def _float(number: float) -> str:
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "+Inf" if number > 0 else "-Inf"
    exact = Decimal(repr(number)).normalize()
    if not number:
        return "-0" if math.copysign(1, number) < 0 else "0"
    exponent = exact.adjusted()
    if _SMALLEST_EXPONENT <= exponent < _LARGEST_EXPONENT:
        return format(exact, "f")
    digits = "".join(map(str, exact.as_tuple().digits))
    mantissa = digits[0] + (f".{digits[1:]}" if digits[1:] else "")
    return f"{'-' if number < 0 else ''}{mantissa}e{exponent:+03d}"


def ordered(mapping: Mapping[object, object]) -> list[object]:
    """Return a mapping's keys in Go's order: sorted, numbers before text."""
    return sorted(mapping, key=lambda key: (isinstance(key, str), key if _sorts(key) else str(key)))


def _sorts(key: object) -> bool:
    return isinstance(key, str | int | float)


def _class_of(value: object) -> str:
    kind = kind_of(value)
    return {"int": "number", "float64": "number"}.get(kind, kind)


def equal(left: object, right: object) -> bool:
    """Return whether two values are equal.

    Raises:
        TypeError: If they cannot be compared; 1 and "1" cannot, 1 and 1.0 can.
    """
    if left is None or right is None:
        return left is right
    kinds = {_class_of(left), _class_of(right)}
    if not kinds <= {"bool", "number", "string"}:
        raise TypeError(f"non-comparable types: {kind_of(left)} and {kind_of(right)}")
    if len(kinds) > 1:
        raise TypeError(f"incompatible types for comparison: {kind_of(left)} and {kind_of(right)}")
    return left == right


def less(left: object, right: object) -> bool:
    """Return whether a value comes before another.

    Raises:
        TypeError: If they have no order.
    """
    kinds = {_class_of(left), _class_of(right)}
    if isinstance(left, str) and isinstance(right, str):
        return left.encode() < right.encode()
    if kinds == {"number"} and isinstance(left, int | float) and isinstance(right, int | float):
        return left < right
    raise TypeError(f"incompatible types for comparison: {kind_of(left)} and {kind_of(right)}")
