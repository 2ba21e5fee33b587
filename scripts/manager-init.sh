#!/usr/bin/env bash
# Makes a machine of a manager group: the control plane, or a worker if another one is that.
# A template; the harness renders it, puts it on the machine 0600 and runs it as root.
# No xtrace anywhere: the token would end up in the journal.
set -o errexit -o nounset -o pipefail

{% include "lib.sh" %}

section install
{% include "prepare-host.sh" %}
{% include "install-containerd.sh" %}
{% include "install-kubeadm.sh" %}

{% if BOOTSTRAP %}
section init
{% include "init-cluster.sh" %}

section network
{% include "apply-add-ons.sh" %}
{% else %}
section join
{% include "join-cluster.sh" %}
{% endif %}
