"""The grammar of Go's template language: tokens become a tree."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from harness.template.faults import FaultError
from harness.template.go.expressions import Expressions
from harness.template.go.nodes import (
    Action,
    Branch,
    Definition,
    Invocation,
    Jump,
    Node,
    Pipe,
    Source,
    Text,
)
from harness.template.go.tokens import Kind, Lexer, Token, site

if TYPE_CHECKING:
    from collections.abc import Collection

_MAX_NESTING = 50
_CLOSING = ("end", "else")


def parse(text: str, name: str, functions: Collection[str] | None) -> Source:
    """Parse a text.

    Args:
        text: The template.
        name: As faults name it.
        functions: What may be called; None allows every name.

    Raises:
        FaultError: With line and column of what is wrong.
    """
    source = Source(name, text)
    tokens = Lexer(text, name).tokens()
    body = _Parser(source, tokens, functions).whole()
    return Source(name, text, body, source.definitions)


class _Parser(Expressions):
    """Blocks and what stands in them; expressions are the base class's."""

    def __init__(
        self, source: Source, tokens: list[Token], functions: Collection[str] | None
    ) -> None:
        super().__init__(source, tokens, functions)
        self._nesting = 0
        self._loops = 0

    def whole(self) -> tuple[Node, ...]:
        """Parse to the end of the text."""
        body, closing = self._list(top=True)
        if closing is not None:
            self.fail(f"unexpected {{{{{closing.text}}}}}", closing)
        return body

    def _list(self, *, top: bool = False) -> tuple[tuple[Node, ...], Token | None]:
        """Parse up to the `end` or `else` of this level; the word that closed it is taken."""
        self._nesting += 1
        if self._nesting > _MAX_NESTING:
            self.fail("it is nested too deeply", self.peek())
        found: list[Node] = []
        while (token := self.take()).kind is not Kind.END:
            if token.kind is Kind.TEXT:
                found.append(Text(token.start, token.stop, token.text))
                continue
            if self.peek().kind is Kind.WORD and self.peek().text in _CLOSING:
                self._nesting -= 1
                return tuple(found), self.take()
            found += self._action(token)
        self._nesting -= 1
        if not top:
            self.fail("unexpected EOF: an `end` is missing", token)
        return tuple(found), None

    def _action(self, left: Token) -> tuple[Node, ...]:
        word = self.peek().text if self.peek().kind is Kind.WORD else ""
        if word in {"if", "with", "range"}:
            return (self._branch(left, self.take().text),)
        if word == "define":
            self._define(self.take())
            return ()
        if word == "block":
            return (self._block(left, self.take()),)
        if word == "template":
            return (self._invocation(left, self.take()),)
        if word in {"break", "continue"}:
            return (self._jump(left, self.take()),)
        pipe = self.pipe("command")
        return (Action(left.start, self._right(), pipe),)

    def _right(self) -> int:
        token = self.take()
        if token.kind is not Kind.RIGHT:
            self.fail(f"unexpected <{token.text}>", token)
        return token.stop

    def _branch(self, left: Token, word: str) -> Branch:
        depth = len(self.variables)
        pipe = self.pipe(word)
        self._right()
        self._loops += word == "range"
        body, closing = self._list()
        self._loops -= word == "range"
        otherwise: tuple[Node, ...] = ()
        if closing is not None and closing.text == "else":
            otherwise, closing = self._else(left, word)
        stop = self._right() if closing is not None else otherwise[-1].stop
        del self.variables[depth:]
        return Branch(left.start, stop, word, pipe, body, otherwise)

    def _else(self, left: Token, word: str) -> tuple[tuple[Node, ...], Token | None]:
        following = self.peek()
        if word == "if" and following.kind is Kind.WORD and following.text == "if":
            # The inner `if` takes the `end` that closes both.
            self.take()
            self._nesting += 1
            if self._nesting > _MAX_NESTING:
                self.fail("it is nested too deeply", following)
            inner = self._branch(left, "if")
            self._nesting -= 1
            return (inner,), None
        self._right()
        body, closing = self._list()
        if closing is not None and closing.text == "else":
            self.fail("expected end; found {{else}}", closing)
        return body, closing

    def _define(self, token: Token) -> None:
        if self._nesting > 1:
            self.fail("unexpected {{define}}: it stands in no other block", token)
        name = self.string("define clause")
        self._right()
        self._defined(name, token)

    def _defined(self, name: str, token: Token) -> None:
        outer, self.variables = self.variables, ["$"]
        loops, self._loops = self._loops, 0
        body, closing = self._list()
        if closing is None or closing.text != "end":
            self.fail("unexpected {{else}} in define clause", token)
        self._right()
        self.variables, self._loops = outer, loops
        known = self.source.definitions.get(name)
        if known is not None and _says(body) and _says(known.body):
            self.fail(f"template: multiple definition of template {name!r}", token)
        if known is None or _says(body):
            self.source.definitions[name] = Definition(self.source, body)

    def _block(self, left: Token, token: Token) -> Invocation:
        name = self.string("block clause")
        pipe = self.pipe("block clause")
        self._right()
        self._defined(name, token)
        return Invocation(left.start, self.last.stop, name, pipe)

    def _invocation(self, left: Token, token: Token) -> Invocation:
        del token
        name = self.string("template clause")
        pipe: Pipe | None = None
        if self.peek().kind is not Kind.RIGHT:
            pipe = self.pipe("template clause")
        return Invocation(left.start, self._right(), name, pipe)

    def _jump(self, left: Token, token: Token) -> Jump:
        if not self._loops:
            self.fail(f"{{{{{token.text}}}}} outside {{{{range}}}}", token)
        return Jump(left.start, self._right(), token.text)

    def fail(self, message: str, token: Token) -> NoReturn:
        """Refuse the template at a token."""
        where = site(self.source.text, self.source.name, token.start)
        raise FaultError(message, where)


def _says(body: tuple[Node, ...]) -> bool:
    return any(not isinstance(node, Text) or node.text.strip() for node in body)
