"""The init script on a machine: read, put, started once, and waited for."""

from __future__ import annotations

import stat
import subprocess
from typing import TYPE_CHECKING

import pytest

from harness.errors import CommandError, PhaseError, TransportError
from harness.phases import SEQUENCE, init, join, network, script
from harness.phases.script import Progress, parse
from harness.wait import WaitTimeout
from tests.fake_site import NO_UNIT, FakeSite, good_nodes, observed, script_of
from tests.fakes import Answer, RecordingReporter
from tests.samples import SECRETS, cluster_plan

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


MADE_OF = cluster_plan().manager.fingerprint


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSite:
    return FakeSite.of(tmp_path, RecordingReporter(), monkeypatch)


def look(folder: Path, systemctl: str) -> Progress:
    """Run the very words that run on a machine, over files of ours and a systemctl of ours."""
    words = script.OBSERVE.replace(script.FOLDER, str(folder)).replace("systemctl", systemctl)
    done = subprocess.run(["sh", "-c", words], capture_output=True, check=True)
    return parse(done.stdout.decode())


@pytest.fixture
def machine(tmp_path: Path) -> Callable[..., Progress]:
    """Return what is seen of a machine with these files and this unit."""

    def seen(*, unit: str = NO_UNIT, **files: str) -> Progress:
        for name, text in files.items():
            (tmp_path / name).write_text(text)
        systemctl = tmp_path / "systemctl"
        properties = "".join(unit.splitlines(keepends=True)[:2])
        systemctl.write_text(f"#!/bin/sh\ncat <<'EOF'\n{properties}EOF\n")
        systemctl.chmod(stat.S_IRWXU)
        return look(tmp_path, str(systemctl))

    return seen


def test_a_machine_without_a_unit_or_files_has_not_begun(
    machine: Callable[..., Progress],
) -> None:
    seen = machine()
    assert (seen.active, seen.failed, seen.reason, seen.sections) == ("inactive", False, "", ())
    assert seen.section == ""
    assert not seen.is_past("install")


def test_a_machine_whose_systemd_does_not_answer_has_not_begun(tmp_path: Path) -> None:
    seen = look(tmp_path, "false")
    assert (seen.active, seen.failed, seen.sections) == ("inactive", False, ())


def test_a_running_script_tells_its_sections_their_times_and_its_reason(
    machine: Callable[..., Progress],
) -> None:
    seen = machine(
        unit=observed(active="active"),
        fingerprint="abc\n",
        reason="waiting for the API server\n",
        sections="1700000000.125 install\n1700000012.500 init\n",
    )
    assert seen == Progress(
        active="active",
        failed=False,
        fingerprint="abc",
        reason="waiting for the API server",
        sections=((1700000000.125, "install"), (1700000012.5, "init")),
    )
    assert seen.section == "init"


def test_a_failed_unit_has_failed(machine: Callable[..., Progress]) -> None:
    seen = machine(unit=observed(active="failed", result="exit-code"))
    assert (seen.active, seen.failed) == ("failed", True)


@pytest.mark.parametrize("reason", ["", "\n"])
def test_an_empty_reason_takes_no_section_with_it(
    reason: str, machine: Callable[..., Progress]
) -> None:
    seen = machine(fingerprint="abc\n", reason=reason, sections="1.5 install\n2.5 init\n")
    assert (seen.reason, seen.section) == ("", "init")
    assert len(seen.sections) == 2


@pytest.mark.parametrize(
    "reason",
    ["etcd=down and out", "=", "Result=failure", "port = closed", "50%\r99%", r"in C:\new", "-n"],
)
def test_a_reason_may_hold_anything(reason: str, machine: Callable[..., Progress]) -> None:
    seen = machine(fingerprint="abc\n", reason=f"{reason}\n", sections="1.5 install\n2.5 init\n")
    assert (seen.fingerprint, seen.reason, seen.failed) == ("abc", reason, False)
    assert [name for _, name in seen.sections] == ["install", "init"]


