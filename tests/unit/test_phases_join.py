"""join: workers that are nodes already stay so, and a token that has ended is renewed."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from harness import kubeadm
from harness.interfaces import Result
from harness.phases import join
from harness.wait import WaitTimeout
from tests.fake_site import FakeSite, good_nodes, observed
from tests.fakes import RecordingReporter
from tests.samples import SECRETS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

JOINED = observed("install", "join", "done")


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSite:
    """All workers have joined, and are nodes."""
    made = FakeSite.of(tmp_path, RecordingReporter(), monkeypatch)
    made.api.items["nodes"] = good_nodes(made.plan)
    for worker in made.plan.workers:
        made.units[worker.name].looks = [JOINED]
        made.units[worker.name].once_started = [JOINED]
    return made


def run(fake: FakeSite) -> str:
    return join.PHASE.run(fake.site(), fake.deadline())


def started(fake: FakeSite) -> list[str]:
    return [name for name, unit in fake.units.items() if unit.started]


def test_who_has_joined_is_left_alone(fake: FakeSite) -> None:
    run(fake)
    assert started(fake) == []


def test_who_is_no_node_any_more_starts_its_script_again(fake: FakeSite) -> None:
    gone = fake.plan.workers[1].name
    fake.api.items["nodes"] = [
        item for item in good_nodes(fake.plan) if item["metadata"]["name"] != gone
    ]
    run(fake)
    assert started(fake) == [gone]


def test_where_nobody_joins_nobody_is_asked(fake: FakeSite) -> None:
    site = fake.site(fake.plan.of([fake.plan.manager]))
    assert join.PHASE.run(site, fake.deadline()) == ""
    assert fake.api.calls == []


def secrets_of(fake: FakeSite) -> list[dict[str, Any]]:
    return fake.api.items["secrets"]


@pytest.mark.defect("K7")
def test_a_token_that_has_ended_is_made_valid_for_another_day(fake: FakeSite) -> None:
    before = datetime.now(tz=UTC)
    run(fake)
    (made,) = secrets_of(fake)
    token_id, _, secret = SECRETS.token.partition(".")
    assert made["metadata"] == {"name": f"bootstrap-token-{token_id}", "namespace": "kube-system"}
    assert made["stringData"]["token-secret"] == secret
    ends = datetime.fromisoformat(made["stringData"]["expiration"])
    assert timedelta(hours=23) < ends - before < timedelta(hours=25)
    assert not [word for words in fake.api.calls for word in words if secret in word]


@pytest.mark.parametrize(("left", "renewed"), [(timedelta(hours=2), 0), (timedelta(minutes=5), 1)])
def test_a_token_is_renewed_when_it_soon_ends(
    left: timedelta, renewed: int, fake: FakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    expiration = (datetime.now(tz=UTC) + left).isoformat(timespec="seconds").replace("+00:00", "Z")
    kubectl = fake.api.kubectl

    def answers(argv: Sequence[str], *, timeout: float, stdin: bytes = b"") -> Result:
        if argv[:2] == ["get", "secret"]:
            fake.api.said = base64.b64encode(expiration.encode()).decode()
        answer = kubectl(argv, timeout=timeout, stdin=stdin)
        fake.api.said = ""
        return answer

    monkeypatch.setattr(fake.api, "kubectl", answers)
    run(fake)
    assert len(secrets_of(fake)) == renewed


@pytest.mark.parametrize("words", [["get", "secret"], ["apply", "--filename=-"]])
def test_an_api_server_that_has_just_come_back_may_be_slow_to_answer(
    words: list[str], fake: FakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a power cut of the whole host, where it said "TLS handshake timeout"."""
    kubectl = fake.api.kubectl
    refusals = [1, 1]

    def slow(argv: Sequence[str], *, timeout: float, stdin: bytes = b"") -> Result:
        if argv[:2] == words and refusals:
            return Result("manager", tuple(argv), refusals.pop(), "", "TLS handshake timeout", 0.0)
        return kubectl(argv, timeout=timeout, stdin=stdin)

    monkeypatch.setattr(fake.api, "kubectl", slow)
    run(fake)
    assert refusals == []
    assert len(secrets_of(fake)) == 1


def test_an_api_server_that_refuses_the_token_is_an_error(fake: FakeSite) -> None:
    fake.api.exit_status = 1
    fake.api.said = "forbidden"
    with pytest.raises(WaitTimeout, match=r"(?s)token.s end: not within 60 s.*forbidden"):
        run(fake)


def test_the_secret_is_what_kubeadm_makes_of_a_token() -> None:
    ends = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    made = kubeadm.token_secret("abcdef.0123456789abcdef", ends)
    assert made["type"] == "bootstrap.kubernetes.io/token"
    assert made["stringData"] == {
        "token-id": "abcdef",
        "token-secret": "0123456789abcdef",
        "expiration": "2026-01-02T03:04:05+00:00",
        "usage-bootstrap-authentication": "true",
        "usage-bootstrap-signing": "true",
        "auth-extra-groups": "system:bootstrappers:kubeadm:default-node-token",
    }
    assert json.loads(json.dumps(made)) == made
