# kubeadm join, once: a joined worker is left alone, a half-joined one joins again.
{% include "reset-kubernetes.sh" %}
control_plane=https://{{ KUBE_JOIN_IP | sh }}:{{ BIND_PORT | sh }}
cluster_info=$control_plane/api/v1/namespaces/kube-public/configmaps/cluster-info
ca_file=$state/ca.crt
token_id={{ token_id | sh }}

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
{% include "kubeadm-flags.sh" %}
    if half_made; then
        waiting 'clearing away a half-made join'
        reset_kubernetes
    fi
    # Not in /etc/kubernetes/pki: there kubeadm would take it for the trace of another join.
    printf '%s' {{ ca_certificate | sh }} > "$ca_file"
    wait_for_control_plane
{% include "write-kubeadm-config.sh" %}
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
