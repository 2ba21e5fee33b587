"""Machines are brought up where they are missing, have their scripts, and all are told of."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from harness import process
from harness.errors import (
    HostError,
    PhaseError,
    ProviderError,
    TransportError,
)
from harness.events import MachineProgress
from harness.interfaces import MachineState
from harness.phases import install, machines, preflight, script
from harness.wait import WaitTimeout
from tests.fake_site import FakeSite, observed
from tests.fakes import Answer, FakeProvider, RecordingReporter
from tests.samples import ROOT, SECRETS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path


CA_FILES = {
    f"{script.PKI}/ca.key": (SECRETS.ca_key.encode(), 0o600),
    f"{script.PKI}/ca.crt": (SECRETS.ca_certificate.encode(), 0o644),
}


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeSite]:
    yield FakeSite.of(tmp_path, RecordingReporter(), monkeypatch)
    process.resume()


def bring_up(fake: FakeSite) -> str:
    # The limit is the phase's own: threads wait for each other on a clock that races.
    return machines.PHASE.run(fake.site(), fake.deadline(machines.PHASE.timeout_seconds))


class Vagrant(FakeProvider):
    """A Vagrant that prints these lines, then looks around, then ends or fails."""

    def __init__(
        self, names: Sequence[str], lines: Sequence[tuple[str, str]], look: Callable[[], None]
    ) -> None:
        super().__init__(names)
        self._lines = lines
        self._look = look

    def up(
        self, names: Sequence[str], *, timeout: float, on_line: Callable[[str, str], None]
    ) -> None:
        del names, timeout
        for machine, line in self._lines:
            on_line(machine, line)
        self._look()


def test_the_host_is_looked_at_first(fake: FakeSite) -> None:
    looked = []
    site = replace(fake.site(), check_host=lambda: looked.append("host"))
    assert preflight.PHASE.run(site, fake.deadline()) == ""
    assert looked == ["host"]


def test_a_host_that_cannot_do_it_ends_the_run(fake: FakeSite) -> None:
    def refuse() -> None:
        raise HostError("There is no Vagrant.")

    with pytest.raises(HostError, match="no Vagrant"):
        preflight.PHASE.run(replace(fake.site(), check_host=refuse), fake.deadline())


def test_all_machines_are_brought_up_in_one_call_inside_their_network(fake: FakeSite) -> None:
    assert bring_up(fake) == "4 brought up"
    assert fake.network.calls[0] == "create"
    assert [call for call in fake.provider.calls if call[0] == "up"] == [("up", fake.plan.names)]


@pytest.mark.defect("W11")
def test_only_what_does_not_run_is_brought_up(fake: FakeSite) -> None:
    manager, first, second, third = fake.plan.names
    running, stopped = MachineState.RUNNING, MachineState.STOPPED
    fake.provider.states |= {manager: running, first: stopped, second: running}
    assert bring_up(fake) == "2 brought up"
    assert ("up", (first, third)) in fake.provider.calls


def test_only_absent_machines_are_discarded_and_their_host_keys_forgotten(fake: FakeSite) -> None:
    manager, first, _, third = fake.plan.names
    fake.provider.states |= {manager: MachineState.RUNNING, first: MachineState.STOPPED}
    bring_up(fake)
    absent = [fake.plan.names[2], third]
    assert fake.network.calls == ["create", f"discard {' '.join(absent)}"]
    assert fake.forgotten == absent


def test_where_nothing_is_missing_nothing_changes(fake: FakeSite) -> None:
    fake.provider.states = dict.fromkeys(fake.plan.names, MachineState.RUNNING)
    assert bring_up(fake) == "already running"
    assert fake.forgotten == []
    assert fake.network.calls == ["create", "discard "]
    assert all(not names for call, names in fake.provider.calls if call == "up")


def test_every_machine_must_let_us_in_the_running_ones_too(fake: FakeSite) -> None:
    fake.provider.states = dict.fromkeys(fake.plan.names, MachineState.RUNNING)
    lost = fake.plan.names[2]
    fake.transports[lost].reachable = False
    with pytest.raises(TransportError, match=lost):
        bring_up(fake)
    assert fake.progress(fake.manager) == [("", True)]
    assert fake.progress(lost) == []


def test_vagrants_lines_are_told_of_planned_machines_alone(fake: FakeSite) -> None:
    lines = [("", "Bringing machines up"), ("box", "unpacking"), (fake.manager, "  booting ")]
    fake.world.provider = Vagrant(fake.plan.names, lines, lambda: None)
    bring_up(fake)
    told = [event for event in fake.reporter.events if getattr(event, "reason", "")]
    assert told == [MachineProgress(fake.manager, "machines", "booting")]


def test_a_machine_begins_its_script_while_others_are_still_booting(fake: FakeSite) -> None:
    begun = threading.Event()
    unit = fake.units[fake.manager]

    def watch(argv: tuple[str, ...], stdin: bytes) -> Answer | None:
        answer = unit(argv, stdin)
        if unit.started:
            begun.set()
        return answer

    def still_booting() -> None:
        assert begun.wait(timeout=30)
        assert not any(fake.units[worker.name].started for worker in fake.plan.workers)

    fake.transports[fake.manager].script.insert(0, watch)
    lines = [(fake.manager, f"    {fake.manager}: {machines.KEY_IN_PLACE}")]
    fake.world.provider = Vagrant(fake.plan.names, lines, still_booting)
    # A wait's clock must not run while Vagrant really waits for the manager's thread.
    machines.PHASE.run(fake.site(), fake.deadline(1e9))
    assert all(len(one.started) == 1 for one in fake.units.values())


def test_a_machine_is_not_asked_before_vagrant_says_so(fake: FakeSite) -> None:
    def look() -> None:
        assert not any(transport.calls for transport in fake.transports.values())

    fake.world.provider = Vagrant(fake.plan.names, [(fake.manager, "booting")], look)
    bring_up(fake)


def test_the_vagrantfile_says_what_is_listened_for() -> None:
    assert machines.KEY_IN_PLACE in (ROOT / "Vagrantfile.j2").read_text()


def test_a_vagrant_that_fails_is_told_once_and_nobody_waits_for_its_machines(
    fake: FakeSite,
) -> None:
    fake.provider.broken = {fake.plan.names[1]}
    with pytest.raises(ProviderError, match="no space left"):
        bring_up(fake)
    assert not any(unit.started for unit in fake.units.values())


def test_managers_alone_get_the_certificate_authority(fake: FakeSite) -> None:
    install_all(fake)
    assert fake.transports[fake.manager].files.items() >= CA_FILES.items()
    for worker in fake.plan.workers:
        assert not CA_FILES.keys() & fake.transports[worker.name].files.keys()
    for transport in fake.transports.values():
        assert all(SECRETS.ca_key not in word for call in transport.calls for word in call.argv)


def test_the_authority_is_there_before_the_script_starts(fake: FakeSite) -> None:
    transport = fake.transports[fake.manager]
    at_start: list[str] = []

    def watch(argv: tuple[str, ...], _stdin: bytes) -> None:
        if argv[:3] == ("sh", "-c", script.START):
            at_start.extend(transport.files)

    transport.script.insert(0, watch)
    install_all(fake)
    assert set(at_start) == {*CA_FILES, script.SCRIPT}


def install_all(fake: FakeSite) -> str:
    fake.provider.states = dict.fromkeys(fake.plan.names, MachineState.RUNNING)
    bring_up(fake)
    return install.PHASE.run(fake.site(), fake.deadline())


def test_every_machine_has_its_script_started_and_its_software(fake: FakeSite) -> None:
    install_all(fake)
    assert all(len(unit.started) == 1 for unit in fake.units.values())
    assert all(fake.progress(name)[-1] == ("", True) for name in fake.plan.names)


def test_one_failure_is_raised_as_it_is_after_the_others_have_ended(fake: FakeSite) -> None:
    broken = fake.plan.workers[0].name
    fake.units[broken].once_started = [observed("install", active="failed", reason="no runc")]
    with pytest.raises(PhaseError, match=rf"{broken}: .*no runc"):
        install_all(fake)
    for name in set(fake.plan.names) - {broken}:
        assert fake.progress(name)[-1] == ("", True)


def test_several_failures_are_all_told_with_their_machines(fake: FakeSite) -> None:
    broken, lost = (worker.name for worker in fake.plan.workers[:2])
    failed = observed("install", active="failed", reason="no runc")
    for unit in fake.units.values():
        unit.looks = [observed("install", "done")]
    fake.units[broken].looks = [failed]
    fake.transports[lost].reachable = False
    with pytest.raises(ExceptionGroup, match="install failed on 2 machines") as caught:
        install.PHASE.run(fake.site(), fake.deadline())
    messages = [str(error) for error in caught.value.exceptions]
    assert [broken in messages[0], lost in messages[1]] == [True, True]
    assert [type(error) for error in caught.value.exceptions] == [PhaseError, WaitTimeout]
