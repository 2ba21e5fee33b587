"""`up` runs the phases in order, keeps the record, and says what went wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from harness import orchestrator
from harness.errors import CommandError, InterruptedRunError, NotReadyError, TransportError
from harness.events import PhaseEnded, PhaseFailed, PhaseStarted
from harness.phases import SEQUENCE
from harness.phases.base import Phase
from harness.stopwatch import Stopwatch
from harness.wait import Deadline
from tests.fake_run import LONG, Bench
from tests.fake_site import good_nodes
from tests.fakes import FakeClock

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from harness.phases.base import Site


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench.of(tmp_path, monkeypatch)


def test_the_phases_are_kubeadms_and_in_this_order() -> None:
    names = ["preflight", "machines", "install", "init", "network", "join", "ready", "verify"]
    assert [phase.name for phase in SEQUENCE] == names


def test_phases_run_in_order_and_end_in_the_table(bench: Bench) -> None:
    outcome = bench.up()
    assert bench.names == ["preflight", "machines", "init"]
    assert outcome.changed
    assert [row.name for row in outcome.nodes] == list(bench.fake.plan.names)
    assert {row.status for row in outcome.nodes} == {"Ready"}


def test_a_table_that_is_not_had_at_once_is_asked_for_again(bench: Bench) -> None:
    """All phases are over: nothing but a moment's silence is in the way."""
    nodes = good_nodes(bench.fake.plan)
    bench.fake.api.polls = [TransportError("TLS handshake timeout"), CommandError("and"), nodes]
    assert len(bench.up().nodes) == len(nodes)
    assert bench.world.workspace.completed


def test_each_phase_is_told_of_and_timed(bench: Bench) -> None:
    bench.up()
    names = bench.fake.plan.names
    for number, phase in enumerate(("preflight", "machines", "init")):
        started, ended = bench.events[2 * number : 2 * number + 2]
        assert started == PhaseStarted(phase, names)
        assert isinstance(ended, PhaseEnded)
        assert (ended.phase, ended.note) == (phase, f"note of {phase}")
    assert [timing["phase"] for timing in bench.timings] == ["preflight", "machines", "init"]
    assert all(timing["seconds"] >= 0 for timing in bench.timings)


@pytest.mark.defect("W11", "K4")
def test_a_phase_has_its_own_limit_or_what_is_left_of_the_whole(bench: Bench) -> None:
    bench.up(timeout=100)
    (_, preflight), (_, machines), _ = bench.ran
    assert preflight == pytest.approx(30, abs=5)
    assert machines == pytest.approx(100, abs=5)


def test_seconds_are_those_of_the_clock(bench: Bench) -> None:
    clock = FakeClock()
    kept: list[Any] = []
    stopwatch = Stopwatch(bench.events.append, kept.append, clock=clock)

    def run(_site: Site, _deadline: Deadline) -> str:
        clock.sleep(27.1254)
        return ""

    stopwatch.run(Phase("init", LONG, run), bench.fake.site(), Deadline(LONG))
    assert kept[-1] == [{"phase": "init", "seconds": 27.125, "note": "done"}]
    assert bench.events[-1] == PhaseEnded("init", pytest.approx(27.1254), "")  # type: ignore[arg-type]  # compares as one


@pytest.mark.defect("V1")
def test_everything_is_on_disk_before_anything_is_made(bench: Bench) -> None:
    bench.up()
    modes = {"plan.json": 0o600, "Vagrantfile": 0o644, "content-hash": 0o644}
    secrets = dict.fromkeys(("token", "ca.key", "ca.crt", "id_ed25519"), 0o600)
    assert bench.seen.items() >= (modes | secrets).items()
    assert "completed" not in bench.seen
    assert bench.fake.provider.calls == []
    assert bench.world.workspace.load_plan() is not None


def test_scripts_hold_the_clusters_own_secrets(bench: Bench) -> None:
    given: dict[str, str] = {}

    def run(site: Site, _deadline: Deadline) -> str:
        given.update(site.scripts)
        return ""

    phases = [Phase("preflight", LONG, run)]
    orchestrator.up(bench.cluster, bench.fake.reporter, timeout=60, phases=phases)
    secrets = bench.world.workspace.secrets()
    assert given.keys() == set(bench.fake.plan.names)
    assert all(secrets.token in script for script in given.values())
    vagrantfile = (bench.world.workspace.vagrant_dir / "Vagrantfile").read_text()
    assert vagrantfile == f"# {' '.join(bench.fake.plan.names)}: {secrets.ca_cert_hash}\n"


