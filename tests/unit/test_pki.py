"""What a cluster's machines trust each other by is made once, is whole, and is nobody else's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.x509.oid import ExtensionOID, NameOID

from harness import kubeadm, pki
from harness.errors import InvalidInputError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything that is made for cluster `lab`."""
    made = tmp_path_factory.mktemp("pki")
    for make in pki.MAKERS.values():
        for name, text in make("lab").items():
            (made / name).write_text(text)
    return made


@pytest.fixture(scope="module")
def certificate(folder: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate((folder / "ca.crt").read_bytes())


@pytest.fixture(scope="module")
def authority_key(folder: Path) -> rsa.RSAPrivateKey:
    key = serialization.load_pem_private_key((folder / "ca.key").read_bytes(), password=None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return key


def test_each_maker_makes_the_file_that_it_is_named_after() -> None:
    assert all(name in make("lab") for name, make in pki.MAKERS.items())


def test_the_token_is_kubeadms(folder: Path) -> None:
    assert kubeadm.TOKEN_PATTERN.fullmatch(pki.load(folder).token)
    other = pki.MAKERS["token"]("lab")["token"].strip()
    assert other != pki.load(folder).token


def test_the_certificate_is_an_authoritys(certificate: x509.Certificate) -> None:
    constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage)
    assert (constraints.critical, constraints.value.ca) == (True, True)
    assert (usage.critical, usage.value.key_cert_sign) == (True, True)
    certificate.extensions.get_extension_for_oid(ExtensionOID.SUBJECT_KEY_IDENTIFIER)


def test_the_certificate_is_as_kubeadm_would_make_it(certificate: x509.Certificate) -> None:
    (name,) = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    assert name.value == "kubernetes"
    now = datetime.now(tz=UTC)
    # A machine's clock may be a little behind the host's.
    assert certificate.not_valid_before_utc <= now - timedelta(minutes=1)
    assert certificate.not_valid_after_utc > now + timedelta(days=3649)


def test_the_key_is_the_certificates_which_it_signed_itself(
    certificate: x509.Certificate, authority_key: rsa.RSAPrivateKey
) -> None:
    assert authority_key.public_key() == certificate.public_key()
    certificate.verify_directly_issued_by(certificate)
    assert authority_key.key_size == 2048


def test_the_key_is_spelled_as_kubeadm_spells_it(folder: Path) -> None:
    text = (folder / "ca.key").read_text()
    assert text.startswith("-----BEGIN RSA PRIVATE KEY-----\n")


def test_the_hash_that_workers_pin_is_the_certificates(folder: Path) -> None:
    secrets = pki.load(folder)
    assert secrets.ca_cert_hash == kubeadm.ca_cert_hash(secrets.ca_certificate)
    assert secrets.ca_certificate == (folder / "ca.crt").read_text()
    assert secrets.ca_key == (folder / "ca.key").read_text()


def test_the_two_halves_of_the_ssh_key_belong_together(folder: Path) -> None:
    private = serialization.load_ssh_private_key(
        (folder / "id_ed25519").read_bytes(), password=None
    )
    assert isinstance(private, ed25519.Ed25519PrivateKey)
    line = pki.load(folder).ssh_public_key
    assert line.endswith(" harness-lab")
    assert serialization.load_ssh_public_key(line.encode()) == private.public_key()
    assert "\n" not in line


def test_no_two_clusters_share_a_secret() -> None:
    one, other = ({**pki.MAKERS["ca.crt"]("a"), **pki.MAKERS["id_ed25519"]("a")} for _ in "ab")
    assert not set(one.values()) & set(other.values())


def test_secrets_are_not_shown_by_accident(folder: Path) -> None:
    secrets = pki.load(folder)
    for value in (secrets.token, secrets.ca_key.splitlines()[1]):
        assert value not in repr(secrets)
        assert value not in str(secrets)


@pytest.mark.parametrize("text", ["", "26976b.2f0e7389eeaab3c\n", "x" * 24])
def test_a_wrong_sized_token_file_is_named(text: str, folder: Path, tmp_path: Path) -> None:
    for file in folder.iterdir():
        (tmp_path / file.name).write_text(file.read_text())
    (tmp_path / "token").write_text(text)
    with pytest.raises(InvalidInputError) as caught:
        pki.load(tmp_path)
    (problem,) = caught.value.problems
    assert problem.file == str(tmp_path / "token")
    assert caught.value.exit_code == 3
