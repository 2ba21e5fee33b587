"""What is taken out of a text: values that are known in every form, and shapes of any secret."""

from __future__ import annotations

import base64
import textwrap
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import pki
from harness.redaction import REMOVED, Redactor
from tests.secrets import JWT, PEM, TOKEN, forms

TOKEN_FILE = f"{TOKEN}\n"
CA_KEY = pki.MAKERS["ca.crt"]("mine")["ca.key"]
SSH_KEY = pki.MAKERS["id_ed25519"]("mine")["id_ed25519"]
KNOWN = Redactor([TOKEN_FILE, CA_KEY, SSH_KEY])
BLIND = Redactor([])

FORMS = {
    f"{name}, {form}": (text, told)
    for name, secret in (("token", TOKEN), ("CA key", CA_KEY), ("SSH key", SSH_KEY))
    for form, (text, told) in forms(secret).items()
}


@pytest.mark.parametrize(("text", "told"), FORMS.values(), ids=FORMS)
def test_a_known_secret_is_found_in_every_form(text: str, told: tuple[str, ...]) -> None:
    left = KNOWN(f"Nov 22 11:35:12 host unit[1]: before\n{text}\nafter\n")
    assert [part for part in told if part in left] == []
    assert REMOVED in left
    assert left.startswith("Nov 22 11:35:12 host unit[1]: before\n")
    assert left.endswith("after\n")


def test_half_of_a_token_is_as_secret_as_the_whole() -> None:
    assert KNOWN(f"the secret {TOKEN.partition('.')[2]}!") == f"the secret {REMOVED}!"
    assert KNOWN(f"the id {TOKEN.partition('.')[0]}") == f"the id {TOKEN.partition('.')[0]}"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (f"before\n{PEM}\nafter", "before\n(removed)\nafter"),
        (PEM.replace("\n", "\\n"), "(removed)"),
        (textwrap.indent(PEM, "Nov 22 kubeadm[1]: "), "Nov 22 kubeadm[1]: (removed)"),
        (PEM.partition("-----END")[0] + "and more", "(removed)\nand more"),
        ("TUlJRQ==\n-----END CERTIFICATE-----\nx", "(removed)\n-----END CERTIFICATE-----\nx"),
        (f"kubeadm join --token {TOKEN} 1.2.3.4", "kubeadm join --token (removed) 1.2.3.4"),
        ("kubeadm join --token=x 1.2.3.4", "kubeadm join --token=(removed) 1.2.3.4"),
        ("--tls-bootstrap-token y", "--tls-bootstrap-token (removed)"),
        ('["join", "--token", "x", "1.2.3.4"]', '["join", "--token", (removed), "1.2.3.4"]'),
        ("--certificate-key f8902e", "--certificate-key (removed)"),
        ("certificateKey: f8902e", "certificateKey: (removed)"),
        (f'{{"text": "a\\n{TOKEN}\\n{JWT}"}}', r'{"text": "a\n(removed)\n(removed)"}'),
        (r'"password: a\nSet-Cookie: b c"', r'"password: (removed)\nSet-Cookie: (removed) c"'),
        (f'"{TOKEN}"', '"(removed)"'),
        ("client-key-data: TUlJRQ==\nuser: a", "client-key-data: (removed)\nuser: a"),
        ("client-certificate-data: TUlJRQ==", "client-certificate-data: (removed)"),
        ("certificate-authority-data: TUlJRQ==", "certificate-authority-data: (removed)"),
        ('{"token":"a,b","x":1}', '{"token":(removed),"x":1}'),
        (r'{\"token\":\"a\",\"x\":1} y', r"{\"token\":(removed),\"x\":1} y"),
        ("tlsBootstrapToken: 'a b'", "tlsBootstrapToken: (removed)"),
        (f"sent {JWT} away", "sent (removed) away"),
        ("Authorization: Bearer abc", "Authorization: Bearer (removed)"),
        ('"authorization": "Basic YTpi"', '"authorization": "Basic (removed)'),
        ("a bearer 0123456789abcdefX", "a bearer (removed)"),
        ("fetch https://me:p%40ss@mirror.invalid/x", "fetch https://(removed)@mirror.invalid/x"),
        ("proxy=http://token@proxy.invalid:3128", "proxy=http://(removed)@proxy.invalid:3128"),
        ("DB_PASSWORD=it,is;this next", "DB_PASSWORD=(removed) next"),
        ("AWS_SECRET_ACCESS_KEY=abc", "AWS_SECRET_ACCESS_KEY=(removed)"),
        ("SECRET=abc --password 'x y'", "SECRET=(removed) --password (removed)"),
        ("Set-Cookie: session=abc", "Set-Cookie: (removed)"),
        # What a shell says of what it runs, when it is asked to (`set -x`).
        ("+ PASSWORD=$'it\\'s\\nmine' next", "+ PASSWORD=(removed) next"),
        ("+ export MYSQL_PWD='x y' next", "+ export MYSQL_PWD=(removed) next"),
        ("+ curl -u me:x https://a", "+ curl -u me:(removed) https://a"),
        ("+ curl '--user=me:x y' https://a", "+ curl '--user=me:(removed) y' https://a"),
        ("+ skopeo copy --src-creds me:x a b", "+ skopeo copy --src-creds me:(removed) a b"),
        ("+ docker login -u me -p x a", "+ docker login -u me -p (removed) a"),
        # Kubernetes' own secrets, and registries'.
        ("token-secret: MDEyMzQ1Ng==", "token-secret: (removed)"),
        ('"token-secret": "MDEyMzQ1Ng=="', '"token-secret": (removed)'),
        ('{"auths":{"a":{"auth":"bWU6eA=="}}}', '{"auths":{"a":{"auth":"(removed)"}}}'),
        (r'{\"auth\": \"bWU6eA==\"}', r'{\"auth\": \"(removed)\"}'),
        ("- secret: c2VjcmV0IGlzIHNlY3VyZQ==\n", "- secret: (removed)\n"),
        (
            "client-key-data: >-\n  LS0tLS1CRUdJTg==\n  cTdYdzJL\nuser: a",
            "client-key-data: (removed)\nuser: a",
        ),
        ("cloned with ghp_0123456789abcdefABCDEF", "cloned with (removed)"),
        (f"data: {base64.b64encode(PEM.encode()).decode()}", "data: (removed)"),
    ],
)  # fmt: skip
def test_what_has_the_shape_of_a_secret_is_found_whosoever_it_is(text: str, left: str) -> None:
    assert BLIND(text) == left


