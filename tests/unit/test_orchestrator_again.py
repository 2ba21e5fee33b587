"""`up` where there is a cluster already: nothing is done twice, and nothing is lost."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from harness import render
from harness.errors import InterruptedRunError, TransportError, UsageError
from harness.spec import ProviderName
from tests.fake_run import Bench
from tests.fake_site import good_nodes, node
from tests.samples import cluster_plan

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from harness.spec import ClusterPlan


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench.of(tmp_path, monkeypatch)


def test_a_second_up_asks_the_api_server_and_changes_nothing(bench: Bench) -> None:
    bench.up()
    before = sorted(bench.world.workspace.root.rglob("*"))
    bench.ran.clear()
    bench.events.clear()
    outcome = bench.up()
    assert not outcome.changed
    assert [row.name for row in outcome.nodes] == list(bench.fake.plan.names)
    assert (bench.ran, bench.events, bench.fake.provider.calls) == ([], [], [])
    assert sorted(bench.world.workspace.root.rglob("*")) == before
    assert bench.world.workspace.completed


def api_is_down(bench: Bench) -> None:
    # The first answer is to the look, the second to the table at the end.
    bench.fake.api.polls = [TransportError("no connection"), good_nodes(bench.fake.plan)]


def a_node_is_not_ready(bench: Bench) -> None:
    plan = bench.fake.plan
    bad = [*good_nodes(plan)[:-1], node(plan.machines[-1], ready="False")]
    bench.fake.api.polls = [bad, good_nodes(plan)]


def a_node_is_missing(bench: Bench) -> None:
    plan = bench.fake.plan
    bench.fake.api.polls = [good_nodes(plan)[:-1], good_nodes(plan)]


def a_machine_was_stopped(bench: Bench) -> None:
    # For 40 s the API server calls its node Ready.
    bench.fake.network.silent.add(bench.fake.plan.workers[0].address)


def another_content(bench: Bench) -> None:
    (bench.world.workspace.root / "content-hash").write_text("sha256:0\n")


def never_completed(bench: Bench) -> None:
    (bench.world.workspace.root / "completed").unlink()


@pytest.mark.parametrize(
    "trouble",
    [
        api_is_down,
        a_node_is_not_ready,
        a_node_is_missing,
        a_machine_was_stopped,
        another_content,
        never_completed,
    ],
)
def test_whatever_is_not_proved_goes_through_the_phases(
    trouble: Callable[[Bench], None], bench: Bench
) -> None:
    bench.up()
    trouble(bench)
    bench.ran.clear()
    assert bench.up().changed
    assert bench.names == ["preflight", "machines", "init"]
    assert bench.world.workspace.completed


def test_a_repair_that_was_interrupted_is_not_complete(bench: Bench) -> None:
    bench.up()
    a_node_is_not_ready(bench)
    bench.faults["init"] = InterruptedRunError("stopped")
    with pytest.raises(InterruptedRunError):
        bench.up()
    bench.faults.clear()
    bench.ran.clear()
    assert bench.up().changed
    assert bench.names == ["preflight", "machines", "init"]


def test_a_change_that_keeps_all_machines_goes_through_the_phases(bench: Bench) -> None:
    bench.up()
    changed = replace(bench.world.plan, bind_port=7443)
    bench.world.plan = changed
    bench.ran.clear()
    assert bench.up(replace(bench.cluster, plan=changed)).changed
    assert bench.world.workspace.content_hash == render.content_hash(changed)


def test_secrets_outlive_a_second_run(bench: Bench) -> None:
    bench.up()
    made = bench.world.workspace.secrets()
    never_completed(bench)
    bench.up()
    assert bench.world.workspace.secrets() == made


def refused(bench: Bench, plan: ClusterPlan) -> UsageError:
    """Return why a plan is refused where the walkthrough's cluster is recorded."""
    bench.up()
    bench.ran.clear()
    record = (bench.world.workspace.root / "plan.json").read_text()
    with pytest.raises(UsageError) as caught:
        bench.up(replace(bench.cluster, plan=plan))
    assert bench.ran == []
    assert (bench.world.workspace.root / "plan.json").read_text() == record
    return caught.value


def test_another_provider_is_refused_while_machines_may_exist(bench: Bench) -> None:
    error = refused(bench, cluster_plan(provider=ProviderName.LIBVIRT))
    assert error.message == "Cluster `walkthrough` was begun with lxc, not libvirt."
    assert error.hint == "Run `harness down --name walkthrough` first."
