"""The walkthrough's own commands, on machines in memory: what they do, print and refuse."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness import orchestrator
from harness.cli import parts
from harness.workspace import Workspace
from tests.fake_estate import Estate
from tests.fakes import FakeProvider
from tests.samples import ROOT, WALKTHROUGH

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.cli.resolution import Resolved
    from harness.cluster import Cluster
    from tests.unit.conftest import Ran

    Run = Callable[..., Ran]

MANAGERS, WORKERS = map(str, WALKTHROUGH)
MANAGER = "ip-192.168.2.200"
WORKER_SCRIPT = str(ROOT / "scripts/worker-init.sh")


@pytest.fixture
def estate(state: Path, monkeypatch: pytest.MonkeyPatch) -> Estate:
    """Machines in memory, on which every command works."""
    made = Estate.of(state, monkeypatch)

    def planned(resolved: Resolved) -> Cluster:
        return replace(made.cluster(resolved.plan), commitments=resolved.commitments)

    def recorded(name: str) -> Cluster:
        from harness import commitments  # noqa: PLC0415 - one use

        cluster = made.cluster(made.recorded)
        return replace(cluster, commitments=commitments.load(Workspace.of(name)))

    really = parts.committed

    def committed(name: str) -> Cluster:
        plan = Workspace.of(name).load_committed()
        return made.cluster(plan) if plan else really(name)

    monkeypatch.setattr(parts, "planned", planned)
    monkeypatch.setattr(parts, "committed", committed)
    monkeypatch.setattr(parts, "recorded", recorded)
    monkeypatch.setattr(orchestrator, "converge", made.engine)
    return made


def lxc(*words: str) -> tuple[str, ...]:
    return ("group", *words, "--provider", "lxc")


@pytest.fixture
def committed(run: Run, estate: Estate) -> Estate:
    """The walkthrough's two groups, one after the other."""
    ran = run(*lxc("commit", MANAGERS))
    assert (ran.code, ran.out) == (0, "Committed kubernetes-managers: Managing 1 instances\n")
    assert estate.nodes == [MANAGER]
    ran = run(*lxc("commit", WORKERS))
    assert (ran.code, ran.out) == (0, "Committed kubernetes-workers: Managing 3 instances\n")
    return estate


@pytest.mark.defect("G1", "W2")
def test_the_walkthroughs_two_commits_make_its_cluster(committed: Estate) -> None:
    assert committed.nodes == sorted([MANAGER, *(f"ip-192.168.2.{n}" for n in (2, 3, 4))])


def test_the_same_again_is_a_noop(run: Run, committed: Estate) -> None:
    committed.made.clear()
    assert run(*lxc("commit", WORKERS)).out == "Committed kubernetes-workers: Noop\n"
    assert committed.made == []


def test_workers_alone_are_refused(run: Run, estate: Estate) -> None:
    ran = run(*lxc("commit", WORKERS))
    assert ran.code == 3
    assert "no manager group" in ran.err
    assert estate.machines == []
    assert not Workspace.of("walkthrough").exists


@pytest.mark.defect("G12")
def test_pretending_changes_nothing_and_says_what_a_commit_says(
    run: Run, committed: Estate, tmp_path: Path
) -> None:
    file = workers(tmp_path, 5)
    text = "Adding 2 instances to increase the group size to 5\n"
    for _ in range(2):
        ran = run(*lxc("commit", file, "--pretend"))
        assert ran.out == f"Committing kubernetes-workers would involve: {text}"
    assert run(*lxc("commit", file)).out == f"Committed kubernetes-workers: {text}"
    assert len(committed.nodes) == 6


def workers(folder: Path, size: int, **properties: Any) -> str:  # noqa: ANN401 - JSON
    """Write the walkthrough's workers with another size."""
    group = json.loads(Path(WORKERS).read_text())
    inner = group["Properties"]["Properties"]
    inner["Allocation"] = {"Size": size}
    inner["Flavor"]["Properties"]["InitScriptTemplateURL"] = WORKER_SCRIPT
    inner["Instance"]["Properties"].update(properties)
    file = folder / "workers.json"
    file.write_text(json.dumps(group))
    return str(file)


def test_a_changed_group_rolls_and_can_be_printed_as_json(
    run: Run, committed: Estate, tmp_path: Path
) -> None:
    committed.world.provider.calls.clear()
    ran = run(*lxc("commit", workers(tmp_path, 3, Memory=4096), "-o", "json"))
    change = json.loads(ran.out)["kubernetes-workers"]
    assert change["text"] == "Performing a rolling update on 3 instances"
    assert committed.destroyed == [step["machine"] for step in change["steps"]]


