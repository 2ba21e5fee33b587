# containerd, configured for this cluster; nothing happens where that is so already.
if ! command -v containerd > /dev/null || ! command -v runc > /dev/null; then
{% if supply.source == 'packages' %}
    waiting 'installing containerd'
    retry 5 apt-get update
    apt-get install --yes --no-install-recommends \
        -o DPkg::Lock::Timeout=300 -o Acquire::Retries=5 \
        ca-certificates containerd curl runc
{% else %}
    fail 'containerd or runc is missing: this box was not made from the bundle'
{% endif %}
fi

# Debian keeps the CNI plugins in one folder, the Kubernetes packages in the other.
cni_plugins=/opt/cni/bin
if [[ -d /usr/lib/cni ]]; then
    cni_plugins=/usr/lib/cni
fi
pause_image={{ supply.pause_image | sh }}
containerd_new=$(mktemp)
cat > "$containerd_new" << CONTAINERD_CONFIG
version = 2

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "$pause_image"
{% if not traits.can_lower_oom_score %}
  restrict_oom_score_adj = true
{% endif %}

  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "$cni_plugins"
    conf_dir = "/etc/cni/net.d"

  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"

    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
{% if traits.cgroup_driver == 'systemd' %}
      SystemdCgroup = true
{% else %}
      SystemdCgroup = false
{% endif %}
CONTAINERD_CONFIG
if ! cmp --silent "$containerd_new" /etc/containerd/config.toml; then
    install -D -m 0644 "$containerd_new" /etc/containerd/config.toml
    systemctl try-restart containerd
fi
rm -f "$containerd_new"
systemctl enable --now containerd
