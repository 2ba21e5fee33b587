from __future__ import annotations

import json
import stat
import tarfile
from typing import TYPE_CHECKING

import pytest

from harness import evidence, process
from harness.errors import InterruptedRunError, UsageError
from harness.events import Notice
from harness.interfaces import MachineState
from tests.fake_cluster import FakeWorld
from tests.fakes import Answer, RecordingReporter

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TOKEN = "abcdef.0123456789abcdef"
KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA\n-----END RSA PRIVATE KEY-----"
pytestmark = pytest.mark.usefixtures("state")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[FakeWorld]:
    made = FakeWorld.of(tmp_path / "state")
    made.record()
    made.workspace.secrets()
    for name, transport in made.transports.items():
        made.provider.states[name] = MachineState.RUNNING
        transport.on("sh", answer=Answer(stdout=f"words of {name}\n"))
    made.api.said = "NAME STATUS\n"
    yield made
    process.resume()


def collected(world: FakeWorld, out: Path, *, timeout: float = 60) -> dict[str, str]:
    evidence.collect(world.cluster, out, RecordingReporter(), timeout=timeout)
    with tarfile.open(out) as archive:
        found = {}
        for member in archive.getmembers():
            file = archive.extractfile(member)
            assert file is not None
            found[member.name.partition("/")[2]] = file.read().decode()
    return found


def test_the_archive_has_everything_that_explains_a_cluster(
    world: FakeWorld, tmp_path: Path
) -> None:
    (world.workspace.logs_dir / "vagrant.log").write_text("Bringing machine up\n")
    world.workspace.save_timings([{"phase": "init", "seconds": 27.1, "note": "done"}])
    found = collected(world, tmp_path / "evidence.tar.gz")
    name = world.plan.names[1]
    assert json.loads(found["plan.json"])["cluster"] == "walkthrough"
    assert json.loads(found["timings.json"])[0]["phase"] == "init"
    assert json.loads(found["doctor.json"])[0]["check"] == "vagrant"
    assert "harness" in json.loads(found["versions.json"])
    assert found["logs/vagrant.log"] == "Bringing machine up\n"
    assert found["Vagrantfile"] == "# nothing\n"
    assert found[f"{name}/init.sh"].startswith("#!")
    for item in ("kubelet.log", "containerd.log", "harness-init.log", "sections"):
        assert found[f"{name}/{item}"] == f"words of {name}\n"
    for item in ("nodes", "pods", "events", "node-descriptions"):
        assert found[f"cluster/{item}"] == "NAME STATUS\n"


def test_the_archive_is_for_its_owner_alone(world: FakeWorld, tmp_path: Path) -> None:
    out = tmp_path / "new" / "evidence.tar.gz"
    collected(world, out)
    assert stat.S_IMODE(out.stat().st_mode) == 0o600


def test_nothing_in_the_archive_is_secret(world: FakeWorld, tmp_path: Path) -> None:
    folder = world.workspace.secrets_dir
    secrets = {path.name: path.read_text() for path in folder.iterdir()}
    token, key = secrets["token"].strip(), secrets["id_ed25519"].splitlines()[1]
    (world.workspace.logs_dir / "noise.log").write_text(f"join {token} with\n  {key}\n")
    text = "\n".join(collected(world, tmp_path / "evidence.tar.gz").values())
    assert token not in text
    assert key not in text
    assert f"join {evidence.REMOVED} with\n  {evidence.REMOVED}\n" in text


def test_what_cannot_be_had_is_noted_in_its_place(world: FakeWorld, tmp_path: Path) -> None:
    lost = world.plan.names[2]
    world.transports[lost].reachable = False
    found = collected(world, tmp_path / "evidence.tar.gz")
    assert found[f"{lost}/kubelet.log"] == f"(could not be had: {lost}: cannot be reached)\n"
    assert "words of" in found[f"{world.plan.names[1]}/kubelet.log"]
    assert found["timings.json"].startswith("(could not be had: ")


