"""Whose every cluster on a host is: own, another state folder's, lost, or not to be known."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness import domains
from harness.lab import census, machines
from harness.lab.census import Found, Owner

if TYPE_CHECKING:
    from tests.fake_host import Host

GONE = Path("/gone/clusters/a")
MACHINE = "harness-a-ip-192.168.2.2"
TRACES = (f"machine {MACHINE}", "namespace harness-a")


def take(host: Host) -> list[Found]:
    return census.take(host.root / "state", domains.found())


def test_where_nothing_is_there_are_no_clusters(host: Host) -> None:
    assert take(host) == []


def test_a_cluster_with_a_workspace_here_is_our_own_made_or_not(host: Host) -> None:
    made, planned = host.workspace("state", "a"), host.workspace("state", "b")
    host.namespace("a", made)
    host.machines(MACHINE, workspace=made)
    assert take(host) == [Found("a", Owner.OWN, made, TRACES), Found("b", Owner.OWN, planned)]


def test_a_cluster_of_another_state_folder_is_told_with_its_workspace(host: Host) -> None:
    other = host.workspace("other", "a")
    host.namespace("a", other)
    host.machines(MACHINE, workspace=other)
    assert take(host) == [Found("a", Owner.OTHER, other, TRACES)]


def test_two_workspaces_with_one_name_are_two_clusters(host: Host) -> None:
    own, other = host.workspace("state", "a"), host.workspace("other", "a")
    host.namespace("a", other)
    assert take(host) == [
        Found("a", Owner.OTHER, other, ("namespace harness-a",)),
        Found("a", Owner.OWN, own),
    ]


def test_a_cluster_whose_workspace_is_gone_is_lost(host: Host) -> None:
    host.namespace("a", GONE)
    host.machines(MACHINE, workspace=GONE)
    assert take(host) == [Found("a", Owner.LOST, GONE, TRACES)]


def test_a_folder_that_lxc_made_again_for_its_log_is_no_workspace(host: Host) -> None:
    logs = host.root / "state" / "clusters" / "a" / "logs"
    logs.mkdir(parents=True)
    (logs / "ip-192.168.2.2.lxc").touch()
    host.namespace("a", logs.parent)
    assert take(host) == [Found("a", Owner.LOST, logs.parent, ("namespace harness-a",))]


def test_after_a_reboot_the_machines_alone_tell_whose_they_are(host: Host) -> None:
    other = host.workspace("other", "b")
    host.machines(MACHINE, workspace=GONE)
    host.machines("harness-b-ip-192.168.2.2", workspace=other)
    assert [(one.cluster, one.owner) for one in take(host)] == [
        ("a", Owner.LOST),
        ("b", Owner.OTHER),
    ]


def test_a_machine_that_never_started_is_its_namespaces(host: Host) -> None:
    host.namespace("a", GONE)
    host.machines(MACHINE)
    assert take(host) == [Found("a", Owner.LOST, GONE, TRACES)]


def test_an_untagged_namespace_with_nothing_in_it_is_lost(host: Host) -> None:
    host.namespace("a")
    assert take(host) == [Found("a", Owner.LOST, None, ("namespace harness-a",))]


def test_what_lives_and_is_not_tagged_is_unknown(host: Host) -> None:
    host.namespace("a")
    host.write("pids", "1\n")
    host.machines("harness-b-ip-192.168.2.2")
    assert [(one.cluster, one.owner, one.workspace) for one in take(host)] == [
        ("a", Owner.UNKNOWN, None),
        ("b", Owner.UNKNOWN, None),
    ]


def test_libvirts_machines_are_told_by_their_description(host: Host) -> None:
    own, other = host.workspace("state", "a"), host.workspace("other", "b")
    sources = {"a": own, "b": other, "c": GONE.with_name("c")}
    for cluster, workspace in sources.items():
        host.domain(f"harness-{cluster}-ip-10.0.0.2", f"Source: {workspace}/vagrant/Vagrantfile")
    host.domain("harness-d-ip-10.0.0.2", "by hand")
    host.domain("web", f"Source: {GONE}/vagrant/Vagrantfile")
    assert [(one.cluster, one.owner, one.workspace, one.domains) for one in take(host)] == [
        ("a", Owner.OWN, own, ("harness-a-ip-10.0.0.2",)),
        ("b", Owner.OTHER, other, ("harness-b-ip-10.0.0.2",)),
        ("c", Owner.LOST, GONE.with_name("c"), ("harness-c-ip-10.0.0.2",)),
        ("d", Owner.UNKNOWN, None, ("harness-d-ip-10.0.0.2",)),
    ]


def test_a_living_claim_of_any_kind_keeps_all_that_has_the_name(host: Host) -> None:
    other = host.workspace("other", "a")
    host.machines(MACHINE, workspace=GONE)
    host.domain("harness-a-ip-10.0.0.2", f"Source: {other}/vagrant/Vagrantfile")
    assert [(one.owner, one.workspace) for one in take(host)] == [(Owner.OTHER, other)]


def test_a_libvirt_without_its_daemon_is_not_asked(host: Host) -> None:
    host.domain("harness-a-ip-10.0.0.2", "")
    (host.root / "libvirt-sock").unlink()
    assert domains.found() == {}
    assert host.read("calls") == ""


def test_a_host_without_virsh_has_no_domains(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.domain("harness-a-ip-10.0.0.2", "")
    monkeypatch.setenv("PATH", "/nonexistent")
    assert domains.found() == {}


def test_what_only_looks_like_ours_is_not_listed(host: Host) -> None:
    host.machines("web", "my-harness-a-ip-192.168.2.2", "harness-a", "harness-a-ip-x")
    host.namespaces.mkdir()
    (host.namespaces / "vpn").touch()
    assert take(host) == []


def test_a_clusters_name_may_look_like_a_machines(host: Host) -> None:
    host.machines("harness-a-ip-1-ip-192.168.2.2", workspace=GONE)
    assert [one.cluster for one in take(host)] == ["a-ip-1"]


@pytest.mark.parametrize(
    ("uid", "readable", "has_namespace", "needed"),
    [
        (0, False, True, False),
        (1000, True, False, False),
        (1000, True, True, True),
        (1000, False, False, True),
    ],
)
def test_root_is_needed_where_there_may_be_what_only_root_sees(
    host: Host,
    monkeypatch: pytest.MonkeyPatch,
    uid: int,
    readable: bool,  # noqa: FBT001 - a case's column
    has_namespace: bool,  # noqa: FBT001
    needed: bool,  # noqa: FBT001
) -> None:
    machines.FOLDER.mkdir()
    if has_namespace:
        host.namespace("a")
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    monkeypatch.setattr(os, "access", lambda _path, _mode: readable)
    assert census.needs_root() is needed


def test_a_libvirt_that_listens_to_root_alone_is_asked_as_root(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert domains.needs_root() is False
    host.domain("harness-a-ip-10.0.0.2", "")
    assert domains.needs_root() is False
    monkeypatch.setattr(os, "access", lambda _path, _mode: False)
    assert domains.needs_root() is True
