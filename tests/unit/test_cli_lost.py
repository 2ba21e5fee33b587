"""`down` and `status --all` where workspaces and what is on the host do not fit together."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from harness import orchestrator
from harness.cli import clusters, privilege
from harness.errors import HostError
from harness.workspace import Workspace
from tests.unit.conftest import GONE, MACHINE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.fake_cluster import FakeWorld
    from tests.fake_host import Host
    from tests.unit.conftest import Ran


@pytest.mark.parametrize("words", [("--all",), ("--name", "a")])
def test_a_lost_cluster_is_removed(
    lost: Host, run: Callable[..., Ran], words: tuple[str, ...]
) -> None:
    ran = run("down", *words)
    assert (ran.code, ran.err) == (0, "Cluster `a` is gone.\n")
    assert lost.left == []
    assert not (lost.namespaces / "harness-a").exists()
    assert not Workspace.of("a").root.exists()
    assert run("down", *words).err == "There is nothing to remove.\n"


def test_what_is_another_state_folders_is_left_alone(host: Host, run: Callable[..., Ran]) -> None:
    other = host.workspace("other", "a")
    host.namespace("a", other)
    host.machines(MACHINE, workspace=other)
    assert run("down", "--all").err == "There is nothing to remove.\n"
    ran = run("down", "--name", "a")
    assert ran.code == 2
    assert f"Cluster `a` is of another state folder: {other}." in ran.err
    assert f"HARNESS_STATE_DIR={host.root}/other harness down --name a" in ran.err
    assert host.left == [MACHINE]
    assert host.calls == []


def test_what_nobody_claims_is_told_and_removed_by_its_name_alone(
    host: Host, run: Callable[..., Ran]
) -> None:
    host.machines(MACHINE)
    ran = run("down", "--all")
    assert ran.code == 0
    assert "warning: nothing says whose `a` is; it stays." in ran.err
    assert "`harness down --name a` removes it." in ran.err
    assert host.left == [MACHINE]
    assert run("down", "--name", "a").code == 0
    assert host.left == []


VIRTUAL = "harness-v-ip-10.0.0.2"


def test_a_lost_virtual_machine_is_removed(host: Host, run: Callable[..., Ran]) -> None:
    host.domain(VIRTUAL, "Source: /gone/clusters/v/vagrant/Vagrantfile")
    (shown,) = json.loads(run("status", "--all", "-o", "json").out)
    assert shown["remains"] == [f"virtual machine {VIRTUAL}"]
    assert run("status", "--all").out.split()[-4:] == ["v", "lost", "1", "/gone/clusters/v"]
    ran = run("down", "--all")
    assert (ran.code, ran.err) == (0, "Cluster `v` is gone.\n")
    virsh, options = "virsh --connect qemu:///system", "--nvram --snapshots-metadata"
    assert host.calls == [
        f"{virsh} destroy {VIRTUAL}",
        f"{virsh} undefine {VIRTUAL} --remove-all-storage {options}",
    ]
    assert json.loads(run("status", "--all", "-o", "json").out) == []


def test_a_libvirt_that_does_not_answer_does_not_keep_the_labs_clusters(
    lost: Host, run: Callable[..., Ran]
) -> None:
    lost.domain(VIRTUAL, "")
    lost.program("virsh", "echo no connection >&2; exit 1")
    ran = run("down", "--all")
    assert ran.code == 0
    assert "warning: libvirt's machines are not known:" in ran.err
    assert "no connection" in ran.err
    assert lost.left == []


def test_what_was_stopped_before_it_was_planned_can_be_removed(
    host: Host, run: Callable[..., Ran]
) -> None:
    workspace = Workspace.of("a")
    workspace.secrets()
    del host
    assert run("down", "--name", "a").code == 0
    assert not workspace.root.exists()


@pytest.mark.parametrize("words", [("--all",), ("--name", "a")])
@pytest.mark.parametrize("text", ["{", "{}"])
def test_a_cluster_whose_plan_nobody_can_read_is_removed_by_its_name(
    host: Host, run: Callable[..., Ran], words: tuple[str, ...], text: str
) -> None:
    """It may be one of an earlier harness."""
    root = host.workspace("state", "a")
    (root / "plan.json").write_text(text)
    host.namespace("a", root)
    host.machines(MACHINE, workspace=root)
    host.domain("harness-a-ip-10.0.0.2", f"Source: {root}/vagrant/Vagrantfile")
    Workspace.of("a").note_kubeconfig(host.root / "kubeconfig")
    host.write("kubeconfig", "users: [{name: harness-a}, {name: harness-b}]\n")
    ran = run("down", *words)
    assert ran.code == 0
    assert f"warning: {root}/plan.json cannot be read: " in ran.err
    assert "Cluster `a` is gone." in ran.err
    assert host.left == []
    assert list((host.root / "domains").iterdir()) == []
    assert "users:\n- name: harness-b\n" in host.read("kubeconfig")
    assert not root.exists()


@pytest.mark.parametrize("command", ["status", "logs", "nodes"])
def test_a_plan_that_nobody_can_read_is_no_bug(
    host: Host, run: Callable[..., Ran], command: str
) -> None:
    root = host.workspace("state", "a")
    ran = run(command, "--name", "a")
    assert ran.code == 4
    assert f"error: {root}/plan.json cannot be read: " in ran.err
    assert "hint: `harness down --name a` removes the cluster all the same." in ran.err


def test_status_all_shows_every_cluster_and_whose_it_is(
    lost: Host, run: Callable[..., Ran]
) -> None:
    own, other = lost.workspace("state", "b"), lost.workspace("other", "c")
    lost.namespace("c", other)
    lost.machines("harness-d-ip-192.168.2.2")
    traces = [f"machine {MACHINE}", "namespace harness-a"]
    assert json.loads(run("status", "--all", "-o", "json").out) == [
        {"cluster": "a", "owner": "lost", "workspace": str(GONE), "remains": traces},
        {"cluster": "b", "owner": "own", "workspace": str(own), "remains": []},
        {
            "cluster": "c",
            "owner": "other",
            "workspace": str(other),
            "remains": ["namespace harness-c"],
        },
        {
            "cluster": "d",
            "owner": "unknown",
            "workspace": "",
            "remains": ["machine harness-d-ip-192.168.2.2"],
        },
    ]
    rows = [line.split() for line in run("status", "--all").out.splitlines()]
    assert rows == [
        ["CLUSTER", "OWNER", "MACHINES", "WORKSPACE"],
        ["a", "lost", "1", str(GONE)],
        ["b", "own", "0", str(own)],
        ["c", "other", "0", str(other)],
        ["d", "unknown", "1", "?"],
    ]
    assert lost.calls == []


def test_status_all_of_an_empty_host_is_an_empty_table(host: Host, run: Callable[..., Ran]) -> None:
    del host
    assert json.loads(run("status", "--all", "-o", "json").out) == []
    assert run("status", "--all").out.split() == ["CLUSTER", "OWNER", "MACHINES", "WORKSPACE"]


@pytest.mark.usefixtures("lost")
def test_what_only_root_can_see_is_asked_for_with_root(
    run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(purpose: str) -> None:
        raise HostError(f"This is not root; {purpose} need root.")

    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(privilege, "become_root", refuse)
    for words in (("status", "--all"), ("down", "--all"), ("down", "--name", "a")):
        ran = run(*words)
        assert ran.code == 4
        assert "machines and namespaces of all clusters need root." in ran.err


@pytest.mark.parametrize("command", ["up", "down"])
def test_a_holder_that_was_killed_is_told(
    run: Callable[..., Ran],
    world: FakeWorld,
    state: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
) -> None:
    world.record()
    record = {"command": "up", "pid": 4711, "since": "2026-11-22T11:00:00+00:00"}
    (state / "locks").mkdir()
    (state / "locks" / "walkthrough.json").write_text(json.dumps(record))
    monkeypatch.setattr(clusters, "_print_outcome", lambda _outcome, _output: None)
    monkeypatch.setattr(orchestrator, "up", lambda *_words, **_more: None)
    words = (command, "--provider", "lxc") if command == "up" else (command,)
    ran = run(*words)
    assert ran.code == 0
    killed = "Going on where `up` (process 4711, since 2026-11-22T11:00:00+00:00) was killed."
    assert killed in ran.err
    assert killed not in run(*words).err
