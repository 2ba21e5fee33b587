"""Vanilla and combo: upstream's cases, and what becomes of a group that names them."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from harness import groups, plan, render
from harness.errors import InvalidInputError
from harness.flavors import FLAVORS
from harness.flavors.combo import ComboFlavor
from harness.flavors.vanilla import VanillaFlavor
from harness.spec import ClusterPlan, FlavorPart, InstanceSpec, ProviderName, Role
from tests.samples import BUNDLE, CONTAINER, SECRETS, WALKTHROUGH, cluster_plan
from tests.unit.test_groups import flavor, group, load

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from harness.interfaces import Flavor
    from tests.unit.conftest import Ran

VANILLA = FLAVORS["flavor-vanilla"]
EITHER = 'Either "Init" or "InitScriptTemplateURL" can be specified but not both'
L0 = InstanceSpec(init="l0\nl1", tags={"t1": "v1"}, attachments=(("a0", ""),))


def prepare(given: InstanceSpec, template: str = "", **spec: object) -> InstanceSpec:
    planned = cluster_plan()
    part = FlavorPart("flavor-vanilla", template, spec)
    return VANILLA.prepare(part, given, plan=planned, machine=planned.manager, secrets=SECRETS)


@pytest.mark.parametrize(
    "properties",
    [
        {"Init": ["l1"], "InitScriptTemplateURL": "", "Tags": {"tag1": "val1"}, "Attachments": []},
        {"InitScriptTemplateURL": "own.sh", "Tags": {"tag1": "val1"}, "Attachments": []},
    ],
)
def test_vanilla_validate_valid(properties: dict[str, Any]) -> None:
    VANILLA.validate(properties)


def test_vanilla_validate_init_lines_with_init_script() -> None:
    with pytest.raises(InvalidInputError) as caught:
        VANILLA.validate({"Init": ["l1"], "InitScriptTemplateURL": "own.sh"})
    assert [problem.message for problem in caught.value.problems] == [EITHER]


@pytest.mark.parametrize(
    ("given", "spec", "made"),
    [
        (L0, {}, L0),
        (
            InstanceSpec(),
            {"Attachments": [{"ID": "a1"}]},
            InstanceSpec(attachments=(("a1", ""),)),
        ),
        (
            InstanceSpec(attachments=(("a0", ""),)),
            {"Attachments": [{"ID": "a1"}]},
            InstanceSpec(attachments=(("a0", ""), ("a1", ""))),
        ),
        (InstanceSpec(), {"Tags": {"tag1": "val1"}}, InstanceSpec(tags={"tag1": "val1"})),
        (
            InstanceSpec(tags={"t1": "v1"}),
            {"Tags": {"tag1": "val1"}},
            InstanceSpec(tags={"t1": "v1", "tag1": "val1"}),
        ),
        (InstanceSpec(), {"Init": ["line1", "line2"]}, InstanceSpec(init="line1\nline2")),
        (
            InstanceSpec(init="l0\nl1"),
            {"Init": ["line2", "line3"]},
            InstanceSpec(init="l0\nl1\nline2\nline3"),
        ),
        (
            InstanceSpec(tags={"t": "given"}),
            {"Tags": {"t": "flavor"}},
            InstanceSpec(tags={"t": "flavor"}),
        ),
    ],
    ids=[
        "empty data",
        "attachments",
        "attachments and the instance's",
        "tags",
        "tags and the instance's",
        "init",
        "init and the instance's",
        "the flavor's tag wins",
    ],
)
def test_vanilla_prepare(given: InstanceSpec, spec: dict[str, Any], made: InstanceSpec) -> None:
    assert prepare(given, **spec) == made


def test_vanilla_prepare_with_init_script_and_the_instances_init(tmp_path: Path) -> None:
    file = tmp_path / "own.sh"
    file.write_text('{% set mine = "value" %}echo {{ mine }} {{ SPEC.Tags.a }}')
    made = prepare(InstanceSpec(init="l0\nl1"), str(file), Tags={"a": "b"})
    assert made.init == "l0\nl1\necho value b"


@dataclass(frozen=True)
class Says(VanillaFlavor):
    """A flavor that adds what it was made with, to see what it was given."""

    tags: dict[str, str]
    init: str
    seen: list[InstanceSpec]

    def prepare(self, part: FlavorPart, given: InstanceSpec, **_: object) -> InstanceSpec:
        del part
        self.seen.append(given)
        return InstanceSpec(self.init, {**given.tags, **self.tags}, ((self.init, ""),))


def test_combo_merges_its_parts_and_gives_each_a_clone() -> None:
    a = Says({"a": "1", "c": "4"}, "init data a", [])
    b = Says({"b": "2", "c": "5"}, "init data b", [])
    flavors: dict[str, Flavor] = {"a": a, "b": b}
    machine = replace(
        cluster_plan().manager,
        parts=(FlavorPart("a", "", {}), FlavorPart("b", "", {})),
    )
    given = InstanceSpec("before", {"c": "0", "d": "6"}, (("z", ""),))
    made = ComboFlavor(flavors).prepare(
        machine.part, given, plan=cluster_plan(), machine=machine, secrets=SECRETS
    )
    assert made.tags == {"a": "1", "b": "2", "c": "5", "d": "6"}
    assert made.init == "before\ninit data a\ninit data b"
    assert made.attachments == (("z", ""), ("init data a", ""), ("init data b", ""))
    alone = InstanceSpec(tags={"c": "0", "d": "6"})
    assert a.seen == b.seen == [alone]


def test_combo_tells_every_problem_of_every_part() -> None:
    with pytest.raises(InvalidInputError) as caught:
        FLAVORS["flavor-combo"].validate(
            {
                "Flavors": [
                    {"Plugin": "flavor-vanilla", "Properties": {"Inti": []}},
                    {"Plugin": "flavor-kubernetes/worker", "Properties": {"KubeClusterID": "x"}},
                    {"Plugin": "flavor-combo", "Properties": {}},
                ]
            }
        )
    said = [f"{problem.path}: {problem.message}" for problem in caught.value.problems]
    inti, join_ip, combo, *_ = said
    assert inti == "$.Flavors[0].Properties.Inti: unknown key `Inti`; did you mean `Init`?"
    assert join_ip.startswith("$.Flavors[1].Properties.KubeJoinIP: no kube join info")
    assert combo.startswith('$.Flavors[2].Plugin: "flavor-combo" is not known')


def combined(*parts: dict[str, Any], **properties: object) -> dict[str, Any]:
    made = group(flavor(**properties))
    node = made["Properties"]["Flavor"]
    made["Properties"]["Flavor"] = {
        "Plugin": "flavor-combo",
        "Properties": {"Flavors": [parts[0], node, *parts[1:]]},
    }
    return made


def vanilla(**properties: object) -> dict[str, Any]:
    return {"Plugin": "flavor-vanilla", "Properties": properties}


def resolve(folder: Path, document: object) -> ClusterPlan:
    return plan.resolve(
        load(folder, document),
        provider=ProviderName.LXC,
        supply=BUNDLE,
        traits=CONTAINER,
        default_box="b",
    )


def test_a_group_may_combine_a_node_with_lines_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "after.sh").write_text("echo {{ KUBE_JOIN_IP }} {{ SPEC.Tags.tier }}\n")
    attachments = {"*": [{"ID": "disk", "Type": "ebs"}]}
    document = combined(
        vanilla(Init=["echo first"], Tags={"tier": "a", "x": "1"}),
        vanilla(InitScriptTemplateURL="after.sh", Tags={"tier": "b"}),
        Attachments=attachments,
    )
    planned = resolve(tmp_path, document)
    assert planned.manager.role is Role.MANAGER
    made = render.instance(planned, planned.manager, SECRETS)
    first, _, rest = made.init.partition("\n")
    assert (first, rest.splitlines()[0]) == ("echo first", "#!/usr/bin/env bash")
    assert made.init.endswith("echo 192.168.2.200 b\n")
    assert "kubeadm init" in made.init
    assert made.tags == {"tier": "b", "x": "1"}
    assert made.attachments == (("disk", "ebs"),)


def test_the_content_of_a_parts_template_is_content_of_the_cluster(tmp_path: Path) -> None:
    template = tmp_path / "own.sh"
    template.write_text("echo one")
    planned = resolve(tmp_path, combined(vanilla(InitScriptTemplateURL="own.sh")))
    before = render.content_hash(planned)
    template.write_text("echo two")
    assert render.content_hash(planned) != before


def test_what_is_wrong_in_a_part_is_told_with_its_place(tmp_path: Path) -> None:
    document = combined(
        vanilla(InitScriptTemplateURL="none.sh"), vanilla(Init="x"), ControlPlane=["192.168.2.9"]
    )
    with pytest.raises(InvalidInputError) as caught:
        load(tmp_path, document)
    (problem,) = caught.value.problems
    flavors = "$.Properties.Flavor.Properties.Flavors"
    assert problem.path == f"{flavors}[2].Properties.Init"
    document["Properties"]["Flavor"]["Properties"]["Flavors"].pop()
    with pytest.raises(InvalidInputError) as caught:
        load(tmp_path, document)
    assert [one.path for one in caught.value.problems] == [
        f"{flavors}[0].Properties.InitScriptTemplateURL",
        f"{flavors}[1].Properties.ControlPlane",
        f"{flavors}[1].Properties.ControlPlane",
    ]


@pytest.mark.parametrize("count", [0, 2])
def test_a_group_has_one_kubernetes_flavor(count: int, tmp_path: Path) -> None:
    document = combined(vanilla(Init=["echo"]))
    flavors = document["Properties"]["Flavor"]["Properties"]["Flavors"]
    flavors[1:] = [flavors[1]] * count
    with pytest.raises(InvalidInputError, match=f"{count} Kubernetes flavors: a group needs one"):
        load(tmp_path, document)


def test_vanilla_by_itself_makes_no_node(tmp_path: Path) -> None:
    document = group(flavor())
    document["Properties"]["Flavor"] = vanilla(Init=["echo"])
    with pytest.raises(InvalidInputError, match="0 Kubernetes flavors") as caught:
        load(tmp_path, document)
    assert caught.value.problems[0].path == "$.Properties.Flavor"


def test_rendering_shows_tags_and_attachments(run: Callable[..., Ran], tmp_path: Path) -> None:
    manager = json.loads(WALKTHROUGH[0].read_text())
    inner = manager["Properties"]["Properties"]
    inner["Flavor"]["Properties"].pop("InitScriptTemplateURL")
    inner["Flavor"] = {
        "Plugin": "combo",
        "Properties": {"Flavors": [vanilla(Tags={"tier": "a"}), inner["Flavor"]]},
    }
    file = tmp_path / "manager.json"
    file.write_text(json.dumps(manager))
    assert groups.load([file])
    ran = run("render", str(file), "--provider", "lxc", "--out", str(tmp_path / "out"))
    assert ran.code == 0, ran.err
    labels = json.loads((tmp_path / "out" / "ip-192.168.2.200-labels.json").read_text())
    assert labels == {"tags": {"tier": "a"}, "attachments": []}
    ran = run("plan", str(file), "--provider", "lxc", "-o", "json")
    (machine,) = json.loads(ran.out)["machines"]
    plugins = [part["plugin"] for part in machine["parts"]]
    assert plugins == ["flavor-vanilla", "flavor-kubernetes/manager"]
