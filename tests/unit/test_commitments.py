"""The record of what was committed: kept as written, read again, changed by `scale` alone."""

from __future__ import annotations

import json
import stat
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from harness import commitments, groups
from harness.errors import InvalidInputError, UsageError
from harness.workspace import Workspace
from tests.samples import WALKTHROUGH

if TYPE_CHECKING:
    from pathlib import Path

    from harness.commitments import Commitment


@pytest.fixture
def committed() -> tuple[Commitment, ...]:
    return commitments.of(groups.load(WALKTHROUGH))


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.of("walkthrough", state=tmp_path)


def test_what_is_committed_is_what_was_written(committed: tuple[Commitment, ...]) -> None:
    written: list[dict[str, Any]] = [json.loads(path.read_text()) for path in WALKTHROUGH]
    assert [one.document for one in committed] == written
    assert [one.group for one in committed] == [one["Properties"] for one in written]
    assert [one.id for one in committed] == ["kubernetes-managers", "kubernetes-workers"]


def test_it_is_kept_for_its_owner_alone(
    committed: tuple[Commitment, ...], workspace: Workspace
) -> None:
    commitments.save(workspace, committed)
    assert commitments.load(workspace) == committed
    (file,) = workspace.root.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_nothing_is_committed_where_nothing_was_begun(workspace: Workspace) -> None:
    assert commitments.load(workspace) == ()


def test_it_is_read_as_its_files_were(committed: tuple[Commitment, ...]) -> None:
    again = commitments.specs(committed)
    assert again == groups.load(WALKTHROUGH)
    assert commitments.specs(()) == ()


def test_what_is_no_longer_valid_names_its_file(
    committed: tuple[Commitment, ...], tmp_path: Path
) -> None:
    moved = [replace(one, folder=tmp_path) for one in committed]
    with pytest.raises(InvalidInputError) as caught:
        commitments.specs(moved)
    assert [problem.file for problem in caught.value.problems] == list(map(str, WALKTHROUGH))


def test_a_group_takes_the_place_of_the_one_with_its_id(committed: tuple[Commitment, ...]) -> None:
    managers, workers = committed
    other = replace(workers, watched=False)
    assert commitments.merged((managers, workers), (other,)) == (managers, other)
    assert commitments.merged((managers,), (workers,)) == (managers, workers)


def test_a_group_is_scaled_and_the_one_before_stays(committed: tuple[Commitment, ...]) -> None:
    workers = committed[1]
    assert workers.scaled(7).group["Properties"]["Allocation"] == {"Size": 7}
    assert workers.group["Properties"]["Allocation"] == {"Size": 3}


def test_upstreams_words_for_what_cannot_be_scaled(committed: tuple[Commitment, ...]) -> None:
    managers, workers = committed
    with pytest.raises(UsageError, match="size cannot be negative"):
        workers.scaled(-1)
    with pytest.raises(UsageError, match="cannot set size if logic ids are explicitly set"):
        managers.scaled(2)


def test_only_what_is_watched_is_found(committed: tuple[Commitment, ...]) -> None:
    managers, workers = committed
    assert commitments.find(committed, "kubernetes-workers") == workers
    for known, group in (
        (committed, "other"),
        ((managers, replace(workers, watched=False)), workers.id),
    ):
        with pytest.raises(UsageError, match=f"Group '{group}' is not being watched"):
            commitments.find(known, group)


def test_what_a_group_names_can_be_found_from_anywhere(tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    for name in ("scripts/own.sh", "scripts/mine.sh", "net.yaml"):
        (tmp_path / name).write_text("echo")
    node: dict[str, Any] = {
        "Plugin": "flavor-kubernetes/manager",
        "Properties": {
            "InitScriptTemplateURL": "scripts/own.sh",
            "TemplateRoot": ".",
            "KubeJoinIP": "192.168.2.200",
            "KubeClusterID": "demo",
            "KubeAddOns": [
                {"Name": "own", "Type": "network", "Path": "net.yaml"},
                {"Name": "dashboard", "Type": "visualise"},
            ],
        },
    }
    mine = {"Plugin": "vanilla", "Properties": {"InitScriptTemplateURL": "scripts/mine.sh"}}
    combo = {"Plugin": "combo", "Properties": {"Flavors": [mine, {"Plugin": "vanilla"}, node]}}
    group: dict[str, Any] = json.loads(WALKTHROUGH[0].read_text())["Properties"]
    group["Properties"]["Flavor"] = combo
    (tmp_path / "groups.json").write_text(json.dumps(group))
    specs = groups.load([tmp_path / "groups.json"])
    portable = commitments.of(specs)[0].portable
    first, second, third = portable["Properties"]["Flavor"]["Properties"]["Flavors"]
    assert first["Properties"] == {"InitScriptTemplateURL": f"{tmp_path}/scripts/mine.sh"}
    assert second == {"Plugin": "vanilla"}
    assert third["Properties"]["TemplateRoot"] == str(tmp_path)
    assert [one.get("Path") for one in third["Properties"]["KubeAddOns"]] == [
        f"{tmp_path}/net.yaml", None,
    ]  # fmt: skip
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/groups.json").write_text(json.dumps(portable))
    (again,) = groups.load([tmp_path / "elsewhere/groups.json"])
    assert (again.template, again.parts) == (specs[0].template, again.parts)
    assert group["Properties"]["Flavor"] == combo
