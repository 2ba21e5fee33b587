"""Who imports a box by making its first machine does so alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import filelock
import pytest

from harness import doctor
from harness.cli import parts
from harness.errors import HostError
from harness.interfaces import MachineState
from harness.spec import ProviderName
from tests.contract.conftest import NAMES

if TYPE_CHECKING:
    from pathlib import Path

    from tests.contract.conftest import FakeVagrant

WAITS = "Another harness is making machines; waiting for it."


@pytest.fixture
def lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> filelock.BaseFileLock:
    """What another harness of this user holds while it makes machines."""
    home = tmp_path / "vagrant.d"
    home.mkdir()
    monkeypatch.setattr(doctor, "vagrant_home", lambda: home)
    return filelock.FileLock(home / "harness.lock")


@pytest.mark.parametrize("provider", [ProviderName.LIBVIRT, ProviderName.VIRTUALBOX])
def test_a_harness_waits_until_another_one_has_made_its_machines(
    provider: ProviderName, fake_vagrant: FakeVagrant, lock: filelock.BaseFileLock
) -> None:
    made = fake_vagrant.provider(provider=provider, turn=parts._turn)
    told: list[tuple[str, str]] = []

    def note(name: str, line: str) -> None:
        told.append((name, line))
        if len(told) == len(NAMES):
            assert not (fake_vagrant.folder / "calls").exists()
            lock.release()

    lock.acquire()
    made.up(NAMES, timeout=20, on_line=note)
    assert told[:3] == [(name, WAITS) for name in NAMES]
    assert set(made.machines(timeout=20).values()) == {MachineState.RUNNING}
    with lock.acquire(blocking=False):
        assert lock.is_locked, "it was not given back"


def test_the_wait_is_a_part_of_the_time_that_making_them_may_take(
    fake_vagrant: FakeVagrant, lock: filelock.BaseFileLock
) -> None:
    made = fake_vagrant.provider(provider=ProviderName.LIBVIRT, turn=parts._turn)
    with lock, pytest.raises(HostError, match=r"harness\.lock for 0\.3 s"):
        made.up(NAMES, timeout=0.3, on_line=lambda *_: None)
    assert not (fake_vagrant.folder / "calls").exists()


def test_nobody_waits_to_start_nothing(
    fake_vagrant: FakeVagrant, lock: filelock.BaseFileLock
) -> None:
    with lock:
        fake_vagrant.provider(turn=parts._turn).up([], timeout=0.3, on_line=lambda *_: None)
    assert not (fake_vagrant.folder / "calls").exists()
