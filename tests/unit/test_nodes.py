from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from harness.nodes import NodeRow, age, rows, table

NOW = datetime(2024, 5, 1, 12, 0, 0, tzinfo=UTC)
ORDER = ("ip-192.168.2.200", "ip-192.168.2.2", "ip-192.168.2.3")


def node(
    name: str, ready: str | None = "True", *, minutes: int = 2, **spec: bool
) -> dict[str, Any]:
    conditions = [{"type": "MemoryPressure", "status": "False"}]
    if ready is not None:
        conditions.append({"type": "Ready", "status": ready})
    created = (NOW - timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "metadata": {"name": name, "creationTimestamp": created},
        "spec": spec,
        "status": {"conditions": conditions, "nodeInfo": {"kubeletVersion": "v1.6.3"}},
    }


def test_the_table_is_the_walkthroughs() -> None:
    items = [node("ip-192.168.2.2"), node("ip-192.168.2.200", minutes=4), node("ip-192.168.2.3")]
    assert table(rows(items, NOW, ORDER)) == (
        "NAME               STATUS    AGE       VERSION\n"
        "ip-192.168.2.200   Ready     4m        v1.6.3\n"
        "ip-192.168.2.2     Ready     2m        v1.6.3\n"
        "ip-192.168.2.3     Ready     2m        v1.6.3"
    )


def test_an_empty_table_has_its_head() -> None:
    assert table(()) == "NAME      STATUS    AGE       VERSION"


def test_nodes_that_nobody_planned_come_last_by_name() -> None:
    items = [node("zebra"), node("ant"), node("ip-192.168.2.2")]
    names = [row.name for row in rows(items, NOW, ORDER)]
    assert names == ["ip-192.168.2.2", "ant", "zebra"]


@pytest.mark.parametrize(
    ("ready", "spec", "words"),
    [
        ("True", {}, "Ready"),
        ("False", {}, "NotReady"),
        ("Unknown", {}, "NotReady"),
        (None, {}, "Unknown"),
        ("True", {"unschedulable": True}, "Ready,SchedulingDisabled"),
    ],
)
def test_the_status_is_in_kubectls_words(
    ready: str | None, spec: dict[str, bool], words: str
) -> None:
    assert rows([node("a", ready, **spec)], NOW, ())[0].status == words


def test_a_node_that_has_not_reported_yet_is_unknown() -> None:
    fresh = {"metadata": {"name": "a", "creationTimestamp": "2024-05-01T12:00:00Z"}}
    assert rows([fresh], NOW, ()) == (NodeRow("a", "Unknown", "0s", ""),)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-3, "0s"),
        (35.9, "35s"),
        (60, "1m"),
        (3599, "59m"),
        (7200, "2h"),
        (86400 * 3, "3d"),
        (86400 * 800, "2y"),
    ],
)
def test_age_is_in_the_largest_whole_unit(seconds: float, words: str) -> None:
    assert age(seconds) == words
