"""Every function's documented example, in both languages, and what functions refuse."""

from __future__ import annotations

import random
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from harness import template
from harness.errors import InvalidInputError
from harness.template import Language, Options, World, listing
from harness.template.functions import TABLE, Call

DOCUMENT = Path(__file__).parents[2] / "docs" / "templates.md"
SPRIG = [
    "abbrev",
    "abbrevboth",
    "trunc",
    "trim",
    "upper",
    "lower",
    "title",
    "untitle",
    "substr",
    "repeat",
    "trimall",
    "trimAll",
    "trimSuffix",
    "trimPrefix",
    "nospace",
    "initials",
    "randAlphaNum",
    "randAlpha",
    "randAscii",
    "randNumeric",
    "swapcase",
    "wrap",
    "wrapWith",
    "contains",
    "hasPrefix",
    "hasSuffix",
    "quote",
    "squote",
    "cat",
    "indent",
    "replace",
    "plural",
    "sha256sum",
    "toString",
    "atoi",
    "int64",
    "int",
    "float64",
    "split",
    "splitList",
    "toStrings",
    "until",
    "untilStep",
    "add1",
    "add",
    "sub",
    "div",
    "mod",
    "mul",
    "biggest",
    "max",
    "min",
    "join",
    "sortAlpha",
    "default",
    "empty",
    "coalesce",
    "compact",
    "typeOf",
    "typeIs",
    "typeIsLike",
    "kindOf",
    "kindIs",
    "env",
    "expandenv",
    "base",
    "dir",
    "clean",
    "ext",
    "isAbs",
    "b64enc",
    "b64dec",
    "b32enc",
    "b32dec",
    "tuple",
    "list",
    "dict",
    "set",
    "unset",
    "hasKey",
    "pluck",
    "keys",
    "pick",
    "omit",
    "append",
    "push",
    "prepend",
    "first",
    "rest",
    "last",
    "initial",
    "reverse",
    "uniq",
    "without",
    "has",
    "genPrivateKey",
    "derivePassword",
    "uuidv4",
    "semver",
    "semverCompare",
    "date",
    "date_in_zone",
    "date_modify",
    "now",
    "htmlDate",
    "htmlDateInZone",
    "dateInZone",
    "dateModify",
    "hello",
]
OWN = [
    "include",
    "source",
    "fetch",
    "raw",
    "var",
    "loop",
    "q",
    "jsonEncode",
    "jsonEncodeIndent",
    "jsonDecode",
    "yamlEncode",
    "yamlDecode",
    "iniDecode",
    "hclDecode",
    "unixtime",
    "lines",
    "index_of",
    "indexOf",
    "escape",
    "unescape",
    "echo",
    "sh",
    "ruby",
]
WORLD = World(
    now=lambda: datetime(2017, 11, 22, 10, 0, tzinfo=UTC),
    dice=random.Random(0),
    environment={"HOME": "/root"},
)


def rendered(folder: Path, text: str, language: Language = Language.GO) -> str:
    file = folder / "main.sh"
    file.write_text(text, encoding="utf-8")
    return template.render(file, {}, Options(language=language), WORLD)


def test_every_function_of_upstreams_is_there_and_no_other() -> None:
    assert set(TABLE) == {*SPRIG, *OWN}


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("name", sorted(TABLE))
def test_an_example_gives_what_the_list_says(name: str, language: Language, tmp_path: Path) -> None:
    function = TABLE[name]
    example: object = Call(name, function.example)
    is_text = isinstance(function.gives, str | re.Pattern)
    example = example if is_text else Call("jsonEncode", (example,))
    words = listing.in_go(example) if language is Language.GO else listing.in_jinja(example)
    found = rendered(tmp_path, f"[{{{{ {words} }}}}]", language)[1:-1]
    if isinstance(function.gives, re.Pattern):
        assert function.gives.fullmatch(found)
    elif is_text:
        assert found == function.gives
    else:
        assert found == TABLE["jsonEncode"](None, function.gives)


