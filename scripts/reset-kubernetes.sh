# Clears away what a broken-off kubeadm left behind.
reset_kubernetes() {
    systemctl stop kubelet
{% if not supply.has_crictl %}
    # Without crictl kubeadm leaves every container running, an old etcd included.
    local containers
    mapfile -t containers < <(ctr --namespace k8s.io containers list --quiet)
    if ((${#containers[@]})); then
        ctr --namespace k8s.io tasks delete --force "${containers[@]}" || true
        ctr --namespace k8s.io containers delete "${containers[@]}" || true
        systemctl restart containerd
    fi
{% endif %}
    kubeadm reset --force --cri-socket={{ cri_socket | sh }}
}
