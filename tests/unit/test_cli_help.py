from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.cli.app import TOPICS
from tests.samples import GOLDEN

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.unit.conftest import Ran

PARTS = {"bundle": ("build", "verify", "info"), "box": ("build", "ls"), "group": ("commit",)}
COMMANDS: list[tuple[str, ...]] = [
    *((command,) for commands in TOPICS.values() for command in commands),
    *((command, part) for command, parts in PARTS.items() for part in parts),
]


@pytest.mark.parametrize("words", [(), *COMMANDS], ids="-".join)
def test_help_reads_as_agreed(
    words: tuple[str, ...], run: Callable[..., Ran], golden: Callable[[Path, str], None]
) -> None:
    ran = run(*words, "--help")
    assert (ran.code, ran.err) == (0, "")
    golden(GOLDEN / "help" / f"{'-'.join(['harness', *words])}.txt", ran.out)


@pytest.mark.parametrize(
    "words", [words for words in COMMANDS if words not in {(name,) for name in PARTS}]
)
def test_every_command_shows_an_example(words: tuple[str, ...], run: Callable[..., Ran]) -> None:
    assert f"Example:\n    harness {' '.join(words)}" in run(*words, "--help").out


def test_no_golden_help_is_left_of_a_command_that_is_gone() -> None:
    known = {f"{'-'.join(['harness', *words])}.txt" for words in [(), *COMMANDS]}
    assert {path.name for path in (GOLDEN / "help").iterdir()} == known


def test_the_bare_name_shows_its_help_and_is_a_usage_error(run: Callable[..., Ran]) -> None:
    ran = run()
    assert (ran.code, ran.out) == (2, "")
    assert "Commands:" in ran.err


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (["bogus"], "No such command 'bogus'", "`harness --help`"),
        (["up", "--bogus"], "No such option: --bogus", "`harness up --help`"),
        (["status", "-o", "xml"], "'xml' is not one of", "`harness status --help`"),
        (["render"], "Missing option '--out'", "`harness render --help`"),
        (["box", "bogus"], "No such command 'bogus'", "`harness box --help`"),
    ],
)
def test_a_usage_error_is_a_sentence_and_a_hint(
    words: list[str], message: str, hint: str, run: Callable[..., Ran]
) -> None:
    ran = run(*words)
    assert (ran.code, ran.out) == (2, "")
    first, second = ran.err.splitlines()
    assert first.startswith("error: ")
    assert message in first
    assert second == f"hint: {hint} shows how."
