"""Runs commands on a machine over SSH: the one importer of paramiko.

paramiko's own limits are for one read, not for a command, and it hangs when one stream
is read to its end before the other; so a command is served here by one loop with one
deadline. Commands are never retried, only connections are.
"""

from __future__ import annotations

import io
import logging
import shlex
import sys
import time
from typing import TYPE_CHECKING, cast

import paramiko

from harness.errors import CommandError, InterruptedRunError, LoginRefusedError, TransportError
from harness.interfaces import TAIL_LINES, Result
from harness.process import STOPPING
from harness.transports import known_hosts, terminal
from harness.transports.session import Session, SessionLostError
from harness.wait import Deadline, WaitTimeout, retry

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from harness.interfaces import Endpoint, Network

ATTEMPT_SECONDS = 10.0
LAST_ATTEMPT_SECONDS = 1.0
RETRY_SECONDS = 0.5
# Vagrant replaces its insecure key while the machine is already reachable, so a refused
# key may pass; but a key that stays wrong must not take the whole connect time.
AUTHENTICATION_WINDOW_SECONDS = 10.0
KEEPALIVE_SECONDS = 15
KEY_TYPES: tuple[type[paramiko.PKey], ...] = (
    paramiko.Ed25519Key,
    paramiko.ECDSAKey,
    paramiko.RSAKey,
)
PASSING = ("banner", "No existing session", "EOF", "connection dropped", "timed out")
"""What paramiko's bare SSHException says while a machine's sshd is starting."""

# Written beside the target and moved over it only when it is whole: a connection that
# breaks ends `cat` early without an error.
PUT_SCRIPT = """
set -eu
path=$1 mode=$2 size=$3
(umask 022; mkdir -p -- "$(dirname -- "$path")")
umask 077
temporary=$(mktemp -- "$path.XXXXXXXX")
trap 'rm -f -- "$temporary"' EXIT
cat > "$temporary"
[ "$(wc -c < "$temporary")" -eq "$size" ] || { echo "$path: cut short" >&2; exit 1; }
chmod "$mode" "$temporary"
mv -f -- "$temporary" "$path"
"""

# Each of its errors is raised here as well, with the machine's name.
logging.getLogger("paramiko.transport").setLevel(logging.CRITICAL)


class _NotYetError(Exception):
    """A connection failed in a way that is known to pass."""