@pytest.mark.defect("G1", "G10")
def test_a_commit_without_waiting_is_recorded_for_later(
    run: Run, committed: Estate, tmp_path: Path
) -> None:
    ran = run(*lxc("commit", workers(tmp_path, 4), "--no-wait"))
    assert "Adding 1 instances" in ran.out
    assert len(committed.nodes) == 4
    assert run("group", "ls").out.splitlines()[2].split() == [
        "kubernetes-workers", "worker", "4", "3", "converging",
    ]  # fmt: skip
    assert run(*lxc("commit", workers(tmp_path, 4))).code == 0
    assert len(committed.nodes) == 5


def test_force_is_not_for_later(run: Run, committed: Estate) -> None:
    ran = run(*lxc("commit", MANAGERS, "--no-wait", "--force"))
    assert ran.code == 2
    assert "not remembered" in ran.err
    assert committed.nodes


def changed_manager(folder: Path) -> str:
    group = json.loads(Path(MANAGERS).read_text())
    properties = group["Properties"]["Properties"]
    properties["Instance"]["Properties"]["CPUs"] = 4
    script = str(ROOT / "scripts/manager-init.sh")
    properties["Flavor"]["Properties"]["InitScriptTemplateURL"] = script
    file = folder / "managers.json"
    file.write_text(json.dumps(group))
    return str(file)


@pytest.mark.parametrize("words", [(), ("--no-wait",)])
def test_the_only_control_plane_needs_force(
    words: tuple[str, ...], run: Run, committed: Estate, tmp_path: Path
) -> None:
    before = committed.recorded
    ran = run(*lxc("commit", changed_manager(tmp_path), *words))
    assert ran.code == 2
    assert "only control plane" in ran.err
    assert committed.recorded == before
    assert run("group", "ls").out.count("converged") == 2


def test_with_force_the_control_plane_is_made_anew(
    run: Run, committed: Estate, tmp_path: Path
) -> None:
    ran = run(*lxc("commit", changed_manager(tmp_path), "--force"))
    assert ran.code == 0
    assert "every object of the cluster is lost" in ran.err
    assert MANAGER in committed.destroyed


def test_groups_are_listed(run: Run, committed: Estate) -> None:
    assert run("group", "ls").out == (
        "ID                    ROLE      SIZE      READY     STATE\n"
        "kubernetes-managers   manager   1         1         converged\n"
        "kubernetes-workers    worker    3         3         converged\n"
    )
    committed.world.api.unreachable = "no route"
    found = json.loads(run("group", "ls", "-o", "json").out)
    assert [(one["id"], one["ready"], one["state"]) for one in found] == [
        ("kubernetes-managers", None, "converging"),
        ("kubernetes-workers", None, "converging"),
    ]
    assert "?" in run("group", "ls").out


def test_a_group_is_described_with_the_health_of_its_machines(run: Run, committed: Estate) -> None:
    committed.node("ip-192.168.2.3")["status"]["conditions"][-1]["status"] = "False"
    found = json.loads(run("group", "describe", "kubernetes-workers", "-o", "json").out)
    assert not found["converged"]
    first, second, _ = found["instances"]
    assert (first["id"], first["logical"], first["health"]) == (
        "ip-192.168.2.2", "192.168.2.2", "healthy",
    )  # fmt: skip
    assert first["tags"]["infrakit.group"] == "kubernetes-workers"
    assert second["health"] == "unhealthy"
    table = run("group", "describe", "kubernetes-workers").out
    assert table.splitlines()[0].split() == ["ID", "LOGICAL", "HEALTH", "TAGS", "REASON"]


def test_what_is_inspected_can_be_committed_again(
    run: Run, committed: Estate, tmp_path: Path
) -> None:
    # In another folder: what the group names is named so that it is found from there.
    file = tmp_path / "again.json"
    file.write_text(run("group", "inspect", "kubernetes-workers").out)
    assert WORKER_SCRIPT in file.read_text()
    assert run(*lxc("commit", str(file))).out == "Committed kubernetes-workers: Noop\n"
    assert len(committed.nodes) == 4


@pytest.mark.defect("G6")
def test_a_group_is_scaled_up_and_down(run: Run, committed: Estate) -> None:
    assert run("group", "scale", "kubernetes-workers").out == "3\n"
    ran = run("group", "scale", "kubernetes-workers", "4")
    assert ran.out == "Group kubernetes-workers at 3 instances, scale to 4\n"
    assert "ip-192.168.2.5" in committed.nodes
    run("group", "scale", "kubernetes-workers", "2")
    assert committed.drained == ["ip-192.168.2.5", "ip-192.168.2.4"]
    assert len(committed.nodes) == 3
    run("group", "scale", "kubernetes-workers", "0")
    assert committed.nodes == [MANAGER]
    assert run("group", "scale", "kubernetes-workers").out == "0\n"


