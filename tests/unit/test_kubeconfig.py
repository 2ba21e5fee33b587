from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import filelock
import pytest
import yaml

from harness import kubeconfig
from harness.errors import HostError
from tests.samples import ROOT

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


def test_a_link_stays_a_link_and_what_it_leads_to_is_private(tmp_path: Path) -> None:
    file, real = tmp_path / ".kube" / "config", tmp_path / "dotfiles" / "config"
    for folder in (file.parent, real.parent):
        folder.mkdir()
    real.write_text(THEIRS)
    real.chmod(0o644)
    file.symlink_to("../dotfiles/config")
    kubeconfig.merge(file, exported())
    assert file.readlink() == Path("../dotfiles/config")
    assert names(real, "users") == ["theirs", "harness-mine"]
    assert stat.S_IMODE(real.stat().st_mode) == 0o600
    assert kubeconfig.forget(file, "mine")
    assert file.is_symlink()
    assert names(real, "users") == ["theirs"]


def test_merges_of_several_processes_at_once_lose_nothing(tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text(THEIRS)
    code = (
        "import sys; from pathlib import Path; from harness import kubeconfig\n"
        "sys.stdin.readline()\n"
        "for text in sys.argv[2:]: kubeconfig.merge(Path(sys.argv[1]), text)"
    )
    clusters = [[f"c{number}-{one}" for one in range(5)] for number in range(4)]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, file, *(exported(name) for name in own)],
            stdin=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        for own in clusters
    ]
    for process in processes:  # all at once, once all of them are ready
        process.communicate(b"go\n", timeout=60)
    assert [process.returncode for process in processes] == [0] * 4
    expected = {"theirs", *(f"harness-{name}" for own in clusters for name in own)}
    assert {section: set(names(file, section)) for section in kubeconfig.SECTIONS} == (
        dict.fromkeys(kubeconfig.SECTIONS, expected)
    )
    assert [path.name for path in tmp_path.iterdir()] == ["config"]


def test_a_change_that_kubectl_makes_meanwhile_is_not_lost(tmp_path: Path) -> None:
    """kubectl makes `config.lock`, reads, writes and removes it again."""
    file, lock = tmp_path / "config", tmp_path / "config.lock"
    file.write_text(THEIRS)
    lock.touch(exist_ok=False)

    def kubectl() -> None:
        file.write_text(THEIRS.replace("theirs", "changed"))
        lock.unlink()

    timer = threading.Timer(0.3, kubectl)
    timer.start()
    kubeconfig.merge(file, exported())
    timer.join()
    assert names(file, "users") == ["changed", "harness-mine"]


def test_a_file_that_somebody_holds_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kubeconfig, "LOCK_SECONDS", 0.2)
    file = tmp_path / "config"
    with (
        filelock.SoftFileLock(f"{file}.lock"),
        pytest.raises(HostError, match="changed by another program") as caught,
    ):
        kubeconfig.merge(file, exported())
    assert f"remove {file}.lock" in caught.value.hint


def test_a_place_where_nothing_can_be_written_is_told() -> None:
    with pytest.raises(HostError, match="/proc/kube/config cannot be written: No such file"):
        kubeconfig.merge(Path("/proc/kube/config"), exported())


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
