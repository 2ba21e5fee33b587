"""Documents that are executed: what is read as a command, what as its output, and who types it."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

import pytest

from tests.e2e.console import Shell, Step, is_alike, sections

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DOCUMENT = """\
# Title

## One

Prose with a `$ command`.

```console
$ first --flag
printed
more
$ second
```

```text
$ not executed
```

## Prose alone

## Two

```console
$ harness ssh ip-192.168.2.200
vagrant@ip-192:~$ sudo -i
root@ip-192:~# kubectl get nodes
NAME
```
"""


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    with contextlib.closing(Shell(tmp_path, os.environ)) as made:
        yield made


def test_a_section_has_the_commands_of_its_console_blocks() -> None:
    found = sections(DOCUMENT)
    assert list(found) == ["One", "Two"]
    assert found["One"] == (Step("first --flag", shown=("printed", "more")), Step("second"))


def test_what_follows_another_prompt_is_typed_into_the_command() -> None:
    (step,) = sections(DOCUMENT)["Two"]
    assert step.command == "harness ssh ip-192.168.2.200"
    assert step.typed == ("sudo -i", "kubectl get nodes")
    assert step.shown == ("NAME",)


def test_output_without_a_command_is_a_mistake() -> None:
    with pytest.raises(AssertionError, match="no command prints 'printed'"):
        sections("## One\n```console\nprinted\n```\n")


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ([], []),
        (["NAME   AGE", "node   27s"], ["NAME   AGE", "node     2m13s"]),
        (["[  1.5s] ready: done in 0.4 s"], ["[101.5s] ready: done in 12 s"]),
        (["first", "…", "last"], ["first", "anything", "at all", "last"]),
        (["…", "last"], ["last"]),
        (["a (b) [c]"], ["a (b) [c]"]),
    ],
)
def test_time_and_width_may_differ(shown: list[str], printed: list[str]) -> None:
    assert is_alike(shown, printed)


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ([], ["a warning"]),
        (["node Ready 27s"], ["node NotReady 27s"]),
        (["node Ready"], ["node Ready", "another Ready"]),
        (["one", "two"], ["two", "one"]),
        (["…", "last"], ["last", "one more"]),
        (["v1.20.2"], ["v1.20.3"]),
        (["3 instances"], ["2 instances"]),
    ],
)
def test_words_order_and_number_of_lines_may_not(shown: list[str], printed: list[str]) -> None:
    assert not is_alike(shown, printed)


def test_what_one_command_sets_holds_for_the_next(shell: Shell) -> None:
    shell.run(Step("mkdir here; cd here; greeting=hello"), timeout=5)
    shell.run(Step('echo "$greeting $(basename "$PWD")"', shown=("hello here",)), timeout=5)


def test_lines_are_typed_into_the_program_that_a_command_starts(shell: Shell) -> None:
    shell.run(Step("sh -s", ("name=inside", "echo $name"), ("inside",)), timeout=5)
    shell.run(Step("cat"), timeout=5)  # nobody else's input is left for it


def test_what_the_background_prints_is_waited_for(shell: Shell) -> None:
    shell.run(Step("mkfifo line; (read -r < line; echo late) &"), timeout=5)
    shell.run(Step("echo now > line", shown=("late",)), timeout=5)


@pytest.mark.parametrize(
    ("step", "why"),
    [
        (Step("echo out; ls /absent; false", shown=("…",)), "it failed"),
        (Step("echo out", shown=("another",)), "what is shown: not within"),
        (Step("echo out; sleep 60", shown=("out",)), "its end: not within"),
    ],
)
def test_a_command_that_does_not_do_what_is_shown_fails_with_what_it_printed(
    shell: Shell, step: Step, why: str
) -> None:
    with pytest.raises(AssertionError, match=why) as caught:
        shell.run(step, timeout=0.5, patience=0.1)
    assert caught.value.__notes__[0].startswith(f"$ {step.command}\nout")
