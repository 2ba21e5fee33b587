"""Whether the harness can do it again and again: `up`, a look, `down`, and what that leaves.

    sudo .venv/bin/python -m tests.soak [CYCLES] [--into FILE] [--fail-fast]

Each cycle starts from nothing. What is on the host after it and was not there before is a leak.
Every cycle is written to FILE at once, as a line of JSON; a soak may be taken in parts, and the
figures at the end are of all the cycles of this commit in FILE. A failed cycle leaves its
evidence beside FILE, is removed, and the soak goes on. Exit status 1 if one failed or leaked.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from harness.lab import box
from harness.phases import SEQUENCE
from tests.e2e import lab as labs
from tests.e2e.conftest import make_lab
from tests.soak import figures, footprint
from tests.soak.figures import Cycle
from tests.soak.footprint import Footprint

CLUSTER = "soak"
KUBECTL_SECONDS = 30.0


def run_cycle(lab: labs.Lab, cycle: Cycle, evidence: Path) -> None:
    """Bring a cluster up, look at it from the host's own shell, and take it down."""
    folders = [lab.state.parent, *(box.vagrant_home() / name for name in ("data", "tmp"))]
    before = Footprint.now(folders)
    try:
        _up(lab, cycle)
        _look(lab)
    except AssertionError as error:
        cycle.failure = str(error)
        lab.named("logs", "--out", str(evidence), timeout=120)
    finally:  # a soak that is interrupted removes its cluster too
        _down(lab, cycle)
    after = footprint.settled(before, folders, CLUSTER)
    cycle.left = after.left_since(before, CLUSTER)
    cycle.disk_mib = after.disk_mib - before.disk_mib
    cycle.descriptors = after.descriptors - before.descriptors
    footprint.end(cycle.left.get("processes", ()))


def _up(lab: labs.Lab, cycle: Cycle) -> None:
    began = time.monotonic()
    finished = lab.up()
    cycle.seconds["up"] = time.monotonic() - began
    cycle.peak_mib, cycle.up_descriptors = finished.peak_mib, finished.descriptors
    assert finished.status == 0, f"`up` exited {finished.status}:\n{finished.stderr}"
    timings = json.loads((lab.workspace / "timings.json").read_text())
    cycle.seconds.update({entry["phase"]: entry["seconds"] for entry in timings})
    phases = [phase.name for phase in SEQUENCE]
    assert [entry["phase"] for entry in timings] == phases, f"not every phase ran: {timings}"


def _down(lab: labs.Lab, cycle: Cycle) -> None:
    began = time.monotonic()
    try:
        finished = lab.down()
        assert finished.status == 0, f"`down` exited {finished.status}:\n{finished.stderr}"
    except AssertionError as error:
        cycle.failure += str(error)
    cycle.seconds["down"] = time.monotonic() - began


def _look(lab: labs.Lab) -> None:
    """Ask kubectl, through the forward and without the harness, which nodes are Ready."""
    kubeconfig = lab.state.parent / "admin.conf"
    handed_out = lab.named("kubeconfig", "--out", str(kubeconfig))
    assert handed_out.status == 0, f"`kubeconfig` exited:\n{handed_out.stderr}"
    kubectl = next(Path(box.vagrant_home()).parent.glob("bundle/*/bin/kubectl"))
    argv = [str(kubectl), f"--kubeconfig={kubeconfig}", "get", "nodes", "--output=json"]
    answer = subprocess.run(
        argv, capture_output=True, text=True, timeout=KUBECTL_SECONDS, check=False
    )
    kubeconfig.unlink()
    assert answer.returncode == 0, f"kubectl exited {answer.returncode}:\n{answer.stderr}"
    found = labs.ready(json.loads(answer.stdout))
    assert found == set(labs.NAMES), f"Ready are {sorted(found)}"


def commit() -> str:
    """Name what is tried; a plus says that something of it is not committed."""

    def git(*words: str) -> str:
        argv = ["git", "-C", str(labs.ROOT), *words]
        return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()

    return git("rev-parse", "--short", "HEAD") + ("+" if git("status", "--porcelain") else "")


def main() -> int:
    """Run the cycles, print each and the figures."""
    parser = argparse.ArgumentParser(prog="tests.soak", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("cycles", nargs="?", type=int, default=20)
    parser.add_argument("--into", type=Path, default=Path("soak.jsonl"), metavar="FILE")
    parser.add_argument("--fail-fast", action="store_true", help="stop at the first bad cycle")
    asked = parser.parse_args()
    footprint.adopt_orphans()
    version, good = commit(), True
    first = 1 + (len(figures.load(asked.into, version)) if asked.into.exists() else 0)
    for number in range(first, first + asked.cycles):
        cycle = Cycle(number, version, datetime.now(tz=UTC).isoformat(timespec="seconds"))
        with tempfile.TemporaryDirectory(prefix="soak-") as folder:
            os.environ["TMPDIR"] = folder
            evidence = asked.into.with_name(f"{asked.into.stem}-{version}-{number}.tar.gz")
            run_cycle(make_lab(Path(folder), CLUSTER), cycle, evidence.absolute())
        cycle.load = os.getloadavg()[0]
        figures.append(asked.into, cycle)
        good = good and cycle.is_good
        sys.stdout.write(f"cycle {number}: {figures.line(cycle)}\n")
        sys.stdout.flush()
        if asked.fail_fast and not cycle.is_good:
            break
    cycles = figures.load(asked.into, version)
    sys.stdout.write(f"\n{figures.report(cycles)}\n")
    return 0 if good and not figures.descriptors_leak(cycles) else 1


if __name__ == "__main__":
    sys.exit(main())
