"""The cluster's API server, asked by kubectl on the manager over SSH."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from harness.interfaces import Result, Transport

ADMIN_CONF = "/etc/kubernetes/admin.conf"
QUERY_SECONDS = 20.0


class KubectlOnManager:
    """Runs kubectl as root on the manager, as `interfaces.ClusterAPI`.

    Args:
        transport: Returns the manager's transport.
    """

    def __init__(self, transport: Callable[[], Transport]) -> None:
        self._transport = transport

    def get(
        self,
        kind: str,
        *,
        namespace: str = "",
        selector: str = "",
        timeout: float = QUERY_SECONDS,
    ) -> list[dict[str, Any]]:
        """Return the items of a kind; of all namespaces if none is named.

        Raises:
            TransportError, CommandError: If the API does not answer.
        """
        argv = ["get", kind, "--output=json", "--request-timeout=10s"]
        argv += ["--namespace", namespace] if namespace else ["--all-namespaces"]
        if selector:
            argv += ["--selector", selector]
        answer = self.kubectl(argv, timeout=timeout).check()
        items: list[dict[str, Any]] = json.loads(answer.stdout)["items"]
        return items

    def kubectl(self, argv: Sequence[str], *, timeout: float, stdin: bytes = b"") -> Result:
        """Run kubectl with the administrator's configuration."""
        full = ["kubectl", f"--kubeconfig={ADMIN_CONF}", *argv]
        return self._transport().run(full, timeout=timeout, stdin=stdin, sudo=True)
