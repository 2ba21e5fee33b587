"""Steps: cached, resumable, in parallel where they may be."""

from __future__ import annotations

import os
import signal
import threading
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import filelock
import pytest

from harness import process
from harness.errors import HostError
from harness.events import (
    Event,
    MachineProgress,
    Notice,
    PhaseEnded,
    PhaseFailed,
    PhaseStarted,
)
from harness.lab import locks, steps
from harness.lab.steps import Done, Step, Work

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


@dataclass
class Workshop:
    """Runs steps in a folder of its own and remembers which of them really ran."""

    root: Path
    ran: list[str] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)

    def step(
        self, name: str, text: str = "", needs: tuple[str, ...] = (), *, result: str | None = None
    ) -> Step:
        def run(work: Work) -> str | None:
            self.ran.append(name)
            (work.directory / "out").write_text(text)
            return result

        return Step(name, run, {"text": text}, needs)

    def build(self, plan: Sequence[Step]) -> dict[str, Done]:
        self.ran.clear()
        self.events.clear()
        return steps.build(plan, self.root, label="bundle", on_event=self.events.append)


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path / "build")


@pytest.fixture
def _programs_may_run_again() -> Iterator[None]:
    yield
    process.resume()


def failing(name: str, error: Exception, needs: tuple[str, ...] = ()) -> Step:
    def run(work: Work) -> None:
        (work.directory / "half").write_text("half")
        raise error

    return Step(name, run, {}, needs)


def test_each_step_runs_after_those_that_it_needs_and_finds_what_they_left(
    workshop: Workshop,
) -> None:
    def join(work: Work) -> None:
        workshop.ran.append("join")
        texts = [(work.needs[name].directory / "out").read_text() for name in ("one", "two")]
        (work.directory / "out").write_text("".join(texts))

    plan = [
        workshop.step("one", "1"),
        workshop.step("two", "2", ("one",)),
        Step("join", join, {}, ("one", "two")),
    ]
    done = workshop.build(plan)
    assert workshop.ran == ["one", "two", "join"]
    assert (done["join"].directory / "out").read_text() == "12"


def test_a_second_run_does_nothing_and_says_so(workshop: Workshop) -> None:
    plan = [workshop.step("one"), workshop.step("two", needs=("one",))]
    first = workshop.build(plan)
    assert workshop.build(plan) == first
    assert workshop.ran == []
    assert workshop.events == [
        PhaseStarted("one"),
        PhaseEnded("one", 0.0, steps.CACHED),
        PhaseStarted("two"),
        PhaseEnded("two", 0.0, steps.CACHED),
    ]


def test_a_changed_input_reruns_the_step_and_all_that_need_it(workshop: Workshop) -> None:
    workshop.build([workshop.step("one"), workshop.step("two", needs=("one",))])
    workshop.build([workshop.step("one", "new"), workshop.step("two", needs=("one",))])
    assert workshop.ran == ["one", "two"]


def test_a_rerun_that_gives_the_same_result_reruns_nobody_else(workshop: Workshop) -> None:
    two = workshop.step("two", needs=("one",))
    workshop.build([workshop.step("one", "a", result="same"), two])
    workshop.build([workshop.step("one", "b", result="same"), two])
    assert workshop.ran == ["one"]


def test_a_failing_step_leaves_no_stamp_and_the_next_run_resumes_there(
    workshop: Workshop,
) -> None:
    one, three = workshop.step("one"), workshop.step("three", needs=("two",))
    with pytest.raises(HostError, match="no such mirror"):
        workshop.build([one, failing("two", HostError("no such mirror"), ("one",)), three])
    assert workshop.ran == ["one"]
    assert [event.phase for event in workshop.events if isinstance(event, PhaseFailed)] == ["two"]
    assert not (workshop.root / "two").exists()

    done = workshop.build([one, workshop.step("two", needs=("one",)), three])
    assert workshop.ran == ["two", "three"]
    assert [path.name for path in done["two"].directory.iterdir()] == ["out"]


def test_a_failed_rerun_keeps_what_was_there_but_not_as_done(workshop: Workshop) -> None:
    workshop.build([workshop.step("one", "old")])
    with pytest.raises(HostError):
        workshop.build([failing("one", HostError("full"))])
    assert (workshop.root / "one" / "out").read_text() == "old"
    workshop.build([workshop.step("one", "new")])
    assert workshop.ran == ["one"]


def test_an_output_that_somebody_removed_is_made_again(workshop: Workshop) -> None:
    done = workshop.build([workshop.step("one")])
    (done["one"].directory / "out").unlink()
    done["one"].directory.rmdir()
    workshop.build([workshop.step("one")])
    assert workshop.ran == ["one"]


def test_an_output_that_is_no_longer_good_is_made_again(workshop: Workshop) -> None:
    one = replace(workshop.step("one", "text"), intact=lambda path: (path / "out").exists())
    done = workshop.build([one])
    (done["one"].directory / "out").unlink()
    workshop.build([one])
    assert workshop.ran == ["one"]


def test_an_unreadable_stamp_counts_as_none(workshop: Workshop) -> None:
    workshop.build([workshop.step("one")])
    (workshop.root / "one.json").write_text('{"digest": "cut of')
    workshop.build([workshop.step("one")])
    assert workshop.ran == ["one"]


def test_an_output_can_go_to_a_place_of_its_own(workshop: Workshop, tmp_path: Path) -> None:
    target = tmp_path / "elsewhere" / "bundle"

    def run(work: Work) -> None:
        (work.directory / "out").write_text("x")

    workshop.build([Step("one", run, target=target)])
    assert [path.name for path in target.iterdir()] == ["out"]
    assert [path.name for path in target.parent.iterdir()] == ["bundle"]


