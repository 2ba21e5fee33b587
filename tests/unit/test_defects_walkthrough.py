"""Why InfraKit's walkthrough could not work (W of `tests/defects.py`), and that ours can."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from harness import groups, kubeadm, plan, render
from harness.errors import InvalidInputError
from harness.spec import ClusterPlan, ProviderName, Role
from tests.samples import BUNDLE, CONTAINER, PACKAGES, SECRETS, WALKTHROUGH, cluster_plan
from tests.unit.test_groups import flavor, group, load

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.unit.conftest import Ran


def resolve(folder: Path, document: object) -> ClusterPlan:
    return plan.resolve(
        load(folder, document),
        provider=ProviderName.LXC,
        supply=BUNDLE,
        traits=CONTAINER,
        default_box="b",
    )


def problems(folder: Path, document: object) -> list[str]:
    with pytest.raises(InvalidInputError) as caught:
        load(folder, document)
    return [problem.message for problem in caught.value.problems]


def shipped(index: int) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(WALKTHROUGH[index].read_text())["Properties"]["Properties"]
    return found


@pytest.mark.defect("W1")
@pytest.mark.parametrize("instance", ["instance-vagrant", "vagrant"])
@pytest.mark.parametrize("plugin", ["flavor-kubernetes/manager", "kubernetes/manager"])
def test_a_plugin_is_found_by_either_of_its_names(
    plugin: str, instance: str, tmp_path: Path
) -> None:
    document = group(flavor())
    document["Properties"]["Flavor"]["Plugin"] = plugin
    document["Properties"]["Instance"]["Plugin"] = instance
    assert load(tmp_path, document)[0].role is Role.MANAGER


@pytest.mark.defect("W1")
def test_a_plugin_that_is_not_there_is_told_in_upstreams_words(tmp_path: Path) -> None:
    document = group(flavor())
    document["Properties"]["Flavor"]["Plugin"] = "flavor-swarm/manager"
    document["Properties"]["Instance"]["Plugin"] = "instance-aws"
    flavor_, instance = problems(tmp_path, document)
    assert flavor_.startswith("Failed to find Flavor plugin 'flavor-swarm/manager':")
    assert instance.startswith("Failed to find Instance plugin 'instance-aws':")


@pytest.mark.defect("W2")
@pytest.mark.parametrize(
    "wrap",
    [
        lambda bare: bare,
        lambda bare: {"Plugin": "group", "Properties": bare},
        lambda bare: {"Plugin": "group-stateless", "Properties": bare},
        lambda bare: [bare],
        lambda bare: [{"Plugin": "group", "Properties": bare}],
    ],
)
def test_every_shape_of_a_group_file_is_accepted(wrap: Any, tmp_path: Path) -> None:  # noqa: ANN401
    assert load(tmp_path, wrap(group(flavor())))[0].id == "managers"


@pytest.mark.defect("W3")
def test_the_shipped_groups_name_their_cluster_and_must(tmp_path: Path) -> None:
    ids = {shipped(index)["Flavor"]["Properties"]["KubeClusterID"] for index in (0, 1)}
    assert ids == {"walkthrough"}
    document = group({"KubeJoinIP": "192.168.2.200"})
    (message,) = problems(tmp_path, document)
    assert message.startswith("no Kube Cluster ID")


@pytest.mark.defect("W4")
def test_without_control_plane_the_machine_at_the_join_address_is_it(tmp_path: Path) -> None:
    ids = ["192.168.2.201", "192.168.2.200"]
    planned = resolve(tmp_path, group(flavor(), LogicalIDs=ids))
    assert planned.manager.address == "192.168.2.200"
    assert "kubeadm init" in render.init_script(planned, planned.manager, SECRETS)
    assert [worker.address for worker in planned.workers] == ["192.168.2.201"]


@pytest.mark.defect("W5")
def test_a_template_that_cannot_be_parsed_is_a_problem_before_anything_is_made(
    tmp_path: Path,
) -> None:
    (tmp_path / "own.sh").write_text("#!/bin/sh\n{% if BOOTSTRAP %}\n{% if WORKER %}{% endif %}\n")
    planned = resolve(tmp_path, group(flavor(InitScriptTemplateURL="own.sh")))
    with pytest.raises(InvalidInputError) as caught:
        render.check(planned)
    (problem,) = caught.value.problems
    assert problem.file == str(tmp_path / "own.sh")
    assert problem.path.startswith("line ")


@pytest.mark.defect("W6")
def test_the_workers_of_the_walkthrough_have_the_workers_flavor() -> None:
    assert shipped(0)["Flavor"]["Plugin"] == "flavor-kubernetes/manager"
    assert shipped(1)["Flavor"]["Plugin"] == "flavor-kubernetes/worker"


@pytest.mark.defect("W7")
def test_a_template_stands_beside_its_group_wherever_that_is(tmp_path: Path) -> None:
    for index in (0, 1):
        url = shipped(index)["Flavor"]["Properties"]["InitScriptTemplateURL"]
        assert not url.startswith(("/", "file:"))
    (tmp_path / "deep").mkdir()
    (tmp_path / "own.sh").write_text("echo")
    (one,) = load(tmp_path / "deep", group(flavor(InitScriptTemplateURL="../own.sh")))
    assert one.template == str(tmp_path / "own.sh")


@pytest.mark.defect("W8")
def test_a_trailing_comma_is_told_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "groups.json"
    file.write_text('{\n  "ID": "workers",\n}\n')
    with pytest.raises(InvalidInputError) as caught:
        groups.load([file])
    (problem,) = caught.value.problems
    assert problem.path.startswith("line ")
    assert problem.message.startswith("not valid JSON")


@pytest.mark.defect("W8")
@pytest.mark.parametrize(
    ("name", "kind"), [("flannel", "network"), ("calico", "network"), ("dashboard", "visualise")]
)
def test_a_known_add_on_with_an_empty_path_is_applied(name: str, kind: str, tmp_path: Path) -> None:
    add_on = {"Name": name, "Type": kind, "Path": ""}
    planned = resolve(tmp_path, group(flavor(KubeAddOns=[add_on])))
    (resolved,) = planned.add_ons
    script = render.init_script(planned, planned.manager, SECRETS)
    assert resolved.path.startswith("https://")
    assert f"--filename={resolved.path}" in script


@pytest.mark.defect("W8")
def test_the_labs_add_on_is_the_manifest_of_the_supply() -> None:
    planned = cluster_plan(supply=PACKAGES)
    script = render.init_script(planned, planned.manager, SECRETS)
    assert f"--filename={PACKAGES.network_manifest}" in script


@pytest.mark.defect("W8")
def test_an_unknown_add_on_with_an_empty_path_is_a_problem(tmp_path: Path) -> None:
    add_on = {"Name": "wave", "Type": "network", "Path": ""}
    (message,) = problems(tmp_path, group(flavor(KubeAddOns=[add_on])))
    assert "no built-in manifest for network add-on `wave`" in message


@pytest.mark.defect("W9")
def test_every_machine_and_node_has_a_name_of_its_own() -> None:
    planned = cluster_plan()
    assert len(set(planned.names)) == len(planned.machines)
    for machine in planned.machines:
        script = render.init_script(planned, machine, SECRETS)
        assert machine.name in script


@pytest.mark.defect("W10")
def test_the_control_plane_is_told_its_address_port_pods_and_name() -> None:
    planned = cluster_plan()
    init, cluster, *_ = yaml.safe_load_all(kubeadm.init_config(planned, planned.manager, SECRETS))
    assert init["localAPIEndpoint"] == {"advertiseAddress": "192.168.2.200", "bindPort": 6443}
    assert init["nodeRegistration"]["name"] == "ip-192.168.2.200"
    assert "192.168.2.200" in cluster["apiServer"]["certSANs"]
    assert cluster["networking"]["podSubnet"] == "10.244.0.0/16"


@pytest.mark.parametrize("command", [("validate",), ("plan",), ("up", "--dry-run")])
@pytest.mark.parametrize("is_missing", [True, False])
def test_a_missing_network_add_on_is_a_warning_in_upstreams_words(
    command: tuple[str, ...], run: Callable[..., Ran], tmp_path: Path, *, is_missing: bool
) -> None:
    add_ons = [] if is_missing else [{"Name": "lab", "Type": "network"}]
    file = tmp_path / "groups.json"
    file.write_text(json.dumps(group(flavor(KubeAddOns=add_ons))))
    ran = run(*command, str(file), "--provider", "lxc")
    assert ran.code == 0
    warning = (
        f"warning: {file}: $.Properties.Flavor.Properties.KubeAddOns: No Network addon configured. "
        "Your cluster will not be Ready status until apply network addon."
    )
    assert (warning in ran.err) == is_missing
