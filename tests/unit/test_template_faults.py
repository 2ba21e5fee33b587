"""What users read of a faulty template, word for word."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness import template
from harness.errors import InvalidInputError
from tests.samples import GOLDEN

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FILES = {
    "low.tmpl": "\n  {{ .SPEC.KubeJoinIp }}\n",
    "low.j2": "\n  {{ SPEC.KubeJoinIp }}\n",
    "mid.tmpl": '#!/bin/sh\n{{ include "low.tmpl" . }}\n',
    "mid.j2": '#!/bin/sh\n{% include "low.j2" %}\n',
    "round.j2": '{{ include("round" ~ ".j2") }}',
}
# The name of a golden file, and the template whose fault it tells.
FAULTY = {
    "undefined-deep-in-go.tmpl": '\n\n{{ include "mid.tmpl" . }}',
    "undefined-deep-in-jinja.j2": '\n\n{{ include("mid.j2") }}',
    "undefined-deep-in-both.tmpl": '{{ include "mid.j2" . }}',
    "circle.tmpl": '{{ include "round.j2" }}',
    "missing-include.tmpl": '{{ include "none.sh" }}',
    "missing-include.j2": '{% include "none.sh" %}',
    "outside-include.tmpl": '{{ include "/etc/hostname" }}',
    "missing-end.tmpl": "{{ if true }}\n",
    "missing-end.j2": "{% if true %}\n",
    "unknown-function.tmpl": "{{ kubeadm }}\n",
    "wrong-argument.tmpl": '{{ trunc "a" 1 }}\n',
    "wrong-argument.j2": '{{ trunc("a", 1) }}\n',
    "missing-variable.tmpl": '{{ var "a" }}\n',
    "nothing.tmpl": "{{/* nothing */}}\n",
}


@pytest.mark.parametrize("name", FAULTY)
def test_a_fault_reads_as_agreed(
    name: str, golden: Callable[[Path, str], None], tmp_path: Path
) -> None:
    for file, text in {**FILES, name: FAULTY[name]}.items():
        (tmp_path / file).write_text(text)
    with pytest.raises(InvalidInputError) as caught:
        template.render(tmp_path / name, {"SPEC": {"KubeJoinIP": "192.168.2.200"}})
    text = str(caught.value).replace(str(tmp_path), "FOLDER")
    golden(GOLDEN / "templates" / f"{name}.txt", f"{text}\n")


def test_no_golden_fault_is_left_of_a_template_that_is_gone() -> None:
    files = {path.name for path in (GOLDEN / "templates").iterdir()}
    assert files == {f"{name}.txt" for name in FAULTY}
