"""The world as templates find it here: files, http(s), unix sockets, the clock, the dice.

A header goes to the one address that it was said for: a redirect to another host drops it.
"""

from __future__ import annotations

import base64
import http.client
import os
import socket
import sys
import time
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urljoin

from harness.template.addresses import Address
from harness.template.world import MAX_BYTES, Files, World, limited

if TYPE_CHECKING:
    from collections.abc import Mapping

FETCH_SECONDS = 20.0
_MAX_REDIRECTS = 5
_CHUNK = 1 << 16
_REDIRECTS = {
    HTTPStatus.MOVED_PERMANENTLY,
    HTTPStatus.FOUND,
    HTTPStatus.SEE_OTHER,
    HTTPStatus.TEMPORARY_REDIRECT,
    HTTPStatus.PERMANENT_REDIRECT,
}


def world() -> World:
    """Return the real world, where `echo` goes to standard error."""
    return World(
        fetcher=Outside(),
        now=lambda: datetime.now().astimezone(),
        environment=os.environ,
        say=_say,
        seconds=time.monotonic,
    )


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


class Outside(Files):
    """The fetcher that goes everywhere a template may go, and asks each place once."""

    def __init__(self, timeout: float = FETCH_SECONDS) -> None:
        self._timeout = timeout
        self._known: dict[tuple[Address, frozenset[tuple[str, str]]], bytes] = {}

    def fetch(self, address: Address, headers: Mapping[str, str]) -> bytes:
        """Return what is at an address.

        Raises:
            OSError: If it cannot be had, in time.
            ValueError: If it is too large, or redirected to what is no web address.
        """
        if address.scheme in {"str", "file"}:
            return super().fetch(address, headers)
        key = (address, frozenset(headers.items()))
        if key not in self._known:
            try:
                self._known[key] = self._follow(address, headers)
            except http.client.HTTPException as error:
                raise OSError(f"no answer that is HTTP ({type(error).__name__})") from error
        return self._known[key]

    def _follow(self, address: Address, headers: Mapping[str, str]) -> bytes:
        deadline = time.monotonic() + self._timeout
        for _ in range(_MAX_REDIRECTS + 1):
            status, location, data = self._get(address, headers, deadline)
            if status == HTTPStatus.OK:
                return data
            if status not in _REDIRECTS or not location:
                raise OSError(f"error {status} {http.client.responses.get(status, '')}".strip())
            target = Address.of(urljoin(str(address), location))
            if target.scheme not in {"http", "https"}:
                raise ValueError(f"it is redirected to {target.shown}")
            if (target.scheme, target.host) != (address.scheme, address.host):
                headers = {}
            address = target
        raise OSError("it is redirected without an end")

    def _get(
        self, address: Address, headers: Mapping[str, str], deadline: float
    ) -> tuple[int, str, bytes]:
        user, _, _ = address.host.rpartition("@")
        if user:
            headers = {"Authorization": f"Basic {_basic(user)}", **headers}
        connection = _connection(address, max(deadline - time.monotonic(), 0.001))
        path = "/" if address.scheme == "unix" else quote(address.path)
        try:
            query = f"?{address.query}" if address.query else ""
            connection.request("GET", path + query, headers=dict(headers))
            with connection.getresponse() as response:
                data = self._read(response, deadline)
                return response.status, response.headers.get("Location", ""), data
        finally:
            connection.close()

    def _read(self, response: http.client.HTTPResponse, deadline: float) -> bytes:
        data = bytearray()
        while chunk := response.read1(_CHUNK):
            data += chunk
            if len(data) > MAX_BYTES:
                break
            if time.monotonic() > deadline:
                raise TimeoutError(f"it took longer than {self._timeout:.0f} s")
        return limited(data)


def _basic(user: str) -> str:
    return base64.b64encode(unquote(user).encode()).decode()


def _connection(address: Address, timeout: float) -> http.client.HTTPConnection:
    if address.scheme == "unix":
        return _Unix(Path(address.path), timeout)
    host = address.host.rpartition("@")[2]
    if address.scheme == "https":
        return http.client.HTTPSConnection(host, timeout=timeout)
    return http.client.HTTPConnection(host, timeout=timeout)


class _Unix(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        if not self._path.is_socket():
            raise OSError(f"not-a-socket: {self._path}")
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))
