"""kubectl on the manager: as root, with the administrator's configuration, read from JSON."""

from __future__ import annotations

import json

import pytest

from harness.errors import CommandError, TransportError
from harness.kubectl import KubectlOnManager
from tests.fakes import Answer, FakeTransport

ITEMS = [{"metadata": {"name": "ip-192.168.2.2"}}]
WORDS = ("kubectl", "--kubeconfig=/etc/kubernetes/admin.conf")


@pytest.fixture
def manager() -> FakeTransport:
    made = FakeTransport("ip-192.168.2.200")
    made.on(*WORDS, answer=Answer(json.dumps({"kind": "List", "items": ITEMS})))
    return made


def asked(manager: FakeTransport) -> list[str]:
    (call,) = manager.calls
    assert call.sudo  # the configuration is root's
    return list(call.argv[len(WORDS) :])


def test_items_are_read_from_json(manager: FakeTransport) -> None:
    assert KubectlOnManager(lambda: manager).get("nodes") == ITEMS
    assert asked(manager)[:3] == ["get", "nodes", "--output=json"]


def test_all_namespaces_are_meant_where_none_is_named(manager: FakeTransport) -> None:
    KubectlOnManager(lambda: manager).get("pods")
    assert "--all-namespaces" in asked(manager)


def test_a_namespace_and_a_selector_are_said(manager: FakeTransport) -> None:
    KubectlOnManager(lambda: manager).get("pods", namespace="default", selector="run=1")
    assert asked(manager)[-4:] == ["--namespace", "default", "--selector", "run=1"]
    assert "--all-namespaces" not in asked(manager)


def test_the_server_gives_up_before_the_connection_does(manager: FakeTransport) -> None:
    KubectlOnManager(lambda: manager).get("nodes")
    assert "--request-timeout=10s" in asked(manager)
    assert manager.calls[0].timeout > 10


def test_a_server_that_refuses_is_an_error_in_its_own_words(manager: FakeTransport) -> None:
    manager.script.clear()
    manager.on("kubectl", answer=Answer(stderr="connection refused\n", exit_status=1))
    with pytest.raises(CommandError, match="connection refused"):
        KubectlOnManager(lambda: manager).get("nodes")


def test_a_manager_that_is_not_reached_is_an_error(manager: FakeTransport) -> None:
    manager.reachable = False
    with pytest.raises(TransportError):
        KubectlOnManager(lambda: manager).get("nodes")


def test_any_command_may_fail_and_is_given_what_it_reads(manager: FakeTransport) -> None:
    manager.script.clear()
    manager.on("kubectl", answer=Answer(stderr="no\n", exit_status=3))
    result = KubectlOnManager(lambda: manager).kubectl(["apply"], timeout=7, stdin=b"kind: Pod\n")
    assert result.exit_status == 3
    (call,) = manager.calls
    assert (call.stdin, call.timeout, call.argv) == (b"kind: Pod\n", 7, (*WORDS, "apply"))


def test_the_manager_is_connected_to_only_when_it_is_asked() -> None:
    KubectlOnManager(lambda: pytest.fail("too early"))
