"""One rendering: what it knows, where it is, and what it may fetch."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from harness.template.addresses import Address, Language, language_of
from harness.template.budget import Budget
from harness.template.faults import EXPRESSION_ERRORS, FaultError, text_of
from harness.template.world import MAX_DEPTH, World

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class DeferredError(Exception):
    """What is asked for has no value in this pass; in multi-pass mode that is no fault."""


class MissingKey(StrEnum):
    """What a name that does not exist does: upstream's modes, ours by default."""

    ERROR = "error"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Options:
    """How a template is rendered.

    Attributes:
        language: Of the first template; None means what its name says, else Jinja2.
        root: The folder that file includes may not leave; None means the template's own.
        confined: Whether they are kept there at all.
        missing_key: In Go's dialect; Jinja2 knows errors alone.
        multi_pass: Go's dialect writes what has no value yet as it stands, for a later pass.
    """

    language: Language | None = None
    root: Path | None = None
    confined: bool = True
    missing_key: MissingKey = MissingKey.ERROR
    multi_pass: bool = False


@dataclass(slots=True)
class Scope:
    """What `source` shares and `include` copies.

    Attributes:
        variables: What `var` sets and gets.
        dot: The context: Go's ``.``.
        definitions: Go's named templates.
    """

    variables: dict[str, object]
    dot: object
    definitions: dict[str, object] = field(default_factory=dict)

    def fork(self) -> Scope:
        """Return a copy whose changes nobody else sees."""
        return Scope(copy.deepcopy(self.variables), _copied(self.dot), dict(self.definitions))


def _copied(value: object) -> object:
    # Only what templates can change; functions and plans in it stay what they are.
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_copied(item) for item in value]
    return value


@dataclass(frozen=True, slots=True)
class Frame:
    """A template that is being rendered."""

    address: Address
    language: Language
    scope: Scope


@dataclass(slots=True)
class Session:
    """Renders one template and all that it includes.

    Attributes:
        names: What templates may name beside functions: the flavor's context.
        folder: That file includes may not leave; without one there are none.
        renderers: Per language: renders a text in a frame.
        frames: The templates that are being rendered, the innermost last.
        budget: What all of it may take.
    """

    names: Mapping[str, object]
    folder: Path | None
    options: Options
    world: World
    renderers: Mapping[Language, Callable[[Session, Frame, str], str]]
    frames: list[Frame] = field(default_factory=list)
    budget: Budget = field(init=False)

    def __post_init__(self) -> None:
        self.budget = Budget(self.world.seconds)

    @property
    def top(self) -> Frame:
        """The template that is being rendered just now."""
        return self.frames[-1]

    def render(self, address: Address, language: Language, scope: Scope, text: str) -> str:
        """Render a text that stands at an address."""
        frame = Frame(address, language, scope)
        self.frames.append(frame)
        try:
            return self.renderers[language](self, frame, text)
        finally:
            self.frames.pop()

    def include(self, name: str, arguments: tuple[object, ...], *, shared: bool = False) -> str:
        """Fetch a template and render it, in a copy of this one's scope or in the same.

        Args:
            name: Its address, relative to the template that is being rendered.
            arguments: One context at most, and headers such as ``"Accept=text/plain"``.
            shared: Whether what it sets is seen here.
        """
        headers, contexts = split_headers(arguments)
        if len(contexts) > 1:
            raise ValueError(f"takes one context at most, not {len(contexts)}")
        address = self.address(name)
        text = self._text(address, headers)
        self._guard(address)
        scope = self.top.scope if shared else self.top.scope.fork()
        if contexts:
            dot = contexts[0] if shared else _copied(contexts[0])
            scope = Scope(scope.variables, dot, scope.definitions)
        return self.render(address, language_of(address, self.top.language), scope, text)

    def fetch(self, name: str, arguments: tuple[object, ...]) -> str:
        """Fetch a text and leave it as it is."""
        headers, others = split_headers(arguments)
        if others:
            raise ValueError("takes headers such as `Accept=text/plain` and nothing else")
        return self._text(self.address(name), headers)

    def address(self, name: str) -> Address:
        """Return what a name means here, if it is allowed here."""
        base = self.top.address
        address = base.resolve(name, self.folder)
        self.allow(address, base)
        return address

    def allow(self, address: Address, base: Address) -> None:
        """Refuse files that a template may not see.

        Raises:
            ValueError: For a file outside the root, or from a template of another host.
        """
        if address.scheme not in {"file", "unix"} or not self.options.confined:
            return
        if any(one.is_remote for one in (base, *(frame.address for frame in self.frames))):
            raise ValueError("a template from the network may not read this host's files")
        if self.folder is None:
            raise ValueError(f"{address.path}: a template that is no file may read none")
        root = self.folder.resolve()
        if not Path(address.path).resolve().is_relative_to(root):
            raise ValueError(
                f"{address.path} lies outside of {root}, where includes must stay unless the "
                "group's TemplateRoot, or --root of `harness template`, names another folder"
            )

    def missing(self, name: str) -> object:
        """Say what a variable is that nobody has set.

        Raises:
            LookupError: Unless an option says otherwise.
        """
        if self.top.language is Language.GO:
            if self.options.multi_pass:
                raise DeferredError(name)
            if self.options.missing_key is MissingKey.DEFAULT:
                return None
        raise LookupError(f"Missing variable {name}")

    def text(self, address: Address, headers: Mapping[str, str]) -> str:
        """Return the text at an address; the headers go there and nowhere else."""
        return self.world.fetcher.fetch(address, headers).decode("utf-8")

    def _text(self, address: Address, headers: Mapping[str, str]) -> str:
        try:
            return self.text(address, headers)
        except FileNotFoundError:
            raise FaultError(f"there is no file `{address.path}` to include") from None
        except EXPRESSION_ERRORS as error:
            raise FaultError(f"{address.shown} cannot be read: {text_of(error)}") from error

    def _guard(self, address: Address) -> None:
        above = [frame.address for frame in self.frames]
        if address in above:
            names = " → ".join(one.shown.rpartition("/")[2] for one in (*above, address))
            raise ValueError(f"includes go round: {names}")
        if len(above) > MAX_DEPTH:
            raise ValueError(f"includes are nested more than {MAX_DEPTH} deep")


def split_headers(arguments: tuple[object, ...]) -> tuple[dict[str, str], list[object]]:
    """Tell headers, ``name=value`` where the value may hold ``=``, from what is none."""
    headers: dict[str, str] = {}
    others: list[object] = []
    for argument in arguments:
        name, equals, value = argument.partition("=") if isinstance(argument, str) else ("",) * 3
        if not equals or not name.replace("-", "").isalnum():
            others.append(argument)
            continue
        if not value.isprintable():
            raise ValueError(f"header `{name}` holds a character that no header can")
        headers[name] = value
    return headers, others
