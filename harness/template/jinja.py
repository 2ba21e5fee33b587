"""The Jinja2 dialect: strict about names, sandboxed, with the engine's functions.

The only importer of jinja2.
"""

from __future__ import annotations

import functools
import traceback
from typing import TYPE_CHECKING, Any

from jinja2 import (
    BaseLoader,
    StrictUndefined,
    TemplateError,
    TemplateNotFound,
    Undefined,
    nodes,
    pass_context,
)
from jinja2.exceptions import SecurityError, TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from harness.template.addresses import Address, Language
from harness.template.faults import EXPRESSION_ERRORS, FaultError, Site, text_of
from harness.template.functions import TABLE
from harness.template.functions.table import modest, modest_text
from harness.template.mentions import FETCHING, Mention
from harness.template.session import Frame, Session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from jinja2.runtime import Context

# A template of twenty nested loops is more than Python can compile: that is a SyntaxError.
_COMPILE_ERRORS = (TemplateError, SyntaxError, AssertionError, *EXPRESSION_ERRORS)
_LARGEST_POWER = 4096  # in bits


class _Environment(ImmutableSandboxedEnvironment):
    """Resolves includes against the including template, and refuses giant results."""

    intercepted_binops = frozenset(["*", "**", "%"])

    def __init__(self, session: Session | None) -> None:
        super().__init__(
            loader=_Loader(session) if session else None,
            undefined=StrictUndefined,
            autoescape=False,  # scripts, not HTML: values go through sh or ruby
            # Upstream's comments; Jinja's own begin as a shell array's length: ${#names[@]}
            comment_start_string="{{/*",
            comment_end_string="*/}}",
            keep_trailing_newline=True,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._session = session
        for name in TABLE:
            self.globals[name] = _bound(session, name)
            # Jinja's own filters stay what Jinja's documents say.
            if name not in self.filters:
                self.filters[name] = _piped(session, name)
        self.globals["dict"] = _dict

    def join_path(self, template: str, parent: str) -> str:
        if self._session is None:
            return template
        base = Address.of(parent)
        address = base.resolve(template, self._session.folder)
        try:
            self._session.allow(address, base)
        except ValueError as error:
            raise SecurityError(str(error)) from error
        return str(address)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:  # noqa: ANN401 - Jinja's
        if operator == "**" and isinstance(left, int) and isinstance(right, int):
            modest(left.bit_length() * abs(right), _LARGEST_POWER)
        for one, other in ((left, right), (right, left)):
            if operator == "*" and isinstance(one, str | list | tuple) and isinstance(other, int):
                modest_text(len(one) * other)
        if operator == "%" and isinstance(left, str):
            raise SecurityError("`%` is not for text; the filter `format` is")
        return super().call_binop(context, operator, left, right)


class _Loader(BaseLoader):
    """Gets what `{% include %}` names."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def get_source(
        self, environment: object, template: str
    ) -> tuple[str, str | None, Callable[[], bool] | None]:
        del environment
        address = Address.of(template)
        try:
            return self._session.text(address, {}), address.shown, None
        except FileNotFoundError:
            raise TemplateNotFound(address.path) from None


def _bound(session: Session | None, name: str) -> Callable[..., object]:
    @pass_context
    def call(context: Context, *arguments: object) -> object:
        for argument in arguments:
            if isinstance(argument, Undefined):
                str(argument)  # raises, and says the name
        assert session is not None  # noqa: S101 - without a session templates are only parsed
        # A template that `{% include %}` brought in has names of its own to resolve.
        frame = session.top
        here = Address.of(context.name) if context.name else frame.address
        if here == frame.address:
            return TABLE[name](session, *arguments)
        session.frames.append(Frame(here, Language.JINJA2, frame.scope))
        try:
            return TABLE[name](session, *arguments)
        finally:
            session.frames.pop()

    return call


def _piped(session: Session | None, name: str) -> Callable[..., object]:
    call = _bound(session, name)

    @pass_context
    def pipe(context: Context, value: object, *arguments: object) -> object:
        return call(context, *arguments, value)

    return pipe


def _dict(*pairs: object, **named: object) -> dict[object, object]:
    """Jinja's `dict(a=1)`, and Sprig's `dict("a", 1)`."""
    if len(pairs) % 2:
        raise TypeError("dict: takes keys and values in turn")
    made: dict[object, object] = dict(zip(pairs[::2], pairs[1::2], strict=True))
    made.update(named)
    return made


class Jinja:
    """Renders a session's templates; one environment serves them all."""

    def __init__(self) -> None:
        self._environment: _Environment | None = None

    def __call__(self, session: Session, frame: Frame, text: str) -> str:
        """Render a text.

        Raises:
            FaultError: With the line of what is wrong, and the lines that led there.
        """
        self._environment = self._environment or _Environment(session)
        dot = frame.scope.dot
        names = dict(session.names) | (dot if isinstance(dot, dict) else {}) | {"dot": dot}
        try:
            code = self._environment.compile(text, str(frame.address), frame.address.shown)
            template = self._environment.template_class.from_code(
                self._environment, code, self._environment.make_globals(None)
            )
            return template.render(names)
        except FaultError as fault:
            raise fault.below(*_sites(fault)) from fault
        except _COMPILE_ERRORS as error:
            raise _fault(error, frame.address.shown) from error


def _fault(error: Exception, name: str) -> FaultError:
    sites = list(_sites(error))
    message = text_of(error)
    if isinstance(error, TemplateSyntaxError):
        message = error.message or message
        here = Site(error.filename or name, error.lineno)
        sites = [here, *(site for site in sites if site.file != here.file)]
    elif isinstance(error, TemplateNotFound):
        message = f"there is no file `{error.name}` to include"
    elif isinstance(error, SyntaxError):
        message = f"it is nested too deeply ({error.msg})"
    return FaultError(message, *(sites or [Site(name, 1)]))


def _sites(error: Exception) -> Iterator[Site]:
    # jinja2 rewrites tracebacks so that frames of templates carry their own file and line.
    last = ""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        is_ours = not frame.filename.endswith(".py") and not frame.filename.startswith("<frozen")
        if is_ours and frame.filename != last:
            last = frame.filename
            yield Site(frame.filename, frame.lineno or 1)


@functools.lru_cache(maxsize=64)  # each machine's script is made of the same texts
def mentions(text: str, name: str) -> tuple[Mention, ...]:
    """Return what a text includes by a name that is written in it.

    Raises:
        FaultError: If it cannot be parsed.
    """
    try:
        return tuple(_mentioned(_Environment(None).parse(text, name, name)))
    except _COMPILE_ERRORS as error:
        raise _fault(error, name) from error


def _mentioned(tree: nodes.Template) -> list[Mention]:
    found: list[Mention] = []
    for node in tree.find_all((nodes.Include, nodes.Extends, nodes.Import, nodes.FromImport)):
        if not getattr(node, "ignore_missing", False):
            found += _mention(getattr(node, "template", None), node.lineno, "")
    for call in tree.find_all(nodes.Call):
        if isinstance(call.node, nodes.Name) and call.node.name in FETCHING and call.args:
            found += _mention(call.args[0], call.lineno, call.node.name)
    for pipe in tree.find_all(nodes.Filter):
        if pipe.name in FETCHING:
            found += _mention(pipe.node, pipe.lineno, pipe.name)
    return found


def _mention(node: nodes.Node | None, line: int, function: str) -> list[Mention]:
    if isinstance(node, nodes.Const) and isinstance(node.value, str):
        is_rendered = function in {"", "include", "source"}
        return [Mention(node.value, line, must_exist=not function, is_rendered=is_rendered)]
    return []
