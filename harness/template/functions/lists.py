"""Sprig's functions of lists; none changes the list that it is given."""

from __future__ import annotations

from harness.template.functions.table import Items, function
from harness.template.values import printed, truth


@function("list tuple", "A list of values.", (1, "a"), [1, "a"])
def _list(*values: object) -> list[object]:
    return list(values)


@function("first", "A list's first value.", ([1, 2, 3],), 1)
def _first(items: Items) -> object:
    return items[0] if items else None


@function("rest", "All but a list's first value.", ([1, 2, 3],), [2, 3])
def _rest(items: Items) -> list[object]:
    return list(items[1:])


@function("last", "A list's last value.", ([1, 2, 3],), 3)
def _last(items: Items) -> object:
    return items[-1] if items else None


@function("initial", "All but a list's last value.", ([1, 2, 3],), [1, 2])
def _initial(items: Items) -> list[object]:
    return list(items[:-1])


@function("append push", "A list with one more value at its end.", ([1], 2), [1, 2])
def _append(items: Items, value: object) -> list[object]:
    return [*items, value]


@function("prepend", "A list with one more value at its beginning.", ([1], 2), [2, 1])
def _prepend(items: Items, value: object) -> list[object]:
    return [value, *items]


@function("reverse", "A list from its end to its beginning.", ([1, 2],), [2, 1])
def _reverse(items: Items) -> list[object]:
    return list(reversed(items))


@function("uniq", "A list with each value once.", ([1, 2, 1],), [1, 2])
def _uniq(items: Items) -> list[object]:
    found: list[object] = []
    for item in items:
        if item not in found:
            found.append(item)
    return found


@function("without", "A list less some values.", ([1, 2, 3], 1, 3), [2])
def _without(items: Items, *values: object) -> list[object]:
    return [item for item in items if item not in values]


@function("has", "Whether a list has a value.", (2, [1, 2]), gives=True)
def _has(value: object, items: Items) -> bool:
    return value in items


@function("compact", "A list less what is empty.", ([1, "", 0, "a"],), [1, "a"])
def _compact(items: Items) -> list[object]:
    return [item for item in items if truth(item)]


@function("toStrings", "A list of values as texts.", ([1, "a"],), ["1", "a"])
def _to_strings(items: Items) -> list[str]:
    return [printed(item) for item in items]


@function("join", "A list's values in one text.", (",", [1, "a"]), "1,a")
def _join(separator: str, items: object) -> str:
    several = items if isinstance(items, list | tuple) else (items,)
    return separator.join(printed(item) for item in several if item is not None)


@function("sortAlpha", "A list's values as texts, sorted.", (["b", "a"],), ["a", "b"])
def _sort_alpha(items: object) -> list[str]:
    several = items if isinstance(items, list | tuple) else (items,)
    return sorted(printed(item) for item in several)
