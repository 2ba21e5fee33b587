"""Fixtures of the tests on real machines; each removes what it made, and looks that it did."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from harness.errors import HarnessError
from harness.lab import box, bundle
from tests.e2e import lab as labs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def lab_host() -> None:
    """Skip where there is no lab: no root, no bundle or no box; in CI that is a failure."""
    missing = "root" if os.geteuid() != 0 else ""
    try:
        if box.find(bundle.load(bundle.default_path())) is None:
            missing = missing or "the box (`harness box build`)"
    except HarnessError as error:
        missing = missing or error.message
    if missing and os.environ.get("CI"):
        pytest.fail(f"tests on real machines need {missing}, and CI skips nothing")
    if missing:
        pytest.skip(f"needs {missing}")


def make_lab(folder: Path, cluster: str, *, workers: int = 3) -> labs.Lab:
    """Return a cluster of its own, with a state folder of its own; nothing exists yet.

    Its id tells it from what other workers of this test run make at the same time.
    """
    cluster = f"{cluster.removesuffix(labs.SUFFIX)}{labs.SUFFIX}"
    groups = folder / "groups"
    groups.mkdir()
    return labs.Lab(folder / "state", labs.write_groups(groups, cluster, workers), cluster)


@pytest.fixture(scope="module")
def before(lab_host: None) -> dict[str, set[str]]:  # noqa: ARG001 - asked for, not looked at
    """What was on this host before the module's machines."""
    return labs.seen()


@pytest.fixture(scope="module")
def brought_up(
    tmp_path_factory: pytest.TempPathFactory, before: dict[str, set[str]]
) -> Iterator[tuple[labs.Lab, labs.Finished]]:
    """The walkthrough's cluster, up from nothing; shared by the tests of a module."""
    lab = make_lab(tmp_path_factory.mktemp("lab"), "e2e")
    try:
        finished = lab.up()
        assert finished.status == 0, finished.stderr
        yield lab, finished
    finally:
        finished = lab.down()
    assert finished.status == 0, finished.stderr
    assert labs.new_since(before) == {}


@pytest.fixture(scope="module")
def running_lab(brought_up: tuple[labs.Lab, labs.Finished]) -> labs.Lab:
    """The shared cluster."""
    return brought_up[0]


@pytest.fixture(scope="module")
def came_up(brought_up: tuple[labs.Lab, labs.Finished]) -> labs.Finished:
    """How the `up` of the shared cluster ended."""
    return brought_up[1]
