"""What the init scripts do on a machine, run for real against programs that only take notes.

The machine's folders are put below a temporary one; the install section, which changes the
host that it runs on, is left to the tests on real machines.
"""

from __future__ import annotations

import os
import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from harness import render
from tests.samples import SECRETS, cluster_plan

if TYPE_CHECKING:
    from pathlib import Path

# Each notes how it was called; what else it does is what the script relies on.
PROGRAMS = {
    "systemctl": '[[ "$*" != "restart kubelet" ]] || touch "$ROOT/restarted"',
    "journalctl": 'cat "$ROOT/journal" 2> /dev/null',
    "sleep": "",
    "getent": "exit 2",
    "ctr": '[[ "$*" != *"containers list"* ]] || printf "one\\ntwo\\n"',
    "kubectl": '[[ "$1" != apply ]] || cat > "$ROOT/applied"; [[ ! -e $ROOT/api-is-down ]]',
    "kubeadm": """
case $1 in
reset) rm -rf "$ROOT/etc/kubernetes/pki" "$ROOT/etc/kubernetes/admin.conf" ;;
init) [[ ! -e $ROOT/init-fails ]] && printf admin > "$ROOT/etc/kubernetes/admin.conf" ;;
join)
    [[ ! -e $ROOT/join-fails ]] || exit 1
    # As long as its kubelet's pods wait, so does kubeadm, which asks every 5 s.
    until [[ ! -e $ROOT/journal || -e $ROOT/restarted ]]; do /bin/sleep 0.01; done
    printf node > "$ROOT/etc/kubernetes/kubelet.conf"
    ;;
esac
""",
    "curl": """
asked=$(grep --count ^curl "$ROOT/calls")
((asked > 1)) || { echo 'curl: (7) refused' >&2; exit 7; }
((asked > 2)) || { echo '{"kind": "ConfigMap"}'; exit; }
echo '{"data": {"jws-kubeconfig-abcdef": "x"}}'
""",
}


