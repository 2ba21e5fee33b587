"""What every transport promises, promised by a virtual machine that Vagrant brought up."""

from __future__ import annotations

from base64 import b64decode
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.errors import TransportError
from tests.contract import test_transport as contract
from tests.contract.conftest import TransportUnderTest
from tests.e2e.libvirt.conftest import UP_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.transports.ssh import SshTransport
    from tests.e2e.libvirt.conftest import Site

pytestmark = pytest.mark.libvirt
# The whole suite, whatever is added to it.
globals().update({name: test for name, test in vars(contract).items() if name.startswith("test_")})


@pytest.fixture(scope="module")
def machine(site: Site) -> Iterator[str]:
    """A machine that runs, the same for every test."""
    name = site.plan.names[0]
    try:
        site.provider.up([name], timeout=UP_SECONDS, on_line=lambda *_: None)
        yield name
    finally:
        site.provider.destroy([name], timeout=UP_SECONDS)


@pytest.fixture
def transport(site: Site, machine: str) -> Iterator[SshTransport]:
    transport = site.transport(machine)
    transport.run(["true"], timeout=60)  # connected: an emulated machine takes its time for it
    yield transport
    transport.close()


@pytest.fixture
def transport_under_test(
    transport: SshTransport, machine: str, tmp_path: Path
) -> TransportUnderTest:
    def read(path: str) -> tuple[bytes, int]:
        """Look with commands of the machine's own, of which none is the one under test."""
        mode = transport.run(["stat", "-c", "%a", path], timeout=30, sudo=True).check().stdout
        dump = transport.run(["base64", path], timeout=30, sudo=True).check().stdout
        return b64decode(dump), int(mode, 8)

    folder = f"/var/tmp/{tmp_path.name}/by put"
    return TransportUnderTest(transport, machine, folder, read, timeout=60, soon=4)


def test_vagrants_insecure_key_opens_nothing(site: Site, machine: str) -> None:
    transport = site.transport(machine, key=site.vagrant_home / "insecure_private_key")
    with pytest.raises(TransportError, match="cannot log in"):
        transport.run(["true"], timeout=60)


def test_it_is_a_machine_with_a_kernel_of_its_own_at_the_planned_address(
    site: Site, machine: str, transport: SshTransport
) -> None:
    kernel = transport.run(["uname", "-r"], timeout=30).check().stdout
    assert kernel != Path("/proc/sys/kernel/osrelease").read_text()
    addresses = transport.run(["hostname", "-I"], timeout=30).check().stdout.split()
    assert site.plan.machine(machine).address in addresses
