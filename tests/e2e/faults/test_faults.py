"""Some cells of the fault matrix, on real machines; `tox -e faults` tries all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e import lab as labs
from tests.e2e.faults import cells, results
from tests.e2e.faults.__main__ import try_apart

if TYPE_CHECKING:
    from tests.e2e.faults.cells import Cell

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("lab_host")]


@pytest.mark.parametrize("cell", cells.IN_CI, ids=str)
def test_a_fault_is_told_and_what_it_leaves_can_be_mended_and_removed(cell: Cell) -> None:
    (made,) = try_apart([cell], labs.WORKER or "gw0")
    assert made.is_good, results.line(made)
