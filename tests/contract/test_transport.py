"""What every transport promises; faults that only SSH has are in test_transport_faults."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.errors import CommandError, TransportError
from tests.contract.conftest import TransportUnderTest
from tests.fakes import Answer, FakeTransport

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.transports.ssh import SshTransport
    from tests.contract.conftest import Sshd

NASTY = ("two words", "$HOME", "it's", '"', "a;b", "*", "`id`", "back\\slash", "-n", "", "ä")
FAILING = ("sh", "-c", "echo out; echo err >&2; exit 7")
HANGING = ("sh", "-c", "echo almost there; exec sleep 6")


def fake_machine(argv: tuple[str, ...], stdin: bytes) -> Answer | None:
    """Answer the suite's commands as a machine would."""
    if argv[0] == "printf":
        return Answer(stdout="".join(f"[{word}]" for word in argv[2:]))
    if argv == ("cat",):
        return Answer(stdout=stdin.decode())
    answers = {
        FAILING: Answer(stdout="out\n", stderr="err\n", exit_status=7),
        HANGING: Answer(stdout="almost there\n", hangs=True),
        ("id", "-u"): Answer(stdout="0\n"),
    }
    return answers.get(argv)


def read_beside(path: str) -> tuple[bytes, int]:
    file = Path(path)
    return file.read_bytes(), stat.S_IMODE(file.stat().st_mode)


@pytest.fixture(params=["fake", "sshd"])
def transport_under_test(
    request: pytest.FixtureRequest,
    sshd: Sshd,
    connect: Callable[..., SshTransport],
    tmp_path: Path,
) -> TransportUnderTest:
    """Override this fixture (tests/e2e does, with LXC) to run the suite on other machines."""
    folder = str(tmp_path / "made" / "by put")
    if request.param == "fake":
        fake = FakeTransport("ip-192.168.2.3", script=[fake_machine])
        return TransportUnderTest(fake, fake.name, folder, fake.files.__getitem__)
    endpoint = sshd.endpoint()
    return TransportUnderTest(connect(endpoint), endpoint.name, folder, read_beside)


def test_arguments_arrive_as_they_are(transport_under_test: TransportUnderTest) -> None:
    transport, timeout = transport_under_test.transport, transport_under_test.timeout
    result = transport.run(["printf", "[%s]", *NASTY], timeout=timeout)
    assert result.stdout == "".join(f"[{word}]" for word in NASTY)


def test_a_failing_command_is_a_result_and_only_check_raises(
    transport_under_test: TransportUnderTest,
) -> None:
    transport, timeout = transport_under_test.transport, transport_under_test.timeout
    result = transport.run(FAILING, timeout=timeout)
    assert (result.exit_status, result.stdout, result.stderr) == (7, "out\n", "err\n")
    assert result.machine == transport_under_test.name
    with pytest.raises(CommandError, match="exited 7"):
        result.check()


def test_standard_input_arrives_and_ends(transport_under_test: TransportUnderTest) -> None:
    transport, timeout = transport_under_test.transport, transport_under_test.timeout
    result = transport.run(["cat"], timeout=timeout, stdin=b"one\ntwo")
    assert result.stdout == "one\ntwo"


def test_sudo_makes_it_root(transport_under_test: TransportUnderTest) -> None:
    transport, timeout = transport_under_test.transport, transport_under_test.timeout
    result = transport.run(["id", "-u"], timeout=timeout, sudo=True)
    assert result.check().stdout == "0\n"
    assert result.argv == ("sudo", "-n", "--", "id", "-u")


def test_a_command_out_of_time_is_an_error_with_machine_command_seconds_and_output(
    transport_under_test: TransportUnderTest,
) -> None:
    soon = transport_under_test.soon
    with pytest.raises(TransportError) as info:
        transport_under_test.transport.run(HANGING, timeout=soon)
    for word in (transport_under_test.name, "sleep 6", f"{soon:g} s", "almost there"):
        assert word in info.value.message


def test_put_makes_the_folder_and_the_file_with_its_mode(
    transport_under_test: TransportUnderTest,
) -> None:
    transport, timeout = transport_under_test.transport, transport_under_test.timeout
    path = f"{transport_under_test.folder}/a secret"
    content = bytes(range(256)) * 4
    transport.put(content, path, mode=0o600, timeout=timeout)
    assert transport_under_test.read(path) == (content, 0o600)


def test_put_replaces_content_and_mode(transport_under_test: TransportUnderTest) -> None:
    transport, timeout = transport_under_test.transport, transport_under_test.timeout
    path = f"{transport_under_test.folder}/init.sh"
    transport.put(b"long old content", path, mode=0o600, timeout=timeout)
    transport.put(b"new", path, mode=0o755, timeout=timeout)
    assert transport_under_test.read(path) == (b"new", 0o755)


def test_it_works_again_after_close(transport_under_test: TransportUnderTest) -> None:
    transport, timeout = transport_under_test.transport, transport_under_test.timeout
    transport.run(["id", "-u"], timeout=timeout)
    transport.close()
    assert transport.run(["id", "-u"], timeout=timeout).exit_status == 0
