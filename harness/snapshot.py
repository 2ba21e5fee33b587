"""A cluster's API server as it was at one look, for whoever judges many machines at once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from harness.errors import CommandError, TransportError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.interfaces import ClusterAPI, Result

    Items = list[dict[str, Any]]


@dataclass
class Snapshot:
    """Asks for each thing once, as `interfaces.ClusterAPI`; what fails once fails again.

    Attributes:
        api: Who is asked.
    """

    api: ClusterAPI
    _seen: dict[tuple[str, str, str], Items | CommandError | TransportError] = field(
        default_factory=dict
    )

    def get(
        self, kind: str, *, namespace: str = "", selector: str = "", timeout: float = 20.0
    ) -> Items:
        """Return what was there when this was first asked.

        Raises:
            TransportError, CommandError: If the API did not answer then.
        """
        key = (kind, namespace, selector)
        if key not in self._seen:
            try:
                self._seen[key] = self.api.get(
                    kind, namespace=namespace, selector=selector, timeout=timeout
                )
            except (CommandError, TransportError) as error:
                self._seen[key] = error
        found = self._seen[key]
        if isinstance(found, Exception):
            raise found
        return found

    def kubectl(self, argv: Sequence[str], *, timeout: float, stdin: bytes = b"") -> Result:
        """Run kubectl now."""
        return self.api.kubectl(argv, timeout=timeout, stdin=stdin)