def test_a_reason_of_several_lines_is_its_first(machine: Callable[..., Progress]) -> None:
    seen = machine(fingerprint="abc\n", reason="curl: (7)\nno route\n", sections="1.5 install\n")
    assert (seen.reason, seen.section) == ("curl: (7)", "install")


def test_a_fingerprintthat_was_not_wholly_written_is_nobodys(
    machine: Callable[..., Progress],
) -> None:
    seen = machine(fingerprint="", reason="r\n", sections="1.5 install\n")
    assert (seen.fingerprint, seen.reason, seen.section) == ("", "r", "install")


def test_a_section_is_past_when_a_later_one_has_begun_or_all_is_done() -> None:
    seen = parse(observed("install", "init"))
    assert seen.is_past("install")
    assert not seen.is_past("init")
    assert not seen.is_past("network")
    done = parse(observed("install", "join", "done"))
    assert all(done.is_past(name) for name in ("install", "init", "network", "join"))


def test_every_section_that_a_phase_waits_for_is_one_of_the_scripts(
    fake: FakeSite,
) -> None:
    sections = {"install", "init", "network", "join"}
    assert sections < {phase.name for phase in SEQUENCE}
    fake.units[fake.manager].looks = [observed("install", "init", "network", "join", "done")]
    for worker in fake.plan.workers:
        fake.units[worker.name].looks = [observed("install", "join", "done")]
    fake.api.items["nodes"] = good_nodes(fake.plan)
    notes = [phase.PHASE.run(fake.site(), fake.deadline()) for phase in (init, network, join)]
    assert notes == ["", "lab", ""]


@pytest.mark.defect("K5")
def test_a_script_is_put_for_root_alone_and_started(fake: FakeSite) -> None:
    script.start(fake.site(), fake.plan.manager)
    text = script_of(fake.manager)
    assert fake.transports[fake.manager].files[script.SCRIPT] == (text.encode(), 0o600)
    assert fake.units[fake.manager].started == [MADE_OF]
    started = fake.transports[fake.manager].calls[-1]
    assert started.sudo


def test_no_secret_is_ever_in_a_command(fake: FakeSite) -> None:
    for machine in fake.plan.machines:
        script.start(fake.site(), machine)
        words = [word for call in fake.transports[machine.name].calls for word in call.argv]
        assert words
        secrets = (SECRETS.token, SECRETS.ca_key, SECRETS.token.partition(".")[2])
        assert not [word for word in words for secret in secrets if secret in word]


@pytest.mark.parametrize(
    "seen",
    [
        {"sections": ("install",), "active": "active"},
        {"sections": (), "active": "activating"},
        {"sections": ("install", "join", "done"), "active": "active"},
        # After a reboot there is no unit, and nothing left to do.
        {"sections": ("install", "join", "done"), "active": "inactive"},
    ],
)
def test_the_very_script_that_runs_or_has_run_is_left_alone(
    seen: dict[str, object], fake: FakeSite
) -> None:
    name = fake.manager
    fake.units[name].looks = [look_of(seen, MADE_OF)]
    script.start(fake.site(), fake.plan.manager)
    assert fake.units[name].started == []
    assert fake.transports[name].files == {}


@pytest.mark.parametrize(
    ("seen", "same"),
    [
        ({"sections": ("install", "init"), "active": "failed", "result": "exit-code"}, True),
        ({"sections": ("install", "init"), "active": "inactive"}, True),  # collected by systemd
        ({"sections": ("install",), "active": "active"}, False),
        ({"sections": ("install", "join", "done"), "active": "active"}, False),
    ],
)
def test_a_script_that_failed_or_changed_is_started_again(
    seen: dict[str, object],
    same: bool,  # noqa: FBT001 - a column of the table
    fake: FakeSite,
) -> None:
    name = fake.manager
    fake.units[name].looks = [look_of(seen, MADE_OF if same else "0" * 64)]
    script.start(fake.site(), fake.plan.manager)
    assert fake.units[name].started == [MADE_OF]


