"""The workspace: private, made before anything exists, and whole after a crash."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from harness import render, workspace
from harness.errors import InvalidInputError, UnreadablePlanError, UsageError
from harness.files import write_atomically
from harness.workspace import Workspace
from tests.samples import SECRETS, cluster_plan

PLAN = cluster_plan()


@pytest.fixture
def lab(tmp_path: Path) -> Workspace:
    return Workspace.of("lab", state=tmp_path / "state")


@pytest.fixture
def crash(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the disk be full just before a file is whole."""

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def save(lab: Workspace, content_hash: str = "sha256:1") -> None:
    lab.save_plan(PLAN, vagrantfile="# machines\n", content_hash=content_hash)


@pytest.mark.defect("W12")
def test_the_state_folder_is_the_users_unless_another_is_chosen(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HARNESS_STATE_DIR", str(tmp_path / "mine"))
    assert workspace.state_dir() == tmp_path / "mine"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HARNESS_STATE_DIR", "mine")
    assert Workspace.of("lab").root == tmp_path / "mine" / "clusters" / "lab"
    monkeypatch.delenv("HARNESS_STATE_DIR")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "xdg"))
    assert workspace.state_dir() == tmp_path / "xdg" / "harness"


def test_clusters_are_the_folders_that_are_there(tmp_path: Path) -> None:
    assert workspace.clusters(tmp_path) == ()
    for name in ("b", "a"):
        save(Workspace.of(name, state=tmp_path))
    with Workspace.of("held", state=tmp_path).hold("up"):
        assert workspace.clusters(tmp_path) == ("a", "b")


def test_asking_for_a_workspace_makes_nothing(lab: Workspace, tmp_path: Path) -> None:
    assert not lab.exists
    assert (lab.load_plan(), lab.content_hash, lab.completed, lab.last_phase) == (
        None, "", False, "",
    )  # fmt: skip
    lab.remove()
    assert list(tmp_path.iterdir()) == []


def test_a_plan_is_read_as_it_was_written(lab: Workspace) -> None:
    save(lab)
    assert lab.exists
    loaded = lab.load_plan()
    assert loaded is not None
    # A template's variables may be lists where they were tuples; nothing else may differ.
    scripts = [render.init_script(PLAN, one, SECRETS) for one in PLAN.machines]
    assert [render.init_script(loaded, one, SECRETS) for one in loaded.machines] == scripts
    assert render.content_hash(loaded) == render.content_hash(PLAN)
    assert lab.content_hash == "sha256:1"
    assert (lab.vagrant_dir / "Vagrantfile").read_text() == "# machines\n"
    assert lab.logs_dir.is_dir()


@pytest.mark.defect("K5")
def test_secrets_are_for_their_owner_alone(lab: Workspace) -> None:
    before = os.umask(0)
    try:
        lab.secrets()
    finally:
        os.umask(before)
    files = sorted(lab.secrets_dir.iterdir())
    names = ["ca.crt", "ca.key", "id_ed25519", "id_ed25519.pub", "token"]
    assert [file.name for file in files] == names
    assert {mode(file) for file in files} == {0o600}
    assert mode(lab.secrets_dir) == 0o700


def test_a_folder_of_secrets_that_was_opened_is_closed_again(lab: Workspace) -> None:
    lab.secrets_dir.mkdir(parents=True, mode=0o755)
    lab.secrets_dir.chmod(0o755)
    lab.secrets()
    assert mode(lab.secrets_dir) == 0o700


def test_no_secret_is_outside_of_its_folder(lab: Workspace) -> None:
    secrets = lab.secrets()
    save(lab)
    others = [path for path in lab.root.rglob("*") if path.is_file()]
    texts = [path.read_text() for path in others if path.parent != lab.secrets_dir]
    assert texts
    assert not any(secrets.token in text or secrets.ca_key in text for text in texts)


@pytest.mark.defect("K8")
def test_secrets_are_made_once_and_kept(lab: Workspace) -> None:
    made = lab.secrets()
    assert lab.secrets() == made
    (lab.secrets_dir / "token").unlink()
    kept = lab.secrets()
    assert kept.ca_cert_hash == made.ca_cert_hash
    assert kept.ssh_public_key == made.ssh_public_key
    assert kept.token != made.token


