"""The texts that a template is made of, found without rendering it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.template.addresses import Address, Language, language_of
from harness.template.faults import EXPRESSION_ERRORS, FaultError, Site, text_of
from harness.template.world import MAX_DEPTH

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from harness.template.mentions import Mention
    from harness.template.session import Session

    Readers = Mapping[Language, Callable[[str, str], Sequence[Mention]]]


@dataclass(frozen=True, slots=True)
class Source:
    """A text that a template is made of.

    Attributes:
        name: Of its file, without the way to it; empty for a text that is none.
        content: All of it.
    """

    name: str
    content: bytes


def walk(session: Session, address: Address, language: Language, readers: Readers) -> list[Source]:
    """Return a template and all that it mentions, each once, in order of first mention.

    That is files, and for a template on the network what stands beside it there.

    Raises:
        FaultError: For a file that must be there and is not, a syntax error, or a circle.
    """
    found: dict[Address, Source] = {}
    _Walk(session, readers, found).visit(address, language, ())
    return list(found.values())


class _Walk:
    def __init__(self, session: Session, readers: Readers, found: dict[Address, Source]) -> None:
        self._session = session
        self._readers = readers
        self._found = found

    def visit(self, address: Address, language: Language, above: tuple[Address, ...]) -> None:
        """Note a template and go on to what it mentions."""
        try:
            text = self._note(address).decode("utf-8")
        except FileNotFoundError:
            raise FaultError("there is no such template", Site(address.shown, 1)) from None
        except EXPRESSION_ERRORS as error:
            raise FaultError(text_of(error), Site(address.shown, 1)) from error
        for mention in self._readers[language](text, address.shown):
            self._follow(mention, address, language, above)

    def _note(self, address: Address) -> bytes:
        content = self._session.world.fetcher.fetch(address, {})
        self._found[address] = Source(address.name, content)
        return content

    def _follow(
        self, mention: Mention, base: Address, language: Language, above: tuple[Address, ...]
    ) -> None:
        site = Site(base.shown, mention.line)
        try:
            target = base.resolve(mention.name, self._session.folder)
            self._session.allow(target, base)
        except ValueError as error:
            raise FaultError(text_of(error), site) from error
        if target in (*above, base):
            circle = " → ".join(Path(one.path).name for one in (*above, base, target))
            raise FaultError(f"includes go round: {circle}", site)
        if len(above) >= MAX_DEPTH:
            raise FaultError(f"includes are nested more than {MAX_DEPTH} deep", site)
        if not self._is_there(target, base):
            if mention.must_exist and target.scheme == "file":
                raise FaultError(f"there is no file `{mention.name}` to include", site)
        elif not mention.is_rendered:
            self._note(target)
        elif target not in self._found:
            self.visit(target, language_of(target, language), (*above, base))

    def _is_there(self, target: Address, base: Address) -> bool:
        """Return whether a text stands where it can be asked for without being rendered."""
        if target.scheme == "file":
            return Path(target.path).is_file()
        if not target.is_remote or (target.scheme, target.host) != (base.scheme, base.host):
            return False
        try:
            self._session.world.fetcher.fetch(target, {})
        except EXPRESSION_ERRORS:
            return False  # it may want headers, or never be asked for
        return True
