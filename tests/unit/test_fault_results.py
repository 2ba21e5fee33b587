"""The record of the fault matrix: kept line by line, resumed from, and told as a table."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.faults import __main__ as matrix
from tests.e2e.faults import cells, results
from tests.e2e.faults.cells import Cell, Fault
from tests.e2e.faults.trial import Trial

if TYPE_CHECKING:
    from collections.abc import Sequence

DOCUMENT = Path(__file__).parents[2] / "docs" / "reliability.md"
GOOD = Trial("join:machine-stopped", "abc1234", 6, "join", seconds={"up": 70.4, "down": 5.0})
BAD = replace(GOOD, cell="ready:disk-full", status=0, failure="exit 0, not {7}")


def test_trials_are_kept_and_the_latest_of_a_cell_counts(tmp_path: Path) -> None:
    file = tmp_path / "faults.jsonl"
    assert results.load(file) == []
    for trial in (BAD, GOOD, replace(BAD, failure="")):
        results.append(file, trial)
    assert "2 of 75 cells tried at abc1234; 0 bad" in results.report(results.load(file))


def test_the_table_has_every_cell_and_tells_what_is_bad() -> None:
    text = results.report([GOOD, BAD])
    rows = [[entry.strip() for entry in row.split("|")[1:-1]] for row in text.splitlines()[2:17]]
    table = {row[0]: dict(zip(rows[0][1:], row[1:], strict=True)) for row in rows[2:]}
    assert list(table) == list(Fault)
    assert table["machine-stopped"]["preflight"] == ""
    assert table["machine-stopped"]["install"] == "?"
    assert table["machine-stopped"]["join"] == "6"
    assert table["disk-full"]["ready"] == "0 join BAD"
    assert "ready:disk-full: exit 0 in join; up 70 s, down 5 s; BAD: exit 0, not {7}" in text


def test_a_cell_that_was_good_is_not_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "faults.jsonl"
    results.append(file, GOOD)
    tried = []

    def try_apart(row: Sequence[Cell], worker: str) -> list[Trial]:
        tried.append((" ".join(map(str, row)), worker))
        return [
            replace(GOOD, cell=str(cell), failure="no" if cell.phase == "init" else "")
            for cell in row
        ]

    monkeypatch.setattr(matrix, "try_apart", try_apart)
    argv = [
        "faults",
        "join:machine-stopped",
        "install:sigterm",
        "init:sigterm",
        "--into",
        str(file),
    ]
    monkeypatch.setattr("sys.argv", argv)
    assert matrix.main() == 1
    assert matrix.main() == 1
    assert [row for row, _ in tried] == ["install:sigterm init:sigterm", "init:sigterm"]
    said = "[2/2] init:sigterm: exit 6 in join; up 70 s, down 5 s; BAD: no"
    assert said in capsys.readouterr().out


def test_an_interrupted_matrix_begins_no_other_row_and_records_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []

    def try_apart(row: Sequence[Cell], _worker: str) -> list[Trial]:
        tried.append(" ".join(map(str, row)))
        threading.Event().wait(0.1)
        raise KeyboardInterrupt

    monkeypatch.setattr(matrix, "try_apart", try_apart)
    file = tmp_path / "faults.jsonl"
    monkeypatch.setattr("sys.argv", ["faults", "--into", str(file)])
    with pytest.raises(KeyboardInterrupt):
        matrix.main()
    # The next one may have begun by the time that we are told.
    assert len(tried) < len(cells.rows(cells.SENSIBLE))
    assert not file.exists()


def test_every_cell_is_listed_with_the_reason_where_it_is_not_tried() -> None:
    lines = dict(line.split(maxsplit=1) for line in matrix.listing().splitlines())
    assert set(lines) == {str(cell) for cell in cells.ALL}
    assert lines["install:kubelet-stopped"] == "kubelet does not run before init"
    assert lines["init:kubelet-stopped"] == "tried"


@pytest.mark.parametrize("text", ["install:kubelet-stopped", "nowhere:sigint", "join:flood"])
def test_a_cell_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=text.rpartition(":")[2]):
        Cell.of(text)


def test_a_row_is_a_fault_from_phase_to_phase_and_what_is_not_resumed_is_alone() -> None:
    chosen = ["join:sigterm", "verify:sigint", "install:sigterm", "init:sigint"]
    chosen += ["join:disk-full", "ready:disk-full", "install:disk-full", "join:network-cut"]
    rows = cells.rows(map(Cell.of, chosen))
    assert [[str(cell) for cell in row] for row in rows] == [
        ["init:sigint"],
        ["verify:sigint"],
        ["install:sigterm", "join:sigterm"],
        ["join:network-cut"],
        ["install:disk-full"],
        ["join:disk-full", "ready:disk-full"],
    ]
    assert sorted(map(str, sum(cells.rows(cells.SENSIBLE), ()))) == sorted(map(str, cells.SENSIBLE))


def test_the_document_has_every_cell_that_makes_sense_and_none_of_them_is_bad() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    head = f"| fault | {' | '.join(cells.PHASES)} |"
    rows = text.partition(head)[2].partition("\n\n")[0].splitlines()[2:]
    told = {
        f"{phase}:{fault}": entry
        for fault, *entries in ([part.strip() for part in row.split("|")[1:-1]] for row in rows)
        for phase, entry in zip(cells.PHASES, entries, strict=True)
    }
    assert set(told) == {str(cell) for cell in cells.ALL}
    for cell in cells.SENSIBLE:
        code, _, noticed = told[str(cell)].partition(" ")
        assert int(code) in cell.codes, cell
        assert noticed in {"", *cells.PHASES}, cell
    assert not any(told[str(cell)] for cell in cells.ALL if cell.why_senseless)
