"""`harness template`: one template, rendered as it would be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.flavors.names import ROWS
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
        (["str://{% if x %}yes{% else %}no{% endif %}", "--var", "x=false"], "no"),
        (["str://{{ if x }}yes{{ end }}", "--language", "go", "--var", "x=true"], "yes"),
        (
            [
                "str://{{ x + 1 }} {{ y ~ 1 }} {{ z }}",
                "--var",
                "x=-7",
                "--var",
                "y=007",
                "--var",
                "z=",
            ],
            "-6 0071 ",
        ),
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
    ran = run("template", str(tmp_path / "none"))
    assert (ran.code, ran.out) == (3, "")
    assert f"{tmp_path}/none: line 1: there is no such template" in ran.err


def test_files_are_included_from_a_root_that_is_named(
    tmp_path: Path, run: Callable[..., Ran]
) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "setup.sh").write_text("setup")
    (tmp_path / "lib/main.tmpl").write_text('{{ include "../setup.sh" }}')
    main = str(tmp_path / "lib/main.tmpl")
    assert "--root of `harness template`" in run("template", main).err
    assert run("template", main, "--root", str(tmp_path)).out == "setup"


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
    assert (ran.code, ran.out) == (0, f"{listing.plain(ROWS)}\n")
    assert "BIND_PORT: The API server's port.\n    {{ BIND_PORT }} → 6443\n" in ran.out
    assert 'upper: A text in capitals.\n    {{ upper "aB" }} → AB\n' in ran.out