def test_the_document_lists_every_function() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert text.endswith(listing.markdown())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{ trim 1 }}", "trim: text must be text, not int"),
        ("{{ trim }}", "trim: missing a required argument: 'text'"),
        ('{{ trim "a" "b" }}', "trim: too many positional arguments"),
        ("{{ first 1 }}", "first: items must be a list, not int"),
        ("{{ first true }}", "first: items must be a list, not bool"),
        ("{{ repeat true `a` }}", "repeat: count must be a whole number, not bool"),
        ("{{ set 1 `a` 2 }}", "set: table must be a dict, not int"),
        ("{{ loop 1000000000 }}", "loop: 1000000000 are too many; at most 100000 can be made"),
        ("{{ until 1000000000 }}", "1000000000 are too many"),
        ("{{ repeat 99999 `%s` }}" % ("a" * 999), "are too many"),
        ("{{ mul 9223372036854775807 2 }}", "mul: the number does not fit into 64 bits"),
        ("{{ div 1 0 }}", "div: "),
        ("{{ jsonDecode `{` }}", "jsonDecode: "),
        ("{{ yamlDecode `{` }}", "yamlDecode: "),
        ("{{ iniDecode `a` }}", "iniDecode: "),
        ("{{ hclDecode `{` }}", "hclDecode: "),
        ("{{ q `[` . }}", "q: "),
        ("{{ b64dec `!` }}", "b64dec: "),
        ("{{ b32dec `!` }}", "b32dec: "),
        ("{{ semver `a` }}", "semver: "),
        ("{{ semverCompare `?` `1.0.0` }}", "semverCompare: "),
        ("{{ genPrivateKey `a` }}", "genPrivateKey: there is no kind of key `a`"),
        ("{{ derivePassword 1 `a` `b` `c` `d` }}", "there is no kind of password `a`"),
        ("{{ dateModify `1` now }}", "`1` is no duration such as 1h30m"),
        ("{{ date_in_zone `2006` now `Nowhere` }}", "there is no time zone `Nowhere`"),
        ("{{ sh (list 1) }}", "sh: only text and whole numbers can be quoted"),
        ("{{ include `ftp://a` }}", "unsupported url: ftp://"),
        ("{{ include `http://127.0.0.1/a` }}", "is not on this host, and nothing else is allowed"),
        ("{{ fetch `str://a` `b` }}", "fetch: takes headers such as"),
        ("{{ jsonEncode now }}", "jsonEncode: datetime cannot be written as JSON"),
    ],
)
def test_what_a_function_cannot_take_is_a_problem(text: str, expected: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError) as caught:
        rendered(tmp_path, text)
    (problem,) = caught.value.problems
    assert expected in problem.message
    assert problem.path.startswith("line 1")


@pytest.mark.parametrize(
    ("constraint", "version", "holds"),
    [
        ("1.2.3", "1.2.3", True),
        ("=1.2", "1.2.9", True),
        ("!=1.2.3", "1.2.3", False),
        (">1.2", "1.2.9", False),
        (">=1.20, <2", "1.31.2", True),
        ("<=1.2", "1.2.9", True),
        ("~1.2.3", "1.3.0", False),
        ("~1", "1.9.0", True),
        ("^0.2.3", "0.3.0", False),
        ("^0.0.3", "0.0.4", False),
        ("^0", "0.9.0", True),
        ("1.2.x", "1.2.7", True),
        ("*", "9.9.9", True),
        ("1.2 - 1.4.5", "1.4.5", True),
        ("<1 || >=2", "2.1.0", True),
        (">=1.0.0", "1.1.0-rc.1", False),
        (">=1.1.0-0", "1.1.0-rc.1", True),
    ],
)
def test_ranges_of_versions(
    constraint: str,
    version: str,
    holds: bool,  # noqa: FBT001 - a table's column
    tmp_path: Path,
) -> None:
    found = rendered(tmp_path, f'{{{{ semverCompare "{constraint}" "{version}" }}}}')
    assert found == ("true" if holds else "false")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{ div -7 2 }} {{ mod -7 2 }} {{ untilStep 5 0 -2 }}", "-3 -1 [5 3 1]"),
        ('{{ base "/" }} {{ base "" }} {{ dir "a" }} {{ clean "" }} {{ clean "//a" }}',
         "/ . . . /a"),
        ('{{ int "x" }} {{ int64 1.9 }} {{ float64 "x" }} {{ atoi "x" }}', "0 1 0 0"),
        ('{{ substr -1 4 "nodes.sh" }} {{ substr 5 -1 "nodes.sh" }}', "node .sh"),
        ("{{ typeOf (list) }} {{ typeOf (dict) }} {{ kindOf now }}",
         "[]interface {} map[string]interface {} struct"),
        ('{{ quote "a\\"b" }} {{ squote 1 }}', '"a\\"b" \'1\''),
        ("{{ first (list 1) }} {{ join `-` 1 }} {{ sortAlpha `b` }}", "1 1 [b]"),
        ('{{ date "02 January 2006 03:04:05.000 PM -0700" 0 }}',
         "01 January 1970 12:00:00.000 AM +0000"),
        ('{{ derivePassword 1 "pin" "a" "b" "c" | len }}', "4"),
        ('{{ genPrivateKey "dsa" | trunc 31 }}', "-----BEGIN DSA PRIVATE KEY-----"),
    ],
)  # fmt: skip
def test_corners(text: str, expected: str, tmp_path: Path) -> None:
    assert rendered(tmp_path, text) == expected
