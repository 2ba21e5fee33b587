"""Secrets to plant, one of every kind, in every form in which a text may hold them."""

from __future__ import annotations

import base64
import json
import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

TOKEN = "q7xw2k.5n8rz0c3vd6tj1ph"
JWT = "eyJhbGciOiJSUzI1NiIsImtpZCI6IiJ9.eyJzdWIiOiJzeXN0ZW06c2EifQ.c2lnbmF0dXJlLXNpZw"
PEM = (
    "-----BEGIN RSA PRIVATE KEY-----\n"
    "MIIEowIBAAKCAQEAq7Xw2K5n8Rz0C3vD6tJ1pHsL9yFbG4uM2eWiQoAkTxN5rVjZ\n"
    "cB8dS0fUhYgPlE3mOaI6nKwXqRt7JzDv\n"
    "-----END RSA PRIVATE KEY-----"
)
PREFIX = "Nov 22 11:35:12 ip-192.168.2.2 kubeadm[511]: "


def forms(secret: str) -> Mapping[str, tuple[str, tuple[str, ...]]]:
    """Return how a text may hold a secret, and what of it must not be left: by name."""
    body = "".join(line for line in secret.splitlines() if not line.startswith("-----"))
    lines = tuple(line for line in secret.splitlines() if not line.startswith("-----"))
    encoded = [
        base64.b64encode(f"{before}{secret}\n".encode()).decode() for before in ("", "x", "xy")
    ]
    inner = [text[4:-8] for text in encoded]
    return {
        "as it is": (secret, lines),
        "indented": (textwrap.indent(secret, "    "), lines),
        "in a journal": (textwrap.indent(secret, PREFIX), lines),
        "in JSON": (json.dumps({"content": secret}), lines),
        "one line of it": (f"read {lines[0]} here", lines[:1]),
        "wrapped": ("\n".join(textwrap.wrap(body, 20)), tuple(textwrap.wrap(body, 20)[:-1])),
        "wrapped in a journal": (
            textwrap.indent("\n".join(textwrap.wrap(body, 40)), PREFIX),
            tuple(textwrap.wrap(body, 40)[:-1]) or (body,),
        ),
        "in base64": (f"data: {encoded[0]}", (inner[0],)),
        "in base64 after something": (f"data: {encoded[1]}, {encoded[2]}", tuple(inner[1:])),
        "in wrapped base64": (
            "\n".join(textwrap.wrap(encoded[1], 76)),
            tuple(line[2:-4] for line in textwrap.wrap(encoded[1], 76) if len(line) > 30),
        ),
    }
