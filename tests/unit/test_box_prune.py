from __future__ import annotations

from typing import TYPE_CHECKING

from harness.lab import box

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def make_box(name: str) -> box.Box:
    directory = box.vagrant_home() / "boxes" / name / "0" / "lxc"
    (directory / "shared").mkdir(parents=True)
    return box.Box(name, directory)


def test_boxes_of_former_bundles_go_but_for_the_new_one_and_those_in_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARNESS_CACHE_DIR", str(tmp_path / "cache"))
    old, used, new = (make_box(f"harness-lab-{name}") for name in ("old", "used", "new"))
    other = make_box("somebody-elses")
    config = tmp_path / "lxc" / "harness-a-ip-192.168.2.2" / "config"
    config.parent.mkdir(parents=True)
    config.write_text(f"lxc.rootfs.path = overlay:{used.directory}/shared:/var/lib/lxc/delta\n")
    assert box.prune(keep=new, machines=tmp_path / "lxc") == [old]
    assert set(box.boxes()) == {used, new}
    assert other.directory.is_dir()
    assert not old.directory.parents[1].exists()
