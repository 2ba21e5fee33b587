"""After a failed `up` there is evidence, and whatever fails then does not hide the failure."""

from __future__ import annotations

import os
import stat
import tarfile
from typing import TYPE_CHECKING, NoReturn

import pytest

from harness import evidence, orchestrator
from harness.cli import failures
from harness.errors import (
    HarnessError,
    HostError,
    InterruptedRunError,
    InvalidInputError,
    NotReadyError,
    PhaseError,
    Problem,
    ProviderError,
    UsageError,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from harness.cluster import Cluster
    from harness.interfaces import Reporter
    from tests.fake_cluster import FakeWorld
    from tests.unit.conftest import Ran

    Fail = Callable[[BaseException], Callable[..., NoReturn]]

MESSAGE = "join: ip-192.168.2.2 did not join"


def failure() -> PhaseError:
    return PhaseError(MESSAGE, hint="Look at it.")


@pytest.fixture
def up(run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ran]:
    """Run an `up` that fails once its plan is recorded."""

    def command(error: BaseException, *words: str) -> Ran:
        def fails(cluster: Cluster, _reporter: Reporter, **_: object) -> NoReturn:
            cluster.workspace.save_plan(cluster.plan, vagrantfile="", content_hash="")
            raise error

        monkeypatch.setattr(orchestrator, "up", fails)
        return run("up", "--provider", "lxc", *words)

    return command


def archives(state: Path) -> list[Path]:
    return sorted((state / "evidence").glob("*"))


@pytest.mark.parametrize(
    "error",
    [
        failure(),
        NotReadyError("ip-192.168.2.2 is not Ready"),
        ProviderError("no space left"),
        HostError("`ip` exited 1"),
        ExceptionGroup("several", [failure(), ProviderError("and more")]),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_failed_up_keeps_everything_and_its_evidence(
    error: Exception, up: Callable[..., Ran], world: FakeWorld, state: Path
) -> None:
    ran = up(error)
    (archive,) = archives(state)
    assert ran.code in {4, 5, 6, 7}
    assert world.workspace.exists
    assert tarfile.is_tarfile(archive)
    assert stat.S_IMODE(archive.stat().st_mode) == 0o600
    if isinstance(error, HarnessError):
        told = f"error: {error.message}\n  The evidence is in {archive}.\n"
        assert ran.err.partition("walkthrough`.\n")[2].startswith(told)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("begun with libvirt, not lxc"), 2),
        (InvalidInputError([Problem("a.json", "$", "wrong")]), 3),
        (InterruptedRunError("stopped"), 130),
        (KeyboardInterrupt(), 130),
        (ExceptionGroup("both", [failure(), InterruptedRunError("stopped")]), 130),
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.usefixtures("world")
def test_what_was_refused_or_interrupted_ends_at_once_and_removes_nothing(
    error: BaseException, code: int, up: Callable[..., Ran], world: FakeWorld, state: Path
) -> None:
    assert up(error, "--clean-on-failure").code == code
    assert archives(state) == []
    assert world.workspace.exists


def test_an_interruption_of_collecting_interrupts(
    up: Callable[..., Ran], world: FakeWorld, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_given: object) -> NoReturn:
        raise KeyboardInterrupt

    monkeypatch.setattr(evidence, "_states", interrupted)
    ran = up(failure(), "--clean-on-failure")
    assert ran.code == 130
    assert "`harness up` goes on from here" in ran.err
    assert archives(state) == []
    assert world.workspace.exists


def test_clean_on_failure_collects_evidence_and_removes_everything_else(
    up: Callable[..., Ran], world: FakeWorld, state: Path
) -> None:
    ran = up(failure(), "--clean-on-failure")
    (archive,) = archives(state)
    assert ran.code == 6
    assert f"error: {MESSAGE}\n  The evidence is in {archive}.\n" in ran.err
    assert not world.workspace.exists


def fails(error: Exception) -> Callable[..., NoReturn]:
    def call(*_given: object, **_named: object) -> NoReturn:
        raise error

    return call


def test_a_failed_cleaning_up_does_not_hide_the_failure(
    up: Callable[..., Ran], world: FakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = [ProviderError("Vagrant still has it"), HostError("Still there: b.", hint="Say `rm b`.")]
    monkeypatch.setattr(orchestrator, "down", fails(ExceptionGroup("both", left)))
    ran = up(failure(), "--clean-on-failure")
    assert ran.code == 6
    assert f"error: {MESSAGE}\n" in ran.err
    told = "Cleaning up failed too: Vagrant still has it; Still there: b.\n  Say `rm b`.\n"
    assert told in ran.err
    assert world.workspace.exists


def test_evidence_that_cannot_be_written_hides_no_failure_and_stops_no_cleaning_up(
    up: Callable[..., Ran], world: FakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence, "collect", fails(OSError(28, "No space left on device")))
    ran = up(failure(), "--clean-on-failure")
    assert ran.code == 6
    assert f"error: {MESSAGE}\n" in ran.err
    assert "Collecting evidence failed too: [Errno 28] No space left on device" in ran.err
    assert not world.workspace.exists


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize("words", [(), ("--clean-on-failure",)])
def test_a_bug_is_a_failure_like_any_other(
    words: tuple[str, ...], up: Callable[..., Ran], world: FakeWorld, state: Path
) -> None:
    ran = up(KeyError("nodeRef"), *words)
    (archive,) = archives(state)
    assert ran.code == 1
    assert f"KeyError: 'nodeRef'\nThe evidence is in {archive}.\n" in ran.err
    assert world.workspace.exists is not bool(words)


@pytest.mark.parametrize("step", ["collect", "down"])
def test_a_bug_in_what_follows_a_failure_does_not_hide_it(
    step: str, up: Callable[..., Ran], world: FakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = evidence if step == "collect" else orchestrator
    monkeypatch.setattr(module, step, fails(KeyError("nodeRef")))
    ran = up(failure(), "--clean-on-failure")
    assert ran.code == 6
    assert f"error: {MESSAGE}\n" in ran.err
    assert "failed too: KeyError('nodeRef')" in ran.err
    assert world.workspace.exists is (step == "down")


def test_whoever_interrupts_what_follows_a_failure_is_obeyed(
    up: Callable[..., Ran], world: FakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence, "collect", fails(InterruptedRunError("stopped")))
    assert up(failure(), "--clean-on-failure").code == 130
    assert world.workspace.exists


def test_only_the_newest_archives_of_a_cluster_are_kept(
    up: Callable[..., Ran], state: Path
) -> None:
    folder = state / "evidence"
    folder.mkdir(parents=True)
    for second in range(failures.KEPT + 2):
        (folder / f"walkthrough-evidence-20200101-00000{second}.tar.gz").touch()
    (folder / "walkthrough-b-evidence-20200101-000000.tar.gz").touch()
    (folder / "notes.txt").touch()
    up(failure())
    names = [path.name for path in archives(state)]
    assert names[0] == "notes.txt"
    assert "walkthrough-b-evidence-20200101-000000.tar.gz" in names
    own = [name for name in names if name.startswith("walkthrough-evidence-")]
    assert len(own) == failures.KEPT
    assert own[0] == "walkthrough-evidence-20200101-000003.tar.gz"


def test_the_evidence_of_a_run_through_sudo_is_the_callers(
    up: Callable[..., Ran], world: FakeWorld, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    monkeypatch.setenv("SUDO_UID", "12345")
    monkeypatch.setenv("SUDO_GID", "12345")
    up(failure())
    (archive,) = archives(state)
    assert (archive.stat().st_uid, archive.parent.stat().st_uid) == (12345, 12345)
    assert world.workspace.exists
