"""Group files: what is accepted, and every complaint word for word."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import groups
from harness.errors import InvalidInputError, UsageError
from harness.spec import Role
from tests.samples import GOLDEN, WALKTHROUGH

if TYPE_CHECKING:
    from collections.abc import Callable

BAD = sorted((GOLDEN / "bad").glob("*.json"))


def flavor(**extra: object) -> dict[str, Any]:
    return {"KubeJoinIP": "192.168.2.200", "KubeClusterID": "demo", **extra}


def group(
    properties: dict[str, Any], role: str = "manager", **allocation: object
) -> dict[str, Any]:
    return {
        "ID": f"{role}s",
        "Properties": {
            "Allocation": allocation or {"LogicalIDs": ["192.168.2.200"]},
            "Flavor": {"Plugin": f"flavor-kubernetes/{role}", "Properties": properties},
            "Instance": {"Plugin": "instance-vagrant"},
        },
    }


def load(folder: Path, document: object) -> tuple[groups.GroupSpec, ...]:
    file = folder / "groups.json"
    file.write_text(json.dumps(document))
    return groups.load([file])


def test_there_are_bad_examples() -> None:
    assert BAD


@pytest.mark.parametrize("file", BAD, ids=lambda file: file.stem)
def test_every_problem_of_a_bad_file_is_told(
    file: Path, golden: Callable[[Path, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(file.parent)
    with pytest.raises(InvalidInputError) as caught:
        groups.load([Path(file.name)])
    text = "".join(f"{problem}\n" for problem in caught.value.problems)
    golden(file.with_suffix(".txt"), text.replace(str(file.parent), "<here>"))


def test_the_walkthrough_loads() -> None:
    manager, worker = groups.load(WALKTHROUGH)
    assert (manager.id, manager.role) == ("kubernetes-managers", Role.MANAGER)
    assert (worker.id, worker.role, worker.allocation.size) == (
        "kubernetes-workers",
        Role.WORKER,
        3,
    )
    assert worker.template == str(WALKTHROUGH[0].parents[1] / "scripts" / "worker-init.sh")


def test_a_missing_file_is_one_problem_beside_the_others(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError) as caught:
        groups.load([tmp_path / "none.json", GOLDEN / "bad" / "empty-list.json", tmp_path])
    assert [problem.path for problem in caught.value.problems] == ["$", "$", "$"]
    assert caught.value.problems[0].message == "there is no such file"


def test_no_file_at_all_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="No group file"):
        groups.load([])


def test_all_three_shapes_mean_the_same(tmp_path: Path) -> None:
    bare = group(flavor())
    wrapped = {"Plugin": "group", "Properties": bare}
    (first,) = load(tmp_path, bare)
    (second,) = load(tmp_path, wrapped)
    (third,) = load(tmp_path, [wrapped])
    assert [one.place for one in (first, second, third)] == ["$", "$.Properties", "$[0].Properties"]
    assert first.flavor == second.flavor == third.flavor


def test_what_is_left_out_has_a_default(tmp_path: Path) -> None:
    (one,) = load(tmp_path, group(flavor()))
    assert (one.instance.box, one.instance.cpus, one.instance.memory_mib) == ("", 2, 2048)
    assert one.flavor.bind_port == 6443
    assert (one.flavor.pod_network, one.flavor.service_network) == ("10.244.0.0/16", "10.96.0.0/12")
    assert Path(one.template).name == "manager-init.sh"
    assert Path(one.template).is_file()


def test_a_template_may_be_a_path_or_a_file_url(tmp_path: Path) -> None:
    template = tmp_path / "my init.sh"
    template.write_text("")
    quoted = str(template).replace(" ", "%20")
    for url in ("my init.sh", f"file://{quoted}", f"file://localhost{quoted}", str(template)):
        (one,) = load(tmp_path, group(flavor(InitScriptTemplateURL=url)))
        assert one.template == str(template)


def test_a_manifest_of_an_add_on_stands_beside_its_group(tmp_path: Path) -> None:
    (tmp_path / "net.yaml").write_text("kind: List")
    add_ons = [
        {"Name": "own", "Type": "network", "Path": "net.yaml"},
        {"Name": "far", "Type": "visualise", "Path": "https://example.invalid/a.yaml"},
    ]
    (one,) = load(tmp_path, group(flavor(KubeAddOns=add_ons)))
    paths = [one.add_on_path(add_on) for add_on in one.flavor.add_ons]
    assert paths == [str(tmp_path / "net.yaml"), "https://example.invalid/a.yaml"]


def test_a_manifest_may_have_a_file_url(tmp_path: Path) -> None:
    (tmp_path / "net.yaml").write_text("kind: List")
    add_on = {"Name": "own", "Type": "network", "Path": (tmp_path / "net.yaml").as_uri()}
    (one,) = load(tmp_path, group(flavor(KubeAddOns=[add_on])))
    assert one.add_on_path(one.flavor.add_ons[0]) == str(tmp_path / "net.yaml")


def test_what_groups_do_not_agree_on_is_told_beside_what_is_wrong_in_one(tmp_path: Path) -> None:
    documents = [
        group(flavor()),
        group(flavor(KubeBindPort=1, KubeClusterID="other"), "worker", Size=1),
        {**group(flavor(KubeAddOns=[{"Name": "x", "Type": "net"}]), "worker"), "ID": "spoilt"},
    ]
    with pytest.raises(InvalidInputError) as caught:
        load(tmp_path, documents)
    wrong, cluster, port = caught.value.problems
    assert wrong.path.startswith("$[2].")
    assert cluster.message.startswith("other differs from demo in ")
    assert port.message.startswith("1 differs from 6443 in ")


def test_upstream_accepts_these(tmp_path: Path) -> None:
    attachments = {"192.168.2.200": [{"ID": "a", "Type": "t"}, {"ID": "b", "Type": "t"}]}
    load(tmp_path, group(flavor(Attachments=attachments, SkipManagerValidation=True)))
    ids = ["192.168.2.200", "192.168.2.201", "192.168.2.202"]
    load(tmp_path, group(flavor(), LogicalIDs=ids))
    load(tmp_path, group(flavor(ControlPlane=ids[:1]), LogicalIDs=ids))


def test_a_byte_order_mark_is_no_problem(tmp_path: Path) -> None:
    file = tmp_path / "groups.json"
    file.write_text("\ufeff" + json.dumps(group(flavor())), encoding="utf-8")
    assert groups.load([file])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["ID", "Plugin", "Properties", "Allocation", "Size", "Flavor", "x.y"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(document=JSON)
def test_no_json_at_all_makes_it_crash(
    document: object, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with pytest.raises(InvalidInputError) as caught:
        load(tmp_path_factory.getbasetemp(), document)
    assert all(problem.message for problem in caught.value.problems)
