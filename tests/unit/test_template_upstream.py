"""Upstream's portable table of behaviour, and each of its defects, which ours does not have."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from harness import template
from harness.errors import InvalidInputError
from harness.template import Language, MissingKey, Options, World
from harness.template.functions import TABLE

if TYPE_CHECKING:
    from pathlib import Path

LOCATIONS = {
    "locations": [
        {"name": "Seattle", "state": "WA"},
        {"name": "New York", "state": "NY"},
        {"name": "Bellevue", "state": "WA"},
        {"name": "Olympia", "state": "WA"},
    ]
}
SUBNET = {"ResourceType": "AWS::EC2::Subnet", "LogicalResourceID": "Subnet"}
VPC = {"ResourceType": "AWS::EC2::VPC", "LogicalResourceID": "Vpc"}
CLOUD = {"Resources": [SUBNET, VPC]}
GO = Options(language=Language.GO)
JINJA = Options(language=Language.JINJA2)


def rendered(folder: Path, text: str, options: Options = GO, /, **context: object) -> str:
    (folder / "main.sh").write_text(text, encoding="utf-8")
    return template.render(folder / "main.sh", context, options)


def refused(folder: Path, text: str, options: Options = GO, /, **context: object) -> str:
    with pytest.raises(InvalidInputError) as caught:
        rendered(folder, text, options, **context)
    (problem,) = caught.value.problems
    return problem.message


CITIES = "locations[?state == 'WA'].name | sort(@) | {WashingtonCities: join(', ', @)}"


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (GO, f'{{{{ q "{CITIES}" . | jsonEncode }}}}'),
        (JINJA, f'{{{{ q("{CITIES}", dot) | jsonEncode }}}}'),
    ],
)
def test_run_template_with_jmespath(options: Options, text: str, tmp_path: Path) -> None:
    expected = '{\n  "WashingtonCities": "Bellevue, Olympia, Seattle"\n}'
    assert rendered(tmp_path, text, options, **LOCATIONS) == expected


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (GO, '{{ var "a" "1" }}{{ "2" | var "b" }}{{ var "a" }}{{ var "b" }}'),
        (JINJA, '{{ var("a", "1") }}{{ "2" | var("b") }}{{ var("a") }}{{ var("b") }}'),
    ],
)
def test_var_and_global(options: Options, text: str, tmp_path: Path) -> None:
    assert rendered(tmp_path, text, options) == "12"


def test_var_and_global_multi_pass(tmp_path: Path) -> None:
    options = Options(language=Language.GO, multi_pass=True)
    first = rendered(tmp_path, '{{ var "a" 1 }}{{ var "a" }} {{ var "second-stage" }}', options)
    assert first == "1 {{ var `second-stage` }}"
    assert rendered(tmp_path, '{{ var "second-stage" 2 }}' + first) == "1 2"


@pytest.mark.defect("T9")
def test_multi_pass_keeps_defaults_and_whole_blocks(tmp_path: Path) -> None:
    options = Options(language=Language.GO, multi_pass=True)
    block = '{{ if var "d" }}1{{ else }}2{{ end }}'
    text = '{{ var "a" | default "b" }}{{ $x := var "c" }}{{ $x }}' + block
    kept = "{{ var `a` | default `b` }}{{ $x := var `c` }}{{ $x }}"
    assert rendered(tmp_path, text, options) == kept + block


@pytest.mark.defect("T10")
def test_missing_key_var(tmp_path: Path) -> None:
    default = Options(language=Language.GO, missing_key=MissingKey.DEFAULT)
    assert rendered(tmp_path, '{{ var "foo" }}', default) == "<no value>"
    assert refused(tmp_path, '{{ var "foo" }}') == "var: Missing variable foo"
    assert refused(tmp_path, '{{ var("foo") }}', JINJA) == "var: Missing variable foo"


@pytest.mark.parametrize(
    ("options", "child", "text"),
    [
        (GO, '{{ var "foo" 100 }}', '{{ source "c.sh" }}foo={{ var "foo" }}'),
        (JINJA, '{{ var("foo", 100) }}', '{{ source("c.sh") }}foo={{ var("foo") }}'),
        (GO, '{{ define "foo" }}100{{ end }}', '{{ source "c.sh" }}foo={{ template "foo" }}'),
        (GO, '{{ source "d.sh" }}', '{{ source "c.sh" }}foo={{ var "foo" }}'),
    ],
)
def test_source_shares(options: Options, child: str, text: str, tmp_path: Path) -> None:
    (tmp_path / "c.sh").write_text(child)
    (tmp_path / "d.sh").write_text('{{ var "foo" 100 }}')
    assert rendered(tmp_path, text, options) == "foo=100"


@pytest.mark.parametrize(
    ("options", "child", "text"),
    [
        (GO, '{{ set . "a" 100 }}', '{{ source "c.sh" . | trunc 0 }}a={{ .a }}'),
        (JINJA, "{{ set(dot, 'a', 100) }}", '{{ trunc(0, source("c.sh", dot)) }}a={{ dot.a }}'),
    ],
)
def test_source_shares_its_context(options: Options, child: str, text: str, tmp_path: Path) -> None:
    (tmp_path / "c.sh").write_text(child)
    assert rendered(tmp_path, text, options, a=1, b=2) == "a=100"


@pytest.mark.defect("T8")
@pytest.mark.parametrize(
    ("options", "child", "text"),
    [
        (GO, '{{ var "foo" 100 }}{{ set . "a" 100 }}x',
         '{{ var "foo" 1 }}{{ include "c.sh" . | trunc 0 }}{{ .a }}{{ var "foo" }}'),
        (JINJA, '{{ var("foo", 100) }}{{ set(dot, "a", 100) }}x',
         '{{ var("foo", 1) }}{{ trunc(0, include("c.sh", dot)) }}{{ a }}{{ var("foo") }}'),
        (GO, '{{ var "foo" | append (list) | len }}x{{ source "d.sh" }}',
         '{{ var "foo" 1 }}{{ include "c.sh" | trunc 0 }}1{{ var "foo" }}'),
    ],
)  # fmt: skip
def test_include_forks(options: Options, child: str, text: str, tmp_path: Path) -> None:
    (tmp_path / "c.sh").write_text(child)
    (tmp_path / "d.sh").write_text('{{ var "foo" 7 }}')
    assert rendered(tmp_path, text, options, a=1) == "11"


def test_included_templates_see_the_context_they_are_given(tmp_path: Path) -> None:
    (tmp_path / "c.tmpl").write_text("{{ .x }}")
    (tmp_path / "c.j2").write_text("{{ x }}")
    text = '{{ include "c.tmpl" (dict "x" 1) }}{{ include "c.j2" (dict "x" 2) "A=b" }}'
    assert rendered(tmp_path, text) == "12"


def test_with_functions(tmp_path: Path) -> None:
    found = rendered(tmp_path, "hello={{ greet .a }}", a=1, greet=lambda value: value)
    assert found == "hello=1"


def test_relative_includes_are_relative_to_the_including_file(tmp_path: Path) -> None:
    (tmp_path / "common").mkdir()
    (tmp_path / "lib").mkdir()
    (tmp_path / "common/setup.sh").write_text('echo "this is common/setup.sh"')
    (tmp_path / "lib/script.tpl").write_text('{{ include "../common/setup.sh" }}')
    (tmp_path / "lib/j.j2").write_text('{% include "../common/setup.sh" %}')
    expected = ['echo "this is common/setup.sh"']
    for name in ("lib/script.tpl", "lib/j.j2"):
        found = rendered(tmp_path, f'{{{{ include "{name}" | lines | jsonEncode }}}}')
        assert json.loads(found) == expected


def test_context_funcs(tmp_path: Path) -> None:
    # The session that a function is given is none of the arguments that a template counts.
    message = "unixtime: too many positional arguments"
    assert refused(tmp_path, "{{ unixtime 1 }}") == message
    assert rendered(tmp_path, "{{ echo }}{{ echo 1 2 3 }}{{ coalesce 0 0 3 }}") == "3"
    assert refused(tmp_path, "{{ call .a }}", a=1) == "non-function of type int"


@pytest.mark.parametrize(
    ("needle", "items", "strict", "expected"),
    [
        ("a", ["x", "y", "z"], [], -1),
        ("y", ["x", "y", "z"], [], 1),
        (25, ["x", "y", "z"], [], -1),
        (25, 26, [], -1),
        (1, [0, 1, 2], [], 1),
        ("1", [0, 1, 2], [], 1),
        (1, [0, "1", 2], [], 1),
        (1, [0, "1", 2], [True], -1),
        (1, None, [], -1),
    ],
)
def test_index_of(needle: object, items: object, strict: list[object], expected: int) -> None:
    assert TABLE["index_of"](None, needle, items, *strict) == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("Resources[?ResourceType=='AWS::EC2::Subnet'] | [0]", SUBNET),
        ("Resources", CLOUD["Resources"]),
        ("Resources[?ResourceType=='AWS::EC2::VPC'] | [0].LogicalResourceID", "Vpc"),
    ],
)
def test_query_object(expression: str, expected: object) -> None:
    assert TABLE["q"](None, expression, CLOUD) == expected


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_encoding_and_decoding_is_a_round_trip(form: str) -> None:
    decoded = TABLE[f"{form}Decode"](None, TABLE[f"{form}Encode"](None, CLOUD))
    assert decoded == CLOUD
    assert decoded is not CLOUD
    assert TABLE["yamlEncode"](None, json.loads(json.dumps(CLOUD))) == TABLE["yamlEncode"](
        None, CLOUD
    )


def test_a_text_is_a_template_too(tmp_path: Path) -> None:
    text = 'str://{{ var "my-var" "value" }}echo {{ var "my-var" }}'
    assert rendered(tmp_path, f"{{{{ include `{text}` }}}}") == "echo value"
    assert refused(tmp_path, "{{ include `str://{{ nosuchfunc }}` }}").startswith(
        'function "nosuchfunc" not defined (included from '
    )


def test_what_validate_reads_is_parsed_even_where_rendering_never_comes(tmp_path: Path) -> None:
    assert "not defined" in refused(tmp_path, "{{ if false }}{{ nosuchfunc }}{{ end }}x")


@pytest.mark.defect("T6")
def test_circles_end(tmp_path: Path) -> None:
    (tmp_path / "c.sh").write_text('{{ include (print "main" ".sh") }}')
    assert refused(tmp_path, '{{ include "c.sh" }}').startswith(
        "include: includes go round: main.sh → c.sh → main.sh (included from "
    )
    assert "includes go round" in refused(tmp_path, '{{ include "main.sh" }}')
    (tmp_path / "j.j2").write_text('{{ include("j" ~ ".j2") }}')
    assert "includes go round" in refused(tmp_path, '{{ include("j.j2") }}', JINJA)


@pytest.mark.defect("T11")
@pytest.mark.parametrize(
    ("options", "middle", "text", "places"),
    [
        (GO, '\n {{ include "low.sh" }}', '\n\n{{ include "mid.sh" }}',
         ["line 3, column 4", "line 2, column 5", "line 3, column 4"]),
        (JINJA, '\n {{ include("low.sh") }}', '\n\n{{ include("mid.sh") }}',
         ["line 3", "line 2", "line 3"]),
        (JINJA, '\n {% include "low.sh" %}', '\n\n{{ include("mid.sh") }}',
         ["line 3", "line 2", "line 3"]),
    ],
)  # fmt: skip
def test_a_fault_names_the_includes_that_led_to_it(
    options: Options, middle: str, text: str, places: list[str], tmp_path: Path
) -> None:
    (tmp_path / "low.sh").write_text("\n\n{{ jsonDecode SPEC }}")
    if options is JINJA:
        (tmp_path / "low.sh").write_text("\n\n{{ jsonDecode(SPEC) }}")
    (tmp_path / "mid.sh").write_text(middle)
    with pytest.raises(InvalidInputError) as caught:
        rendered(tmp_path, text, options, SPEC="{")
    (problem,) = caught.value.problems
    low, mid, main = (tmp_path / f"{name}.sh" for name in ("low", "mid", "main"))
    assert (problem.file, problem.path) == (str(low), places[0])
    stack = f"(included from {mid}, {places[1]}; included from {main}, {places[2]})"
    assert problem.message.endswith(stack)


def test_unescape_is_the_inverse_of_escape(tmp_path: Path) -> None:
    # Upstream binds `unescape` to Escape, and both to bytes.
    assert rendered(tmp_path, "{{ escape `{{ a }}` | unescape }}") == "{{ a }}"


@pytest.mark.defect("T12")
def test_a_value_is_quoted_for_the_shell(tmp_path: Path) -> None:
    assert rendered(tmp_path, 'echo {{ "$(reboot)" | sh }}') == "echo '$(reboot)'"


@pytest.mark.defect("T7")
def test_raw_is_raw_and_echo_is_heard_once(tmp_path: Path) -> None:
    said: list[str] = []
    (tmp_path / "c.sh").write_text("{{ nosuchfunc }}")
    (tmp_path / "main.sh").write_text('{{ raw "c.sh" }}{{ echo "a" 1 }}')
    world = World(say=said.append)
    assert template.render(tmp_path / "main.sh", {}, GO, world) == "{{ nosuchfunc }}"
    assert said == ["a 1"]


@pytest.mark.defect("K1")
@pytest.mark.parametrize("text", ["", "\n \n", "{{/* nothing */}}", "{{ `` }}"])
def test_an_empty_script_is_a_problem(text: str, tmp_path: Path) -> None:
    assert refused(tmp_path, text) == "it renders nothing"


@pytest.mark.defect("K1")
def test_a_failing_include_leaves_no_half_script(tmp_path: Path) -> None:
    (tmp_path / "c.sh").write_text("{{ index . 1 }}")
    assert "can't index" in refused(tmp_path, 'before {{ include "c.sh" 3 }} after')
