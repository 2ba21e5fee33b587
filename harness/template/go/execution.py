"""Runs a parsed template: blocks, loops and named templates become text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from harness.template.faults import FaultError
from harness.template.functions.table import kind_of
from harness.template.go.evaluation import DEFERRED, Evaluation
from harness.template.go.nodes import (
    Action,
    Branch,
    Definition,
    Invocation,
    Jump,
    Node,
    Source,
    Text,
)
from harness.template.go.tokens import Kind, Lexer
from harness.template.session import DeferredError, MissingKey
from harness.template.values import ordered, printed, truth
from harness.template.world import MAX_OUTPUT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.template.session import Frame, Session

_MAX_TEMPLATES = 40
_PAIR = 2


class _JumpError(Exception):
    """`break` or `continue`, on its way to its loop."""

    def __init__(self, word: str) -> None:
        super().__init__(word)
        self.word = word


class Execution:
    """Writes one template's text."""

    def __init__(self, session: Session, frame: Frame, source: Source) -> None:
        self._session = session
        self._scope = frame.scope
        self._source = source
        self._evaluation = Evaluation(session, source, frame.scope.dot)
        self._written: list[str] = []
        self._length = 0
        self._templates = 0

    def text(self) -> str:
        """Return all that the template writes.

        Raises:
            FaultError: With line and column of what is wrong.
        """
        self._all(self._source.body, self._scope.dot)
        return "".join(self._written)

    def _all(self, nodes: Sequence[Node], dot: object) -> None:
        depth = self._evaluation.depth
        for node in nodes:
            self._spend(node)
            self._one(node, dot)
        self._evaluation.forget(depth)

    def _spend(self, node: Node) -> None:
        if why := self._session.budget.spend():
            raise self._fault(why, node)

    def _one(self, node: Node, dot: object) -> None:
        if isinstance(node, Text):
            self._write(node.text, node)
        elif isinstance(node, Jump):
            raise _JumpError(node.word)
        else:
            self._deferrable(node, dot)

    def _deferrable(self, node: Node, dot: object) -> None:
        try:
            if isinstance(node, Action):
                self._action(node, dot)
            elif isinstance(node, Branch):
                self._branch(node, dot)
            elif isinstance(node, Invocation):
                self._invoke(node, dot)
        except DeferredError:
            whole = self._evaluation.source.text[node.start : node.stop]
            self._write(_again(whole) if isinstance(node, Action) else whole, node)
            for name in node.pipe.names if isinstance(node, Action) else ():
                self._evaluation.declare(name, DEFERRED)

    def _action(self, node: Action, dot: object) -> None:
        value = self._evaluation.pipe(node.pipe, dot)
        if node.pipe.names:
            return
        if value is None and self._session.options.missing_key is MissingKey.ERROR:
            raise self._fault("there is no value to print", node.pipe)
        try:
            text = "<no value>" if value is None else printed(value)
        except TypeError as error:
            raise self._fault(str(error), node.pipe) from error
        self._write(text, node)

    def _write(self, text: str, node: Node) -> None:
        self._length += len(text)
        if self._length > MAX_OUTPUT:
            raise self._fault("what it renders is too large", node)
        self._written.append(text)

    def _branch(self, node: Branch, dot: object) -> None:
        depth = self._evaluation.depth
        value = self._evaluation.pipe(node.pipe, dot, for_range=node.word == "range")
        if node.word == "range":
            self._range(node, value, dot)
        elif truth(value):
            self._all(node.body, value if node.word == "with" else dot)
        else:
            self._all(node.otherwise, dot)
        self._evaluation.forget(depth)

    def _range(self, node: Branch, value: object, dot: object) -> None:
        pairs = self._pairs(node, value)
        if not pairs:
            self._all(node.otherwise, dot)
        for key, item in pairs:
            self._spend(node)
            depth = self._evaluation.depth
            names = node.pipe.names
            values = (key, item) if len(names) == _PAIR else (item,)
            for name, one in zip(names, values, strict=False):
                if node.pipe.declares:
                    self._evaluation.declare(name, one)
                else:
                    self._evaluation.assign(name, one, node.pipe)
            try:
                self._all(node.body, item)
            except _JumpError as jump:
                if jump.word == "break":
                    break
            finally:
                self._evaluation.forget(depth)

    def _pairs(self, node: Branch, value: object) -> list[tuple[object, object]]:
        if value is None:
            return []
        if isinstance(value, Mapping):
            return [(key, value[key]) for key in ordered(value)]
        if isinstance(value, list | tuple):
            return list(enumerate(value))
        raise self._fault(f"range can't iterate over a value of kind {kind_of(value)}", node.pipe)

    def _invoke(self, node: Invocation, dot: object) -> None:
        found = self._scope.definitions.get(node.name)
        if not isinstance(found, Definition):
            raise self._fault(f'template "{node.name}" not defined', node)
        value = self._evaluation.pipe(node.pipe, dot) if node.pipe else None
        self._templates += 1
        if self._templates > _MAX_TEMPLATES:
            raise self._fault("templates are nested too deeply", node)
        outer, here = self._evaluation, self._fault("", node).sites
        self._evaluation = Evaluation(self._session, found.source, value)
        try:
            self._all(found.body, value)
        except FaultError as fault:
            raise fault.below(*here) from fault
        finally:
            self._evaluation = outer
            self._templates -= 1

    def _fault(self, message: str, node: Node) -> FaultError:
        return FaultError(message, self._evaluation.site(node))


def _again(action: str) -> str:
    """Return an action as upstream's multi-pass mode writes it: strings between backquotes."""
    words = [token for token in Lexer(action, "").tokens() if token.kind not in _OUTER]
    text = "".join(
        (" " if token.spaced and place else "")
        + (f"`{token.text[1:-1]}`" if _is_plain(token.kind, token.text) else token.text)
        for place, token in enumerate(words)
    )
    return f"{{{{ {text} }}}}"


_OUTER = {Kind.LEFT, Kind.RIGHT, Kind.TEXT, Kind.END}


def _is_plain(kind: Kind, text: str) -> bool:
    return kind is Kind.STRING and not {"\\", "`"} & {*text}
