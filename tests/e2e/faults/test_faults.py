"""Faults in every phase of one real cluster; `tox -e faults` tries all that make sense."""

from __future__ import annotations

import pytest

from tests.e2e import lab as labs
from tests.e2e.faults import cells, results
from tests.e2e.faults.__main__ import try_apart

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("lab_host")]


def test_a_cluster_that_is_given_up_in_every_phase_still_comes_up_and_goes() -> None:
    made = try_apart(cells.IN_CI, labs.WORKER or "gw0")
    assert [results.line(one) for one in made if not one.is_good] == []
