"""What every provider promises; faults that only Vagrant has are in test_provider_faults."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.interfaces import MachineState

if TYPE_CHECKING:
    from tests.contract.conftest import ProviderUnderTest


def ignore(_name: str, _line: str) -> None:
    """Take no interest in output."""


@pytest.mark.defect("V5", "V12")
def test_a_machine_is_absent_then_running_then_stopped_then_running_then_absent(
    provider_under_test: ProviderUnderTest,
) -> None:
    provider, timeout = provider_under_test.provider, provider_under_test.timeout
    name = provider_under_test.names[0]
    assert provider.machines(timeout=timeout)[name] is MachineState.ABSENT
    provider.up([name], timeout=timeout, on_line=ignore)
    assert provider.machines(timeout=timeout)[name] is MachineState.RUNNING
    provider.halt([name], timeout=timeout)
    assert provider.machines(timeout=timeout)[name] is MachineState.STOPPED
    provider.up([name], timeout=timeout, on_line=ignore)
    assert provider.machines(timeout=timeout)[name] is MachineState.RUNNING
    provider.destroy([name], timeout=timeout)
    assert provider.machines(timeout=timeout)[name] is MachineState.ABSENT


def test_several_machines_come_up_together_and_only_those_named(
    provider_under_test: ProviderUnderTest,
) -> None:
    provider, timeout = provider_under_test.provider, provider_under_test.timeout
    first, second, third = provider_under_test.names
    told: set[str] = set()
    provider.up([first, second], timeout=timeout, on_line=lambda name, _: told.add(name))
    states = provider.machines(timeout=timeout)
    provider.destroy([first, second], timeout=timeout)
    assert states == {
        first: MachineState.RUNNING,
        second: MachineState.RUNNING,
        third: MachineState.ABSENT,
    }
    assert {first, second} <= told <= {first, second, ""}


def test_a_machine_that_runs_is_provisioned_and_one_that_does_not_is_passed_over(
    provider_under_test: ProviderUnderTest,
) -> None:
    provider, timeout = provider_under_test.provider, provider_under_test.timeout
    name = provider_under_test.names[0]
    told: list[str] = []
    provider.up([name], timeout=timeout, on_line=ignore)
    provider.provision([name], timeout=timeout, on_line=lambda _, line: told.append(line))
    provider.destroy([name], timeout=timeout)
    assert any("Running provisioner" in line for line in told)
    provider.provision([name], timeout=timeout, on_line=ignore)
    assert provider.machines(timeout=timeout)[name] is MachineState.ABSENT


def test_destroying_what_is_absent_and_starting_what_runs_are_no_errors(
    provider_under_test: ProviderUnderTest,
) -> None:
    provider, timeout = provider_under_test.provider, provider_under_test.timeout
    name = provider_under_test.names[0]
    provider.destroy([name], timeout=timeout)
    provider.up([name], timeout=timeout, on_line=ignore)
    provider.up([name], timeout=timeout, on_line=ignore)
    provider.destroy(provider_under_test.names, timeout=timeout)
    assert set(provider.machines(timeout=timeout).values()) == {MachineState.ABSENT}


def test_no_names_mean_no_machines_rather_than_all(provider_under_test: ProviderUnderTest) -> None:
    provider, timeout = provider_under_test.provider, provider_under_test.timeout
    name = provider_under_test.names[0]
    provider.up([], timeout=timeout, on_line=ignore)
    assert set(provider.machines(timeout=timeout).values()) == {MachineState.ABSENT}
    provider.up([name], timeout=timeout, on_line=ignore)
    provider.halt([], timeout=timeout)
    provider.destroy([], timeout=timeout)
    state = provider.machines(timeout=timeout)[name]
    provider.destroy([name], timeout=timeout)
    assert state is MachineState.RUNNING
