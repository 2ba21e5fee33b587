#!/usr/bin/env bash
# Makes a worker: installs what is missing, waits for the control plane, joins it.
# A template; the harness renders it, puts it on the machine 0600 and runs it as root.
# No xtrace anywhere: the token would end up in the journal.
set -o errexit -o nounset -o pipefail

# What the harness reads while this script runs, and what the parts below share.
export DEBIAN_FRONTEND=noninteractive
# systemd gives a unit no HOME; kubectl and kubeadm look for it.
export HOME=/root
state=/var/lib/harness
install -d -m 0755 "$state"

# Say why we wait, in one line; replaced in one step, so that no reader sees half of it.
waiting() {
    printf '%s\n' "$1" > "$state/reason.new"
    mv "$state/reason.new" "$state/reason"
}

# Begin a section: its name and the time go where the harness measures.
section() {
    printf '%s %s\n' "$(date +%s.%3N)" "$1" >> "$state/sections"
    waiting ''
    printf '=== %s\n' "$1"
}

fail() {
    printf 'error: %s\n' "$1" >&2
    waiting "failed: $1"
    exit 1
}

# Try a command a number of times, a second apart, and give up with its own exit status.
retry() {
    local attempts=$1 attempt
    shift
    for ((attempt = 1; attempt < attempts; attempt++)); do
        "$@" && return
        sleep 1
    done
    "$@"
}

section install
# The machine's name, and what kubelet asks of its kernel.
node_name=ip-192.168.2.2
if [[ "$(hostname)" != "$node_name" ]]; then
    printf '%s\n' "$node_name" > /etc/hostname
    hostname "$node_name"
fi

# Its own name first of all: without it every sudo waits for a resolver.
hosts_new=$(mktemp)
sed '/^# harness begin$/,/^# harness end$/d' /etc/hosts > "$hosts_new"
{
    printf '# harness begin\n'
    printf '%s %s\n' 192.168.2.200 ip-192.168.2.200
    printf '%s %s\n' 192.168.2.2 ip-192.168.2.2
    printf '%s %s\n' 192.168.2.3 ip-192.168.2.3
    printf '%s %s\n' 192.168.2.4 ip-192.168.2.4
    printf '# harness end\n'
} >> "$hosts_new"
# Written in place, not moved: in a container the file may be a mount.
cmp --silent "$hosts_new" /etc/hosts || cat "$hosts_new" > /etc/hosts
rm -f "$hosts_new"

# kubelet refuses to start beside swap, now and after the next boot.
swapoff --all
sed -i -E '/^[^#].*[[:space:]]swap[[:space:]]/s/^/# /' /etc/fstab

printf 'overlay\nbr_netfilter\n' > /etc/modules-load.d/harness.conf
modprobe --all overlay br_netfilter
printf '%s = 1\n' \
    net.ipv4.ip_forward \
    net.bridge.bridge-nf-call-iptables \
    net.bridge.bridge-nf-call-ip6tables > /etc/sysctl.d/90-harness.conf
sysctl --quiet --load=/etc/sysctl.d/90-harness.conf
# containerd, configured for this cluster; nothing happens where that is so already.
if ! command -v containerd > /dev/null || ! command -v runc > /dev/null; then
    waiting 'installing containerd'
    retry 5 apt-get update
    apt-get install --yes --no-install-recommends \
        -o DPkg::Lock::Timeout=300 -o Acquire::Retries=5 \
        ca-certificates containerd curl runc
fi

# Debian keeps the CNI plugins in one folder, the Kubernetes packages in the other.
cni_plugins=/opt/cni/bin
if [[ -d /usr/lib/cni ]]; then
    cni_plugins=/usr/lib/cni
fi
pause_image=registry.k8s.io/pause:3.10
containerd_new=$(mktemp)
cat > "$containerd_new" << CONTAINERD_CONFIG
version = 2

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "$pause_image"

  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "$cni_plugins"
    conf_dir = "/etc/cni/net.d"

  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"

    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = true
CONTAINERD_CONFIG
if ! cmp --silent "$containerd_new" /etc/containerd/config.toml; then
    install -D -m 0644 "$containerd_new" /etc/containerd/config.toml
    systemctl try-restart containerd
