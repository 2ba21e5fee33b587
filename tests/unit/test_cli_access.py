from __future__ import annotations

import json
import os
import stat
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest

from harness import kubeconfig, process
from tests.fakes import Answer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tests.fake_cluster import FakeWorld
    from tests.unit.conftest import Ran

MANAGER, WORKER = "ip-192.168.2.200", "ip-192.168.2.3"
CONFIG = "apiVersion: v1\nkind: Config\n"


def test_ssh_opens_a_login_shell_and_exits_as_it_does(
    run: Callable[..., Ran], world: FakeWorld
) -> None:
    world.transports[WORKER].on(answer=Answer(exit_status=7))
    assert run("ssh", WORKER).code == 7
    assert world.transports[WORKER].typed == [()]


@pytest.mark.parametrize("words", [("ssh", "ip-9"), ("exec", "@nobody", "--", "true")])
@pytest.mark.usefixtures("world")
def test_a_machine_that_is_not_planned_is_a_usage_error(
    words: tuple[str, ...], run: Callable[..., Ran]
) -> None:
    ran = run(*words)
    assert ran.code == 2
    assert "There is no machine" in ran.err
    assert MANAGER in ran.err


def test_exec_on_one_machine_is_as_if_it_ran_here(
    run: Callable[..., Ran], world: FakeWorld
) -> None:
    answer = Answer(stdout="6.1\n", stderr="odd\n", exit_status=3)
    world.transports[WORKER].on("uname", "-r", answer=answer)
    ran = run("exec", WORKER, "--", "uname", "-r")
    assert (ran.code, ran.out, ran.err) == (3, "6.1\n", "odd\n")


@pytest.mark.parametrize(
    ("selector", "count"), [("@managers", 1), ("@workers", 3), ("@all", 4), (WORKER, 1)]
)
def test_exec_runs_on_every_machine_that_is_selected(
    selector: str, count: int, run: Callable[..., Ran], world: FakeWorld
) -> None:
    run("exec", selector, "--", "true")
    assert sum(len(transport.calls) for transport in world.transports.values()) == count


def test_exec_on_several_machines_names_each_line_and_exits_with_the_highest_status(
    run: Callable[..., Ran], world: FakeWorld
) -> None:
    for status, worker in enumerate(world.plan.workers):
        answer = Answer(stdout="one\ntwo\n", stderr="no\n", exit_status=status)
        world.transports[worker.name].on("sh", answer=answer)
    ran = run("exec", "@workers", "--", "sh", "-c", "exit")
    assert ran.code == 2
    names = [worker.name for worker in world.plan.workers]
    assert ran.out.splitlines() == [f"{name}: {line}" for name in names for line in ("one", "two")]
    assert ran.err.splitlines() == [f"{name}: no" for name in names]


def test_exec_shows_what_it_has_before_it_names_those_it_could_not_reach(
    run: Callable[..., Ran], world: FakeWorld
) -> None:
    for worker in world.plan.workers:
        world.transports[worker.name].on("true", answer=Answer(stdout="here\n"))
    world.transports[WORKER].reachable = False
    ran = run("exec", "@workers", "--", "true")
    assert ran.code == 6
    assert ran.out.count("here") == 2
    assert ran.err == f"error: {WORKER}: cannot be reached\n"
    for transport in world.transports.values():
        transport.reachable = False
    assert run("exec", "@all", "--", "true").err.count("error: ") == 4


def test_options_of_the_command_stay_the_commands_own(
    run: Callable[..., Ran], world: FakeWorld
) -> None:
    run("exec", "--timeout", "5", WORKER, "--", "df", "--help", "-o", "--name", "x")
    (call,) = world.transports[WORKER].calls
    assert (call.argv, call.timeout) == (("df", "--help", "-o", "--name", "x"), 5)


