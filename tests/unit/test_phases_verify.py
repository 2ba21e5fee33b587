"""Pods on different nodes really reach each other, and what stands in for that is refused."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from harness.errors import CommandError, NotReadyError, TransportError
from harness.events import Notice
from harness.phases import verify
from tests.fake_pods import PodsAPI
from tests.fake_site import FakeSite, node
from tests.fakes import RecordingReporter

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from harness.spec import ClusterPlan


@dataclass
class Pods:
    """A site with that API server."""

    fake: FakeSite
    api: PodsAPI

    def run(self, plan: ClusterPlan | None = None, seconds: float = 60) -> str:
        return verify.PHASE.run(self.fake.site(plan), self.fake.deadline(seconds))

    @property
    def workers(self) -> list[str]:
        return [worker.name for worker in self.fake.plan.workers]

    @property
    def run_label(self) -> str:
        (label,) = {pod["metadata"]["labels"][verify.LABEL] for pod in self.api.applied}
        return f"{verify.LABEL}={label}"


@pytest.fixture
def pods(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pods:
    fake = FakeSite.of(tmp_path, RecordingReporter(), monkeypatch)
    api = PodsAPI()
    fake.api = api
    for number, machine in enumerate(fake.plan.machines):
        api.items.setdefault("nodes", []).append(node(machine, pods=f"10.244.{number}.0/24"))
        api.addresses[machine.name] = f"10.244.{number}.7"
    return Pods(fake, api)


def with_workers(plan: ClusterPlan, count: int) -> ClusterPlan:
    return replace(plan, machines=(plan.manager, *plan.workers[:count]))


def test_a_pod_on_each_worker_fetches_from_the_next(pods: Pods) -> None:
    assert pods.run() == "3 pods exchanged nonces"
    one, two, three = pods.workers
    assert pods.api.fetched == [(one, two), (two, three), (three, one)]
    assert [pod["spec"]["nodeName"] for pod in pods.api.applied] == [one, two, three]
    assert all(pods.fake.progress(name)[-1] == ("", True) for name in pods.workers)


def test_pods_are_ordinary_ones_that_use_the_network_between_nodes(pods: Pods) -> None:
    pods.run()
    for pod in pods.api.applied:
        assert not {"hostNetwork", "hostPort", "hostPID"} & json_keys(pod)
        assert pod["spec"]["containers"][0]["image"] == pods.fake.plan.supply.verify_image
        assert pod["spec"]["automountServiceAccountToken"] is False


def json_keys(value: object) -> set[str]:
    """Return every key, however deep."""
    if isinstance(value, dict):
        return {*value, *(key for inner in value.values() for key in json_keys(inner))}
    return (
        {key for inner in value for key in json_keys(inner)} if isinstance(value, list) else set()
    )


def test_every_pod_of_every_run_offers_something_else(pods: Pods) -> None:
    offered = []
    labels = set()
    for _ in range(2):
        pods.run()
        labels.add(pods.run_label)
        offered += [pod["spec"]["containers"][0]["command"][-1] for pod in pods.api.applied]
    assert len(set(offered)) == 6
    assert len(labels) == 2


def test_the_manager_takes_part_where_there_is_only_one_worker(pods: Pods) -> None:
    manager, worker = pods.fake.manager, pods.workers[0]
    assert pods.run(with_workers(pods.fake.plan, 1)) == "2 pods exchanged nonces"
    assert pods.api.fetched == [(manager, worker), (worker, manager)]


def test_one_node_alone_is_left_out_with_a_notice(pods: Pods) -> None:
    assert pods.run(with_workers(pods.fake.plan, 0)) == "one node only"
    assert [notice.message for notice in pods.fake.notices] == [
        "One node has nobody to talk to: the pod-to-pod check is left out."
    ]
    assert pods.api.calls == []


def test_a_service_account_that_comes_late_is_waited_for(pods: Pods) -> None:
    pods.api.refusals = 2
    pods.run()
    assert pods.fake.clock.slept == [verify.INTERVAL_SECONDS] * 2


def test_pods_that_are_still_starting_are_waited_for_with_their_reason(pods: Pods) -> None:
    pods.api.pending = 2
    pods.run()
    (notice,) = pods.fake.notices
    assert notice.level == "debug"
    assert f"on {pods.workers[0]}: Pending" in notice.message


def test_pods_that_never_run_are_not_ready(pods: Pods) -> None:
    pods.api.pending = 1000
    with pytest.raises(NotReadyError, match=rf"on {pods.workers[0]}: Pending") as caught:
        pods.run(seconds=2)
    assert caught.value.exit_code == 7


def refused(pods: Pods) -> None:
    pods.api.served["10.244.2.7"] = (1, "wget: can't connect to remote host: No route to host\n")


def hung(pods: Pods) -> None:
    pods.api.served["10.244.2.7"] = (124, "")


def wrong(pods: Pods) -> None:
    pods.api.served["10.244.2.7"] = (0, "<html>welcome</html>")


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (refused, "No route to host"),
        (hung, "http://10.244.2.7:8080/nonce"),
        (wrong, "answered with something else than the nonce of harness-verify-"),
    ],
)
def test_a_pod_that_is_not_reached_or_gives_another_nonce_is_not_ready(
    fault: Callable[[Pods], None], said: str, pods: Pods
) -> None:
    fault(pods)
    with pytest.raises(NotReadyError) as caught:
        pods.run(seconds=5)
    source, target = pods.workers[:2]
    assert f"a pod on {source} reaching one on {target}: not within" in caught.value.message
    assert said in caught.value.message
    assert "do not reach each other" in caught.value.hint
    assert pods.api.deletes == [pods.run_label]


def test_a_network_that_comes_a_little_late_is_waited_for(pods: Pods) -> None:
    refused(pods)
    pods.api.mends = True
    assert pods.run() == "3 pods exchanged nonces"
    assert pods.fake.clock.slept == [verify.INTERVAL_SECONDS]


def test_nodes_that_are_not_told_at_once_are_asked_for_again(pods: Pods) -> None:
    nodes = pods.api.items["nodes"]
    pods.api.polls = [CommandError("TLS handshake timeout"), TransportError("and"), nodes]
    assert pods.run() == "3 pods exchanged nonces"


@pytest.mark.parametrize("address", ["192.168.2.2", "10.244.1.7"])
def test_an_address_outside_its_nodes_range_proves_nothing(address: str, pods: Pods) -> None:
    second = pods.workers[1]
    pods.api.addresses[second] = address
    with pytest.raises(NotReadyError, match=rf"{second}: .* has address {address}, outside"):
        pods.run()
    assert pods.api.fetched == []
    assert pods.api.deletes == [pods.run_label]


def test_a_node_without_a_range_proves_nothing(pods: Pods) -> None:
    pods.api.items["nodes"][1]["spec"] = {}
    with pytest.raises(NotReadyError, match="range None"):
        pods.run()


def test_nodes_that_share_a_range_prove_nothing(pods: Pods) -> None:
    for item in pods.api.items["nodes"]:
        item["spec"]["podCIDR"] = "10.244.0.0/16"
    with pytest.raises(NotReadyError, match=r"share a pod range: .*/16, .*/16, .*/16"):
        pods.run()
    assert pods.api.fetched == []
    assert pods.api.deletes == [pods.run_label]


def test_the_runs_own_pods_are_removed_and_no_others(pods: Pods) -> None:
    pods.run()
    assert pods.api.deletes == [pods.run_label]
    assert pods.api.calls[-1][:4] == ("delete", "pods", "--namespace", "default")


def test_pods_are_removed_whatever_went_wrong(pods: Pods) -> None:
    pods.api.refusals = 1000
    with pytest.raises(NotReadyError, match="serviceaccount"):
        pods.run(seconds=2)
    assert len(pods.api.deletes) == 1


def test_pods_that_cannot_be_removed_are_a_notice_and_hide_nothing(pods: Pods) -> None:
    pods.api.stubborn = TransportError("ip-192.168.2.200: cannot be reached")
    assert pods.run() == "3 pods exchanged nonces"
    refused(pods)
    with pytest.raises(NotReadyError, match="No route to host"):
        pods.run(seconds=2)
    warning = Notice(
        "The probes' pods were not removed: ip-192.168.2.200: cannot be reached", "warning"
    )
    assert pods.fake.notices.count(warning) == 2
