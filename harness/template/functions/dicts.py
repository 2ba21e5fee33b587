"""Sprig's functions of dicts; `set` and `unset` change theirs, as Sprig's do."""

from __future__ import annotations

from harness.template.functions.table import Table, function
from harness.template.values import printed


@function("dict", "A dict of keys and values in turn.", ("a", 1, "b", 2), {"a": 1, "b": 2})
def _dict(*pairs: object) -> dict[str, object]:
    values = [*pairs[1::2], *([""] if len(pairs) % 2 else [])]
    return {printed(key): value for key, value in zip(pairs[::2], values, strict=True)}


@function("set", "The dict, with a key set.", ({"a": 1}, "b", 2), {"a": 1, "b": 2})
def _set(table: Table, key: str, value: object) -> dict[str, object]:
    table[key] = value
    return table


@function("unset", "The dict, with a key gone.", ({"a": 1, "b": 2}, "b"), {"a": 1})
def _unset(table: Table, key: str) -> dict[str, object]:
    table.pop(key, None)
    return table


@function("hasKey", "Whether a dict has a key.", ({"a": 1}, "a"), gives=True)
def _has_key(table: Table, key: str) -> bool:
    return key in table


@function("pluck", "What several dicts have at a key.", ("a", {"a": 1}, {"a": 2}, {}), [1, 2])
def _pluck(key: str, *tables: Table) -> list[object]:
    return [table[key] for table in tables if key in table]


@function("keys", "The keys of dicts, sorted.", ({"b": 1, "a": 2},), ["a", "b"])
def _keys(*tables: Table) -> list[str]:
    return sorted(printed(key) for table in tables for key in table)


@function("pick", "A dict of some of a dict's keys.", ({"a": 1, "b": 2}, "a"), {"a": 1})
def _pick(table: Table, *keys: str) -> dict[str, object]:
    return {key: table[key] for key in keys if key in table}


@function("omit", "A dict less some of its keys.", ({"a": 1, "b": 2}, "a"), {"b": 2})
def _omit(table: Table, *keys: str) -> dict[str, object]:
    return {key: value for key, value in table.items() if key not in keys}
