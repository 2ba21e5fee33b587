"""A name belongs to the workspace for which it was first used, as long as that is there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import filelock
import pytest

from harness import process
from harness.errors import ClusterHeldError, HostError, InterruptedRunError
from harness.lab import locks, network
from harness.lab.network import LabNetwork

if TYPE_CHECKING:
    from tests.fake_host import Host

OWN = Path("/nowhere/clusters/a")


@pytest.fixture
def lab(host: Host) -> LabNetwork:
    del host
    return LabNetwork("a", "192.168.2.1/24", OWN)


def test_what_is_made_says_for_which_workspace(host: Host, lab: LabNetwork) -> None:
    lab.create()
    assert f"ip -netns harness-a link set harness0 alias {OWN}" in host.calls


def test_a_name_that_another_workspace_has_is_refused_and_nothing_is_touched(
    host: Host, lab: LabNetwork
) -> None:
    other = host.workspace("other", "a")
    host.namespace("a", other)
    host.machines("harness-a-ip-192.168.2.2", workspace=other)
    with pytest.raises(ClusterHeldError, match=f"on this host already, for {other}") as caught:
        lab.create()
    command = f"HARNESS_STATE_DIR={host.root}/other harness down --name a"
    assert f"`{command}`" in caught.value.hint
    assert lab.leftovers() == []
    lab.discard(["ip-192.168.2.2"])
    lab.remove()
    assert host.left == ["harness-a-ip-192.168.2.2"]
    assert host.calls == []


@pytest.mark.parametrize("tagged", ["machine", "namespace"])
def test_one_tag_of_another_workspace_is_enough(host: Host, lab: LabNetwork, tagged: str) -> None:
    other = host.workspace("other", "a")
    host.namespace("a", other if tagged == "namespace" else None)
    host.machines("harness-a-ip-192.168.2.2", workspace=other if tagged == "machine" else None)
    assert lab.leftovers() == []


def test_a_name_whose_workspace_is_gone_can_be_taken(host: Host, lab: LabNetwork) -> None:
    host.namespace("a", Path("/gone/clusters/a"))
    host.machines("harness-a-ip-192.168.2.2", workspace=Path("/gone/clusters/a"))
    lab.create()
    assert f"ip -netns harness-a link set harness0 alias {OWN}" in host.calls
    lab.discard(["ip-192.168.2.2"])
    assert host.left == []


def test_a_workspace_is_the_same_by_whatever_path(host: Host) -> None:
    own = host.workspace("state", "a")
    (host.root / "link").symlink_to(host.root / "state")
    host.namespace("a", host.root / "link" / "clusters" / "a")
    assert LabNetwork("a", "192.168.2.1/24", own).leftovers() == ["namespace harness-a"]


def test_a_workspace_that_nobody_may_look_into_is_there(
    host: Host, lab: LabNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_path: Path) -> bool:
        raise PermissionError(13, "Permission denied")

    host.namespace("a", Path("/home/somebody/clusters/a"))
    monkeypatch.setattr(Path, "is_file", refuse)
    assert lab.leftovers() == []


def test_whoever_waits_for_another_harness_can_be_interrupted(
    host: Host, lab: LabNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    del host
    monkeypatch.setattr(process.STOPPING, "is_set", lambda: True)
    with filelock.FileLock(network.LOCK), pytest.raises(InterruptedRunError):
        lab.create()


def test_a_harness_that_hangs_while_it_claims_a_name_is_named(
    host: Host, lab: LabNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "LOCK_SECONDS", 0.01)
    with (
        filelock.FileLock(network.LOCK),
        pytest.raises(HostError, match=f"has held {host.root}/lock for 0.01 s"),
    ):
        lab.create()
    assert host.calls == []
