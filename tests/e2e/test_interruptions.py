"""SIGINT inside each phase of one cluster, which comes up all the same.

That `down` after each of them leaves nothing is in the fault matrix (tests/e2e/faults).
"""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from harness.phases import SEQUENCE
from tests.e2e import lab as labs

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.lab
PHASES = [phase.name for phase in SEQUENCE]
# (phase, what a machine says in it): between these two Vagrant has a machine that runs, and
# that nobody but Vagrant can log in to.
BOOTED = ("machines", "Machine booted and ready!")
INTERRUPTED = 130


def inside(lab: labs.Lab, phase: str, says: str, already: int) -> Callable[[], bool]:
    """Return whether this run has told of something that happens inside the phase."""

    def condition() -> bool:
        for event in lab.events()[already:]:
            if event.get("phase") != phase:
                continue
            if event["event"] == "MachineProgress" and says in event["reason"]:
                return True
            # Preflight says nothing in between, and what was done before may pass at once.
            if event["event"] == ("PhaseStarted" if phase == "preflight" else "PhaseEnded"):
                return True
        return False

    return condition


def interrupt_inside(lab: labs.Lab, phase: str, says: str = "") -> None:
    """Run `up`, send SIGINT to its process group inside a phase, and wait for its end."""
    already = len(lab.events())
    process = lab.start("up", *map(str, lab.groups))
    try:
        condition = inside(lab, phase, says, already)
        labs.wait_for(
            f"the phase {phase}", lambda: condition() or process.poll() is not None, timeout=300
        )
        assert process.poll() is None, process.communicate()
        os.killpg(process.pid, signal.SIGINT)
        _, stderr = process.communicate(timeout=60)
    except BaseException:
        process.kill()
        raise
    assert process.returncode == INTERRUPTED, stderr
    assert "harness up" in stderr
    assert "Traceback" not in stderr


def test_a_cluster_that_is_interrupted_in_every_phase_still_comes_up(
    fresh_lab: labs.Lab,
) -> None:
    for phase in PHASES[:1]:
        interrupt_inside(fresh_lab, phase)
    interrupt_inside(fresh_lab, *BOOTED)
    for phase in PHASES[1:]:
        interrupt_inside(fresh_lab, phase)
    finished = fresh_lab.up()
    assert finished.status == 0, finished.stderr
    assert fresh_lab.ready_nodes() == set(labs.NAMES)
