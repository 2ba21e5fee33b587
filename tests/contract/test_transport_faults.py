"""sshd is late, gone, another, or floods us, and the transport copes. All on loopback."""

from __future__ import annotations

import contextlib
import os
import signal
import stat
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from harness import process
from harness.errors import CommandError, InterruptedRunError, TransportError
from harness.transports import known_hosts, session, ssh
from harness.wait import Deadline
from tests.contract.conftest import free_port
from tests.contract.door import Door

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from harness.transports.ssh import SshTransport
    from tests.contract.conftest import Sshd

    Connect = Callable[..., SshTransport]


@pytest.fixture
def resumed() -> Iterator[None]:
    yield
    process.resume()


def test_three_megabytes_on_standard_error_do_not_hang(sshd: Sshd, connect: Connect) -> None:
    flood = "head -c 3000000 /dev/zero >&2; head -c 3000000 /dev/zero; echo end"
    result = connect(sshd.endpoint()).run(["sh", "-c", flood], timeout=30)
    assert len(result.stderr) == 3_000_000
    assert result.stdout.endswith("\0end\n")


def test_ten_megabytes_go_in_while_they_come_out(sshd: Sshd, connect: Connect) -> None:
    content = os.urandom(5_000_000).hex().encode()
    result = connect(sshd.endpoint()).run(["cat"], timeout=30, stdin=content)
    assert result.stdout.encode() == content


def test_a_command_that_ignores_its_input_ends_all_the_same(sshd: Sshd, connect: Connect) -> None:
    result = connect(sshd.endpoint()).run(["true"], timeout=30, stdin=b"x" * 8_000_000)
    assert result.exit_status == 0


def test_undecodable_output_is_replaced(sshd: Sshd, connect: Connect) -> None:
    result = connect(sshd.endpoint()).run(["printf", r"a\377\303\244"], timeout=10)
    assert result.stdout == "a\N{REPLACEMENT CHARACTER}ä"


def test_a_signal_that_kills_the_command_is_told_by_its_status(
    sshd: Sshd, connect: Connect
) -> None:
    result = connect(sshd.endpoint()).run(["sh", "-c", "kill -KILL $$"], timeout=10)
    assert result.exit_status == 128 + signal.SIGKILL


def test_a_daemon_that_keeps_the_streams_open_is_not_waited_for(
    sshd: Sshd, connect: Connect
) -> None:
    result = connect(sshd.endpoint()).run(["sh", "-c", "sleep 5 & echo started"], timeout=10)
    assert result.stdout == "started\n"
    assert result.seconds < 4


def test_a_command_that_closes_its_streams_is_waited_for(sshd: Sshd, connect: Connect) -> None:
    argv = ["sh", "-c", "exec >&- 2>&- <&-; sleep 0.5; exit 3"]
    result = connect(sshd.endpoint()).run(argv, timeout=10)
    assert result.exit_status == 3


def test_a_server_that_starts_late_is_waited_for(own_sshd: Sshd, connect: Connect) -> None:
    timer = threading.Timer(0.7, own_sshd.start)
    timer.start()
    result = connect(own_sshd.endpoint()).run(["echo", "late"], timeout=15)
    timer.join()
    assert result.stdout == "late\n"


def test_a_banner_that_comes_late_is_waited_for(sshd: Sshd, connect: Connect) -> None:
    with Door(sshd.port, delay=1, refusals=2) as door:
        transport = connect(sshd.endpoint(port=door.port))
        assert transport.run(["echo", "late"], timeout=15).stdout == "late\n"
        assert door.connections == 3
        transport.close()


def test_a_server_that_never_comes_is_an_error_after_the_time_limit(
    sshd: Sshd, connect: Connect
) -> None:
    port = free_port()
    began = time.monotonic()
    with pytest.raises(TransportError, match=r"not within 1 s.*refused") as info:
        connect(sshd.endpoint(port=port), connect_timeout=1).run(["true"], timeout=30)
    assert time.monotonic() - began < 5
    assert f"127.0.0.1:{port}" in info.value.message
    assert "status" in info.value.hint


