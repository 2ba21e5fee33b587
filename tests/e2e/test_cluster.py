"""The main job, for real: machines, SSH, kubeadm, kubectl, and what users do with a cluster.

The contract of the API is here, because the shared cluster is.
"""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.cli import parts
from harness.errors import NotReadyError
from harness.interfaces import Endpoint
from harness.known_issues import explaining
from harness.lab import box, bundle
from harness.phases import SEQUENCE, ready, verify
from harness.phases.base import Site
from harness.stopwatch import Stopwatch
from harness.transports.ssh import SshTransport
from harness.wait import Deadline
from tests.contract import test_api
from tests.contract.test_api import ApiUnderTest
from tests.e2e import lab as labs
from tests.fakes import RecordingReporter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.cluster import Cluster

pytestmark = pytest.mark.lab
# The whole suite, whatever is added to it.
globals().update({name: test for name, test in vars(test_api).items() if name.startswith("test_")})
WORKERS = labs.NAMES[1:]


@pytest.fixture
def cluster(running_lab: labs.Lab, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """The running cluster's parts, in this process."""
    monkeypatch.setenv("HARNESS_STATE_DIR", str(running_lab.state))
    found = parts.recorded(running_lab.cluster)
    yield found
    found.close()


@pytest.fixture
def api_under_test(cluster: Cluster) -> ApiUnderTest:
    return ApiUnderTest(cluster.api, WORKERS[0])


def site(cluster: Cluster) -> Site:
    secrets = cluster.workspace.secrets()
    return Site(
        plan=cluster.plan,
        secrets=secrets,
        scripts={},
        provider=cluster.provider,
        network=cluster.network,
        transport=cluster.transport,
        forget=cluster.forget,
        api=cluster.api,
        check_host=cluster.check_host,
        report=RecordingReporter().report,
    )


def test_every_planned_node_is_ready_says_kubectl(running_lab: labs.Lab) -> None:
    assert running_lab.ready_nodes() == set(labs.NAMES)


def test_every_phase_was_timed(running_lab: labs.Lab) -> None:
    timings = json.loads((running_lab.workspace / "timings.json").read_text())
    assert [entry["phase"] for entry in timings] == [phase.name for phase in SEQUENCE]
    assert all(entry["seconds"] >= 0 for entry in timings)


def test_the_harness_itself_stays_small(came_up: labs.Finished) -> None:
    assert 0 < came_up.peak_mib < 150


def test_up_prints_the_walkthroughs_table(came_up: labs.Finished) -> None:
    head, *rows = came_up.stdout.splitlines()
    assert head == "NAME               STATUS    AGE       VERSION"
    version = bundle.load(bundle.default_path()).manifest.kubernetes_version
    assert [(row.split()[0], row.split()[1], row.split()[3]) for row in rows] == [
        (name, "Ready", version) for name in labs.NAMES
    ]


def test_a_second_up_changes_nothing_and_prints_the_same_table(running_lab: labs.Lab) -> None:
    def lives() -> str:
        """Tell one boot, and one run of the init script, from another."""
        show = "cat /proc/sys/kernel/random/boot_id; systemctl show harness-init -p InvocationID"
        return running_lab.named("exec", "@all", "--", "sh", "-c", show).stdout

    first = lives()
    again = running_lab.up()
    assert again.status == 0
    assert "Nothing to do" in again.stderr
    assert re.findall(r"^(\S+) +Ready ", again.stdout, re.MULTILINE) == list(labs.NAMES)
    assert len(first.splitlines()) == 2 * len(labs.NAMES)
    assert lives() == first


def test_nodes_is_kubectls_own_output(running_lab: labs.Lab) -> None:
    def without_age(text: str) -> list[list[str]]:
        return [
            [word for word in line.split() if not re.fullmatch(r"(\d+[smh])+", word)]
            for line in text.splitlines()
        ]

    theirs = running_lab.named("kubectl", "get", "nodes")
    ours = running_lab.named("nodes")
    assert without_age(ours.stdout) == without_age(theirs.stdout)


def test_status_tells_machines_and_nodes(running_lab: labs.Lab) -> None:
    answer = running_lab.named("status", "-o", "json")
    status = json.loads(answer.stdout)
    assert (status["cluster"], status["provider"]) == (running_lab.cluster, "lxc")
    assert {
        (node["name"], node["address"], node["machine"], node["ready"]) for node in status["nodes"]
    } == {(name, name.removeprefix("ip-"), "running", True) for name in labs.NAMES}
    assert [node["role"] for node in status["nodes"]] == ["manager", "worker", "worker", "worker"]


def test_exec_runs_on_every_worker(running_lab: labs.Lab) -> None:
    answer = running_lab.named("exec", "@workers", "--", "uname", "-r")
    assert answer.stdout == "".join(f"{name}: {os.uname().release}\n" for name in WORKERS)


def test_exec_passes_the_commands_own_status_on(running_lab: labs.Lab) -> None:
    assert running_lab.named("exec", WORKERS[0], "--", "sh", "-c", "exit 9").status == 9


def test_ssh_opens_a_shell_on_the_named_machine(running_lab: labs.Lab) -> None:
    answer = running_lab.named("ssh", "ip-192.168.2.3", stdin="hostname\n")
    assert answer.stdout.splitlines()[-1] == "ip-192.168.2.3"  # below Debian's greeting


def test_kubectl_works_for_the_login_user_on_the_manager(running_lab: labs.Lab) -> None:
    answer = running_lab.named("exec", "@managers", "--", "kubectl", "get", "nodes", "-o", "name")
    assert set(answer.stdout.split()) == {f"node/{name}" for name in labs.NAMES}


def test_the_exported_kubeconfig_works_from_the_hosts_own_shell(
    running_lab: labs.Lab, tmp_path: Path
) -> None:
    file = tmp_path / "admin.conf"
    assert running_lab.named("kubeconfig", "--out", str(file)).status == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    kubectl = Path(box.vagrant_home()).parent.glob("bundle/*/bin/kubectl")
    answer = subprocess.run(
        [str(next(kubectl)), f"--kubeconfig={file}", "get", "nodes", "-o", "name"],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert set(answer.stdout.split()) == {f"node/{name}" for name in labs.NAMES}


def test_vagrants_insecure_key_opens_nothing(cluster: Cluster, tmp_path: Path) -> None:
    insecure = (box.vagrant_home() / "insecure_private_key").read_text()
    endpoint = Endpoint("ip-192.168.2.2", "192.168.2.2", 22, "vagrant", insecure)
    transport = SshTransport(
        endpoint, network=cluster.network, known_hosts=tmp_path / "hosts", connect_timeout=15
    )
    with pytest.raises(Exception, match=r"(?i)authenticat|refuse"):
        transport.run(["true"], timeout=20)


def test_the_token_is_nowhere_that_others_read(running_lab: labs.Lab) -> None:
    token = (running_lab.workspace / "secrets" / "token").read_text().strip()
    assert re.fullmatch(r"[a-z0-9]{6}\.[a-z0-9]{16}", token)
    secret = token.partition(".")[2]
    for path in running_lab.state.rglob("*"):
        if path.is_file() and secret in path.read_text(errors="replace"):
            assert path.name == "token"
        if "secrets" in path.parts:
            assert stat.S_IMODE(path.stat().st_mode) in {0o600, 0o700}
    journal = running_lab.named("exec", "@all", "--", "sudo", "journalctl", "--no-pager")
    assert secret not in journal.stdout
    scripts = running_lab.named(
        "exec", "@all", "--", "sudo", "stat", "-c", "%a", "/var/lib/harness/init.sh"
    )
    assert {line.split()[-1] for line in scripts.stdout.splitlines()} == {"600"}


def test_the_evidence_holds_no_secret(running_lab: labs.Lab, tmp_path: Path) -> None:
    out = tmp_path / "evidence.tar.gz"
    answer = running_lab.named("logs", "--out", str(out), timeout=120)
    assert answer.status == 0, answer.stderr
    secrets = running_lab.workspace / "secrets"
    planted = [(secrets / "token").read_text().strip()]
    planted += (secrets / "ca.key").read_text().splitlines()[1:3]
    with tarfile.open(out) as archive:
        texts = {
            member.name: file.read().decode(errors="replace")
            for member in archive
            if (file := archive.extractfile(member))
        }
    assert any("kubelet" in name for name in texts)
    for name, text in texts.items():
        assert not any(secret in text for secret in planted), name


def test_verify_fails_when_the_routes_between_nodes_are_gone(
    cluster: Cluster, running_lab: labs.Lab
) -> None:
    """The proof that the check checks; the add-on puts the routes back afterwards."""
    kubectl = cluster.api.kubectl
    daemonset = ["--namespace=kube-system", "daemonset", "lab-network"]
    pause = {"spec": {"template": {"spec": {"nodeSelector": {"nobody": "here"}}}}}
    kubectl(["patch", *daemonset, "--patch", json.dumps(pause)], timeout=30).check()
    kubectl(
        [
            "wait",
            "--namespace=kube-system",
            "pods",
            "-lapp=lab-network",
            "--for=delete",
            "--timeout=60s",
        ],
        timeout=70,
    )
    gone = "ip route show | grep ^10.244.*via | while read -r one _; do ip route del $one; done"
    removed = running_lab.named("exec", "@all", "--", "sudo", "sh", "-c", gone)
    assert removed.status == 0, removed.stderr
    try:
        with pytest.raises(
            NotReadyError, match=r"a pod on ip-192\.168\.2\.\d reaching one on"
        ) as no:
            verify.PHASE.run(site(cluster), Deadline(15))
    finally:
        back = [{"op": "remove", "path": "/spec/template/spec/nodeSelector"}]
        kubectl(
            ["patch", *daemonset, "--type=json", "--patch", json.dumps(back)], timeout=30
        ).check()
    kubectl(["rollout", "status", *daemonset, "--timeout=60s"], timeout=70).check()
    assert [issue.id for issue in explaining(no.value)] == ["pods-do-not-reach-each-other"]
    assert "exchanged nonces" in verify.PHASE.run(site(cluster), Deadline(60))


def test_a_kubelet_that_lost_its_configuration_is_recognised(cluster: Cluster) -> None:
    """The phase's own diagnosis finds the cause, which the node's condition does not name."""
    config = "/var/lib/kubelet/config.yaml"
    name = WORKERS[0]

    def on_worker(command: str) -> None:
        cluster.transport(name).run(["sh", "-c", command], timeout=30, sudo=True).check()

    on_worker(f"mv {config} {config}.away; systemctl restart kubelet")
    try:
        labs.wait_for(
            f"{name} not Ready",
            lambda: name in ready.reasons(cluster.plan, cluster.api.get("nodes")),
            timeout=90,
            interval=1,
        )
        stopwatch = Stopwatch(RecordingReporter().report, lambda _: None)
        with pytest.raises(NotReadyError, match=f"{name} NodeStatusUnknown") as caught:
            stopwatch.run(ready.PHASE, site(cluster), Deadline(3))
    finally:
        on_worker(f"mv {config}.away {config}; systemctl reset-failed kubelet")
        on_worker("systemctl restart kubelet")
    found = [issue.id for issue in explaining(caught.value)]
    assert found == ["kubelet-without-configuration"], caught.value.__notes__
    assert ready.PHASE.run(site(cluster), Deadline(90)) == "4 nodes"


def test_pods_that_ignore_their_end_do_not_hold_up_a_removal(cluster: Cluster) -> None:
    """The removal is the module's own, after this last test: within `labs.DOWN_SECONDS`."""
    deaf = "trap '' TERM; while :; do sleep 1; done"
    container = {
        "name": "deaf",
        "image": cluster.plan.supply.verify_image,
        "command": ["sh", "-c", deaf],
    }
    labels = {"app": "deaf"}
    manifest = {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "deaf", "namespace": "default"},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }
    kubectl = cluster.api.kubectl
    kubectl(["apply", "--filename=-"], timeout=30, stdin=json.dumps(manifest).encode()).check()
    kubectl(["rollout", "status", "daemonset", "deaf", "--timeout=60s"], timeout=70).check()
