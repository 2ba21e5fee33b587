"""The list of functions, as `harness template --functions` and the documents show it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.template.functions import SECTIONS, TABLE, Call, Function

if TYPE_CHECKING:
    from collections.abc import Iterable

_WORDS = {True: "true", False: "false"}


@dataclass(frozen=True, slots=True)
class Row:
    """One function with its other names.

    Attributes:
        names: The first is that of the example.
        section: The part of the list it stands in.
        does: One sentence.
        go: The example as a Go template calls it.
        jinja: The example as a Jinja2 template calls it.
        gives: What it gives, as text or JSON.
    """

    names: tuple[str, ...]
    section: str
    does: str
    go: str
    jinja: str
    gives: str


def rows() -> list[Row]:
    """Return every function, in the order of the list."""
    found: dict[int, list[Function]] = {}
    for function in TABLE.values():
        found.setdefault(id(function.call), []).append(function)
    several = [_row(functions) for functions in found.values()]
    return sorted(several, key=lambda row: SECTIONS.index(row.section))


def _row(functions: list[Function]) -> Row:
    first = functions[0]
    example = Call(first.name, first.example)
    return Row(
        names=tuple(function.name for function in functions),
        section=first.section,
        does=first.does,
        go=in_go(example),
        jinja=in_jinja(example),
        gives=_given(first.gives),
    )


def _given(value: object) -> str:
    if isinstance(value, re.Pattern):
        return f"what matches {value.pattern}"
    return value if isinstance(value, str) else json.dumps(value)


def in_go(value: object) -> str:
    """Write a value as a Go template does."""
    if isinstance(value, Call):
        return _words(value.name, value.arguments)
    if isinstance(value, list):
        return _words("list", value)
    if isinstance(value, dict):
        return _words("dict", [word for pair in value.items() for word in pair])
    if isinstance(value, bool):
        return _WORDS[value]
    if isinstance(value, str) and "\\" in value:
        return f"`{value}`"
    return json.dumps(value, ensure_ascii=False)


def _words(name: str, arguments: tuple[object, ...] | list[object]) -> str:
    return " ".join([name, *map(_go_argument, arguments)])


def _go_argument(value: object) -> str:
    is_simple = not isinstance(value, list | dict | Call) or value == Call("now", ())
    return in_go(value) if is_simple else f"({in_go(value)})"


def in_jinja(value: object) -> str:
    """Write a value as a Jinja2 template does."""
    if isinstance(value, Call):
        return f"{value.name}({', '.join(map(in_jinja, value.arguments))})"
    return json.dumps(value, ensure_ascii=False)


def plain(names: Iterable[Row] = ()) -> str:
    """Return the list for a terminal.

    Args:
        names: What templates may name beside functions; it comes first.
    """
    return "\n".join(
        f"{', '.join(row.names)}: {row.does}\n    {{{{ {row.go} }}}} → {_one_line(row.gives)}"
        for row in (*names, *rows())
    )


def markdown() -> str:
    """Return the list as tables, one per section."""
    lines: list[str] = []
    for section in SECTIONS:
        lines += [f"### {section.capitalize()}", ""]
        lines.append(table("function", (row for row in rows() if row.section == section)))
    return "\n".join(lines)


def table(head: str, chosen: Iterable[Row]) -> str:
    """Return rows as a table for a document."""
    lines = [f"| {head} | gives | Go | Jinja2 | result |", "|---|---|---|---|---|"]
    return "\n".join([*lines, *map(_line, chosen), ""])


def _line(row: Row) -> str:
    names = ", ".join(f"`{name}`" for name in row.names)
    cells = [row.go, row.jinja, _one_line(row.gives)]
    return " | ".join([f"| {names}", row.does, *map(_code, cells)]) + " |"


def _code(text: str) -> str:
    if not text:
        return "nothing"
    mark = "``" if "`" in text else "`"
    pad = " " if mark == "``" else ""
    escaped = text.replace("|", "\\|")
    return f"{mark}{pad}{escaped}{pad}{mark}"


def _one_line(text: str) -> str:
    return text.replace("\n", "⏎")