def test_a_failure_ends_the_run_and_is_recorded(bench: Bench) -> None:
    error = NotReadyError("ip-192.168.2.2 has not registered", hint="look")
    bench.faults["machines"] = error
    with pytest.raises(NotReadyError) as caught:
        bench.up()
    assert caught.value is error
    assert bench.names == ["preflight", "machines"]
    assert [(timing["phase"], timing["note"]) for timing in bench.timings] == [
        ("preflight", "note of preflight"),
        ("machines", "failed"),
    ]
    failed = bench.events[-1]
    assert isinstance(failed, PhaseFailed)
    assert (failed.phase, failed.message) == ("machines", "ip-192.168.2.2 has not registered")
    assert bench.world.workspace.exists
    assert not bench.world.workspace.completed
    assert bench.world.workspace.last_phase == "machines"


def test_a_failure_carries_what_the_machines_know(bench: Bench) -> None:
    bench.faults["init"] = TransportError("ip-192.168.2.200: cannot be reached")
    with pytest.raises(TransportError) as caught:
        bench.up()
    assert caught.value.__notes__ == ["what is known of init"]


def test_nothing_known_is_no_note(bench: Bench) -> None:
    def run(_site: Site, _deadline: Deadline) -> str:
        raise NotReadyError("no")

    phases = [Phase("ready", LONG, run)]
    with pytest.raises(NotReadyError) as caught:
        orchestrator.up(bench.cluster, bench.fake.reporter, timeout=60, phases=phases)
    assert not hasattr(caught.value, "__notes__")


@pytest.mark.parametrize("error", [InterruptedRunError("SIGTERM"), KeyboardInterrupt("SIGTERM")])
def test_an_interruption_is_recorded_with_its_phase_and_nobody_is_asked(
    error: BaseException, bench: Bench
) -> None:
    bench.faults["machines"] = error
    with pytest.raises(type(error)) as caught:
        bench.up()
    assert caught.value.__notes__ == ["In phase machines: SIGTERM"]
    assert bench.world.workspace.last_phase == "machines"
    assert isinstance(bench.events[-1], PhaseFailed)


def test_several_failures_at_once_are_recorded_and_carry_what_the_machines_know(
    bench: Bench,
) -> None:
    errors = [TransportError("one"), TransportError("other")]
    bench.faults["init"] = ExceptionGroup("init failed on 2 machines", errors)
    with pytest.raises(ExceptionGroup) as caught:
        bench.up()
    assert bench.timings[-1]["note"] == "failed"
    assert caught.value.__notes__ == ["what is known of init"]


@pytest.mark.parametrize("other", [InterruptedRunError("stopped"), ZeroDivisionError("a bug")])
def test_a_group_with_more_than_failures_is_not_diagnosed(other: Exception, bench: Bench) -> None:
    bench.faults["init"] = ExceptionGroup("init failed", [TransportError("one"), other])
    with pytest.raises(ExceptionGroup) as caught:
        bench.up()
    assert "what is known of init" not in getattr(caught.value, "__notes__", ())


def fail(bench: Bench, diagnose: Callable[[Site], str]) -> None:
    """Let a phase fail that is diagnosed like this."""

    def run(_site: Site, _deadline: Deadline) -> str:
        raise NotReadyError("ip-192.168.2.2 is not Ready")

    phases = [Phase("ready", LONG, run, diagnose)]
    orchestrator.up(bench.cluster, bench.fake.reporter, timeout=60, phases=phases)


def test_a_diagnosis_that_fails_hides_nothing(bench: Bench) -> None:
    def diagnose(_site: Site) -> str:
        raise ZeroDivisionError("of no machines")

    with pytest.raises(NotReadyError, match="is not Ready") as caught:
        fail(bench, diagnose)
    (note,) = caught.value.__notes__
    assert note == "The diagnosis failed too: ZeroDivisionError('of no machines')"


def test_an_interrupted_diagnosis_ends_the_run_and_the_phase_has_failed(bench: Bench) -> None:
    def diagnose(_site: Site) -> str:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail(bench, diagnose)
    assert isinstance(bench.events[-1], PhaseFailed)


def test_the_issues_that_a_diagnosis_shows_are_in_the_event(bench: Bench) -> None:
    lines = 'failed to get sandbox image "pause"\nsudo: unable to resolve host x'
    with pytest.raises(NotReadyError):
        fail(bench, lambda _: lines)
    failed = bench.events[-1]
    assert isinstance(failed, PhaseFailed)
    assert failed.known_issues == ("own-name-unknown", "sandbox-image-missing")
