"""A machine's clock and this host's: noticed, waited for, and refused beyond what tokens stand."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from harness.errors import PhaseError
from harness.events import Notice
from harness.phases import clocks, machines
from tests.fake_site import FakeSite
from tests.fakes import RecordingReporter

if TYPE_CHECKING:
    from pathlib import Path

HOUR = 3600.0


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSite:
    return FakeSite.of(tmp_path, RecordingReporter(), monkeypatch)


def check(fake: FakeSite) -> None:
    worker = fake.plan.workers[0]
    clocks.check(fake.site(), worker, phase=machines.NAME, deadline=fake.deadline())


def set_off(fake: FakeSite, *seconds: float) -> str:
    """Let a worker's clock be off by so much, look by look; return the worker's name."""
    name = fake.plan.workers[0].name
    fake.clocks[name].off = list(seconds)
    return name


@pytest.mark.parametrize("seconds", [0.0, 1.5, -1.5])
def test_a_clock_that_is_kept_is_not_worth_a_word(seconds: float, fake: FakeSite) -> None:
    set_off(fake, seconds)
    check(fake)
    assert fake.reporter.events == []
    assert fake.clock.slept == []


@pytest.mark.parametrize("seconds", [10.0, -10.0])
def test_a_clock_that_nobody_keeps_is_a_warning(seconds: float, fake: FakeSite) -> None:
    name = set_off(fake, seconds)
    check(fake)
    (notice,) = fake.notices
    assert notice.level == "warning"
    assert notice.message.startswith(f"{name}: its clock is ")
    assert pytest.approx(10, abs=0.5) == float(notice.message.split()[4])
    assert ("ahead of" if seconds > 0 else "behind") in notice.message
    cure = f"harness exec --name walkthrough {name} -- sudo date --set=@$(date +%s)"
    assert cure in notice.message


@pytest.mark.parametrize("seconds", [HOUR, -HOUR, 40.0, -40.0])
def test_what_certificates_and_tokens_do_not_stand_is_an_error(
    seconds: float, fake: FakeSite
) -> None:
    name = set_off(fake, seconds)
    with pytest.raises(PhaseError) as caught:
        check(fake)
    assert caught.value.exit_code == 6
    assert caught.value.message.startswith(f"{name}: its clock is ")
    assert ("ahead of" if seconds > 0 else "behind") in caught.value.message
    assert f"{name} -- sudo date --set=@$(date +%s)" in caught.value.hint
    assert sum(fake.clock.slept) == clocks.SETTLE_SECONDS


def test_a_clock_that_is_set_right_meanwhile_is_waited_for(fake: FakeSite) -> None:
    name = set_off(fake, -HOUR, -HOUR, 0.0)
    check(fake)
    assert len(fake.clock.slept) == 2
    ((reason, done),) = dict.fromkeys(fake.progress(name))
    assert reason.endswith("s behind this host's")
    assert not done
    assert fake.notices == []


def test_a_slow_answer_is_not_taken_for_a_wrong_clock(
    fake: FakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine may have looked at any moment of the round trip."""
    looks = iter([1000.0, 1050.0])
    monkeypatch.setattr(time, "time", lambda: next(looks))
    transport = fake.transports[fake.manager]
    fake.clocks[fake.manager].fixed = 1025.0
    assert clocks.skew(transport) == 0


def test_every_machine_is_asked_before_its_script_begins(fake: FakeSite) -> None:
    late = set_off(fake, -HOUR)
    with pytest.raises(PhaseError, match=rf"{late}: its clock is 3600\.\d s behind"):
        machines.PHASE.run(fake.site(), fake.deadline(machines.PHASE.timeout_seconds))
    assert fake.units[late].started == []
    for name in fake.plan.names:
        assert ("date", "+%s.%N") in [call.argv for call in fake.transports[name].calls]
    assert not [event for event in fake.reporter.events if isinstance(event, Notice)]
