"""The Jinja2 dialect: strict about names, sandboxed, with the engine's functions.

The only importer of jinja2.
"""

from __future__ import annotations

import functools
import json
import traceback
from pathlib import PurePath
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

from harness.template.addresses import Address, Language, language_of
from harness.template.faults import EXPRESSION_ERRORS, FaultError, Site, text_of
from harness.template.functions import TABLE
from harness.template.functions.table import modest, modest_text
from harness.template.mentions import FETCHING, Mention
from harness.template.session import Frame, Session
from harness.template.world import MAX_OUTPUT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, MutableMapping

    from jinja2 import Environment, Template
    from jinja2.runtime import Context

# A template of twenty nested loops is more than Python can compile: that is a SyntaxError.
_COMPILE_ERRORS = (TemplateError, SyntaxError, AssertionError, *EXPRESSION_ERRORS)
_LARGEST_POWER = 4096  # in bits
_NOT_OURS = ("<frozen", "<template>")  # Python's own modules, and `_Loader`'s one line
_TOP = "top-level template code"  # as jinja2 names it in tracebacks
_TURNS = "turns of a loop"  # a filter that no template can name


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
        for name, value in (session.names if session else {}).items():
            if callable(value):
                self.filters.setdefault(name, value)
        self.filters[_TURNS] = _counted(session)
        self.globals["dict"] = _dict

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        for loop in tree.find_all(nodes.For):
            loop.iter = nodes.Filter(loop.iter, _TURNS, [], [], None, None, lineno=loop.lineno)
        return tree

    def join_path(self, template: str, parent: str) -> str:
        if self._session is None:
            return template
        base = Address.of(parent)
        try:
            address = base.resolve(template, self._session.folder)
            self._session.allow(address, base)
        except ValueError as error:
            raise SecurityError(str(error)) from error
        if address.scheme == "str":
            raise SecurityError("a text is no file: write it `{{ include(…) }}`")
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

    def load(
        self,
        environment: Environment,
        name: str,
        globals: MutableMapping[str, Any] | None = None,  # noqa: A002 - Jinja's
    ) -> Template:
        """Return a template in the language that its name says."""
        if language_of(Address.of(name), Language.JINJA2) is Language.JINJA2:
            return super().load(environment, name, globals)
        self.get_source(environment, name)  # so that `ignore missing` ignores it
        return environment.from_string(f"{{{{ include({json.dumps(name)}) }}}}", globals)

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
        if why := session.budget.out_of_time():
            raise ValueError(why)
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


def _counted(session: Session | None) -> Callable[..., Iterator[object]]:
    @pass_context  # else Jinja would run it while it compiles
    def turns(context: Context, items: Iterable[object]) -> Iterator[object]:
        del context
        for item in items:
            if session and (why := session.budget.spend()):
                raise ValueError(why)
            yield item

    return turns


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
            return _limited(template.generate(names), frame.address.shown)
        except FaultError as fault:
            raise fault.below(*_sites(fault)) from fault
        except _COMPILE_ERRORS as error:
            raise _fault(error, frame.address.shown) from error


def _limited(pieces: Iterable[str], name: str) -> str:
    written: list[str] = []
    length = 0
    for piece in pieces:
        length += len(piece)
        if length > MAX_OUTPUT:
            raise FaultError("what it renders is too large", Site(name, 1))
        written.append(piece)
    return "".join(written)


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
    elif isinstance(error, RecursionError):
        message = _circle(error) or message
    return FaultError(message, *(sites or [Site(name, 1)]))


def _circle(error: RecursionError) -> str:
    """Say which includes go round, if that is why Python's stack was not enough."""
    frames = traceback.extract_tb(error.__traceback__)
    entered = [frame.filename for frame in frames if frame.name == _TOP]
    again = next((place for place, file in enumerate(entered) if file in entered[:place]), 0)
    around = entered[entered.index(entered[again]) : again + 1] if again else []
    return f"includes go round: {' → '.join(PurePath(one).name for one in around)}" if again else ""


def _sites(error: Exception) -> Iterator[Site]:
    # jinja2 rewrites tracebacks so that frames of templates carry their own file and line.
    last = ""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        is_ours = not frame.filename.endswith(".py") and not frame.filename.startswith(_NOT_OURS)
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
