#!/usr/bin/env bash
# Makes a worker: installs what is missing, waits for the control plane, joins it.
# A template; the harness renders it, puts it on the machine 0600 and runs it as root.
# No xtrace anywhere: the token would end up in the journal.
set -o errexit -o nounset -o pipefail

{% include "lib.sh" %}

section install
{% include "prepare-host.sh" %}
{% include "install-containerd.sh" %}
{% include "install-kubeadm.sh" %}

section join
{% include "join-cluster.sh" %}
