    # Made 0600 before the token is in it.
    install -D -m 0600 /dev/null /etc/kubernetes/kubeadm.yaml
    cat > /etc/kubernetes/kubeadm.yaml << 'KUBEADM_CONFIG'
{{ kubeadm_config }}KUBEADM_CONFIG
