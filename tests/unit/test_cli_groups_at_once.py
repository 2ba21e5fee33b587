"""Group commands beside others that work on the same cluster, and after themselves."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from harness.errors import ClusterHeldError
from harness.workspace import Workspace
from tests.unit import test_cli_groups
from tests.unit.test_cli_groups import lxc, workers

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fake_estate import Estate
    from tests.unit.test_cli_groups import Run

estate, committed = test_cli_groups.estate, test_cli_groups.committed


@pytest.mark.defect("G3")
@pytest.mark.parametrize("words", [("scale", "1"), ("free",), ("destroy",)], ids=" ".join)
def test_a_cluster_that_somebody_works_on_is_left_to_them(
    words: tuple[str, ...], run: Run, committed: Estate
) -> None:
    command, *rest = words
    with Workspace.of("walkthrough").hold("up"):
        ran = run("group", command, "kubernetes-workers", *rest)
    assert ran.code == ClusterHeldError.exit_code
    assert len(committed.nodes) == 4
    assert committed.destroyed == []


@pytest.mark.defect("G7")
def test_what_is_refused_is_not_recorded(run: Run, committed: Estate, tmp_path: Path) -> None:
    before = run("group", "inspect", "kubernetes-workers").out
    assert run(*lxc("commit", workers(tmp_path, 3, Memory=1))).code == 3
    assert run("group", "inspect", "kubernetes-workers").out == before
    assert "converging" not in run("group", "ls").out
    assert len(committed.nodes) == 4


@pytest.mark.defect("G9")
def test_nothing_goes_on_in_this_process_when_a_command_is_over(
    run: Run, committed: Estate, tmp_path: Path
) -> None:
    before = threading.enumerate()
    assert run(*lxc("commit", workers(tmp_path, 5))).code == 0
    assert len(committed.nodes) == 6
    assert threading.enumerate() == before


@pytest.mark.defect("G13")
@pytest.mark.parametrize("words", [("ls",), ("describe",), ("inspect",), ("scale",)], ids=" ".join)
def test_groups_can_be_looked_at_while_somebody_works_on_them(
    words: tuple[str, ...], run: Run, committed: Estate
) -> None:
    own = () if words == ("ls",) else ("kubernetes-workers",)
    free = run("group", *words, *own)
    with Workspace.of("walkthrough").hold("up"):
        assert run("group", *words, *own) == free
    assert free.code == 0
    assert len(committed.nodes) == 4
