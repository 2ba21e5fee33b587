"""Every known issue is made to happen, recognised, told, and in docs/troubleshooting.md."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

import pytest

from harness import status as cluster_status
from harness.errors import HarnessError, HostError, NotReadyError, PhaseError
from harness.known_issues import CATALOGUE, KnownIssue, excerpt, explaining
from tests.producing import PRODUCED
from tests.replaying import PLACES, REPLAYS, Replay, Stage, told
from tests.troubleshooting import DOCUMENT, document

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.unit.conftest import Ran

ISSUES = {issue.id: issue for issue in CATALOGUE}
REPLAYED = {file.stem: Replay.read(file) for file in sorted(REPLAYS.glob("*.txt"))}
HEALTHY = sorted((REPLAYS / "healthy").iterdir())
LESSONS = range(1, 16)
# Every trap of reference/lab.md, in its order, and by what it is recognised.
TRAPS = {
    "/dev/kvm is there, and a kernel hangs at its boot": "no-virtualisation",
    "emulated machines take minutes to boot, RSA host keys more than one": "boot-timeout",
    "an API server on starved processors does not answer in time": "api-too-slow",
    "controller manager and scheduler lose their leases": "leases-lost",
    "Go builds Kubernetes as a module": "go-module-mode",
    "reflect2 is older than Go": "reflect2-too-old",
    "kube-apiserver lacks its generated OpenAPI file": "openapi-not-generated",
    "binaries without -ldflags call themselves v0.0.0-master": "box-of-another-version",
    "there is no crictl for kubeadm's preflight": "kubeadm-wants-crictl",
    "containerd's default sandbox image is another one": "sandbox-image-missing",
    "an image is not in the box, CoreDNS and flannel among them": "image-not-preloaded",
    "without a network add-on no node is Ready": "no-pod-network",
    "containerd's overlay sits on an overlay": "overlay-on-overlay",
    "common.conf sets a device controller that cannot be set": "lxc-device-controller",
    "pipework fails on controllers that are mounted apart": "lxc-private-network",
    "kubelet does not find the mount point of cpu": "cgroups-mounted-apart",
    "nothing may lower oom_score_adj": "oom-score",
    "kube-proxy may not write the host's sysctl": "kube-proxy-conntrack",
    "containerd and kubelet drive cgroups differently": "cgroup-driver-mismatch",
    "kubelet is enabled before it has a configuration": "kubelet-without-configuration",
    "/etc/hosts lacks the machine's own name": "own-name-unknown",
    "LXC looks for bridges in the host's /sys": "lxc-bridge-not-found",
}


@dataclass(frozen=True)
class Failure:
    """A known issue that happened.

    Attributes:
        error: What was raised.
        said: All that is told of it.
    """

    error: Exception
    said: str


@pytest.fixture(scope="module")
def happen(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Failure]:
    """Make an issue happen, once, by its producer or by replaying its output in its place."""
    made: dict[str, Failure] = {}

    def make(issue_id: str) -> Failure:
        if issue_id not in made:
            made[issue_id] = _make(issue_id, tmp_path_factory.mktemp(issue_id))
        return made[issue_id]

    return make


def _make(issue_id: str, folder: Path) -> Failure:
    replay = REPLAYED.get(issue_id)
    play = PLACES[replay.place] if replay else PRODUCED[issue_id]
    with pytest.MonkeyPatch.context() as patch:
        stage = Stage(folder, patch, replay.text if replay else "")
        with pytest.raises((HarnessError, ExceptionGroup)) as caught:
            play(stage)
    return Failure(caught.value, told(caught.value, stage))


def test_every_issue_has_a_test_and_every_test_an_issue() -> None:
    assert sorted([*REPLAYED, *PRODUCED]) == sorted(ISSUES)
    assert len(ISSUES) == len(CATALOGUE)


@pytest.mark.parametrize("issue_id", ISSUES)
def test_an_issue_that_happens_is_recognised_and_no_other_is(
    issue_id: str, happen: Callable[[str], Failure]
) -> None:
    failure = happen(issue_id)
    assert [issue.id for issue in explaining(failure.error)] == [issue_id], failure.said
    assert "The diagnosis failed" not in failure.said


@pytest.mark.parametrize("issue_id", ISSUES)
@pytest.mark.usefixtures("world")
def test_an_issue_is_told_and_ends_in_one_of_its_exit_codes(
    issue_id: str,
    happen: Callable[[str], Failure],
    run: Callable[..., Ran],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    error = happen(issue_id).error

    def fail(_cluster: object) -> NoReturn:
        raise error

    monkeypatch.setattr(cluster_status, "of", fail)
    ran = run("status")
    assert ran.err.splitlines()[-1] == f"known issue {ISSUES[issue_id]}"
    assert ran.code in ISSUES[issue_id].exit_codes


@pytest.mark.parametrize("file", HEALTHY, ids=lambda file: file.name)
def test_nothing_is_recognised_in_what_a_healthy_cluster_says(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert len(text) > 200
    assert [issue.id for issue in CATALOGUE if issue.match(text)] == []


def test_the_document_is_that_of_the_catalogue(
    happen: Callable[[str], Failure], golden: Callable[[Path, str], None]
) -> None:
    golden(DOCUMENT, document({issue_id: happen(issue_id).said for issue_id in ISSUES}))


def test_every_trap_of_the_lab_has_an_issue() -> None:
    assert {trap: issue_id for trap, issue_id in TRAPS.items() if issue_id not in ISSUES} == {}
    cited = {issue.id for issue in CATALOGUE if "reference/lab.md" in " ".join(issue.sources)}
    assert cited.issuperset(TRAPS.values())


def test_every_lesson_of_our_peers_has_an_issue() -> None:
    sources = " ".join(source for issue in CATALOGUE for source in issue.sources)
    taught = {int(number) for number in re.findall(r"peers\.md, lesson (\d+)", sources)}
    assert taught == set(LESSONS)


@pytest.mark.parametrize("issue", CATALOGUE, ids=lambda issue: issue.id)
def test_an_entry_is_complete_and_says_where_it_comes_from(issue: KnownIssue) -> None:
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", issue.id)
    for sentence in (issue.title, issue.why, issue.cure):
        assert sentence.endswith(".")
    origin = re.compile(r"reference/(?:lab|peers)\.md, .+|[\w.-]+/[\w.-]+#\d+")
    assert issue.sources
    assert all(origin.fullmatch(source) for source in issue.sources)


def test_an_upstream_output_names_a_thread_that_the_entry_names_too() -> None:
    threads = {name: replay.origin for name, replay in REPLAYED.items() if "#" in replay.origin}
    assert threads
    assert {
        name: ISSUES[name].sources for name in threads if threads[name] not in ISSUES[name].sources
    } == {}


BRIDGED = "[ERROR FileExisting-crictl]: crictl not found in system path"


def test_an_issue_is_looked_for_in_errors_of_its_classes_alone() -> None:
    assert [issue.id for issue in explaining(PhaseError(BRIDGED))] == ["kubeadm-wants-crictl"]
    assert explaining(HostError(BRIDGED)) == ()
    assert explaining(ZeroDivisionError(BRIDGED)) == ()


def test_message_hint_and_notes_of_every_error_of_a_group_are_looked_at() -> None:
    one = PhaseError("first", hint="x509: certificate has expired or is not yet valid")
    one.add_note(BRIDGED)
    group = ExceptionGroup("both", [one, NotReadyError("a pod on a reaching one on b: not within")])
    group.add_note("leaderelection lost")
    found = [issue.id for issue in explaining(ExceptionGroup("all", [group]))]
    assert found == [
        "kubeadm-wants-crictl",
        "clocks-differ",
        "leases-lost",
        "pods-do-not-reach-each-other",
    ]


def test_a_message_that_is_wrapped_is_recognised() -> None:
    (issue,) = [issue for issue in CATALOGUE if issue.id == "boot-timeout"]
    assert issue.match("Timed out\n    while waiting for the machine\n    to boot")
    assert issue.match("Timed out while waiting") is None


def test_an_excerpt_is_the_end_and_the_latest_line_of_each_issue_before() -> None:
    lines = ["leaderelection lost", "a", f"1 {BRIDGED}", "b", f"2 {BRIDGED}", "c", "d"]
    assert excerpt("\n".join(lines), 2).splitlines() == [lines[0], lines[4], "c", "d"]
    assert excerpt("\n".join(lines), 99).splitlines() == lines
    assert excerpt("", 5) == ""
