from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import tarfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness import evidence, exhibits, process
from harness.errors import InterruptedRunError, UsageError
from harness.events import Notice
from harness.interfaces import MachineState
from harness.redaction import Redactor
from tests.fake_cluster import GOOD_HOST, FakeWorld
from tests.fakes import Answer, RecordingReporter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
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
    assert json.loads(found["host.json"])["vagrant"] == GOOD_HOST.vagrant
    assert json.loads(found["machines.json"])[name] == "running"
    assert found["vagrant-plugins"] == "vagrant-lxc (1.4.3, system)\n"
    assert found["logs/vagrant.log"] == "Bringing machine up\n"
    assert found["Vagrantfile"] == "# nothing\n"
    assert found[f"{name}/init.sh"].startswith("#!")
    for item in exhibits.ON_MACHINES:
        assert found[f"{name}/{item}"] == f"words of {name}\n"
    for item in exhibits.OF_CLUSTER:
        assert found[f"cluster/{item}"] == "NAME STATUS\n"


def test_the_archive_is_for_its_owner_alone(world: FakeWorld, tmp_path: Path) -> None:
    out = tmp_path / "new" / "evidence.tar.gz"
    collected(world, out)
    assert stat.S_IMODE(out.stat().st_mode) == 0o600


def test_what_cannot_be_had_is_noted_in_its_place(world: FakeWorld, tmp_path: Path) -> None:
    lost = world.plan.names[2]
    world.transports[lost].reachable = False
    found = collected(world, tmp_path / "evidence.tar.gz")
    why = f"(could not be had: {lost}: cannot be reached)\n"
    assert {found[f"{lost}/{item}"] for item in exhibits.ON_MACHINES} == {why}
    assert "words of" in found[f"{world.plan.names[1]}/kubelet.log"]
    assert found["timings.json"].startswith("(could not be had: ")


def test_machines_that_do_not_run_are_not_asked(world: FakeWorld, tmp_path: Path) -> None:
    for name in world.plan.names:
        world.provider.states[name] = MachineState.ABSENT
    found = collected(world, tmp_path / "evidence.tar.gz")
    assert not any(name.endswith("kubelet.log") for name in found)
    assert "plan.json" in found


def test_a_machine_that_hangs_once_is_not_asked_again(world: FakeWorld, tmp_path: Path) -> None:
    for transport in world.transports.values():
        transport.script.insert(0, lambda _argv, _stdin: Answer(hangs=True))
    found = collected(world, tmp_path / "evidence.tar.gz")
    assert [len(transport.calls) for transport in world.transports.values()] == [1] * 4
    assert "did not end within 20 s" in found[f"{world.plan.manager.name}/kubelet.log"]
    assert "did not end within 20 s" in found["cluster/nodes"]


def test_time_that_is_over_is_noted_and_nobody_is_asked(world: FakeWorld, tmp_path: Path) -> None:
    found = collected(world, tmp_path / "evidence.tar.gz", timeout=0)
    assert found[f"{world.plan.manager.name}/kubelet.log"] == evidence.LATE
    assert all(transport.calls == [] for transport in world.transports.values())


