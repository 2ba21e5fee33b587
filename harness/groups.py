"""Group files: reads InfraKit's JSON or YAML, tells every problem, returns values."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pydantic import ValidationError

from harness import assets, documents, sources, topology
from harness.complaints import invalid
from harness.errors import InvalidInputError, Problem, UsageError
from harness.group_flavors import ComboFlavor, KubernetesFlavor, VanillaFlavor
from harness.infrakit import Group, GroupSpec, PluginGroup, beside
from harness.spec import FlavorPart, Role
from harness.topology import NOTHING_KEPT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from harness.group_flavors import Flavor
    from harness.sources import Source
    from harness.topology import Kept

__all__ = ["GroupSpec", "load", "parse", "together"]

_FLAVOR = ".Properties.Flavor"
_SCHEMES = ("str", "http", "https", "unix")
"""Of templates that are no files; those of files become paths."""


def load(
    names: Sequence[str | Path], *, read: Callable[[str], Source] = sources.read_file
) -> tuple[GroupSpec, ...]:
    """Read and check the groups of one cluster that has no machines yet.

    Raises:
        InvalidInputError: With every problem of all the files; what only shows between
            groups is looked for once each file is right in itself.
        UsageError: If no file is named.
    """
    return together(parse(names, read=read))


def together(groups: Sequence[GroupSpec], kept: Kept = NOTHING_KEPT) -> tuple[GroupSpec, ...]:
    """Return groups, each right in itself, that can be one cluster.

    Args:
        groups: As `parse` returned them.
        kept: The addresses that its machines have already.

    Raises:
        InvalidInputError: With every problem between them.
    """
    if problems := list(topology.between(groups, kept)):
        raise InvalidInputError(problems)
    return tuple(groups)


def parse(
    names: Sequence[str | Path], *, read: Callable[[str], Source] = sources.read_file
) -> tuple[GroupSpec, ...]:
    """Read groups and check each by itself.

    Args:
        names: Group files; each holds one group or an array of groups.
        read: Reads what a name stands for; only files, unless told otherwise.

    Raises:
        InvalidInputError: With every problem of all the files.
        UsageError: If no file is named.
    """
    if not names:
        raise UsageError("No group file is named.", hint="groups/ holds the walkthrough's.")
    problems: list[Problem] = []
    groups: list[GroupSpec] = []
    for name in names:
        try:
            source = read(str(name))
            document = documents.parse(source, problems)
        except InvalidInputError as error:
            problems += error.problems
            continue
        for place, raw in _entries(source, document, problems):
            group = _group(source, place, raw, problems)
            if group is not None:
                groups.append(group)
                problems += topology.within(group)
    if problems:
        # What the groups that can be read do not agree on, too.
        raise InvalidInputError([*problems, *topology.disagreements(groups)])
    return tuple(groups)


def _entries(
    source: Source, document: object, problems: list[Problem]
) -> Iterator[tuple[str, Any]]:
    """Yield the place and content of each group in a file."""
    if not isinstance(document, list):
        yield "$", document
        return
    if not document:
        message = "an empty list: at least one group should be here"
        problems.append(Problem(source.name, "$", message))
    for index, entry in enumerate(document):
        yield f"$[{index}]", entry


def _group(
    source: Source,
    place: str,
    raw: Any,  # noqa: ANN401 - JSON can be anything
    problems: list[Problem],
) -> GroupSpec | None:
    """Check one group; what is wrong goes to `problems`."""
    model = PluginGroup if isinstance(raw, dict) and "Plugin" in raw else Group
    try:
        # From text, so that a JSON list may fill a tuple although the models are strict.
        parsed = model.model_validate_json(json.dumps(raw))
    except ValidationError as error:
        problems += invalid(model, error, source.name, place)
        return None
    if isinstance(parsed, PluginGroup):
        return _spec(source, f"{place}.Properties", parsed.properties, raw, problems)
    return _spec(source, place, parsed, raw, problems)


def _spec(
    source: Source, place: str, group: Group, raw: dict[str, Any], problems: list[Problem]
) -> GroupSpec | None:
    flavors = _flavors(group.properties.flavor)
    parts = {
        where: _part(source, place + where, flavor, problems) for where, flavor in flavors.items()
    }
    nodes = [
        (where, flavor) for where, flavor in flavors.items() if isinstance(flavor, KubernetesFlavor)
    ]
    if len(nodes) != 1:
        message = (
            f"{len(nodes)} Kubernetes flavors: a group needs one, by itself or in a flavor-combo, "
            "because each machine is one node"
        )
        problems.append(Problem(source.name, f"{place}{_FLAVOR}", message))
        return None
    ((where, flavor),) = nodes
    role = _role(flavor)
    return GroupSpec(
        file=source.name,
        folder=source.folder,
        place=place,
        id=group.id,
        role=role,
        allocation=group.properties.allocation,
        instance=group.properties.instance.properties,
        flavor_plugin=group.properties.flavor.plugin,
        flavor_place=where,
        flavor=flavor.properties,
        template=parts[where].template,
        template_root=parts[where].template_root,
        parts=tuple(parts.values()) if len(parts) > 1 or where != _FLAVOR else (),
        updating=group.properties.updating,
        document=raw,
    )


def _flavors(flavor: Flavor) -> dict[str, KubernetesFlavor | VanillaFlavor]:
    """Return the flavors of a group by their place: the one, or those of a combo."""
    if not isinstance(flavor, ComboFlavor):
        return {_FLAVOR: flavor}
    places = itertools.count()
    return {
        f"{_FLAVOR}.Properties.Flavors[{next(places)}]": one for one in flavor.properties.flavors
    }


def _role(flavor: KubernetesFlavor) -> Role:
    return Role(flavor.plugin.rpartition("/")[2])


def _part(
    source: Source,
    place: str,
    flavor: KubernetesFlavor | VanillaFlavor,
    problems: list[Problem],
) -> FlavorPart:
    told, where = flavor.properties, f"{place}.Properties"
    template = beside(source.name, source.folder, told.init_script_template_url)
    if reason := _unreadable(template):
        problems.append(Problem(source.name, f"{where}.InitScriptTemplateURL", reason))
    root = beside(source.name, source.folder, told.template_root)
    if root and not Path(root).is_dir():
        problems.append(Problem(source.name, f"{where}.TemplateRoot", f"there is no folder {root}"))
    if not template and isinstance(flavor, KubernetesFlavor):
        template = str(assets.init_script(_role(flavor)))
    return FlavorPart(flavor.plugin, template, told.model_dump(by_alias=True), root)


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""  # an IPv6 address that is none


def _unreadable(template: str) -> str:
    """Say why nothing can be read there, or nothing; what is on the network is asked later."""
    scheme, separator, rest = template.partition("://")
    if separator:
        if scheme == "file":
            return f"`{template}` is on another host: say file:///, and the path"
        if scheme not in _SCHEMES:
            known = ", ".join(f"{one}://" for one in _SCHEMES)
            return f"unsupported url: {scheme}:// (known are file://, {known})"
        if not rest or (scheme in {"http", "https"} and not _host(template)):
            return f"`{template}` names no host, path or text"
        return ""
    if template and not Path(template).is_file():
        return f"there is no template file {template}"
    return ""
