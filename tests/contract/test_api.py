"""What every API of a cluster promises to those who ask it with kubectl's words."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from harness.errors import CommandError
from tests.fake_api import FakeAPI
from tests.fake_site import good_nodes
from tests.samples import cluster_plan

if TYPE_CHECKING:
    from harness.interfaces import ClusterAPI

# More than the limit that a drain is given.
SECONDS = 90.0
NOBODY = "ip-192.0.2.1"


@dataclass(frozen=True)
class ApiUnderTest:
    """An API server, and the name of a worker that may be drained; nothing runs on it."""

    api: ClusterAPI
    worker: str

    def is_closed(self) -> bool:
        """Whether the worker takes no new pods."""
        items = {node["metadata"]["name"]: node for node in self.api.get("nodes")}
        return bool(items[self.worker]["spec"].get("unschedulable", False))


@pytest.fixture
def api_under_test() -> ApiUnderTest:
    """Override this fixture (tests/e2e does, with the lab) to run the suite on another API."""
    plan = cluster_plan()
    api = FakeAPI()
    api.items["nodes"] = good_nodes(plan)
    return ApiUnderTest(api, plan.workers[0].name)


def test_nodes_are_listed_with_all_that_they_are_judged_by(api_under_test: ApiUnderTest) -> None:
    items = {node["metadata"]["name"]: node for node in api_under_test.api.get("nodes")}
    assert len(items) > 1
    status = items[api_under_test.worker]["status"]
    assert {"type": "InternalIP", "address": api_under_test.worker.removeprefix("ip-")} in (
        status["addresses"]
    )
    ready = [one["status"] for one in status["conditions"] if one["type"] == "Ready"]
    assert ready == ["True"]


def test_a_kind_that_nobody_knows_is_an_error(api_under_test: ApiUnderTest) -> None:
    with pytest.raises(CommandError, match="the server doesn't have a resource type"):
        api_under_test.api.get("nothings")


def test_what_is_applied_is_found_by_namespace_and_label_and_can_be_deleted(
    api_under_test: ApiUnderTest,
) -> None:
    api, name = api_under_test.api, "contract"
    metadata = {"name": name, "namespace": "default", "labels": {"suite": name}}
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
    manifest["data"] = {"said": "two words, ä"}
    text = json.dumps(manifest).encode()
    api.kubectl(["apply", "--filename=-"], timeout=SECONDS, stdin=text).check()
    (found,) = api.get("configmaps", namespace="default", selector=f"suite={name}")
    assert (found["metadata"]["name"], found["data"]) == (name, manifest["data"])
    assert len(api.get("configmaps", selector=f"suite={name}")) == 1
    assert api.get("configmaps", selector="suite=other") == []
    assert api.get("configmaps", namespace="kube-system", selector=f"suite={name}") == []
    api.kubectl(["delete", "configmap", name, "--namespace=default"], timeout=SECONDS).check()
    assert api.get("configmaps", selector=f"suite={name}") == []


def test_a_drained_node_stays_closed_until_it_is_uncordoned(api_under_test: ApiUnderTest) -> None:
    api, worker = api_under_test.api, api_under_test.worker
    assert not api_under_test.is_closed()
    drain = ["drain", worker, "--ignore-daemonsets", "--force", "--timeout=60s"]
    try:
        api.kubectl(drain, timeout=SECONDS).check()
        assert api_under_test.is_closed()
    finally:
        api.kubectl(["uncordon", worker], timeout=SECONDS).check()
    assert not api_under_test.is_closed()


@pytest.mark.parametrize("command", [["drain"], ["delete", "node"]], ids=" ".join)
def test_an_error_is_a_status_and_kubectls_words(
    command: list[str], api_under_test: ApiUnderTest
) -> None:
    result = api_under_test.api.kubectl([*command, NOBODY], timeout=SECONDS)
    assert result.exit_status == 1
    assert result.stdout == ""
    assert "NotFound" in result.stderr
    assert NOBODY in result.stderr
    with pytest.raises(CommandError, match=f'"{NOBODY}" not found'):
        result.check()


def test_deleting_what_is_not_there_may_be_fine(api_under_test: ApiUnderTest) -> None:
    before = len(api_under_test.api.get("nodes"))
    delete = ["delete", "node", NOBODY, "--ignore-not-found"]
    assert api_under_test.api.kubectl(delete, timeout=SECONDS).exit_status == 0
    assert len(api_under_test.api.get("nodes")) == before
