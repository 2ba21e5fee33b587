"""kubeadm's documents by version, tokens, and the hash that workers pin."""

from __future__ import annotations

import datetime as dt
import secrets
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from harness import kubeadm
from harness.errors import InvalidInputError
from tests.samples import GOLDEN, PACKAGES, SECRETS, cluster_plan

if TYPE_CHECKING:
    from collections.abc import Callable

CONFIGS = sorted((GOLDEN / "kubeadm").glob("*.yaml"))


def documents(text: str) -> dict[str, dict[str, Any]]:
    return {document["kind"]: document for document in yaml.safe_load_all(text)}


def test_there_are_golden_configurations() -> None:
    assert CONFIGS


@pytest.mark.parametrize("file", CONFIGS, ids=lambda file: file.stem)
def test_a_configuration_is_as_expected(file: Path, golden: Callable[[Path, str], None]) -> None:
    verb, _, version = file.stem.partition("-")
    plan = cluster_plan(version=version)
    if verb == "init":
        text = kubeadm.init_config(plan, plan.manager, SECRETS)
    else:
        text = kubeadm.join_config(plan, plan.workers[0], SECRETS)
    golden(file, text)


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("v1.20.2", "v1beta2"),
        ("v1.21.14", "v1beta2"),
        ("v1.22.0", "v1beta3"),
        ("v1.30.9", "v1beta3"),
        ("v1.31.0", "v1beta4"),
        ("v1.34.0-rc.1", "v1beta4"),
    ],
)
def test_the_api_version_follows_the_kubernetes_version(version: str, expected: str) -> None:
    assert kubeadm.api_version(version) == f"kubeadm.k8s.io/{expected}"


@pytest.mark.parametrize("version", ["1.20.2", "v1.20", "v2.0.0", "", "latest"])
def test_a_misspelt_version_is_refused(version: str) -> None:
    with pytest.raises(ValueError, match=r"v1\.20\.2"):
        kubeadm.api_version(version)


def test_the_socket_became_an_url_with_1_24() -> None:
    assert kubeadm.cri_socket("v1.23.17") == "/run/containerd/containerd.sock"
    assert kubeadm.cri_socket("v1.24.0") == "unix:///run/containerd/containerd.sock"


def test_a_machine_that_can_do_everything_gets_no_exceptions() -> None:
    plan = cluster_plan(supply=PACKAGES)
    kinds = documents(kubeadm.init_config(plan, plan.manager, SECRETS))
    assert not {"failSwapOn", "oomScoreAdj"} & kinds["KubeletConfiguration"].keys()
    assert list(kinds["KubeProxyConfiguration"]) == ["apiVersion", "kind"]


@pytest.mark.parametrize("name", ["1e3", "y", "n", "no", "on", "true", "null", "0x1f", "0b1", "12"])
def test_what_looks_like_another_type_is_quoted(name: str) -> None:
    plan = replace(cluster_plan(), cluster=name)
    text = kubeadm.init_config(plan, plan.manager, SECRETS)
    assert f"clusterName: '{name}'\n" in text


@pytest.mark.parametrize("token", ["123456.1234567890123456", "123456.12345678901234e5"])
def test_a_token_that_looks_like_a_number_is_quoted(token: str) -> None:
    plan = cluster_plan()
    text = kubeadm.join_config(plan, plan.workers[0], replace(SECRETS, token=token))
    assert f"tlsBootstrapToken: '{token}'\n" in text
    assert documents(text)["JoinConfiguration"]["discovery"]["tlsBootstrapToken"] == token


def test_new_tokens_are_tokens_and_differ() -> None:
    tokens = {kubeadm.new_token(secrets.token_bytes) for _ in range(50)}
    assert len(tokens) == 50
    assert all(kubeadm.TOKEN_PATTERN.fullmatch(token) for token in tokens)
    assert kubeadm.new_token(bytes) == "000000.0000000000000000"


def test_a_token_file_may_end_in_a_newline() -> None:
    assert kubeadm.check_token("26976b.2f0e7389eeaab3c8\n", Path("t")) == "26976b.2f0e7389eeaab3c8"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "26976b.2f0e7389eeaab3c",
        "26976b.2f0e7389eeaab3c88",
        "26976B.2f0e7389eeaab3c8",
        "26976b2f0e7389eeaab3c8",
        " 26976b.2f0e7389eeaab3c8",
        "26976b.2f0e7389eeaab3c8\n\n",
    ],
)
def test_a_wrong_token_file_is_one_clear_problem(text: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        kubeadm.check_token(text, Path("kubeadm-token"))
    (problem,) = caught.value.problems
    assert problem.file == "kubeadm-token"
    assert "23 in all" in problem.message
    assert "2f0e7389" not in str(caught.value), "a secret, even a broken one, is not shown"


def certificate() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kubernetes")])
    start = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + dt.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM).decode()


def test_the_hash_is_what_kubernetes_documents_with_openssl(tool: Callable[[str], str]) -> None:
    pem = certificate()
    openssl = tool("openssl")
    # The recipe of `kubeadm join --help` and the kubeadm documentation.
    pipeline = (
        f"{openssl} x509 -pubkey -noout | {openssl} pkey -pubin -outform der | "
        f"{openssl} dgst -sha256 -hex"
    )
    shell = shutil.which("bash") or "bash"
    done = subprocess.run(
        [shell, "-c", pipeline], input=pem, capture_output=True, text=True, check=True
    )
    assert kubeadm.ca_cert_hash(pem) == f"sha256:{done.stdout.split()[-1]}"
