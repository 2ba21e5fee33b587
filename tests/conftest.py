"""Options and fixtures of the whole suite."""

from __future__ import annotations

import os
import shutil
import signal
from typing import TYPE_CHECKING

import hypothesis
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

# A busy host is slow: how long one example takes says nothing.
hypothesis.settings.register_profile("usual", deadline=None)
hypothesis.settings.load_profile("usual")
# `tox -e generated`, or pytest --hypothesis-profile=thorough: what a release is shown to bear.
hypothesis.settings.register_profile(
    "thorough", max_examples=10_000, deadline=None, suppress_health_check=hypothesis.HealthCheck
)

REAL_MACHINES = ("lab", "libvirt")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="write what the tests see into tests/golden instead of comparing; read the diff",
    )


def pytest_configure() -> None:
    """Take SIGINT, which a shell lets its background jobs ignore, and with them all they start.

    CI may be such a job, and interruptions are what many tests are about.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a skipped test on real machines into a failure in CI, whoever skips it and why."""
    del call  # a hook's arguments are found by their names
    report = yield
    is_real = any(item.get_closest_marker(name) for name in REAL_MACHINES)
    if os.environ.get("CI") and is_real and report.skipped and not hasattr(report, "wasxfail"):
        why = report.longrepr[-1] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"{why}\nIn CI a skipped test on real machines is a failure."
    return report


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[Path, str], None]:
    """Compare a text with a golden file, or write the file if asked to."""

    def compare(file: Path, text: str) -> None:
        if request.config.getoption("--update-golden"):
            file.write_text(text, encoding="utf-8")
        assert text == file.read_text(encoding="utf-8"), f"run pytest --update-golden, see {file}"

    return compare


@pytest.fixture
def tool() -> Callable[[str], str]:
    """Find a program of the host; without it the test is skipped, in CI it fails."""

    def find(name: str) -> str:
        path = shutil.which(name)
        if path is None and os.environ.get("CI"):
            pytest.fail(f"{name} is not installed, and CI skips nothing")
        if path is None:
            pytest.skip(f"{name} is not installed")
        return path

    return find
