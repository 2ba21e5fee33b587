"""What becomes of a cluster's nodes: told by the API server itself, nothing is overlooked."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, field
from threading import Thread
from typing import IO, TYPE_CHECKING

from tests.e2e import lab as labs

if TYPE_CHECKING:
    from collections.abc import Iterator

# In kubectl's words, but for a node that is not there.
READY, CORDONED, NOT_READY, GONE = "Ready", "Ready,SchedulingDisabled", "NotReady", ""
NEWS_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Change:
    """What became of a node, and when that was heard, in seconds since the epoch."""

    moment: float
    node: str
    status: str


@dataclass
class Nodes:
    """Every change of the status of a cluster's nodes, as its API server tells them."""

    lab: labs.Lab
    changes: list[Change] = field(default_factory=list)

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        words = ["get", "nodes", "--watch", "--output-watch-events", "--no-headers"]
        with self.lab.start("kubectl", "--name", self.lab.cluster, *words) as kubectl:
            reader = Thread(target=self._read, args=(kubectl.stdout,))
            reader.start()
            try:
                yield
            finally:
                kubectl.terminate()
                reader.join()

    def _read(self, lines: IO[str]) -> None:
        for line in lines:
            event, node, status, *_ = line.split()
            status = GONE if event == "DELETED" else status
            if self.now(node) != status:
                self.changes.append(Change(time.time(), node, status))

    def now(self, node: str) -> str:
        return next((one.status for one in reversed(self.changes) if one.node == node), GONE)

    def wait_for(self, node: str, status: str) -> None:
        """Let the last news arrive; what they tell, the harness itself has waited for."""
        labs.wait_for(f"{node} {status}", lambda: self.now(node) == status, NEWS_SECONDS)
