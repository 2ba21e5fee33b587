"""Vagrant's output is read, whatever a plugin prints in between."""

from __future__ import annotations

import re

import pytest

from harness.errors import ProviderError
from harness.interfaces import MachineState
from harness.providers import output

NAMES = ("ip-192.168.2.200", "ip-192.168.2.2")

STATUS = """\
1795336300,ip-192.168.2.200,metadata,provider,lxc
1795336300,ip-192.168.2.2,metadata,provider,lxc
1795336300,ip-192.168.2.200,provider-name,lxc
1795336300,ip-192.168.2.200,state,running
1795336300,ip-192.168.2.200,state-human-long,The container%!(VAGRANT_COMMA) it\\nruns.
1795336300,ip-192.168.2.2,provider-name,lxc
1795336300,ip-192.168.2.2,state,not_created
1795336300,,ui,info,Current machine states:\\n\\nip-192.168.2.200 running (lxc)
"""


def test_each_machines_state_is_read() -> None:
    assert output.states(STATUS, NAMES) == {
        "ip-192.168.2.200": MachineState.RUNNING,
        "ip-192.168.2.2": MachineState.ABSENT,
    }


@pytest.mark.parametrize(
    "noise",
    [
        "",
        "a plain line",
        "W, [2024-01-01T00:00:00] a, b, c, d",
        "1795336300,short",
        "1795336300,,action",
        "1795336300,,state,running",
        "==> vagrant: A new version of Vagrant is available: 9.9.9!",
    ],
)
def test_noise_between_the_rows_changes_nothing(noise: str) -> None:
    noisy = "".join(f"{noise}\n{line}\n" for line in STATUS.splitlines())
    assert output.states(noisy, NAMES) == output.states(STATUS, NAMES)


def test_rows_in_any_order_yield_each_machine_once() -> None:
    backwards = "\n".join(reversed(STATUS.splitlines()))
    assert output.states(backwards, NAMES) == output.states(STATUS, NAMES)


@pytest.mark.parametrize(
    "word",
    ["stopped", "frozen", "shutoff", "crashed", "pmsuspended", "poweroff", "saved", "aborted"],
)
def test_every_way_to_stand_still_is_stopped(word: str) -> None:
    assert output.states(f"1,w,state,{word}", ["w"]) == {"w": MachineState.STOPPED}


@pytest.mark.parametrize("word", ["running", "inaccessible", "blocked", "shutting_down"])
def test_a_machine_that_boots_or_shuts_down_still_runs(word: str) -> None:
    assert output.states(f"1,w,state,{word}", ["w"]) == {"w": MachineState.RUNNING}


def test_an_unknown_state_is_quoted_with_its_machine() -> None:
    with pytest.raises(ProviderError, match="w: Vagrant reports an unknown state: 'molten'"):
        output.states("1,w,state,molten", ["w"])


def test_a_machine_that_vagrant_does_not_mention_is_an_error_and_not_absent() -> None:
    with pytest.raises(ProviderError, match=r"says nothing about ip-192\.168\.2\.9$"):
        output.states(STATUS, [*NAMES, "ip-192.168.2.9"])


def test_commas_and_newlines_in_a_row_are_restored() -> None:
    row = "1,,error-exit,Vagrant::Errors::Some,First%!(VAGRANT_COMMA) then\\nsecond."
    assert output.error_message(f"noise\n{row}\n") == "First, then\nsecond."
    assert output.error_message("noise") == ""


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("==> ip-192.168.2.2: Starting", ("ip-192.168.2.2", "Starting")),
        ("    ip-192.168.2.2: a: b", ("ip-192.168.2.2", "a: b")),
        ("==> ip-192.168.2.2:", ("ip-192.168.2.2", "")),
        ("==> ip-192.168.2.99: Not ours", ("", "==> ip-192.168.2.99: Not ours")),
        ("==> vagrant: A new version", ("", "==> vagrant: A new version")),
        (
            "Bringing machine 'ip-192.168.2.2' up with 'lxc' provider...",
            ("ip-192.168.2.2", "Bringing machine 'ip-192.168.2.2' up with 'lxc' provider..."),
        ),
        ("Bringing machine 'x' up with", ("", "Bringing machine 'x' up with")),
        ("", ("", "")),
    ],
)
def test_a_line_belongs_to_its_machine_or_to_none(line: str, expected: tuple[str, str]) -> None:
    assert output.attribute(line, NAMES) == expected


def test_the_machines_that_failed_in_parallel_are_named() -> None:
    text = (
        "An error occurred while executing the action on the 'b'\nmachine. Please\n"
        "An error occurred while executing multiple actions\n"
        "An error occurred while executing the action on the 'a' machine. Please\n"
    )
    assert output.failed_machines(text) == ["a", "b"]


def test_a_selector_matches_the_names_and_no_name_that_merely_contains_one() -> None:
    selector = output.selector(NAMES)
    pattern = re.compile(selector.strip("/"))
    assert [bool(pattern.search(name)) for name in NAMES] == [True, True]
    for other in ("ip-192.168.2.20", "xip-192.168.2.2", "ip-192x168.2.2"):
        assert not pattern.search(other)


def test_one_name_needs_no_pattern() -> None:
    assert output.selector(["ip-192.168.2.2"]) == "ip-192.168.2.2"
