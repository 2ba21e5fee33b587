"""Defects of InfraKit's group controller and Vagrant provider that groups show (G and V)."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from harness import render
from harness.errors import ProviderError
from harness.infrakit import Updating
from harness.known_issues import explaining
from harness.render import VagrantSettings
from harness.spec import ProviderName
from tests.samples import ROOT, SECRETS, cluster_plan
from tests.unit.test_defects_walkthrough import problems, resolve
from tests.unit.test_groups import flavor, group, load

SETTINGS = VagrantSettings(
    private_key=Path("/key"),
    insecure_key=Path("/insecure"),
    public_key="ssh-ed25519 AAAA harness",
    consoles=Path("/consoles"),
    workspace=Path("/state/clusters/walkthrough"),
)


def updating(**keys: object) -> dict[str, Any]:
    document = group(flavor())
    document["Properties"]["Updating"] = keys
    return document


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        ({"ID": ""}, "Group ID must not be blank"),
        ({"Allocation": {}}, "Allocation must not be blank: give either Size or LogicalIDs"),
        (
            {"Allocation": {"Size": 1, "LogicalIDs": ["192.168.2.200"]}},
            "Only one Allocation method may be used: Size or LogicalIDs",
        ),
        (
            {"Updating": {"Count": 1, "Duration": "1s"}},
            "Only one Updating method may be used: Duration or Count",
        ),
    ],
    ids=["TestValidateNoGroupID", "NoAllocations", "MultipleAllocations", "MultipleUpdating"],
)
def test_upstreams_validation_of_a_group(spoil: dict[str, Any], said: str, tmp_path: Path) -> None:
    document = group(flavor())
    (key,) = spoil
    target = document if key == "ID" else document["Properties"]
    target |= spoil
    assert problems(tmp_path, document) == [said]


@pytest.mark.parametrize("duration", ["0", "10s", "1m30s", "1.5h", "20ms", ".5s", "3µs", "0s"])
def test_a_duration_is_gos(duration: str, tmp_path: Path) -> None:
    assert load(tmp_path, updating(Duration=duration))


@pytest.mark.parametrize("duration", ["", "10", "-1s", "s", "1 s", "1d", "1s!"])
def test_what_is_no_duration_is_a_problem(duration: str, tmp_path: Path) -> None:
    (message,) = problems(tmp_path, updating(Duration=duration))
    assert message == f"`{duration}` is not a duration such as 30s or 1m30s"


@pytest.mark.parametrize("duration", ["25h", "9" * 400 + "h", "1441m"])
def test_a_duration_that_nobody_waits_for_is_a_problem(duration: str, tmp_path: Path) -> None:
    (message,) = problems(tmp_path, updating(Duration=duration))
    assert message.endswith("is too long: at most 24h")
    (message,) = problems(tmp_path, updating(Count=10**30))
    assert message.endswith("is too large: should be at most 86400")
    assert load(tmp_path, updating(Duration="24h"))


@given(duration=st.text(alphabet="0123456789.hmsnuµ", max_size=8))
def test_no_duration_makes_it_crash(duration: str) -> None:
    with contextlib.suppress(ValidationError):
        Updating.model_validate({"Duration": duration, "Count": 1})


def test_an_updating_method_that_says_nothing_is_none(tmp_path: Path) -> None:
    assert load(tmp_path, updating(Count=2, Duration="0s"))
    assert load(tmp_path, updating(Count=0, Duration="5s", SkipBeforeInstanceDestroy="drain"))


def test_an_unknown_policy_is_not_ignored_silently(tmp_path: Path) -> None:
    (message,) = problems(tmp_path, updating(SkipBeforeInstanceDestroy="everything"))
    assert message == "\"everything\" is not known; should be 'drain'"
    (message,) = problems(tmp_path, updating(Count=-1))
    assert message == "-1 is too small: should be at least 0"


@pytest.mark.defect("G4")
def test_no_group_has_both_ways_of_allocation_nor_a_negative_size(tmp_path: Path) -> None:
    assert "too small" in problems(tmp_path, group(flavor(), "worker", Size=-1))[0]


@pytest.mark.defect("G7")
def test_nothing_is_planned_of_a_group_that_is_invalid(tmp_path: Path) -> None:
    document = [group(flavor()), group(flavor(KubeBindPort=1), "worker", Size=1)]
    (message,) = problems(tmp_path, document)
    assert message.startswith("1 differs from 6443")


@pytest.mark.defect("V3", "V4")
@pytest.mark.parametrize("provider", ProviderName)
def test_one_vagrantfile_names_each_machine(provider: ProviderName) -> None:
    planned = cluster_plan(provider=provider)
    text = render.vagrantfile(planned, SETTINGS)
    assert tuple(re.findall(r"config\.vm\.define '(.*?)'", text)) == planned.names
    assert text.count(f"node.vm.provider '{provider}'") == len(planned.machines)
    assert len({planned.container_name(name) for name in planned.names}) == len(planned.machines)


@pytest.mark.defect("V11")
@pytest.mark.parametrize("provider", ProviderName)
def test_no_machine_sees_a_folder_of_the_host(provider: ProviderName) -> None:
    text = render.vagrantfile(cluster_plan(provider=provider), SETTINGS)
    (folder,) = re.findall(r"config\.vm\.synced_folder.*", text)
    assert folder == "config.vm.synced_folder '.', '/vagrant', disabled: true"


@pytest.mark.defect("V7")
def test_a_machine_has_the_memory_and_processors_that_kubeadm_needs(tmp_path: Path) -> None:
    (one,) = load(tmp_path, group(flavor()))
    assert one.instance.memory_mib >= 1700
    assert one.instance.cpus >= 2


@pytest.mark.defect("V8")
def test_addresses_that_virtualbox_refuses_are_explained() -> None:
    said = (ROOT / "tests/replays/host-only-range.txt").read_text()
    (issue,) = explaining(ProviderError(said))
    assert "192.168.56.0/21" in issue.cure
    assert "/etc/vbox/networks.conf, for example `* 192.168.2.0/24`" in issue.cure


@pytest.mark.defect("V9")
@pytest.mark.parametrize("logical_id", ["manager1", "", "192.168.2", "fd00::1", "10.1.2.300"])
def test_a_logical_id_is_an_address(logical_id: str, tmp_path: Path) -> None:
    (message,) = problems(tmp_path, group(flavor(), LogicalIDs=[logical_id]))
    assert message == f"`{logical_id}` is not an IPv4 address such as 192.168.2.200"


@pytest.mark.defect("V6")
def test_the_address_of_every_worker_is_known_before_it_exists(tmp_path: Path) -> None:
    planned = resolve(tmp_path, [group(flavor()), group(flavor(), "worker", Size=3)])
    assert [worker.address for worker in planned.workers] == [
        "192.168.2.2",
        "192.168.2.3",
        "192.168.2.4",
    ]


@pytest.mark.defect("V13")
def test_attachments_reach_their_machine_and_no_other(tmp_path: Path) -> None:
    ids = ["192.168.2.200", "192.168.2.201"]
    attachments = {
        "192.168.2.201": [{"ID": "own", "Type": "ebs"}],
        "*": [{"ID": "all", "Type": "nfs"}],
    }
    planned = resolve(tmp_path, group(flavor(Attachments=attachments), LogicalIDs=ids))
    made = [render.instance(planned, machine, SECRETS) for machine in planned.machines]
    assert [one.attachments for one in made] == [
        (("all", "nfs"),),
        (("all", "nfs"), ("own", "ebs")),
    ]
