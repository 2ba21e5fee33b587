"""What a cluster's machines trust each other by: made on the host, before any machine.

kubeadm uses a certificate authority that it finds in /etc/kubernetes/pki instead of making
one (https://kubernetes.io/docs/setup/production-environment/tools/kubeadm/kubeadm-init/,
"Using custom certificates"), so workers can pin its hash from the start.
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.x509.oid import NameOID

from harness import kubeadm
from harness.spec import ClusterSecrets

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

# What kubeadm itself would make: RSA 2048, ten years, common name `kubernetes`.
CA_KEY_BITS = 2048
CA_LIFETIME = timedelta(days=3650)
CLOCK_SKEW = timedelta(minutes=5)


def _token(_cluster: str) -> dict[str, str]:
    return {"token": kubeadm.new_token(secrets.token_bytes) + "\n"}


def _authority(_cluster: str) -> dict[str, str]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=CA_KEY_BITS)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kubernetes")])
    now = datetime.now(tz=UTC)
    usage = x509.KeyUsage(
        digital_signature=True,
        key_encipherment=True,
        key_cert_sign=True,
        content_commitment=False,
        data_encipherment=False,
        key_agreement=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + CA_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    # The key first: the certificate is what says that both are there.
    return {
        "ca.key": pem.decode(),
        "ca.crt": certificate.public_bytes(serialization.Encoding.PEM).decode(),
    }


def _ssh_key(cluster: str) -> dict[str, str]:
    key = ed25519.Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes(
        serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.OpenSSH,
        serialization.NoEncryption(),
    )
    return {
        "id_ed25519.pub": f"{public.decode()} harness-{cluster}\n",
        "id_ed25519": private.decode(),
    }


MAKERS: Mapping[str, Callable[[str], dict[str, str]]] = {
    "token": _token,
    "ca.crt": _authority,
    "id_ed25519": _ssh_key,
}
"""Name of a file that must exist → what makes it, and the files that come with it."""


def load(folder: Path) -> ClusterSecrets:
    """Read what `MAKERS` made.

    Raises:
        InvalidInputError: If the token file holds no token.
    """
    token_file = folder / "token"
    certificate = (folder / "ca.crt").read_text()
    return ClusterSecrets(
        token=kubeadm.check_token(token_file.read_text(), token_file),
        ca_certificate=certificate,
        ca_key=(folder / "ca.key").read_text(),
        ca_cert_hash=kubeadm.ca_cert_hash(certificate),
        ssh_public_key=(folder / "id_ed25519.pub").read_text().strip(),
    )
