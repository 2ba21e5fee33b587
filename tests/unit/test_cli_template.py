"""`harness template`: one template, rendered as it would be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.template import listing

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.unit.conftest import Ran


@pytest.mark.parametrize(
    ("words", "out"),
    [
        (["str://{{ upper `a` }}", "--language", "go"], "A"),
        (["str://{{ x }}{{ var('x') }}", "--var", "x=1=2"], "1=21=2"),
        (["str://{{ x }}{{ .x }}{{ var `x` }}", "--var", "x=1", "--language", "go"], "111"),
        (["str://{{ var `x` }}", "--multi-pass", "--language", "go"], "{{ var `x` }}"),
        (["str://{{ var `x` }}", "--no-value", "--language", "go"], "<no value>"),
    ],
)
def test_a_text_is_rendered(words: list[str], out: str, run: Callable[..., Ran]) -> None:
    ran = run("template", *words)
    assert (ran.code, ran.out, ran.err) == (0, out, "")


def test_a_file_is_rendered_with_what_it_includes(tmp_path: Path, run: Callable[..., Ran]) -> None:
    (tmp_path / "main.tmpl").write_text('{{ include "part.sh" }}{{ echo "heard" }}')
    (tmp_path / "part.sh").write_text("{{ print 1 }}")
    ran = run("template", str(tmp_path / "main.tmpl"))
    assert (ran.code, ran.out, ran.err) == (0, "1", "heard\n")
    assert run("template", (tmp_path / "main.tmpl").as_uri()).out == "1"


def test_a_faulty_template_is_a_problem(tmp_path: Path, run: Callable[..., Ran]) -> None:
    (tmp_path / "main.tmpl").write_text("\n{{ nope }}")
    ran = run("template", str(tmp_path / "main.tmpl"))
    assert (ran.code, ran.out) == (3, "")
    assert f'{tmp_path}/main.tmpl: line 2, column 4: function "nope" not defined' in ran.err
    assert run("template", str(tmp_path / "none")).code == 3


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "No template is named."),
        (["a", "--var", "b"], "`b` is not K=V."),
        (["ftp://a"], "unsupported url: ftp://"),
    ],
)
def test_what_cannot_be_rendered_is_a_usage_error(
    words: list[str], message: str, run: Callable[..., Ran]
) -> None:
    ran = run("template", *words)
    assert ran.code == 2
    assert message in ran.err


def test_the_functions_are_listed(run: Callable[..., Ran]) -> None:
    ran = run("template", "--functions")
    assert (ran.code, ran.out) == (0, f"{listing.plain()}\n")
    assert 'upper: A text in capitals.\n    {{ upper "aB" }} → AB\n' in ran.out
