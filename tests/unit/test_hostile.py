"""Values of group files that try to become code: each is refused, or it arrives as it is."""

from __future__ import annotations

import copy
import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
import yaml
from pydantic import TypeAdapter

from harness import groups, kubeadm, plan, render
from harness.errors import InvalidInputError
from harness.sources import Source
from harness.spec import ClusterPlan, ProviderName
from harness.workspace import Workspace
from tests.samples import BUNDLE, CONTAINER, ROOT, SECRETS
from tests.sandbox import Sandbox, sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
MARKER = "BROKEN-OUT"
TOUCH = f"touch {MARKER}"
HOSTILE = (
    f"$({TOUCH})", f"`{TOUCH}`", f"'; {TOUCH}; '", f'"; {TOUCH}; "', f"x; {TOUCH}", f"& {TOUCH} #",
    f"\n{TOUCH}\n", f"\r{TOUCH}\r\n", f"\n\nKUBEADM_CONFIG\n{TOUCH}\n", f"\u2028{TOUCH}",
    f"#{{system('{TOUCH}')}}", f"' + system('{TOUCH}') + '", f"\\'; system('{TOUCH}') #", "\\",
    f"{{{{ '{TOUCH}' }}}}", f"{{% set x = '{TOUCH}' %}}", "x\n  extraArgs: {a: b}\n", "a: b", "- x",
    f"!!python/object/apply:os.system ['{TOUCH}']", "&anchor *anchor", "'", '"', "--version", "-o",
    f"../../{MARKER}", f"/{MARKER}", "..", ".", "~root", "*", "a b", "\0", "\x1b[2J", "${IFS}", "é",
)  # fmt: skip

SETTINGS = render.VagrantSettings(
    private_key=Path("/state/it's/id_ed25519"),
    insecure_key=Path("/#{home}/insecure_private_key"),
    public_key="ssh-ed25519 AAAA it's\n",
    consoles=Path("/state/`logs`"),
    workspace=Path("/state/`clusters`/walkthrough"),
)
FLAVOR: dict[str, Any] = {
    "Attachments": {"*": [{"ID": "a", "Type": "t"}]},
    "InitScriptTemplateURL": "../scripts/ROLE-init.sh",
    "KubeJoinIP": "192.168.2.200",
    "KubeAddOns": [
        {"Name": "net", "Type": "network", "Path": "https://example.invalid/net.yaml"},
        {"Name": "board", "Type": "visualise", "Path": "https://example.invalid/board.yaml"},
    ],
    "KubeClusterID": "demo",
    "ControlPlane": ["192.168.2.200"],
    "PodNetwork": "10.244.0.0/16",
    "ServiceNetwork": "10.96.0.0/12",
    "Network": "192.168.2.0/24",
    "TemplateLanguage": "jinja2",
}


def group(role: str, addresses: list[str]) -> dict[str, Any]:
    """Return a group file that has every key."""
    told = json.loads(json.dumps(FLAVOR).replace("ROLE", role))
    own = {
        "Init": ["true"],
        "Tags": {"a": "b"},
        "Attachments": [{"ID": "v", "Type": "t"}],
        "TemplateLanguage": "go",
    }
    flavors = [
        {"Plugin": "vanilla", "Properties": own},
        {"Plugin": f"flavor-kubernetes/{role}", "Properties": told},
    ]
    properties = {
        "Allocation": {"LogicalIDs": addresses},
        "Flavor": {"Plugin": "combo", "Properties": {"Flavors": flavors}},
        "Instance": {"Plugin": "vagrant", "Properties": {"Box": "some/box"}},
        "Updating": {"Duration": "30s", "SkipBeforeInstanceDestroy": "drain"},
    }
    return {
        "$schema": "schema.json",
        "Plugin": "group",
        "Properties": {"$schema": "schema.json", "ID": role, "Properties": properties},
    }


DOCUMENT = [group("manager", ["192.168.2.200"]), group("worker", ["192.168.2.2"])]


@dataclass(frozen=True)
class Place:
    """Where a group file has text: below keys and indexes, or the last of these keys itself."""

    keys: tuple[Any, ...]
    is_key: bool = False

    def __str__(self) -> str:
        return ".".join(map(str, self.keys)) + "!" * self.is_key

    def right(self) -> str:
        """Return what is there."""
        found: Any = DOCUMENT[0]
        for key in self.keys:
            found = found[key]
        return str(self.keys[-1] if self.is_key else found)

    def changed(self, groups: list[Any], value: str) -> list[Any]:
        """Return groups with a value there; what they must agree on changes in all."""
        made = copy.deepcopy(groups)
        *above, last = self.keys
        is_shared = last in {
            "KubeClusterID",
            "KubeJoinIP",
            "PodNetwork",
            "ServiceNetwork",
            "Network",
        }
        for one in made if is_shared else made[:1]:
            holder: Any = one
            for key in above:
                holder = holder[key]
            if self.is_key:
                holder[value] = holder.pop(last)
            else:
                holder[last] = value
        return made


def places(value: object, *keys: object) -> Iterator[Place]:
    if isinstance(value, str):
        yield Place(keys)
        return
    pairs = value.items() if isinstance(value, dict) else enumerate(cast("list[Any]", value))
    for key, inner in pairs:
        yield from places(inner, *keys, key)
        if keys and keys[-1] in {"Tags", "Attachments"} and isinstance(value, dict):
            yield Place((*keys, key), is_key=True)