def test_a_server_that_says_nothing_takes_no_longer_than_the_command_may(
    sshd: Sshd, connect: Connect
) -> None:
    with Door(sshd.port, delay=30) as door:
        began = time.monotonic()
        with pytest.raises(TransportError, match="not within 1 s"):
            connect(sshd.endpoint(port=door.port), connect_timeout=60).run(["true"], timeout=1)
        assert time.monotonic() - began < 4


def test_a_key_that_is_refused_gets_a_short_window_only(
    sshd: Sshd, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ssh, "AUTHENTICATION_WINDOW_SECONDS", 1.0)
    began = time.monotonic()
    with pytest.raises(TransportError, match="cannot log in with the cluster's key"):
        connect(sshd.endpoint(key="stranger_key"), connect_timeout=60).run(["true"], timeout=60)
    assert 1 < time.monotonic() - began < 10


def test_a_key_that_is_swapped_in_within_the_window_is_accepted(
    own_sshd: Sshd, connect: Connect
) -> None:
    own_sshd.start()
    swapped = (own_sshd.folder / "stranger_key.pub").read_text()
    timer = threading.Timer(0.7, (own_sshd.folder / "authorized_keys").write_text, args=[swapped])
    timer.start()
    transport = connect(own_sshd.endpoint(key="stranger_key"))
    assert transport.run(["echo", "in"], timeout=15).stdout == "in\n"
    timer.join()


def test_a_private_key_that_is_none_is_an_error_at_once(sshd: Sshd, connect: Connect) -> None:
    (sshd.folder / "broken_key").write_text("-----BEGIN NONSENSE-----\n")
    with pytest.raises(TransportError, match="private key cannot be read"):
        connect(sshd.endpoint(key="broken_key")).run(["true"], timeout=30)


def test_a_host_key_is_recorded_and_a_changed_one_is_refused_until_forgotten(
    own_sshd: Sshd, connect: Connect, tmp_path: Path
) -> None:
    file = tmp_path / "known_hosts"
    own_sshd.start("host_key")
    connect(own_sshd.endpoint()).run(["true"], timeout=15)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.read_text().startswith(f"[127.0.0.1]:{own_sshd.port} ssh-ed25519 ")
    own_sshd.stop()
    own_sshd.start("other_host_key")
    with pytest.raises(TransportError, match=r"host key of 127\.0\.0\.1:\d+ has changed") as info:
        connect(own_sshd.endpoint()).run(["true"], timeout=15)
    assert str(file) in info.value.hint
    known_hosts.forget(file, "127.0.0.1", own_sshd.port)
    assert connect(own_sshd.endpoint()).run(["true"], timeout=15).exit_status == 0