def test_machines_that_do_not_run_are_not_asked(world: FakeWorld, tmp_path: Path) -> None:
    for name in world.plan.names:
        world.provider.states[name] = MachineState.ABSENT
    found = collected(world, tmp_path / "evidence.tar.gz")
    assert not any(name.endswith("kubelet.log") for name in found)
    assert "plan.json" in found


def test_time_that_is_over_is_noted_and_nobody_is_asked(world: FakeWorld, tmp_path: Path) -> None:
    found = collected(world, tmp_path / "evidence.tar.gz", timeout=0)
    assert "not asked: the time" in found[f"{world.plan.manager.name}/kubelet.log"]
    assert all(transport.calls == [] for transport in world.transports.values())


def test_a_long_log_is_kept_by_its_end(world: FakeWorld, tmp_path: Path) -> None:
    log = world.workspace.logs_dir / "long.log"
    log.write_text("x" * evidence.LOG_BYTES + "the end")
    found = collected(world, tmp_path / "evidence.tar.gz")["logs/long.log"]
    assert (len(found), found[-7:]) == (evidence.LOG_BYTES, "the end")


def test_a_file_that_is_there_is_not_overwritten(world: FakeWorld, tmp_path: Path) -> None:
    out = tmp_path / "evidence.tar.gz"
    out.write_text("mine")
    with pytest.raises(UsageError, match="is there already"):
        evidence.collect(world.cluster, out, RecordingReporter())
    assert out.read_text() == "mine"


def test_an_interruption_is_not_noted_but_raised(world: FakeWorld, tmp_path: Path) -> None:
    def stopped(_argv: tuple[str, ...], _stdin: bytes) -> Answer:
        raise InterruptedRunError("stopped")

    world.transports[world.plan.names[0]].script.insert(0, stopped)
    with pytest.raises(InterruptedRunError):
        evidence.collect(world.cluster, tmp_path / "evidence.tar.gz", RecordingReporter())


def test_collecting_is_announced(world: FakeWorld, tmp_path: Path) -> None:
    reporter = RecordingReporter()
    evidence.collect(world.cluster, tmp_path / "evidence.tar.gz", reporter)
    assert reporter.events == [Notice("Collecting evidence of cluster `walkthrough`.")]


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (f"before\n{KEY}\nafter", "before\n(removed)\nafter"),
        (f"kubeadm join --token {TOKEN} 1.2.3.4", "kubeadm join --token (removed) 1.2.3.4"),
        (f'"{TOKEN}"', '"(removed)"'),
        ("client-key-data: TUlJRQ==\nuser: a", "client-key-data: (removed)\nuser: a"),
        ("client-certificate-data: TUlJRQ==", "client-certificate-data: (removed)"),
        ('"token": "eyJhbGci.x.y"', '"token": (removed)'),
        ("token: abc", "token: (removed)"),
        ("--certificate-key f8902e", "--certificate-key (removed)"),
        ("kube-proxy.1234567890abcdef at v1.20.2", "kube-proxy.1234567890abcdef at v1.20.2"),
        ("an event coredns.16c8d0f1a2b3c4d5", "an event coredns.16c8d0f1a2b3c4d5"),
        ("the words of my-secret-value", "the words of (removed)"),
        ("  MIIEline1line1\n  MIIEline2line2", "  (removed)\n  (removed)"),
    ],
)
def test_secrets_are_taken_out_and_nothing_else(text: str, left: str) -> None:
    secrets = ["my-secret-value\n", "-----BEGIN X-----\nMIIEline1line1\nMIIEline2line2\nab\n"]
    assert evidence.redact(text, secrets) == left


def test_redacting_twice_changes_nothing_more() -> None:
    once = evidence.redact(f"token: {TOKEN}\n{KEY}", [])
    assert evidence.redact(once, []) == once
