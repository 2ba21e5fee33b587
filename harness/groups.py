"""Group files: reads InfraKit's JSON or YAML, tells every problem, returns values."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

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
    from pathlib import Path

    from harness.group_flavors import Flavor
    from harness.sources import Source
    from harness.topology import Kept

__all__ = ["GroupSpec", "load", "parse", "together"]

_FLAVOR = ".Properties.Flavor"


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
        raise InvalidInputError(problems)
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
        template=parts[where].template or assets.init_script(role),
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
    url = flavor.properties.init_script_template_url
    template = _template(source, url) if url else None
    where = f"{place}.Properties.InitScriptTemplateURL"
    if isinstance(template, str):
        problems.append(Problem(source.name, where, template))
        template = None
    elif template is not None and not template.is_file():
        problems.append(Problem(source.name, where, f"there is no template file {template}"))
    if template is None and isinstance(flavor, KubernetesFlavor):
        template = assets.init_script(_role(flavor))
    return FlavorPart(flavor.plugin, template, flavor.properties.model_dump(by_alias=True))


def _template(source: Source, url: str) -> Path | str:
    """Return the template's path, or what is wrong with its URL."""
    parts = urlsplit(url)
    if parts.scheme == "file" and parts.netloc in {"", "localhost"}:
        url = unquote(parts.path)
    elif "://" in url:
        return f"`{url}` cannot be read: give a path, relative to this file, or a file:// URL"
    path = beside(source.folder, url)
    if path is None:
        return (
            f"`{url}` is relative, and this group was fetched from an URL: give an absolute "
            "path, or none for the built-in script"
        )
    return path
