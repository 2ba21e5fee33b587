"""Group files: reads InfraKit's JSON, tells every problem with its place, returns values."""

from __future__ import annotations

import difflib
import json
import re
from typing import TYPE_CHECKING, Any, get_args, get_origin
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, ValidationError

from harness import assets, topology
from harness.errors import InvalidInputError, Problem, UsageError
from harness.infrakit import Group, GroupSpec, PluginGroup, beside
from harness.spec import Role

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from pydantic_core import ErrorDetails

__all__ = ["GroupSpec", "invalid", "load"]

# Deeper than any group, and far from where Python's own recursion ends.
_MAX_DEPTH = 40

_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

# Upstream's words where it has some, by the key that is missing.
_MISSING = {
    "Allocation": "Allocation must not be blank: give either Size or LogicalIDs",
    "ID": "Group ID must not be blank",
    "KubeClusterID": "no Kube Cluster ID: KubeClusterID must name the cluster",
    "KubeJoinIP": "no kube join info: KubeJoinIP must be the manager's IPv4 address",
    "Properties": "missing config",
}

# Plain words for pydantic's types of error.
_WANTED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "string_type": "text in double quotes",
    "bool_type": "true or false",
    "tuple_type": "a list in square brackets",
    "dict_type": "an object in braces",
    "model_type": "an object in braces",
}
_PLAIN = {
    "literal_error": "{given} is not known; should be {expected}",
    "greater_than_equal": "{given} is too small: should be at least {ge}",
    "less_than_equal": "{given} is too large: should be at most {le}",
    "string_too_short": "must not be blank",
}


def load(paths: Sequence[Path]) -> tuple[GroupSpec, ...]:
    """Read and check the groups of one cluster.

    Args:
        paths: Group files; each holds one group or an array of groups.

    Raises:
        InvalidInputError: With every problem of all the files; what only shows between
            groups is looked for once each file is right in itself.
        UsageError: If no file is named.
    """
    if not paths:
        raise UsageError("No group file is named.", hint="groups/ holds the walkthrough's.")
    problems: list[Problem] = []
    groups: list[GroupSpec] = []
    for path in paths:
        for place, raw in _documents(path, problems):
            group = _group(path, place, raw, problems)
            if group is not None:
                groups.append(group)
                problems += topology.within(group)
    if not problems:
        problems += topology.between(groups)
    if problems:
        raise InvalidInputError(problems)
    return tuple(groups)


def invalid(model: type[BaseModel], error: ValidationError, file: str, place: str) -> list[Problem]:
    """Translate pydantic's findings into problems with JSON paths and plain words."""
    return [
        Problem(file, place + _json_path(detail), _message(model, detail))
        for detail in error.errors(include_url=False)
    ]


class _Object(dict[str, Any]):
    """A JSON object that remembers which of its keys were said twice."""

    repeated: tuple[str, ...] = ()

    @classmethod
    def of(cls, pairs: list[tuple[str, Any]]) -> _Object:
        made = cls(pairs)
        keys = [key for key, _ in pairs]
        made.repeated = tuple(key for key in made if keys.count(key) > 1)
        return made


def _read(path: Path) -> Any | Problem:  # noqa: ANN401 - JSON can be anything
    """Parse a file, or say why that cannot be done."""
    try:
        return json.loads(
            path.read_text(encoding="utf-8-sig"), object_pairs_hook=_Object.of, parse_constant=float
        )
    except FileNotFoundError:
        return Problem(str(path), "$", "there is no such file")
    except json.JSONDecodeError as error:
        place = f"line {error.lineno} column {error.colno}"
        return Problem(str(path), place, f"not valid JSON: {error.msg}")
    except (OSError, ValueError) as error:
        return Problem(str(path), "$", f"cannot be read: {error}")


def _documents(path: Path, problems: list[Problem]) -> Iterator[tuple[str, Any]]:
    """Yield the place and content of each group in a file."""
    try:
        document = _read(path)
        repeated = list(_repeated(str(path), "$", document))
    except RecursionError:
        document, repeated = Problem(str(path), "$", "nested too deeply to be a group"), []
    if isinstance(document, Problem):
        problems.append(document)
        return
    problems += repeated
    if not isinstance(document, list):
        yield "$", document
        return
    if not document:
        problems.append(Problem(str(path), "$", "an empty list: at least one group should be here"))
    for index, entry in enumerate(document):
        yield f"$[{index}]", entry


