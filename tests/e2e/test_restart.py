"""Machines whose power was cut and came back: the cluster is Ready again without help.

A machine of the lab that LXC stops is not asked first (harness/lab/files/box/lxc-config), so
each of these is a power cut. How long each took until every node was Ready again is written down
by `--junitxml=FILE` (docs/reliability.md).
"""

from __future__ import annotations

import json
import secrets
import subprocess
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness import process
from harness.cli import parts
from harness.lab import box
from harness.lab.network import LabNetwork
from tests.e2e import lab as labs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

pytestmark = pytest.mark.lab
MANAGER, *WORKERS = labs.NAMES
# Far more than it takes; kubelet may wait 10 s before it tries a failed pod again.
AGAIN_SECONDS = 120.0
LXC_SECONDS = 30.0
SECONDS = "seconds until every node was Ready"
CONTROL_PLANE = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
EVERYWHERE = ("kube-proxy", "lab-network", "resident")


@dataclass(frozen=True)
class Inhabited:
    """A cluster in which somebody lives: what was there before shall be there afterwards.

    Attributes:
        lab: The command line.
        network: Where its machines live.
        kubeconfig: That was handed out to the host's own shell.
        nonce: What a ConfigMap `before` holds.
    """

    lab: labs.Lab
    network: LabNetwork
    kubeconfig: Path
    nonce: str

    def kubectl(self, *words: str, stdin: str = "") -> str:
        answer = self.lab.named("kubectl", *words, stdin=stdin)
        assert answer.status == 0, answer.stderr
        return answer.stdout

    def is_ready(self) -> bool:
        """Ask `status`, which believes a node only while its kubelet answers."""
        answer = self.lab.named("status", "-o", "json")
        nodes = json.loads(answer.stdout)["nodes"]
        return [node["ready"] for node in nodes] == [True] * len(labs.NAMES)

    def lxc(self, program: str, names: Sequence[str]) -> None:
        for name in names:
            argv = [program, "--name", f"{self.network.name}-{name}"]
            process.run(self.network.enter(argv), timeout=LXC_SECONDS)

    def running_since(self, moment: datetime) -> dict[str, list[str]]:
        """Return node → what runs there and was started after a moment, as pods' first names."""
        pods = json.loads(self.kubectl("get", "pods", "--all-namespaces", "--output=json"))
        found: dict[str, list[str]] = {name: [] for name in labs.NAMES}
        for pod in pods["items"]:
            if is_running_since(pod, moment):
                node = pod["spec"]["nodeName"]
                stem = pod["metadata"]["name"].removesuffix(f"-{node}")
                found[node].append(next(filter(stem.startswith, EVERYWHERE), stem))
        return found


def is_running_since(pod: dict[str, Any], moment: datetime) -> bool:
    """Tell from its containers' state; kubelet 1.20 calls a static pod ready a minute later."""
    containers = pod["status"].get("containerStatuses", [])
    running = [container["state"].get("running") for container in containers]
    return bool(containers) and all(
        state and datetime.fromisoformat(state["startedAt"]) >= moment for state in running
    )


@pytest.fixture(scope="module")
def inhabited(running_lab: labs.Lab, tmp_path_factory: pytest.TempPathFactory) -> Inhabited:
    """The module's cluster with a DaemonSet, a ConfigMap and a kubeconfig that was handed out."""
    kubeconfig = tmp_path_factory.mktemp("kubeconfig") / "admin.conf"
    answer = running_lab.named("kubeconfig", "--out", str(kubeconfig))
    assert answer.status == 0, answer.stderr
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_STATE_DIR", str(running_lab.state))
        cluster = parts.recorded(running_lab.cluster)
    plan, network = cluster.plan, cluster.network
    assert isinstance(network, LabNetwork)
    made = Inhabited(running_lab, network, kubeconfig, secrets.token_hex(16))
    made.kubectl("create", "configmap", "before", f"--from-literal=nonce={made.nonce}")
    made.kubectl("apply", "--filename=-", stdin=json.dumps(resident(plan.supply.verify_image)))
    made.kubectl("rollout", "status", "daemonset", "resident", "--timeout=50s")
    return made


def resident(image: str) -> dict[str, Any]:
    """Return a DaemonSet that runs on every node."""
    labels = {"app": "resident"}
    container = {"name": "resident", "image": image, "command": ["sleep", "1000000"]}
    spec = {
        "containers": [container],
        "tolerations": [{"operator": "Exists"}],
        "terminationGracePeriodSeconds": 0,
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "resident", "namespace": "default"},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    }


