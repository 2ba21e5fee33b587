# kubeadm init, once: a finished cluster is left alone, a half-made one is made again.
{% include "reset-kubernetes.sh" %}
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
{% include "kubeadm-flags.sh" %}
    if half_made; then
        reset_keeping_ca
    fi
{% include "write-kubeadm-config.sh" %}
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
