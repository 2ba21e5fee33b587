"""Sprig's functions that make keys, passwords and random text."""

from __future__ import annotations

import hashlib
import hmac
import re
import string
from typing import TYPE_CHECKING

from harness.template.functions.table import function, modest

if TYPE_CHECKING:
    from harness.template.session import Session

_KEY_BITS = 2048
_MAX_RANDOM = 4096
_SCRYPT = {"n": 32768, "r": 8, "p": 2, "dklen": 64, "maxmem": 64 * 1024 * 1024}
# The templates and characters of the Master Password algorithm, which Sprig follows.
_PASSWORDS = {
    "maximum": ("anoxxxxxxxxxxxxxxxxx", "axxxxxxxxxxxxxxxxxno"),
    "long": (
        "CvcvnoCvcvCvcv", "CvcvCvcvnoCvcv", "CvcvCvcvCvcvno", "CvccnoCvcvCvcv", "CvccCvcvnoCvcv",
        "CvccCvcvCvcvno", "CvcvnoCvccCvcv", "CvcvCvccnoCvcv", "CvcvCvccCvcvno", "CvcvnoCvcvCvcc",
        "CvcvCvcvnoCvcc", "CvcvCvcvCvccno", "CvccnoCvccCvcv", "CvccCvccnoCvcv", "CvccCvccCvcvno",
        "CvcvnoCvccCvcc", "CvcvCvccnoCvcc", "CvcvCvccCvccno", "CvccnoCvcvCvcc", "CvccCvcvnoCvcc",
        "CvccCvcvCvccno",
    ),
    "medium": ("CvcnoCvc", "CvcCvcno"),
    "short": ("Cvcn",),
    "basic": ("aaanaaan", "aannaaan", "aaannaaa"),
    "pin": ("nnnn",),
}  # fmt: skip
_CHARACTERS = {
    "V": "AEIOU", "C": "BCDFGHJKLMNPQRSTVWXYZ", "v": "aeiou", "c": "bcdfghjklmnpqrstvwxyz",
    "A": "AEIOUBCDFGHJKLMNPQRSTVWXYZ", "a": "AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz",
    "n": "0123456789", "o": "@&%?,=[]_:-+*$#!'^~;()/.",
    "x": "AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz0123456789!@#$%^&*()",
}  # fmt: skip


def _random(session: Session, count: int, characters: str) -> str:
    return "".join(session.world.dice.choices(characters, k=modest(count, _MAX_RANDOM)))


@function("randAlphaNum", "Random letters and digits.", (5,), re.compile(r"[0-9A-Za-z]{5}"))
def _rand_alpha_num(session: Session, count: int) -> str:
    return _random(session, count, string.ascii_letters + string.digits)


@function("randAlpha", "Random letters.", (5,), re.compile(r"[A-Za-z]{5}"))
def _rand_alpha(session: Session, count: int) -> str:
    return _random(session, count, string.ascii_letters)


@function("randNumeric", "Random digits.", (5,), re.compile(r"[0-9]{5}"))
def _rand_numeric(session: Session, count: int) -> str:
    return _random(session, count, string.digits)


@function("randAscii", "Random printable characters of ASCII.", (5,), re.compile(r"[ -~]{5}"))
def _rand_ascii(session: Session, count: int) -> str:
    return _random(session, count, "".join(map(chr, range(32, 127))))


@function("uuidv4", "A random UUID.", (), re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"))
def _uuidv4(session: Session) -> str:
    import uuid  # noqa: PLC0415 - only those who ask pay for it

    return str(uuid.UUID(bytes=session.world.dice.randbytes(16), version=4))


@function(
    "genPrivateKey",
    "A new private key: `rsa`, `dsa` or `ecdsa`.",
    ("ecdsa",),
    re.compile(r"-----BEGIN EC PRIVATE KEY-----\n[\s\S]+\n-----END EC PRIVATE KEY-----\n"),
)
def _gen_private_key(kind: str) -> str:
    # Only those who ask pay for it.
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa  # noqa: PLC0415

    key: rsa.RSAPrivateKey | dsa.DSAPrivateKey | ec.EllipticCurvePrivateKey
    if kind in {"", "rsa"}:
        key = rsa.generate_private_key(public_exponent=65537, key_size=_KEY_BITS)
    elif kind == "dsa":
        key = dsa.generate_private_key(key_size=_KEY_BITS)
    elif kind == "ecdsa":
        key = ec.generate_private_key(ec.SECP256R1())
    else:
        raise ValueError(f"there is no kind of key `{kind}`")
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    ).decode()


@function(
    "derivePassword",
    "A site's password, derived from one that is kept.",
    (1, "long", "password", "user", "example.com"),
    "ZedaFaxcZaso9*",
)
def _derive_password(counter: int, kind: str, password: str, user: str, site: str) -> str:
    if kind not in _PASSWORDS:
        raise ValueError(f"there is no kind of password `{kind}`: {', '.join(_PASSWORDS)}")
    salt = _named("", user)
    key = hashlib.scrypt(password.encode(), salt=salt, **_SCRYPT)
    message = _named("", site) + (counter % 2**32).to_bytes(4, "big")
    seed = hmac.new(key, message, hashlib.sha256).digest()
    templates = _PASSWORDS[kind]
    template = templates[seed[0] % len(templates)]
    return "".join(
        _CHARACTERS[one][byte % len(_CHARACTERS[one])]
        for one, byte in zip(template, seed[1:], strict=False)
    )


def _named(prefix: str, name: str) -> bytes:
    master = f"com.lyndir.masterpassword{prefix}".encode()
    return master + len(name.encode()).to_bytes(4, "big") + name.encode()
