"""Generated templates of both languages: text, or a problem with its place; nothing else.

`tox -e generated` makes five thousand; the default keeps the suite quick.
"""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness import template
from harness.errors import InvalidInputError
from harness.template import Language, Options, World
from harness.template.functions import TABLE

if TYPE_CHECKING:
    from pathlib import Path

# Of each language; a quarter of a profile's.
EXAMPLES = max(150, settings().max_examples // 4)
# Not generated: a new RSA key takes seconds, and so does a derived password.
SLOW = {"genPrivateKey", "derivePassword"}
NAMES = sorted(set(TABLE) - SLOW)
CONTEXT = {
    "BOOTSTRAP": True,
    "SPEC": {"KubeJoinIP": "192.168.2.200", "KubeAddOns": [{"Name": "lab", "Type": "network"}]},
    "BIND_PORT": 6443,
    "ADDON": lambda kind: f"https://{kind}",
    "nothing": None,
    "list": ["x", "y"],
}
WORLD = World(
    now=lambda: datetime(2017, 11, 22, 10, 0, tzinfo=UTC),
    dice=random.Random(0),
    environment={},
)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
words = st.sampled_from(
    ["1", "-3", "0x1F", "1.5", '"a"', "`a`", "true", "BIND_PORT", "SPEC", "BOOTSTRAP", "nothing",
     '"part.sh"', '"str://{{ BIND_PORT }}"', '"main.sh"', '"/etc/hostname"', '"[?a==`1`]"', "''",
     '"http://x/"', '"a=b"', '"2006-01-02"', '">=1.2"', '"{"', '"99999999999"', "99999999999"]
)  # fmt: skip
go_atoms = words | st.sampled_from(["nil", ".", "$", "$x", ".SPEC", ".SPEC.KubeJoinIP", ".nope",
                                    "'a'", "SPEC.KubeJoinIP", "(list 1)", ".list"])  # fmt: skip
BUILTINS = "eq lt and or not index slice len print printf html js call ADDON bogus"
functions = st.sampled_from([*NAMES, *BUILTINS.split()])
go_pipes = st.recursive(
    go_atoms,
    lambda inner: st.builds(
        lambda name, parts, piped: f"({name} {' '.join(parts)}{piped})",
        functions,
        st.lists(inner, max_size=3),
        st.sampled_from(["", "", " | print", " | len", " | jsonEncode", " | sh"]),
    ),
    max_leaves=6,
)
go_nodes = st.recursive(
    texts | go_pipes.map("{{{{ {} }}}}".format) | st.sampled_from(
        ["{{ $x := 1 }}", "{{ break }}", "{{/* c */}}", "{{- 1 -}}", "{{", "}}", "{{ end }}",
         '{{ template "t" . }}', '{{ define "t" }}t{{ . }}{{ end }}', "{{ else }}", "\n"]
    ),
    lambda inner: st.builds(
        lambda word, pipe, body, rest: f"{{{{ {word} {pipe} }}}}{body}{rest}{{{{ end }}}}",
        st.sampled_from(["if", "with", "range", "range $i, $x :=", "if $x :=", 'block "t"']),
        go_pipes,
        inner,
        st.just("") | inner.map("{{{{ else }}}}{}".format),
    ),
    max_leaves=8,
)  # fmt: skip
jinja_expressions = st.recursive(
    words | st.sampled_from(["nope", "list", "list[0]", "list[9]", "SPEC.KubeJoinIP", "dot"]),
    lambda inner: (
        st.builds(
            lambda name, parts: f"{name}({', '.join(parts)})",
            functions,
            st.lists(inner, max_size=3),
        )
        | st.builds(lambda one, name: f"({one} | {name})", inner, functions)
        | st.builds(
            lambda one, sign, other: f"({one} {sign} {other})",
            inner,
            st.sampled_from(["+", "-", "*", "**", "/", "//", "%", "~", "==", "<", "in", "and"]),
            inner,
        )
    ),
    max_leaves=6,
)
jinja_nodes = st.recursive(
    texts | jinja_expressions.map("{{{{ {} }}}}".format) | st.sampled_from(
        ["{% set x = 1 %}", "{% endif %}", "{{", "}}", "{%", "{{/* c */}}",
         "{% include 'part.sh' %}",
         "{% include nope %}", "{% raw %}", "{% else %}", "\n"]
    ),
    lambda inner: st.builds("{{% if {} %}}{}{{% endif %}}".format, jinja_expressions, inner)
    | st.builds("{{% for x in {} %}}{}{{% endfor %}}".format, jinja_expressions, inner),
    max_leaves=8,
)  # fmt: skip


def check(folder: Path, text: str, options: Options) -> None:
    """Render a text, and demand a script or a problem."""
    (folder / "main.sh").write_text(text, encoding="utf-8", newline="")
    (folder / "part.sh").write_text("part", encoding="utf-8")
    try:
        found = template.render(folder / "main.sh", CONTEXT, options, WORLD)
    except InvalidInputError as error:
        for problem in error.problems:
            assert problem.message
            assert problem.path.startswith("line ")
    else:
        assert found.strip()


everywhere = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@everywhere
@given(nodes=st.lists(go_nodes, max_size=4), multi_pass=st.booleans())
def test_go_templates_are_text_or_a_problem(
    nodes: list[str], multi_pass: bool, tmp_path: Path  # noqa: FBT001 - hypothesis gives it
) -> None:  # fmt: skip
    check(tmp_path, "".join(nodes), Options(language=Language.GO, multi_pass=multi_pass))


@everywhere
@given(nodes=st.lists(jinja_nodes, max_size=4))
def test_jinja2_templates_are_text_or_a_problem(nodes: list[str], tmp_path: Path) -> None:
    check(tmp_path, "".join(nodes), Options(language=Language.JINJA2))


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize(
    "text",
    [
        "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
        "{{ if 1 }}" * 500 + "{{ end }}" * 500,
        "{% if 1 %}" * 500 + "{% endif %}" * 500,
        "{% for x in [1] %}" * 50 + "{% endfor %}" * 50,
        "{{ if 0 }}" + "{{ else if 0 }}" * 500 + "{{ end }}",
        "{{ 1" + " | print" * 3000 + " }}",
        "{{ 1" + " + 1" * 5000 + " }}",
        "{{ " + "[" * 3000 + "]" * 3000 + " }}",
        "\0",
        "{{ \0 }}",
        "{{ '" + "x" * 100_000 + "' | upper }}",
    ],
)
def test_what_is_deep_or_long_is_text_or_a_problem(
    text: str, language: Language, tmp_path: Path
) -> None:
    check(tmp_path, text, Options(language=language))
