"""A run of fakes: a cluster whose phases do nothing but say that they ran."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from harness import orchestrator
from harness.phases.base import Phase
from tests.fake_site import FakeSite, good_nodes
from tests.fakes import RecordingReporter

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from harness.cluster import Cluster
    from harness.events import Event
    from harness.orchestrator import Outcome
    from harness.phases.base import Site
    from harness.wait import Deadline
    from tests.fake_cluster import FakeWorld

LONG = 600.0


@dataclass
class Bench:
    """A cluster of fakes with phases of ours.

    Attributes:
        fake: Plan, provider, API server.
        ran: (phase, its limit) in order.
        faults: Phase → what it raises.
        seen: What was on disk when the first phase began.
    """

    fake: FakeSite
    ran: list[tuple[str, float]] = field(default_factory=list)
    faults: dict[str, BaseException] = field(default_factory=dict)
    seen: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, state: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
        """Make the walkthrough's cluster, all of whose nodes are Ready once they are asked."""
        made = cls(FakeSite.of(state, RecordingReporter(), monkeypatch))
        made.fake.api.items["nodes"] = good_nodes(made.fake.plan)
        return made

    @property
    def world(self) -> FakeWorld:
        return self.fake.world

    @property
    def cluster(self) -> Cluster:
        return replace(self.world.cluster, network=self.fake.network, api=self.fake.api)

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.ran]

    @property
    def events(self) -> list[Event]:
        return self.fake.reporter.events

    @property
    def timings(self) -> list[dict[str, Any]]:
        text = (self.world.workspace.root / "timings.json").read_text()
        found: list[dict[str, Any]] = json.loads(text)
        return found

    def phase(self, name: str, limit: float = LONG) -> Phase:
        def run(site: Site, deadline: Deadline) -> str:
            self._look()
            self.ran.append((name, deadline.remaining))
            assert site.plan == self.world.plan
            if name in self.faults:
                raise self.faults[name]
            return f"note of {name}"

        return Phase(name, limit, run, diagnose=lambda _: f"what is known of {name}")

    def _look(self) -> None:
        workspace = self.world.workspace
        if not self.ran:
            files = [path for path in workspace.root.rglob("*") if path.is_file()]
            self.seen = {path.name: path.stat().st_mode & 0o777 for path in files}

    def up(self, cluster: Cluster | None = None, *, timeout: float = 1800) -> Outcome:
        phases = [self.phase("preflight", 30), self.phase("machines"), self.phase("init")]
        return orchestrator.up(
            cluster or self.cluster, self.fake.reporter, timeout=timeout, phases=phases
        )