def test_forgetting_a_host_leaves_the_others(tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    known_hosts.forget(file, "192.168.2.2")
    for host in ("192.168.2.2", "192.168.2.20", "[192.168.2.2]:2222"):
        known_hosts.record(file, host, "ssh-ed25519", "AAAA")
    known_hosts.forget(file, "192.168.2.2")
    assert [line.split()[0] for line in file.read_text().splitlines()] == [
        "192.168.2.20",
        "[192.168.2.2]:2222",
    ]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_several_threads_meet_their_machines_at_once(
    sshd: Sshd, connect: Connect, tmp_path: Path
) -> None:
    with contextlib.ExitStack() as stack:
        doors = [stack.enter_context(Door(sshd.port)) for _ in range(4)]
        transports = [connect(sshd.endpoint(port=door.port)) for door in doors]
        with ThreadPoolExecutor() as pool:
            results = list(pool.map(lambda one: one.run(["true"], timeout=20), transports))
        for transport in transports:
            transport.close()
    assert [result.exit_status for result in results] == [0] * 4
    lines = (tmp_path / "known_hosts").read_text().splitlines()
    assert sorted(line.split()[0] for line in lines) == sorted(
        f"[127.0.0.1]:{door.port}" for door in doors
    )


def test_a_server_that_shares_no_algorithm_is_an_error_at_once(
    own_sshd: Sshd, connect: Connect
) -> None:
    own_sshd.start(KexAlgorithms="diffie-hellman-group18-sha512")
    with pytest.raises(TransportError, match=r"SSH to 127\.0\.0\.1:\d+: Incompatible"):
        connect(own_sshd.endpoint(), connect_timeout=60).run(["true"], timeout=60)


def test_a_server_that_allows_no_session_is_an_error(own_sshd: Sshd, connect: Connect) -> None:
    own_sshd.start(MaxSessions=0)
    with pytest.raises(TransportError, match="no session"):
        connect(own_sshd.endpoint()).run(["true"], timeout=15)


def test_a_machine_that_says_nothing_costs_no_more_than_the_commands_time(
    sshd: Sshd, connect: Connect
) -> None:
    with Door(sshd.port, delay=60) as door:
        transport = connect(sshd.endpoint(port=door.port))
        began = time.monotonic()
        with pytest.raises(TransportError, match="not within"):
            transport.run(["true"], timeout=1)
        assert time.monotonic() - began < 1 + 2 * ssh.LAST_ATTEMPT_SECONDS + 1


def test_a_channel_that_closes_before_the_command_starts_is_lost(
    sshd: Sshd, connect: Connect
) -> None:
    channel = connect(sshd.endpoint())._open_channel(Deadline(10))
    channel.close()
    with pytest.raises(session.SessionLostError):
        session.Session(channel, b"").start("true")


def test_a_connection_that_died_between_commands_is_made_anew(sshd: Sshd, connect: Connect) -> None:
    with Door(sshd.port) as door:
        transport = connect(sshd.endpoint(port=door.port))
        transport.run(["true"], timeout=10)
        door.slam()
        assert transport.run(["echo", "again"], timeout=10).stdout == "again\n"
        transport.close()


def test_a_connection_that_breaks_during_a_command_is_an_error_and_no_retry(
    sshd: Sshd, connect: Connect, tmp_path: Path
) -> None:
    runs = tmp_path / "runs"
    with Door(sshd.port) as door:
        transport = connect(sshd.endpoint(port=door.port))

        def slam_once_it_runs() -> None:
            while not runs.exists():
                threading.Event().wait(0.05)
            door.slam()

        threading.Thread(target=slam_once_it_runs, daemon=True).start()
        with pytest.raises(TransportError, match="connection was lost"):
            transport.run(["sh", "-c", f"echo once >> {runs}; exec sleep 8"], timeout=10)
        transport.close()
    assert runs.read_text() == "once\n"


@pytest.mark.usefixtures("resumed")
def test_another_threads_stop_ends_a_command(sshd: Sshd, connect: Connect) -> None:
    transport = connect(sshd.endpoint())
    transport.run(["true"], timeout=10)
    threading.Timer(0.5, process.stop_all).start()
    began = time.monotonic()
    with pytest.raises(InterruptedRunError):
        transport.run(["sleep", "6"], timeout=60)
    assert time.monotonic() - began < 3


@pytest.mark.usefixtures("resumed")
def test_another_threads_stop_ends_connecting(sshd: Sshd, connect: Connect) -> None:
    threading.Timer(0.3, process.stop_all).start()
    began = time.monotonic()
    with pytest.raises(InterruptedRunError):
        connect(sshd.endpoint(port=free_port()), connect_timeout=60).run(["true"], timeout=60)
    assert time.monotonic() - began < 3


def test_a_put_that_is_cut_short_leaves_the_old_file_and_nothing_else(
    sshd: Sshd, connect: Connect, tmp_path: Path
) -> None:
    path = tmp_path / "kept"
    path.write_text("old")
    argv = ["sh", "-c", ssh.PUT_SCRIPT, "put", str(path), "0600", "1000"]
    result = connect(sshd.endpoint()).run(argv, timeout=10, stdin=b"half", sudo=True)
    assert "cut short" in result.stderr
    with pytest.raises(CommandError):
        result.check()
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()].count("kept") == 1
    assert not list(tmp_path.glob("kept.*"))


def test_a_put_that_fails_says_where_and_why_but_not_what(sshd: Sshd, connect: Connect) -> None:
    secret = "s3cr3t-s3cr3t"
    with pytest.raises(CommandError) as info:
        connect(sshd.endpoint()).put(secret.encode(), "/proc/no/file", mode=0o600, timeout=10)
    assert info.value.message.startswith("ip-192.168.2.3: writing /proc/no/file failed: mkdir")
    assert secret not in info.value.message
