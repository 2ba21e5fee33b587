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
