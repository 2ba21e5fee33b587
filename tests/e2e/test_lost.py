"""Two harnesses in the same second, with the same addresses; then one's workspace is lost."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
from typing import TYPE_CHECKING, Any

import pytest

from harness.lab import box
from tests.e2e import lab as labs
from tests.e2e.conftest import make_lab

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.lab
NAMES = set(labs.NAMES[:2])
HELD = 8


@pytest.fixture(scope="module")
def pair(
    tmp_path_factory: pytest.TempPathFactory, before: dict[str, set[str]]
) -> Iterator[tuple[labs.Lab, labs.Lab]]:
    """Two clusters that were begun at once, each of another state folder."""
    one, other = (
        make_lab(tmp_path_factory.mktemp(name), f"e2e-{name}", workers=1) for name in ("one", "two")
    )
    try:
        with contextlib.ExitStack() as stack:
            started = [
                stack.enter_context(lab.running("up", *map(str, lab.groups)))
                for lab in (one, other)
            ]
            labs.wait_for("the lock", lambda: bool(one.events()), timeout=60)
            refused = one.down()
            said = [process.communicate(timeout=labs.UP_SECONDS) for process in started]
        assert [process.returncode for process in started] == [0, 0], said
        assert refused.status == HELD, refused.stderr
        holder = f"Cluster `{one.cluster}` is held by `up` (process {started[0].pid}, since 20"
        assert holder in refused.stderr
        yield one, other
    finally:
        finished = [lab.down() for lab in (one, other)]
    assert [one.status for one in finished] == [0, 0], finished
    assert labs.new_since(before) == {}


def clusters(lab: labs.Lab) -> dict[str, dict[str, Any]]:
    answer = lab.run("status", "--all", "-o", "json")
    assert answer.status == 0, answer.stderr
    return {entry["cluster"]: entry for entry in json.loads(answer.stdout)}


def test_both_come_up_with_the_same_addresses(pair: tuple[labs.Lab, labs.Lab]) -> None:
    for lab in pair:
        assert lab.ready_nodes() == NAMES


def test_vagrants_index_holds_both(pair: tuple[labs.Lab, labs.Lab]) -> None:
    text = (box.vagrant_home() / "data" / "machine-index" / "index").read_text()
    machines = json.loads(text)["machines"].values()
    for lab in pair:
        folder = str(lab.workspace / "vagrant")
        found = {entry["name"] for entry in machines if entry["vagrantfile_path"] == folder}
        assert found == NAMES


def test_a_name_that_another_state_folder_has_is_refused(
    pair: tuple[labs.Lab, labs.Lab], tmp_path: Path
) -> None:
    rival = make_lab(tmp_path, pair[1].cluster, workers=1)
    refused = rival.up()
    assert refused.status == HELD, refused.stderr
    assert f"for {pair[1].workspace}." in refused.stderr
    assert not rival.workspace.exists()
    assert pair[1].ready_nodes() == NAMES


def test_a_lost_cluster_is_told_and_removed_and_no_other_is(
    pair: tuple[labs.Lab, labs.Lab],
) -> None:
    lost, other = pair
    assert clusters(lost)[lost.cluster]["owner"] == "own"
    machines = {f"machine harness-{lost.cluster}-{name}" for name in NAMES}
    shutil.rmtree(lost.workspace)
    labs.seen()  # somebody lists machines, which makes the folder of LXC's log again
    assert lost.workspace.exists()
    found = clusters(lost)
    assert found[lost.cluster]["owner"] == "lost"
    assert found[lost.cluster]["workspace"] == str(lost.workspace)
    assert set(found[lost.cluster]["remains"]) == {*machines, f"namespace harness-{lost.cluster}"}
    assert found[other.cluster]["owner"] == "other"
    assert found[other.cluster]["workspace"] == str(other.workspace)
    removed = lost.run("down", "--all")
    assert removed.status == 0, removed.stderr
    assert f"Cluster `{lost.cluster}` is gone." in removed.stderr
    left = clusters(lost)
    assert lost.cluster not in left
    assert left[other.cluster] == found[other.cluster]
    assert other.ready_nodes() == NAMES


def test_a_holder_that_was_killed_is_told_and_what_it_left_is_removed(
    pair: tuple[labs.Lab, labs.Lab],
) -> None:
    lab = pair[1]
    already = len(lab.events())
    with lab.start("down", "--name", lab.cluster) as process:
        labs.wait_for("the removal", lambda: len(lab.events()) > already, timeout=30)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=30)
    assert process.returncode == -signal.SIGKILL
    finished = lab.down()
    assert finished.status == 0, finished.stderr
    assert f"Going on where `down` (process {process.pid}, since 20" in finished.stderr
