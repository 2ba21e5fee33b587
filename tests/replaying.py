"""Makes known failures happen: real parts on fakes that print the real output, or on real input."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness import known_issues
from harness.interfaces import MachineState
from harness.lab.steps import Step, Work, build
from harness.phases import diagnosis, init, join, ready
from harness.stopwatch import Stopwatch
from harness.wait import Deadline
from tests.contract.conftest import NAMES, FakeVagrant
from tests.fake_site import FakeSite, node, observed
from tests.fakes import RecordingReporter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pytest

    from harness.phases.base import Phase

    Play = Callable[["Stage"], None]

REPLAYS = Path(__file__).parent / "replays"
NOISE = "\n".join(f"I1122 11:38:{second:02} all is as usual" for second in range(30))
LIMIT = 60.0


@dataclass(frozen=True, slots=True)
class Stage:
    """Where a failure is made to happen.

    Attributes:
        folder: Empty.
        patch: Undone afterwards.
        text: What is replayed; empty for failures that need none.
    """

    folder: Path
    patch: pytest.MonkeyPatch
    text: str = ""

    def site(self) -> FakeSite:
        """Make a site on which every machine runs and waits take no time."""
        fake = FakeSite.of(self.folder, RecordingReporter(), self.patch)
        fake.provider.states = dict.fromkeys(fake.plan.names, MachineState.RUNNING)
        return fake


@dataclass(frozen=True, slots=True)
class Replay:
    """The real output of a known failure, a file of tests/replays.

    Attributes:
        origin: Where it was met: an upstream thread, or a run of our own.
        place: Where it shows, a key of `PLACES`.
        text: The output, word for word.
    """

    origin: str
    place: str
    text: str

    @classmethod
    def read(cls, file: Path) -> Replay:
        """Read a file: a line ``# from: …``, a line ``# in: …``, the output."""
        origin, place, text = file.read_text(encoding="utf-8").split("\n", 2)
        return cls(origin.removeprefix("# from: "), place.removeprefix("# in: "), text)


def told(error: BaseException, stage: Stage) -> str:
    """Return all that is told of an error, without what differs from run to run."""
    text = "\n".join(known_issues.texts(error)).replace(str(stage.folder), "/tmp")
    return re.sub(r"(SSH to|key of) 127\.0\.0\.1:\d+", r"\1 192.168.2.2:22", text)


def run(fake: FakeSite, phase: Phase) -> None:
    """Run a phase as `up` does, with its diagnosis."""
    stopwatch = Stopwatch(fake.reporter.report, lambda _: None)
    stopwatch.run(phase, fake.site(), Deadline(LIMIT))


def _build(stage: Stage) -> None:
    """Print it while a bundle is built."""
    file = stage.folder / "text"
    file.write_text(stage.text)

    def step(work: Work) -> None:
        work.run(["sh", "-c", f"cat {file} >&2; exit 1"], timeout=LIMIT)

    build([Step("binaries", step)], stage.folder / "build", label="bundle", on_event=lambda _: None)


def _vagrant(stage: Stage) -> None:
    """Print it from `vagrant up`."""
    fake = FakeVagrant(stage.folder / "vagrant", stage.patch)
    (fake.folder / "replay").write_text(stage.text)
    fake.provider("replay").up(NAMES, timeout=LIMIT, on_line=lambda _name, _line: None)


def _lxc(stage: Stage) -> None:
    """Let LXC log it of a machine that does not start, of which vagrant-lxc says no more."""
    fake = FakeVagrant(stage.folder / "vagrant", stage.patch)
    (fake.folder / "replay").write_text('There was an error executing ["sudo", "lxc-start"]\n')
    (fake.folder / "lxc").write_text(stage.text)
    fake.provider("replay").up(NAMES, timeout=LIMIT, on_line=lambda _name, _line: None)


def _journal(of: str) -> Play:
    """Print it on the manager, with much after it, before the init script fails."""

    def play(stage: Stage) -> None:
        fake = stage.site()
        unit = fake.units[fake.manager]
        unit.looks = [observed("install", "init", active="failed", result="exit-code")]
        unit.last_words = f"{diagnosis.HEAD}last lines of {of}\n{stage.text}{NOISE}\n"
        run(fake, init.PHASE)

    return play


def _waiting(stage: Stage) -> None:
    """Let workers wait for this until the time is over."""
    fake = stage.site()
    for worker in fake.plan.workers:
        fake.units[worker.name].looks = [observed("install", "join", reason=stage.text.strip())]
    run(fake, join.PHASE)


def _script(stage: Stage) -> None:
    """Let the manager's script end with this reason."""
    fake = stage.site()
    reason = f"failed: {stage.text.strip()}"
    failed = observed("install", "init", active="failed", result="exit-code", reason=reason)
    fake.units[fake.manager].looks = [failed]
    run(fake, init.PHASE)


def _pod(stage: Stage) -> None:
    """Let a pod on a node that does not become Ready have this status."""
    fake = stage.site()
    worker = fake.plan.workers[0]
    others = [node(machine) for machine in fake.plan.machines if machine is not worker]
    fake.api.items["nodes"] = [*others, node(worker, ready="")]
    fake.api.items["pods"] = [
        {
            "metadata": {"name": "nothere"},
            "spec": {"nodeName": worker.name},
            "status": json.loads(stage.text),
        }
    ]
    run(fake, ready.PHASE)


def _node(stage: Stage) -> None:
    """Let one node's condition Ready be this."""
    fake = stage.site()
    nodes = [node(machine) for machine in fake.plan.machines]
    nodes[1]["status"]["conditions"] = [json.loads(stage.text)]
    fake.api.items["nodes"] = nodes
    run(fake, ready.PHASE)


PLACES: Mapping[str, Play] = {
    "build": _build,
    "vagrant": _vagrant,
    "lxc": _lxc,
    "harness-init": _journal("harness-init"),
    "kubelet": _journal("kubelet"),
    "container": _journal("kube-system_some-pod/container"),
    "waiting": _waiting,
    "script": _script,
    "pod": _pod,
    "node": _node,
}
"""Where an output can show, and how it is printed there."""
