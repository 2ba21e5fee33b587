"""What a template of Go's language consists of, as a tree."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Node:
    """A part of a template, and where its text begins and ends."""

    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Literal(Node):
    """A constant; `is_nil` tells nil from nothing."""

    value: object
    is_nil: bool = False


@dataclass(frozen=True, slots=True)
class Dot(Node):
    """The context: ``.``."""


@dataclass(frozen=True, slots=True)
class Field(Node):
    """``.a.b``: fields of the context."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Variable(Node):
    """``$a.b``; the name with its dollar, then fields."""

    name: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Identifier(Node):
    """A function's name."""

    name: str


@dataclass(frozen=True, slots=True)
class Chain(Node):
    """Fields of what another node gives."""

    of: Node
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Command(Node):
    """A function, method or value with its arguments."""

    words: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Pipe(Node):
    """Commands, each given what the one before it gives.

    Attributes:
        names: Variables that it sets.
        declares: Whether they are new (``:=``) or not (``=``).
        commands: One at least.
    """

    names: tuple[str, ...]
    declares: bool
    commands: tuple[Command, ...]


@dataclass(frozen=True, slots=True)
class Text(Node):
    """What is written out as it is."""

    text: str


@dataclass(frozen=True, slots=True)
class Action(Node):
    """A pipe whose value is written out, unless it sets variables."""

    pipe: Pipe


@dataclass(frozen=True, slots=True)
class Branch(Node):
    """``if``, ``with`` or ``range``, which `word` says."""

    word: str
    pipe: Pipe
    body: tuple[Node, ...]
    otherwise: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Jump(Node):
    """``break`` or ``continue``."""

    word: str


@dataclass(frozen=True, slots=True)
class Invocation(Node):
    """``template "name" pipe``."""

    name: str
    pipe: Pipe | None


@dataclass(frozen=True, slots=True)
class Source:
    """A parsed text.

    Attributes:
        name: As problems name it.
        text: The whole of it.
        body: What is outside of definitions.
        definitions: What ``define`` and ``block`` name.
    """

    name: str
    text: str
    body: tuple[Node, ...] = ()
    definitions: dict[str, Definition] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Definition:
    """A named template and the text that it is from."""

    source: Source
    body: tuple[Node, ...]