def test_steps_that_do_not_need_each_other_run_at_once(workshop: Workshop) -> None:
    together = threading.Barrier(2)

    def meet(_: Work) -> None:
        together.wait(timeout=10)

    workshop.build([Step("one", meet), Step("two", meet)])


def test_when_two_steps_fail_both_errors_come_out(workshop: Workshop) -> None:
    together = threading.Barrier(2)

    def fail(work: Work) -> None:
        together.wait(timeout=10)
        raise HostError(f"{work.directory.name} failed")

    with pytest.raises(ExceptionGroup) as caught:
        workshop.build([Step("one", fail), Step("two", fail), workshop.step("x", needs=("one",))])
    assert sorted(str(error) for error in caught.value.exceptions) == [
        "one.new failed",
        "two.new failed",
    ]
    assert workshop.ran == []


def test_after_a_failure_nothing_new_is_begun(workshop: Workshop) -> None:
    failed = threading.Event()

    def fail(_: Work) -> None:
        raise HostError("broken")

    def see(event: Event) -> None:
        if isinstance(event, PhaseFailed):
            failed.set()

    def slow(_: Work) -> None:
        assert failed.wait(timeout=10)

    plan = [Step("bad", fail), Step("slow", slow), workshop.step("next", needs=("slow",))]
    with pytest.raises(HostError, match="broken"):
        steps.build(plan, workshop.root, label="bundle", on_event=see)
    # Whether `slow` itself was begun before `bad` failed is a matter of luck.
    assert workshop.ran == []


def test_a_failure_of_the_file_system_is_a_fault_of_the_host(workshop: Workshop) -> None:
    with pytest.raises(HostError, match=r"bundle: one: .*No space left"):
        workshop.build([failing("one", OSError(28, "No space left on device"))])
    assert isinstance(workshop.events[-1], PhaseFailed)


def test_a_bug_surfaces_as_it_is(workshop: Workshop) -> None:
    with pytest.raises(KeyError):
        workshop.build([failing("one", KeyError("oops"))])


def test_programs_write_to_the_log_of_their_step(workshop: Workshop) -> None:
    def run(work: Work) -> None:
        work.say("greeting")
        work.run(["sh", "-c", "echo hello; echo world >&2"], timeout=10, cwd=work.directory)

    workshop.build([Step("one", run)])
    log = (workshop.root / "one.log").read_text()
    assert "hello" in log
    assert "world" in log
    assert MachineProgress("bundle", "one", "greeting") in workshop.events


def test_the_scratch_folder_is_empty_at_first_and_gone_at_the_end(workshop: Workshop) -> None:
    leftover = workshop.root / "one.tmp"
    leftover.mkdir(parents=True)
    (leftover / "from a killed run").touch()
    seen: list[list[Path]] = []

    def run(work: Work) -> None:
        seen.append([*work.scratch.iterdir(), *work.directory.iterdir()])

    workshop.build([Step("one", run)])
    assert seen == [[]]
    assert not leftover.exists()


def test_a_second_harness_waits_for_the_first_and_tells_so(workshop: Workshop) -> None:
    workshop.root.mkdir()
    other = filelock.FileLock(workshop.root / "lock")
    other.acquire()
    told: list[Event] = []

    def release(event: Event) -> None:
        told.append(event)
        other.release()

    steps.build([workshop.step("one")], workshop.root, label="bundle", on_event=release)
    assert isinstance(told[0], Notice)
    assert workshop.ran == ["one"]


def test_a_harness_that_waits_in_vain_says_for_what(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "LOCK_SECONDS", 0)
    workshop.root.mkdir()
    with (
        filelock.FileLock(workshop.root / "lock"),
        pytest.raises(HostError, match="another harness has held"),
    ):
        workshop.build([workshop.step("one")])


def test_a_cache_that_cannot_be_written_is_a_fault_of_the_host(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(HostError, match="cannot write to") as error:
        Workshop(tmp_path / "file" / "build").build([])
    assert "HARNESS_CACHE_DIR" in error.value.hint


@pytest.mark.usefixtures("_programs_may_run_again")
def test_an_interruption_ends_the_running_program_and_the_next_run_goes_on(
    workshop: Workshop,
) -> None:
    def sleep(work: Work) -> None:
        work.say("sleeping")
        work.run(["sleep", "60"], timeout=60)

    def interrupt(event: Event) -> None:
        if isinstance(event, MachineProgress):
            os.kill(os.getpid(), signal.SIGINT)

    def plan(second: Step) -> list[Step]:
        return [workshop.step("one"), second]

    with pytest.raises(KeyboardInterrupt):
        steps.build(
            plan(Step("two", sleep, {}, ("one",))),
            workshop.root,
            label="bundle",
            on_event=interrupt,
        )
    process.resume()
    workshop.build(plan(workshop.step("two", needs=("one",))))
    assert workshop.ran == ["two"]


@pytest.mark.parametrize("chosen", ["relative/cache", "~/cache", "/absolute/cache"])
def test_the_cache_is_where_the_environment_says(chosen: str) -> None:
    found = steps.cache_dir({"HARNESS_CACHE_DIR": chosen})
    assert found.is_absolute()
    assert found.name == "cache"


def test_the_cache_has_a_place_when_the_environment_says_nothing() -> None:
    assert steps.cache_dir({"HARNESS_CACHE_DIR": ""}).name == "harness"
