"""The API server of machines in memory, as kubectl shows it."""

from __future__ import annotations

import base64
import itertools
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from harness import kubeadm
from harness.errors import HarnessError
from harness.interfaces import Result
from harness.spec import Role
from tests.fake_pods import PodsAPI
from tests.fake_site import node

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.fake_machine import Machine

PORT = 6443


@dataclass
class LabAPI(PodsAPI):
    """Knows the nodes that are in the manager's etcd, and runs pods on those that live.

    Attributes:
        machines: Name → machine.
    """

    machines: dict[str, Machine] = field(kw_only=True)

    def __post_init__(self) -> None:
        for number, name in enumerate(self.machines):
            self.addresses[name] = f"10.244.{number}.7"

    @property
    def manager(self) -> Machine:
        return next(one for one in self.machines.values() if one.plan.role is Role.MANAGER)

    def get(
        self, kind: str, *, namespace: str = "", selector: str = "", timeout: float = 20.0
    ) -> list[dict[str, Any]]:
        if kind == "nodes":
            return [self._node(self.machines[name]) for name in self.manager.disk.nodes]
        found = super().get(kind, namespace=namespace, selector=selector, timeout=timeout)
        for item in found if kind == "pods" else ():
            if not self.machines[item["spec"]["nodeName"]].runs_pods:
                item["status"] = {"phase": "Pending"}
        return found

    def _node(self, machine: Machine) -> dict[str, Any]:
        ready = "Unknown" if machine.is_lost else str(self.manager.disk.has_network)
        pods = self.addresses[machine.name].replace(".7", ".0/24")
        return node(machine.plan, ready=ready, pods=pods)

    def kubectl(self, argv: Sequence[str], *, timeout: float, stdin: bytes = b"") -> Result:
        status, out, err = 1, "", self._why_silent()
        if not err:
            try:
                said = self._said(tuple(argv), timeout, stdin)
            except HarnessError as error:
                err = f"{error.message}\n"
            else:
                status, out, err = said.exit_status, said.stdout, said.stderr
        return Result(self.manager.name, ("kubectl", *argv), status, out, err, 0.0)

    def _why_silent(self) -> str:
        if not self.manager.disk.has_kubelet:
            return "error: stat /etc/kubernetes/admin.conf: no such file or directory\n"
        if not self.manager.runs_api:
            server = f"{self.manager.plan.address}:{PORT}"
            return f"The connection to the server {server} was refused - is it the right one?\n"
        return ""

    def _said(self, argv: tuple[str, ...], timeout: float, stdin: bytes) -> Result:
        """Return what a kubectl says that is answered."""
        out, nodes = "", self.manager.disk.nodes
        options = dict(itertools.pairwise(argv))
        if argv[0] == "get" and "--output=json" in argv:
            namespace, selector = options.get("--namespace", ""), options.get("--selector", "")
            items = self.get(argv[1], namespace=namespace, selector=selector)
            out = json.dumps({"items": items})
        elif argv[:2] == ("get", "node"):
            out = f"node/{argv[2]}\n" if argv[2] in nodes else ""
        elif argv[:2] == ("get", "secret"):
            expiry = (datetime.now(tz=UTC) + kubeadm.TOKEN_LIFETIME).isoformat()
            out = base64.b64encode(expiry.encode()).decode()
        elif argv[:2] == ("delete", "node"):
            for name in argv[2:]:
                nodes.pop(name, None)
        elif argv[0] == "exec" and not self._is_in_touch(argv):
            return Result(self.manager.name, argv, 1, "", "wget: download timed out\n", 0.0)
        elif argv[0] in {"apply", "exec", "delete"}:
            return super().kubectl(argv, timeout=timeout, stdin=stdin)
        return Result(self.manager.name, argv, 0, out, "", 0.0)

    def _is_in_touch(self, argv: tuple[str, ...]) -> bool:
        """Whether the pods of a fetch run, and reach each other."""
        source = self.pods[argv[argv.index("--") - 1]]["spec"]["nodeName"]
        address = argv[-1].removeprefix("http://").partition(":")[0]
        target = next(name for name, own in self.addresses.items() if own == address)
        return self.machines[source].runs_pods and self.machines[target].runs_pods
