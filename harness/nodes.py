"""Nodes, from the API's JSON: why one is not Ready, and the walkthrough's table of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

ABSENT = "has not registered"
MINUTE = 60
HOUR = 60 * MINUTE
DAY = 24 * HOUR
YEAR = 365 * DAY
# kubectl 1.6 lays tables out with a Go tabwriter of these measures (pkg/printers).
MIN_WIDTH = 10
PADDING = 3


@dataclass(frozen=True, slots=True)
class NodeRow:
    """One line of the walkthrough's table.

    Attributes:
        name: The node's name.
        status: ``Ready``, ``NotReady`` or ``Unknown``, and ``,SchedulingDisabled`` if so.
        age: Like ``35s``, ``4m``, ``2h``.
        version: Of its kubelet.
    """

    name: str
    status: str
    age: str
    version: str


def why_not_ready(node: Mapping[str, Any], address: str) -> str:
    """Say why a node is not Ready at its planned address; empty if it is.

    Whether it takes new pods is another question: a cordoned node may be Ready.

    Args:
        node: An item of ``kubectl get nodes -o json``.
        address: IPv4 address of its machine.
    """
    addresses = [
        entry["address"]
        for entry in node["status"].get("addresses", ())
        if entry["type"] == "InternalIP"
    ]
    if addresses != [address]:
        return f"has InternalIP {', '.join(addresses) or 'none'} instead of {address}"
    if "deletionTimestamp" in node["metadata"]:
        return "is being deleted"
    for condition in node["status"].get("conditions", ()):
        if condition["type"] == "Ready":
            if condition["status"] == "True":
                return ""
            return f"{condition.get('reason', '')}: {condition.get('message', '')}"
    return "has no Ready condition yet"


def rows(
    items: Iterable[Mapping[str, Any]], now: datetime, order: Sequence[str]
) -> tuple[NodeRow, ...]:
    """Read nodes.

    Args:
        items: Of ``kubectl get nodes -o json``.
        now: With a time zone.
        order: Names as the plan has them, managers first; nodes that it does not know
            come after, by name.
    """
    places = {name: place for place, name in enumerate(order)}
    found = [_row(item, now) for item in items]
    return tuple(sorted(found, key=lambda row: (places.get(row.name, len(places)), row.name)))


def table(nodes: Iterable[NodeRow]) -> str:
    """Return the walkthrough's table, without a newline at its end."""
    lines = [(row.name, row.status, row.age, row.version) for row in nodes]
    return columns(("NAME", "STATUS", "AGE", "VERSION"), lines)


def columns(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """Lay out a table as kubectl 1.6 does; the last column is not padded."""
    cells = [tuple(head), *map(tuple, lines)]
    widths = [
        max(MIN_WIDTH, *(len(text) + PADDING for text in column))
        for column in zip(*cells, strict=True)
    ]
    return "\n".join(
        "".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    )


def age(seconds: float) -> str:
    """Say how long ago something was, as kubectl 1.6 does: in its largest whole unit."""
    if seconds < MINUTE:
        return f"{max(0, int(seconds))}s"
    for unit, letter, limit in ((MINUTE, "m", HOUR), (HOUR, "h", DAY), (DAY, "d", YEAR)):
        if seconds < limit:
            return f"{int(seconds // unit)}{letter}"
    return f"{int(seconds // YEAR)}y"


def _row(item: Mapping[str, Any], now: datetime) -> NodeRow:
    metadata, status = item["metadata"], item.get("status", {})
    created = datetime.fromisoformat(metadata["creationTimestamp"])
    return NodeRow(
        name=metadata["name"],
        status=_status(item),
        age=age((now - created).total_seconds()),
        version=status.get("nodeInfo", {}).get("kubeletVersion", ""),
    )


def _status(item: Mapping[str, Any]) -> str:
    conditions = item.get("status", {}).get("conditions", [])
    ready = next((entry["status"] for entry in conditions if entry["type"] == "Ready"), None)
    words = "Unknown" if ready is None else "Ready" if ready == "True" else "NotReady"
    closed = item.get("spec", {}).get("unschedulable", False)
    return f"{words},SchedulingDisabled" if closed else words