@pytest.fixture
def became(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], Mapping[str, str]]]:
    """Record what the harness would have become."""
    found: list[tuple[list[str], Mapping[str, str]]] = []

    def exec_replace(argv: Sequence[str], env: Mapping[str, str]) -> None:
        found.append((list(argv), env))

    monkeypatch.setattr(process, "exec_replace", exec_replace)
    return found


@pytest.mark.parametrize(
    "words",
    [
        ["get", "nodes", "-o", "wide"],
        ["-n", "kube-system", "get", "pods", "--help"],
        ["--context=x", "exec", "pod", "--", "ls", "-l"],
        ["apply", "-f", "a file", "--name", "not-ours"],
        [],
    ],
)
def test_kubectl_gets_its_words_untouched_and_runs_in_the_clusters_network(
    words: list[str],
    run: Callable[..., Ran],
    world: FakeWorld,
    became: list[tuple[list[str], Mapping[str, str]]],
) -> None:
    world.transports[MANAGER].on("cat", answer=Answer(stdout=CONFIG))
    assert run("kubectl", "--name", "walkthrough", *words).code == 0
    ((argv, env),) = became
    assert argv == ["env", "FAKE_NETWORK=entered", "kubectl", *words]
    assert env["KUBECONFIG"] == str(world.workspace.kubeconfig)
    assert world.workspace.kubeconfig.read_text() == CONFIG
    assert stat.S_IMODE(world.workspace.kubeconfig.stat().st_mode) == 0o600


@pytest.mark.usefixtures("became")
def test_the_administrators_configuration_is_fetched_once(
    run: Callable[..., Ran], world: FakeWorld
) -> None:
    world.transports[MANAGER].on("cat", answer=Answer(stdout=CONFIG))
    run("kubectl", "get", "nodes")
    run("kubectl", "get", "nodes")
    assert len(world.transports[MANAGER].calls) == 1


