"""The Kubernetes flavor: what it accepts, and what its templates may name."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from harness import render
from harness.errors import InvalidInputError
from harness.flavors import FLAVORS
from harness.group_flavors import FLAVOR_PLUGINS
from harness.spec import AddOn
from tests.samples import PACKAGES, SECRETS, cluster_plan

if TYPE_CHECKING:
    from pathlib import Path

    from harness.spec import ClusterPlan

NAMES = """\
{{ SPEC.KubeJoinIP }} {{ INSTANCE_LOGICAL_ID }} {{ BOOTSTRAP }} {{ WORKER }}
{{ KUBEADM_JOIN_TOKEN }} {{ KUBE_JOIN_IP }}:{{ BIND_PORT }} {{ ADDON("network") }}
{{ node_name }} {{ node_ip }} {{ pod_network }} {{ supply.kubernetes_version }}
"""


def scripted(folder: Path, text: str) -> ClusterPlan:
    """Plan the walkthrough with every init script replaced by `text`."""
    file = folder / "own.sh"
    file.write_text(text)
    plan = cluster_plan()
    return replace(
        plan, machines=tuple(replace(machine, template=str(file)) for machine in plan.machines)
    )


def test_every_plugin_that_a_group_may_name_has_a_flavor() -> None:
    assert set(FLAVORS) == set(FLAVOR_PLUGINS)


@pytest.mark.parametrize("name", [name for name in sorted(FLAVORS) if "kubernetes" in name])
def test_validate_tells_every_problem(name: str) -> None:
    FLAVORS[name].validate({"KubeJoinIP": "192.168.2.200", "KubeClusterID": "demo"})
    with pytest.raises(InvalidInputError) as caught:
        FLAVORS[name].validate({"KubeJoinIP": "", "KubeBindPort": 0, "Kube": 1})
    assert [problem.path for problem in caught.value.problems] == [
        "$.KubeJoinIP",
        "$.KubeBindPort",
        "$.KubeClusterID",
        "$.Kube",
    ]


def test_a_users_template_finds_upstreams_names(tmp_path: Path) -> None:
    plan = scripted(tmp_path, NAMES)
    assert render.init_script(plan, plan.manager, SECRETS) == (
        "192.168.2.200 192.168.2.200 True False\n"
        "abcdef.0123456789abcdef 192.168.2.200:6443 \n"
        "ip-192.168.2.200 192.168.2.200 10.244.0.0/16 v1.20.2\n"
    )
    assert "192.168.2.2 False True" in render.init_script(plan, plan.workers[0], SECRETS)


def test_addon_is_the_last_of_its_type_as_upstream_has_it(tmp_path: Path) -> None:
    plan = scripted(tmp_path, '{{ ADDON("network") }}|{{ ADDON("visualise") }}')
    add_ons = (AddOn("a", "network", "https://a"), AddOn("b", "network", "https://b"))
    plan = replace(plan, add_ons=add_ons)
    assert render.init_script(plan, plan.manager, SECRETS) == "https://b|"


def test_a_manifest_travels_in_the_script_and_an_url_does_not(tmp_path: Path) -> None:
    manifest = tmp_path / "net.yaml"
    manifest.write_text("name: it's $(mine)\n")
    plan = replace(
        cluster_plan(supply=PACKAGES),
        add_ons=(
            AddOn("lab", "network", ""),
            AddOn("own", "visualise", str(manifest)),
        ),
    )
    script = render.init_script(plan, plan.manager, SECRETS)
    assert "--filename=https://example.invalid/network.yaml" in script
    assert """apply_text 'name: it'"'"'s $(mine)\n'""" in script


def test_a_manifest_that_is_no_text_is_a_problem(tmp_path: Path) -> None:
    manifest = tmp_path / "net.yaml"
    manifest.write_bytes(b"\xff")
    plan = replace(cluster_plan(), add_ons=(AddOn("own", "network", str(manifest)),))
    with pytest.raises(InvalidInputError, match=r"net\.yaml"):
        render.init_script(plan, plan.manager, SECRETS)


def test_another_machine_of_a_manager_group_joins() -> None:
    plan = cluster_plan()
    other = replace(plan.workers[0], template=plan.manager.template)
    script = render.init_script(plan, other, SECRETS)
    assert "kubeadm join" in script
    assert "kubeadm init" not in script
