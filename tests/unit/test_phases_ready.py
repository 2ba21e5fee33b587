"""Ready means every planned node, and no other, at its planned address, three times in a row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from harness.errors import CommandError, NotReadyError, TransportError, UsageError
from harness.phases import kubelets, ready
from tests.fake_site import FakeSite, good_nodes, node
from tests.fakes import FakeNetwork, RecordingReporter
from tests.samples import cluster_plan

if TYPE_CHECKING:
    import socket
    from pathlib import Path

PLAN = cluster_plan()
WORKER = PLAN.workers[1]
NOT_READY = "KubeletNotReady: cni plugin not initialized"


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSite:
    return FakeSite.of(tmp_path, RecordingReporter(), monkeypatch)


def with_worker(changed: dict[str, Any] | None) -> list[dict[str, Any]]:
    """Return good nodes, of which the second worker's is another one, or missing."""
    others = [item for item in good_nodes(PLAN) if item["metadata"]["name"] != WORKER.name]
    return others if changed is None else [*others, changed]


def test_all_planned_nodes_ready_at_their_addresses_leave_no_reason() -> None:
    assert ready.reasons(PLAN, good_nodes(PLAN)) == {}
    assert ready.reasons(PLAN, list(reversed(good_nodes(PLAN)))) == {}


def test_every_planned_node_is_asked_for_by_its_name() -> None:
    assert ready.reasons(PLAN, []) == dict.fromkeys(PLAN.names, "has not registered")
    assert ready.reasons(PLAN, with_worker(None)) == {WORKER.name: "has not registered"}


def test_as_many_ready_nodes_under_other_names_are_not_enough() -> None:
    stranger = node(WORKER)
    stranger["metadata"]["name"] = "ip-10.0.2.15"
    assert ready.reasons(PLAN, with_worker(stranger)) == {
        WORKER.name: "has not registered",
        "ip-10.0.2.15": "is not a node of this plan",
    }


def test_a_node_too_many_is_named() -> None:
    extra = node(WORKER)
    extra["metadata"]["name"] = "ip-192.168.2.9"
    found = ready.reasons(PLAN, [*good_nodes(PLAN), extra])
    assert found == {"ip-192.168.2.9": "is not a node of this plan"}


@pytest.mark.parametrize("status", ["False", "Unknown"])
def test_a_node_that_is_not_ready_is_quoted(status: str) -> None:
    found = ready.reasons(PLAN, with_worker(node(WORKER, ready=status)))
    assert found == {WORKER.name: NOT_READY}


def test_a_node_without_a_word_on_readiness_is_not_ready() -> None:
    silent = node(WORKER, ready="")
    assert ready.reasons(PLAN, with_worker(silent)) == {WORKER.name: "has no Ready condition yet"}
    del silent["status"]["conditions"]
    assert ready.reasons(PLAN, with_worker(silent)) == {WORKER.name: "has no Ready condition yet"}


@pytest.mark.parametrize(
    ("addresses", "said"),
    [
        (["10.0.2.15"], "10.0.2.15"),
        ([PLAN.manager.address], PLAN.manager.address),  # two nodes at one address
        ([WORKER.address, "10.0.2.15"], f"{WORKER.address}, 10.0.2.15"),
    ],
)
def test_another_address_than_planned_is_told(addresses: list[str], said: str) -> None:
    found = ready.reasons(PLAN, with_worker(node(WORKER, addresses=addresses)))
    assert found == {WORKER.name: f"has InternalIP {said} instead of {WORKER.address}"}


def test_no_address_at_all_is_told() -> None:
    homeless = node(WORKER)
    del homeless["status"]["addresses"]
    found = ready.reasons(PLAN, with_worker(homeless))
    assert found == {WORKER.name: f"has InternalIP none instead of {WORKER.address}"}


def test_a_node_that_is_being_deleted_is_not_ready() -> None:
    leaving = node(WORKER)
    leaving["metadata"]["deletionTimestamp"] = "2026-01-01T00:01:00Z"
    assert ready.reasons(PLAN, with_worker(leaving)) == {WORKER.name: "is being deleted"}


def run(fake: FakeSite, seconds: float = 60) -> str:
    return ready.PHASE.run(fake.site(), fake.deadline(seconds))


