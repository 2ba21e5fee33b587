"""Upstream's cases of groups that no other test has (pkg/controller/group, *_test.go).

Those of plans are in test_reconcile, of the gate in test_phases_healthy, of draining and of
errors in test_convergence, of commands in test_cli_groups.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from harness import groups, plan, render
from harness.errors import ProviderError
from harness.spec import ProviderName
from harness.workspace import Workspace
from tests.fake_estate import WORKERS, Estate, plan_of
from tests.samples import BUNDLE, CONTAINER, ROOT, WALKTHROUGH
from tests.unit import test_cli_groups
from tests.unit.test_cli_groups import lxc

if TYPE_CHECKING:
    from pathlib import Path

    from harness.spec import ClusterPlan
    from tests.unit.test_cli_groups import Run

MANAGER = "ip-192.168.2.200"
FIRST, SECOND, THIRD = (f"ip-192.168.2.{number}" for number in (2, 3, 4))
estate, committed = test_cli_groups.estate, test_cli_groups.committed


@pytest.fixture
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Estate:
    """A manager and three workers, Ready."""
    made = Estate.of(tmp_path, monkeypatch)
    made.converge(plan_of(3))
    return made


def test_update_completes(running: Estate) -> None:
    for size in (8, 5):
        running.converge(plan_of(size))
        assert running.nodes == running.machines == sorted(plan_of(size).names)
    assert running.destroyed == [f"ip-192.168.2.{number}" for number in (9, 8, 7)]


def test_rolling_update_destroy_error(running: Estate) -> None:
    running.world.provider.stubborn = {SECOND}
    with pytest.raises(ProviderError, match=SECOND):
        running.converge(plan_of(3, "new"))
    assert running.drained == [FIRST, SECOND]
    assert running.made == [(FIRST, "new")]
    assert {SECOND, THIRD} <= set(running.machines)
    fingerprints = {machine.name: machine.fingerprint for machine in running.recorded.workers}
    assert fingerprints == {FIRST: "new", SECOND: "old", THIRD: "old"}


def test_destroy_instance_destroy_error_keeps_the_machine_on_record(running: Estate) -> None:
    running.world.provider.stubborn = {THIRD}
    with pytest.raises(ProviderError, match=THIRD):
        running.converge(plan_of(2))
    assert running.drained == [THIRD]
    assert THIRD in running.recorded.names
    running.world.provider.stubborn = set()
    running.converge(plan_of(2))
    assert THIRD not in running.recorded.names
    assert THIRD not in running.machines


def quorum(made_of: str) -> ClusterPlan:
    """Return three workers by their LogicalIDs."""
    whole = plan_of(3, made_of)
    return whole.of(replace(one, sized=one.group != WORKERS) for one in whole.machines)


def test_supervise_quorum(running: Estate) -> None:
    running.converge(quorum("old"))
    assert running.destroyed == []
    running.converge(quorum("new"))
    assert running.destroyed == [FIRST, SECOND, THIRD]
    assert [machine.address for machine in running.recorded.workers] == [
        name.removeprefix("ip-") for name in (FIRST, SECOND, THIRD)
    ]


def test_restore_quorum(running: Estate) -> None:
    running.converge(quorum("old"))
    running.world.provider.destroy([SECOND], timeout=1)
    running.converge(quorum("old"))
    assert running.made == [(SECOND, "old")]
    assert running.machines == sorted([MANAGER, FIRST, SECOND, THIRD])


@pytest.mark.parametrize("count", [1, 3])
def test_old_machines_that_are_unhealthy_are_replaced_like_the_others(
    count: int, running: Estate
) -> None:
    for name in (FIRST, SECOND, THIRD)[:count]:
        running.node(name)["status"]["conditions"][-1]["status"] = "False"
    running.converge(plan_of(3, "new"))
    assert running.destroyed == [FIRST, SECOND, THIRD]
    assert running.nodes == running.machines == sorted([MANAGER, FIRST, SECOND, THIRD])


def test_free_group_while_nobody_knows_its_health(run: Run, committed: Estate) -> None:
    committed.world.api.unreachable = "ip-192.168.2.200: cannot be reached"
    assert run("group", "free", "kubernetes-workers").code == 0
    assert "freed" in run("group", "ls").out
    assert len(committed.machines) == 4


def test_no_side_effects_from_pretend_commit(run: Run, estate: Estate) -> None:
    for _ in range(2):
        ran = run(*lxc("commit", *map(str, WALKTHROUGH), "--pretend"))
        assert ran.out == (
            "Committing kubernetes-managers would involve: Managing 1 instances\n"
            "Committing kubernetes-workers would involve: Managing 3 instances\n"
        )
    for words in (("free",), ("destroy", "--force"), ("inspect",)):
        assert run("group", *words, "kubernetes-workers", "--name", "walkthrough").code == 2
    assert estate.machines == []
    assert not Workspace.of("walkthrough").exists


def fingerprints(folder: Path, documents: list[dict[str, Any]]) -> list[str]:
    """Return those of a cluster's machines, in order."""
    files = [folder / f"{number}.json" for number in range(len(documents))]
    for file, document in zip(files, documents, strict=True):
        file.write_text(json.dumps(document))
    resolved = plan.resolve(
        groups.load(files),
        provider=ProviderName.LXC,
        supply=BUNDLE,
        traits=CONTAINER,
        default_box="b",
    )
    return [machine.fingerprint for machine in render.fingerprinted(resolved).machines]


def turned(node: object) -> Any:  # noqa: ANN401 - JSON
    """Return the same JSON with its keys in the opposite order."""
    if isinstance(node, dict):
        return {key: turned(node[key]) for key in reversed(node)}
    return [turned(one) for one in node] if isinstance(node, list) else node


def walkthrough() -> list[dict[str, Any]]:
    """Return the walkthrough's groups, as they can stand anywhere."""
    text = [file.read_text().replace("../scripts/", f"{ROOT}/scripts/") for file in WALKTHROUGH]
    return [json.loads(one) for one in text]


def test_a_hash_is_stable_under_reordering_and_differs_on_change(tmp_path: Path) -> None:
    documents = walkthrough()
    before = fingerprints(tmp_path, documents)
    assert fingerprints(tmp_path, turned(documents)) == before
    assert all(re.fullmatch(r"sha256:[a-z0-9]{64}", one) for one in before)
    documents[1]["Properties"]["Properties"]["Instance"]["Properties"]["CPUs"] = 3
    after = fingerprints(tmp_path, documents)
    assert [old == new for old, new in zip(before, after, strict=True)] == [True, *[False] * 3]


def test_a_hash_does_not_depend_on_how_many_there_are_or_how_they_are_updated(
    tmp_path: Path,
) -> None:
    documents = walkthrough()
    manager, first, *_ = fingerprints(tmp_path, documents)
    inner = documents[1]["Properties"]["Properties"]
    inner["Allocation"] = {"Size": 5}
    inner["Updating"] = {"Count": 3, "SkipBeforeInstanceDestroy": "drain"}
    assert fingerprints(tmp_path, documents) == [manager, *[first] * 5]