def test_the_bundles_own_kubectl_is_taken_where_there_is_one(
    run: Callable[..., Ran],
    world: FakeWorld,
    became: list[tuple[list[str], Mapping[str, str]]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    own = tmp_path / "bin" / "kubectl"
    own.parent.mkdir()
    own.touch()
    monkeypatch.setattr("harness.lab.bundle.default_path", lambda: tmp_path)
    world.transports[MANAGER].on("cat", answer=Answer(stdout=CONFIG))
    run("kubectl", "version")
    assert became[0][0][2:] == [str(own), "version"]


ADMIN = {
    "clusters": [{"name": "kubernetes", "cluster": {"server": "https://192.168.2.200:6443"}}],
    "users": [{"name": "kubernetes-admin", "user": {"client-key-data": "TUlJRQ=="}}],
}


def test_a_kubeconfig_for_this_hosts_shell_is_printed_or_written_privately(
    run: Callable[..., Ran], world: FakeWorld, tmp_path: Path
) -> None:
    world.transports[MANAGER].on("cat", answer=Answer(stdout=json.dumps(ADMIN)))
    printed = run("kubeconfig")
    assert (printed.code, printed.err) == (0, "")
    assert "server: https://127.0.0.1:16443" in printed.out
    out = tmp_path / "admin.conf"
    written = run("kubeconfig", "--out", str(out))
    assert (written.out, written.err) == ("", f"Use it as KUBECONFIG={out}\n")
    assert out.read_text() == printed.out
    assert stat.S_IMODE(out.stat().st_mode) == 0o600


@pytest.mark.parametrize("out", ["/dev/null", "/", "/proc/admin.conf"])
def test_a_kubeconfig_replaces_no_device_and_tells_what_cannot_be_written(
    out: str, run: Callable[..., Ran], world: FakeWorld
) -> None:
    before = os.lstat(out) if Path(out).exists() else None
    world.transports[MANAGER].on("cat", answer=Answer(stdout=json.dumps(ADMIN)))
    ran = run("kubeconfig", "--out", out)
    assert (ran.code, ran.out) == (2, "")
    assert f"`{out}`" in ran.err
    assert before is None or os.lstat(out) == before


def test_merging_and_forgetting_are_about_the_users_own_file(
    run: Callable[..., Ran], world: FakeWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.record()
    world.transports[MANAGER].on("cat", answer=Answer(stdout=json.dumps(ADMIN)))
    file = tmp_path / "home" / "config"
    monkeypatch.setenv("KUBECONFIG", f"{file}{os.pathsep}/nowhere/other")
    ran = run("kubeconfig", "--merge")
    assert (ran.code, ran.out) == (0, "")
    assert "harness-walkthrough" in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert run("down").code == 0
    assert "harness-walkthrough" not in file.read_text()
    assert [path.name for path in file.parent.iterdir()] == ["config"]


def test_a_context_is_forgotten_wherever_it_was_merged(
    run: Callable[..., Ran], world: FakeWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.record()
    world.transports[MANAGER].on("cat", answer=Answer(stdout=json.dumps(ADMIN)))
    monkeypatch.chdir(tmp_path)
    for name in ("one", "other", "one"):
        monkeypatch.setenv("KUBECONFIG", name)
        assert run("kubeconfig", "--merge").code == 0
    assert world.workspace.kubeconfigs == (tmp_path / "one", tmp_path / "other")
    monkeypatch.chdir("/")
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    assert run("down").code == 0
    for name in ("one", "other"):
        assert "harness-walkthrough" not in (tmp_path / name).read_text()


def test_where_a_context_will_be_is_recorded_before_it_is_there(
    run: Callable[..., Ran], world: FakeWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_given: object) -> NoReturn:
        raise KeyboardInterrupt

    world.record()
    world.transports[MANAGER].on("cat", answer=Answer(stdout=json.dumps(ADMIN)))
    monkeypatch.setattr(kubeconfig, "merge", killed)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    assert run("kubeconfig", "--merge").code == 130
    assert world.workspace.kubeconfigs == (tmp_path / "config",)
    assert run("down").code == 0


def test_the_context_of_a_cluster_of_which_nothing_else_is_left_can_be_removed(
    run: Callable[..., Ran], world: FakeWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "config"
    monkeypatch.setenv("KUBECONFIG", str(file))
    world.record()
    world.transports[MANAGER].on("cat", answer=Answer(stdout=json.dumps(ADMIN)))
    run("kubeconfig", "--merge")
    world.workspace.remove()
    ran = run("down", "--name", "walkthrough")
    assert (ran.code, ran.err) == (0, f"{file} has no context harness-walkthrough any more.\n")
    assert "harness-walkthrough" not in file.read_text()
    assert run("down", "--name", "walkthrough").err == "There is nothing to remove.\n"


def test_a_users_first_kubeconfig_is_the_users_with_its_folder(
    run: Callable[..., Ran], world: FakeWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    monkeypatch.setenv("SUDO_UID", "12345")
    monkeypatch.setenv("SUDO_GID", "12345")
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / ".kube" / "config"))
    world.record()
    world.transports[MANAGER].on("cat", answer=Answer(stdout=json.dumps(ADMIN)))
    assert run("kubeconfig", "--merge").code == 0
    owners = {path.stat().st_uid for path in (tmp_path / ".kube", tmp_path / ".kube" / "config")}
    assert owners == {12345}


def test_logs_writes_an_archive_and_prints_its_name(
    run: Callable[..., Ran], world: FakeWorld, tmp_path: Path
) -> None:
    world.record()
    out = tmp_path / "evidence.tar.gz"
    ran = run("logs", "--out", str(out))
    assert (ran.code, ran.out) == (0, f"{out}\n")
    assert tarfile.is_tarfile(out)


@pytest.mark.usefixtures("world")
def test_logs_go_into_the_current_folder_unless_told_otherwise(
    run: Callable[..., Ran], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    name = run("logs").out.strip()
    assert name.startswith("walkthrough-evidence-")
    assert (tmp_path / name).is_file()
