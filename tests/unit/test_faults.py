"""The fault matrix on fakes: whatever strikes in whichever phase, `up` copes with it or says so.

The same cells strike real machines in `tests/e2e/faults`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from harness.cli import parts, session
from harness.interfaces import MachineState
from harness.reporters import Many, choose
from tests.e2e.faults import cells
from tests.e2e.faults.cells import Cell, Fault
from tests.fake_faults import Striker
from tests.fake_lab import Lab

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.unit.conftest import Ran

LIMIT_SECONDS = 900.0
# What is asked after a failure, for a diagnosis and for the evidence.
ASKING_SECONDS = 120.0
KILLED = "Going on where `up` "


@dataclass
class Trial:
    """A cell, and the cluster that it strikes.

    Attributes:
        cell: Which one.
        lab: Its machines.
        striker: Strikes once.
        run: Runs a command.
    """

    cell: Cell
    lab: Lab
    striker: Striker
    run: Callable[..., Ran]

    def up(self) -> Ran:
        """Run `up`, and look at how long it took."""
        began = self.lab.clock()
        ran = self.run("up", "--provider", "lxc", "--timeout", f"{LIMIT_SECONDS:g}")
        assert self.lab.clock() - began <= LIMIT_SECONDS + ASKING_SECONDS
        self.striker.ended()
        return ran

    def down(self) -> Ran:
        """Run `down`."""
        return self.run("down")

    @property
    def states(self) -> set[MachineState]:
        return {machine.state for machine in self.lab.machines.values()}

    @property
    def events(self) -> list[dict[str, Any]]:
        log = self.lab.world.workspace.logs_dir / session.EVENTS
        return [json.loads(line) for line in log.read_text().splitlines()]

    @property
    def archives(self) -> list[Path]:
        return list(self.lab.world.workspace.root.parents[1].glob("evidence/*"))

    @property
    def timings(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]]
        found = json.loads((self.lab.world.workspace.root / "timings.json").read_text())
        return found


@pytest.fixture
def trial(
    request: pytest.FixtureRequest,
    state: Path,
    run: Callable[..., Ran],
    monkeypatch: pytest.MonkeyPatch,
) -> Trial:
    lab = Lab.of(state, monkeypatch)
    striker = Striker(request.param, lab, state)
    for found in ("planned", "recorded"):
        monkeypatch.setattr(parts, found, lambda _asked: lab.cluster)
    monkeypatch.setattr(session, "choose", lambda *where: Many([choose(*where), lab, striker]))
    return Trial(request.param, lab, striker, run)


def test_every_cell_makes_sense_or_says_why_not() -> None:
    assert set(cells.ALL) == {Cell(phase, fault) for phase in cells.PHASES for fault in Fault}
    for cell in cells.ALL:
        assert (cell in cells.SENSIBLE) is not bool(cell.why_senseless)
    assert set(cells.IN_CI) <= set(cells.SENSIBLE)
    assert tuple(dict.fromkeys(cell.phase for cell in cells.IN_CI)) == cells.PHASES
    assert cells.IN_CI[-1].resumes


@pytest.mark.parametrize("trial", cells.SENSIBLE, ids=str, indirect=True)
def test_a_fault_is_borne_or_told_and_the_cluster_goes_on_and_goes(trial: Trial) -> None:
    cell = trial.cell
    ran = trial.up()
    assert trial.striker.has_struck
    if cell.fault is not Fault.SIGKILL:  # with what that ends, the kernel says
        assert ran.code in cell.codes, ran.err
        assert "Traceback" not in ran.err
    if cell.fails:
        is_told(trial, ran)
    elif cell.fault in cells.PASSING:
        is_ready(ran)
    elif cell.fault is not Fault.SIGKILL:
        assert "error: Interrupted. What exists of cluster `walkthrough` is kept." in ran.err
        assert f"  In phase {cell.phase}: {cell.fault.upper()}\n" in ran.err

    trial.striker.cure()
    if cell.resumes:
        ran = trial.up()
        assert (KILLED in ran.err) is (cell.fault is Fault.SIGKILL)
        is_ready(ran)

    assert trial.down().code == 0
    assert trial.states == {MachineState.ABSENT}
    assert trial.lab.network.leftovers() == []
    assert not trial.lab.world.workspace.root.exists()


def is_told(trial: Trial, ran: Ran) -> None:
    """Check that a failure names machine, phase and cause, and that it is recorded."""
    cell = trial.cell
    assert re.search(cell.says, ran.err), ran.err
    if cell.fault not in cells.VAGRANT:
        assert cell.machine in ran.err
    (archive,) = trial.archives
    assert f"The evidence is in {archive}." in ran.err
    failed = [event for event in trial.events if event["event"] == "PhaseFailed"]
    assert trial.timings[-1]["note"] == "failed"
    assert [event["phase"] for event in failed] == [trial.timings[-1]["phase"]]
    reached = cells.PHASES.index(failed[0]["phase"])
    assert reached >= cells.PHASES.index(cell.phase)


def is_ready(ran: Ran) -> None:
    """Check that a run ended with the walkthrough's table of four nodes."""
    assert ran.code == 0, ran.err
    assert len(re.findall(r"^ip-\S+ +Ready ", ran.out, re.MULTILINE)) == 4
