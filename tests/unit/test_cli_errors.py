from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING, NoReturn

import pytest

from harness import errors, orchestrator, process
from harness import status as cluster_status
from harness.errors import HostError, InvalidInputError, PhaseError, Problem
from harness.known_issues import CATALOGUE

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.cluster import Cluster
    from harness.interfaces import Reporter
    from harness.orchestrator import Outcome
    from tests.fake_cluster import FakeWorld
    from tests.unit.conftest import Ran

pytestmark = pytest.mark.usefixtures("world")


def failing(error: BaseException) -> Callable[[Cluster], NoReturn]:
    def status(_cluster: Cluster) -> NoReturn:
        raise error

    return status


@pytest.fixture
def ran_into(
    run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> Callable[[BaseException], Ran]:
    def command(error: BaseException) -> Ran:
        monkeypatch.setattr(cluster_status, "of", failing(error))
        return run("status")

    return command


def classes(root: type[errors.HarnessError]) -> list[type[errors.HarnessError]]:
    found = [root]
    for inner in root.__subclasses__():
        if inner.__module__ == errors.__name__:
            found += classes(inner)
    return found


@pytest.mark.parametrize(
    "kind",
    [kind for kind in classes(errors.HarnessError)[1:] if kind is not InvalidInputError],
)
def test_every_error_is_a_sentence_a_hint_and_its_exit_code(
    kind: type[errors.HarnessError], ran_into: Callable[[BaseException], Ran]
) -> None:
    ran = ran_into(kind("Something is wrong.", hint="Do this."))
    assert ran.code == kind.exit_code
    assert ran.out == ""
    assert ran.err == "error: Something is wrong.\nhint: Do this.\n"


def test_an_error_without_a_hint_has_no_hint_line(
    ran_into: Callable[[BaseException], Ran],
) -> None:
    assert ran_into(HostError("No.")).err == "error: No.\n"


def test_what_was_added_to_an_error_is_told(ran_into: Callable[[BaseException], Ran]) -> None:
    error = PhaseError("join failed")
    error.add_note("kubelet: it is down\nand out")
    assert ran_into(error).err == "error: join failed\n  kubelet: it is down\n  and out\n"


def test_what_was_added_to_several_errors_is_told_after_them(
    ran_into: Callable[[BaseException], Ran],
) -> None:
    one = PhaseError("one", hint="mend it")
    one.add_note("of one")
    group = ExceptionGroup("both", [one, PhaseError("two")])
    group.add_note("of both")
    ran = ran_into(ExceptionGroup("all", [group, HostError("three")]))
    assert ran.err.splitlines() == [
        "error: one",
        "  of one",
        "hint: mend it",
        "error: two",
        "  of both",
        "error: three",
    ]


def test_a_known_issue_is_one_more_sentence(ran_into: Callable[[BaseException], Ran]) -> None:
    errors_ = [PhaseError(f"ip-192.168.2.{number}: init") for number in (2, 3)]
    group = ExceptionGroup("both", errors_)
    group.add_note("kubelet: [ERROR FileExisting-crictl]: crictl not found in system path")
    *_, last = ran_into(group).err.splitlines()
    (issue,) = [one for one in CATALOGUE if one.id == "kubeadm-wants-crictl"]
    where = "docs/troubleshooting.md#kubeadm-wants-crictl"
    assert last == f"known issue {issue.id}: {issue.title} {issue.cure} More in {where}."


def test_a_bug_has_a_traceback_and_asks_to_be_reported(
    ran_into: Callable[[BaseException], Ran],
) -> None:
    ran = ran_into(ZeroDivisionError("no"))
    assert ran.code == 1
    assert ran.err.startswith("Traceback")
    assert "ZeroDivisionError: no" in ran.err
    assert "this is a bug in the harness" in ran.err


INVALID = InvalidInputError([Problem("a.json", "$", "no")])


@pytest.mark.parametrize(
    ("inner", "code"),
    [
        ([HostError("one"), PhaseError("two")], 6),
        ([PhaseError("two"), INVALID], 6),
        ([ExceptionGroup("more", [HostError("one")]), INVALID], 4),
        ([errors.ClusterHeldError("held"), ZeroDivisionError("bug")], 1),
        ([errors.InterruptedRunError("stopped"), ZeroDivisionError("bug")], 130),
    ],
)
def test_of_several_errors_all_are_told_and_the_gravest_decides(
    inner: list[Exception], code: int, ran_into: Callable[[BaseException], Ran]
) -> None:
    ran = ran_into(ExceptionGroup("several", inner))
    assert ran.code == code
    assert ran.err.count("error: ") >= len(inner)


def test_a_reader_that_leaves_is_no_bug() -> None:
    line = f"{sys.executable} -m harness --help | true; exit ${{PIPESTATUS[0]}}"
    finished = process.run(["bash", "-c", line], timeout=30, check=False)
    assert finished.stderr == ""
    assert finished.exit_status in {0, 141}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_up_says_how_to_go_on_and_how_to_give_up(
    number: int, run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    def up(_cluster: Cluster, _reporter: Reporter, *, timeout: float, **_force: object) -> Outcome:
        del timeout
        try:
            os.kill(os.getpid(), number)
        except KeyboardInterrupt as error:
            error.add_note(f"In phase init: {error}")
            raise
        raise AssertionError("the signal did not stop this")

    monkeypatch.setattr(orchestrator, "up", up)
    ran = run("up", "--provider", "lxc")
    assert ran.code == 130
    assert f"  In phase init: {signal.Signals(number).name}\n" in ran.err
    assert "error: Interrupted. What exists of cluster `walkthrough` is kept." in ran.err
    assert "hint: `harness up` goes on from here, `harness down` removes everything." in ran.err
    assert process.STOPPING.is_set()


def test_a_second_signal_does_not_break_the_cleaning_up(
    run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    cleaned = []

    def status(_cluster: Cluster) -> NoReturn:
        try:
            os.kill(os.getpid(), signal.SIGINT)
        finally:
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGTERM)
            cleaned.append("all")
        raise AssertionError("the signal did not stop this")

    monkeypatch.setattr(cluster_status, "of", status)
    ran = run("status")
    assert (ran.code, cleaned) == (130, ["all"])


def test_an_interruption_in_another_thread_counts_as_one(
    run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    def up(_cluster: Cluster, _reporter: Reporter, *, timeout: float, **_force: object) -> Outcome:
        del timeout
        inner = [errors.InterruptedRunError("`vagrant` was stopped"), PhaseError("and this")]
        raise ExceptionGroup("machines", inner)

    monkeypatch.setattr(orchestrator, "up", up)
    ran = run("up", "--provider", "lxc")
    assert ran.code == 130
    assert ran.err.count("error:") == 1


def test_signals_are_as_before_once_a_command_is_over(run: Callable[..., Ran]) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    run("plan")
    after = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    assert after == before


def test_a_cluster_that_is_held_is_told_with_its_holder(
    run: Callable[..., Ran], world: FakeWorld
) -> None:
    with world.workspace.hold("up"):
        ran = run("up", "--provider", "lxc")
    assert ran.code == 8
    assert "Cluster `walkthrough` is held by `up`" in ran.err
