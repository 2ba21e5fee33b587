"""Defects of InfraKit's Kubernetes flavor that groups and templates show (K)."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from harness import render
from harness.errors import InvalidInputError
from harness.spec import Role
from tests.samples import PACKAGES, SECRETS, cluster_plan
from tests.unit.test_defects_walkthrough import problems, resolve
from tests.unit.test_groups import flavor, group, load

if TYPE_CHECKING:
    from pathlib import Path

IDS = ["192.168.2.200", "192.168.2.201", "192.168.2.202"]


@pytest.mark.defect("K1")
def test_a_template_that_fails_half_way_makes_no_script(tmp_path: Path) -> None:
    template = tmp_path / "own.sh"
    template.write_text("echo begun\n{% include 'gone.sh' %}\n")
    planned = cluster_plan()
    machine = replace(planned.manager, template=str(template))
    with pytest.raises(InvalidInputError) as caught:
        render.init_script(planned, machine, SECRETS)
    assert "gone.sh" in caught.value.problems[0].message


@pytest.mark.defect("K5", "K6")
def test_no_script_of_a_worker_shows_a_token_on_a_command_line_or_skips_the_hash() -> None:
    planned = cluster_plan()
    for machine in planned.machines:
        script = render.init_script(planned, machine, SECRETS)
        assert "set -o xtrace" not in script
        assert f"--token {SECRETS.token}" not in script
        assert "unsafe-skip-ca-verification" not in script
    join = render.init_script(planned, planned.workers[0], SECRETS)
    assert SECRETS.ca_cert_hash in join


@pytest.mark.defect("K8")
def test_every_machine_is_given_the_same_token() -> None:
    planned = cluster_plan()
    scripts = [render.init_script(planned, machine, SECRETS) for machine in planned.machines]
    assert all(SECRETS.token in script for script in scripts)


@pytest.mark.defect("K9")
def test_a_manager_that_is_not_the_control_plane_joins(tmp_path: Path) -> None:
    planned = resolve(tmp_path, group(flavor(), LogicalIDs=IDS))
    assert [worker.address for worker in planned.workers] == IDS[1:]
    for machine in planned.workers:
        script = render.init_script(planned, machine, SECRETS)
        assert "kubeadm join" in script
        assert "kubeadm init" not in script


@pytest.mark.defect("K9", "K10")
def test_more_than_one_control_plane_is_refused_and_not_forgotten(tmp_path: Path) -> None:
    (three,) = problems(tmp_path, group(flavor(ControlPlane=IDS), LogicalIDs=IDS))
    assert three.startswith("one control plane for now: 3 are named")
    (two,) = problems(tmp_path, group(flavor(ControlPlane=IDS[:2]), LogicalIDs=IDS))
    assert two.startswith(f"must have odd number of control plane ids: {IDS[:2]}")


@pytest.mark.defect("K10")
def test_a_worker_group_may_use_size_whatever_its_managers_do(tmp_path: Path) -> None:
    document = [group(flavor()), group(flavor(), "worker", Size=2)]
    _, worker = load(tmp_path, document)
    assert (worker.role, worker.allocation.size) == (Role.WORKER, 2)


@pytest.mark.defect("K11")
@pytest.mark.parametrize(
    ("chosen", "ids", "is_subset"),
    [
        (IDS[:1], IDS, True),
        (IDS[:1], IDS[:1], True),
        (IDS[:1], IDS[1:], False),
    ],
)
def test_the_control_plane_may_be_all_of_the_allocation_and_nothing_else(
    chosen: list[str], ids: list[str], tmp_path: Path, *, is_subset: bool
) -> None:
    document = group(flavor(ControlPlane=chosen), LogicalIDs=ids)
    if is_subset:
        assert load(tmp_path, document)
    else:
        words = "ControlPlane ids must be equal or strict subset of allocations logical IDs"
        assert f"{words}: {chosen} vs {ids}" in problems(tmp_path, document)


@pytest.mark.defect("K12")
@pytest.mark.parametrize(
    ("properties", "said"),
    [
        ({"KubeBindPort": 0}, "too small"),
        ({"KubeBindPort": 70000}, "too large"),
        ({"KubeAddOns": [{"Name": "x", "Type": "dns", "Path": "a"}]}, "not known"),
        ({"KubeAddOns": [{"Name": "x", "Type": "network"}]}, "no built-in manifest"),
        ({"KubeJoinIP": "manager.example"}, "not an IPv4 address"),
        ({"KubeClusterID": "../x"}, "cannot be part of machine names"),
    ],
)
def test_what_upstream_takes_unseen_is_a_problem(
    properties: dict[str, object], said: str, tmp_path: Path
) -> None:
    (message,) = problems(tmp_path, group(flavor(**properties)))
    assert said in message


@pytest.mark.defect("K12")
def test_the_join_address_is_one_of_the_managers(tmp_path: Path) -> None:
    (message,) = problems(tmp_path, group(flavor(KubeJoinIP="192.168.2.9"), LogicalIDs=IDS))
    assert "192.168.2.9 is not an address of the manager group" in message


@pytest.mark.defect("K13")
@pytest.mark.parametrize("key", ["KubeJoinIp", "kubeJoinIP", "KubeJoinIPs"])
def test_a_misspelt_key_is_told_and_the_right_one_with_it(key: str, tmp_path: Path) -> None:
    (message,) = problems(tmp_path, group(flavor(**{key: "192.168.2.200"})))
    assert message == f"unknown key `{key}`; did you mean `KubeJoinIP`?"


@pytest.mark.defect("K14")
def test_a_machine_is_made_fit_for_kubelet() -> None:
    planned = cluster_plan(supply=PACKAGES)
    for machine in planned.machines:
        script = render.init_script(planned, machine, SECRETS)
        assert "set -o errexit -o nounset -o pipefail\n" in script
        assert "export DEBIAN_FRONTEND=noninteractive\n" in script
        assert "swapoff --all\n" in script
        assert "modprobe --all overlay br_netfilter\n" in script
        assert "SystemdCgroup = true\n" in script
        assert "sysctl --quiet --load=" in script


@pytest.mark.defect("K14")
def test_what_is_installed_has_its_version_and_no_download_is_run_unseen() -> None:
    planned = cluster_plan(supply=PACKAGES)
    script = render.init_script(planned, planned.workers[0], SECRETS)
    assert '"kubeadm=$version-*" "kubectl=$version-*" "kubelet=$version-*"' in script
    assert f"kubernetes_version={PACKAGES.kubernetes_version}\n" in script
    assert "[signed-by=" in script
    assert not re.search(r"(curl|wget)[^\n]*\|[^|]", script.replace("\\\n", " "))


@pytest.mark.defect("K15")
def test_no_network_lies_over_another_and_no_manifest_comes_in_the_clear(
    tmp_path: Path,
) -> None:
    (message,) = problems(tmp_path, group(flavor(PodNetwork="192.168.0.0/16")))
    assert message == "192.168.0.0/16 overlaps Network 192.168.2.0/24; choose another"
    add_ons = [
        {"Name": "calico", "Type": "network"},
        {"Name": "dashboard", "Type": "visualise"},
    ]
    planned = resolve(tmp_path, group(flavor(KubeAddOns=add_ons)))
    assert all(add_on.path.startswith("https://") for add_on in planned.add_ons)


def test_the_last_add_on_of_a_type_is_the_one_that_is_applied(tmp_path: Path) -> None:
    add_ons = [
        {"Name": "calico", "Type": "network"},
        {"Name": "dashboard", "Type": "visualise"},
        {"Name": "flannel", "Type": "network"},
    ]
    planned = resolve(tmp_path, group(flavor(KubeAddOns=add_ons)))
    assert sorted(add_on.name for add_on in planned.add_ons) == ["dashboard", "flannel"]


@pytest.mark.defect("K17", "G8")
def test_the_content_of_a_template_and_of_its_includes_counts(tmp_path: Path) -> None:
    (tmp_path / "inner.sh").write_text("echo one\n")
    (tmp_path / "own.sh").write_text("{% include 'inner.sh' %}\n")
    planned = resolve(tmp_path, group(flavor(InitScriptTemplateURL="own.sh")))
    before = render.content_hash(planned)
    assert render.content_hash(planned) == before
    (tmp_path / "inner.sh").write_text("echo two\n")
    assert render.content_hash(planned) != before


def test_upstreams_validate_table(tmp_path: Path) -> None:
    add_on = {"Name": "n", "Type": "network", "Path": "https://example.invalid/n.yaml"}
    attachments = {"192.168.2.7": [{"ID": "a", "Type": "ebs"}, {"ID": "b", "Type": "ebs"}]}
    worker = group(flavor(KubeAddOns=[add_on], Attachments=attachments), "worker")
    worker["Properties"]["Allocation"] = {"LogicalIDs": ["192.168.2.7"]}
    assert load(tmp_path, [group(flavor()), worker])
    assert load(tmp_path, [group(flavor()), group(flavor(), "worker", Size=5)])
    assert load(tmp_path, group(flavor(), LogicalIDs=IDS))


def test_upstreams_attachment_table(tmp_path: Path) -> None:
    one, other = {"ID": "a", "Type": "ebs"}, {"ID": "b", "Type": "ebs"}
    assert load(tmp_path, group(flavor(Attachments={"*": [one, other]})))
    assert problems(tmp_path, group(flavor(Attachments={"*": [one, one]}))) == [
        "Attachment a specified more than once"
    ]
    assert problems(tmp_path, group(flavor(Attachments={"10.0.0.9": [one]}))) == [
        "LogicalID 10.0.0.9 used for an attachment but is not in group LogicalIDs"
    ]
    assert problems(tmp_path, group(flavor(Attachments={"*": [{"ID": "a", "Type": ""}]}))) == [
        "no attachment type"
    ]
    assert problems(tmp_path, group(flavor(), LogicalIDs=[IDS[0], IDS[0]])) == [
        "LogicalID 192.168.2.200 specified more than once"
    ]


def test_no_properties_are_no_config(tmp_path: Path) -> None:
    document = group(flavor())
    del document["Properties"]
    assert problems(tmp_path, document) == ["missing config"]
