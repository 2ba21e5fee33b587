"""Fixtures of the command line's tests: a state of their own, a fake cluster, a run."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness import host_facts, process
from harness.cli import parts
from harness.cli.app import main
from tests.fake_cluster import GOOD_HOST, FakeWorld
from tests.fake_host import Host, look_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

STAND_INS = Path(__file__).parents[1] / "bin"
# What `lost` has.
GONE = Path("/gone/clusters/a")
MACHINE = "harness-a-ip-192.168.2.2"


@dataclass(frozen=True)
class Ran:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str


@pytest.fixture(autouse=True)
def no_clusters_of_this_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep every test from finding, and from removing, what is really here."""
    look_at(Path("/nonexistent"), monkeypatch)


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the harness a state and a cache of its own, and a host that can do everything."""
    folder = tmp_path / "state"
    monkeypatch.setenv("HARNESS_STATE_DIR", str(folder))
    monkeypatch.setenv("HARNESS_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.delenv("SUDO_UID", raising=False)
    monkeypatch.setenv("PATH", f"{STAND_INS}:{os.environ['PATH']}")
    monkeypatch.setattr(host_facts, "collect", lambda: GOOD_HOST)
    return folder


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    """Give the lab a host of fakes."""
    return Host.of(tmp_path, monkeypatch)


@pytest.fixture
def lost(state: Path, host: Host) -> Host:
    """A host on which cluster `a` has a machine and no workspace any more."""
    del state
    host.namespace("a", GONE)
    host.machines(MACHINE, workspace=GONE)
    return host


@pytest.fixture
def world(state: Path, monkeypatch: pytest.MonkeyPatch) -> FakeWorld:
    """Let every command find a cluster of fakes."""
    made = FakeWorld.of(state)
    monkeypatch.setattr(parts, "planned", lambda _resolved: made.cluster)
    monkeypatch.setattr(parts, "recorded", lambda _name: made.cluster)
    return made


@pytest.fixture
def run(state: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[..., Ran]]:
    """Run a command in this process."""
    del state

    def command(*words: str) -> Ran:
        code = main(words)
        said = capsys.readouterr()
        return Ran(code, said.out, said.err)

    yield command
    process.resume()
