"""The files that a template is made of, found without rendering it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from harness.template.addresses import Address, Language, language_of
from harness.template.faults import EXPRESSION_ERRORS, FaultError, Site, text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from harness.template.mentions import Mention
    from harness.template.session import Session

    Readers = Mapping[Language, Callable[[str, str], Sequence[Mention]]]


def walk(session: Session, address: Address, language: Language, readers: Readers) -> list[Path]:
    """Return a template's file and all that it mentions, each once, in order of first mention.

    Raises:
        FaultError: For a file that must be there and is not, a syntax error, or a circle.
    """
    found: dict[Path, None] = {}
    _Walk(session, readers, found).visit(address, language, ())
    return list(found)


class _Walk:
    def __init__(self, session: Session, readers: Readers, found: dict[Path, None]) -> None:
        self._session = session
        self._readers = readers
        self._found = found

    def visit(self, address: Address, language: Language, above: tuple[Address, ...]) -> None:
        """Note a template and go on to what it mentions."""
        try:
            text = self._session.text(address, {})
        except EXPRESSION_ERRORS as error:
            raise FaultError(text_of(error), Site(address.shown, 1)) from error
        if address.scheme == "file":
            self._found[Path(address.path)] = None
        for mention in self._readers[language](text, address.shown):
            self._follow(mention, address, language, above)

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
        if target.scheme != "file":
            return
        if not Path(target.path).is_file():
            if mention.must_exist:
                raise FaultError(f"there is no file `{mention.name}` to include", site)
            return
        if not mention.is_rendered:
            self._found[Path(target.path)] = None
        elif Path(target.path) not in self._found:
            self.visit(target, language_of(target, language), (*above, base))
