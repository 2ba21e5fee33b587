# kubeadm, kubelet and kubectl of the planned version; nothing happens where they are there.
kubernetes_version={{ supply.kubernetes_version | sh }}
has_kubernetes() {
    [[ "$(kubeadm version --output=short 2> /dev/null)" == "$kubernetes_version" ]] &&
        [[ "$(kubelet --version 2> /dev/null)" == "Kubernetes $kubernetes_version" ]] &&
        command -v kubectl > /dev/null
}
if ! has_kubernetes; then
{% if supply.source == 'packages' %}
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
{% else %}
    fail "Kubernetes $kubernetes_version is missing: this box was not made from the bundle"
{% endif %}
fi
