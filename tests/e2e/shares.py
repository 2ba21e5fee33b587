"""Which tests on real machines one worker takes: `pytest -p tests.e2e.shares --dist loadfile`.

Not pytest-xdist's own groups: its 3.8 marks them in what pytest 9.2 no longer looks at, and the
tests of a file, which share a cluster, were dealt out one by one.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING

from xdist.scheduler import LoadScopeScheduling

if TYPE_CHECKING:
    import pytest
    from xdist.remote import Producer

# They look at the whole host, or remove what nobody owns there.
WHOLE_HOST = frozenset({"test_lost.py", "test_namespace.py"})


def share(nodeid: str) -> str:
    """Return the same for tests that one worker must take."""
    file = nodeid.partition("::")[0]
    name = PurePath(file).name
    return "whole host" if name in WHOLE_HOST else file


class Shares(LoadScopeScheduling):  # type: ignore[misc]  # it has no types
    """Deals out shares, the largest first."""

    def _split_scope(self, nodeid: str) -> str:
        return share(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    """Be pytest-xdist's hook."""
    return Shares(config, log)
