"""What the soak would notice: each kind of leak, planted; and its figures."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.samples import ROOT
from tests.soak import figures, footprint
from tests.soak.figures import Cycle
from tests.soak.footprint import Footprint

if TYPE_CHECKING:
    from pathlib import Path

GOOD = Cycle(1, "abc1234", "2026-01-01T00:00:00+00:00", seconds={"up": 40.0, "down": 5.0})
NOTHING = Footprint({kind: set() for kind in ("machines", "namespaces", "mounts", "files")}, 0.0, 0)


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("harness-soak-ip-192.168.2.200", True),
        ("harness-soak", True),
        ("/run/netns/harness-soak", True),
        ("/sys/fs/cgroup/pids/lxc.payload.harness-soak-ip-192.168.2.2", True),
        ("veth1001_AbCd", True),
        ("/sys/fs/cgroup/pids/lxc.pivot", True),
        ("harness-e2e-ip-192.168.2.200", False),
        ("harness-soak-b-ip-192.168.2.200", False),
        ("/run/netns/harness-engine", False),
    ],
)
def test_what_names_another_cluster_is_not_a_leak_and_what_names_none_is(
    name: str, *, ours: bool
) -> None:
    now = replace(NOTHING, things={**NOTHING.things, "mounts": {name}})
    assert now.left_since(NOTHING, "soak") == ({"mounts": [name]} if ours else {})


def test_what_all_clusters_share_is_nobodys_leak_as_long_as_another_one_is_there() -> None:
    alone = replace(NOTHING, things={**NOTHING.things, "mounts": {"/run/netns"}})
    assert alone.left_since(NOTHING, "soak") == {"mounts": ["/run/netns"]}
    other = replace(alone, things={**alone.things, "namespaces": {"harness-other"}})
    assert other.left_since(NOTHING, "soak") == {}


def test_what_was_there_before_is_not_a_leak() -> None:
    before = replace(NOTHING, things={**NOTHING.things, "machines": {"harness-soak-ip-10.0.0.1"}})
    assert before.left_since(before, "soak") == {}


def test_a_file_that_stays_is_found_and_a_lock_file_is_not_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(footprint, "MACHINES", tmp_path / "lxc")  # others' machines come and go
    before = Footprint.now([tmp_path])
    for name in ("state/clusters/soak/plan.json", "state/locks/soak.lock", "tmpabc/x"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_bytes(b"x" * 10_000)
    after = Footprint.now([tmp_path])
    left = after.left_since(before, "soak")["files"]
    assert left == [f"{tmp_path}/state/clusters/soak/plan.json", f"{tmp_path}/tmpabc/x"]
    assert after.disk_mib > before.disk_mib


def test_a_file_with_two_names_takes_its_place_once(tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(b"x" * 2**20)
    alone = footprint.disk_mib([tmp_path])
    (tmp_path / "other").hardlink_to(tmp_path / "one")
    assert footprint.disk_mib([tmp_path]) == alone
    assert alone >= 1


DAEMON = """
import os, subprocess, sys
sys.path.insert(0, {root!r})
from tests.soak import footprint
footprint.adopt_orphans()
subprocess.run(["sh", "-c", "setsid sleep 60 >/dev/null 2>&1 &"], check=True)
subprocess.run(["sh", "-c", "setsid true &"], check=True)
before = footprint.Footprint.now([])
(left,) = [name for name in before.things["processes"] if "sleep" in name]
print(left)
footprint.end([left])
os.waitpid(int(left.split()[0]), 0)
footprint.reap()
print(sorted(footprint.descendants(os.getpid())))
"""


def test_a_daemon_that_left_its_parents_behind_is_found_and_ended() -> None:
    """In a process of its own: nobody else shall inherit orphans."""
    done = subprocess.run(
        [sys.executable, "-c", DAEMON.format(root=str(ROOT))],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    found, afterwards = done.stdout.splitlines()
    assert found.endswith("sleep 60 ")
    assert afterwards == "[]"


def test_descendants_are_those_of_one_process_alone() -> None:
    with subprocess.Popen(["sh", "-c", "sleep 60 & wait"]) as child:
        assert any(str(child.pid) == name.split()[0] for name in footprint.descendants(os.getpid()))
        assert footprint.descendants(2**22 + 1) == set()
        footprint.end(footprint.descendants(os.getpid()))


def test_open_files_are_counted() -> None:
    assert footprint.open_files() > 0


@pytest.mark.parametrize(
    ("changed", "leak"),
    [
        ({"left": {"machines": ["harness-soak-ip-192.168.2.2"]}}, "machines: harness-soak-ip-"),
        ({"disk_mib": 20.04}, "disk: 20.0 MiB"),
    ],
)
def test_a_leak_makes_a_cycle_bad(changed: dict[str, object], leak: str) -> None:
    bad = replace(GOOD, **changed)  # type: ignore[arg-type]
    assert GOOD.is_good
    assert not bad.is_good
    assert leak in figures.line(bad)
    text = figures.report([GOOD, replace(bad, number=2)])
    assert f"leaks: 1\n  cycle 2: {leak}" in text
    assert "failures: 0\n" in text


def test_a_failure_makes_a_cycle_bad_whatever_it_left() -> None:
    bad = replace(GOOD, failure="`up` exited 6")
    assert not bad.is_good
    assert figures.line(bad) == "up 40.0 s, down 5.0 s; `up` exited 6"
    assert "failures: 1\n  cycle 1: `up` exited 6" in figures.report([bad])


def test_files_that_others_open_are_no_leak_and_those_of_every_cycle_are() -> None:
    limit = figures.DESCRIPTORS_PER_PROCESSOR * (os.cpu_count() or 1)
    noisy = [replace(GOOD, descriptors=count) for count in (9000, -8000, 3)]
    assert figures.descriptors_leak(noisy) == ""
    leaking = [replace(GOOD, descriptors=limit + count) for count in (1, 2, -9000)]
    assert figures.descriptors_leak(leaking).startswith("descriptors: ")
    assert "leaks: 1\n  descriptors: " in figures.report(leaking)


def test_times_are_told_by_median_and_p95() -> None:
    cycles = [replace(GOOD, seconds={"up": float(n)}) for n in range(1, 21)]
    assert "up              10.5    19.1    20.0\n" in figures.report(cycles)
    assert "up              40.0    40.0    40.0\n" in figures.report([GOOD])


def test_cycles_are_kept_line_by_line_and_told_apart_by_commit(tmp_path: Path) -> None:
    file = tmp_path / "soak.jsonl"
    other = replace(GOOD, commit="def5678")
    for cycle in (GOOD, other, replace(GOOD, number=2)):
        figures.append(file, cycle)
    assert [cycle.number for cycle in figures.load(file, "abc1234")] == [1, 2]
    assert figures.load(file, "def5678") == [other]
