"""The table of functions: each with what it does and an example, checked when it is called."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from harness.template.world import MAX_ITEMS, MAX_OUTPUT

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
R = TypeVar("R")

INT64 = 2**63
_KINDS: dict[str, tuple[tuple[type, ...], str]] = {
    "str": ((str,), "text"),
    "int": ((int,), "a whole number"),
    "bool": ((bool,), "true or false"),
    "Items": ((list, tuple), "a list"),
    "Table": ((dict,), "a dict"),
}

Items = list[object] | tuple[object, ...]
Table = dict[str, object]


@dataclass(frozen=True)
class Call:
    """An example: a function's arguments; a nested `Call` is an argument that is called."""

    name: str
    arguments: tuple[object, ...]


@dataclass(frozen=True)
class Function:
    """One function of the engine.

    Attributes:
        name: As templates call it.
        call: What it does; takes the `Session` first if its first parameter is so annotated.
        does: One sentence for the list of functions.
        example: Arguments of its example.
        gives: What the example gives.
        section: Which part of the list it stands in.
    """

    name: str
    call: Callable[..., object]
    does: str
    example: tuple[object, ...]
    gives: object
    section: str

    @cached_property
    def wants_session(self) -> bool:
        """Whether the session is handed in before the arguments."""
        first = next(iter(self._signature.parameters.values()), None)
        return first is not None and first.annotation == "Session"

    @cached_property
    def _signature(self) -> inspect.Signature:
        return inspect.signature(self.call)

    def __call__(self, session: object, *arguments: object) -> object:
        """Call it with a template's arguments.

        Raises:
            TypeError: If they are too many, too few or of the wrong kind.
        """
        given = (session, *arguments) if self.wants_session else arguments
        try:
            bound = self._signature.bind(*given)
        except TypeError as error:
            raise TypeError(f"{self.name}: {error}") from None
        for name, value in bound.arguments.items():
            self._check(self._signature.parameters[name], value)
        try:
            return self.call(*given)
        except (ArithmeticError, LookupError, OSError, TypeError, ValueError) as error:
            raise ValueError(f"{self.name}: {_words(error)}") from error

    def _check(self, parameter: inspect.Parameter, value: object) -> None:
        kinds, words = _KINDS.get(str(parameter.annotation), ((), ""))
        several = value if parameter.kind is inspect.Parameter.VAR_POSITIONAL else (value,)
        if not kinds or not isinstance(several, tuple):
            return
        for one in several:
            if not isinstance(one, kinds) or (isinstance(one, bool) and bool not in kinds):
                raise TypeError(
                    f"{self.name}: {parameter.name} must be {words}, not {kind_of(one)}"
                )


def _words(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"there is no {error}"
    return str(error) or type(error).__name__


TABLE: dict[str, Function] = {}
"""Every function by its name; the modules beside this one fill it when they are imported."""


def function(
    names: str, does: str, example: tuple[object, ...], gives: object
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Put a function into the table.

    Args:
        names: Its name and, after spaces, its other names.
        does: One sentence.
        example: Arguments of its example.
        gives: What the example gives.
    """

    def put(call: Callable[P, R]) -> Callable[P, R]:
        section = call.__module__.rpartition(".")[2]
        for name in names.split():
            TABLE[name] = Function(name, call, does, example, gives, section)
        return call

    return put


def kind_of(value: object) -> str:
    """Name a value's kind as Go's `reflect.Kind` does."""
    if value is None:
        return "invalid"
    if callable(value):
        return "func"
    for kind, name in (
        (bool, "bool"),
        (int, "int"),
        (float, "float64"),
        (str, "string"),
        (bytes, "slice"),
        (list | tuple, "slice"),
        (Mapping, "map"),
    ):
        if isinstance(value, kind):
            return name
    return "struct"


def whole(value: object) -> int:
    """Return a number as Sprig's `int64` does: text is read, what is no number is 0."""
    try:
        number = int(value, 0) if isinstance(value, str) else int(value)  # type: ignore[call-overload]
    except (TypeError, ValueError, OverflowError):
        return 0
    return in_64_bits(int(number))


def in_64_bits(number: int) -> int:
    """Return a number that upstream could have; it wraps there without a word.

    Raises:
        ValueError: If it could not.
    """
    if not -INT64 <= number < INT64:
        raise ValueError("the number does not fit into 64 bits")
    return number


def modest(count: int, limit: int = MAX_ITEMS) -> int:
    """Return a count of things to make.

    Raises:
        ValueError: If they would be too many to be meant.
    """
    if count > limit:
        raise ValueError(f"{count} are too many; at most {limit} can be made")
    return count


def modest_text(length: int) -> None:
    """Refuse to make a text longer than any output.

    Raises:
        ValueError: If it would be.
    """
    modest(length, MAX_OUTPUT)