def look_of(seen: dict[str, object], fingerprint: str) -> str:
    sections = seen["sections"]
    assert isinstance(sections, tuple)
    words = {key: str(value) for key, value in seen.items() if key != "sections"}
    return observed(*sections, fingerprint=fingerprint, active=words["active"]).replace(
        "Result=success", f"Result={words.get('result', 'success')}"
    )


def test_a_machine_that_cannot_start_the_script_says_why(fake: FakeSite) -> None:
    transport = fake.transports[fake.manager]
    failing = Answer(stderr="Failed to start transient service unit\n", exit_status=1)
    transport.script.insert(
        0, lambda argv, _: failing if argv[:3] == ("sh", "-c", script.START) else None
    )
    with pytest.raises(CommandError, match="Failed to start transient"):
        script.start(fake.site(), fake.plan.manager)


def wait_for_init(fake: FakeSite, seconds: float = 60) -> None:
    deadline = fake.deadline(seconds)
    script.wait_past(fake.site(), fake.plan.manager, "init", deadline=deadline, interval=1)


def test_waiting_tells_the_scripts_own_reasons_until_the_section_is_over(fake: FakeSite) -> None:
    fake.units[fake.manager].looks = [
        observed(active="activating"),
        observed("install"),
        observed("install", "init", reason="waiting for etcd"),
        observed("install", "init", "network"),
    ]
    wait_for_init(fake)
    assert fake.progress(fake.manager) == [
        ("in section (starting)", False),
        ("in section install", False),
        ("waiting for etcd", False),
    ]
    assert fake.clock.slept == [1, 1, 1]


@pytest.mark.defect("K2")
@pytest.mark.parametrize("how", [("failed", "exit-code"), ("inactive", "success")])
def test_a_script_that_fails_ends_the_wait_with_section_and_reason(
    how: tuple[str, str], fake: FakeSite
) -> None:
    active, result = how
    fake.units[fake.manager].looks = [
        observed("install", "init"),
        observed("install", "init", active=active, result=result, reason="failed: no image"),
    ]
    with pytest.raises(PhaseError) as caught:
        wait_for_init(fake)
    assert not isinstance(caught.value, WaitTimeout)
    assert caught.value.message == (
        f"{fake.manager}: the init script failed in section init: failed: no image"
    )


def test_a_script_that_fails_at_once_and_in_silence_is_still_explained(fake: FakeSite) -> None:
    fake.units[fake.manager].looks = [observed(active="failed", result="exit-code")]
    with pytest.raises(PhaseError, match="in section its beginning: it gave no reason"):
        wait_for_init(fake)


@pytest.mark.defect("K3")
def test_a_wait_that_times_out_quotes_the_scripts_reason(fake: FakeSite) -> None:
    fake.units[fake.manager].looks = [observed("install", "init", reason="waiting for etcd")]
    with pytest.raises(WaitTimeout, match=r"ip-192\.168\.2\.200: .*`init`.*waiting for etcd"):
        wait_for_init(fake, 3)


def test_a_machine_that_is_lost_meanwhile_ends_the_wait(fake: FakeSite) -> None:
    fake.transports[fake.manager].reachable = False
    with pytest.raises(WaitTimeout, match=f"{fake.manager} answering: .*60 s: .*cannot be reached"):
        wait_for_init(fake, 600)
    assert ("ip-192.168.2.200: cannot be reached", False) in fake.progress(fake.manager)


def test_a_machine_that_is_silent_for_a_while_is_asked_again(fake: FakeSite) -> None:
    comes_back = fake.clock() + script.SILENCE_SECONDS / 2

    def be_silent(_argv: tuple[str, ...], _stdin: bytes) -> None:
        if fake.clock() < comes_back:
            raise TransportError(f"{fake.manager}: the connection was lost")

    fake.transports[fake.manager].script.insert(0, be_silent)
    fake.units[fake.manager].looks = [observed("install", "init", "network")]
    wait_for_init(fake, 600)
