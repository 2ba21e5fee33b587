"""`down` leaves nothing or says what is left; `status` asks everybody, every time."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from harness import kubeconfig, orchestrator
from harness import status as cluster_status
from harness.errors import HostError, InterruptedRunError, ProviderError, TransportError
from harness.events import Notice, PhaseEnded, PhaseFailed, PhaseStarted
from harness.interfaces import MachineState
from tests.fake_run import Bench
from tests.fake_site import good_nodes, node
from tests.fakes import Answer, FakeNetwork, FakeProvider

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from harness.cluster import Cluster


CONF = """\
apiVersion: v1
kind: Config
current-context: admin@kubernetes
clusters: [{name: kubernetes, cluster: {server: "https://192.168.2.200:6443"}}]
contexts: [{name: admin@kubernetes, context: {cluster: kubernetes, user: admin}}]
users: [{name: admin, user: {}}]
"""


class Lab(FakeNetwork):
    """A network that knows whether the workspace was there when it was removed."""

    def __init__(self, bench: Bench) -> None:
        super().__init__()
        self._bench = bench
        self.stubborn = ""
        self.workspace_was_there = False

    def remove(self) -> None:
        super().remove()
        self.workspace_was_there = self._bench.world.workspace.exists
        if self.stubborn:
            raise HostError(f"Still there: {self.stubborn}.")
        self.left.clear()


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    made = Bench.of(tmp_path, monkeypatch)
    made.world.record()
    made.fake.provider.states = dict.fromkeys(made.fake.plan.names, MachineState.RUNNING)
    return made


@pytest.fixture
def lab(bench: Bench) -> Lab:
    network = Lab(bench)
    network.left = ["machine harness-walkthrough-ip-192.168.2.2", "namespace harness-walkthrough"]
    bench.fake.network = network
    return network


def down(bench: Bench, **parts: Any) -> None:  # noqa: ANN401 - a cluster's parts
    orchestrator.down(replace(bench.cluster, **parts), bench.fake.reporter)


def test_machines_go_first_then_their_network_then_the_workspace(bench: Bench, lab: Lab) -> None:
    down(bench)
    assert bench.fake.provider.calls == [("destroy", bench.fake.plan.names)]
    assert set(bench.fake.provider.states.values()) == {MachineState.ABSENT}
    assert lab.calls == ["create", "remove"]  # Vagrant runs inside it
    assert lab.workspace_was_there
    assert not bench.world.workspace.root.exists()
    names = bench.fake.plan.names
    assert bench.events[0] == PhaseStarted("down", names)
    assert isinstance(bench.events[-1], PhaseEnded)


def test_connections_are_closed_before_their_machines_go(bench: Bench, lab: Lab) -> None:
    closed = []
    down(bench, close=lambda: closed.append(len(lab.calls)))
    assert closed == [0]


@pytest.mark.defect("V2")
def test_what_vagrant_cannot_destroy_is_removed_by_its_name(bench: Bench, lab: Lab) -> None:
    bench.fake.provider.stubborn = {bench.fake.plan.names[1]}
    down(bench)
    assert lab.calls == ["create", "remove"]
    assert Notice("Vagrant: Vagrant still has ip-192.168.2.2", "warning") in bench.events
    assert not bench.world.workspace.root.exists()


def test_what_only_vagrant_can_destroy_is_an_error_and_keeps_the_workspace(bench: Bench) -> None:
    # Where the network is the host's own, nobody else knows the machines by name.
    bench.fake.provider.stubborn = {bench.fake.plan.names[1]}
    (bench.world.workspace.vagrant_dir / ".vagrant").mkdir()
    with pytest.raises(ProviderError, match=r"still has ip-192\.168\.2\.2"):
        down(bench)
    assert "remove" not in bench.fake.network.calls
    assert bench.world.workspace.exists
    assert isinstance(bench.events[-1], PhaseFailed)


@pytest.mark.defect("V2")
def test_what_is_still_there_is_named_and_keeps_the_workspace(bench: Bench, lab: Lab) -> None:
    lab.stubborn = "machine harness-walkthrough-ip-192.168.2.2"
    with pytest.raises(HostError, match="Still there: machine harness-walkthrough"):
        down(bench)
    assert bench.world.workspace.exists
    failed = bench.events[-1]
    assert isinstance(failed, PhaseFailed)
    assert failed.message == "Still there: machine harness-walkthrough-ip-192.168.2.2."
    lab.stubborn = ""
    down(bench)
    assert not bench.world.workspace.root.exists()


def test_the_clusters_context_goes_from_every_kubeconfig(bench: Bench, tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("one", "gone", "other")]
    for file in files:
        bench.world.workspace.note_kubeconfig(file)
        kubeconfig.merge(file, kubeconfig.export(CONF, cluster="walkthrough", server="https://x"))
    files.pop(1).unlink()
    down(bench)
    assert [yaml.safe_load(file.read_text())["users"] for file in files] == [[], []]


def test_a_context_that_stays_is_named_and_keeps_the_workspace_and_nothing_else(
    bench: Bench, lab: Lab, tmp_path: Path
) -> None:
    broken, whole = tmp_path / "broken", tmp_path / "whole"
    for file in (broken, whole):
        bench.world.workspace.note_kubeconfig(file)
    broken.write_text("- harness-walkthrough\n")
    kubeconfig.merge(whole, kubeconfig.export(CONF, cluster="walkthrough", server="https://x"))
    with pytest.raises(HostError) as caught:
        down(bench)
    left = f"Still there: context harness-walkthrough in {broken}: {broken} is no kubeconfig"
    assert caught.value.message.startswith(left)
    assert "`harness down` again" in caught.value.hint
    assert lab.left == []
    assert yaml.safe_load(whole.read_text())["users"] == []
    assert bench.world.workspace.exists
    broken.unlink()
    down(bench)
    assert not bench.world.workspace.root.exists()


def test_every_kubeconfig_that_cannot_be_changed_is_named(bench: Bench, tmp_path: Path) -> None:
    for name in ("one", "other"):
        bench.world.workspace.note_kubeconfig(tmp_path / name)
        (tmp_path / name).write_text("- harness-walkthrough\n")
    with pytest.raises(ExceptionGroup, match="could not be changed"):
        down(bench)
    failed = bench.events[-1]
    assert isinstance(failed, PhaseFailed)
    assert failed.message.count("Still there: context harness-walkthrough in ") == 2


def test_an_interrupted_down_can_be_repeated(bench: Bench, lab: Lab) -> None:
    class Interrupted(FakeProvider):
        def destroy(self, names: Sequence[str], *, timeout: float) -> None:
            del names, timeout
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        down(bench, provider=Interrupted(bench.fake.plan.names))
    assert bench.world.workspace.exists
    assert lab.calls == ["create"]
    down(bench)
    assert not bench.world.workspace.root.exists()


def test_where_nothing_was_made_vagrant_is_not_asked(bench: Bench) -> None:
    down(bench)
    assert bench.fake.provider.calls == []
    assert bench.fake.network.calls == ["remove"]
    assert not bench.world.workspace.root.exists()


def test_machines_that_only_vagrant_remembers_are_destroyed(bench: Bench) -> None:
    (bench.world.workspace.vagrant_dir / ".vagrant").mkdir()
    down(bench)
    assert bench.fake.provider.calls == [("destroy", bench.fake.plan.names)]


def status(bench: Bench, **parts: Any) -> dict[str, Any]:  # noqa: ANN401 - a cluster's parts
    return cluster_status.of(replace(bench.cluster, **parts))


def by_name(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {entry["name"]: entry for entry in found["nodes"]}


def test_status_has_the_documented_shape(bench: Bench) -> None:
    bench.world.workspace.save_timings([{"phase": "verify", "seconds": 1.0, "note": "done"}])
    found = status(bench)
    assert list(found) == ["cluster", "provider", "phase", "nodes"]
    assert (found["cluster"], found["provider"], found["phase"]) == ("walkthrough", "lxc", "verify")
    assert type(found["provider"]) is str
    assert found["nodes"][1] == {
        "name": "ip-192.168.2.2",
        "group": "kubernetes-workers",
        "role": "worker",
        "address": "192.168.2.2",
        "machine": "running",
        "ready": True,
        "version": "v1.20.2",
        "reason": "",
    }
    assert [entry["name"] for entry in found["nodes"]] == list(bench.fake.plan.names)
    assert {type(value) for entry in found["nodes"] for value in entry.values()} == {str, bool}


def test_status_quotes_why_a_node_is_not_ready(bench: Bench) -> None:
    plan = bench.fake.plan
    bench.fake.api.items["nodes"] = [*good_nodes(plan)[:2], node(plan.machines[2], ready="False")]
    found = by_name(status(bench))
    assert (found[plan.names[2]]["ready"], found[plan.names[2]]["reason"]) == (
        False,
        "KubeletNotReady: cni plugin not initialized",
    )
    assert (found[plan.names[3]]["ready"], found[plan.names[3]]["reason"]) == (
        False,
        "has not registered",
    )
    assert found[plan.names[3]]["version"] == ""


def test_status_does_not_call_a_stopped_machine_ready_while_the_api_server_still_does(
    bench: Bench,
) -> None:
    worker = bench.fake.plan.workers[0]
    bench.fake.network.silent.add(worker.address)
    found = by_name(status(bench))
    assert found[worker.name]["ready"] is False
    assert "its kubelet does not answer" in found[worker.name]["reason"]
    assert found[bench.fake.manager]["ready"] is True


def test_status_does_not_know_what_nobody_can_tell(bench: Bench) -> None:
    bench.fake.api.polls = [TransportError("ip-192.168.2.200: cannot be reached")]
    bench.fake.provider.states[bench.fake.manager] = MachineState.STOPPED
    found = by_name(status(bench))
    assert {entry["ready"] for entry in found.values()} == {None}
    assert {entry["reason"] for entry in found.values()} == {"ip-192.168.2.200: cannot be reached"}
    assert found[bench.fake.manager]["machine"] == "stopped"


def test_status_tells_why_vagrant_is_silent(bench: Bench) -> None:
    class Silent(FakeProvider):
        def machines(self, *, timeout: float) -> dict[str, MachineState]:
            del timeout
            raise ProviderError("`vagrant status` exited 1")

    found = status(bench, provider=Silent(bench.fake.plan.names))
    assert {entry["machine"] for entry in found["nodes"]} == {"absent"}
    assert {entry["reason"] for entry in found["nodes"]} == {"`vagrant status` exited 1"}
    assert {entry["ready"] for entry in found["nodes"]} == {True}


def test_status_of_what_was_never_made_asks_nobody(bench: Bench) -> None:
    bench.world.workspace.remove()
    found = status(bench)
    assert {entry["machine"] for entry in found["nodes"]} == {"absent"}
    assert bench.fake.provider.calls == []


def test_a_kubeconfig_leads_to_where_the_host_reaches_the_api_server(bench: Bench) -> None:
    manager = bench.fake.transports[bench.fake.manager]
    manager.on("cat", answer=Answer(CONF))
    cluster: Cluster = bench.cluster
    assert cluster.admin_conf() == CONF
    assert manager.calls[-1].sudo
    assert "https://127.0.0.1:16443" in cluster.kubeconfig_text()
    assert "192.168.2.200" not in cluster.kubeconfig_text()


def test_an_interruption_while_vagrant_destroys_ends_the_run(bench: Bench, lab: Lab) -> None:
    class Stopped(FakeProvider):
        def destroy(self, names: Sequence[str], *, timeout: float) -> None:
            del names, timeout
            raise InterruptedRunError("`vagrant` was stopped")

    with pytest.raises(InterruptedRunError):
        down(bench, provider=Stopped(bench.fake.plan.names))
    assert lab.calls == ["create"]
    assert bench.world.workspace.exists