class Machine:
    """A temporary folder that stands for a machine's root."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.kubernetes = root / "etc/kubernetes"
        self.state = root / "var/lib/harness"
        (self.kubernetes / "pki").mkdir(parents=True)
        (root / "bin").mkdir()
        for name, body in PROGRAMS.items():
            program = root / "bin" / name
            program.write_text(f'#!/bin/bash\necho "{name} $*" >> "$ROOT/calls"\n{body}\n')
            program.chmod(0o755)

    def give_ca(self) -> None:
        (self.kubernetes / "pki/ca.crt").write_text("certificate")
        (self.kubernetes / "pki/ca.key").write_text("key")

    def run(self, role: str) -> subprocess.CompletedProcess[str]:
        plan = cluster_plan()
        machine = plan.manager if role == "manager" else plan.workers[0]
        text = render.init_script(plan, machine, SECRETS)
        text = re.sub(r"(?ms)^section install$.*?(?=^section )", "", text)
        text = re.sub(r"/(etc/kubernetes|var/lib|root)\b", rf"{self.root}/\1", text)
        return subprocess.run(
            ["bash"],
            input=text,
            env={"PATH": f"{self.root}/bin:{os.environ['PATH']}", "ROOT": str(self.root)},
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )

    def calls(self, name: str) -> list[str]:
        log = self.root / "calls"
        lines = log.read_text().splitlines() if log.exists() else []
        return [line.removeprefix(f"{name} ") for line in lines if line.startswith(f"{name} ")]

    def forget_calls(self) -> None:
        (self.root / "calls").unlink()

    def sections(self) -> list[str]:
        lines = (self.state / "sections").read_text().splitlines()
        assert all(re.fullmatch(r"\d{10}\.\d{3} \S+", line) for line in lines)
        return [line.split()[1] for line in lines]

    def reason(self) -> str:
        return (self.state / "reason").read_text().strip()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_a_fresh_manager_initialises_and_applies_the_network(machine: Machine) -> None:
    machine.give_ca()
    done = machine.run("manager")
    assert done.returncode == 0, done.stderr
    config = machine.kubernetes / "kubeadm.yaml"
    assert machine.calls("kubeadm") == [
        f"init --config={config} --skip-token-print --skip-phases=preflight,addon/coredns"
    ]
    assert config.stat().st_mode & 0o777 == 0o600
    assert config.read_text().startswith("apiVersion: kubeadm.k8s.io/v1beta2\n")
    own = machine.root / "root/.kube/config"
    assert (own.read_text(), own.stat().st_mode & 0o777) == ("admin", 0o600)
    assert (machine.root / "applied").read_text().startswith("kind: List\n")
    assert machine.sections() == ["init", "network"]
    assert machine.calls("systemctl") == ["enable kubelet"]


def test_a_finished_manager_is_left_alone(machine: Machine) -> None:
    machine.give_ca()
    machine.run("manager")
    machine.forget_calls()
    assert machine.run("manager").returncode == 0
    assert machine.calls("kubeadm") == []


def test_a_finished_manager_that_does_not_answer_is_never_reset(machine: Machine) -> None:
    machine.give_ca()
    machine.run("manager")
    machine.forget_calls()
    (machine.root / "api-is-down").touch()
    done = machine.run("manager")
    assert done.returncode == 1
    assert machine.calls("kubeadm") == []
    assert "does not answer" in machine.reason()


def test_a_half_made_manager_is_made_again_with_the_same_ca(machine: Machine) -> None:
    machine.give_ca()
    (machine.root / "init-fails").touch()
    assert machine.run("manager").returncode == 1
    (machine.kubernetes / "admin.conf").write_text("half")
    (machine.root / "init-fails").unlink()
    machine.forget_calls()
    assert machine.run("manager").returncode == 0
    assert [call.split()[0] for call in machine.calls("kubeadm")] == ["reset", "init"]
    assert (machine.kubernetes / "pki/ca.crt").read_text() == "certificate"
    key = machine.kubernetes / "pki/ca.key"
    assert (key.read_text(), key.stat().st_mode & 0o777) == ("key", 0o600)
    assert "--namespace k8s.io tasks delete --force one two" in machine.calls("ctr")


@pytest.mark.defect("K2")
def test_a_worker_waits_until_its_token_is_signed_and_joins(machine: Machine) -> None:
    done = machine.run("worker")
    assert done.returncode == 0, done.stderr
    assert len(machine.calls("curl")) == 3
    config = machine.kubernetes / "kubeadm.yaml"
    assert machine.calls("kubeadm") == [f"join --config={config} --skip-phases=preflight"]
    assert config.stat().st_mode & 0o777 == 0o600
    assert (machine.state / "ca.crt").read_text() == SECRETS.ca_certificate
    assert machine.sections() == ["join"]


def test_no_secret_is_an_argument(machine: Machine) -> None:
    machine.give_ca()
    machine.run("manager")
    machine.run("worker")
    assert SECRETS.token.partition(".")[2] not in (machine.root / "calls").read_text()


def test_a_joined_worker_only_starts_its_kubelet_again(machine: Machine) -> None:
    machine.run("worker")
    machine.forget_calls()
    assert machine.run("worker").returncode == 0
    assert machine.calls("kubeadm") == []
    assert machine.calls("systemctl") == ["restart kubelet", "enable kubelet"]


def test_a_kubelet_that_left_its_first_pods_alone_is_started_again_once(machine: Machine) -> None:
    (machine.root / "journal").write_text(
        "CreateContainerConfigError: services have not yet been read at least once, cannot"
        " construct envvars\n"
    )
    done = machine.run("worker")
    assert done.returncode == 0, done.stderr
    assert machine.calls("systemctl") == ["restart kubelet", "enable kubelet"]


def test_a_join_that_fails_ends_the_script(machine: Machine) -> None:
    (machine.root / "join-fails").touch()
    assert machine.run("worker").returncode == 1
    assert machine.reason() == "kubeadm join"
    assert machine.calls("systemctl") == []


def test_a_half_joined_worker_joins_again(machine: Machine) -> None:
    (machine.kubernetes / "bootstrap-kubelet.conf").write_text("half")
    assert machine.run("worker").returncode == 0
    assert [call.split()[0] for call in machine.calls("kubeadm")] == ["reset", "join"]