@pytest.mark.parametrize(
    "text",
    [
        "kube-proxy.1234567890abcdef at v1.20.2",
        "an event coredns.16c8d0f1a2b3c4d5",
        "--skip-token-print --token-ttl 24h --enable-bootstrap-token-auth=true",
        "--discovery-token-ca-cert-hash sha256:" + "0123456789abcdef" * 4,
        "container 468af0e47989e8eaa9b0e8135cd26a066c6ffb980a84309e922f8f8c02b59669 started",
        "/var/lib/kubelet/pods/3f490723-6c6f-45f5-bafe-d36a179bf2ee/volumes/kubernetes.io~secret",
        "failed to sync secret cache: timed out waiting for the condition",
        "SecretName: kube-proxy-token-x9b2c",
        "AutomountServiceAccountToken:(*bool)(nil)",
        "token_id='abcdef'",
        "docker run --user 1000:1000 -u 0:0 -p 8080:80",
        "secret: kube-proxy-token-x9b2c",
        "references non-existent secret: registry-credentials-of-team",
        "PWD=/root OLDPWD=/",
        "ssh -p 22 login",
        "see https://example.invalid/a@b",
        "Operation cannot be fulfilled on daemonsets.apps",
    ],
)
def test_what_explains_a_failure_stays(text: str) -> None:
    assert BLIND(text) == KNOWN(text) == text


PIECES = st.sampled_from(
    [PEM, JWT, TOKEN, "-----BEGIN A-----", "-----END A-----", "token: ", '"', "'", "\\n", "\n",
     "Authorization: Bearer ", "--token ", "https://", "a:b@", " ", "(removed)", "Aa0" * 25]
)  # fmt: skip


@given(pieces=st.lists(PIECES | st.text(max_size=5), max_size=12))
def test_redacting_twice_changes_nothing_more(pieces: list[str]) -> None:
    once = KNOWN("".join(pieces))
    assert KNOWN(once) == once


@given(before=st.text(max_size=30), after=st.text(max_size=30), at=st.integers(0, 3))
def test_no_neighbour_hides_a_known_secret(before: str, after: str, at: int) -> None:
    line = SSH_KEY.splitlines()[1 + at % 3]
    left = KNOWN(f"{before}{TOKEN}{after} {before}{line}{after}")
    assert TOKEN not in left
    assert line not in left


@pytest.mark.parametrize(
    "text",
    ["a", "-----BEGIN A-----", "--", "--token", "token    ", "://a", "eyJaaaaaaaa.", "\n", "\\n",
     "authorization ", "bearer ", "login ", "-u a", 'auth"', "secret: A1",
     "client-key-data: >\n a", "PASSWORD=$'\\", "MIIEabcd" * 8 + "\n", "-----END A-----", "A_",
     "Aa0/"],
)  # fmt: skip
def test_a_text_takes_time_in_proportion_to_its_length(text: str) -> None:
    half = text * (2**17 // len(text))
    began = time.process_time()
    KNOWN(half + half)
    # It takes a quarter of a second on one busy core; a pattern that looks back takes minutes.
    assert time.process_time() - began < 5
