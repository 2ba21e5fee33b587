"""Complaints: what pydantic finds becomes problems with JSON paths and plain words."""

from __future__ import annotations

import difflib
import json
import re
from typing import TYPE_CHECKING, Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from harness.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic_core import ErrorDetails

UNION_TAG = "\0"
"""What pydantic's own steps between a union and its member begin with; keys hardly do."""

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


def invalid(model: type[BaseModel], error: ValidationError, file: str, place: str) -> list[Problem]:
    """Translate pydantic's findings into problems with JSON paths and plain words."""
    return [
        Problem(file, place + _json_path(detail), _message(model, detail))
        for detail in error.errors(include_url=False)
    ]


def _json_path(detail: ErrorDetails) -> str:
    return "".join(step(key) for key in detail["loc"] if not _is_tag(key))


def step(key: str | int) -> str:
    """Return one step of a JSON path: an index in brackets, a key after a dot or quoted."""
    if isinstance(key, int):
        return f"[{key}]"
    return f".{key}" if _PLAIN_KEY.fullmatch(key) else f"[{json.dumps(key)}]"


def _is_tag(key: str | int) -> bool:
    return isinstance(key, str) and key.startswith(UNION_TAG)


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
        if get_origin(kind) is Annotated:
            kind = get_args(kind)[0]
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            fields = {field.alias: field.annotation for field in kind.model_fields.values()}
            kind = fields[str(step)]
        elif get_origin(kind) is Union:
            members = (get_args(member) for member in get_args(kind))
            kind = next(member for member, tag in members if tag.tag == step)
        else:
            # The values of a dictionary, or the entries of a tuple.
            kind = get_args(kind)[1 if get_origin(kind) is dict else 0]
    keys = (str(field.alias) for field in kind.model_fields.values())
    # `$schema` is for editors.
    return tuple(key for key in keys if not key.startswith("$"))
