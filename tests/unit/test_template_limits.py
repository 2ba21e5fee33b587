"""What is Jinja2's own in the engine, and work without an end."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from jinja2.filters import FILTERS

from harness import template
from harness.errors import InvalidInputError
from harness.template import Language, Options, World
from harness.template.functions import TABLE
from harness.template.listing import in_jinja
from tests.unit.test_template_upstream import GO, JINJA, refused, rendered

if TYPE_CHECKING:
    from pathlib import Path

# Jinja2's own filters stay its own.
PIPED = sorted(
    name
    for name, function in TABLE.items()
    if function.example and isinstance(function.gives, str) and name not in FILTERS
)


def test_functions_are_functions_and_filters_in_jinja2(tmp_path: Path) -> None:
    text = '{{ trunc(2, "abc") }} {{ "abc" | trunc(2) }} {{ ["a", "b"] | join("-") }}'
    assert rendered(tmp_path, text, JINJA) == "ab ab a-b"
    assert "'nope' is undefined" in refused(tmp_path, "{{ upper(nope) }}", JINJA)
    assert rendered(tmp_path, "{{ dict(a=1).a }}{{ dict('b', 2).b }}", JINJA) == "12"


@pytest.mark.parametrize("name", PIPED)
def test_a_filter_takes_what_is_piped_as_its_last_argument(name: str, tmp_path: Path) -> None:
    *others, last = map(in_jinja, TABLE[name].example)
    call = f"{name}({', '.join([*others, last])})"
    pipe = f"({last}) | {name}({', '.join(others)})"
    noon = datetime(2017, 11, 22, 12, 0, tzinfo=UTC)
    world = World(environment={"HOME": "/root"}, now=lambda: noon)
    found = []
    for words in (call, pipe):
        (tmp_path / "main.sh").write_text(f"[{{{{ {words} }}}}]")
        found.append(template.render(tmp_path / "main.sh", {}, JINJA, world))
    assert found[0] == found[1]


@pytest.mark.parametrize(
    "text",
    [
        "{{ 'a' * 10 ** 9 }}",
        "{{ 99999999999 ** 99999999999 }}",
        "{{ '%9999d' % 1 }}",
        "{{ [1] * 10 ** 9 }}",
    ],
)
def test_what_would_fill_the_memory_is_refused(text: str, tmp_path: Path) -> None:
    assert refused(tmp_path, text, JINJA)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (GO, "{{ range loop 99999 }}{{ range loop 99999 }}{{ $x := 1 }}{{ end }}{{ end }}"),
        (GO, "{{ range loop 99999 }}{{ range loop 99999 }}{{ end }}{{ end }}"),
        (JINJA, "{% for i in loop(99999) %}{% for j in range(9999) %}{% endfor %}{% endfor %}"),
        (JINJA, "{% for i in range(9999) if range(9999) | sum %}{% include 'p.sh' %}{% endfor %}"),
    ],
)
def test_endless_work_ends(options: Options, text: str, tmp_path: Path) -> None:
    (tmp_path / "p.sh").write_text("{% for j in range(9999) %}{% endfor %}")
    assert refused(tmp_path, text, options).startswith("it takes too many steps")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (GO, "{{ range loop 99999 }}{{ repeat 9999 `abc` }}{{ end }}"),
        (JINJA, "{% for i in loop(99999) %}{{ 'abc' * 9999 }}{% endfor %}"),
    ],
)
def test_what_is_written_ends(options: Options, text: str, tmp_path: Path) -> None:
    assert refused(tmp_path, text, options) == "what it renders is too large"


@pytest.mark.parametrize(
    ("language", "text"),
    [
        (Language.GO, "{{ range loop 999 }}{{ upper `a` }}{{ end }}"),
        (Language.GO, "{{ range loop 999 }}a{{ end }}"),
        (Language.JINJA2, "{% for i in loop(999) %}{{ upper('a') }}{% endfor %}"),
        (Language.JINJA2, "{% for i in range(999) %}a{% endfor %}"),
    ],
)
def test_a_minute_is_all_that_it_may_take(language: Language, text: str, tmp_path: Path) -> None:
    (tmp_path / "main.sh").write_text(text)
    options = Options(language=language)
    ticks = itertools.count(0, 10)
    with pytest.raises(InvalidInputError, match="it takes longer than 60 s"):
        template.render(tmp_path / "main.sh", {}, options, World(seconds=lambda: next(ticks)))
    assert template.render(tmp_path / "main.sh", {}, options, World(seconds=lambda: 7))


def test_a_loop_in_jinja2_knows_its_length_as_ever(tmp_path: Path) -> None:
    text = "{% for i in [5, 6] %}{{ loop.index }}/{{ loop.length }}{{ loop.last }} {% endfor %}"
    assert rendered(tmp_path, text, JINJA) == "1/2False 2/2True "
    text = "{% for k, v in {'a': 1}.items() %}{{ k }}{{ v }}{% else %}none{% endfor %}"
    assert rendered(tmp_path, text, JINJA) == "a1"
    assert rendered(tmp_path, "{% for i in [] %}{% else %}none{% endfor %}", JINJA) == "none"
    assert refused(tmp_path, "\n{% for i in nope %}{% endfor %}", JINJA) == "'nope' is undefined"


def test_circles_of_include_statements_end_whatever_their_names_are(tmp_path: Path) -> None:
    (tmp_path / "b.sh").write_text("{% include 'main' ~ '.sh' %}")
    message = refused(tmp_path, "{% include 'b.sh' %}", JINJA)
    assert message.startswith("includes go round: main.sh → b.sh → main.sh (included from ")
    assert "deep" in refused(tmp_path, "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", JINJA)


@pytest.mark.parametrize("statement", ["{{% include '{}' %}}", "{{{{ include('{}') }}}}"])
def test_more_levels_than_anybody_means_are_refused(statement: str, tmp_path: Path) -> None:
    for level in range(40):
        (tmp_path / f"{level}.sh").write_text(statement.format(f"{level + 1}.sh"))
    (tmp_path / "40.sh").write_text("deep")
    message = refused(tmp_path, statement.format("0.sh"), JINJA)
    assert message.startswith("includes are nested more than 30 deep")
    assert rendered(tmp_path, statement.format("20.sh"), JINJA) == "deep"


def test_an_include_statement_heeds_the_language_that_a_name_says(tmp_path: Path) -> None:
    (tmp_path / "part.tmpl").write_text("{{ if .ok }}{{ print `go` }}{{ else }}{{ end }}")
    (tmp_path / "bad.tmpl").write_text("\n\n {{ nosuchfunc }}")
    assert rendered(tmp_path, "{% include 'part.tmpl' %}", JINJA, ok=True) == "go"
    text = "{% include 'none.tmpl' ignore missing %}{% include ['none.tmpl', 'part.tmpl'] %}"
    assert rendered(tmp_path, text, JINJA, ok=True) == "go"
    message = refused(tmp_path, "\n{% include 'bad.tmpl' %}", JINJA)
    stack = f"(included from {tmp_path / 'main.sh'}, line 2)"
    assert message == f'function "nosuchfunc" not defined {stack}'
