"""What is mounted below a folder, as Linux tells it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from harness import mounts

if TYPE_CHECKING:
    import pytest

TABLE = """\
21 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 21 0:25 / ROOT/a/logs rw,relatime - tmpfs none rw
31 30 0:26 / ROOT/a/logs/deeper\\040down rw,relatime - tmpfs none rw
32 21 0:27 / ROOT/ab rw,relatime - tmpfs none rw
"""


def test_what_is_mounted_below_a_folder_is_named_in_the_order_of_unmounting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "mountinfo"
    table.write_text(TABLE.replace("ROOT", str(tmp_path)))
    monkeypatch.setattr(mounts, "TABLE", table)
    logs = tmp_path / "a" / "logs"
    assert mounts.below(tmp_path / "a") == [logs / "deeper down", logs]
    assert mounts.below(tmp_path / "ab") == [tmp_path / "ab"]
    assert mounts.below(tmp_path / "abc") == []


def test_the_real_table_is_read() -> None:
    assert Path("/proc") in mounts.below(Path("/"))
    assert mounts.below(Path("/proc/self/nothing")) == []


def test_where_there_is_no_table_nothing_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mounts, "TABLE", Path("/nonexistent"))
    assert mounts.below(Path("/")) == []
