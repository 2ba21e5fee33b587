"""Init scripts' templates that are no files: on the network, on a socket, in the group itself."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from harness import groups, outside, plan, render, sources, web
from harness.errors import InvalidInputError
from harness.spec import ClusterPlan, ProviderName
from tests.samples import BUNDLE, CONTAINER, SECRETS
from tests.unit import test_template_outside
from tests.unit.test_defects_walkthrough import problems, resolve
from tests.unit.test_groups import flavor, group
from tests.unit.test_template_outside import Site, refused

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.unit.conftest import Ran

port = test_template_outside.port
MANAGER = "/scripts/manager.tmpl"
SERVED = {
    MANAGER: '#!/bin/sh\n{{ include "part.sh" }} {{ INSTANCE_LOGICAL_ID }}\n',
    "/scripts/part.sh": "part of {{ KUBE_JOIN_IP }}",
}


def script(planned: ClusterPlan) -> str:
    return render.init_script(planned, planned.manager, SECRETS, outside.world())


def fingerprint(planned: ClusterPlan) -> str:
    return render.fingerprinted(planned, outside.world()).manager.fingerprint


def test_a_template_is_fetched_from_the_network_with_what_stands_beside_it(
    port: int, tmp_path: Path
) -> None:
    Site.texts.update(SERVED)
    url = f"http://127.0.0.1:{port}{MANAGER}"
    planned = resolve(tmp_path, group(flavor(InitScriptTemplateURL=url)))
    assert script(planned) == "#!/bin/sh\npart of 192.168.2.200 192.168.2.200\n"


@pytest.mark.defect("K17")
@pytest.mark.parametrize("name", SERVED)
def test_a_change_of_its_content_is_a_change(name: str, port: int, tmp_path: Path) -> None:
    Site.texts.update(SERVED)
    url = f"http://127.0.0.1:{port}{MANAGER}"
    planned = resolve(tmp_path, group(flavor(InitScriptTemplateURL=url)))
    before = fingerprint(planned), render.content_hash(planned, outside.world())
    assert (fingerprint(planned), render.content_hash(planned, outside.world())) == before
    Site.texts[name] += "# more\n"
    assert fingerprint(planned) != before[0]
    assert render.content_hash(planned, outside.world()) != before[1]


def test_a_template_may_stand_in_the_group(tmp_path: Path) -> None:
    text = "str://#!/bin/sh\necho {{ KUBE_JOIN_IP }}\n"
    planned = resolve(tmp_path, group(flavor(InitScriptTemplateURL=text)))
    assert script(planned) == "#!/bin/sh\necho 192.168.2.200\n"
    text = "str://{{ if BOOTSTRAP }}go{{ end }}"
    told = flavor(InitScriptTemplateURL=text, TemplateLanguage="go")
    assert script(resolve(tmp_path, group(told))) == "go"
    other = resolve(tmp_path, group(flavor(InitScriptTemplateURL="str://another")))
    assert fingerprint(other) != fingerprint(planned)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("str://{{ nosuch }}", "'nosuch' is undefined"),
        ("str://{{ include('x.sh') }}", "`x.sh` is relative, and this text stands in no folder"),
        ("str://{{ fetch('file:///etc/hostname') }}", "a template that is no file may read none"),
        ("str:// ", "it renders nothing"),
        ("http://127.0.0.1:1/x", "Connection refused"),
        ("unix:///nonexistent", "not-a-socket: /nonexistent"),
    ],
)
def test_what_cannot_be_rendered_is_told_when_it_is_checked(
    text: str, said: str, tmp_path: Path
) -> None:
    planned = resolve(tmp_path, group(flavor(InitScriptTemplateURL=text)))
    with pytest.raises(InvalidInputError) as caught:
        render.check(planned, outside.world())
    (problem,) = caught.value.problems
    assert said in problem.message
    assert problem.path.startswith("line ")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("gopher://x/y", "unsupported url: gopher:// (known are file://, str://"),
        ("file://host/x", "`file://host/x` is on another host"),
        ("http://", "names no host"),
        ("http://[::1", "names no host"),
        ("unix://", "names no host, path or text"),
        ("str://a\0b", "holds a character that cannot be printed"),
    ],
)
def test_an_url_that_names_nothing_is_a_problem_of_the_group(
    url: str, said: str, tmp_path: Path
) -> None:
    (message,) = problems(tmp_path, group(flavor(InitScriptTemplateURL=url)))
    assert said in message


def test_a_group_from_the_network_names_what_stands_beside_it_there(
    port: int, run: Callable[..., Ran]
) -> None:
    add_on = {"Name": "own", "Type": "network", "Path": "my net.yaml"}
    told = flavor(InitScriptTemplateURL="../scripts/manager.tmpl", KubeAddOns=[add_on])
    Site.texts.update({**SERVED, "/groups/m.json": json.dumps(group(told))})
    url = f"http://127.0.0.1:{port}/groups/m.json"
    read = sources.read(url, fetch=web.fetch, stdin=lambda _most: b"")
    planned = plan.resolve(
        groups.load([url], read=lambda _name: read),
        provider=ProviderName.LXC,
        supply=BUNDLE,
        traits=CONTAINER,
        default_box="b",
    )
    assert script(planned).startswith("#!/bin/sh\npart of")
    assert planned.add_ons[0].path == f"http://127.0.0.1:{port}/groups/my%20net.yaml"
    assert run("validate", url, "--provider", "lxc").code == 0


def test_a_template_of_another_host_reads_no_file_here_by_a_text_of_its_own(
    port: int, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("secret")
    Site.texts["/a"] = '{{ include "str://{{ fetch `secret` }}" }}'
    Site.texts["/b.j2"] = "{% include 'str://{% include \"secret\" %}' %}"
    for name in ("a", "b.j2"):
        message = refused(f'{{{{ include "http://127.0.0.1:{port}/{name}" }}}}', tmp_path)
        assert "secret" not in message.replace("`secret`", "")
        assert "may not read this host's files" in message or "a text is no file" in message


def test_includes_leave_their_folder_where_the_group_says_so(tmp_path: Path) -> None:
    (tmp_path / "scripts/manager").mkdir(parents=True)
    (tmp_path / "scripts/common.sh").write_text("common {{ BIND_PORT }}")
    (tmp_path / "scripts/manager/init.sh").write_text('{{ include("../common.sh") }}')
    told = flavor(InitScriptTemplateURL="scripts/manager/init.sh")
    with pytest.raises(InvalidInputError, match="unless the group's TemplateRoot"):
        script(resolve(tmp_path, group(told)))
    planned = resolve(tmp_path, group({**told, "TemplateRoot": "scripts"}))
    assert script(planned) == "common 6443"
    before = fingerprint(planned)
    (tmp_path / "scripts/common.sh").write_text("other")
    assert fingerprint(planned) != before
    (message,) = problems(tmp_path, group({**told, "TemplateRoot": "nowhere"}))
    assert message == f"there is no folder {tmp_path}/nowhere"
