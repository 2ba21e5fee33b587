from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from harness import host_facts
from harness.host_facts import Space
from harness.workspace import Workspace
from tests.fake_cluster import GOOD_HOST
from tests.samples import WALKTHROUGH

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.unit.conftest import Ran


def flavor(group: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = group["Properties"]["Properties"]["Flavor"]["Properties"]
    return found


def allocation(group: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = group["Properties"]["Properties"]["Allocation"]
    return found


def missing_template(_manager: dict[str, Any], worker: dict[str, Any], _folder: Path) -> None:
    flavor(worker)["InitScriptTemplateURL"] = "nowhere.sh"


def unknown_key(_manager: dict[str, Any], worker: dict[str, Any], _folder: Path) -> None:
    flavor(worker)["KubeJoinPi"] = "192.168.2.200"


def one_address_twice(_manager: dict[str, Any], worker: dict[str, Any], _folder: Path) -> None:
    del allocation(worker)["Size"]
    allocation(worker)["LogicalIDs"] = ["192.168.2.7", "192.168.2.7"]


def address_outside(_manager: dict[str, Any], worker: dict[str, Any], _folder: Path) -> None:
    del allocation(worker)["Size"]
    allocation(worker)["LogicalIDs"] = ["10.1.1.1"]


def undefined_name(_manager: dict[str, Any], worker: dict[str, Any], folder: Path) -> None:
    (folder / "own.sh").write_text("#!/bin/sh\necho {{ NO_SUCH_NAME }}\n")
    flavor(worker)["InitScriptTemplateURL"] = "own.sh"


@dataclass(frozen=True)
class Bad:
    """One thing that is wrong, and what must be said of it: file, place and words."""

    spoil: Callable[[dict[str, Any], dict[str, Any], Path], None]
    file: str
    place: str
    words: str


BAD = [
    Bad(missing_template, "worker.json", "InitScriptTemplateURL", "nowhere.sh"),
    Bad(unknown_key, "worker.json", "KubeJoinPi", "did you mean"),
    Bad(one_address_twice, "worker.json", "LogicalIDs", "192.168.2.7"),
    Bad(address_outside, "worker.json", "LogicalIDs", "10.1.1.1"),
    Bad(undefined_name, "own.sh", "line 2", "NO_SUCH_NAME"),
]


@pytest.fixture
def groups(tmp_path: Path) -> Callable[[Callable[..., None]], list[str]]:
    """Write the walkthrough's groups with something wrong in them."""

    def write(spoil: Callable[..., None]) -> list[str]:
        manager, worker = (json.loads(path.read_text()) for path in WALKTHROUGH)
        for group in (manager, worker):
            flavor(group).pop("InitScriptTemplateURL")
        spoil(manager, worker, tmp_path)
        files = {"manager.json": manager, "worker.json": worker}
        for name, group in files.items():
            (tmp_path / name).write_text(json.dumps(group))
        return [str(tmp_path / name) for name in files]

    return write


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.spoil.__name__)
def test_up_refuses_bad_input_with_its_place_and_a_hint_and_creates_nothing(
    bad: Bad, groups: Callable[..., list[str]], run: Callable[..., Ran], state: Path
) -> None:
    ran = run("up", *groups(bad.spoil), "--provider", "lxc")
    assert (ran.code, ran.out) == (3, "")
    head, problem, hint = ran.err.splitlines()
    assert head == "error: 1 problem in the groups or templates:"
    assert bad.file in problem
    assert bad.place in problem
    assert bad.words in problem
    assert hint.startswith("hint: Nothing was created.")
    assert not state.exists()


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.spoil.__name__)
def test_validate_prints_problems_for_programs_and_exits_3(
    bad: Bad, groups: Callable[..., list[str]], run: Callable[..., Ran], state: Path
) -> None:
    ran = run("validate", *groups(bad.spoil), "-o", "json")
    said = json.loads(ran.out)
    assert (ran.code, ran.err, said["valid"]) == (3, "", False)
    (problem,) = said["problems"]
    assert set(problem) == {"file", "path", "message"}
    assert problem["file"].endswith(bad.file)
    assert bad.place in problem["path"] + problem["message"]
    assert bad.words in problem["message"]
    assert not state.exists()


def test_validate_of_good_groups_says_so(run: Callable[..., Ran]) -> None:
    files = [str(path) for path in WALKTHROUGH]
    assert run("validate", *files).out == f"Valid: {', '.join(files)}\n"
    assert json.loads(run("validate", "-o", "json").out) == {"valid": True, "problems": []}


def test_a_file_that_is_not_there_is_named(run: Callable[..., Ran], tmp_path: Path) -> None:
    ran = run("plan", str(tmp_path / "none.json"))
    assert ran.code == 3
    assert "none.json: $: there is no such file" in ran.err


@pytest.mark.parametrize(
    ("lack", "message", "hint"),
    [
        ({"vagrant": ""}, "Vagrant is not installed", "apt-get install vagrant"),
        ({"state": Space("/small", 10)}, "Only 0.0 GiB are free at /small", "Free some space"),
        ({"bundle": "none"}, "The lab's supplies cannot be used", "harness bundle build"),
    ],
)
def test_a_host_that_cannot_is_refused_before_anything_is_made(
    lack: dict[str, Any],
    message: str,
    hint: str,
    run: Callable[..., Ran],
    state: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(host_facts, "collect", lambda: replace(GOOD_HOST, **lack))
    ran = run("up", "--provider", "lxc")
    assert (ran.code, ran.out) == (4, "")
    assert f"error: {message}" in ran.err
    assert hint in ran.err.rpartition("hint: ")[2]
    assert not state.exists()


def test_without_root_and_without_sudo_nothing_begins(
    run: Callable[..., Ran], state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sudo").write_text("#!/bin/sh\necho 'a password is required' >&2\nexit 1\n")
    (tmp_path / "sudo").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    ran = run("up", "--provider", "lxc")
    assert ran.code == 4
    assert "error: This is not root, and `sudo` without a password does not work" in ran.err
    assert "hint: Run it as root" in ran.err
    assert not state.exists()


def test_a_token_file_of_the_wrong_size_is_told_and_kept(
    run: Callable[..., Ran], state: Path
) -> None:
    token = Workspace.of("walkthrough", state=state).secrets_dir / "token"
    token.parent.mkdir(parents=True)
    token.write_text("abc.def\n")
    ran = run("up", "--provider", "lxc")
    assert ran.code == 3
    assert str(token) in ran.err
    assert "hint: " in ran.err
    assert token.read_text() == "abc.def\n"
    assert not Workspace.of("walkthrough", state=state).exists
