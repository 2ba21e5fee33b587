"""Sources: where a group file comes from (a path, an URL, `-`), and its text.

Everything is read to a limit: a group is a page, and what is longer is something else.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Protocol
from urllib.parse import unquote, urlsplit

from harness.errors import HarnessError, InvalidInputError, Problem

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_BYTES = 256 << 10
"""Of one group file; YAML of this size takes 3 s to parse."""

STANDARD_INPUT = "-"

_YAML_SUFFIXES = {".yaml", ".yml"}
_JSON_TYPES = {"application/json", "text/json"}
_YAML_TYPES = {"application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml"}


@dataclass(frozen=True, slots=True)
class Fetched:
    """What an URL gave.

    Attributes:
        content: All of it.
        content_type: Without parameters, in small letters; may be empty.
    """

    content: bytes
    content_type: str


class Fetch(Protocol):
    """Gets what an http(s) URL names, within a time limit of its own."""

    def __call__(self, url: str, *, max_bytes: int) -> Fetched:
        """Fetch.

        Raises:
            HarnessError: If it cannot be had in time, or is longer than `max_bytes`.
        """
        ...


@dataclass(frozen=True, slots=True)
class Source:
    """The text of one group file.

    Attributes:
        name: As the user named it.
        text: Decoded.
        is_yaml: Whether it is YAML; else it is JSON.
        folder: What paths in it are relative to; none for an URL.
    """

    name: str
    text: str
    is_yaml: bool
    folder: Path | None


def local(name: str) -> str:
    """Return the path that a file URL of this host says; anything else as it is."""
    for host in ("", "localhost"):
        if name.startswith(f"file://{host}/"):
            return unquote(name.removeprefix(f"file://{host}"))
    return name


def read_file(name: str) -> Source:
    """Read a group file, named by a path or a file URL, from this host's disk.

    Raises:
        InvalidInputError: If it is missing, too long or not UTF-8.
    """
    path = Path(local(name))
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        known = "; known are paths, file:///…, http:// and https:// URLs, and -"
        is_url = "://" in local(name)
        raise _refused(name, f"there is no such file{known if is_url else ''}") from error
    except (OSError, ValueError) as error:
        raise _refused(name, f"cannot be read: {error}") from error
    is_yaml = path.suffix.lower() in _YAML_SUFFIXES
    return Source(name, _text(name, content), is_yaml, path.resolve().parent)


def read(name: str, *, fetch: Fetch, stdin: Callable[[int], bytes]) -> Source:
    """Read a group file from wherever its name says.

    Args:
        name: A path, a file or http(s) URL, or ``-`` for standard input.
        fetch: Gets URLs.
        stdin: Returns at most so many bytes of standard input, from its beginning.

    Raises:
        InvalidInputError: If it cannot be read.
    """
    if name == STANDARD_INPUT:
        text = _text(name, stdin(MAX_BYTES + 1))
        # Nothing else tells: JSON's groups begin with a brace or a bracket.
        is_yaml = not text.lstrip().startswith(("{", "["))
        return Source(name, text, is_yaml, Path.cwd())
    if not name.startswith(("http://", "https://")):
        return read_file(name)
    try:
        fetched = fetch(name, max_bytes=MAX_BYTES)
    except HarnessError as error:
        raise _refused(name, f"cannot be fetched: {error.message}") from error
    return Source(name, _text(name, fetched.content), _is_yaml(name, fetched.content_type), None)


def _is_yaml(url: str, content_type: str) -> bool:
    if content_type in _JSON_TYPES | _YAML_TYPES:
        return content_type in _YAML_TYPES
    return PurePosixPath(urlsplit(url).path).suffix.lower() in _YAML_SUFFIXES


def _text(name: str, content: bytes) -> str:
    if len(content) > MAX_BYTES:
        raise _refused(name, f"longer than {MAX_BYTES} bytes: too long to be a group")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _refused(name, f"cannot be read: {error}") from error


def _refused(name: str, message: str) -> InvalidInputError:
    return InvalidInputError([Problem(name, "$", message)])
