"""Sprig's functions of text."""

from __future__ import annotations

import hashlib
import re

from harness.template.functions.table import function, modest, modest_text
from harness.template.values import printed

_LEAST_WIDTH = 4
_LEAST_WIDTH_OF_BOTH = 7
_ELLIPSIS = "..."
_MAX_INDENT = 1000


@function("hello", "A greeting.", (), "Hello!")
def _hello() -> str:
    return "Hello!"


@function("trim", "A text without white space at its ends.", ("  a ",), "a")
def _trim(text: str) -> str:
    return text.strip()


@function("trimAll trimall", "A text without these characters at its ends.", ("$", "$5$"), "5")
def _trim_all(characters: str, text: str) -> str:
    return text.strip(characters) if characters else text


@function("trimSuffix", "A text without an ending.", (".sh", "a.sh"), "a")
def _trim_suffix(suffix: str, text: str) -> str:
    return text.removesuffix(suffix)


@function("trimPrefix", "A text without a beginning.", ("v", "v1.31"), "1.31")
def _trim_prefix(prefix: str, text: str) -> str:
    return text.removeprefix(prefix)


@function("nospace", "A text without any white space.", ("a b\tc",), "abc")
def _nospace(text: str) -> str:
    return re.sub(r"\s", "", text)


@function("upper", "A text in capitals.", ("aB",), "AB")
def _upper(text: str) -> str:
    return text.upper()


@function("lower", "A text in small letters.", ("aB",), "ab")
def _lower(text: str) -> str:
    return text.lower()


@function("title", "A text whose words begin with capitals.", ("a node",), "A Node")
def _title(text: str) -> str:
    return re.sub(r"\b\w", lambda found: found.group().upper(), text)


@function("untitle", "A text whose words begin with small letters.", ("A Node",), "a node")
def _untitle(text: str) -> str:
    return re.sub(r"\b\w", lambda found: found.group().lower(), text)


@function("swapcase", "A text with small letters for capitals, and the reverse.", ("aB",), "Ab")
def _swapcase(text: str) -> str:
    return text.swapcase()


@function("initials", "The first letters of a text's words.", ("First Try",), "FT")
def _initials(text: str) -> str:
    return "".join(word[0] for word in text.split())


@function("substr", "A text from one place to before another.", (0, 5, "hello world"), "hello")
def _substr(start: int, end: int, text: str) -> str:
    if start < 0:
        return text[: max(end, 0)]
    return text[start:] if end < 0 else text[start:end]


@function("trunc", "A text's beginning, so long at most.", (5, "hello world"), "hello")
def _trunc(length: int, text: str) -> str:
    return text[: max(length, 0)]


@function("abbrev", "A text cut to a length, dots included.", (5, "hello world"), "he...")
def _abbrev(width: int, text: str) -> str:
    return _abbrev_both(0, width, text)


@function(
    "abbrevboth",
    "A text cut at both ends, from an offset, to a length.",
    (5, 10, "1234 5678 9123"),
    "...5678...",
)
def _abbrev_both(offset: int, width: int, text: str) -> str:
    too_narrow = width < _LEAST_WIDTH or (offset > 0 and width < _LEAST_WIDTH_OF_BOTH)
    if too_narrow or len(text) <= width:
        return text
    room = width - len(_ELLIPSIS)
    offset = min(offset, len(text), len(text) - room)
    if offset <= len(_ELLIPSIS) + 1:
        return text[:room] + _ELLIPSIS
    if offset + room < len(text):
        return _ELLIPSIS + _abbrev_both(0, room, text[offset:])
    return _ELLIPSIS + text[-room:]


@function("repeat", "A text as often as it is told.", (3, "ab"), "ababab")
def _repeat(count: int, text: str) -> str:
    modest_text(count * len(text))
    return text * modest(count)


@function("wrap", "A text in lines of a length; words stay whole.", (5, "ab cd ef"), "ab cd\nef")
def _wrap(width: int, text: str) -> str:
    return _wrapped(text, width, "\n", cuts=False)


@function(
    "wrapWith",
    "A text cut to a length, with a text between the parts.",
    (4, "|", "ab cdefgh"),
    "ab|cdef|gh",
)
def _wrap_with(width: int, separator: str, text: str) -> str:
    return _wrapped(text, width, separator, cuts=True)


def _wrapped(text: str, width: int, separator: str, *, cuts: bool) -> str:
    width = max(width, 1)
    lines: list[str] = []
    rest = text
    while len(rest) > width:
        if rest[0] == " ":
            rest = rest[1:]
            continue
        # The last space that leaves a line no longer than the width, as goutils has it.
        space = rest.rfind(" ", 0, width + 1)
        if space < 0 and not cuts:
            space = rest.find(" ", width)
            if space < 0:
                break
        line, rest = (
            (rest[:width], rest[width:]) if space < 0 else (rest[:space], rest[space + 1 :])
        )
        lines.append(line)
    return separator.join([*lines, rest])


@function("contains", "Whether a text has another in it.", ("cat", "catch"), gives=True)
def _contains(part: str, text: str) -> bool:
    return part in text


@function("hasPrefix", "Whether a text begins so.", ("cat", "catch"), gives=True)
def _has_prefix(prefix: str, text: str) -> bool:
    return text.startswith(prefix)


@function("hasSuffix", "Whether a text ends so.", ("tch", "catch"), gives=True)
def _has_suffix(suffix: str, text: str) -> bool:
    return text.endswith(suffix)


@function("quote", "Values in double quotes; for shells `sh` is right.", ("a", 1), '"a" "1"')
def _quote(*values: object) -> str:
    return " ".join(_double(printed(value)) for value in values if value is not None)


def _double(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    for character, escape in (("\n", "\\n"), ("\t", "\\t"), ("\r", "\\r")):
        escaped = escaped.replace(character, escape)
    return f'"{escaped}"'


@function("squote", "Values in single quotes; for shells `sh` is right.", ("a", 1), "'a' '1'")
def _squote(*values: object) -> str:
    return " ".join(f"'{printed(value)}'" for value in values if value is not None)


@function("cat", "Values with a space between each.", ("a", 1, "b"), "a 1 b")
def _cat(*values: object) -> str:
    return " ".join(printed(value) for value in values if value is not None)


@function("indent", "A text with so many spaces before each line.", (2, "a\nb"), "  a\n  b")
def _indent(spaces: int, text: str) -> str:
    margin = " " * modest(spaces, _MAX_INDENT)
    return margin + text.replace("\n", f"\n{margin}")


@function("replace", "A text with another in the place of a part.", (" ", "-", "a b"), "a-b")
def _replace(old: str, new: str, text: str) -> str:
    modest_text(len(text) + text.count(old) * len(new))
    return text.replace(old, new)


@function("plural", "One word for one, another for all other counts.", ("one", "many", 2), "many")
def _plural(one: str, many: str, count: int) -> str:
    return one if count == 1 else many


@function(
    "sha256sum",
    "The SHA-256 of a text, in hexadecimal.",
    ("a",),
    "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb",
)
def _sha256sum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@function("toString", "A value as text.", (1.5,), "1.5")
def _to_string(value: object) -> str:
    return printed(value)


@function("split", "A dict of a text's parts: `_0`, `_1` …", ("$", "a$b"), {"_0": "a", "_1": "b"})
def _split(separator: str, text: str) -> dict[str, object]:
    return {f"_{place}": part for place, part in enumerate(_split_list(separator, text))}


@function("splitList", "A list of a text's parts.", ("$", "a$b"), ["a", "b"])
def _split_list(separator: str, text: str) -> list[str]:
    return text.split(separator) if separator else list(text)
