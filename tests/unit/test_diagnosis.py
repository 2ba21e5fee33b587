"""After a failure machines and API server are asked, all at once, shortly, and without an error."""

from __future__ import annotations

import os
import stat
import subprocess
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from harness import process
from harness.errors import PhaseError, ProviderError, TransportError
from harness.interfaces import MachineState
from harness.phases import (
    diagnosis,
    healthy,
    init,
    install,
    join,
    machines,
    network,
    ready,
    verify,
)
from harness.stopwatch import Stopwatch
from tests.fake_site import LAST_WORDS, FakeSite, good_nodes, node, observed
from tests.fakes import Answer, RecordingReporter

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harness.phases.base import Phase

TELLING = 'E1122 remote.go:1] failed to get sandbox image "registry.k8s.io/pause:3.6"'


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSite:
    return FakeSite.of(tmp_path, RecordingReporter(), monkeypatch)


def say(fake: FakeSite, name: str, **units: str) -> None:
    parts = (f"{diagnosis.HEAD}last lines of {unit}\n{text}\n" for unit, text in units.items())
    fake.units[name].last_words = "".join(parts)


PROGRAMS = {
    "systemctl": "echo failed; exit 3",
    "df": 'echo "$1$2$3$4" | grep -q ipcent || printf "%s\\n" "Use% Mounted" "100% /" " 99% /a"',
    "journalctl": """case $2 in
        kubelet) seq -f 'line %g' 5; echo 'Unable to read config path' ;;
        containerd) printf '%s\\n' 'level=info msg=pulled' 'level=error msg=RunPodSandbox' ;;
    esac""",
}


def test_a_machine_is_asked_for_its_journals_and_for_containers_that_were_started_again(
    tmp_path: Path,
) -> None:
    for name, body in PROGRAMS.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / name).chmod(stat.S_IRWXU)
    pods = tmp_path / "pods"
    for path, text in {
        "kube-system_etcd_1/etcd/0.log": "bind: cannot assign\n",
        "kube-system_etcd_1/etcd/1.log": "starting\n",
        "kube-system_proxy_2/proxy/0.log": "all is well\n",
    }.items():
        (pods / path).parent.mkdir(parents=True, exist_ok=True)
        (pods / path).write_text(text)
    look = diagnosis.LOOK.replace("/var/log/pods", str(pods))
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    argv, env = ["sh", "-s"], {"PATH": path}
    done = subprocess.run(argv, input=look.encode(), capture_output=True, check=True, env=env)
    assert done.stderr == b""
    assert done.stdout.decode().split(diagnosis.HEAD)[1:] == [
        "state\nkubelet does not run: it is failed\n/ is full\n",
        "last lines of harness-init\n",
        "last lines of kubelet\nline 1\nline 2\nline 3\nline 4\nline 5\n",
        "last errors of containerd\nlevel=error msg=RunPodSandbox\n",
        "last lines of kube-system_etcd_1/etcd\nbind: cannot assign\nstarting\n",
    ]


def test_the_last_lines_are_told_and_before_them_those_that_are_known(fake: FakeSite) -> None:
    lines = [f"line {number}" for number in range(20)]
    say(fake, fake.manager, kubelet="\n".join([TELLING.replace("1122", "1121"), TELLING, *lines]))
    said = diagnosis.of_machines(fake.site(), [fake.plan.manager])
    last = lines[-diagnosis.LAST_LINES :]
    assert said.splitlines() == [f"{fake.manager}, last lines of kubelet:", TELLING, *last]


