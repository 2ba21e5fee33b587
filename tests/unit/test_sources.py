"""Where group files come from: paths, URLs and standard input, JSON and YAML, to a limit."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from harness import groups, sources, web
from harness.errors import HostError, InvalidInputError
from tests.samples import ROOT, WALKTHROUGH
from tests.unit.test_groups import flavor, group

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

MANAGER = group(flavor())
NOTHING = partial(pytest.fail, "nobody asked for standard input")


class Served(BaseHTTPRequestHandler):
    """Answers with what the path asks for."""

    slow = threading.Event()

    def do_GET(self) -> None:
        path, _, kind = self.path.partition("?")
        if path == "/moved":
            self.answer(302, "text/plain", b"", location="file:///etc/hostname")
        elif path == "/gone":
            self.answer(404, "text/plain", b"gone")
        elif path == "/slow":
            self.slow.wait(10)
        elif path == "/drip":
            self.drip()
        elif path == "/long":
            self.answer(200, "application/json", b" " * (sources.MAX_BYTES + 1))
        else:
            text = yaml.safe_dump(MANAGER) if "yaml" in self.path else json.dumps(MANAGER)
            self.answer(200, kind or "text/plain", text.encode())

    def answer(self, status: int, kind: str, body: bytes, location: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if location:
            self.send_header("Location", location)
        self.end_headers()
        self.wfile.write(body)

    def drip(self) -> None:
        self.send_response(200)
        self.end_headers()
        while not self.slow.wait(0.02):
            try:
                self.wfile.write(b" ")
            except OSError:
                return

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def serving() -> Iterator[str]:
    Served.slow.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Served)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        Served.slow.set()
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    with serving() as address:
        yield address


def load(name: str, stdin: Callable[[int], bytes] = NOTHING) -> groups.GroupSpec:
    fetch = partial(web.fetch, timeout=5.0)
    (one,) = groups.load([name], read=partial(sources.read, fetch=fetch, stdin=stdin))
    return one


def problem(name: str, stdin: Callable[[int], bytes] = NOTHING) -> str:
    with pytest.raises(InvalidInputError) as caught:
        load(name, stdin)
    (only,) = caught.value.problems
    assert only.file == name
    return f"{only.path}: {only.message}"


@pytest.mark.parametrize(
    "path",
    [
        "/manager.json",
        "/manager.yaml",
        "/manager.yml?text/plain;yaml",
        "/manager?application/json",
        "/yaml?application/x-yaml",
        "/manager.json?text/yaml",
    ],
)
def test_an_url_is_read_by_its_content_type_or_else_its_ending(site: str, path: str) -> None:
    one = load(site + path)
    assert one.id == "managers"
    assert one.file == site + path


def test_an_url_that_cannot_be_had_is_a_problem(site: str) -> None:
    assert problem(f"{site}/gone") == "$: cannot be fetched: HTTP Error 404: Not Found"
    assert f"longer than {sources.MAX_BYTES} bytes" in problem(f"{site}/long")
    assert "cannot be fetched" in problem("http://127.0.0.1:1/a.json")
    assert "cannot be fetched" in problem("http://[/a.json")


def test_an_url_is_never_led_to_a_file_of_this_host(site: str) -> None:
    assert "cannot be fetched" in problem(f"{site}/moved")


@pytest.mark.parametrize("path", ["/slow", "/drip"])
def test_a_slow_url_ends_in_time(site: str, path: str) -> None:
    with pytest.raises(HostError, match=r"timed out|longer than"):
        web.fetch(site + path, max_bytes=100, timeout=0.2)


def test_what_a_fetched_group_names_relatively_stands_beside_it(site: str) -> None:
    add_ons = [{"Name": "own", "Type": "network", "Path": "net.yaml"}]
    far = group(flavor(InitScriptTemplateURL="../own.sh", KubeAddOns=add_ons))
    source = sources.Source(f"{site}/groups/a.json", json.dumps(far), is_yaml=False, folder=None)
    (one,) = groups.load(["a"], read=lambda _name: source)
    assert one.template == f"{site}/own.sh"
    assert one.add_on_path(one.flavor.add_ons[0]) == f"{site}/groups/net.yaml"


def test_a_file_has_an_url_too(tmp_path: Path) -> None:
    file = tmp_path / "my groups.yaml"
    file.write_text(yaml.safe_dump(group(flavor(InitScriptTemplateURL="own.sh"))))
    (tmp_path / "own.sh").write_text("echo")
    for url in (file.as_uri(), file.as_uri().replace("file://", "file://localhost")):
        assert load(url).template == str(tmp_path / "own.sh")
    assert problem((tmp_path / "none").as_uri()) == "$: there is no such file"
    known = "$: there is no such file; known are paths, file:///…, http:// and https:// URLs, and -"
    assert problem("ftp://127.0.0.1/a.json") == known
    assert problem("file://elsewhere/a.json") == known


def test_a_file_is_read_to_its_limit_and_no_further() -> None:
    assert "too long to be a group" in problem("/dev/zero")


@pytest.mark.parametrize("write", [json.dumps, yaml.safe_dump])
def test_standard_input_is_either_language(write: Callable[[Any], str]) -> None:
    one = load("-", lambda _limit: write(MANAGER).encode())
    assert (one.id, one.file) == ("managers", "-")


def test_nothing_on_standard_input_is_a_problem() -> None:
    assert problem("-", lambda _limit: b"") == "$: not valid YAML: there is nothing in it"


def test_a_group_comes_through_a_pipe() -> None:
    manager, worker = (json.loads(path.read_text()) for path in WALKTHROUGH)
    for one in (manager, worker):
        one["Properties"]["Properties"]["Flavor"]["Properties"].pop("InitScriptTemplateURL")
    ran = subprocess.run(
        [sys.executable, "-m", "harness", "validate", "-"],
        input=json.dumps([manager, worker]),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=ROOT,
    )
    assert (ran.returncode, ran.stdout) == (0, "Valid: -\n"), ran.stderr


def test_standard_input_can_be_read_again_and_again() -> None:
    code = (
        "import subprocess, sys; from harness.cli import standard_input as s;"
        "print(s.read(9), s.read(2), flush=True); s.read(1);"
        "subprocess.run([sys.executable, '-c',"
        " 'from harness.cli import standard_input as s; print(s.read(9))'])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code],
        input="abc",
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        cwd=ROOT,
    )
    assert ran.stdout == "b'abc' b'ab'\nb'abc'\n"