def test_an_interrupted_making_of_secrets_is_done_again(
    lab: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def half(path: Path, content: str, *, mode: int = 0o644) -> None:
        if path.name == "ca.crt":
            raise OSError(28, "No space left on device")
        write_atomically(path, content, mode=mode)

    with monkeypatch.context() as patch:
        patch.setattr(workspace, "write_atomically", half)
        with pytest.raises(OSError, match="No space left"):
            lab.secrets()
    assert (lab.secrets_dir / "ca.key").exists()
    # A key of another certificate would make every join fail.
    secrets = lab.secrets()
    (lab.secrets_dir / "ca.crt").unlink()
    assert lab.secrets().ca_key != secrets.ca_key


def test_a_broken_token_file_is_named_and_not_replaced(lab: Workspace) -> None:
    lab.secrets()
    (lab.secrets_dir / "token").write_text("mine\n")
    with pytest.raises(InvalidInputError, match=str(lab.secrets_dir / "token")):
        lab.secrets()
    assert (lab.secrets_dir / "token").read_text() == "mine\n"


@pytest.mark.usefixtures("crash")
def test_a_crash_while_first_writing_leaves_no_half_file(lab: Workspace) -> None:
    with pytest.raises(OSError, match="No space left"):
        save(lab)
    assert not lab.exists
    assert not (lab.vagrant_dir / "Vagrantfile").exists()


def test_a_file_has_its_mode_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    replaced = Path.replace

    def look(self: Path, target: Path) -> Path:
        seen.append(mode(self))
        return replaced(self, target)

    monkeypatch.setattr(Path, "replace", look)
    write_atomically(tmp_path / "new" / "token", "secret", mode=0o600)
    assert seen == [0o600]
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["token"]


def test_the_plan_is_the_last_that_is_written(
    lab: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = []

    def note(path: Path, content: str, *, mode: int = 0o644) -> None:
        written.append(path.name)
        write_atomically(path, content, mode=mode)

    monkeypatch.setattr(workspace, "write_atomically", note)
    save(lab)
    assert written[-1] == "plan.json"  # from there on the cluster exists


def test_only_the_plan_that_was_completed_is_complete(lab: Workspace) -> None:
    save(lab)
    assert not lab.completed
    lab.mark_completed()
    assert lab.completed
    save(lab, "sha256:2")
    assert not lab.completed


def test_a_plan_that_is_begun_again_is_not_complete_until_it_is(lab: Workspace) -> None:
    save(lab)
    lab.mark_completed()
    save(lab, "sha256:2")
    save(lab)
    assert not lab.completed


def test_the_last_phase_is_the_one_that_the_last_run_came_to(lab: Workspace) -> None:
    timings = [{"phase": name, "seconds": 1.0, "note": "done"} for name in ("preflight", "init")]
    lab.save_timings(timings)
    assert lab.last_phase == "init"
    assert json.loads((lab.root / "timings.json").read_text()) == timings
    lab.save_timings([])
    assert lab.last_phase == ""


def test_removing_leaves_nothing_of_the_cluster(lab: Workspace) -> None:
    lab.secrets()
    save(lab)
    lab.remove()
    assert not lab.root.exists()
    assert workspace.clusters(lab.root.parent.parent) == ()


@pytest.mark.parametrize("text", ["", '{"cluster": ', '{"cluster": "lab"}'])
def test_a_plan_that_cannot_be_read_is_told_with_its_file(text: str, lab: Workspace) -> None:
    save(lab)
    lab.save_committed(PLAN)
    for name, load in (("plan.json", lab.load_plan), ("committed.json", lab.load_committed)):
        (lab.root / name).write_text(text)
        with pytest.raises(
            UnreadablePlanError, match=f"{lab.root / name} cannot be read: "
        ) as caught:
            load()
        assert caught.value.exit_code == 4
        assert "`harness down --name lab`" in caught.value.hint


@pytest.mark.parametrize("name", ["..", ".", "", "../other", "a/b", "/etc", "a/"])
def test_no_name_leads_out_of_the_folder_of_workspaces(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be the name of a cluster"):
        Workspace.of(name, state=tmp_path)
