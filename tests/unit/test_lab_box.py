"""A box is named after all that is in it, and found only when it is whole."""

from __future__ import annotations

import shutil
import threading
from concurrent import futures
from typing import TYPE_CHECKING

import pytest

from harness.errors import HostError
from harness.events import Notice
from harness.lab import box
from harness.lab.box import Box
from harness.lab.steps import Done, Work
from tests import fake_bundle

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from harness.events import Event
    from harness.lab.bundle import Bundle


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give boxes a place of their own, and their files a copy that may change."""
    monkeypatch.setenv("HARNESS_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(box, "FILES", shutil.copytree(box.FILES, tmp_path / "files"))
    return tmp_path / "cache"


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return fake_bundle.write(tmp_path / "bundle")


def given_to_vagrant(name: str, *, whole: bool = True) -> Path:
    directory = box.vagrant_home() / "boxes" / name / "0" / "lxc"
    (directory / "shared" if whole else directory).mkdir(parents=True)
    return directory


def test_a_box_is_named_after_its_kubernetes_and_its_content(bundle: Bundle) -> None:
    name, version, digest = box.box_name(bundle).rsplit("-", 2)
    assert (name, version, len(digest)) == ("harness-lab", "v1.31.4", 8)


def test_a_name_stays_as_long_as_nothing_changes(bundle: Bundle, tmp_path: Path) -> None:
    assert box.box_name(bundle) == box.box_name(fake_bundle.write(tmp_path / "again"))


def files_change(_bundle: Bundle) -> None:
    template = box.FILES / "lxc-template"
    template.write_text(f"{template.read_text()}\n# changed\n")


def a_file_comes(_bundle: Bundle) -> None:
    (box.FILES / "root" / "new").write_text("")


def a_file_goes(_bundle: Bundle) -> None:
    (box.FILES / "lxc-config").unlink()


def a_file_moves(_bundle: Bundle) -> None:
    (box.FILES / "lxc-config").rename(box.FILES / "lxc-configuration")


def the_bundle_changes(bundle: Bundle) -> None:
    manifest = bundle.path / "manifest.json"
    manifest.write_text(manifest.read_text().replace("amd64", "arm64"))


@pytest.mark.parametrize(
    "change", [files_change, a_file_comes, a_file_goes, a_file_moves, the_bundle_changes]
)
def test_a_change_makes_another_box(change: Callable[[Bundle], None], bundle: Bundle) -> None:
    before = box.box_name(bundle)
    change(bundle)
    assert box.box_name(bundle) != before


def test_a_box_is_found_when_it_is_whole(bundle: Bundle) -> None:
    assert box.find(bundle) is None
    directory = given_to_vagrant(box.box_name(bundle), whole=False)
    assert box.find(bundle) is None  # the unpacking was interrupted
    (directory / "shared").mkdir()
    assert box.find(bundle) == Box(box.box_name(bundle), directory)


def test_boxes_of_other_bundles_are_not_taken_for_it(bundle: Bundle, tmp_path: Path) -> None:
    other = fake_bundle.write(tmp_path / "other", version="v1.20.2")
    given_to_vagrant(box.box_name(other))
    assert box.find(bundle) is None
    assert box.find(other) is not None


def test_all_of_the_labs_boxes_are_listed_and_nobody_elses(bundle: Bundle) -> None:
    assert box.boxes() == []
    given_to_vagrant("debian-VAGRANTSLASH-bookworm64")
    given_to_vagrant("harness-lab-v1.20.2-00000000")
    given_to_vagrant(box.box_name(bundle))
    assert [one.name for one in box.boxes()] == [
        "harness-lab-v1.20.2-00000000",
        box.box_name(bundle),
    ]


def test_vagrant_finds_the_labs_boxes_and_leaves_the_users_alone(cache: Path) -> None:
    assert box.vagrant_environment() == {"VAGRANT_HOME": str(cache / "vagrant")}


def test_a_box_that_is_there_is_not_built(bundle: Bundle) -> None:
    directory = given_to_vagrant(box.box_name(bundle))
    events: list[Event] = []
    assert box.build(bundle, on_event=events.append) == Box(box.box_name(bundle), directory)
    assert events == []


def test_nothing_is_built_from_a_damaged_bundle(bundle: Bundle, cache: Path) -> None:
    bundle.file("bin/kubelet").write_text("something else")
    events: list[Event] = []
    with pytest.raises(HostError, match="bin/kubelet"):
        box.build(bundle, on_event=events.append)
    assert events == []
    assert not cache.exists()


VAGRANT = """\
#!/bin/sh -eu
while [ "$1" != --name ]; do shift; done
mkdir -p "$VAGRANT_HOME/boxes/$2/0/lxc"
printf '#!/bin/sh\\nmkdir "$(dirname "$0")/shared"\\n' > "$VAGRANT_HOME/boxes/$2/0/lxc/lxc-template"
chmod +x "$VAGRANT_HOME/boxes/$2/0/lxc/lxc-template"
"""


def test_what_a_killed_import_left_is_removed_by_the_next(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "vagrant").write_text(VAGRANT)
    (tmp_path / "bin" / "vagrant").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    left = box.vagrant_home() / "tmp" / "vagrant-box-add-temp-20261125-4711-abc"
    left.mkdir(parents=True)
    (left / "rootfs.tar.gz").write_text("half")
    needs = {"pack": Done(tmp_path, "")}
    work = Work(tmp_path, tmp_path, needs, tmp_path / "log", say=lambda _: None)
    box._add(box.box_name(bundle), work)
    assert box.find(bundle) is not None
    assert list(left.parent.iterdir()) == []


def test_two_harnesses_at_once_give_vagrant_one_box(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    builds: list[Box] = []
    notices: list[str] = []
    waits = threading.Event()

    def build(bundle: Bundle, _on_event: object) -> Box:
        assert waits.wait(10), "the other harness did not wait"
        name = box.box_name(bundle)
        builds.append(Box(name, given_to_vagrant(name)))
        return builds[-1]

    def tell(event: Event) -> None:
        assert isinstance(event, Notice)
        notices.append(event.message)
        waits.set()

    monkeypatch.setattr(box, "_build", build)
    with futures.ThreadPoolExecutor() as pool:
        both = [pool.submit(box.build, bundle, on_event=tell) for _ in range(2)]
        got = [one.result(timeout=60) for one in both]
    assert builds == [box.find(bundle)]
    assert got == [*builds, *builds]
    assert notices == ["Another harness is building the box; waiting for it."]
