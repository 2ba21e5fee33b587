from __future__ import annotations

import io
import json
import threading
from typing import TYPE_CHECKING

import pytest

from harness.events import MachineProgress, Notice, PhaseEnded, PhaseFailed, PhaseStarted
from harness.reporters import JsonLines, Many, Plain, choose
from harness.reporters.terminal import Board, Terminal
from tests.fakes import FakeClock, RecordingReporter

if TYPE_CHECKING:
    from pathlib import Path

    from harness.events import Event
    from harness.interfaces import Reporter

WORKER = "ip-192.168.2.2"
OTHER = "ip-192.168.2.3"
STORY: tuple[Event, ...] = (
    PhaseStarted("preflight"),
    PhaseEnded("preflight", 0.5),
    PhaseStarted("join", (WORKER,)),
    MachineProgress(WORKER, "join", "waiting for the API server"),
    MachineProgress(WORKER, "join", "waiting for the API server"),
    MachineProgress(WORKER, "join", "", done=True),
    PhaseEnded("join", 12.25, "1 node"),
    Notice("A word."),
    Notice("Odd.", level="warning"),
    PhaseFailed("ready", 3, "ip-192.168.2.2: kubelet is down\nand more"),
)


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def told(story: tuple[Event, ...], clock: FakeClock | None = None) -> list[str]:
    stream = io.StringIO()
    reporter = Plain(stream, clock=clock or FakeClock())
    for event in story:
        reporter.report(event)
    return stream.getvalue().splitlines()


def test_plain_lines_tell_each_event_and_each_reason_once() -> None:
    assert told(STORY) == [
        "[   0.0s] preflight: begins",
        "[   0.0s] preflight: done in 0.5 s",
        "[   0.0s] join: begins on ip-192.168.2.2",
        "[   0.0s] ip-192.168.2.2 join: waiting for the API server",
        "[   0.0s] ip-192.168.2.2 join: done",
        "[   0.0s] join: done in 12.2 s (1 node)",
        "[   0.0s] A word.",
        "[   0.0s] warning: Odd.",
        "[   0.0s] ready: failed after 3.0 s: ip-192.168.2.2: kubelet is down",
    ]


def test_plain_lines_begin_with_the_seconds_since_the_start() -> None:
    clock = FakeClock()
    stream = io.StringIO()
    reporter = Plain(stream, clock=clock)
    clock.sleep(12.34)
    reporter.report(Notice("Later."))
    assert stream.getvalue() == "[  12.3s] Later.\n"


def test_a_machine_with_nothing_to_say_gets_no_plain_line() -> None:
    assert told((MachineProgress(WORKER, "join", " \n "),)) == []


def test_each_json_line_is_on_disk_before_report_returns(tmp_path: Path) -> None:
    file = tmp_path / "logs" / "events.jsonl"
    clock = FakeClock()
    reporter = JsonLines(file, clock=clock)
    clock.sleep(1.5)
    reporter.report(PhaseStarted("join", (WORKER,)))
    record = json.loads(file.read_text())
    assert record.pop("time").endswith("+00:00")
    expected = {"elapsed": 1.5, "event": "PhaseStarted", "phase": "join", "machines": [WORKER]}
    assert record == expected
    reporter.close()


