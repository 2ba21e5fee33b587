"""Which tests on real machines one worker takes: `pytest -p tests.e2e.shares --dist loadfile`.

Not pytest-xdist's own groups: its 3.8 marks them in what pytest 9.2 no longer looks at, and the
tests of a file, which share a cluster, were dealt out one by one.
"""

from __future__ import annotations

import contextlib
from pathlib import PurePath
from typing import TYPE_CHECKING

import pytest
from xdist.scheduler import LoadScopeScheduling

if TYPE_CHECKING:
    from xdist.remote import Producer

# They look at the whole host, or remove what nobody owns there.
WHOLE_HOST = frozenset({"test_lost.py", "test_namespace.py"})
# By how long they take; whatever is not named comes last.
LONGEST_FIRST = ("test_walkthrough.py", "test_restart.py", "test_cluster.py", "test_faults.py")


REMOVAL_SECONDS = 120.0
DEALER = pytest.StashKey["Shares"]()


def share(nodeid: str) -> str:
    """Return the same for tests that one worker must take."""
    file = nodeid.partition("::")[0]
    name = PurePath(file).name
    return "whole host" if name in WHOLE_HOST else file


def turn(nodeid: str) -> int:
    """Return when a test's share is dealt out: the longest first, so that no worker ends late."""
    name = PurePath(nodeid.partition("::")[0]).name
    return LONGEST_FIRST.index(name) if name in LONGEST_FIRST else len(LONGEST_FIRST)


class Shares(LoadScopeScheduling):  # type: ignore[misc]  # it has no types
    """Deals out shares in the order of the tests."""

    def _split_scope(self, nodeid: str) -> str:
        return share(nodeid)


def pytest_configure(config: pytest.Config) -> None:
    """Keep pytest-xdist from putting shares in an order of its own."""
    config.option.loadscopereorder = False


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests in the order of their shares."""
    items.sort(key=lambda item: turn(item.nodeid))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    """Be pytest-xdist's hook."""
    config.stash[DEALER] = Shares(config, log)
    return config.stash[DEALER]


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Let workers that were interrupted remove their machines; pytest-xdist ends them soon."""
    dealer = session.config.stash.get(DEALER, None)
    for worker in dealer.nodes if dealer else ():
        channel = worker.channel
        with contextlib.suppress(channel.RemoteError, channel.TimeoutError, EOFError):
            channel.waitclose(REMOVAL_SECONDS)