fi
rm -f "$containerd_new"
systemctl enable --now containerd
# kubeadm, kubelet and kubectl of the planned version; nothing happens where they are there.
kubernetes_version=v1.31.2
has_kubernetes() {
    [[ "$(kubeadm version --output=short 2> /dev/null)" == "$kubernetes_version" ]] &&
        [[ "$(kubelet --version 2> /dev/null)" == "Kubernetes $kubernetes_version" ]] &&
        command -v kubectl > /dev/null
}
if ! has_kubernetes; then
    waiting "installing Kubernetes $kubernetes_version"
    release=${kubernetes_version%.*}
    version=${kubernetes_version#v}
    repository=https://pkgs.k8s.io/core:/stable:/$release/deb/
    keyring=/etc/apt/keyrings/kubernetes-apt-keyring.asc
    install -d -m 0755 /etc/apt/keyrings
    curl --fail --silent --show-error --location --retry 5 --retry-connrefused \
        --output "$keyring" "${repository}Release.key"
    printf 'deb [signed-by=%s] %s /\n' "$keyring" "$repository" \
        > /etc/apt/sources.list.d/kubernetes.list
    retry 5 apt-get update
    apt-get install --yes --no-install-recommends --allow-change-held-packages \
        -o DPkg::Lock::Timeout=300 -o Acquire::Retries=5 \
        "kubeadm=$version-*" "kubectl=$version-*" "kubelet=$version-*"
    apt-mark hold kubeadm kubectl kubelet
    # Without a configuration kubelet would crash-loop and eat the processor that init needs.
    if [[ ! -e /var/lib/kubelet/config.yaml ]]; then
        systemctl disable --now kubelet
    fi
fi

section join
# kubeadm join, once: a joined worker is left alone, a half-joined one joins again.
# Clears away what a broken-off kubeadm left behind.
reset_kubernetes() {
    systemctl stop kubelet
    kubeadm reset --force --cri-socket=unix:///run/containerd/containerd.sock
}
control_plane=https://192.168.2.200:6443
cluster_info=$control_plane/api/v1/namespaces/kube-public/configmaps/cluster-info
ca_file=$state/ca.crt
token_id=abcdef

# Joining works once the control plane has signed the cluster's data for our token. Asking
# that before kubeadm does saves its 5 s pauses, and tells why we wait.
wait_for_control_plane() {
    local deadline=$((SECONDS + 600)) answer
    while ((SECONDS < deadline)); do
        if ! answer=$(curl --silent --show-error --fail --max-time 5 --cacert "$ca_file" "$cluster_info" 2>&1); then
            waiting "the control plane does not answer yet: ${answer//$'\n'/ }"
        elif [[ $answer == *"\"jws-kubeconfig-$token_id\""* ]]; then
            return
        else
            waiting 'the control plane has not signed our token yet'
        fi
        sleep 0.5
    done
    fail "no join within 600 s: $(cat "$state/reason")"
}

half_made() {
    [[ -e /etc/kubernetes/bootstrap-kubelet.conf || -e /etc/kubernetes/pki/ca.crt ||
        -e /var/lib/kubelet/config.yaml ]]
}

run_join() {
    local flags=(--config=/etc/kubernetes/kubeadm.yaml)
    if half_made; then
        waiting 'clearing away a half-made join'
        reset_kubernetes
    fi
    # Not in /etc/kubernetes/pki: there kubeadm would take it for the trace of another join.
    printf '%s' '-----BEGIN CERTIFICATE-----
MIIB
-----END CERTIFICATE-----
' > "$ca_file"
    wait_for_control_plane
    # Made 0600 before the token is in it.
    install -D -m 0600 /dev/null /etc/kubernetes/kubeadm.yaml
    cat > /etc/kubernetes/kubeadm.yaml << 'KUBEADM_CONFIG'
apiVersion: kubeadm.k8s.io/v1beta4
kind: JoinConfiguration
discovery:
  bootstrapToken:
    apiServerEndpoint: '192.168.2.200:6443'
    token: abcdef.0123456789abcdef
    caCertHashes:
    - sha256:0000000000000000000000000000000000000000000000000000000000000000
  tlsBootstrapToken: abcdef.0123456789abcdef
nodeRegistration:
  name: 'ip-192.168.2.2'
  criSocket: unix:///run/containerd/containerd.sock
  kubeletExtraArgs:
  - name: node-ip
    value: '192.168.2.2'
KUBEADM_CONFIG
    waiting 'kubeadm join'
    kubeadm join "${flags[@]}" &
    restart_kubelet_whose_pods_wait $!
    wait $!
}

# As long as a kubelet waits for its certificate it is refused what it asks for, and asks again
# seconds later. If its pods come before the services then, it leaves them alone for 10 s; a new
# start, with the certificate, takes one.
restart_kubelet_whose_pods_wait() {
    while kill -0 "$1" 2> /dev/null; do
        if [[ $(journalctl --unit=kubelet --output=cat) == *'services have not yet been read'* ]]; then
            systemctl restart kubelet
            return
        fi
        sleep 0.5
    done
}

if [[ -e /etc/kubernetes/kubelet.conf ]]; then
    # A new start makes kubelet register again, should the control plane have been made anew.
    systemctl restart kubelet
else
    run_join
fi
systemctl enable kubelet
