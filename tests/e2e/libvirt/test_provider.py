"""What every provider promises, promised by virtual machines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.interfaces import MachineState
from tests.contract import test_provider as contract
from tests.contract.conftest import ProviderUnderTest
from tests.e2e.libvirt.conftest import UP_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.libvirt.conftest import Site

pytestmark = pytest.mark.libvirt
# The whole suite, whatever is added to it.
globals().update({name: test for name, test in vars(contract).items() if name.startswith("test_")})


@pytest.fixture
def provider_under_test(site: Site) -> Iterator[ProviderUnderTest]:
    yield ProviderUnderTest(site.provider, site.plan.names, UP_SECONDS)
    states = site.provider.machines(timeout=UP_SECONDS)
    left = [name for name, state in states.items() if state is not MachineState.ABSENT]
    site.provider.destroy(left, timeout=UP_SECONDS)  # of a test that failed
