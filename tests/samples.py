"""Plans to test with: the walkthrough's cluster, with either supply."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from harness import groups, plan, render
from harness.spec import ClusterPlan, ClusterSecrets, ProviderName, Supply, Traits

ROOT = Path(__file__).resolve().parents[1]
GOLDEN = ROOT / "tests" / "golden"
WALKTHROUGH = (ROOT / "groups/groups-manager.json", ROOT / "groups/groups-worker.json")

BUNDLE = Supply(
    source="bundle",
    kubernetes_version="v1.20.2",
    image_repository="k8s.gcr.io",
    pause_image="k8s.gcr.io/pause:3.2",
    verify_image="harness.local/verify:1",
    has_dns=False,
    has_crictl=False,
    network_manifest="kind: List\napiVersion: v1\nitems: [] # it's short\n",
)
PACKAGES = Supply(
    source="packages",
    kubernetes_version="v1.31.2",
    image_repository="registry.k8s.io",
    pause_image="registry.k8s.io/pause:3.10",
    verify_image="docker.io/library/busybox:1.36",
    has_dns=True,
    has_crictl=True,
    network_manifest="https://example.invalid/network.yaml",
)
CONTAINER = Traits(cgroup_driver="cgroupfs", can_lower_oom_score=False, can_write_sysctls=False)
VIRTUAL_MACHINE = Traits()

SECRETS = ClusterSecrets(
    token="abcdef.0123456789abcdef",
    ca_certificate="-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
    ca_key="-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\n",
    ca_cert_hash="sha256:" + "0" * 64,
    ssh_public_key="ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 harness",
)


def cluster_plan(
    *, provider: ProviderName = ProviderName.LXC, supply: Supply = BUNDLE, version: str = ""
) -> ClusterPlan:
    """Plan the walkthrough's cluster: in containers from the bundle, or in machines."""
    if version:
        supply = replace(supply, kubernetes_version=version)
    resolved = plan.resolve(
        groups.load(WALKTHROUGH),
        provider=provider,
        supply=supply,
        traits=CONTAINER if supply.source == "bundle" else VIRTUAL_MACHINE,
        default_box="debian/bookworm64" if supply.source == "packages" else "harness/lab",
    )
    return render.fingerprinted(resolved)