def _repeated(file: str, place: str, value: object, depth: int = 0) -> Iterator[Problem]:
    """Find keys that were said twice: JSON would silently take the last."""
    if depth > _MAX_DEPTH:
        raise RecursionError
    if isinstance(value, _Object):
        for key in value.repeated:
            yield Problem(file, place + _step(key), f"key `{key}` is given more than once")
        for key, inner in value.items():
            yield from _repeated(file, place + _step(key), inner, depth + 1)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _repeated(file, place + _step(index), inner, depth + 1)


def _group(path: Path, place: str, raw: object, problems: list[Problem]) -> GroupSpec | None:
    """Check one group; what is wrong goes to `problems`."""
    model = PluginGroup if isinstance(raw, dict) and "Plugin" in raw else Group
    try:
        # From text, so that a JSON list may fill a tuple although the models are strict.
        parsed = model.model_validate_json(json.dumps(raw))
    except ValidationError as error:
        problems += invalid(model, error, str(path), place)
        return None
    if isinstance(parsed, PluginGroup):
        return _spec(path, f"{place}.Properties", parsed.properties, problems)
    return _spec(path, place, parsed, problems)


def _spec(path: Path, place: str, group: Group, problems: list[Problem]) -> GroupSpec:
    flavor = group.properties.flavor
    role = Role(flavor.plugin.rpartition("/")[2])
    url = flavor.properties.init_script_template_url
    where = f"{place}.Properties.Flavor.Properties.InitScriptTemplateURL"
    template = _template(path, url) if url else assets.init_script(role)
    if isinstance(template, str):
        problems.append(Problem(str(path), where, template))
        template = path
    elif not template.is_file():
        problems.append(Problem(str(path), where, f"there is no template file {template}"))
    return GroupSpec(
        file=path,
        place=place,
        id=group.id,
        role=role,
        allocation=group.properties.allocation,
        instance=group.properties.instance.properties,
        flavor_plugin=flavor.plugin,
        flavor=flavor.properties,
        template=template,
    )


def _template(file: Path, url: str) -> Path | str:
    """Return the template's path, or what is wrong with its URL."""
    parts = urlsplit(url)
    if parts.scheme == "file" and parts.netloc in {"", "localhost"}:
        return beside(file, unquote(parts.path))
    if "://" in url:
        return f"`{url}` cannot be read: give a path, relative to this file, or a file:// URL"
    return beside(file, url)


def _json_path(detail: ErrorDetails) -> str:
    return "".join(_step(step) for step in detail["loc"])


def _step(step: str | int) -> str:
    if isinstance(step, int):
        return f"[{step}]"
    return f".{step}" if _PLAIN_KEY.fullmatch(step) else f"[{json.dumps(step)}]"


def _message(model: type[BaseModel], detail: ErrorDetails) -> str:
    kind = detail["type"]
    key = str(detail["loc"][-1]) if detail["loc"] else ""
    if kind == "extra_forbidden":
        return _unknown(key, _keys(model, detail["loc"][:-1]))
    if kind == "missing":
        return _MISSING.get(key, f"`{key}` is missing")
    given = json.dumps(detail["input"], ensure_ascii=False)
    if kind in _WANTED:
        return f"should be {_WANTED[kind]}, not {given[:60]}"
    if kind in _PLAIN:
        return _PLAIN[kind].format(given=given, **detail.get("ctx", {}))
    return detail["msg"]


def _unknown(key: str, known: Sequence[str]) -> str:
    lower = {name.lower(): name for name in known}
    close = difflib.get_close_matches(key.lower(), lower, n=1)
    if close:
        return f"unknown key `{key}`; did you mean `{lower[close[0]]}`?"
    return f"unknown key `{key}`; known here: {', '.join(known)}"


def _keys(model: type[BaseModel], loc: Sequence[str | int]) -> tuple[str, ...]:
    """Return the keys that the object at `loc` may have."""
    kind: Any = model
    for step in loc:
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            fields = {field.alias: field.annotation for field in kind.model_fields.values()}
            kind = fields[str(step)]
        else:
            # The values of a dictionary, or the entries of a tuple.
            kind = get_args(kind)[1 if get_origin(kind) is dict else 0]
    return tuple(str(field.alias) for field in kind.model_fields.values())