PLAN = TypeAdapter(ClusterPlan)
# Lines of shell are code on purpose.
CODE = next(place for place in places(DOCUMENT[0]) if "Init" in place.keys)
PLACES = [place for place in places(DOCUMENT[0]) if place != CODE]


def resolve(document: list[Any]) -> ClusterPlan:
    source = Source("hostile.json", json.dumps(document), is_yaml=False, folder=ROOT / "groups")
    return plan.resolve(
        groups.load(["hostile.json"], read=lambda _name: source),
        provider=ProviderName.LXC,
        supply=BUNDLE,
        traits=CONTAINER,
        default_box="b",
    )


def taken(value: str) -> dict[Place, str]:
    """Return where a value is taken, after what would be right or alone; look at complaints."""
    found: dict[Place, str] = {}
    for place in PLACES:
        for text in (value, place.right() + value):
            try:
                resolve(place.changed(DOCUMENT, text))
            except InvalidInputError as error:
                for problem in error.problems:
                    assert str(problem).isprintable(), "it would do something to a terminal"
                    assert problem.path.startswith("$")
            else:
                found[place] = text
    return found


def shape(value: object) -> object:
    """Return what a document is like, whatever its texts say."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    return [shape(inner) for inner in value] if isinstance(value, list) else type(value)


def configurations(decided: ClusterPlan) -> list[Any]:
    return [
        *yaml.safe_load_all(kubeadm.init_config(decided, decided.manager, SECRETS)),
        *yaml.safe_load_all(kubeadm.join_config(decided, decided.workers[0], SECRETS)),
    ]


@pytest.fixture(scope="module")
def machine() -> Iterator[Sandbox]:
    with sandbox() as made:
        yield made


def run(machine: Sandbox, script: str) -> list[str]:
    """Run an init script to its end; return what kubectl was given."""
    (machine.root / "kubectl").unlink(missing_ok=True)
    for left in ("var/lib/harness", "etc/kubernetes"):
        shutil.rmtree(machine.root / left, ignore_errors=True)
    machine.give("etc/kubernetes/pki")
    done = machine.run("/bin/bash", script=script)
    assert done.returncode == 0, done.stderr.decode()
    return machine.kubectl_words()


RECORDER = """
class Anything < BasicObject
  def method_missing(name, *given, &block)
    ::STDOUT.write(given[0], "\\0") if name == :box=
    yield self if block
    self
  end
end
module Vagrant; def self.configure(_version); yield Anything.new; end; end
def require(_name); end
"""
"""A stand-in for Vagrant that takes any call and tells every box."""


@pytest.mark.parametrize("value", HOSTILE, ids=ascii)
def test_a_value_is_refused_or_arrives_as_it_is(
    value: str, machine: Sandbox, tool: Callable[[str], str], tmp_path: Path
) -> None:
    right, document, places = resolve(DOCUMENT), DOCUMENT, taken(value)
    for place in sorted(places, key=lambda place: place.is_key):
        document = place.changed(document, places[place])
    decided = resolve(document)

    assert shape(configurations(decided)) == shape(configurations(right))
    workspace = Workspace.of(decided.cluster, state=tmp_path)
    workspace.save_plan(decided, vagrantfile="", content_hash="")
    assert (loaded := workspace.load_plan())
    assert PLAN.dump_json(loaded) == PLAN.dump_json(decided)
    assert workspace.root.parent == tmp_path / "clusters"
    assert [path.name for path in tmp_path.iterdir()] == ["clusters"]

    scripts = [render.init_script(decided, one, SECRETS) for one in decided.machines]
    usual = [render.init_script(right, one, SECRETS) for one in right.machines]
    words = {word for script in set(scripts) - set(usual) for word in run(machine, script)}
    for place, text in places.items():
        assert place.keys[-1] != "Path" or f"--filename={text}" in words

    plans = [replace(decided, provider=provider) for provider in ProviderName]
    texts = [RECORDER, *(render.vagrantfile(one, SETTINGS) for one in plans)]
    done = machine.run(tool("ruby"), script="\n".join(texts))
    assert done.stderr.decode() == ""
    boxes = [one.box for one in decided.machines]
    assert done.stdout.decode().split("\0") == [*boxes, *boxes, *boxes, ""]
    assert machine.broken_out(MARKER) == []


def test_a_value_is_taken_wherever_text_is_free() -> None:
    """So that the test above is about more than refusals."""
    free = {str(place.keys[-1]) for place in taken(f"$({TOUCH})")}
    assert free >= {"Box", "Path", "Name", "ID", "Type", "$schema", "a"}


def test_what_breaks_out_is_noticed(machine: Sandbox) -> None:
    decided = resolve(CODE.changed(DOCUMENT, TOUCH))
    run(machine, render.init_script(decided, decided.manager, SECRETS))
    assert machine.broken_out(MARKER) == [machine.root / MARKER]
    (machine.root / MARKER).unlink()


@pytest.mark.parametrize(
    "tag", ["!!python/object/apply:os.system", "!!python/name:os.system", "!x"]
)
def test_yaml_makes_no_objects(tag: str, tmp_path: Path) -> None:
    file = tmp_path / "group.yaml"
    file.write_text(f"Plugin: {tag} ['touch {tmp_path}/{MARKER}']\n")
    with pytest.raises(InvalidInputError):
        groups.load([file])
    assert not (tmp_path / MARKER).exists()
