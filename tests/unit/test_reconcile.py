"""Reconciling: upstream's planner tables, and `group commit --pretend` in front of them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from harness import reconcile, render
from harness.errors import UsageError
from harness.reconcile import Action, Step
from harness.workspace import Workspace
from tests.samples import WALKTHROUGH, cluster_plan

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from harness.spec import ClusterPlan, MachinePlan
    from tests.unit.conftest import Ran


def members(count: int, fingerprint: str = "old", *, sized: bool = True) -> list[MachinePlan]:
    worker = cluster_plan().workers[0]
    return [
        replace(worker, name=f"m{index}", index=index, fingerprint=fingerprint, sized=sized)
        for index in range(count)
    ]


@pytest.mark.parametrize(
    ("observed", "desired", "text"),
    [
        (members(0), members(3), "Managing 3 instances"),
        (members(1), members(1), "Noop"),
        (members(1), members(1, "new"), "Performing a rolling update on 1 instances"),
        (members(2), members(1), "Terminating 1 instances to reduce the group size to 1"),
        (
            members(2),
            members(1, "new"),
            (
                "Terminating 1 instances to reduce the group size to 1, "
                "then performing a rolling update on 1 instances"
            ),
        ),
        (members(1), members(2), "Adding 1 instances to increase the group size to 2"),
        (
            members(1),
            members(2, "new"),
            (
                "Performing a rolling update on 1 instances, "
                "then adding 1 instances to increase the group size to 2"
            ),
        ),
        (members(3), members(8), "Adding 5 instances to increase the group size to 8"),
        (members(3), members(1), "Terminating 2 instances to reduce the group size to 1"),
        (
            members(3),
            members(8, "new"),
            (
                "Performing a rolling update on 3 instances, "
                "then adding 5 instances to increase the group size to 8"
            ),
        ),
    ],
    ids=[
        "new",
        "TestScalerPlanUpdateNoChanges",
        "TestScalerPlanUpdateRollingUpdate",
        "TestScalerPlanUpdateScaleDown",
        "TestScalerPlanUpdateScaleDownRollingUpdate",
        "TestScalerPlanUpdateScaleUp",
        "TestScalerPlanUpdateScaleUpRollingUpdate",
        "TestScaleIncrease",
        "TestScaleDecrease",
        "TestRollAndAdjustScale",
    ],
)
def test_a_scaled_group(observed: list[MachinePlan], desired: list[MachinePlan], text: str) -> None:
    change = reconcile.reconcile(desired, observed, is_new=not observed)
    assert change.text == text
    assert reconcile.reconcile(desired, desired) == reconcile.Change("Noop", ())


def test_scaling_down_removes_the_highest_index_first_and_then_rolls() -> None:
    assert reconcile.reconcile(members(2, "new"), members(4)).steps == (
        Step(Action.DESTROY, "m3"),
        Step(Action.DESTROY, "m2"),
        Step(Action.REPLACE, "m0"),
        Step(Action.REPLACE, "m1"),
    )


def test_a_rolling_update_goes_before_what_is_added() -> None:
    assert reconcile.reconcile(members(2, "new"), members(1)).steps == (
        Step(Action.REPLACE, "m0"),
        Step(Action.CREATE, "m1"),
    )


def test_a_quorum_that_stays_or_rolls() -> None:
    observed = members(3, sized=False)
    assert reconcile.reconcile(observed, observed).text == "Noop"
    one_differs = [*observed[:2], replace(observed[2], fingerprint="new")]
    change = reconcile.reconcile(one_differs, observed)
    assert change.text == "Performing a rolling update on 1 instances"
    assert change.steps == (Step(Action.REPLACE, "m2"),)


@pytest.mark.defect("G4")
@pytest.mark.parametrize(
    ("desired", "observed"),
    [
        (members(2, sized=False), members(3, sized=False)),
        (members(3, sized=False), members(2, sized=False)),
        (members(2, sized=False), members(3)),
        (members(3), members(2, sized=False)),
    ],
    ids=["fewer", "more", "g4 from a size", "g4 to a size"],
)
def test_a_quorum_does_not_change_its_logical_ids(
    desired: list[MachinePlan], observed: list[MachinePlan]
) -> None:
    with pytest.raises(UsageError, match="Logical ID changes to a quorum is not currently"):
        reconcile.reconcile(desired, observed)


def fingerprints(plan: ClusterPlan) -> set[str]:
    return {machine.fingerprint for machine in render.fingerprinted(plan).workers}


def test_machines_of_a_group_are_alike_until_something_that_makes_them_changes(
    tmp_path: Path,
) -> None:
    plan = cluster_plan()
    (same,) = fingerprints(plan)
    template = tmp_path / "own.sh"
    template.write_text("echo one")

    def changed(**what: Any) -> ClusterPlan:  # noqa: ANN401 - any field of a machine
        return replace(plan, machines=tuple(replace(one, **what) for one in plan.machines))

    found = [
        fingerprints(changed(memory_mib=4096)),
        fingerprints(changed(template=str(template))),
        fingerprints(changed(spec={**plan.manager.spec, "KubeBindPort": 1})),
        fingerprints(replace(plan, supply=replace(plan.supply, kubernetes_version="v1.31.2"))),
    ]
    template.write_text("echo two")
    found.append(fingerprints(changed(template=str(template))))
    assert all(len(one) == 1 for one in found)
    assert len({same, *(one.pop() for one in found)}) == 6


def test_a_manifest_on_the_disk_counts_for_the_control_plane(tmp_path: Path) -> None:
    manifest = tmp_path / "net.yaml"
    plan = cluster_plan()
    plan = replace(plan, add_ons=(replace(plan.add_ons[0], path=str(manifest)),))
    found = []
    for text in ("one", "two"):
        manifest.write_text(text)
        found.append(render.fingerprinted(plan))
    assert found[0].manager.fingerprint != found[1].manager.fingerprint
    assert fingerprints(found[0]) == fingerprints(found[1])


def written(folder: Path, size: int) -> list[str]:
    files = []
    for path in WALKTHROUGH:
        document = json.loads(path.read_text())
        properties = document["Properties"]["Properties"]
        properties["Flavor"]["Properties"].pop("InitScriptTemplateURL")
        if "Size" in properties["Allocation"]:
            properties["Allocation"]["Size"] = size
        files.append(folder / path.name)
        files[-1].write_text(json.dumps(document))
    return [str(file) for file in files]


@pytest.mark.usefixtures("state")
def test_pretending_to_commit_says_what_it_would_involve_and_changes_nothing(
    run: Callable[..., Ran], tmp_path: Path
) -> None:
    files = written(tmp_path, 3)
    for _ in range(2):
        ran = run("group", "commit", *files, "--provider", "lxc", "--pretend")
        assert ran.out == (
            "Committing kubernetes-managers would involve: Managing 1 instances\n"
            "Committing kubernetes-workers would involve: Managing 3 instances\n"
        )
    assert not Workspace.of("walkthrough").exists


@pytest.mark.usefixtures("state")
def test_what_was_committed_is_compared_with(run: Callable[..., Ran], tmp_path: Path) -> None:
    from harness.cli import resolution  # noqa: PLC0415 - as the commands do, with this state

    committed = resolution.of_files(written(tmp_path, 3), "lxc").plan
    Workspace.of("walkthrough").save_plan(committed, vagrantfile="", content_hash="")
    ran = run("group", "commit", *written(tmp_path, 4), "--provider", "lxc", "--pretend")
    assert ran.out.splitlines() == [
        "Committing kubernetes-managers would involve: Noop",
        (
            "Committing kubernetes-workers would involve: "
            "Adding 1 instances to increase the group size to 4"
        ),
    ]
    ran = run(
        "group", "commit", *written(tmp_path, 2), "--provider", "lxc", "--pretend", "-o", "json"
    )
    assert json.loads(ran.out)["kubernetes-workers"] == {
        "text": "Terminating 1 instances to reduce the group size to 2",
        "steps": [{"action": "destroy", "machine": "ip-192.168.2.4", "is_sick": False}],
    }


def test_a_group_of_logical_ids_begins() -> None:
    change = reconcile.reconcile(members(3, sized=False), (), is_new=True)
    assert change.text == "Managing 3 instances"
    assert [step.action for step in change.steps] == [Action.CREATE] * 3


def test_a_group_of_no_machines_grows() -> None:
    change = reconcile.reconcile(members(3), ())
    assert change.text == "Adding 3 instances to increase the group size to 3"
