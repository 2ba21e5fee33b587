"""A snapshot asks once, whoever asks it, and forgets no error."""

from __future__ import annotations

import pytest

from harness.errors import TransportError
from harness.snapshot import Snapshot
from tests.fake_api import FakeAPI
from tests.fake_site import good_nodes
from tests.samples import cluster_plan


def test_what_was_seen_stays() -> None:
    api = FakeAPI()
    api.items["nodes"] = good_nodes(cluster_plan())
    seen = Snapshot(api)
    assert len(seen.get("nodes")) == 4
    api.items["nodes"] = []
    assert len(seen.get("nodes")) == 4
    assert Snapshot(api).get("nodes") == []


def test_kinds_namespaces_and_selectors_are_asked_apart() -> None:
    api = FakeAPI()
    pods = [{"metadata": {"name": name, "namespace": name}} for name in ("a", "b")]
    api.items["pods"] = pods
    seen = Snapshot(api)
    assert seen.get("pods") == pods
    assert seen.get("pods", namespace="a") == pods[:1]
    assert seen.get("nodes") == []


def test_who_was_out_of_reach_stays_so() -> None:
    api = FakeAPI(unreachable="no route")
    seen = Snapshot(api)
    for _ in range(2):
        with pytest.raises(TransportError, match="no route"):
            seen.get("nodes")
        api.unreachable = ""


def test_commands_are_run_now() -> None:
    api = FakeAPI(said="v1")
    assert Snapshot(api).kubectl(["version"], timeout=1).stdout == "v1"
    assert api.calls == [("version",)]
