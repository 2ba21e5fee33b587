"""The contracts of provider and transport, on python-vagrant with real LXC machines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.cli import parts, resolution
from tests.contract import test_provider, test_transport
from tests.contract.conftest import ProviderUnderTest, TransportUnderTest
from tests.e2e import lab as labs
from tests.e2e.conftest import make_lab

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harness.cluster import Cluster

pytestmark = pytest.mark.lab
# The whole suites, whatever is added to them.
for suite in (test_provider, test_transport):
    globals().update({name: test for name, test in vars(suite).items() if name.startswith("test_")})
CLUSTER = "contract"
SECONDS = 60.0
MACHINES = labs.NAMES[:3]


@pytest.fixture(scope="module")
def cluster(
    tmp_path_factory: pytest.TempPathFactory,
    before: dict[str, set[str]],
) -> Iterator[Cluster]:
    """Three machines that are planned, and a network for them; nothing of Kubernetes."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("contract")
        lab = make_lab(folder, CLUSTER, workers=len(MACHINES) - 1)
        patch.setenv("HARNESS_STATE_DIR", str(lab.state))
        planned = parts.planned(resolution.of_files(lab.groups, "lxc"))
        secrets = planned.workspace.secrets()
        vagrantfile = planned.vagrantfile(planned.plan, secrets)
        planned.workspace.save_plan(planned.plan, vagrantfile=vagrantfile, content_hash="")
        planned.network.create()
        try:
            yield planned
        finally:
            planned.close()
            planned.network.remove()
    assert labs.new_since(before) == {}


@pytest.fixture
def provider_under_test(cluster: Cluster) -> Iterator[ProviderUnderTest]:
    yield ProviderUnderTest(cluster.provider, MACHINES, SECONDS)
    cluster.provider.destroy(MACHINES, timeout=SECONDS)


@pytest.fixture(scope="module")
def machine(cluster: Cluster) -> Iterator[str]:
    """A machine that runs."""
    name = MACHINES[0]
    cluster.provider.up([name], timeout=SECONDS, on_line=lambda _name, _line: None)
    yield name
    cluster.provider.destroy([name], timeout=SECONDS)
    cluster.forget(name)


@pytest.fixture
def transport_under_test(
    cluster: Cluster, machine: str, tmp_path: Path
) -> Iterator[TransportUnderTest]:
    transport = cluster.transport(machine)

    def read(path: str) -> tuple[bytes, int]:
        mode = transport.run(["stat", "--format=%a", path], timeout=10, sudo=True).check()
        content = transport.run(["od", "-An", "-v", "-tx1", path], timeout=10, sudo=True).check()
        return bytes.fromhex(content.stdout), int(mode.stdout, 8)

    yield TransportUnderTest(transport, machine, f"/opt/{tmp_path.name}/by put", read)
    transport.close()
