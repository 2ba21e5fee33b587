"""Documents: the text of a JSON or YAML file becomes what a JSON reader would make of it.

YAML is taken for what people like it for, layout and comments, and for nothing else: scalars
mean what they mean in JSON (`no` is a word, `1e3` a number), and anchors, tags, several
documents and keys said twice are errors with their lines.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any, NoReturn

import yaml

from harness.complaints import step
from harness.errors import InvalidInputError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.sources import Source

# Deeper than any group, and far from where Python's own recursion ends.
_MAX_DEPTH = 40

_INTEGER = re.compile(r"-?(0|[1-9][0-9]*)")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
# Half of a pair that stands for one character; nothing can print it.
_LONE = re.compile("[\ud800-\udfff]")
_CONSTANTS = {"": None, "null": None, "true": True, "false": False}


class Object(dict[str, Any]):
    """A JSON object that remembers which of its keys were said twice."""

    repeated: tuple[str, ...] = ()

    @classmethod
    def of(cls, pairs: list[tuple[str, Any]]) -> Object:
        """Return the object of these members; the last of a key wins, as in JSON."""
        made = cls(pairs)
        times = Counter(key for key, _ in pairs)
        made.repeated = tuple(key for key, count in times.items() if count > 1)
        return made


def parse(source: Source, problems: list[Problem]) -> Any:  # noqa: ANN401 - JSON can be anything
    """Parse a file; keys that it says twice go to `problems`.

    Raises:
        InvalidInputError: With line and column, if it is not JSON or not YAML.
    """
    try:
        document = _yaml(source) if source.is_yaml else _json(source)
        repeated = list(_repeated(source.name, "$", document))
    except RecursionError as error:
        message = "nested too deeply to be a group"
        raise InvalidInputError([Problem(source.name, "$", message)]) from error
    if _LONE.search(json.dumps(document, ensure_ascii=False)):
        message = "half a character: escapes from \\ud800 to \\udfff come in pairs"
        raise InvalidInputError([Problem(source.name, "$", message)])
    problems += repeated
    return document


def _json(source: Source) -> Any:  # noqa: ANN401 - likewise
    try:
        return json.loads(source.text, object_pairs_hook=Object.of, parse_constant=float)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno} column {error.colno}"
        _refuse(source, place, f"not valid JSON: {error.msg}", error)
    except ValueError as error:
        _refuse(source, "$", f"cannot be read: {error}", error)


def _yaml(source: Source) -> Any:  # noqa: ANN401 - likewise
    try:
        depth = 0
        for event in yaml.parse(source.text, Loader=yaml.SafeLoader):
            _take(event)
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if depth > _MAX_DEPTH:
                raise RecursionError
        return _value(yaml.compose(source.text, Loader=yaml.SafeLoader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"line {mark.line + 1} column {mark.column + 1}" if mark else "$"
        _refuse(source, place, f"not valid YAML: {error.problem or error.context}", error)
    except (yaml.YAMLError, ValueError) as error:
        _refuse(source, "$", f"not valid YAML: {error}", error)


def _refuse(source: Source, place: str, message: str, error: Exception) -> NoReturn:
    raise InvalidInputError([Problem(source.name, place, message)]) from error


def _take(event: yaml.Event) -> None:
    """Refuse what YAML has and JSON has not."""
    if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
        _refuse_mark(event, "anchors and aliases are not taken here: say it twice")
    if getattr(event, "tag", None):
        _refuse_mark(event, f"the tag `{getattr(event, 'tag', '')}` is not taken here")


def _refuse_mark(place: yaml.Event | yaml.Node, message: str) -> NoReturn:
    mark: Any = place.start_mark  # one of two classes, in C and in Python, that are alike
    raise yaml.MarkedYAMLError(problem=message, problem_mark=mark)


def _value(node: yaml.Node | None) -> Any:  # noqa: ANN401 - likewise
    if isinstance(node, yaml.MappingNode):
        return Object.of([(_key(key), _value(value)) for key, value in node.value])
    if isinstance(node, yaml.SequenceNode):
        return [_value(entry) for entry in node.value]
    if isinstance(node, yaml.ScalarNode):
        return _scalar(node)
    raise yaml.MarkedYAMLError(problem="there is nothing in it")


def _key(node: yaml.Node) -> str:
    if isinstance(node, yaml.ScalarNode):
        return _text(node)
    _refuse_mark(node, "a key must be a word, not a list or an object")


def _text(node: yaml.ScalarNode) -> str:
    # JSON writes what is beyond 16 bits as a pair of escapes; YAML reads them one by one.
    pairs = str(node.value).encode("utf-16", "surrogatepass")
    return pairs.decode("utf-16", "surrogatepass")


def _scalar(node: yaml.ScalarNode) -> Any:  # noqa: ANN401 - likewise
    text = _text(node)
    if node.style is not None:
        return text
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _NUMBER.fullmatch(text) else text


def _repeated(file: str, place: str, value: object, depth: int = 0) -> Iterator[Problem]:
    """Find keys that were said twice: JSON would silently take the last."""
    if depth > _MAX_DEPTH:
        raise RecursionError
    if isinstance(value, Object):
        for key in value.repeated:
            yield Problem(file, place + step(key), f"key `{key}` is given more than once")
        for key, inner in value.items():
            yield from _repeated(file, place + step(key), inner, depth + 1)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _repeated(file, place + step(index), inner, depth + 1)
