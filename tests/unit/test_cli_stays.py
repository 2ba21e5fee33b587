"""`down` where something stays: it is named, with how to remove it, and keeps nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness import mounts, orchestrator
from harness.errors import ProviderError
from harness.workspace import Workspace
from tests.fake_host import PROGRAMS
from tests.unit.conftest import GONE, MACHINE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from harness.cluster import Cluster
    from harness.interfaces import Reporter
    from tests.fake_cluster import FakeWorld
    from tests.fake_host import Host
    from tests.unit.conftest import Ran

VIRTUAL = "harness-v-ip-10.0.0.2"


def test_a_lost_cluster_that_stays_is_an_error_and_does_not_keep_the_next(
    lost: Host, run: Callable[..., Ran]
) -> None:
    lost.machines("harness-b-ip-192.168.2.2", workspace=GONE.with_name("b"))
    lost.program("nsenter", "exit 1")
    ran = run("down", "--all")
    assert ran.code == 4
    assert f"error: Still there: machine {MACHINE}, namespace harness-a." in ran.err
    assert f"lxc-destroy --force --name {MACHINE}`; `ip netns delete harness-a`" in ran.err
    assert "Cluster `b` is gone." in ran.err
    assert lost.left == [MACHINE]


def test_a_virtual_machine_that_stays_is_told_with_how_to_remove_it(
    host: Host, run: Callable[..., Ran]
) -> None:
    host.domain(VIRTUAL, "Source: /gone/clusters/v/vagrant/Vagrantfile")
    remove = 'destroy) echo "no right" >&2; exit 1;; undefine) echo "is running" >&2; exit 1;;'
    host.program("virsh", PROGRAMS["virsh"].replace("undefine) rm", f"{remove} none) rm"))
    ran = run("down", "--name", "v")
    assert ran.code == 4
    assert f"error: Still there: virtual machine {VIRTUAL}." in ran.err
    assert "no right" in ran.err
    assert "is running" in ran.err
    assert f"`virsh --connect qemu:///system undefine {VIRTUAL} --remove-all-storage" in ran.err


def test_machines_that_vagrant_alone_knows_are_not_forgotten(
    host: Host, run: Callable[..., Ran]
) -> None:
    root = host.workspace("state", "a")
    made = root / "vagrant/.vagrant/machines/ip-10.0.0.2/virtualbox/id"
    made.parent.mkdir(parents=True)
    made.touch()
    ran = run("down", "--name", "a")
    assert ran.code == 4
    assert "error: Still there: VirtualBox's machines ip-10.0.0.2." in ran.err
    assert f"`cd {root}/vagrant && vagrant destroy --force`" in ran.err
    assert made.exists()


def test_what_stays_of_a_lost_cluster_does_not_keep_its_other_machines(
    lost: Host, run: Callable[..., Ran]
) -> None:
    stays, goes = "harness-a-ip-10.0.0.2", "harness-a-ip-10.0.0.3"
    for name in (stays, goes):
        lost.domain(name, f"Source: {GONE}/vagrant/Vagrantfile")
    lost.program("nsenter", "exit 1")
    fails = f'*undefine*{stays}*) exit 1;; esac; case "$3" in'
    lost.program("virsh", f'case "$*" in {fails} {PROGRAMS["virsh"].partition("in")[2]}')
    ran = run("down", "--name", "a")
    assert ran.code == 4
    assert f"error: Still there: machine {MACHINE}, namespace harness-a." in ran.err
    assert f"error: Still there: virtual machine {stays}." in ran.err
    assert [path.name for path in (lost.root / "domains").iterdir()] == [stays]


def test_a_workspace_that_stays_is_told_with_how_to_remove_it(
    host: Host, run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    logs = Workspace.of("a").logs_dir
    logs.mkdir(parents=True)
    host.write("mountinfo", f"30 21 0:25 / {logs} rw - tmpfs none rw\n")
    monkeypatch.setattr(mounts, "TABLE", host.root / "mountinfo")
    ran = run("down", "--all")
    assert ran.code == 4
    assert f"error: Still there: {logs.parent}, in which something is mounted." in ran.err
    assert f"`umount {logs}`" in ran.err
    host.write("mountinfo", "")
    assert run("down", "--all").err == "Cluster `a` is gone.\n"


@pytest.mark.parametrize(
    ("error", "code"), [(ProviderError("Vagrant still has it"), 5), (KeyError("a bug"), 1)]
)
@pytest.mark.usefixtures("host")
def test_down_all_goes_on_past_a_cluster_that_stays(
    error: Exception,
    code: int,
    run: Callable[..., Ran],
    state: Path,
    monkeypatch: pytest.MonkeyPatch,
    world: FakeWorld,
) -> None:
    def down(_cluster: Cluster, _reporter: Reporter) -> None:
        raise error

    world.record()
    (state / "clusters" / "without-a-plan").mkdir()
    monkeypatch.setattr(orchestrator, "down", down)
    ran = run("down", "--all")
    assert ran.code == code
    assert "Cluster `without-a-plan` is gone." in ran.err
    assert world.workspace.exists