def test_a_secret_in_a_journal_is_told_nobody(fake: FakeSite) -> None:
    """A script of a user's own may let its shell trace what it runs."""
    secrets = fake.site().secrets
    traced = f"+ kubeadm join --token {secrets.token} 192.168.2.200:6443"
    say(fake, fake.manager, kubelet=f"{traced}\n+ PASSWORD=planted\n{secrets.ca_key}\nafter")
    fake.units[fake.manager].looks = [observed("install", "init", result="exit-code")]
    stopwatch = Stopwatch(fake.reporter.report, lambda _: None)
    with pytest.raises(PhaseError) as caught:
        stopwatch.run(init.PHASE, fake.site(), fake.deadline())
    (said,) = caught.value.__notes__
    assert "+ kubeadm join --token (removed) 192.168.2.200:6443" in said
    assert said.endswith("after")
    for secret in (secrets.token, "planted", "MIIE"):
        assert secret not in said


def test_a_machine_that_says_nothing_is_not_quoted(fake: FakeSite) -> None:
    say(fake, fake.manager, kubelet="", containerd="level=fatal")
    said = diagnosis.of_machines(fake.site(), [fake.plan.manager])
    assert said == f"{fake.manager}, last lines of containerd:\nlevel=fatal"


def test_a_machine_that_cannot_be_asked_is_named_and_the_others_are_asked(fake: FakeSite) -> None:
    fake.transports[fake.manager].reachable = False
    worker = fake.plan.workers[0].name
    fake.transports[worker].script.insert(
        0, lambda _argv, stdin: Answer(hangs=True) if stdin else None
    )
    said = diagnosis.of_machines(fake.site(), fake.plan.machines)
    assert f"{fake.manager} cannot be asked: {fake.manager}: cannot be reached" in said
    assert f"{worker} cannot be asked: {worker}: `sudo -n -- sh -s`: it did not end within" in said
    assert said.count("kubelet: exiting") == len(fake.plan.machines) - 2


def test_where_a_machine_cannot_be_asked_it_is_told_which_ones_do_not_run(fake: FakeSite) -> None:
    worker, other, *_ = (machine.name for machine in fake.plan.workers)
    fake.provider.states = dict.fromkeys(fake.plan.names, MachineState.RUNNING)
    fake.provider.states |= {worker: MachineState.STOPPED, other: MachineState.ABSENT}
    assert "says Vagrant" not in diagnosis.of_machines(fake.site(), fake.plan.machines)
    fake.transports[worker].reachable = False
    said = diagnosis.of_machines(fake.site(), fake.plan.machines)
    assert said.endswith(f"{worker} is stopped, says Vagrant\n{other} is absent, says Vagrant")


