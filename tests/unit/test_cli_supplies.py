from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from harness import host_facts
from harness.errors import HostError
from harness.events import PhaseStarted
from harness.host_facts import Space
from harness.lab import box, bundle, recipe
from harness.lab.box import Box
from tests.fake_cluster import GOOD_HOST

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from harness.lab.steps import OnEvent
    from tests.unit.conftest import Ran

INFO = {"path": "/b", "kubernetes": "v1.20.2"}


class FakeBundle:
    """Whatever a bundle says of itself."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def info(self) -> dict[str, str]:
        return INFO


@pytest.fixture
def supplies(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Let there be a bundle and a box, and let building them take no time."""
    made = FakeBundle(tmp_path)
    box_made = Box("harness-lab-v1", tmp_path)

    def built(on_event: OnEvent) -> FakeBundle:
        on_event(PhaseStarted("source"))
        return made

    monkeypatch.setattr(bundle, "load", lambda _path: made)
    monkeypatch.setattr(bundle, "verify", lambda _bundle: None)
    monkeypatch.setattr(recipe, "build", built)
    monkeypatch.setattr(box, "build", lambda _bundle, *, on_event: box_made)  # noqa: ARG005
    monkeypatch.setattr(box, "boxes", lambda: [box_made])
    return tmp_path


def test_supplies_are_built_verified_and_shown(run: Callable[..., Ran], supplies: Path) -> None:
    built = run("bundle", "build")
    assert (built.code, built.out) == (0, f"{supplies}\n")
    assert "source: begins" in built.err
    assert run("bundle", "verify").out == f"The bundle at {supplies} is whole.\n"
    assert run("bundle", "info").out.splitlines()[2].split() == ["kubernetes", "v1.20.2"]
    assert json.loads(run("bundle", "info", "-o", "json").out) == INFO
    assert run("box", "build").out == "harness-lab-v1\n"
    assert run("box", "ls").out.splitlines()[1].split() == ["harness-lab-v1", str(supplies)]
    listed = json.loads(run("box", "ls", "-o", "json").out)
    assert listed == [{"name": "harness-lab-v1", "directory": str(supplies)}]


@pytest.mark.usefixtures("supplies")
@pytest.mark.parametrize("what", ["bundle", "box"])
def test_an_interrupted_build_says_how_to_go_on(
    what: str, run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_words: object, **_options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr({"bundle": recipe, "box": box}[what], "build", stopped)
    ran = run(what, "build")
    assert ran.code == 130
    assert f"Interrupted while building the {what}." in ran.err
    assert "the same command goes on from there" in ran.err


@pytest.mark.usefixtures("supplies")
@pytest.mark.parametrize("what", ["bundle", "box"])
def test_no_build_begins_on_a_disk_that_is_too_small(
    what: str, run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    small = replace(GOOD_HOST, bundle="none", has_box=False, cache=Space("/small", 1))
    monkeypatch.setattr(host_facts, "collect", lambda: small)
    ran = run(what, "build")
    assert (ran.code, ran.out) == (4, "")
    assert "6 GiB" in ran.err


@pytest.mark.parametrize("words", [("bundle", "info"), ("bundle", "verify"), ("box", "build")])
def test_what_needs_a_bundle_says_how_to_make_one(
    words: tuple[str, ...], run: Callable[..., Ran]
) -> None:
    ran = run(*words)
    assert ran.code == HostError.exit_code
    assert "there is no bundle at" in ran.err
    assert "harness bundle build" in ran.err


def test_the_doctor_is_content_with_a_good_host(run: Callable[..., Ran]) -> None:
    ran = run("doctor", "--provider", "lxc", "-o", "json")
    said = json.loads(ran.out)
    assert (ran.code, said["ok"]) == (0, True)
    assert set(said["findings"][0]) == {"check", "level", "message", "cure"}


def test_the_doctor_exits_4_where_the_provider_cannot_work(
    run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host_facts, "collect", lambda: replace(GOOD_HOST, vagrant=""))
    ran = run("doctor", "--provider", "lxc")
    assert ran.code == 4
    assert "error     vagrant" in ran.out
    assert "→ Install it" in ran.out
    assert json.loads(run("doctor", "--provider", "lxc", "-o", "json").out)["ok"] is False


def test_render_writes_private_files_that_work_for_nobody(
    run: Callable[..., Ran], tmp_path: Path, state: Path
) -> None:
    out = tmp_path / "rendered"
    ran = run("render", "--provider", "lxc", "--out", str(out))
    assert ran.code == 0
    names = {path.name for path in out.iterdir()}
    assert names == {"Vagrantfile", *(f"ip-192.168.2.{n}-init.sh" for n in (200, 2, 3, 4))}
    assert {path.stat().st_mode & 0o777 for path in out.iterdir()} == {0o600}
    assert "placeh.olderplaceholder" in (out / "ip-192.168.2.2-init.sh").read_text()
    assert not state.exists()
    assert run("render", "--out", str(out)).code == 2


def test_a_plan_is_json_for_programs(run: Callable[..., Ran]) -> None:
    said = json.loads(run("plan", "-o", "json", "--provider", "lxc").out)
    assert said["cluster"] == "walkthrough"
    assert said["machines"][0]["name"] == "ip-192.168.2.200"
    assert "network_manifest" not in said["supply"]
