"""The walkthrough as docs/walkthrough.md tells it: its very commands, in their order.

They are typed in a checkout of their own, under another KubeClusterID. Meanwhile the cluster's
nodes are watched, so that nothing that becomes of one of them is overlooked.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any

import pytest

from harness.lab import bundle
from tests.e2e import lab as labs
from tests.e2e.console import Shell, Step, sections
from tests.e2e.nodes import CORDONED, GONE, NOT_READY, READY, Change, Nodes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Became = Callable[[str], list[str]]

pytestmark = pytest.mark.lab
DOCUMENT = labs.ROOT / "docs" / "walkthrough.md"
MANAGER, FIRST, SECOND, THIRD = labs.NAMES
FOURTH = "ip-192.168.2.5"
WORKERS = {FIRST, SECOND, THIRD, FOURTH}
STEP_SECONDS = labs.UP_SECONDS
HEALED_SECONDS = 90.0


@dataclass
class Walk:
    """Somebody who follows the document.

    Attributes:
        lab: What they make.
        shell: Where they type.
        document: Its sections.
        nodes: Of their cluster.
        walked: The sections that they have been through.
    """

    lab: labs.Lab
    shell: Shell
    document: dict[str, tuple[Step, ...]]
    nodes: Nodes
    walked: list[str] = field(default_factory=list)

    def through(self, section: str, *, patience: float = 2.0) -> None:
        self.walked.append(section)
        for step in self.document[section]:
            self.shell.run(step, timeout=STEP_SECONDS, patience=patience)

    def kubectl(self, *words: str, stdin: str = "") -> str:
        answer = self.lab.named("kubectl", *words, stdin=stdin)
        assert answer.status == 0, answer.stderr
        return answer.stdout

    def events(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.lab.events() if event["event"] == kind]


def make_checkout(folder: Path, cluster: str) -> labs.Lab:
    """Copy what a user has, so that groups and templates can be changed."""
    for name in ("groups", "harness", "scripts"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(labs.ROOT / name, folder / name, ignore=ignored)
    shutil.copy(labs.ROOT / "Vagrantfile.j2", folder)
    files = tuple(folder / "groups" / f"groups-{role}.json" for role in ("manager", "worker"))
    for file in files:
        file.write_text(file.read_text().replace('"walkthrough"', f'"{cluster}"'))
    program = folder / "bin" / "harness"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m harness "$@"\n')
    program.chmod(0o755)
    return labs.Lab(folder / "state", files, cluster)


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory, before: dict[str, set[str]]) -> Iterator[Walk]:
    """A reader at the beginning of the document; what they make is removed in any case."""
    folder = tmp_path_factory.mktemp("checkout")
    lab = make_checkout(folder, f"e2e-walk{labs.SUFFIX}")
    env = {
        **os.environ,
        "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
        "PYTHONPATH": str(folder),
        "HARNESS_STATE_DIR": str(lab.state),
    }
    text = DOCUMENT.read_text(encoding="utf-8").replace("walkthrough", lab.cluster)
    try:
        with contextlib.closing(Shell(folder, env)) as shell:
            yield Walk(lab, shell, sections(text), Nodes(lab))
    finally:
        finished = lab.down()
    assert finished.status == 0, finished.stderr
    assert labs.new_since(before) == {}


@pytest.fixture(scope="module")
def cluster(walk: Walk) -> Iterator[Walk]:
    """The reader, once they have a cluster, whose nodes are watched from now on."""
    walk.through("Two commits")
    with walk.nodes.watched():
        for name in labs.NAMES:
            walk.nodes.wait_for(name, READY)
        yield walk


@pytest.fixture
def changes(cluster: Walk) -> Callable[[], list[Change]]:
    """What has changed since the test began."""
    begin = len(cluster.nodes.changes)
    return lambda: cluster.nodes.changes[begin:]


@pytest.fixture
def became(cluster: Walk, changes: Callable[[], list[Change]]) -> Became:
    """All that a node has been since the test began, in order."""
    first = {name: cluster.nodes.now(name) for name in (*labs.NAMES, FOURTH)}
    return lambda name: [first[name], *(one.status for one in changes() if one.node == name)]


@pytest.fixture
def spread(cluster: Walk) -> Callable[[], set[str]]:
    """Four pods, one on each of the four workers; return where they run now, once all do."""
    image = bundle.load(bundle.default_path()).supply().verify_image
    cluster.kubectl("apply", "--filename=-", stdin=json.dumps(deployment(image)))

    def where() -> set[str]:
        cluster.kubectl("rollout", "status", "deployment", "spread", "--timeout=50s")
        pods = json.loads(cluster.kubectl("get", "pods", "--output=json"))["items"]
        return {
            pod["spec"]["nodeName"] for pod in pods if "deletionTimestamp" not in pod["metadata"]
        }

    assert where() == WORKERS
    return where


def deployment(image: str) -> dict[str, Any]:
    """Return a Deployment of four pods that keep apart as long as there is room."""
    labels = {"app": "spread"}
    apart = {"labelSelector": {"matchLabels": labels}, "topologyKey": "kubernetes.io/hostname"}
    spec = {
        "containers": [{"name": "spread", "image": image, "command": ["sleep", "1000000"]}],
        "terminationGracePeriodSeconds": 0,
        "affinity": {
            "podAntiAffinity": {
                "preferredDuringSchedulingIgnoredDuringExecution": [
                    {"weight": 100, "podAffinityTerm": apart}
                ]
            }
        },
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "spread", "namespace": "default"},
        "spec": {
            "replicas": len(WORKERS),
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    }


def machines(walk: Walk) -> set[str]:
    """Return the machines that LXC has of this cluster."""
    prefix = f"harness-{walk.lab.cluster}-"
    return {
        name.removeprefix(prefix) for name in labs.seen()["machines"] if name.startswith(prefix)
    }


def lives(walk: Walk) -> dict[str, set[str]]:
    """Tell machines of one name apart: by what they were made from, their boot, their node."""
    found = {
        node["metadata"]["name"]: {node["metadata"]["uid"], node["status"]["nodeInfo"]["bootID"]}
        for node in json.loads(walk.kubectl("get", "nodes", "--output=json"))["items"]
    }
    for group in ("kubernetes-managers", "kubernetes-workers"):
        words = ("describe", group, "--name", walk.lab.cluster, "--output=json")
        for instance in json.loads(walk.lab.run("group", *words).stdout)["instances"]:
            found[instance["id"]].add(instance["tags"]["infrakit.config.hash"])
    return found


def test_two_commits_make_every_node_ready(cluster: Walk) -> None:
    assert cluster.lab.ready_nodes() == set(labs.NAMES)


def test_kubectl_on_the_manager_shows_them(cluster: Walk) -> None:
    cluster.through("On the manager")


def test_a_fourth_worker_joins_while_all_others_stay_ready(cluster: Walk, became: Became) -> None:
    cluster.through("More workers")
    cluster.nodes.wait_for(FOURTH, READY)
    assert became(FOURTH)[0] == GONE
    for name in labs.NAMES:
        assert became(name) == [READY]
    assert machines(cluster) == {*labs.NAMES, FOURTH}


def test_two_workers_are_drained_and_gone_while_all_others_stay_ready(
    cluster: Walk, became: Became, spread: Callable[[], set[str]]
) -> None:
    cluster.through("Fewer workers")
    for name in (FOURTH, THIRD):
        cluster.nodes.wait_for(name, GONE)
        assert became(name) == [READY, CORDONED, GONE]
    for name in (MANAGER, FIRST, SECOND):
        assert became(name) == [READY]
    assert spread() == {FIRST, SECOND}
    assert machines(cluster) == cluster.lab.ready_nodes() == {MANAGER, FIRST, SECOND}


def test_a_rolling_update_makes_one_worker_after_the_other_anew(
    cluster: Walk, became: Became, changes: Callable[[], list[Change]]
) -> None:
    old, already = lives(cluster), len(cluster.events("PhaseEnded"))
    cluster.through("A rolling update")
    cluster.nodes.wait_for(SECOND, READY)
    for name in (FIRST, SECOND):
        assert became(name) == [READY, CORDONED, GONE, NOT_READY, READY]
    assert [name for name, _ in groupby(changes(), lambda one: one.node)] == [FIRST, SECOND]
    ended = [event["phase"] for event in cluster.events("PhaseEnded")[already:]]
    gate = [phase for phase in ended if phase in {"drain", "destroy", "healthy"}]
    assert gate == ["drain", "destroy", "healthy"] * 2
    new = lives(cluster)
    assert new[MANAGER] == old[MANAGER]
    for name in (FIRST, SECOND):
        assert not new[name].intersection(old[name])


def test_a_worker_that_was_destroyed_behind_our_back_is_replaced_by_watch(
    cluster: Walk, became: Became, changes: Callable[[], list[Change]]
) -> None:
    cluster.through("A lost machine", patience=STEP_SECONDS)
    cluster.nodes.wait_for(FIRST, READY)
    for name in (MANAGER, SECOND):
        assert became(name) == [READY]
    (noticed,) = [one for one in cluster.events("Notice") if "healing" in one["message"]]
    healed = changes()[-1].moment - datetime.fromisoformat(noticed["time"]).timestamp()
    assert 0 < healed < HEALED_SECONDS
    assert cluster.lab.ready_nodes() == {MANAGER, FIRST, SECOND}


def test_down_ends_it(cluster: Walk) -> None:
    cluster.through("The end")
    assert machines(cluster) == set()


def test_every_section_was_walked(walk: Walk) -> None:
    assert walk.walked == list(walk.document)
