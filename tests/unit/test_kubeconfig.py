from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest
import yaml

from harness import kubeconfig
from harness.errors import HostError

if TYPE_CHECKING:
    from pathlib import Path

ADMIN_CONF = """\
apiVersion: v1
kind: Config
clusters:
- name: kubernetes
  cluster: {certificate-authority-data: Q0E=, server: "https://192.168.2.200:6443"}
contexts:
- name: kubernetes-admin@kubernetes
  context: {cluster: kubernetes, user: kubernetes-admin}
users:
- name: kubernetes-admin
  user: {client-certificate-data: Q0VSVA==, client-key-data: S0VZ}
current-context: kubernetes-admin@kubernetes
"""
THEIRS = """\
apiVersion: v1
kind: Config
clusters: [{name: theirs, cluster: {server: "https://example.invalid"}}]
contexts: [{name: theirs, context: {cluster: theirs, user: theirs}}]
users: [{name: theirs, user: {}}]
current-context: theirs
"""


def exported(cluster: str = "mine") -> str:
    return kubeconfig.export(ADMIN_CONF, cluster=cluster, server="https://127.0.0.1:4711")


def names(file: Path, section: str) -> list[str]:
    return [entry["name"] for entry in yaml.safe_load(file.read_text())[section]]


def test_an_export_has_the_new_address_and_the_clusters_own_names() -> None:
    config = yaml.safe_load(exported())
    assert config["clusters"] == [
        {
            "name": "harness-mine",
            "cluster": {
                "certificate-authority-data": "Q0E=",
                "server": "https://127.0.0.1:4711",
            },
        }
    ]
    assert config["users"][0]["user"]["client-key-data"] == "S0VZ"
    assert config["current-context"] == config["contexts"][0]["name"] == "harness-mine"


def test_merging_into_nothing_makes_a_private_file(tmp_path: Path) -> None:
    file = tmp_path / ".kube" / "config"
    kubeconfig.merge(file, exported())
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert names(file, "contexts") == ["harness-mine"]


def test_merging_keeps_what_is_there_and_replaces_its_own(tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text(THEIRS)
    for _ in range(2):
        kubeconfig.merge(file, exported())
    assert {section: names(file, section) for section in kubeconfig.SECTIONS} == {
        "clusters": ["theirs", "harness-mine"],
        "contexts": ["theirs", "harness-mine"],
        "users": ["theirs", "harness-mine"],
    }
    assert yaml.safe_load(file.read_text())["current-context"] == "harness-mine"


def test_forgetting_takes_only_its_own_away(tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text(THEIRS)
    kubeconfig.merge(file, exported("mine"))
    kubeconfig.merge(file, exported("other"))
    assert kubeconfig.forget(file, "mine")
    assert names(file, "users") == ["theirs", "harness-other"]
    assert yaml.safe_load(file.read_text())["current-context"] == "harness-other"
    kubeconfig.forget(file, "other")
    assert yaml.safe_load(file.read_text())["current-context"] == ""


def test_forgetting_what_was_never_merged_touches_nothing(tmp_path: Path) -> None:
    file = tmp_path / "config"
    assert not kubeconfig.forget(file, "mine")
    assert not file.exists()
    file.write_text(THEIRS)
    assert not kubeconfig.forget(file, "mine")
    assert file.read_text() == THEIRS


@pytest.mark.parametrize("text", ["{unbalanced", "- a list"])
def test_a_file_that_is_no_kubeconfig_is_refused_and_kept(tmp_path: Path, text: str) -> None:
    file = tmp_path / "config"
    file.write_text(text)
    with pytest.raises(HostError, match="no kubeconfig"):
        kubeconfig.merge(file, exported())
    assert file.read_text() == text
