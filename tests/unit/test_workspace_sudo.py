"""Files that were made as root are the caller's, and nobody else's are touched."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from harness.workspace import Workspace
from tests.samples import cluster_plan

if TYPE_CHECKING:
    from pathlib import Path

CALLER = {"SUDO_UID": "1000", "SUDO_GID": "1001"}


@dataclass
class Root:
    """What root gives away.

    Attributes:
        given: Path → to whom.
        gone: What another harness removes just before it is given away.
    """

    given: dict[Path, tuple[int, int]] = field(default_factory=dict)
    gone: Path | None = None

    def chown(self, path: Path, uid: int, gid: int, *, follow_symlinks: bool) -> None:
        assert not follow_symlinks  # a link must not hand out what it points to
        if path == self.gone:
            path.unlink()
        path.lstat()
        self.given[path] = (uid, gid)


@pytest.fixture
def root(monkeypatch: pytest.MonkeyPatch) -> Root:
    made = Root()
    monkeypatch.setattr(os, "chown", made.chown)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    for name, number in CALLER.items():
        monkeypatch.setenv(name, number)
    return made


@pytest.fixture
def lab(tmp_path: Path) -> Workspace:
    made = Workspace.of("lab", state=tmp_path)
    made.save_plan(cluster_plan(), vagrantfile="", content_hash="")
    return made


def test_files_are_given_to_the_user_who_called_sudo(
    lab: Workspace, root: Root, tmp_path: Path
) -> None:
    with lab.hold("up"):
        lab.give_to_caller()
    locks = tmp_path / "locks"
    own = {lab.root, lab.vagrant_dir / "Vagrantfile", locks / "lab.lock", locks / "lab.json"}
    assert {tmp_path, tmp_path / "clusters", locks, *own} <= root.given.keys()
    assert set(root.given.values()) == {(1000, 1001)}


def test_without_sudo_nothing_is_given_away(
    lab: Workspace, root: Root, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SUDO_UID")
    lab.give_to_caller()
    assert root.given == {}


def test_files_of_other_clusters_are_left_to_whoever_works_on_them(
    lab: Workspace, root: Root, tmp_path: Path
) -> None:
    other = Workspace.of("other", state=tmp_path)
    other.logs_dir.mkdir(parents=True)
    with lab.hold("up"), other.hold("up"):
        lab.give_to_caller()
    assert not [path for path in root.given if "other" in path.relative_to(tmp_path).as_posix()]


def test_what_another_harness_removes_meanwhile_is_passed_over(lab: Workspace, root: Root) -> None:
    root.gone = lab.vagrant_dir / "Vagrantfile"
    lab.give_to_caller()
    assert root.gone not in root.given
    assert {lab.vagrant_dir, lab.logs_dir} <= root.given.keys()
