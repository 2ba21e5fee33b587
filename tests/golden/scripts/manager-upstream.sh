#!/usr/bin/env bash
# Makes a machine of a manager group: the control plane, or a worker if another one is that.
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
node_name=ip-192.168.2.200
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

# A container shares its host's swap, modules and most sysctls; forwarding is its own.
printf 'net.ipv4.ip_forward = 1\n' > /etc/sysctl.d/90-harness.conf
printf '1\n' > /proc/sys/net/ipv4/ip_forward
for setting in /proc/sys/net/bridge/bridge-nf-call-iptables /proc/sys/net/bridge/bridge-nf-call-ip6tables; do
    if [[ -w $setting ]]; then
        printf '1\n' > "$setting" || printf 'left as it is: %s\n' "$setting"
    fi
done
# containerd, configured for this cluster; nothing happens where that is so already.
if ! command -v containerd > /dev/null || ! command -v runc > /dev/null; then
    fail 'containerd or runc is missing: this box was not made from the bundle'
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
  restrict_oom_score_adj = true

  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "$cni_plugins"
    conf_dir = "/etc/cni/net.d"

  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"

    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = false
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
    fail "Kubernetes $kubernetes_version is missing: this box was not made from the bundle"
fi

section init
# kubeadm init, once: a finished cluster is left alone, a half-made one is made again.
# Clears away what a broken-off kubeadm left behind.
reset_kubernetes() {
    systemctl stop kubelet
    kubeadm reset --force --cri-socket=unix:///run/containerd/containerd.sock
}
export KUBECONFIG=/etc/kubernetes/admin.conf
initialised=$state/initialised

api_answers() {
    kubectl get --raw=/readyz --request-timeout=5s > /dev/null 2>&1
}

# The harness put the cluster's CA here before; reset would remove it with all the rest.
reset_keeping_ca() {
    local kept
    kept=$(mktemp --directory)
    cp /etc/kubernetes/pki/ca.crt /etc/kubernetes/pki/ca.key "$kept"
    waiting 'clearing away a half-made control plane'
    reset_kubernetes
    install -d -m 0755 /etc/kubernetes/pki
    install -m 0644 "$kept/ca.crt" /etc/kubernetes/pki/ca.crt
    install -m 0600 "$kept/ca.key" /etc/kubernetes/pki/ca.key
    rm -rf "$kept"
}

half_made() {
    [[ -e $KUBECONFIG || -e /etc/kubernetes/kubelet.conf || -e /var/lib/kubelet/config.yaml ||
        -e /etc/kubernetes/manifests/kube-apiserver.yaml || -d /var/lib/etcd/member ]]
}

run_init() {
    # --skip-token-print: the journal keeps what kubeadm prints.
    local flags=(--config=/etc/kubernetes/kubeadm.yaml --skip-token-print)
    local ignored=SystemVerification,FileContent--proc-sys-net-bridge-bridge-nf-call-iptables,Swap
    flags+=("--ignore-preflight-errors=$ignored")
    if half_made; then
        reset_keeping_ca
    fi
    # Made 0600 before the token is in it.
    install -D -m 0600 /dev/null /etc/kubernetes/kubeadm.yaml
    cat > /etc/kubernetes/kubeadm.yaml << 'KUBEADM_CONFIG'
apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
bootstrapTokens:
- token: abcdef.0123456789abcdef
  ttl: '24h0m0s'
localAPIEndpoint:
  advertiseAddress: '192.168.2.200'
  bindPort: 6443
nodeRegistration:
  name: 'ip-192.168.2.200'
  criSocket: unix:///run/containerd/containerd.sock
  kubeletExtraArgs:
  - name: node-ip
    value: '192.168.2.200'
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
clusterName: walkthrough
kubernetesVersion: 'v1.31.2'
imageRepository: registry.k8s.io
controlPlaneEndpoint: '192.168.2.200:6443'
networking:
  podSubnet: '10.244.0.0/16'
  serviceSubnet: '10.96.0.0/12'
apiServer:
  certSANs:
  - '192.168.2.200'
  - '127.0.0.1'
controllerManager:
  extraArgs:
  - name: leader-elect
    value: 'false'
  - name: kube-api-qps
    value: '100'
  - name: kube-api-burst
    value: '200'
scheduler:
  extraArgs:
  - name: leader-elect
    value: 'false'
---
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
cgroupDriver: cgroupfs
nodeStatusUpdateFrequency: '2s'
nodeStatusReportFrequency: '5m0s'
kubeAPIQPS: 50
kubeAPIBurst: 100
failSwapOn: false
oomScoreAdj: 0
---
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
oomScoreAdj: 0
conntrack:
  maxPerCore: 0
  min: 0
  tcpEstablishedTimeout: '0s'
  tcpCloseWaitTimeout: '0s'
KUBEADM_CONFIG
    waiting 'kubeadm init'
    kubeadm init "${flags[@]}"
    touch "$initialised"
}

if [[ -e $initialised && -e $KUBECONFIG ]]; then
    # Finished before, and perhaps just booted: never reset what may hold somebody's work.
    systemctl enable --now kubelet
    waiting 'the API server does not answer yet'
    retry 60 api_answers || fail 'the API server of this finished control plane does not answer'
else
    run_init
fi
systemctl enable kubelet

install -d -m 0700 /root/.kube
install -m 0600 "$KUBECONFIG" /root/.kube/config
if login_home=$(getent passwd vagrant | cut -d: -f6) && [[ -n $login_home ]]; then
    install -d -m 0700 -o vagrant -g vagrant "$login_home/.kube"
    install -m 0600 -o vagrant -g vagrant "$KUBECONFIG" "$login_home/.kube/config"
fi

section network
# Without a network add-on no node becomes Ready.
apply_text() {
    printf '%s\n' "$1" | kubectl apply --filename=-
}
waiting 'applying the network add-on lab'
retry 10 kubectl apply --filename=https://example.invalid/network.yaml