def seconds_since(began: float) -> float:
    return round(time.monotonic() - began, 1)


def now() -> datetime:
    """Return the time in whole seconds, as the API has it."""
    return datetime.fromtimestamp(int(time.time()), tz=UTC)


def cut_power(inhabited: Inhabited, *names: str) -> datetime:
    """Stop machines without asking them; return when."""
    moment = now()
    inhabited.lxc("lxc-stop", names)
    return moment


def reboot_host(inhabited: Inhabited) -> datetime:
    """Take all that the cluster has in memory: machines, processes, namespace."""
    moment = cut_power(inhabited, *labs.NAMES)
    for pid in inhabited.network.processes():
        process.kill(pid)
    process.run(["ip", "netns", "delete", inhabited.network.name], timeout=LXC_SECONDS)
    return moment


def check_all_is_back(inhabited: Inhabited, since: datetime, *names: str) -> None:
    """Check nodes, data, what runs on these machines, and whether anybody still minds it."""
    expected = {
        name: sorted((*EVERYWHERE, *(CONTROL_PLANE if name == MANAGER else ()))) for name in names
    }

    def run_again() -> bool:
        found = inhabited.running_since(since)
        return all(set(expected[name]).issubset(found[name]) for name in names)

    labs.wait_for(f"the pods of {', '.join(names)}", run_again, timeout=AGAIN_SECONDS, interval=1)
    assert inhabited.lab.ready_nodes() == set(labs.NAMES)
    nonce = inhabited.kubectl("get", "configmap", "before", "--output=jsonpath={.data.nonce}")
    assert nonce == inhabited.nonce
    # Only controller manager, scheduler and kubelets together replace a pod.
    deleted = now()
    inhabited.kubectl("delete", "pods", "--selector=app=resident")
    labs.wait_for(
        "new pods in place of the deleted ones",
        lambda: all("resident" in there for there in inhabited.running_since(deleted).values()),
        timeout=AGAIN_SECONDS,
        interval=1,
    )


def test_everything_after_the_host_was_started_again(
    inhabited: Inhabited, record_testsuite_property: Callable[[str, object], None]
) -> None:
    since = reboot_host(inhabited)
    assert not inhabited.network.exists
    began = time.monotonic()
    finished = inhabited.lab.up()
    assert finished.status == 0, finished.stderr
    record_testsuite_property(f"{SECONDS}: everything", seconds_since(began))
    assert "(4 brought up)" in finished.stderr
    assert "pods exchanged nonces" in finished.stderr
    check_all_is_back(inhabited, since, *labs.NAMES)


def test_a_kubeconfig_that_was_handed_out_still_works(inhabited: Inhabited) -> None:
    kubectl = next(Path(box.vagrant_home()).parent.glob("bundle/*/bin/kubectl"))
    answer = subprocess.run(
        [str(kubectl), f"--kubeconfig={inhabited.kubeconfig}", "get", "nodes", "--output=name"],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert set(answer.stdout.split()) == {f"node/{name}" for name in labs.NAMES}


def test_the_manager_alone_started_by_somebody_else(
    inhabited: Inhabited, record_testsuite_property: Callable[[str, object], None]
) -> None:
    since = cut_power(inhabited, MANAGER)
    began = time.monotonic()
    inhabited.lxc("lxc-start", [MANAGER])
    labs.wait_for("every node Ready", inhabited.is_ready, timeout=AGAIN_SECONDS, interval=1)
    record_testsuite_property(f"{SECONDS}: the manager alone", seconds_since(began))
    check_all_is_back(inhabited, since, MANAGER)
    again = inhabited.lab.up()
    assert again.status == 0
    assert "Nothing to do" in again.stderr


def test_one_worker_alone_while_the_api_server_still_calls_it_ready(
    inhabited: Inhabited, record_testsuite_property: Callable[[str, object], None]
) -> None:
    since = cut_power(inhabited, WORKERS[0])
    assert not inhabited.is_ready()
    began = time.monotonic()
    finished = inhabited.lab.up()
    assert finished.status == 0, finished.stderr
    record_testsuite_property(f"{SECONDS}: one worker alone", seconds_since(began))
    assert "(1 brought up)" in finished.stderr
    assert "pods exchanged nonces" in finished.stderr
    check_all_is_back(inhabited, since, WORKERS[0])
