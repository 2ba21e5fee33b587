"""The lab's pod network: its manifest, and its script run on a host whose tools are fakes."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import string
import subprocess
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from harness import process, wait

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

FILES = resources.files("harness.lab") / "files"
SCRIPT = str(FILES / "lab-network")
TOOLS = {
    "kubectl": 'if [[ " $* " == *" --watch "* ]]; then exec cat "$HOST/events"; fi\n'
    'cat "$HOST/nodes"',
    "ip": 'echo "ip $*" >>"$HOST/calls"\nif [[ $* == *" show "* ]]; then cat "$HOST/routes"; fi',
    "iptables": 'echo "iptables $*" >>"$HOST/calls"\n[[ $* != *" -C "* ]]',
    "iptables-restore": 'cat >"$HOST/masquerade"',
}


@dataclass
class Host:
    """A node's world, as files: what the API says, which routes there are, what was done."""

    root: Path

    def write(self, name: str, text: str) -> None:
        (self.root / name).write_text(text)

    def tell(self, event: str) -> None:
        """Let the API tell the one who watches."""
        with (self.root / "events").open("w") as events:
            events.write(f"{event}\n")
            events.flush()

    @property
    def calls(self) -> list[str]:
        file = self.root / "calls"
        return file.read_text().splitlines() if file.exists() else []

    def await_call(self, call: str) -> None:
        wait.until(
            lambda: None if call in self.calls else "\n".join(self.calls),
            timeout=10,
            interval=0.05,
            what=call,
        )

    @property
    def conflist(self) -> Path:
        return self.root / "net.d" / "10-lab.conflist"


@pytest.fixture
def host(tmp_path: Path) -> Host:
    (tmp_path / "bin").mkdir()
    for name, body in TOOLS.items():
        path = tmp_path / "bin" / name
        path.write_text(f"#!/bin/bash\n{body}\n")
        path.chmod(0o755)
    (tmp_path / "net.d").mkdir()
    os.mkfifo(tmp_path / "events")
    found = Host(tmp_path)
    found.write("nodes", "me|10.244.0.0/24|192.168.2.200\ntwo|10.244.1.0/24|192.168.2.2 ::2\n")
    found.write("routes", "10.244.1.0/24 via 192.168.2.2 dev eth0\n")
    return found


@pytest.fixture
def start(
    host: Host, tool: Callable[[str], str]
) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    running: list[subprocess.Popen[bytes]] = []
    with socket.create_server(("127.0.0.1", 0)) as api:
        environment = {
            "HOST": str(host.root),
            "PATH": f"{host.root / 'bin'}:{os.environ['PATH']}",
            "TMPDIR": str(host.root),
            "NODE_NAME": "me",
            "CNI_DIRECTORY": str(host.root / "net.d"),
            "KUBERNETES_SERVICE_HOST": "127.0.0.1",
            "KUBERNETES_SERVICE_PORT": str(api.getsockname()[1]),
        }

        def begin() -> subprocess.Popen[bytes]:
            log = (host.root / "log").open("wb")
            argv = [tool("bash"), SCRIPT]
            with log:
                popen = subprocess.Popen(
                    argv, env=environment, stdout=log, stderr=log, start_new_session=True
                )
            running.append(popen)
            return popen

        yield begin
    for popen in running:
        with contextlib.suppress(ProcessLookupError):  # it ended by itself
            os.killpg(popen.pid, signal.SIGKILL)  # its kubectl too
        popen.wait()


def test_a_node_gets_its_pods_configuration_and_routes_to_all_others(
    host: Host, start: Callable[[], object]
) -> None:
    start()
    host.await_call("iptables -w 5 -t nat -A POSTROUTING -s 10.244.0.0/24 -j LAB-MASQUERADE")
    assert "ip route replace 10.244.1.0/24 via 192.168.2.2 proto 142" in host.calls
    assert not any("replace 10.244.0.0/24" in call for call in host.calls)
    bridge, portmap = json.loads(host.conflist.read_text())["plugins"]
    assert bridge["ipam"]["ranges"] == [[{"subnet": "10.244.0.0/24"}]]
    assert portmap["capabilities"] == {"portMappings": True}
    assert [path.name for path in host.conflist.parent.iterdir()] == ["10-lab.conflist"]


