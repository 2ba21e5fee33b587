from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from harness import orchestrator
from harness import status as cluster_status
from harness.cli import clusters
from harness.events import PhaseStarted
from harness.nodes import NodeRow
from harness.orchestrator import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from harness.cluster import Cluster
    from harness.interfaces import Reporter
    from tests.fake_cluster import FakeWorld
    from tests.unit.conftest import Ran

READY = (NodeRow("ip-192.168.2.200", "Ready", "4m", "v1.20.2"),)
TABLE = (
    "NAME               STATUS    AGE       VERSION\n"
    "ip-192.168.2.200   Ready     4m        v1.20.2\n"
)
STATUS = {
    "cluster": "walkthrough",
    "provider": "lxc",
    "phase": "done",
    "nodes": [
        {
            "name": "ip-192.168.2.200",
            "group": "kubernetes-managers",
            "role": "manager",
            "address": "192.168.2.200",
            "machine": "running",
            "ready": True,
            "version": "v1.20.2",
            "reason": "",
        }
    ],
}


def comes_up(
    cluster: Cluster, reporter: Reporter, *, timeout: float, changed: bool = True, **_force: object
) -> Outcome:
    cluster.workspace.save_plan(cluster.plan, vagrantfile="", content_hash="")
    reporter.report(PhaseStarted("preflight"))
    assert timeout == 1800
    return Outcome(changed=changed, nodes=READY, seconds=61.25)


def test_up_prints_the_table_and_logs_its_events(
    run: Callable[..., Ran], world: FakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orchestrator, "up", comes_up)
    ran = run("up", "--provider", "lxc")
    assert (ran.code, ran.out) == (0, TABLE)
    events = (world.workspace.logs_dir / "events.jsonl").read_text().splitlines()
    assert [json.loads(line)["phase"] for line in events] == ["preflight"]


@pytest.mark.usefixtures("world")
def test_up_for_programs_prints_json_alone(
    run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orchestrator, "up", comes_up)
    row = {"name": "ip-192.168.2.200", "status": "Ready", "age": "4m", "version": "v1.20.2"}
    ran = run("up", "-o", "json", "--provider", "lxc")
    assert json.loads(ran.out) == {"changed": True, "seconds": 61.2, "nodes": [row]}


@pytest.mark.usefixtures("world")
def test_a_second_up_says_that_it_changed_nothing(
    run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    def settled(
        cluster: Cluster, reporter: Reporter, *, timeout: float, **_force: object
    ) -> Outcome:
        return comes_up(cluster, reporter, timeout=timeout, changed=False)

    monkeypatch.setattr(orchestrator, "up", settled)
    ran = run("up", "--provider", "lxc")
    assert ran.out == TABLE
    assert "Nothing to do: everything is as planned." in ran.err


@pytest.mark.parametrize("handed_out", [True, False])
def test_up_restores_the_forward_of_a_kubeconfig_that_was_handed_out(
    run: Callable[..., Ran],
    world: FakeWorld,
    monkeypatch: pytest.MonkeyPatch,
    *,
    handed_out: bool,
) -> None:
    world.record()
    if handed_out:
        world.workspace.forward.write_text("{}")
    monkeypatch.setattr(orchestrator, "up", comes_up)
    assert run("up", "--provider", "lxc").code == 0
    assert world.forwards == handed_out


def test_a_dry_run_prints_the_plan_and_creates_nothing(
    run: Callable[..., Ran], state: Path
) -> None:
    ran = run("up", "--dry-run", "--provider", "lxc")
    assert ran.code == 0
    assert ran.out == run("plan", "--provider", "lxc").out
    assert ran.err == "Nothing was created.\n"
    assert not state.exists()


def test_down_removes_the_cluster_once_and_has_nothing_to_do_then(
    run: Callable[..., Ran], world: FakeWorld
) -> None:
    world.record()
    assert "Cluster `walkthrough` is gone." in run("down").err
    assert not world.workspace.root.exists()
    ran = run("down")
    assert (ran.code, ran.err) == (0, "There is nothing to remove.\n")


@pytest.mark.usefixtures("world")
def test_status_is_json_for_programs_and_a_table_for_people(
    run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_status, "of", lambda _cluster: STATUS)
    assert json.loads(run("status", "-o", "json").out) == STATUS
    lines = run("status").out.splitlines()
    assert lines[0] == "walkthrough (lxc): done"
    assert lines[2].split() == [*clusters.STATUS_HEAD]
    assert lines[3].split()[-3:] == ["running", "yes", "v1.20.2"]


def test_a_cluster_that_never_was_is_a_usage_error(run: Callable[..., Ran]) -> None:
    for words in (["status"], ["ssh", "a"], ["kubectl", "get", "nodes"], ["logs"], ["nodes"]):
        assert run(*words).code == 2
    ran = run("status", "--name", "other")
    assert "There is no cluster `other` here." in ran.err


def test_nodes_prints_kubectls_words_and_exits_as_it_does(
    run: Callable[..., Ran], world: FakeWorld
) -> None:
    world.api.said, world.api.exit_status = "NAME   STATUS\n", 3
    ran = run("nodes")
    assert (ran.code, ran.out) == (3, "NAME   STATUS\n")
    assert world.api.calls == [("get", "nodes")]
