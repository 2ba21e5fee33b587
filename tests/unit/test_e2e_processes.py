"""Whose a process on this host is, as the tests on real machines tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e import lab as labs

if TYPE_CHECKING:
    from pathlib import Path

MACHINE = "0::/lxc.payload.harness-e2e-gw1-ip-192.168.2.3/system.slice/ssh.service\n"


def make_process(
    proc: Path, command: str, *, cwd: str = "/", environment: str = "", cgroup: str = "0::/\n"
) -> None:
    entry = proc / "7"
    entry.mkdir()
    (entry / "cmdline").write_text(command.replace(" ", "\0"))
    (entry / "environ").write_text(environment)
    (entry / "cgroup").write_text(cgroup)
    (entry / "cwd").symlink_to(cwd)


@pytest.fixture(autouse=True)
def one_worker_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labs, "WORKER", "gw0")


@pytest.mark.parametrize(
    ("command", "where"),
    [
        ("lxc-start --name harness-e2e-gw1-ip-192.168.2.3", {}),
        ("vagrant up", {"cwd": "/tmp/gw1/state"}),
        ("vagrant up", {"environment": "HARNESS_STATE_DIR=/tmp/gw1/state"}),
        ("sshd: vagrant [priv]", {"cgroup": MACHINE}),
    ],
    ids=["argv", "cwd", "environment", "cgroup"],
)
def test_another_workers_process_is_told_by_any_of_its_marks(
    tmp_path: Path, command: str, where: dict[str, str]
) -> None:
    make_process(tmp_path, command, **where)
    assert labs.processes(tmp_path) == []


def test_our_own_process_and_one_that_names_nobody_are_found(tmp_path: Path) -> None:
    for number, cgroup in enumerate([MACHINE.replace("gw1", "gw0"), "0::/\n"]):
        folder = tmp_path / str(number)
        folder.mkdir()
        make_process(folder, "sshd: vagrant [priv]", cgroup=cgroup)
        assert labs.processes(folder) == ["7 sshd: vagrant [priv]"]


def test_a_process_that_no_lab_starts_is_not_looked_at(tmp_path: Path) -> None:
    make_process(tmp_path, "sleep 60")
    assert labs.processes(tmp_path) == []