def test_json_lines_are_appended_to_those_of_earlier_runs(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    for _ in range(2):
        reporter = JsonLines(file)
        reporter.report(Notice("Hello."))
        reporter.close()
        reporter.close()
    assert [json.loads(line)["message"] for line in file.read_text().splitlines()] == ["Hello."] * 2


def test_json_lines_make_no_file_without_an_event(tmp_path: Path) -> None:
    JsonLines(tmp_path / "events.jsonl").close()
    assert list(tmp_path.iterdir()) == []


def test_lines_from_several_threads_stay_whole(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    reporter = JsonLines(file)
    event = MachineProgress(WORKER, "join", "x" * 500)

    def speak() -> None:
        for _ in range(50):
            reporter.report(event)

    threads = [threading.Thread(target=speak) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    reporter.close()
    reasons = [json.loads(line)["reason"] for line in file.read_text().splitlines()]
    assert reasons == ["x" * 500] * 200


def closed_stream() -> io.StringIO:
    stream = Screen()
    stream.close()
    return stream


@pytest.mark.parametrize("kind", [Plain, Terminal])
def test_a_closed_stream_fails_nobody(kind: type[Plain | Terminal]) -> None:
    reporter = kind(closed_stream())
    for event in STORY:
        reporter.report(event)
    reporter.close()


def test_an_unwritable_log_fails_nobody(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("a file where a folder should be")
    reporter = JsonLines(tmp_path / "logs" / "events.jsonl")
    reporter.report(STORY[0])
    reporter.close()


def test_many_hand_every_event_to_each() -> None:
    ones = [RecordingReporter(), RecordingReporter()]
    many = Many(ones)
    many.report(STORY[0])
    many.close()
    assert [one.events for one in ones] == [[STORY[0]], [STORY[0]]]
    assert all(one.closed for one in ones)


@pytest.mark.parametrize(
    ("stream", "environ", "kind"),
    [
        (Screen(), {"TERM": "xterm"}, Terminal),
        (Screen(), {"TERM": "dumb"}, Plain),
        (Screen(), {}, Plain),
        (Screen(), {"TERM": "xterm", "CI": "true"}, Plain),
        (io.StringIO(), {"TERM": "xterm"}, Plain),
    ],
)
def test_the_display_is_live_only_where_somebody_looks(
    stream: io.StringIO, environ: dict[str, str], kind: type[Reporter]
) -> None:
    assert isinstance(choose(stream, environ), kind)


@pytest.mark.parametrize(("environ", "colored"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_no_color_is_honoured(
    *, environ: dict[str, str], colored: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    stream = Screen()
    reporter = choose(stream, {"TERM": "xterm", **environ})
    reporter.report(Notice("Odd.", level="warning"))
    reporter.close()
    assert ("\x1b[33m" in stream.getvalue()) is colored


def test_the_live_display_keeps_finished_phases_and_gives_the_cursor_back() -> None:
    stream = Screen()
    reporter = Terminal(stream, color=False, clock=FakeClock())
    for event in STORY:
        reporter.report(event)
    reporter.close()
    text = stream.getvalue()
    assert "✓ join          12.2 s  1 node\n" in text
    assert "✗ " in text
    assert "ready          3.0 s  ip-192.168.2.2: kubelet is down\n" in text
    assert "\x1b[?25h" in text.rpartition("\x1b[?25l")[2]


def board_after(*events: Event) -> list[tuple[str, str, str, str]]:
    board = Board()
    for second, event in enumerate(events):
        board.take(event, float(second))
    return board.cells(float(len(events)))


def test_the_board_has_a_row_for_each_machine_of_a_phase() -> None:
    assert board_after(PhaseStarted("join", (WORKER, OTHER))) == [
        (WORKER, "join", "1s", ""),
        (OTHER, "join", "1s", ""),
    ]


def test_a_new_reason_does_not_start_the_time_anew() -> None:
    cells = board_after(
        PhaseStarted("join", (WORKER,)),
        MachineProgress(WORKER, "join", "one"),
        MachineProgress(WORKER, "join", "two\nlines"),
    )
    assert cells == [(WORKER, "join", "3s", "two")]


def test_a_machine_that_is_done_stands_still_until_its_next_phase() -> None:
    done = (PhaseStarted("join", (WORKER, OTHER)), MachineProgress(WORKER, "join", "", done=True))
    assert board_after(*done, Notice("")) == [
        (WORKER, "join", "1s", "done"),
        (OTHER, "join", "3s", ""),
    ]
    assert board_after(*done, PhaseStarted("ready", (WORKER,))) == [
        (OTHER, "join", "3s", ""),
        (WORKER, "ready", "1s", ""),
    ]


def test_a_phase_without_machines_has_a_row_until_somebody_reports_in_it() -> None:
    assert board_after(PhaseStarted("binaries")) == [("", "binaries", "1s", "")]
    assert board_after(
        PhaseStarted("binaries"),
        PhaseStarted("root"),
        MachineProgress("bundle", "binaries", "kubelet"),
        MachineProgress("bundle", "root", "unpacking"),
    ) == [("bundle", "binaries", "4s", "kubelet"), ("bundle", "root", "3s", "unpacking")]


@pytest.mark.parametrize("end", [PhaseEnded("join", 1.0), PhaseFailed("join", 1.0, "no")])
def test_the_rows_of_a_phase_go_with_it(end: Event) -> None:
    assert board_after(PhaseStarted("join", (WORKER,)), end) == []
