"""An API server in memory: what it is told, and as much of kubectl as tests need."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from harness.errors import CommandError, TransportError
from harness.interfaces import Result

if TYPE_CHECKING:
    from collections.abc import Sequence

KINDS = ("nodes", "pods", "configmaps", "secrets")


@dataclass
class FakeAPI:
    """An API server that knows what it is told.

    Attributes:
        items: kind → what there is of it; `apply`, `cordon`, `drain`, `uncordon` and `delete`
            change it.
        said: What kubectl prints, whatever it is asked.
        exit_status: What kubectl exits with; if it is not 0, it does nothing else.
        unreachable: Why nobody answers; empty if somebody does.
        calls: Every kubectl.
    """

    items: dict[str, list[dict[str, Any]]] = field(
        default_factory=lambda: {kind: [] for kind in KINDS}
    )
    said: str = ""
    exit_status: int = 0
    unreachable: str = ""
    calls: list[tuple[str, ...]] = field(default_factory=list)

    def get(
        self, kind: str, *, namespace: str = "", selector: str = "", timeout: float = 20.0
    ) -> list[dict[str, Any]]:
        del timeout
        self._reach()
        if kind not in self.items:
            raise CommandError(f"error: the server doesn't have a resource type {kind!r}")
        label, _, value = selector.partition("=")
        return [
            item
            for item in self.items[kind]
            if namespace in ("", item["metadata"].get("namespace", ""))
            if not label or item["metadata"].get("labels", {}).get(label) == value
        ]

    def kubectl(self, argv: Sequence[str], *, timeout: float, stdin: bytes = b"") -> Result:
        del timeout
        self.calls.append(tuple(argv))
        self._reach()
        words = [word for word in argv if not word.startswith("-")]
        out, err = self.said, ""
        if not self.exit_status and words[0] == "apply":
            self._take(json.loads(stdin))
        elif not self.exit_status and words[0] == "delete":
            err = self._remove(words[1], words[2:], absent_is_fine="--ignore-not-found" in argv)
        elif not self.exit_status and words[0] == "get" and not out:
            out = self._named(words[1], words[2:])
        elif not self.exit_status and words[0] in ("cordon", "drain", "uncordon"):
            err = self._close(words[1], closed=words[0] != "uncordon")
        status = self.exit_status or int(bool(err))
        return Result("manager", ("kubectl", *argv), status, out, err, 0.0)

    def _reach(self) -> None:
        if self.unreachable:
            raise TransportError(self.unreachable)

    def _take(self, manifest: dict[str, Any]) -> None:
        self.items[f"{manifest['kind'].lower()}s"].append(manifest)

    def _named(self, kind: str, names: Sequence[str]) -> str:
        """Answer `get KIND NAME… --output=name`."""
        found = [item["metadata"]["name"] for item in self.items.get(f"{kind}s", ())]
        return "".join(f"{kind}/{name}\n" for name in names if name in found)

    def _remove(self, kind: str, names: Sequence[str], *, absent_is_fine: bool) -> str:
        items = self.items[f"{kind.removesuffix('s')}s"]
        there = {item["metadata"]["name"] for item in items}
        if not absent_is_fine and (absent := [name for name in names if name not in there]):
            return _not_found(kind, absent[0])
        items[:] = [item for item in items if item["metadata"]["name"] not in names]
        return ""

    def _close(self, name: str, *, closed: bool) -> str:
        node = next((one for one in self.items["nodes"] if one["metadata"]["name"] == name), None)
        if node is None:
            return _not_found("nodes", name)
        node["spec"]["unschedulable"] = closed
        return ""


def _not_found(kind: str, name: str) -> str:
    return f'Error from server (NotFound): {kind} "{name}" not found\n'
