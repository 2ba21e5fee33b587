"""Vagrant misbehaves, as `tests/bin/vagrant` does on request, and the provider copes."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import TYPE_CHECKING

import pytest

from harness import process
from harness.errors import HostError, InterruptedRunError, ProviderError
from harness.interfaces import MachineState
from harness.spec import ProviderName
from tests.contract.conftest import NAMES, lives

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.contract.conftest import FakeVagrant

MANAGER, WORKER, OTHER = NAMES


def ignore(_name: str, _line: str) -> None:
    """Take no interest in output."""


@pytest.fixture
def short_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = ((signal.SIGINT, 0.2), (signal.SIGTERM, 0.2), (signal.SIGKILL, 1.0))
    monkeypatch.setattr(process, "GRACE", steps)


@pytest.fixture
def resumed() -> Iterator[None]:
    yield
    process.resume()


@pytest.mark.parametrize("faults", [["noise"], ["interleaved"], ["noise", "interleaved"]])
def test_states_are_read_through_noise_and_interleaved_rows(
    fake_vagrant: FakeVagrant, faults: list[str]
) -> None:
    provider = fake_vagrant.provider(*faults)
    provider.up([WORKER], timeout=20, on_line=ignore)
    assert provider.machines(timeout=20) == {
        MANAGER: MachineState.ABSENT,
        WORKER: MachineState.RUNNING,
        OTHER: MachineState.ABSENT,
    }


def test_a_state_that_nobody_knows_is_quoted(fake_vagrant: FakeVagrant) -> None:
    with pytest.raises(ProviderError, match=r"ip-192.168.2.200: .*unknown state: 'dreaming'"):
        fake_vagrant.provider("unknown").machines(timeout=20)


def test_an_error_row_becomes_the_message(fake_vagrant: FakeVagrant) -> None:
    with pytest.raises(ProviderError, match="The machine was not found, or so\nit seems") as info:
        fake_vagrant.provider("error").machines(timeout=20)
    assert str(fake_vagrant.logs / "vagrant.log") in info.value.hint


@pytest.mark.defect("V14")
def test_a_failed_up_names_the_machine_and_the_cause_and_keeps_the_machines(
    fake_vagrant: FakeVagrant,
) -> None:
    provider = fake_vagrant.provider("fail")
    with pytest.raises(ProviderError) as info:
        provider.up([MANAGER, WORKER], timeout=20, on_line=ignore)
    assert info.value.message.startswith(f"{WORKER}: `vagrant up ")
    assert "exited 1" in info.value.message
    assert "no space left on the bridge" in info.value.message
    assert provider.machines(timeout=20)[WORKER] is MachineState.RUNNING


def test_a_lock_that_another_vagrant_holds_is_explained(fake_vagrant: FakeVagrant) -> None:
    with pytest.raises(ProviderError, match="it is locked") as info:
        fake_vagrant.provider("locked").up([MANAGER], timeout=20, on_line=ignore)
    assert "Another vagrant process" in info.value.hint


@pytest.mark.defect("V2")
def test_a_machine_that_survives_destroy_is_an_error_that_names_it(
    fake_vagrant: FakeVagrant,
) -> None:
    provider = fake_vagrant.provider("stubborn")
    provider.up([WORKER], timeout=20, on_line=ignore)
    with pytest.raises(ProviderError, match=f"still has {WORKER}"):
        provider.destroy([WORKER], timeout=20)


@pytest.mark.parametrize(("faults", "asked"), [([], 0), (["retentive"], 1)])
def test_vagrant_is_asked_about_destroyed_machines_only_where_it_kept_an_id(
    fake_vagrant: FakeVagrant, faults: list[str], asked: int
) -> None:
    provider = fake_vagrant.provider(*faults)
    provider.up([WORKER], timeout=20, on_line=ignore)
    provider.destroy([WORKER], timeout=20)
    assert [call.split()[0] for call in fake_vagrant.calls[1:]] == ["destroy", *["status"] * asked]


@pytest.mark.defect("V10")
@pytest.mark.usefixtures("short_grace")
def test_a_vagrant_that_hangs_is_killed_with_its_children(fake_vagrant: FakeVagrant) -> None:
    began = time.monotonic()
    with pytest.raises(ProviderError, match="did not end within 1 s") as info:
        fake_vagrant.provider("hang").up([WORKER], timeout=1, on_line=ignore)
    assert time.monotonic() - began < 10
    assert "Machine booted and ready!" in info.value.message
    assert not lives(int((fake_vagrant.folder / "hung.pid").read_text()))


@pytest.mark.usefixtures("short_grace", "resumed")
def test_another_threads_stop_ends_a_vagrant_that_hangs(fake_vagrant: FakeVagrant) -> None:
    timer = threading.Timer(0.5, process.stop_all)
    timer.start()
    with pytest.raises(InterruptedRunError):
        fake_vagrant.provider("hang").up([WORKER], timeout=60, on_line=ignore)
    assert not lives(int((fake_vagrant.folder / "hung.pid").read_text()))


def test_a_process_that_vagrant_leaves_behind_is_not_waited_for(
    fake_vagrant: FakeVagrant,
) -> None:
    began = time.monotonic()
    fake_vagrant.provider("crowded").up([WORKER], timeout=30, on_line=ignore)
    assert time.monotonic() - began < 10
    left = int((fake_vagrant.folder / "left.pid").read_text())
    assert lives(left), "what Vagrant leaves running, a machine perhaps, must stay"
    os.kill(left, signal.SIGKILL)


@pytest.mark.defect("V10")
def test_output_is_kept_whole_and_per_machine(fake_vagrant: FakeVagrant) -> None:
    told: list[tuple[str, str]] = []
    provider = fake_vagrant.provider()
    provider.up([MANAGER, WORKER], timeout=20, on_line=lambda *line: told.append(line))
    assert (WORKER, "Starting container") in told
    assert fake_vagrant.log(WORKER).splitlines() == [
        f"Bringing machine '{WORKER}' up with 'lxc' provider...",
        "Importing base box",
        "about Importing base box",
        "Starting container",
        "about Starting container",
        "Machine booted and ready!",
        "about Machine booted and ready!",
    ]
    whole = (fake_vagrant.logs / "vagrant.log").read_text()
    assert whole.count(f"==> {MANAGER}: Importing base box") == 1


def test_vagrant_runs_inside_the_network_with_a_small_environment(
    fake_vagrant: FakeVagrant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUBYOPT", "-rnonsense")
    fake_vagrant.provider().machines(timeout=20)
    (entered,) = fake_vagrant.network.entered
    assert "VAGRANT_DEFAULT_PROVIDER=lxc" in entered
    assert "VAGRANT_NO_COLOR=1" in entered
    assert not [word for word in entered if word.startswith("RUBYOPT")]


@pytest.mark.parametrize(
    ("provider", "flag"),
    [
        (ProviderName.LXC, "--parallel"),
        (ProviderName.LIBVIRT, "--parallel"),
        (ProviderName.VIRTUALBOX, "--no-parallel"),
    ],
)
def test_machines_come_up_in_parallel_only_where_the_provider_allows_it(
    fake_vagrant: FakeVagrant, provider: ProviderName, flag: str
) -> None:
    subject = fake_vagrant.provider(provider=provider)
    subject.up([MANAGER, WORKER], timeout=20, on_line=ignore)
    assert subject.parallel is (flag == "--parallel")
    (call,) = fake_vagrant.calls
    names = r"/^(ip-192\.168\.2\.200|ip-192\.168\.2\.2)$/"
    assert call == f"up {names} --provider={provider} --no-destroy-on-error {flag}"


@pytest.mark.parametrize(
    ("provider", "flag"),
    [
        (ProviderName.LXC, "--parallel"),
        (ProviderName.LIBVIRT, "--no-parallel"),
        (ProviderName.VIRTUALBOX, "--no-parallel"),
    ],
)
def test_machines_are_removed_in_parallel_only_where_they_share_nothing(
    fake_vagrant: FakeVagrant, provider: ProviderName, flag: str
) -> None:
    fake_vagrant.provider(provider=provider).destroy([MANAGER, WORKER], timeout=20)
    names = r"/^(ip-192\.168\.2\.200|ip-192\.168\.2\.2)$/"
    assert fake_vagrant.calls[0] == f"destroy {names} --force {flag}"


def test_where_vagrant_has_no_record_there_is_no_machine_and_nobody_asks(
    fake_vagrant: FakeVagrant,
) -> None:
    (fake_vagrant.folder / ".vagrant" / "machines").rmdir()
    states = fake_vagrant.provider().machines(timeout=20)
    assert states == dict.fromkeys(NAMES, MachineState.ABSENT)
    assert not (fake_vagrant.folder / "calls").exists()


def test_a_host_without_vagrant_is_told_so(
    fake_vagrant: FakeVagrant, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HostError, match="Vagrant is not installed"):
        fake_vagrant.provider().machines(timeout=20)
