"""The template engine: quoting that holds, and errors that say where."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import template
from harness.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HOSTILE = [
    "",
    "plain",
    "it's",
    "''",
    "$(reboot)",
    "`reboot`",
    "#{system('reboot')}",
    "a\nb",
    "\n__END__\n",
    "\\",
    "\\'",
    "\\\\'#{1}",
    '"; rm -rf /; "',
    "; true",
    "!!",
    "-n",
    "%{x} %s",
    "\t{{ x }}",
    "é ☃ 𝄞",
]


def written(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.sh").write_text(text, encoding="utf-8")
    return folder / "main.sh"


def problems(main: Path, **context: object) -> list[str]:
    with pytest.raises(InvalidInputError) as caught:
        template.render(main, context)
    return [f"{one.file.rpartition('/')[2]}: {one.path}" for one in caught.value.problems]


@pytest.mark.parametrize("value", HOSTILE)
def test_sh_hands_a_shell_one_word_unchanged(value: str, tool: Callable[[str], str]) -> None:
    script = f"printf '%s' {template.sh(value)}"
    done = subprocess.run([tool("bash"), "-c", script], capture_output=True, check=True)
    assert done.stdout.decode() == value


@pytest.mark.parametrize("value", HOSTILE)
def test_ruby_hands_ruby_one_string_unchanged(
    value: str, tool: Callable[[str], str], tmp_path: Path
) -> None:
    script = tmp_path / "print.rb"
    script.write_text(f"$stdout.write({template.ruby(value)})\n", encoding="utf-8")
    done = subprocess.run([tool("ruby"), script], capture_output=True, check=True)
    assert done.stdout.decode() == value


@settings(max_examples=20, deadline=None)
@given(values=st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))))
def test_sh_holds_for_any_text(values: list[str]) -> None:
    script = "printf '%s\\0' " + " ".join(template.sh(value) for value in ["", *values])
    done = subprocess.run(["bash", "-c", script], capture_output=True, check=True)
    assert done.stdout.decode().split("\0")[1:-1] == values


@pytest.mark.parametrize("quote", [template.sh, template.ruby])
@pytest.mark.parametrize("value", [None, True, 1.5, ["a"], {"a": 1}, b"a"])
def test_only_text_and_whole_numbers_are_quoted(
    quote: Callable[[object], str], value: object
) -> None:
    with pytest.raises(TypeError, match="only text and whole numbers"):
        quote(value)


def test_what_a_language_cannot_hold_is_refused() -> None:
    for quote in (template.sh, template.ruby):
        with pytest.raises(ValueError, match="NUL"):
            quote("a\0b")
    with pytest.raises(ValueError, match="carriage return"):
        template.ruby("a\r\nb")


def test_numbers_and_paths_are_text(tmp_path: Path) -> None:
    assert template.sh(6443) == "6443"
    assert template.ruby(tmp_path) == f"'{tmp_path}'"


def test_includes_stand_beside_the_template(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "low.sh").write_text("low {{ x }}\n")
    main = written(
        tmp_path, main='top\n{% include "part.sh" %}\nend\n', part='{% include "parts/low.sh" %}\n'
    )
    assert template.render(main, {"x": 1}) == "top\nlow 1\nend\n"
    assert [file.name for file in template.sources(main)] == ["main.sh", "part.sh", "low.sh"]


def test_shell_and_upstream_comments_are_left_to_their_languages(tmp_path: Path) -> None:
    main = written(tmp_path, main="{{/* Install Docker */}}echo ${#names[@]} {# 1 #}\n")
    assert template.render(main, {}) == "echo ${#names[@]} {# 1 #}\n"


def test_a_file_that_is_included_twice_is_no_circle(tmp_path: Path) -> None:
    main = written(tmp_path, main='{% include "a.sh" %}{% include "a.sh" %}', a="a")
    assert template.render(main, {}) == "aa"
    assert len(template.sources(main)) == 2


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("one\n{{ nowhere }}\n", "main.sh: line 2"),
        ("one\n\n{{ nowhere | sh }}\n", "main.sh: line 3"),
        ("{{ SPEC.KubeJoinIp }}\n", "main.sh: line 1"),
        ("\n{% if x %}\n", "main.sh: line 2"),
        ("\n{{ 'a' | shell }}\n", "main.sh: line 2"),
        ("\n{{ 1 / 0 }}\n", "main.sh: line 2"),
        ("\n{{ 'a' + 1 }}\n", "main.sh: line 2"),
        ("\n{{ [] | sh }}\n", "main.sh: line 2"),
        ('\n{% include "none.sh" %}\n', "main.sh: line 2"),
        ('\n{% include "../main.sh" %}\n', "main.sh: line 2"),
        ("\n{% include name %}\n", "main.sh: line 2"),
        ('\n{% include "main.sh" %}\n', "main.sh: line 2"),
        ('\n{% include "undefined.sh" %}\n', "undefined.sh: line 3"),
        ('\n{% include "syntax.sh" %}\n', "syntax.sh: line 2"),
        ('\n{% include "circle.sh" %}\n', "circle.sh: line 1"),
        ("\n{{ ''.__class__ }}\n", "main.sh: line 2"),
        ("\n{% for i in range(10 ** 9) %}{% endfor %}\n", "main.sh: line 2"),
    ],
)
def test_a_fault_is_placed_by_file_and_line(text: str, place: str, tmp_path: Path) -> None:
    main = written(
        tmp_path,
        main=text,
        undefined="\n\n{{ nowhere }}\n",
        syntax="\n{% endfor %}\n",
        circle='{% include "main.sh" %}',
    )
    assert problems(main, SPEC={"KubeJoinIP": "x"}, name="none.sh") == [place]


def test_a_missing_or_unreadable_template_is_a_problem(tmp_path: Path) -> None:
    assert problems(tmp_path / "none.sh") == ["none.sh: line 1"]
    (tmp_path / "latin.sh").write_bytes(b"\xff")
    assert problems(tmp_path / "latin.sh") == ["latin.sh: line 1"]


def test_an_include_that_may_be_missing_may_be_missing(tmp_path: Path) -> None:
    main = written(tmp_path, main='{% include "none.sh" ignore missing %}ok')
    assert template.render(main, {}) == "ok"
