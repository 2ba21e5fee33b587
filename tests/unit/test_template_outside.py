"""Fetching: relative addresses, headers, limits and what may not be reached; 127.0.0.1 alone."""

from __future__ import annotations

import http.server
import socketserver
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

import pytest

from harness import outside, render, template
from harness.errors import InvalidInputError
from harness.outside import Outside
from harness.template import Language, Options, World
from harness.template.addresses import Address
from harness.template.world import MAX_BYTES
from tests.samples import SECRETS, cluster_plan

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Site(http.server.BaseHTTPRequestHandler):
    """Serves texts and redirects, and remembers who asked for what."""

    texts: ClassVar[dict[str, str]] = {}
    asked: ClassVar[list[tuple[str, str, str]]] = []

    def do_GET(self) -> None:
        """Answer from the table."""
        name = self.path.partition("?")[0]
        host = str(self.headers["Host"]).partition(":")[0]
        told = self.headers.get("X-Key") or self.headers.get("Authorization") or ""
        self.asked.append((host, self.path, told))
        text = self.texts.get(name)
        if text is not None and text.startswith("-> "):
            self.send_response(302)
            self.send_header("Location", text[3:])
            self.end_headers()
            return
        self.send_response(404 if text is None else 200)
        self.end_headers()
        self.wfile.write((text or "").encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Say nothing."""


@pytest.fixture
def port() -> Iterator[int]:
    Site.texts.clear()
    Site.asked.clear()
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Site) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield int(server.server_address[1])
        server.shutdown()
        thread.join()


def rendered(text: str, folder: Path, timeout: float = 5) -> str:
    options = Options(language=Language.GO)
    address = Address("str", "", text)
    return template.render_address(address, folder, {}, options, World(fetcher=Outside(timeout)))


def refused(text: str, folder: Path, timeout: float = 5) -> str:
    with pytest.raises(InvalidInputError) as caught:
        rendered(text, folder, timeout)
    return caught.value.problems[0].message


@pytest.mark.parametrize(
    ("base", "relative", "expected"),
    [
        ("file:///a/b/c/d.tpl", "e.tpl", "file:///a/b/c/e.tpl"),
        ("file:///a/b/c/d.tpl", "../e.tpl", "file:///a/b/e.tpl"),
        ("file:///a/b/c/d.tpl", "../e/f/g.tpl", "file:///a/b/e/f/g.tpl"),
        ("file:///a/b/c/d.tpl", "http://x/y/z.tpl", "http://x/y/z.tpl"),
        ("file:///a/b/c/d.tpl", "/e.tpl", "file:///e.tpl"),
        ("https://x/a/d.tpl?k=v", "../e.tpl", "https://x/e.tpl?k=v"),
        ("str://text", "e.tpl", "file:///folder/e.tpl"),
    ],
)
def test_get_url(base: str, relative: str, expected: str, tmp_path: Path) -> None:
    folder = tmp_path.__class__("/folder")
    assert str(Address.of(base).resolve(relative, folder)) == expected


def test_inclusion_from_different_sources(port: int, tmp_path: Path) -> None:
    Site.texts.update(
        {
            "/a/script.tpl": '{{ include "../common/setup.sh" }}|{{ include "next.sh" }}',
            "/common/setup.sh": 'echo "this is common/setup.sh"',
            "/a/next.sh": "next",
        }
    )
    text = f'{{{{ include "http://127.0.0.1:{port}/a/script.tpl" | lines | jsonEncode }}}}'
    assert 'echo \\"this is common/setup.sh\\"|next' in rendered(text, tmp_path)


@pytest.mark.defect("T1", "T2")
def test_headers_go_to_one_address_and_no_other_host(port: int, tmp_path: Path) -> None:
    Site.texts.update(
        {
            "/first": 'a{{ include "second" }}',
            "/second": "b",
            "/moved": f"-> http://localhost:{port}/second",
            "/near": "-> /second",
        }
    )
    here = f"http://127.0.0.1:{port}"
    text = (
        f'{{{{ include "{here}/first" "X-Key=c2VjcmV0==" }}}}{{{{ include "{here}/second" }}}}'
        f'{{{{ fetch "{here}/moved" "X-Key=k" }}}}{{{{ fetch "{here}/near" "X-Key=k" }}}}'
    )
    assert rendered(text, tmp_path) == "abbbb"
    assert Site.asked == [
        ("127.0.0.1", "/first", "c2VjcmV0=="),
        ("127.0.0.1", "/second", ""),
        ("127.0.0.1", "/moved", "k"),
        ("localhost", "/second", ""),
        ("127.0.0.1", "/near", "k"),
        ("127.0.0.1", "/second", "k"),
    ]


def test_a_users_name_is_sent_and_not_shown(port: int, tmp_path: Path) -> None:
    Site.texts["/a"] = "{{ nosuchfunc }}"
    address = f"http://me:secret@127.0.0.1:{port}/a"
    with pytest.raises(InvalidInputError) as caught:
        rendered(f'{{{{ include "{address}" }}}}', tmp_path)
    assert Site.asked == [("127.0.0.1", "/a", "Basic bWU6c2VjcmV0")]
    assert "secret" not in str(caught.value)


def test_an_init_script_may_include_from_the_network(port: int, tmp_path: Path) -> None:
    Site.texts["/a"] = "echo {{ KUBE_JOIN_IP }}"
    (tmp_path / "own.tmpl").write_text(f'{{{{ include "http://127.0.0.1:{port}/a" }}}}')
    plan = cluster_plan()
    plan = replace(
        plan,
        machines=tuple(replace(one, template=str(tmp_path / "own.tmpl")) for one in plan.machines),
    )
    assert render.check(plan, outside.world()) == ()
    assert render.init_script(plan, plan.manager, SECRETS, outside.world()) == "echo 192.168.2.200"
    assert len(Site.asked) == 2


def test_a_404_ends_it_and_says_who_included_it(port: int, tmp_path: Path) -> None:
    (tmp_path / "part.sh").write_text(f'\n{{{{ include "http://127.0.0.1:{port}/none" }}}}')
    (tmp_path / "main.sh").write_text('{{ include "part.sh" }}')
    options = Options(language=Language.GO)
    with pytest.raises(InvalidInputError) as caught:
        template.render(tmp_path / "main.sh", {}, options, World(fetcher=Outside()))
    (problem,) = caught.value.problems
    assert (problem.file, problem.path) == (str(tmp_path / "part.sh"), "line 2, column 4")
    assert problem.message == (
        f"http://127.0.0.1:{port}/none cannot be read: error 404 Not Found "
        f"(included from {tmp_path / 'main.sh'}, line 1, column 4)"
    )


@pytest.mark.defect("T3", "T4")
def test_nothing_is_remembered_from_one_rendering_to_the_next(port: int, tmp_path: Path) -> None:
    text = f'{{{{ include "part.sh" }}}} {{{{ fetch "http://127.0.0.1:{port}/a" }}}}'
    for said in ("old", "new"):
        (tmp_path / "part.sh").write_text(said)
        Site.texts["/a"] = said
        assert rendered(text, tmp_path) == f"{said} {said}"


@pytest.mark.defect("T4")
def test_addresses_that_differ_in_their_query_differ(port: int, tmp_path: Path) -> None:
    Site.texts["/a"] = "x"
    here = f"http://127.0.0.1:{port}/a"
    rendered(
        f'{{{{ fetch "{here}?1" }}}}{{{{ fetch "{here}?2" }}}}{{{{ fetch "{here}?1" }}}}', tmp_path
    )
    assert [path for _, path, _ in Site.asked] == ["/a?1", "/a?2"]


def test_what_is_too_large_or_moves_for_ever_is_refused(port: int, tmp_path: Path) -> None:
    Site.texts.update(
        {"/big": "x" * (MAX_BYTES + 1), "/round": "-> /round", "/file": "-> file:///a"}
    )
    here = f"http://127.0.0.1:{port}"
    assert "larger than 4 MiB" in refused(f'{{{{ fetch "{here}/big" }}}}', tmp_path)
    assert "redirected without an end" in refused(f'{{{{ fetch "{here}/round" }}}}', tmp_path)
    assert "redirected to /a" in refused(f'{{{{ fetch "{here}/file" }}}}', tmp_path)
    (tmp_path / "big").write_text("x" * (MAX_BYTES + 1))
    assert "larger than 4 MiB" in refused('{{ fetch "big" }}', tmp_path)


@pytest.mark.defect("T5")
def test_who_does_not_answer_is_not_waited_for(tmp_path: Path) -> None:
    with socketserver.TCPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as silent:
        address = f"http://127.0.0.1:{silent.server_address[1]}/"
        began = time.monotonic()
        assert "timed out" in refused(f'{{{{ fetch "{address}" }}}}', tmp_path, timeout=0.2)
        assert time.monotonic() - began < 10


def test_a_unix_socket_is_asked_over_http(tmp_path: Path) -> None:
    Site.texts["/"] = "over a socket"
    path = tmp_path / "s"

    class Unix(Site):
        def address_string(self) -> str:
            return "unix"

    with socketserver.UnixStreamServer(str(path), Unix) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        assert rendered(f'{{{{ fetch "unix://{path}" }}}}', tmp_path) == "over a socket"
        thread.join()
    (tmp_path / "plain").write_text("")
    assert "not-a-socket" in refused(f'{{{{ fetch "unix://{tmp_path}/plain" }}}}', tmp_path)


@pytest.mark.parametrize("name", ["../out.sh", "/etc/hostname", "file:///etc/hostname", "link"])
def test_files_outside_of_the_root_are_not_read(name: str, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc/hostname")
    assert "lies outside of" in refused(f'{{{{ include "{name}" }}}}', tmp_path)


def test_a_template_of_another_host_reads_no_file_here(port: int, tmp_path: Path) -> None:
    Site.texts["/a"] = '{{ include "file:///etc/hostname" }}'
    message = refused(f'{{{{ include "http://127.0.0.1:{port}/a" }}}}', tmp_path)
    assert "a template from the network may not read this host's files" in message


def test_files_outside_are_read_where_that_is_allowed(tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "setup.sh").write_text("setup")
    (tmp_path / "lib/main.tmpl").write_text('{{ include "../setup.sh" }}')
    for options in (Options(confined=False), Options(root=tmp_path)):
        assert template.render(tmp_path / "lib/main.tmpl", {}, options) == "setup"
        found = template.sources(tmp_path / "lib/main.tmpl", options)
        assert [file.name for file in found] == ["main.tmpl", "setup.sh"]
