"""An API server whose pods run and serve, for the check of the network between nodes."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from harness.interfaces import Result
from tests.fake_site import PolledAPI

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass
class PodsAPI(PolledAPI):
    """An API server whose pods run at once and serve what their commands say.

    Attributes:
        pods: Name → manifest of the pods that are there.
        addresses: Node → address of its pod.
        applied: Every manifest that was applied.
        refusals: How often `apply` fails first.
        pending: How often pods are asked for before they run.
        served: Address → (exit status, output) of a fetch from there, in place of the nonce.
        mends: Whether that is so only once.
        fetched: (node, node) of every fetch.
        deletes: Selectors of every delete.
        stubborn: What a delete raises.
    """

    pods: dict[str, dict[str, Any]] = field(default_factory=dict)
    addresses: dict[str, str] = field(default_factory=dict)
    applied: list[dict[str, Any]] = field(default_factory=list)
    refusals: int = 0
    pending: int = 0
    served: dict[str, tuple[int, str]] = field(default_factory=dict)
    mends: bool = False
    fetched: list[tuple[str, str]] = field(default_factory=list)
    deletes: list[str] = field(default_factory=list)
    stubborn: Exception | None = None

    def get(
        self, kind: str, *, namespace: str = "", selector: str = "", timeout: float = 20.0
    ) -> list[dict[str, Any]]:
        if kind != "pods":
            return super().get(kind, namespace=namespace, selector=selector, timeout=timeout)
        self.pending -= 1
        phase = "Pending" if self.pending >= 0 else "Running"
        label, _, run = selector.partition("=")
        return [
            {
                **pod,
                "status": {"phase": phase, "podIP": self.addresses[pod["spec"]["nodeName"]]},
            }
            for pod in self.pods.values()
            if pod["metadata"]["namespace"] == (namespace or pod["metadata"]["namespace"])
            and pod["metadata"]["labels"].get(label, "") == run
        ]

    def kubectl(self, argv: Sequence[str], *, timeout: float, stdin: bytes = b"") -> Result:
        del timeout
        self.calls.append(tuple(argv))
        status, said = {"apply": self._apply, "exec": self._fetch, "delete": self._delete}[argv[0]](
            argv, stdin
        )
        out, err = (said, "") if status == 0 else ("", said)
        return Result("manager", ("kubectl", *argv), status, out, err, 0.0)

    def _apply(self, _argv: Sequence[str], stdin: bytes) -> tuple[int, str]:
        self.refusals -= 1
        if self.refusals >= 0:
            return 1, 'serviceaccount "default" not found'
        self.applied = json.loads(stdin)["items"]
        self.pods |= {pod["metadata"]["name"]: pod for pod in self.applied}
        return 0, ""

    def _fetch(self, argv: Sequence[str], _stdin: bytes) -> tuple[int, str]:
        source = self.pods[argv[argv.index("--") - 1]]["spec"]["nodeName"]
        url = argv[-1]
        address = url.removeprefix("http://").partition(":")[0]
        target = next(name for name, own in self.addresses.items() if own == address)
        self.fetched.append((source, target))
        answer = self.served.get(address, (0, self.nonce(target)))
        if self.mends:
            self.served.clear()
        return answer

    def nonce(self, name: str) -> str:
        """Read the nonce that a node's pod offers out of its command."""
        for pod in self.pods.values():
            if pod["spec"]["nodeName"] == name:
                command = pod["spec"]["containers"][0]["command"][-1]
                return f"{command.partition('echo ')[2].split()[0]}\n"
        raise AssertionError(name)

    def _delete(self, argv: Sequence[str], _stdin: bytes) -> tuple[int, str]:
        self.deletes.append(argv[argv.index("--selector") + 1])
        if self.stubborn:
            raise self.stubborn
        self.pods.clear()
        return 0, ""
