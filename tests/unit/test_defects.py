"""Every defect of InfraKit that we know of has a test that shows that it is not ours."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from tests.defects import DEFECTS

if TYPE_CHECKING:
    from collections.abc import Iterator

TESTS = Path(__file__).parents[1]


def marked() -> Iterator[str]:
    """Yield the numbers of every `@pytest.mark.defect(…)` on a test, read and not imported."""
    for file in sorted(TESTS.rglob("test_*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                for decorator in node.decorator_list:
                    if ast.unparse(decorator).startswith("pytest.mark.defect("):
                        assert isinstance(decorator, ast.Call)
                        yield from (ast.literal_eval(word) for word in decorator.args)


def test_every_defect_has_a_test_and_every_test_a_defect_that_is_there() -> None:
    tested = Counter(marked())
    assert set(DEFECTS) - set(tested) == set()
    assert set(tested) - set(DEFECTS) == set()


def test_the_numbers_are_those_of_the_reference() -> None:
    counts = Counter(number[0] for number in DEFECTS)
    assert counts == {"W": 13, "K": 17, "T": 12, "G": 13, "V": 14}
    for letter, count in counts.items():
        assert [f"{letter}{n}" for n in range(1, count + 1)] == [
            number for number in DEFECTS if number[0] == letter
        ]
