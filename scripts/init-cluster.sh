# kubeadm init, once: a finished cluster is left alone, a half-made one is made again.
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
    kubeadm reset --force --cri-socket={{ cri_socket | sh }}
    install -d -m 0755 /etc/kubernetes/pki
    install -m 0644 "$kept/ca.crt" /etc/kubernetes/pki/ca.crt
    install -m 0600 "$kept/ca.key" /etc/kubernetes/pki/ca.key
    rm -rf "$kept"
}

run_init() {
    if [[ -e $KUBECONFIG || -d /etc/kubernetes/manifests || -d /var/lib/etcd/member ]]; then
        reset_keeping_ca
    fi
    install -d -m 0755 /etc/kubernetes
    # Made 0600 before the token is in it.
    install -m 0600 /dev/null /etc/kubernetes/kubeadm.yaml
    cat > /etc/kubernetes/kubeadm.yaml << 'KUBEADM_CONFIG'
{{ kubeadm_config }}KUBEADM_CONFIG
    waiting 'kubeadm init'
{% set skipped = ([] if supply.has_crictl else ['preflight']) + ([] if supply.has_dns else ['addon/coredns']) %}
    # Its output would hold the token, and the journal keeps output.
    kubeadm init --config=/etc/kubernetes/kubeadm.yaml --skip-token-print{{ (' --skip-phases=' ~ skipped | join(',')) if skipped else '' }}{{ '' if traits.can_write_sysctls or not supply.has_crictl else ' --ignore-preflight-errors=SystemVerification,FileContent--proc-sys-net-bridge-bridge-nf-call-iptables,Swap' }}
    touch "$initialised"
}

if [[ -e $initialised && -e $KUBECONFIG ]]; then
    # Finished before, and perhaps just booted: never reset what may hold somebody's work.
    systemctl enable --now kubelet
    waiting 'the API server does not answer yet'
    retry 300 api_answers || fail 'the API server of this finished control plane does not answer'
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
