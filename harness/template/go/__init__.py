"""Go's text/template language: parsed and run here, with the engine's functions."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

from harness.template.functions import TABLE
from harness.template.go.builtins import BUILTINS, SHORT_CIRCUIT
from harness.template.go.execution import Execution
from harness.template.go.nodes import Command, Identifier, Literal, Node
from harness.template.go.parser import parse
from harness.template.go.tokens import site
from harness.template.mentions import FETCHING, Mention

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.template.session import Frame, Session


def render(session: Session, frame: Frame, text: str) -> str:
    """Render a text.

    Raises:
        FaultError: With line and column of what is wrong.
    """
    known = {*session.names, *TABLE, *BUILTINS, *SHORT_CIRCUIT}
    source = parse(text, frame.address.shown, known)
    frame.scope.definitions.update(source.definitions)
    return Execution(session, frame, source).text()


def mentions(text: str, name: str) -> list[Mention]:
    """Return what a text includes by a name that is written in it.

    Raises:
        FaultError: If it cannot be parsed.
    """
    source = parse(text, name, None)
    found: list[Mention] = []
    bodies = [source.body, *(one.body for one in source.definitions.values())]
    for command in (each for body in bodies for node in body for each in _commands(node)):
        first, *rest = command.words
        if not isinstance(first, Identifier) or first.name not in FETCHING or not rest:
            continue
        if isinstance(rest[0], Literal) and isinstance(rest[0].value, str):
            line = site(text, name, first.start).line
            is_rendered = first.name in {"include", "source"}
            found.append(Mention(rest[0].value, line, is_rendered=is_rendered))
    return found


def _commands(node: Node) -> Iterator[Command]:
    if isinstance(node, Command):
        yield node
    for field in fields(node):
        value = getattr(node, field.name)
        for one in value if isinstance(value, tuple) else (value,):
            if isinstance(one, Node):
                yield from _commands(one)
