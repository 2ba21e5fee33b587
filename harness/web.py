"""The web: gets one http(s) URL, within a time and a size."""

from __future__ import annotations

import http.client
import time
import urllib.error
import urllib.request

from harness.errors import HostError
from harness.sources import Fetched

FETCH_SECONDS = 20.0
_CHUNK = 1 << 16


def fetch(url: str, *, max_bytes: int, timeout: float = FETCH_SECONDS) -> Fetched:
    """Get what an URL names.

    Args:
        url: http or https; so are all that it may redirect to.
        max_bytes: More than this is an error.
        timeout: Seconds for all of it.

    Raises:
        HostError: If it cannot be had, says another status than 2xx, or breaks a limit.
    """
    deadline = time.monotonic() + timeout
    try:
        with _opener().open(url, timeout=timeout) as response:
            content = bytearray()
            while chunk := response.read1(_CHUNK):
                content += chunk
                if len(content) > max_bytes:
                    raise HostError(f"it is longer than {max_bytes} bytes")
                if time.monotonic() > deadline:
                    raise HostError(f"it took longer than {timeout:.0f} s")
            return Fetched(bytes(content), response.headers.get_content_type())
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise HostError(str(error) or type(error).__name__) from error


def _opener() -> urllib.request.OpenerDirector:
    """Return what opens http and https and nothing else: no file:, no ftp:."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPRedirectHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPErrorProcessor,
        urllib.request.UnknownHandler,
    ):
        opener.add_handler(handler())
    return opener
