"""The engine's own functions: upstream's `pkg/template/funcs.go`, as they are documented."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from harness.template.functions.table import function, modest
from harness.template.quoting import ruby, sh

if TYPE_CHECKING:
    from harness.template.session import Session

VOID = ""


@function("include", "A template, rendered in a copy of this one's variables.", ("str://a",), "a")
def _include(session: Session, address: str, *arguments: object) -> str:
    return session.include(address, arguments)


@function("source", "A template, rendered with this one's own variables.", ("str://a",), "a")
def _source(session: Session, address: str, *arguments: object) -> str:
    return session.include(address, arguments, shared=True)


@function("fetch raw", "A text as it is, not rendered.", ("str://{{ a }}",), "{{ a }}")
def _fetch(session: Session, address: str, *headers: object) -> str:
    return session.fetch(address, headers)


@function("var", "Sets a variable, or gives it; a piped value comes last.", ("a", 1), VOID)
def _var(session: Session, name: str, *values: object) -> object:
    variables = session.top.scope.variables
    if values:
        variables[name] = values[-1]
        return VOID
    if name in variables:
        return variables[name]
    return session.missing(name)


@function("loop", "As many numbers as it is told, to range over.", (3,), [0, 1, 2])
def _loop(count: int) -> list[object]:
    return list(range(modest(count)))


@function("unixtime", "Seconds since 1970.", (), 1511344800)
def _unixtime(session: Session) -> int:
    return int(session.world.now().timestamp())


@function("lines", "A text's lines.", ("a\nb",), ["a", "b"])
def _lines(text: str) -> list[str]:
    return text.split("\n")


@function("index_of indexOf", "Where a list has a value, or -1.", ("b", ["a", "b"]), 1)
def _index_of(needle: object, items: object, strict: object = False) -> int:  # noqa: FBT002
    if not isinstance(items, list | tuple):
        return -1
    for index, item in enumerate(items):
        same_type = type(item) is type(needle)
        if (same_type and item == needle) if strict else str(item) == str(needle):
            return index
    return -1


@function("escape", "A text whose `{{` a template engine passes over.", ("{{ a }}",), r"\{\{ a }}")
def _escape(text: str) -> str:
    return text.replace("{{", r"\{\{")


@function("unescape", "What `escape` was given.", (r"\{\{ a }}",), "{{ a }}")
def _unescape(text: str) -> str:
    return re.sub(r"\\\{\\\{", "{{", text)


@function("echo", "Nothing; it says its arguments on standard error.", ("a",), VOID)
def _echo(session: Session, *values: object) -> str:
    session.world.say(" ".join(map(str, values)))
    return VOID


@function("q", "What a JMESPath expression finds.", ("a.b", {"a": {"b": 1}}), 1)
def _q(expression: str, value: object) -> object:
    import jmespath  # noqa: PLC0415 - only those who ask pay for it

    found: object = jmespath.search(expression, value)
    return found


@function("sh", "A value as one word of a POSIX shell.", ("it's",), "'it'\"'\"'s'")
def _sh(value: object) -> str:
    return sh(value)


@function("ruby", "A value as a Ruby literal.", ("it's",), r"'it\'s'")
def _ruby(value: object) -> str:
    return ruby(value)
