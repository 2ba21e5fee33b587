"""Addresses of templates: what may be fetched, and what a relative one means."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

SCHEMES = ("str", "file", "http", "https", "unix")


class Language(StrEnum):
    """The languages that templates are written in."""

    JINJA2 = "jinja2"
    GO = "go"


SUFFIXES = {
    ".tmpl": Language.GO,
    ".gotmpl": Language.GO,
    ".j2": Language.JINJA2,
    ".jinja": Language.JINJA2,
    ".jinja2": Language.JINJA2,
}


@dataclass(frozen=True, slots=True)
class Address:
    """Where a template is.

    Attributes:
        scheme: One of `SCHEMES`.
        host: With user and port, as it was said; empty for files.
        path: Decoded; for ``str`` the template's own text, for ``unix`` the socket.
        query: Of http(s), without its ``?``.
    """

    scheme: str
    host: str
    path: str
    query: str = ""

    @classmethod
    def of(cls, text: str) -> Address:
        """Read an address that has a scheme.

        Raises:
            ValueError: For a scheme that is not known.
        """
        scheme, _, rest = text.partition("://")
        if scheme not in SCHEMES:
            raise ValueError(f"unsupported url: {scheme}:// (known are {', '.join(SCHEMES)})")
        if scheme == "str":
            return cls("str", "", rest)
        parts = urlsplit(text)
        if scheme in {"file", "unix"}:
            return cls(scheme, "", unquote(parts.path))
        if not parts.hostname:
            raise ValueError(f"`{text}` names no host")
        return cls(scheme, parts.netloc, unquote(parts.path) or "/", parts.query)

    @classmethod
    def of_file(cls, file: Path) -> Address:
        """Return a file's address."""
        return cls("file", "", str(file.absolute()))

    @classmethod
    def named(cls, name: str | Path) -> Address:
        """Return the address of a path or an URL.

        Raises:
            ValueError: For a scheme that is not known.
        """
        is_url = isinstance(name, str) and "://" in name
        return cls.of(str(name)) if is_url else cls.of_file(Path(name))

    def __str__(self) -> str:
        if self.scheme == "str":
            return f"str://{self.path}"
        query = f"?{self.query}" if self.query else ""
        return f"{self.scheme}://{self.host}{quote(self.path)}{query}"

    @property
    def name(self) -> str:
        """The last part of its path; nothing for a text."""
        return "" if self.scheme == "str" else posixpath.basename(self.path)

    @property
    def folder(self) -> Path | None:
        """The folder that a file is in; nothing else is in one of this host."""
        return Path(self.path).parent if self.scheme == "file" else None

    @property
    def is_remote(self) -> bool:
        """Whether it is on the network."""
        return self.scheme in {"http", "https"}

    @property
    def shown(self) -> str:
        """As problems name it: a file's path, and nothing that may hold a secret."""
        if self.scheme == "str":
            return "<text>"
        if self.scheme == "file":
            return self.path
        return f"{self.scheme}://{self.host.rpartition('@')[2]}{self.path}"

    def resolve(self, relative: str, folder: Path | None) -> Address:
        """Return what `relative` means in the template at this address.

        Args:
            relative: An address, a path from the template's folder, or an absolute path.
            folder: Where a text without an address of its own stands, if anywhere.
        """
        if "\0" in relative:
            raise ValueError("an address cannot hold a NUL")
        if "://" in relative:
            return Address.of(relative)
        if self.scheme == "unix":
            raise ValueError(f"`{relative}` is relative, and a socket has no folders")
        if self.scheme == "str" and folder is None:
            raise ValueError(f"`{relative}` is relative, and this text stands in no folder")
        base = Address.of_file(folder / "text") if folder and self.scheme == "str" else self
        path = posixpath.normpath(posixpath.join(posixpath.dirname(base.path), relative))
        return replace(base, path=path)


def language_of(address: Address, otherwise: Language) -> Language:
    """Return the language that a template's name says, or the one it is in otherwise."""
    if address.scheme in {"str", "unix"}:
        return otherwise
    return SUFFIXES.get(posixpath.splitext(address.path)[1], otherwise)