class _RecordKey(paramiko.MissingHostKeyPolicy):
    """Trusts a host that the cluster's file does not name, and writes it there."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def missing_host_key(
        self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey
    ) -> None:
        del client
        known_hosts.record(self._path, hostname, key.get_name(), key.get_base64())


class SshTransport:
    """One machine, as `interfaces.Transport`; used by one thread at a time.

    Args:
        endpoint: Where and as whom to log in.
        network: Where connections are made from.
        known_hosts: The cluster's own file of host keys.
        connect_timeout: Seconds for a connection, retries included.
    """

    def __init__(
        self, endpoint: Endpoint, *, network: Network, known_hosts: Path, connect_timeout: float
    ) -> None:
        self._endpoint = endpoint
        self._network = network
        self._known_hosts = known_hosts
        self._connect_timeout = connect_timeout
        self._client: paramiko.SSHClient | None = None

    def run(
        self, argv: Sequence[str], *, timeout: float, stdin: bytes = b"", sudo: bool = False
    ) -> Result:
        """Run a command to its end.

        A command that a signal killed has the exit status 128 plus its number. After a
        timeout the channel is closed, but the command itself may go on over there.

        Raises:
            TransportError: If the connection fails or the time runs out.
            InterruptedRunError: If everything is being stopped.
        """
        full = ("sudo", "-n", "--", *argv) if sudo else tuple(argv)
        return self._run(full, f"`{shlex.join(full)}`", timeout, stdin)

    def put(self, content: bytes, path: str, *, mode: int, timeout: float) -> None:
        """Write a file as root, whole or not at all; its directory is made if missing.

        Raises:
            CommandError: If the machine cannot write it.
            TransportError: If the connection fails or the time runs out.
        """
        script = ("sh", "-c", PUT_SCRIPT, "put", path, f"{mode:04o}", str(len(content)))
        label = f"writing {path}"
        result = self._run(("sudo", "-n", "--", *script), label, timeout, content)
        if result.exit_status != 0:
            raise CommandError(f"{self._endpoint.name}: {label} failed: {result.stderr.strip()}")

    def interactive(self, argv: Sequence[str]) -> int:
        """Run with the caller's terminal; return the exit status. No argv: a login shell."""
        channel = self._open_channel(Deadline(self._connect_timeout))
        try:
            if sys.stdin.isatty():
                channel.get_pty(*terminal.kind_and_size())
            if argv:
                channel.exec_command(shlex.join(argv))
            else:
                channel.invoke_shell()
            return terminal.attach(channel)
        except (paramiko.SSHException, OSError, EOFError) as error:
            raise TransportError(f"{self._endpoint.name}: {error or 'connection lost'}") from error
        finally:
            channel.close()

    def close(self) -> None:
        """Close the connection; a later call connects anew."""
        if self._client:
            self._client.close()
            self._client = None

    def _run(self, argv: tuple[str, ...], label: str, timeout: float, stdin: bytes) -> Result:
        """Run a command that messages call `label`."""
        deadline = Deadline(timeout)
        began = time.monotonic()
        session = Session(self._open_channel(deadline), stdin)
        try:
            # With something after it the login shell forks for the command, so that a
            # signal becomes a status; paramiko drops the "exit-signal" message.
            session.start(f"{shlex.join(argv)}; exit $?")
            status = session.serve(deadline)
        except SessionLostError as error:
            self.close()
            raise self._error(f"the connection was lost: {error}", label, session) from error
        finally:
            session.close()
        if status is None and STOPPING.is_set():
            raise InterruptedRunError(f"{self._endpoint.name}: {label} was left")
        if status is None:
            raise self._error(f"it did not end within {timeout:g} s", label, session)
        seconds = time.monotonic() - began
        name = self._endpoint.name
        return Result(name, argv, status, session.stdout, session.stderr, seconds)

    def _open_channel(self, deadline: Deadline) -> paramiko.Channel:
        """Open a channel on the connection, which is made anew once if it has died."""
        if self._client:
            try:
                return _channel(self._client, deadline)
            except (paramiko.SSHException, OSError, EOFError):
                self.close()
        self._client = self._connect(min(deadline.remaining, self._connect_timeout))
        try:
            return _channel(self._client, deadline)
        except (paramiko.SSHException, OSError, EOFError) as error:
            self.close()
            raise TransportError(f"{self._endpoint.name}: no session: {error}") from error

    def _connect(self, timeout: float) -> paramiko.SSHClient:
        window = Deadline(min(AUTHENTICATION_WINDOW_SECONDS, timeout))
        deadline = Deadline(timeout)
        try:
            return retry(
                lambda: self._attempt(window, _attempt_seconds(deadline)),
                on=(_NotYetError,),
                timeout=timeout,
                interval=RETRY_SECONDS,
                what=f"{self._endpoint.name}: SSH to {self._where()}",
            )
        except WaitTimeout as error:
            hint = "`harness status` shows whether the machine runs."
            raise TransportError(error.message, hint=hint) from error

    def _attempt(self, authentication_window: Deadline, seconds: float) -> paramiko.SSHClient:
        """Connect once, and translate what goes wrong into "passes" or "does not"."""
        name = self._endpoint.name
        try:
            return self._login(seconds)
        except paramiko.BadHostKeyException as error:
            raise TransportError(
                f"{name}: the host key of {self._where()} has changed",
                hint=f"If the machine was made anew by hand, remove its line from "
                f"{self._known_hosts}; if not, something else answers at its address.",
            ) from error
        except paramiko.AuthenticationException as error:
            reason = f"{self._endpoint.user} cannot log in with the cluster's key: {error}"
            if not authentication_window.expired:
                raise _NotYetError(reason) from error
            raise LoginRefusedError(f"{name}: {reason}") from error
        except paramiko.SSHException as error:
            if any(words in str(error) for words in PASSING):
                raise _NotYetError(str(error)) from error
            raise TransportError(f"{name}: SSH to {self._where()}: {error}") from error
        except (OSError, EOFError) as error:
            raise _NotYetError(str(error) or type(error).__name__) from error

    def _login(self, seconds: float) -> paramiko.SSHClient:
        endpoint = self._endpoint
        client = paramiko.SSHClient()
        if self._known_hosts.exists():
            client.load_host_keys(str(self._known_hosts))
        client.set_missing_host_key_policy(_RecordKey(self._known_hosts))
        key = _private_key(endpoint)
        sock = self._network.connect(endpoint.address, endpoint.port, timeout=seconds)
        try:
            client.connect(
                endpoint.address,
                endpoint.port,
                username=endpoint.user,
                pkey=key,
                sock=sock,
                timeout=seconds,
                banner_timeout=seconds,
                auth_timeout=seconds,
                channel_timeout=seconds,
                allow_agent=False,
                look_for_keys=False,
            )
            _connection(client).set_keepalive(KEEPALIVE_SECONDS)
        except BaseException:
            client.close()
            sock.close()
            raise
        return client

    def _where(self) -> str:
        return f"{self._endpoint.address}:{self._endpoint.port}"

    def _error(self, what: str, label: str, session: Session) -> TransportError:
        tail = "\n".join((session.stdout + session.stderr).splitlines()[-TAIL_LINES:])
        message = f"{self._endpoint.name}: {label}: {what}"
        return TransportError(f"{message}:\n{tail}" if tail else message)


def _attempt_seconds(deadline: Deadline) -> float:
    """Give an attempt what is left of its caller's time, and the last one a moment more."""
    return min(ATTEMPT_SECONDS, max(deadline.remaining, LAST_ATTEMPT_SECONDS))


def _connection(client: paramiko.SSHClient) -> paramiko.Transport:
    return cast("paramiko.Transport", client.get_transport())  # None only before `connect`


def _channel(client: paramiko.SSHClient, deadline: Deadline) -> paramiko.Channel:
    return _connection(client).open_session(timeout=_attempt_seconds(deadline))


def _private_key(endpoint: Endpoint) -> paramiko.PKey:
    for key_type in KEY_TYPES:
        try:
            return key_type.from_private_key(io.StringIO(endpoint.private_key))
        except paramiko.SSHException:
            continue
    raise TransportError(f"{endpoint.name}: the cluster's private key cannot be read")