def test_what_leaves_the_cluster_is_masqueraded_and_nothing_else(
    host: Host, start: Callable[[], object]
) -> None:
    start()
    host.await_call("iptables -w 5 -t nat -A POSTROUTING -s 10.244.0.0/24 -j LAB-MASQUERADE")
    lines = (host.root / "masquerade").read_text().splitlines()
    assert sorted(lines[2:6]) == [
        f"-A LAB-MASQUERADE -d {there} -j RETURN"
        for there in ("10.244.0.0/24", "10.244.1.0/24", "192.168.2.2", "192.168.2.200")
    ]
    assert lines[6:] == ["-A LAB-MASQUERADE -j MASQUERADE", "COMMIT"]


def test_a_route_to_a_node_that_is_gone_is_removed(host: Host, start: Callable[[], object]) -> None:
    host.write("routes", "10.244.1.0/24 via 192.168.2.2\n10.244.9.0/24 via 192.168.2.9\n")
    start()
    host.await_call("ip route del 10.244.9.0/24 proto 142")
    assert not any("del 10.244.1.0/24" in call for call in host.calls)


def test_a_new_node_is_acted_upon_when_its_pods_are_known(
    host: Host, start: Callable[[], object]
) -> None:
    start()
    host.await_call("ip -4 route show proto 142")
    host.tell("ADDED|three||192.168.2.3")
    host.tell("MODIFIED|three|10.244.2.0/24|192.168.2.3")
    host.await_call("ip route replace 10.244.2.0/24 via 192.168.2.3 proto 142")
    assert sum("10.244.2.0/24 via" in call for call in host.calls) == 1


def test_a_node_that_is_deleted_loses_its_route(host: Host, start: Callable[[], object]) -> None:
    start()
    host.await_call("ip -4 route show proto 142")
    host.tell("DELETED|two|10.244.1.0/24|192.168.2.2")
    host.await_call("ip route del 10.244.1.0/24 proto 142")


def test_without_pods_of_its_own_a_node_writes_no_configuration(
    host: Host, start: Callable[[], object]
) -> None:
    host.write("nodes", "me||192.168.2.200\ntwo|10.244.1.0/24|192.168.2.2\n")
    start()
    host.await_call("ip route replace 10.244.1.0/24 via 192.168.2.2 proto 142")
    host.await_call("ip -4 route show proto 142")
    assert not host.conflist.exists()


def test_it_ends_at_once_when_it_is_told_to(
    host: Host, start: Callable[[], subprocess.Popen[bytes]]
) -> None:
    popen = start()
    host.await_call("ip -4 route show proto 142")
    popen.send_signal(signal.SIGTERM)
    assert popen.wait(timeout=5) == 0


def test_the_script_is_clean(tool: Callable[[str], str]) -> None:
    process.run([tool("shellcheck"), "--severity=style", SCRIPT], timeout=30)


def documents() -> dict[str, dict[str, Any]]:
    text = (FILES / "network.yaml").read_text(encoding="utf-8")
    text = string.Template(text).substitute(image="harness/lab-network:1")
    return {document["kind"]: document for document in yaml.safe_load_all(text)}


def test_the_manifest_runs_the_script_on_every_node_before_any_is_ready() -> None:
    found = documents()
    assert set(found) == {"ServiceAccount", "ClusterRole", "ClusterRoleBinding", "DaemonSet"}
    pod = found["DaemonSet"]["spec"]["template"]["spec"]
    assert pod["hostNetwork"]
    assert pod["tolerations"] == [{"operator": "Exists"}]
    assert pod["priorityClassName"] == "system-node-critical"
    (container,) = pod["containers"]
    assert container["image"] == "harness/lab-network:1"
    assert container["command"] == ["/usr/local/bin/lab-network"]


def test_the_manifest_allows_to_read_nodes_and_nothing_else() -> None:
    (rule,) = documents()["ClusterRole"]["rules"]
    assert rule == {"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "list", "watch"]}
