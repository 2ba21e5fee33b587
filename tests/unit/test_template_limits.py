"""What is Jinja2's own in the engine, and work without an end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.test_template_upstream import JINJA, refused, rendered

if TYPE_CHECKING:
    from pathlib import Path


def test_functions_are_functions_and_filters_in_jinja2(tmp_path: Path) -> None:
    text = '{{ trunc(2, "abc") }} {{ "abc" | trunc(2) }} {{ ["a", "b"] | join("-") }}'
    assert rendered(tmp_path, text, JINJA) == "ab ab a-b"
    assert "'nope' is undefined" in refused(tmp_path, "{{ upper(nope) }}", JINJA)
    assert rendered(tmp_path, "{{ dict(a=1).a }}{{ dict('b', 2).b }}", JINJA) == "12"


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


def test_endless_work_ends(tmp_path: Path) -> None:
    loops = "{{ range loop 99999 }}{{ range loop 99999 }}{{ $x := 1 }}{{ end }}{{ end }}"
    assert refused(tmp_path, loops) == "it takes too many steps"