def test_a_vagrant_that_cannot_be_asked_is_no_error(
    fake: FakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hang(*, timeout: float) -> None:
        raise ProviderError(f"it did not end within {timeout:g} s")

    monkeypatch.setattr(fake.provider, "machines", hang)
    said = diagnosis.of_states(fake.site())
    assert said == "Vagrant cannot be asked which machines run: it did not end within 40 s"


@pytest.fixture
def resumed() -> Iterator[None]:
    yield
    process.resume()


@pytest.mark.usefixtures("resumed")
def test_an_interruption_stops_what_is_being_asked(fake: FakeSite) -> None:
    def interrupt(_argv: tuple[str, ...], _stdin: bytes) -> None:
        raise KeyboardInterrupt

    fake.transports[fake.manager].script.insert(0, interrupt)
    with pytest.raises(KeyboardInterrupt):
        diagnosis.of_machines(fake.site(), fake.plan.machines)
    assert process.STOPPING.is_set()


def test_machines_are_asked_at_the_same_time_and_shortly(fake: FakeSite) -> None:
    together = threading.Barrier(len(fake.plan.machines))

    def wait(_argv: tuple[str, ...], _stdin: bytes) -> None:
        together.wait(timeout=20)

    for transport in fake.transports.values():
        transport.script.insert(0, wait)
    diagnosis.of_machines(fake.site(), fake.plan.machines)
    calls = [call for transport in fake.transports.values() for call in transport.calls]
    assert {call.timeout for call in calls} == {diagnosis.SECONDS}
    assert diagnosis.SECONDS <= 10


@pytest.mark.parametrize(
    ("phase", "asked"),
    [
        (install.PHASE, ["ip-192.168.2.200", "ip-192.168.2.3"]),
        (init.PHASE, ["ip-192.168.2.200"]),
        (network.PHASE, ["ip-192.168.2.200"]),
        (join.PHASE, ["ip-192.168.2.3"]),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_a_phase_asks_the_machines_that_are_behind(
    phase: Phase, asked: list[str], fake: FakeSite
) -> None:
    for unit in fake.units.values():
        unit.looks = [observed("install", "join", "done")]
    for name in ("ip-192.168.2.200", "ip-192.168.2.3"):
        fake.units[name].looks = [observed("install")]
    lines = phase.diagnose(fake.site()).splitlines()
    assert lines == [
        line
        for name in asked
        for line in (f"{name}, last lines of kubelet:", LAST_WORDS.splitlines()[-1])
    ]


def test_a_join_that_failed_because_the_manager_is_gone_says_so(fake: FakeSite) -> None:
    fake.provider.states = dict.fromkeys(fake.plan.names, MachineState.RUNNING)
    fake.provider.states[fake.manager] = MachineState.ABSENT
    fake.transports[fake.manager].reachable = False
    for worker in fake.plan.workers:
        fake.units[worker.name].looks = [observed("install", "join")]
    said = join.PHASE.diagnose(fake.site())
    assert said.endswith(f"{fake.manager} is absent, says Vagrant")
    assert said.count("last lines of kubelet") == len(fake.plan.workers)


def pod(
    name: str,
    *containers: dict[str, Any],
    phase: str = "Running",
    node_name: str = "ip-192.168.2.2",
    **status: object,
) -> dict[str, Any]:
    return {
        "metadata": {"name": name},
        "spec": {"nodeName": node_name} if node_name else {},
        "status": {"phase": phase, "containerStatuses": list(containers), **status},
    }


def container(*, ready: bool = False, last: object = None, **state: object) -> dict[str, Any]:
    before = {"lastState": last} if last else {}
    return {"name": "c", "ready": ready, "state": state, **before}


ENDED = {"terminated": {"exitCode": 2, "reason": "Error"}}
UNSCHEDULED = {
    "type": "PodScheduled",
    "status": "False",
    "reason": "Unschedulable",
    "message": "0/4 nodes are available",
}
PODS = [
    (pod("fine", container(ready=True, running={}, last=ENDED)), ""),
    (pod("done", phase="Succeeded"), ""),
    (
        pod("loops", container(waiting={"reason": "CrashLoopBackOff"}, last=ENDED)),
        "c is waiting: CrashLoopBackOff; c ended with 2: Error",
    ),
    (
        pod("pulls", container(waiting={"reason": "ErrImagePull", "message": "no such host"})),
        "c is waiting: ErrImagePull: no such host",
    ),
    (pod("slow", container(running={})), "c runs and is not ready"),
    (pod("begins", phase="Pending"), "Pending"),
    (
        pod("evicted", phase="Failed", reason="Evicted", message="low on disk"),
        "Evicted: low on disk",
    ),
    (
        pod("homeless", phase="Pending", node_name="", conditions=[UNSCHEDULED]),
        "Unschedulable: 0/4 nodes are available; Pending",
    ),
    (
        pod("prepares", initContainerStatuses=[container(terminated=ENDED["terminated"])]),
        "c ended with 2: Error",
    ),
]


@pytest.mark.parametrize(("item", "why"), PODS, ids=[item["metadata"]["name"] for item, _ in PODS])
def test_a_pod_that_does_not_run_is_told_with_its_node_and_why(
    item: dict[str, Any], why: str, fake: FakeSite
) -> None:
    fake.api.items["pods"] = [item]
    where = item["spec"].get("nodeName", "no node")
    said = diagnosis.of_pods(fake.site())
    assert said == (f"pod {item['metadata']['name']} on {where}: {why}" if why else "")


def test_very_many_pods_are_cut_short(fake: FakeSite) -> None:
    fake.api.items["pods"] = [pod(f"p{number}", phase="Pending") for number in range(100)]
    assert len(diagnosis.of_pods(fake.site()).splitlines()) == diagnosis.PODS


def test_ready_asks_the_machines_whose_nodes_are_not(fake: FakeSite) -> None:
    worker = fake.plan.workers[1]
    others = [item for item in good_nodes(fake.plan) if item["metadata"]["name"] != worker.name]
    fake.api.items["nodes"] = [*others, node(worker, ready="False")]
    fake.api.items["pods"] = [pod("lab-network", phase="Pending", node_name=worker.name)]
    assert ready.PHASE.diagnose(fake.site()).splitlines() == [
        f"pod lab-network on {worker.name}: Pending",
        f"{worker.name}, last lines of kubelet:",
        "kubelet: exiting",
    ]


def test_ready_asks_every_machine_where_the_api_does_not_answer(fake: FakeSite) -> None:
    fake.api.polls = [TransportError("no route to host")]
    said = ready.PHASE.diagnose(fake.site())
    assert said.count("last lines of kubelet") == len(fake.plan.machines)


def test_a_rolling_update_asks_the_machines_that_it_waits_for(fake: FakeSite) -> None:
    workers = replace(fake.plan, machines=fake.plan.workers[:1])
    phase = healthy.phase(fake.plan.groups[0])
    said = phase.diagnose(fake.site(workers))
    assert said == f"{fake.plan.workers[0].name}, last lines of kubelet:\nkubelet: exiting"


def test_verify_asks_for_the_pods_and_for_what_is_wrong_with_machines(fake: FakeSite) -> None:
    stopped, full, *_ = (machine.name for machine in fake.plan.workers)
    fake.api.items["pods"] = [pod("harness-verify-1", phase="Pending", node_name=full)]
    fake.provider.states = dict.fromkeys(fake.plan.names, MachineState.RUNNING)
    fake.provider.states[stopped] = MachineState.STOPPED
    fake.transports[stopped].reachable = False
    fake.units[full].last_words = f"{diagnosis.HEAD}state\n/var is full\n{LAST_WORDS}"
    assert verify.PHASE.diagnose(fake.site()).splitlines() == [
        f"pod harness-verify-1 on {full}: Pending",
        f"{stopped} cannot be asked: {stopped}: cannot be reached",
        f"{full}, state:",
        "/var is full",
        f"{stopped} is stopped, says Vagrant",
    ]


def test_machines_asks_those_that_run_and_whose_script_does_not(fake: FakeSite) -> None:
    begun, failed, absent = (machine.name for machine in fake.plan.workers)
    fake.provider.states = dict.fromkeys(fake.plan.names, MachineState.RUNNING)
    fake.provider.states[absent] = MachineState.ABSENT
    fake.units[begun].looks = [observed("install")]
    fake.units[failed].looks = [observed("install", active="failed", result="exit-code")]
    assert machines.PHASE.diagnose(fake.site()).splitlines() == [
        f"{fake.manager}, last lines of kubelet:",
        "kubelet: exiting",
        f"{failed}, last lines of kubelet:",
        "kubelet: exiting",
        f"{absent} is absent, says Vagrant",
    ]
    assert fake.transports[absent].calls == []


def test_pods_that_cannot_be_asked_for_are_no_error(fake: FakeSite) -> None:
    def get(*_words: object, **_more: object) -> list[dict[str, Any]]:
        raise TransportError("ip-192.168.2.200: cannot be reached")

    fake.api.get = get  # type: ignore[method-assign]
    said = diagnosis.of_pods(fake.site())
    assert said == "pods cannot be asked for: ip-192.168.2.200: cannot be reached"