def test_three_good_polls_in_a_row_are_ready(fake: FakeSite) -> None:
    fake.api.polls = [good_nodes(PLAN)]
    assert run(fake) == "4 nodes"
    assert fake.api.asked == 3
    assert fake.clock.slept == [ready.INTERVAL_SECONDS] * 2


@pytest.mark.parametrize(
    "bad",
    [
        with_worker(node(WORKER, ready="False")),
        TransportError("ip-192.168.2.200: cannot be reached"),
        CommandError("ip-192.168.2.200: `kubectl get nodes` exited 1: connection refused"),
    ],
    ids=["not ready", "no connection", "no API server"],
)
def test_a_bad_poll_starts_the_count_again(
    bad: list[dict[str, Any]] | Exception, fake: FakeSite
) -> None:
    good = good_nodes(PLAN)
    fake.api.polls = [good, good, bad, good, good, good]
    assert run(fake) == "4 nodes"
    assert fake.api.asked == 6


@pytest.mark.defect("W13")
def test_each_machines_live_reason_is_told(fake: FakeSite) -> None:
    fake.api.polls = [with_worker(None), with_worker(node(WORKER, ready="False")), good_nodes(PLAN)]
    run(fake)
    told = list(dict.fromkeys(fake.progress(WORKER.name)))
    assert told == [("has not registered", False), (NOT_READY, False), ("", True)]
    assert set(fake.progress(fake.manager)) == {("", True)}


def test_a_node_whose_kubelet_does_not_answer_is_not_ready_whatever_the_api_server_says(
    fake: FakeSite,
) -> None:
    fake.api.polls = [good_nodes(PLAN)]
    fake.network.silent.add(WORKER.address)
    with pytest.raises(NotReadyError) as caught:
        run(fake, 2)
    where = f"{WORKER.address}:10250"
    silent = f"its kubelet does not answer at {where}: [Errno 111] Connection refused"
    assert caught.value.message.endswith(f"{WORKER.name} {silent}")
    assert (silent, False) in fake.progress(WORKER.name)
    assert set(fake.progress(fake.manager)) == {("", True)}


def test_a_kubelet_that_listens_elsewhere_is_asked_there() -> None:
    moved = node(WORKER)
    moved["status"]["daemonEndpoints"] = {"kubeletEndpoint": {"Port": 10260}}
    asked: list[tuple[str, int]] = []

    class Network(FakeNetwork):
        def connect(self, address: str, port: int, *, timeout: float) -> socket.socket:
            asked.append((address, port))
            return super().connect(address, kubelets.PORT, timeout=timeout)

    assert kubelets.silent(PLAN, with_worker(moved), Network()) == {}
    ports = {machine.address: kubelets.PORT for machine in PLAN.machines}
    assert sorted(asked) == sorted({**ports, WORKER.address: 10260}.items())


@pytest.mark.defect("W13")
def test_time_that_runs_out_names_each_node_and_its_reason(fake: FakeSite) -> None:
    late = with_worker(node(WORKER, ready="False"))
    fake.api.polls = [[item for item in late if item["metadata"]["name"] != fake.manager]]
    with pytest.raises(NotReadyError) as caught:
        run(fake, 3)
    assert caught.value.exit_code == 7
    assert f"{fake.manager} has not registered" in caught.value.message
    assert f"{WORKER.name} {NOT_READY}" in caught.value.message
    assert PLAN.workers[2].name not in caught.value.message
    assert "harness logs" in caught.value.hint
    assert sum(fake.clock.slept) == 3


def test_time_that_runs_out_without_an_answer_quotes_the_error(fake: FakeSite) -> None:
    fake.api.polls = [TransportError("ip-192.168.2.200: cannot be reached")]
    with pytest.raises(NotReadyError, match=r"ip-192\.168\.2\.200: cannot be reached"):
        run(fake, 2)


def test_two_good_polls_are_not_ready(fake: FakeSite) -> None:
    fake.api.polls = [good_nodes(PLAN)]
    with pytest.raises(NotReadyError, match="Ready 2 times in a row"):
        run(fake, ready.INTERVAL_SECONDS)


def test_what_no_wait_can_mend_surfaces_at_once(fake: FakeSite) -> None:
    fake.api.polls = [UsageError("There is no machine `x`.")]
    with pytest.raises(UsageError):
        run(fake)
    assert fake.clock.slept == []
