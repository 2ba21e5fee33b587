"""Values of expressions: pipes, commands, fields and variables, as Go evaluates them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import is_dataclass
from inspect import signature
from typing import TYPE_CHECKING

from harness.template.faults import EXPRESSION_ERRORS, FaultError, text_of
from harness.template.functions import TABLE
from harness.template.functions.table import kind_of
from harness.template.go.builtins import BUILTINS, SHORT_CIRCUIT
from harness.template.go.nodes import (
    Chain,
    Command,
    Dot,
    Field,
    Identifier,
    Literal,
    Node,
    Pipe,
    Source,
    Variable,
)
from harness.template.go.tokens import site
from harness.template.session import DeferredError, MissingKey
from harness.template.values import truth

if TYPE_CHECKING:
    from harness.template.faults import Site
    from harness.template.session import Session

DEFERRED = object()
"""The value of a variable that a later pass will set."""

Words = tuple[Node, ...]


class Evaluation:
    """Evaluates expressions of one text.

    Attributes:
        source: The text.
    """

    def __init__(self, session: Session, source: Source, dot: object) -> None:
        self.source = source
        self._session = session
        self._variables: list[tuple[str, object]] = [("$", dot)]

    @property
    def depth(self) -> int:
        """How many variables there are, for `forget`."""
        return len(self._variables)

    def declare(self, name: str, value: object) -> None:
        """Make a variable."""
        self._variables.append((name, value))

    def assign(self, name: str, value: object, node: Node) -> None:
        """Change a variable that was declared.

        Raises:
            DeferredError: If it was not, and an earlier pass may have left that to this one.
            FaultError: If it was not.
        """
        for place in reversed(range(len(self._variables))):
            if self._variables[place][0] == name:
                self._variables[place] = (name, value)
                return
        if self._session.options.multi_pass:
            raise DeferredError(name)
        raise self._fault(f"undefined variable: {name}", node)

    def forget(self, depth: int) -> None:
        """Drop the variables that were made since `depth`."""
        del self._variables[depth:]

    def site(self, node: Node) -> Site:
        """Return where a node stands."""
        return site(self.source.text, self.source.name, node.start)

    def pipe(self, pipe: Pipe, dot: object, *, for_range: bool = False) -> object:
        """Return a pipe's value, and set its variables; `range` sets its own."""
        value: object = None
        for place, command in enumerate(pipe.commands):
            value = self._command(command, dot, (value,) if place else ())
        for name in () if for_range else pipe.names:
            if pipe.declares:
                self.declare(name, value)
            else:
                self.assign(name, value, pipe)
        return value

    def _command(self, command: Command, dot: object, piped: tuple[object, ...]) -> object:
        first, *rest = command.words
        if isinstance(first, Identifier):
            return self._function(first, tuple(rest), dot, piped)
        if isinstance(first, Field | Variable | Chain):
            return self._fields(first, tuple(rest), dot, piped)
        if rest or piped:
            text = self.source.text[first.start : first.stop]
            raise self._fault(f"can't give argument to non-function {text}", first)
        if isinstance(first, Literal) and first.is_nil:
            raise self._fault("nil is not a command", first)
        return self._argument(first, dot)

    def _argument(self, node: Node, dot: object) -> object:
        if isinstance(node, Literal):
            return node.value
        if isinstance(node, Dot):
            return dot
        if isinstance(node, Pipe):
            return self.pipe(node, dot)
        if isinstance(node, Identifier):
            return self._function(node, (), dot, ())
        return self._fields(node, (), dot, ())

    def _function(
        self, node: Identifier, words: Words, dot: object, piped: tuple[object, ...]
    ) -> object:
        names = self._session.names
        if node.name in names:
            value = names[node.name]
            if callable(value):
                return self._call(value, node, self._arguments(words, dot) + piped)
            if words or piped:
                raise self._fault(f"`{node.name}` takes no arguments", node)
            return value
        if node.name in SHORT_CIRCUIT:
            return self._short_circuit(node, words, dot, piped)
        arguments = self._arguments(words, dot) + piped
        if node.name in TABLE:
            return self._call(TABLE[node.name], node, (self._session, *arguments))
        if node.name in BUILTINS:
            return self._call(BUILTINS[node.name], node, arguments, node.name)
        raise self._fault(f'function "{node.name}" not defined', node)

    def _arguments(self, words: Words, dot: object) -> tuple[object, ...]:
        return tuple(self._argument(word, dot) for word in words)

    def _short_circuit(
        self, node: Identifier, words: Words, dot: object, piped: tuple[object, ...]
    ) -> object:
        if not words and not piped:
            raise self._fault(f"wrong number of args for {node.name}: want at least 1", node)
        value: object = None
        for word in words:
            value = self._argument(word, dot)
            if truth(value) is (node.name == "or"):
                return value
        return piped[0] if piped else value

    def _fields(self, node: Node, words: Words, dot: object, piped: tuple[object, ...]) -> object:
        value, names = self._begin(node, dot)
        if not names:
            if words or piped:
                raise self._fault("can't give argument to non-function", node)
            return value
        for name in names[:-1]:
            value = self._field(value, name, node, ())
        has_arguments = bool(words or piped)
        arguments = self._arguments(words, dot) + piped if has_arguments else ()
        return self._field(value, names[-1], node, arguments)

    def _begin(self, node: Node, dot: object) -> tuple[object, tuple[str, ...]]:
        if isinstance(node, Field):
            return dot, node.names
        if isinstance(node, Variable):
            return self._variable(node), node.names
        if isinstance(node, Chain):
            return self._argument(node.of, dot), node.names
        raise self._fault("this cannot be evaluated", node)

    def _variable(self, node: Variable) -> object:
        for name, value in reversed(self._variables):
            if name == node.name:
                if value is DEFERRED:
                    raise DeferredError(name)
                return value
        raise self._fault(f"undefined variable: {node.name}", node)

    def _field(self, value: object, name: str, node: Node, arguments: tuple[object, ...]) -> object:
        if isinstance(value, Mapping):
            if arguments:
                raise self._fault(f"{name} is not a method but has arguments", node)
            return self._entry(value, name, node)
        is_ours = is_dataclass(value) and not isinstance(value, type)
        if is_ours and not name.startswith("_") and hasattr(value, name):
            found = getattr(value, name)
            if callable(found):
                return self._call(found, node, arguments)
            if arguments:
                raise self._fault(f"{name} is not a method but has arguments", node)
            return found
        if value is None:
            raise self._fault(f"nil data; no entry for key {name!r}", node)
        raise self._fault(f"can't evaluate field {name} in type {kind_of(value)}", node)

    def _entry(self, mapping: Mapping[object, object], name: str, node: Node) -> object:
        if name in mapping:
            return mapping[name]
        if self._session.options.missing_key is MissingKey.DEFAULT:
            return None
        raise self._fault(f"map has no entry for key {name!r}", node)

    def _call(
        self,
        function: Callable[..., object],
        node: Node,
        arguments: tuple[object, ...],
        builtin: str = "",
    ) -> object:
        if why := self._session.budget.out_of_time():
            raise self._fault(why, node)
        if builtin:
            self._count(builtin, function, node, arguments)
        try:
            return function(*arguments)
        except FaultError as fault:
            raise fault.below(self.site(node)) from fault
        except EXPRESSION_ERRORS as error:
            raise self._fault(text_of(error), node) from error

    def _count(
        self, name: str, function: Callable[..., object], node: Node, arguments: tuple[object, ...]
    ) -> None:
        try:
            signature(function).bind(*arguments)
        except TypeError as error:
            raise self._fault(f"{name}: {error}", node) from error

    def _fault(self, message: str, node: Node) -> FaultError:
        return FaultError(message, self.site(node))
