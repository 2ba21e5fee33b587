"""The expressions of Go's template language: pipes, commands and operands."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn, TypeVar

from harness.template.go.literals import character, number, quoted
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
from harness.template.go.tokens import Kind, Token

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

_KEYWORDS = {"if", "else", "end", "range", "with", "define", "template", "block"}
_CONSTANTS = {"true": True, "false": False}
_MAX_PARENTHESES = 50
_RANGE_VARIABLES = 2

R = TypeVar("R")


class Expressions:
    """Parses what stands between the delimiters.

    Attributes:
        source: What is parsed.
        variables: The names that are declared here.
        last: The token that was taken last.
    """

    def __init__(
        self, source: Source, tokens: list[Token], functions: Collection[str] | None
    ) -> None:
        self.source = source
        self.variables = ["$"]
        self.last = tokens[0]
        self._tokens = tokens
        self._functions = functions
        self._at = 0
        self._parentheses = 0

    def peek(self, further: int = 0) -> Token:
        """Return a token that is not taken yet."""
        return self._tokens[min(self._at + further, len(self._tokens) - 1)]

    def take(self) -> Token:
        """Take a token."""
        self.last = self.peek()
        self._at += 1
        return self.last

    def fail(self, message: str, token: Token) -> NoReturn:
        """Refuse the template at a token."""
        raise NotImplementedError

    def string(self, context: str) -> str:
        """Take a string."""
        token = self.take()
        if token.kind not in {Kind.STRING, Kind.RAW}:
            self.fail(f"unexpected <{token.text}> in {context}", token)
        return self._read(lambda text: str(_constant(token.kind, text)), token)

    def pipe(self, context: str) -> Pipe:
        """Parse a pipe up to the token that closes it, which stays."""
        first = self.peek()
        names, declares = self._declaration(context)
        commands: list[Command] = []
        while True:
            commands.append(self._command(context))
            if commands[1:]:
                self._can_be_called(commands[-1])
            if not self._is_mark("|"):
                break
            self.take()
        if declares:
            self.variables += names
        return Pipe(first.start, self.last.stop, names, declares, tuple(commands))

    def _is_mark(self, text: str, further: int = 0) -> bool:
        token = self.peek(further)
        return token.kind is Kind.MARK and token.text == text

    def _declaration(self, context: str) -> tuple[tuple[str, ...], bool]:
        names: list[str] = []
        while self.peek(2 * len(names)).kind is Kind.VARIABLE:
            names.append(self.peek(2 * len(names)).text)
            after = self.peek(2 * len(names) - 1)
            if after.kind is Kind.MARK and after.text in {":=", "="}:
                break
            if context != "range" or not self._is_mark(",", 2 * len(names) - 1):
                return (), False
        else:
            return (), False
        first, declares = self.peek(), after.text == ":="
        for _ in range(2 * len(names)):
            self.take()
        if len(names) > _RANGE_VARIABLES:
            self.fail("too many declarations in range", first)
        if not declares:
            for name in names:
                self._known(name, first)
        return tuple(names), declares

    def _known(self, name: str, token: Token) -> None:
        if name not in self.variables:
            self.fail(f'undefined variable "{name}"', token)

    def _can_be_called(self, command: Command) -> None:
        first = command.words[0]
        if isinstance(first, Literal | Dot | Pipe):
            text = self.source.text[first.start : first.stop]
            self.fail(f"non executable command in pipeline: `{text}`", self.last)

    def _command(self, context: str) -> Command:
        words: list[Node] = []
        while self.peek().kind is not Kind.RIGHT:
            token = self.peek()
            if token.kind is Kind.MARK and token.text in {"|", ")"}:
                break
            if words and not token.spaced:
                self.fail(f"unexpected <{token.text}> in operand", token)
            words.append(self._operand())
        if not words:
            self.fail(f"missing value for {context}", self.peek())
        return Command(words[0].start, words[-1].stop, tuple(words))

    def _operand(self) -> Node:
        node = self._term()
        names: list[str] = []
        while self.peek().kind is Kind.FIELD and not self.peek().spaced:
            names.append(self.take().text[1:])
        if not names:
            return node
        stop = self.last.stop
        if isinstance(node, Field):
            return Field(node.start, stop, (*node.names, *names))
        if isinstance(node, Variable):
            return Variable(node.start, stop, node.name, (*node.names, *names))
        if isinstance(node, Literal | Dot):
            text = self.source.text[node.start : node.stop]
            self.fail(f"unexpected . after term `{text}`", self.last)
        return Chain(node.start, stop, node, tuple(names))

    def _term(self) -> Node:
        token = self.take()
        start, stop = token.start, token.stop
        if token.kind is Kind.FIELD:
            return Field(start, stop, (token.text[1:],))
        if token.kind is Kind.VARIABLE:
            self._known(token.text, token)
            return Variable(start, stop, token.text, ())
        if token.kind is Kind.WORD:
            return self._word(token)
        if token.kind is Kind.MARK and token.text in {".", "("}:
            return Dot(start, stop) if token.text == "." else self._parenthesised(token)
        if token.kind in {Kind.NUMBER, Kind.CHAR, Kind.STRING, Kind.RAW}:
            return Literal(start, stop, self._read(lambda text: _constant(token.kind, text), token))
        self.fail(f"unexpected <{token.text}> in operand", token)
        return None

    def _word(self, token: Token) -> Node:
        if token.text in _CONSTANTS:
            return Literal(token.start, token.stop, _CONSTANTS[token.text])
        if token.text == "nil":
            return Literal(token.start, token.stop, None, is_nil=True)
        if token.text in _KEYWORDS:
            self.fail(f"unexpected <{token.text}> in operand", token)
        if self._functions is not None and token.text not in self._functions:
            self.fail(f'function "{token.text}" not defined', token)
        return Identifier(token.start, token.stop, token.text)

    def _parenthesised(self, token: Token) -> Pipe:
        self._parentheses += 1
        if self._parentheses > _MAX_PARENTHESES:
            self.fail("it is nested too deeply", token)
        pipe = self.pipe("parenthesized pipeline")
        closing = self.take()
        if closing.kind is not Kind.MARK or closing.text != ")":
            self.fail("unclosed left paren", token)
        self._parentheses -= 1
        return Pipe(token.start, closing.stop, pipe.names, pipe.declares, pipe.commands)

    def _read(self, read: Callable[[str], R], token: Token) -> R:
        try:
            return read(token.text)
        except ValueError as error:
            self.fail(str(error), token)


def _constant(kind: Kind, text: str) -> object:
    if kind is Kind.NUMBER:
        return number(text)
    if kind is Kind.CHAR:
        return character(text)
    return text[1:-1].replace("\r", "") if kind is Kind.RAW else quoted(text)