@pytest.mark.parametrize("stuck", ["machines", "vagrant"])
def test_who_does_not_even_keep_time_limits_is_cut_short(
    stuck: str, world: FakeWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forever(_argv: tuple[str, ...], _stdin: bytes) -> Answer:
        assert process.STOPPING.wait(30), "nobody stopped what hangs"
        raise InterruptedRunError("stopped")

    if stuck == "machines":
        for transport in world.transports.values():
            transport.script.insert(0, forever)
    else:
        folder = tmp_path / "bin"
        folder.mkdir()
        (folder / "vagrant").write_text("#!/bin/sh\nexec sleep 30\n")
        (folder / "vagrant").chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    began = time.monotonic()
    found = collected(world, tmp_path / "evidence.tar.gz", timeout=1)
    assert time.monotonic() - began < 5
    late = {name for name, text in found.items() if text == evidence.LATE}
    kubelet = f"{world.plan.manager.name}/kubelet.log"
    assert (kubelet in late) == (stuck == "machines")
    assert json.loads(found["plan.json"])
    assert not process.STOPPING.is_set()


def test_taking_secrets_out_is_within_the_limit_too(
    world: FakeWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes longer than asking where machines have much to say."""

    class Slow(Redactor):
        def __call__(self, text: str) -> str:
            if "words of" in text:
                time.sleep(0.2)  # noqa: TID251 - a processor that is busy
            return super().__call__(text)

    monkeypatch.setattr(evidence, "Redactor", Slow)
    began = time.monotonic()
    found = collected(world, tmp_path / "evidence.tar.gz", timeout=1)
    assert time.monotonic() - began < 3
    assert "words of" in found[f"{world.plan.names[1]}/kubelet.log"]
    assert found[f"{world.plan.names[1]}/versions"] == evidence.LATE


def test_an_archive_is_limited_whatever_is_in_it(
    world: FakeWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence, "ARCHIVE_BYTES", 100_000)
    flood = "".join(f"line {number}\n" for number in range(100_000))
    for transport in world.transports.values():
        transport.script.insert(0, lambda _argv, _stdin: Answer(stdout=flood))
    world.api.said = flood
    (world.workspace.logs_dir / "long.log").write_text(flood)
    found = collected(world, tmp_path / "evidence.tar.gz")
    assert sum(len(text.encode()) for text in found.values()) <= 100_000
    for name in ("logs/long.log", "cluster/events", f"{world.plan.names[1]}/kubelet.log"):
        assert re.fullmatch(r"(line \d+\n)+", found[name]), name
        assert found[name].endswith("line 99999\n")
    (call,) = {call.argv[-1] for one in world.transports.values() for call in one.calls}
    assert int(call) == 100_000 // len(found) + 1  # no more than that leaves a machine


def test_a_text_that_is_one_long_line_is_kept_by_its_end() -> None:
    assert evidence.last("x" * 20, 5) == "xxxxx"
    assert evidence.last("äää", 3) == "\N{REPLACEMENT CHARACTER}ä"


@pytest.mark.parametrize(("name", "command"), exhibits.ON_MACHINES.items())
def test_every_command_for_machines_is_a_shell_command(
    name: str, command: str, tool: Callable[[str], str]
) -> None:
    script = f"#!/bin/sh\n{command}\n"
    argv = [tool("shellcheck"), "--severity=style", "-"]
    done = subprocess.run(argv, input=script, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{name}: {done.stdout}"


def asked_for(command: str, limit: int, *, seconds: str = "5") -> str:
    argv = ["sh", "-c", exhibits._LIMITED, "evidence", command, seconds, str(limit)]
    return subprocess.run(argv, capture_output=True, text=True, check=True, timeout=20).stdout


def test_a_machine_limits_what_it_is_asked_itself() -> None:
    assert asked_for("echo out; echo err >&2; exit 3", 100) == "out\nerr\n(exited 3)\n"
    assert asked_for("seq 100000", 12) == "99999\n100000\n"[-12:]
    assert asked_for("echo first; sleep 30", 100, seconds="0.3") == "first\n(exited 124)\n"


def test_pods_logs_are_kept_by_the_ends_of_the_newest(tmp_path: Path) -> None:
    for age, name in enumerate(("new", "old")):
        log = tmp_path / "pods" / f"kube-system_{name}" / "main" / "0.log"
        log.parent.mkdir(parents=True)
        log.write_text("".join(f"{name} {number}\n" for number in range(20_000)))
        os.utime(log, (1_000_000 - age, 1_000_000 - age))
    (tmp_path / "pods" / "short.log").write_text("short\n")
    command = exhibits.ON_MACHINES["pods.log"].replace("/var/log/pods", str(tmp_path / "pods"))
    told = asked_for(command, 10**6)
    assert len(told) < 2 * exhibits.POD_LOG_BYTES + 1000
    headings = [line.split("/")[-3] for line in told.splitlines() if "main/0.log" in line]
    assert headings == ["kube-system_old", "kube-system_new"]
    assert re.search(r"0\.log\nold \d+\n", told), "it begins in the middle of a line"
    assert "short.log\nshort\n" in told


def test_a_file_that_is_there_is_not_overwritten(world: FakeWorld, tmp_path: Path) -> None:
    out = tmp_path / "evidence.tar.gz"
    out.write_text("mine")
    with pytest.raises(UsageError, match="cannot be made: File exists"):
        evidence.collect(world.cluster, out, RecordingReporter())
    assert out.read_text() == "mine"


def test_a_place_where_nothing_can_be_written_is_told_before_anybody_is_asked(
    world: FakeWorld,
) -> None:
    with pytest.raises(UsageError, match="cannot be made: No such file"):
        evidence.collect(world.cluster, Path("/proc/evidence.tar.gz"), RecordingReporter())
    assert world.provider.calls == []


def test_an_interruption_is_not_noted_but_raised(world: FakeWorld, tmp_path: Path) -> None:
    def stopped(_argv: tuple[str, ...], _stdin: bytes) -> Answer:
        raise InterruptedRunError("stopped")

    world.transports[world.plan.names[0]].script.insert(0, stopped)
    out = tmp_path / "evidence.tar.gz"
    with pytest.raises(InterruptedRunError):
        evidence.collect(world.cluster, out, RecordingReporter())
    assert not out.exists()


def test_collecting_is_announced(world: FakeWorld, tmp_path: Path) -> None:
    reporter = RecordingReporter()
    evidence.collect(world.cluster, tmp_path / "evidence.tar.gz", reporter)
    assert reporter.events == [Notice("Collecting evidence of cluster `walkthrough`.")]
