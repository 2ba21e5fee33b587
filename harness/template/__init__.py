"""The template engine: text in, text out, in Jinja2 or in Go's template language.

Templates call the functions of one table, whatever their language; what they reach beyond
their own text is handed in as a `World`. Whatever is wrong with one becomes a `Problem` with
its file and line, and the includes that led there.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from harness.template import jinja
from harness.template.addresses import Address, Language, language_of
from harness.template.faults import EXPRESSION_ERRORS, FaultError, Site, text_of
from harness.template.quoting import ruby, sh
from harness.template.session import MissingKey, Options, Scope, Session
from harness.template.sources import Source, walk
from harness.template.world import MAX_OUTPUT, World

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.template.mentions import Mention
    from harness.template.session import Frame
    from harness.template.sources import Readers

__all__ = [
    "Language", "MissingKey", "Options", "Source", "World", "as_told", "render",
    "render_address", "ruby", "sh", "shown", "sources",
]  # fmt: skip


def _go_mentions(text: str, name: str) -> list[Mention]:
    from harness.template import go  # noqa: PLC0415 - 20 ms, and most are in Jinja2

    return go.mentions(text, name)


def _go_render(session: Session, frame: Frame, text: str) -> str:
    from harness.template import go  # noqa: PLC0415 - as above

    return go.render(session, frame, text)


_READERS: Readers = {Language.JINJA2: jinja.mentions, Language.GO: _go_mentions}


def render(
    template: str | Path,
    context: Mapping[str, object],
    options: Options | None = None,
    world: World | None = None,
) -> str:
    """Render a template, after a look at all that it mentions.

    Args:
        template: A path or an URL; a file's includes stay within its own folder.
        context: What it may name; Go's dialect sees functions, and all of it as ``.``.
        options: How to render.
        world: What it may reach; without one, files alone.

    Raises:
        InvalidInputError: With the file and line of what is wrong, which may be that there
            is nothing in what was rendered.
    """
    sources(template, options, world)
    address = _address(template)
    return render_address(address, address.folder, context, options, world)


def render_address(
    address: Address,
    folder: Path | None,
    context: Mapping[str, object],
    options: Options | None = None,
    world: World | None = None,
    *,
    variables: Mapping[str, object] | None = None,
) -> str:
    """Render the template at an address, which may be on another host or a text.

    Args:
        address: Where it is.
        folder: That file includes may not leave, and where a text of its own stands; None
            means that there are none.
        context: As for `render`.
        options: As for `render`.
        world: As for `render`.
        variables: What `var` gives before anything sets it.

    Raises:
        InvalidInputError: With the place of what is wrong.
    """
    session = _session(folder, context, options, world)
    language = _language(address, session.options)
    try:
        text = session.text(address, {})
        rendered = session.render(
            address, language, Scope(dict(variables or {}), dict(context)), text
        )
    except FaultError as fault:
        raise fault.invalid(address.shown) from fault
    except FileNotFoundError:
        message = "there is no such template"
        raise FaultError(message, Site(address.shown, 1)).invalid("") from None
    except EXPRESSION_ERRORS as error:
        raise FaultError(text_of(error), Site(address.shown, 1)).invalid("") from error
    if len(rendered) > MAX_OUTPUT:
        raise FaultError("what it renders is too large", Site(address.shown, 1)).invalid("")
    if not rendered.strip():
        raise FaultError("it renders nothing", Site(address.shown, 1)).invalid("")
    return rendered


def sources(
    template: str | Path, options: Options | None = None, world: World | None = None
) -> tuple[Source, ...]:
    """Return a template and all that it mentions, each once, in order of first mention.

    Args:
        template: A path or an URL.
        options: As for `render`.
        world: As for `render`.

    Raises:
        InvalidInputError: For a missing file, a syntax error, or includes in a circle.
    """
    address = _address(template)
    session = _session(address.folder, {}, options, world)
    try:
        return tuple(walk(session, address, _language(address, session.options), _READERS))
    except FaultError as fault:
        raise fault.invalid(address.shown) from fault


def shown(template: str) -> str:
    """Return a template's path or URL as problems name it, without secrets."""
    return _address(template).shown


def _address(template: str | Path) -> Address:
    try:
        return Address.named(template)
    except ValueError as error:
        raise FaultError(text_of(error)).invalid(str(template)) from error


def as_told(language: str | None, root: str) -> Options:
    """Return the options of a template that a flavor's properties give.

    Args:
        language: The one it is in; None leaves it to its name.
        root: The folder that its includes may not leave; empty means its own.
    """
    return Options(
        language=Language(language) if language else None, root=Path(root) if root else None
    )


def _language(address: Address, options: Options) -> Language:
    return options.language or language_of(address, Language.JINJA2)


def _session(
    folder: Path | None,
    context: Mapping[str, object],
    options: Options | None,
    world: World | None,
) -> Session:
    options = options or Options()
    return Session(
        names=context,
        folder=options.root or folder,
        options=options,
        world=world or World(),
        renderers={Language.JINJA2: jinja.Jinja(), Language.GO: _go_render},
    )