@pytest.mark.defect("G5", "G11")
@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("scale", "kubernetes-workers", "--", "-1"), "size cannot be negative"),
        (
            ("scale", "kubernetes-managers", "3"),
            "cannot set size if logic ids are explicitly set",
        ),
        (("scale", "nobody", "3"), "Group 'nobody' is not being watched"),
        (("describe", "nobody"), "Group 'nobody' is not being watched"),
        (("inspect", "nobody"), "Group 'nobody' is not being watched"),
        (("free", "nobody"), "Group 'nobody' is not being watched"),
        (("destroy", "nobody"), "Group 'nobody' is not being watched"),
    ],
)
def test_upstreams_errors(words: tuple[str, ...], told: str, run: Run, committed: Estate) -> None:
    ran = run("group", *words)
    assert (ran.code, ran.out) == (2, "")
    assert told in ran.err
    assert len(committed.nodes) == 4


def test_too_many_machines_are_refused(run: Run, committed: Estate) -> None:
    ran = run("group", "scale", "kubernetes-workers", "64")
    assert ran.code == 3
    assert "at most 64 in one cluster" in ran.err
    assert len(committed.nodes) == 4


def test_a_group_that_was_freed_is_left_alone_until_it_is_committed_again(
    run: Run, committed: Estate
) -> None:
    assert run("group", "free", "kubernetes-workers").out == "Freed kubernetes-workers\n"
    assert "freed" in run("group", "ls").out
    ran = run("group", "describe", "kubernetes-workers")
    assert "Group 'kubernetes-workers' is not being watched" in ran.err
    assert run(*lxc("commit", MANAGERS)).code == 0
    assert len(committed.nodes) == 4
    ran = run(*lxc("commit", WORKERS))
    assert ran.out == "Committed kubernetes-workers: Managing 3 instances\n"
    assert len(committed.nodes) == 4


def test_a_group_is_destroyed_drained(run: Run, committed: Estate) -> None:
    assert run("group", "destroy", "kubernetes-workers").out == "Destroyed kubernetes-workers\n"
    assert committed.nodes == committed.machines == [MANAGER]
    assert len(committed.drained) == 3
    assert "kubernetes-workers" not in run("group", "ls").out


def test_the_managers_are_not_destroyed_while_others_need_them(run: Run, committed: Estate) -> None:
    ran = run("group", "destroy", "kubernetes-managers", "--force")
    assert ran.code == 2
    assert "kubernetes-workers cannot be without it" in ran.err
    assert len(committed.nodes) == 4


def test_the_last_group_goes_by_force_and_the_cluster_with_it(run: Run, committed: Estate) -> None:
    run("group", "destroy", "kubernetes-workers")
    ran = run("group", "destroy", "kubernetes-managers")
    assert ran.code == 2
    assert "--force" in ran.err
    assert run("group", "destroy", "kubernetes-managers", "--force").code == 0
    assert not Workspace.of("walkthrough").exists
    assert isinstance(committed.world.provider, FakeProvider)


def test_up_knows_what_was_committed_and_names_what_it_would_forget(
    run: Run, committed: Estate
) -> None:
    assert run("up", "--provider", "lxc").err.startswith("Nothing to do")
    ran = run("up", MANAGERS, "--provider", "lxc")
    assert ran.code == 2
    assert "has group kubernetes-workers too" in ran.err
    assert len(committed.nodes) == 4


def test_nothing_is_committed_of_a_cluster_that_was_never_begun(run: Run, estate: Estate) -> None:
    for words in (("group", "scale", "a", "3", "--name", "none"), ("watch", "--name", "none")):
        ran = run(*words)
        assert ran.code == 2
    assert estate.machines == []


def test_what_templates_say_meanwhile_takes_a_commit(
    run: Run, estate: Estate, tmp_path: Path
) -> None:
    file, script = workers(tmp_path, 2), tmp_path / "worker-init.sh"
    script.write_text("#!/bin/sh\necho one\n")
    Path(file).write_text(Path(file).read_text().replace(WORKER_SCRIPT, str(script)))
    assert run(*lxc("commit", MANAGERS, file)).code == 0
    script.write_text("#!/bin/sh\necho two\n")
    ran = run("group", "scale", "kubernetes-workers", "3")
    assert "was changed since it was committed" in ran.err
    assert estate.destroyed == []
    assert len(estate.nodes) == 4
    assert len({machine.fingerprint for machine in estate.recorded.workers}) == 1
    ran = run(*lxc("commit", MANAGERS))
    assert "was changed since it was committed" in ran.err
    assert estate.destroyed == []
    ran = run("group", "scale", "kubernetes-workers", "2")
    ran = run(*lxc("commit", file))
    assert ran.out == ("Committed kubernetes-workers: Performing a rolling update on 2 instances\n")
    assert len(estate.nodes) == 3


def test_a_group_whose_files_were_not_named_is_not_told_of(run: Run, committed: Estate) -> None:
    assert committed.nodes
    assert run(*lxc("commit", WORKERS, "--pretend")).out.count("\n") == 1
