"""One harness at a time works on a cluster, and the others are told which."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from harness.errors import ClusterHeldError
from harness.workspace import Workspace
from tests.samples import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOLDER = """
import sys
from pathlib import Path
from harness.workspace import Workspace
with Workspace.of("lab", state=Path(sys.argv[1])).hold("up"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def lab(tmp_path: Path) -> Workspace:
    return Workspace.of("lab", state=tmp_path / "state")


@contextlib.contextmanager
def other_harness(lab: Workspace) -> Iterator[subprocess.Popen[str]]:
    """Hold the cluster in another process until the block ends."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(lab.root.parent.parent)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.stdin.close()


def test_a_second_harness_is_told_who_holds_the_cluster(lab: Workspace) -> None:
    with (
        other_harness(lab) as other,
        pytest.raises(ClusterHeldError) as caught,
        lab.hold("down"),
    ):
        pytest.fail("two at once")
    assert caught.value.exit_code == 8
    assert f"Cluster `lab` is held by `up` (process {other.pid}, since 20" in caught.value.message
    with lab.hold("down"):
        pass


def test_a_refused_harness_does_not_take_the_holders_name_away(lab: Workspace) -> None:
    with other_harness(lab) as other:
        for _ in range(2):
            with (
                pytest.raises(ClusterHeldError, match=f"process {other.pid}"),
                lab.hold("down"),
            ):
                pytest.fail("two at once")


def test_a_holder_that_died_is_nobody(lab: Workspace) -> None:
    with other_harness(lab) as other:
        other.kill()
        other.wait(timeout=30)
        record = lab.root.parent.parent / "locks" / "lab.json"
        assert json.loads(record.read_text())["pid"] == other.pid
        with lab.hold("down") as killed:
            assert json.loads(record.read_text())["pid"] == os.getpid()
            assert killed.startswith(f"`up` (process {other.pid}, since 20")
    assert not record.exists()
    with lab.hold("up") as killed:
        assert killed == ""


def test_a_holder_without_a_name_is_another_harness(lab: Workspace) -> None:
    with other_harness(lab):
        (lab.root.parent.parent / "locks" / "lab.json").unlink()
        with pytest.raises(ClusterHeldError, match="another harness"), lab.hold("down"):
            pytest.fail("two at once")


def test_other_clusters_are_not_held(lab: Workspace, tmp_path: Path) -> None:
    with lab.hold("up"), Workspace.of("other", state=tmp_path / "state").hold("up"):
        pass


def test_a_failure_gives_the_cluster_back(lab: Workspace) -> None:
    with pytest.raises(ZeroDivisionError), lab.hold("up"):
        raise ZeroDivisionError
    with lab.hold("up"):
        pass
