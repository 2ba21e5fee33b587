"""Sprig's functions of whole numbers."""

from __future__ import annotations

from harness.template.functions.table import function, in_64_bits, modest, whole


@function("atoi", "The number that a text says, or 0.", ("42",), 42)
def _atoi(text: str) -> int:
    try:
        return in_64_bits(int(text, 10))
    except ValueError:
        return 0


@function("int int64", "A value as a whole number; what is none is 0.", ("0x10",), 16)
def _int(value: object) -> int:
    return whole(value)


@function("float64", "A value as a number; what is none is 0.", ("1.5",), 1.5)
def _float64(value: object) -> float:
    try:
        return float(value) if isinstance(value, str | int | float) else 0.0
    except ValueError:
        return 0.0


@function("add1", "A number and one.", (2,), 3)
def _add1(number: object) -> int:
    return in_64_bits(whole(number) + 1)


@function("add", "The sum of numbers.", (1, 2, 3), 6)
def _add(*numbers: object) -> int:
    return in_64_bits(sum(map(whole, numbers)))


@function("sub", "A number less another.", (5, 3), 2)
def _sub(left: object, right: object) -> int:
    return in_64_bits(whole(left) - whole(right))


@function("div", "A number divided by another, cut to a whole one.", (7, 2), 3)
def _div(left: object, right: object) -> int:
    return _truncated(whole(left), whole(right))


@function("mod", "What a division leaves.", (7, 3), 1)
def _mod(left: object, right: object) -> int:
    one, other = whole(left), whole(right)
    return one - other * _truncated(one, other)


def _truncated(left: int, right: int) -> int:
    # Go cuts towards zero, Python downwards.
    quotient = abs(left) // abs(right)
    return in_64_bits(quotient if (left < 0) == (right < 0) else -quotient)


@function("mul", "The product of numbers.", (2, 3, 4), 24)
def _mul(first: object, *numbers: object) -> int:
    product = whole(first)
    for number in numbers:
        product = in_64_bits(product * whole(number))
    return product


@function("max biggest", "The largest of numbers.", (1, 3, 2), 3)
def _max(first: object, *numbers: object) -> int:
    return max(map(whole, (first, *numbers)))


@function("min", "The smallest of numbers.", (2, 1, 3), 1)
def _min(first: object, *numbers: object) -> int:
    return min(map(whole, (first, *numbers)))


@function("until", "The numbers from 0 to before another.", (3,), [0, 1, 2])
def _until(count: int) -> list[object]:
    return _until_step(0, count, 1 if count >= 0 else -1)


@function("untilStep", "The numbers from one to before another, by a step.", (3, 9, 2), [3, 5, 7])
def _until_step(start: int, stop: int, step: int) -> list[object]:
    if step == 0:
        return []
    numbers = range(start, stop, step)
    modest(max(0, (stop - start) // step))
    return list(numbers)
