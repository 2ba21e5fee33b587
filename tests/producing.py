"""Makes known failures happen that the harness's own parts tell of, without output to replay."""

from __future__ import annotations

import contextlib
import socket
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import paramiko

from harness import doctor
from harness.interfaces import Endpoint, MachineState
from harness.lab.network import LabNetwork
from harness.lab.steps import Step, Work, build
from harness.phases import install, ready, verify
from harness.spec import ProviderName
from harness.transports import known_hosts
from harness.transports.ssh import SshTransport
from tests.fake_cluster import GOOD_HOST
from tests.fake_host import Host
from tests.fake_pods import PodsAPI
from tests.fake_site import node, observed
from tests.fakes import FakeNetwork
from tests.replaying import LIMIT, Stage, run

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.replaying import Play


def _host(provider: ProviderName, **lack: Any) -> Play:  # noqa: ANN401 - a host's facts
    return lambda _: doctor.require(provider, replace(GOOD_HOST, **lack))


def _full_disk(stage: Stage) -> None:
    """Write to a device that is always full."""

    def step(work: Work) -> None:
        work.run(["bash", "-c", "echo x > /dev/full"], timeout=LIMIT)

    build([Step("images", step)], stage.folder, label="bundle", on_event=lambda _: None)


def _leftovers(stage: Stage) -> None:
    """Remove a cluster one of whose machines does not go away."""
    host = Host.of(stage.folder, stage.patch)
    host.program("lxc-destroy", "")
    host.machines("harness-a-ip-192.168.2.2")
    LabNetwork("a", "192.168.2.1/24", stage.folder / "clusters" / "a").remove()


def _ssh(*, speaks: bool, known: bool = False) -> Play:
    """Log in where a server drops us, or refuses, or has another host key than before."""

    def play(stage: Stage) -> None:
        keys = [paramiko.ECDSAKey.generate() for _ in range(3)]
        client, host, other = keys
        client.write_private_key_file(str(stage.folder / "key"))
        hosts = stage.folder / "known_hosts"
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            if known:
                name = known_hosts.host_id("127.0.0.1", port)
                known_hosts.record(hosts, name, other.get_name(), other.get_base64())
            answering = threading.Thread(target=_answer, args=(server, host if speaks else None))
            answering.start()
            key = (stage.folder / "key").read_text()
            endpoint = Endpoint("ip-192.168.2.2", "127.0.0.1", port, "vagrant", key)
            transport = SshTransport(
                endpoint, network=FakeNetwork(), known_hosts=hosts, connect_timeout=1
            )
            try:
                transport.run(["true"], timeout=1)
            finally:
                server.shutdown(socket.SHUT_RDWR)
                answering.join(LIMIT)

    return play


def _answer(server: socket.socket, key: paramiko.PKey | None) -> None:
    """Take connections and drop them; with a key, speak SSH and let nobody in."""
    with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
        while True:
            connection = stack.enter_context(server.accept()[0])
            if key is None:
                connection.shutdown(socket.SHUT_RDWR)
            else:
                transport = paramiko.Transport(connection)
                stack.callback(transport.close)
                transport.add_server_key(key)
                with contextlib.suppress(paramiko.SSHException, EOFError):
                    transport.start_server(server=paramiko.ServerInterface())


def _unreachable(stage: Stage) -> None:
    """Let a pod not reach another one."""
    _verify(stage, {"10.244.2.7": (1, "wget: can't connect to remote host: No route to host\n")})


def _one_range(stage: Stage) -> None:
    """Let all pods have addresses of one range."""
    _verify(stage, {}, pods="10.88.0.0/16")


def _verify(stage: Stage, served: dict[str, tuple[int, str]], pods: str = "") -> None:
    fake = stage.site()
    api = PodsAPI(served=served)
    fake.api = api
    for number, machine in enumerate(fake.plan.machines):
        own = pods or f"10.244.{number}.0/24"
        api.items.setdefault("nodes", []).append(node(machine, pods=own))
        api.addresses[machine.name] = own.replace("0/", f"{number}7/").partition("/")[0]
    if not pods:
        api.addresses = {name: f"10.244.{n}.7" for n, name in enumerate(fake.plan.names)}
    run(fake, verify.PHASE)


def _stopped(stage: Stage) -> None:
    """Let a worker be stopped while it is prepared."""
    fake = stage.site()
    worker = fake.plan.workers[0].name
    fake.provider.states[worker] = MachineState.STOPPED
    for unit in fake.units.values():
        unit.looks = [observed("install", "join")]
    fake.transports[worker].reachable = False
    run(fake, install.PHASE)


def _behind_nat(stage: Stage) -> None:
    """Let nodes register at the address that all machines of VirtualBox have."""
    fake = stage.site()
    nodes = [node(machine, addresses=["10.0.2.15"]) for machine in fake.plan.machines]
    fake.api.items["nodes"] = nodes
    run(fake, ready.PHASE)


def _not_registered(stage: Stage) -> None:
    """Let one machine have no node."""
    fake = stage.site()
    fake.api.items["nodes"] = [node(machine) for machine in fake.plan.machines[:-1]]
    run(fake, ready.PHASE)


PRODUCED: Mapping[str, Play] = {
    "supplies-missing": _host(ProviderName.LXC, bundle="there is no bundle at /cache/bundle"),
    "no-space": _full_disk,
    "no-network-namespace": _host(ProviderName.LXC, namespace_trouble="unshare: not permitted"),
    "cgroup-controllers-missing": _host(ProviderName.LXC, controllers=frozenset({"cpu", "pids"})),
    "leftovers": _leftovers,
    "machine-not-running": _stopped,
    "ssh-banner": _ssh(speaks=False),
    "ssh-host-key-changed": _ssh(speaks=True, known=True),
    "ssh-key-refused": _ssh(speaks=True),
    "node-behind-nat": _behind_nat,
    "node-not-registered": _not_registered,
    "pods-do-not-reach-each-other": _unreachable,
    "pod-ranges": _one_range,
}
"""Known issue → what makes it happen."""
