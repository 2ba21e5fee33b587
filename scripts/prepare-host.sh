# The machine's name, and what kubelet asks of its kernel.
node_name={{ node_name | sh }}
if [[ "$(hostname)" != "$node_name" ]]; then
    printf '%s\n' "$node_name" > /etc/hostname
    hostname "$node_name"
fi

# Its own name first of all: without it every sudo waits for a resolver.
hosts_new=$(mktemp)
sed '/^# harness begin$/,/^# harness end$/d' /etc/hosts > "$hosts_new"
{
    printf '# harness begin\n'
{% for address, name in hosts %}
    printf '%s %s\n' {{ address | sh }} {{ name | sh }}
{% endfor %}
    printf '# harness end\n'
} >> "$hosts_new"
# Written in place, not moved: in a container the file may be a mount.
cmp --silent "$hosts_new" /etc/hosts || cat "$hosts_new" > /etc/hosts
rm -f "$hosts_new"

{% if traits.can_write_sysctls %}
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
{% else %}
# A container shares its host's swap, modules and most sysctls; forwarding is its own.
printf 'net.ipv4.ip_forward = 1\n' > /etc/sysctl.d/90-harness.conf
printf '1\n' > /proc/sys/net/ipv4/ip_forward
for setting in /proc/sys/net/bridge/bridge-nf-call-iptables /proc/sys/net/bridge/bridge-nf-call-ip6tables; do
    if [[ -w $setting ]]; then
        printf '1\n' > "$setting" || printf 'left as it is: %s\n' "$setting"
    fi
done
{% endif %}
