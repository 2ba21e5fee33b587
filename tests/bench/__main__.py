"""How fast `harness up` is, beside a plain `vagrant up` with shell provisioners.

    sudo .venv/bin/python -m tests.bench [ROUNDS]

Both make the same four machines of the same box and run the same init scripts, in the same
run, one after the other; what counts is the ratio, because machines differ and are never
idle. Plain Vagrant is given what the harness has: its Vagrantfile, parallel machines and
scripts that wait for each other. It ends when kubectl says that four nodes are Ready; the
harness goes on to check that pods reach each other, and that is part of its time.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from harness import render
from harness.cli import parts, resolution
from harness.lab import box
from tests.e2e.conftest import make_lab

if TYPE_CHECKING:
    from harness.cluster import Cluster
    from tests.e2e.lab import Lab

PROVISIONERS = """
Vagrant.configure('2') do |config|
{machines}end
"""
MACHINE = """\
  config.vm.define '{name}' do |machine|
{files}    machine.vm.provision 'shell', path: '{script}'
  end
"""
FILE = "    machine.vm.provision 'file', source: '{source}', destination: '/tmp/{name}'\n"
CA = """\
install -d /etc/kubernetes/pki
install -m 0600 /tmp/ca.key /etc/kubernetes/pki/ca.key
install -m 0644 /tmp/ca.crt /etc/kubernetes/pki/ca.crt
"""
READY = "kubectl --kubeconfig=/etc/kubernetes/admin.conf wait nodes --all --for=condition=Ready"
LIMIT_SECONDS = 600.0


def with_harness(lab: Lab) -> float:
    """Return the seconds that `harness up` takes from nothing."""
    began = time.monotonic()
    finished = lab.up()
    seconds = time.monotonic() - began
    assert finished.status == 0, finished.stderr
    return seconds


def with_vagrant(cluster: Cluster) -> float:
    """Return the seconds that plain Vagrant takes from nothing to four Ready nodes."""
    prepare(cluster)
    folder = cluster.workspace.vagrant_dir
    environment = {**os.environ, **box.vagrant_environment(), "VAGRANT_CHECKPOINT_DISABLE": "1"}
    began = time.monotonic()
    cluster.network.create()
    for argv in (
        ["vagrant", "up", "--provider=lxc"],
        ["vagrant", "ssh", cluster.plan.manager.name, "-c", f"sudo {READY} --timeout=300s"],
    ):
        subprocess.run(
            cluster.network.enter(argv),
            cwd=folder,
            env=environment,
            check=True,
            timeout=LIMIT_SECONDS,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    return time.monotonic() - began


def prepare(cluster: Cluster) -> None:
    """Write what plain Vagrant needs: the harness's Vagrantfile, and scripts to provision with."""
    plan, workspace = cluster.plan, cluster.workspace
    secrets = workspace.secrets()
    vagrantfile = cluster.vagrantfile(plan, secrets)
    machines = []
    for machine in plan.machines:
        script = workspace.root / f"{machine.name}.sh"
        text = render.init_script(plan, machine, secrets)
        files = ""
        if machine is plan.manager:
            text = text.replace("\nset -o errexit", f"\n{CA}set -o errexit", 1)
            for name in ("ca.key", "ca.crt"):
                files += FILE.format(source=workspace.secrets_dir / name, name=name)
        script.write_text(text)
        machines.append(MACHINE.format(name=machine.name, files=files, script=script))
    text = vagrantfile + PROVISIONERS.format(machines="".join(machines))
    workspace.save_plan(plan, vagrantfile=text, content_hash="")


def main(rounds: int) -> None:
    """Measure, alternating, and print each pair and the ratio of the medians."""
    pairs = []
    for number in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            lab = make_lab(Path(folder), "bench")
            os.environ["HARNESS_STATE_DIR"] = str(lab.state)
            try:
                ours = with_harness(lab)
            finally:
                lab.down()
            cluster = parts.planned(resolution.of_files(lab.groups, "lxc"))
            try:
                plain = with_vagrant(cluster)
            finally:
                cluster.network.remove()
        pairs.append((ours, plain))
        line = f"round {number + 1}: harness up {ours:.1f} s, plain vagrant up {plain:.1f} s"
        sys.stdout.write(f"{line}\n")
    ours, plain = (statistics.median(column) for column in zip(*pairs, strict=True))
    sys.stdout.write(f"harness up / plain vagrant up = {ours / plain:.2f}")
    sys.stdout.write(f" ({ours:.1f} s / {plain:.1f} s)\n")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
