"""The template engine: Jinja2, strict about names, with one quoting filter per language.

The only importer of jinja2. Templates see the folder they stand in and nothing else of
the disk; whatever is wrong with one becomes a `Problem` with its file and line.
"""

from __future__ import annotations

import shlex
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import FileSystemLoader, StrictUndefined, TemplateError, TemplateNotFound, nodes
from jinja2.exceptions import TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from harness.errors import InvalidInputError, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

# What a template's own expressions can raise beside jinja2's errors: `1 / 0`, `"a" + 1`,
# `x[3]`. They are the template's faults, so they are reported as such.
_EXPRESSION_ERRORS = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


def sh(value: object) -> str:
    """Quote a value so that a POSIX shell reads it back as one word, unchanged.

    Raises:
        TypeError: For anything but text and whole numbers; a list would be one word.
        ValueError: For a NUL, which no shell word can hold.
    """
    return shlex.quote(_text(value))


def ruby(value: object) -> str:
    r"""Write a value as a single-quoted Ruby literal, where only `\` and `'` are special.

    Raises:
        TypeError: For anything but text and whole numbers.
        ValueError: For a NUL or a carriage return, which Ruby's lexer would change.
    """
    text = _text(value)
    if "\r" in text:
        raise ValueError("a carriage return cannot stand in a Ruby literal")
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _text(value: object) -> str:
    # StrictUndefined raises here, in str().
    text = str(value)
    if isinstance(value, bool) or not isinstance(value, str | int | Path):
        raise TypeError(f"only text and whole numbers can be quoted, not {type(value).__name__}")
    if "\0" in text:
        raise ValueError("a NUL cannot be quoted")
    return text


def render(template: Path, context: Mapping[str, object]) -> str:
    """Render a template file.

    Raises:
        InvalidInputError: With the file and line of what is wrong; includes are searched in
            the template's own folder.
    """
    sources(template)
    environment = _environment(template.parent)
    try:
        return environment.get_template(template.name).render(context)
    except (TemplateError, *_EXPRESSION_ERRORS) as error:
        raise InvalidInputError([_problem(error, template)]) from error


def sources(template: Path) -> tuple[Path, ...]:
    """Return a template and all that it includes, each once, in order of first mention.

    Raises:
        InvalidInputError: For a missing file, a syntax error, or includes in a circle.
    """
    if not template.is_file():
        raise InvalidInputError([Problem(str(template), "line 1", "there is no such template")])
    found: dict[Path, None] = {}
    _walk(template, _environment(template.parent), (), found)
    return tuple(found)


def _walk(
    file: Path,
    environment: ImmutableSandboxedEnvironment,
    above: tuple[Path, ...],
    found: dict[Path, None],
) -> None:
    found[file] = None
    folder = (above or (file,))[0].parent
    try:
        tree = environment.parse(file.read_text(encoding="utf-8"), file.name, str(file))
    except (OSError, UnicodeDecodeError, TemplateSyntaxError) as error:
        raise InvalidInputError([_problem(error, file)]) from error
    for node in tree.find_all((nodes.Include, nodes.Extends, nodes.Import, nodes.FromImport)):
        name = _constant_name(node)
        if name is None:
            continue
        included = folder / name
        place = f"line {node.lineno}"
        if included in (*above, file):
            circle = " → ".join(path.name for path in (*above, file, included))
            raise InvalidInputError([Problem(str(file), place, f"includes go round: {circle}")])
        if not _exists(environment, name):
            message = f"there is no file `{name}` to include in {folder}"
            raise InvalidInputError([Problem(str(file), place, message)])
        if included not in found:
            _walk(included, environment, (*above, file), found)


def _constant_name(node: nodes.Node) -> str | None:
    """Return the file that a node includes, unless only rendering can tell."""
    if getattr(node, "ignore_missing", False):
        return None
    named = getattr(node, "template", None)
    if isinstance(named, nodes.Const) and isinstance(named.value, str):
        return named.value
    return None


def _exists(environment: ImmutableSandboxedEnvironment, name: str) -> bool:
    # Asked of the loader, because it refuses what lies outside the template's folder.
    try:
        environment.get_template(name)
    except TemplateNotFound:
        return False
    except TemplateSyntaxError:
        return True
    return True


def _environment(folder: Path) -> ImmutableSandboxedEnvironment:
    # Sandboxed, because a group file from elsewhere may name a template from elsewhere, and
    # `render` runs on the host.
    environment = ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(folder),
        undefined=StrictUndefined,
        autoescape=False,  # scripts, not HTML: values go through sh or ruby
        # Upstream's comments; Jinja's own begin as the length of a shell array does: ${#names[@]}
        comment_start_string="{{/*",
        comment_end_string="*/}}",
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(sh=sh, ruby=ruby)
    return environment


def _problem(error: Exception, template: Path) -> Problem:
    file, line = _place(error, template)
    if isinstance(error, TemplateNotFound):
        return Problem(file, line, f"there is no file `{error.name}` to include")
    return Problem(file, line, str(error) or type(error).__name__)


def _place(error: Exception, template: Path) -> tuple[str, str]:
    if isinstance(error, TemplateSyntaxError):
        return error.filename or str(template), f"line {error.lineno}"
    # jinja2 rewrites tracebacks so that frames of templates carry their own file and line.
    folder = str(template.parent)
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.filename.startswith(folder) and not frame.filename.endswith(".py"):
            return frame.filename, f"line {frame.lineno}"
    return str(template), "line 1"
