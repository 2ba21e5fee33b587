"""Secrets of every kind are planted wherever the archive reads, and it holds none of them."""

from __future__ import annotations

import tarfile
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from harness import evidence, exhibits
from harness.interfaces import MachineState
from tests.fake_cluster import FakeWorld
from tests.fakes import Answer, RecordingReporter
from tests.secrets import JWT, PEM, TOKEN, forms

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("state")

# Of others than the cluster's own: found by its shape, and so in a place that says what it is.
FOREIGN = {
    f"kubeadm join --token {TOKEN} 192.168.2.200:6443": TOKEN,
    f"mounted {JWT}": JWT,
    PEM: PEM.splitlines()[1],
    "kubeadm join --certificate-key 0f1e2d3c4b5a69780f1e2d3c4b5a6978": "0f1e2d3c4b5a6978",
    "curl -H 'Authorization: Bearer opaque-bearer-4711'": "opaque-bearer-4711",
    '"authorization": "Basic aGFubmE6cGxhbnRlZA=="': "aGFubmE6cGxhbnRlZA==",
    "git clone https://hanna:planted-password@git.invalid/x": "planted-password",
    "HTTP_PROXY=http://planted-proxy-token@proxy.invalid:3128": "planted-proxy-token",
    "REGISTRY_PASSWORD=planted;registry,word": "registry,word",
    '{"password":"planted json, word"}': "json, word",
    "mysql --password 'planted option word'": "option word",
    "client-key-data: cGxhbnRlZC1jbGllbnQta2V5": "cGxhbnRlZC1jbGllbnQta2V5",
    "Set-Cookie: session=planted-cookie": "planted-cookie",
    # A shell that was told to trace, in a script of the user's own.
    "+ kubeadm join '--token=planted xtrace' 192.168.2.200:6443": "planted xtrace",
    "+ PASSWORD=$'planted\\nansi'": "ansi'",
    "+ curl -u hanna:planted-login https://mirror.invalid": "planted-login",
    '{"auths": {"mirror.invalid": {"auth": "aGFubmE6bWlycm9y"}}}': "aGFubmE6bWlycm9y",
    "token-secret: cGxhbnRlZC10b2tlbg==": "cGxhbnRlZC10b2tlbg",
    "client-key-data: >-\n  cGxhbnRlZC1mb2xk": "cGxhbnRlZC1mb2xk",
}


@pytest.fixture
def world(tmp_path: Path) -> FakeWorld:
    made = FakeWorld.of(tmp_path / "state")
    made.workspace.secrets()
    return made


def own(world: FakeWorld) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield every form of what this very cluster keeps secret, and what must not be left."""
    for name in ("token", "ca.key", "id_ed25519"):
        yield from forms((world.workspace.secrets_dir / name).read_text().strip()).values()


def plant(world: FakeWorld, text: str, folder: Path) -> FakeWorld:
    """Put a text wherever the archive reads."""
    template = folder / "own-init.sh"
    template.write_text(f"#!/bin/sh\n{{% raw %}}\n{text}\n{{% endraw %}}\n")
    machines = tuple(replace(one, template=str(template)) for one in world.plan.machines)
    world.plan = replace(world.plan, machines=machines)
    world.record()
    workspace = world.workspace
    for name in ("vagrant.log", "events.jsonl", "ip-192.168.2.2.console", "ip-192.168.2.2.log"):
        (workspace.logs_dir / name).write_text(f"before\n{text}\nafter\n")
    workspace.save_timings([{"phase": "init", "seconds": 1.0, "note": text}])
    (workspace.vagrant_dir / "Vagrantfile").write_text(f"# {text}\n")
    for name, transport in world.transports.items():
        world.provider.states[name] = MachineState.RUNNING
        transport.script.insert(0, lambda _argv, _stdin: Answer(f"before\n{text}\nafter\n", text))
    lost = world.transports[world.plan.names[-1]]
    lost.script.insert(0, lambda _argv, _stdin: Answer(text, hangs=True))
    world.api.said = f"before\n{text}\nafter\n"
    return world


def unpacked(world: FakeWorld, folder: Path) -> dict[str, str]:
    out = folder / "evidence.tar.gz"
    evidence.collect(world.cluster, out, RecordingReporter())
    with tarfile.open(out) as archive:
        return {
            member.name: file.read().decode()
            for member in archive
            if (file := archive.extractfile(member))
        }


def test_no_secret_that_was_planted_anywhere_is_in_the_archive(
    world: FakeWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted = {text: (told,) for text, told in FOREIGN.items()} | dict(own(world))
    for number, text in enumerate(FOREIGN):
        monkeypatch.setenv(f"PLANTED_{number}", text)
    found = unpacked(plant(world, "\n".join(planted), tmp_path), tmp_path)
    assert len(found) > len(exhibits.ON_MACHINES) * 4
    leaks = [
        (name, secret)
        for name, text in found.items()
        for told in planted.values()
        for secret in told
        if secret in text
    ]
    assert leaks == []
    # What stood around them is there: nothing was found because nothing was read.
    around = [name for name, text in found.items() if "before\n" in text and "after\n" in text]
    assert {name.split("/")[1] for name in around} == {"logs", "cluster", *world.plan.names[:-1]}


def test_no_name_in_the_archive_is_secret_or_that_of_a_secret(
    world: FakeWorld, tmp_path: Path
) -> None:
    token = (world.workspace.secrets_dir / "token").read_text().strip()
    world.record()
    (world.workspace.logs_dir / f"{token}.log").write_text("x")
    world.workspace.kubeconfig.write_text("client-key-data: x")
    names = list(unpacked(world, tmp_path))
    assert not any(token.partition(".")[2] in name for name in names)
    last = {name.rpartition("/")[2] for name in names}
    assert last.isdisjoint(
        {path.name for path in world.workspace.secrets_dir.iterdir()}
        | {"kubeconfig", "known_hosts", "admin.conf", "kubeadm.yaml", "forward.json"}
    )
    assert "(removed).log" in last


def test_a_secret_that_cannot_be_read_is_no_archive(world: FakeWorld, tmp_path: Path) -> None:
    world.record()
    (world.workspace.secrets_dir / "more").mkdir()
    with pytest.raises(OSError, match="directory"):
        unpacked(world, tmp_path)
    assert not (tmp_path / "evidence.tar.gz").exists()
