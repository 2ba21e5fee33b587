"""Known issues of making machines with Vagrant, and of reaching them."""

from __future__ import annotations

from harness.errors import NotReadyError, PhaseError, ProviderError
from harness.known_issues.issue import KnownIssue

ISSUES = (
    KnownIssue(
        id="machine-locked",
        title="Another Vagrant works on this machine.",
        errors=(ProviderError,),
        patterns=(
            r"can't use the requested machine because it is locked",
            r"another process is already executing an action on the machine",
            r"this lock is being held by another instance of Vagrant",
        ),
        why="Vagrant locks a machine for one process at a time; one that was killed may have left"
        " children behind that go on.",
        cure="Wait for it, or end the `vagrant` and `ruby` processes that belong to this cluster;"
        " then run `harness up` again.",
        sources=("reference/peers.md, lesson 5", "hashicorp/vagrant#9104"),
    ),
    KnownIssue(
        id="machine-index-corrupt",
        title="Vagrant's index of machines is corrupt.",
        errors=(ProviderError,),
        patterns=(r"The machine index which stores all required information about",),
        why="All projects of a VAGRANT_HOME share one index; a Vagrant that is killed while it"
        " writes, or a full disk, leaves half a file.",
        cure="Remove the file that the message names and run `harness up` again: the machines"
        " themselves are recorded beside the Vagrantfile.",
        sources=("reference/peers.md, lesson 5", "hashicorp/vagrant#6680", "cilium/cilium#10910"),
    ),
    KnownIssue(
        id="box-import-race",
        title="Two machines put the same disk image into libvirt's store at once.",
        errors=(ProviderError,),
        patterns=(
            r"storage volume '[^']+' exists already",
            r"Volume for domain is already created",
            r"Call to virStorageVolGetInfo failed: Storage volume not found",
        ),
        why="vagrant-libvirt uploads a box when its first machine is made, and machines that are"
        " made together all believe to be the first.",
        cure="Run `harness up` again: the image is there now. If it is half an image, remove it"
        " with `virsh vol-delete --pool default NAME`.",
        sources=(
            "reference/peers.md, lesson 5",
            "vagrant-libvirt/vagrant-libvirt#278",
            "vagrant-libvirt/vagrant-libvirt#825",
            "vagrant-libvirt/vagrant-libvirt#850",
        ),
    ),
    KnownIssue(
        id="machine-name-taken",
        title="A machine of this name exists, and Vagrant does not know that it made it.",
        errors=(ProviderError,),
        patterns=(
            r"A VirtualBox machine with the name '[^']+' already exists",
            r"of domain about to create is already taken",
            r"There is container on your system with the same name",
        ),
        why="An earlier run was ended between making the machine and recording it, or the"
        " workspace was removed by hand.",
        cure="Run `harness down --name CLUSTER`, which removes machines of the lab by their name;"
        " remove others with `virsh undefine` or `VBoxManage unregistervm --delete`.",
        sources=(
            "reference/peers.md, lesson 14",
            "hashicorp/vagrant#6878",
            "vagrant-libvirt/vagrant-libvirt#658",
        ),
    ),
    KnownIssue(
        id="box-not-found",
        title="Vagrant cannot find or fetch the box.",
        errors=(ProviderError,),
        patterns=(r"could not be found or could not be accessed in the remote catalog",),
        why="The registry of boxes does not answer, there is no network, or the name is wrong.",
        cure="Look at the URL in the message; where there is no network, add the box by hand"
        " (`vagrant box add FILE --name NAME`) or use the lab: `--provider lxc`.",
        sources=("reference/peers.md, lesson 7", "hashicorp/vagrant#13571", "k3s-io/k3s#11706"),
    ),
    KnownIssue(
        id="boot-timeout",
        title="A machine did not come up, or did not let Vagrant in, within its boot timeout.",
        errors=(ProviderError,),
        patterns=(r"Timed out while waiting for the machine to boot",),
        why="About one boot in ten on busy hosts; always, where virtualisation is emulated and"
        " sshd makes RSA keys, or where the guest has another address than Vagrant believes.",
        cure="Run `harness up` again, which makes only what is missing. If it is the same machine"
        " again, give the host more time or fewer machines, and look at its console.",
        sources=(
            "reference/peers.md, lesson 6",
            "reference/lab.md, Four ways to get a machine",
            "hashicorp/vagrant#13062",
            "hashicorp/vagrant#3802",
            "cilium/cilium#22504",
        ),
    ),
    KnownIssue(
        id="host-only-range",
        title="VirtualBox does not allow these addresses on a host-only network.",
        errors=(ProviderError,),
        patterns=(
            r"The IP address configured for the host-only network is not within the allowed ranges",
        ),
        why="Since 6.1.28 VirtualBox allows 192.168.56.0/21 alone, unless told otherwise.",
        cure="Take addresses from 192.168.56.0/21 in the group files, or write the range that you"
        " want into /etc/vbox/networks.conf, for example `* 192.168.2.0/24`.",
        sources=(
            "reference/peers.md, lesson 4",
            "techiescamp/vagrant-kubeadm-kubernetes#27",
            "kubernetes-sigs/sig-windows-dev-tools#183",
        ),
    ),
    KnownIssue(
        id="host-network-collision",
        title="The cluster's addresses are those of a network that this host is already in.",
        errors=(ProviderError,),
        patterns=(r"The specified host network collides with a non-hostonly network",),
        why="The host would have two ways to the same addresses, and the machines would be"
        " unreachable.",
        cure="Choose other addresses in the group files, or use the lab, whose network is nobody"
        " else's: `--provider lxc`.",
        sources=(
            "reference/peers.md, lesson 4",
            "hashicorp/vagrant#9461",
            "nextbreakpoint/kubernetes-playground#8",
        ),
    ),
    KnownIssue(
        id="lxc-bridge-not-found",
        title="LXC does not find the bridge of the cluster's network.",
        errors=(ProviderError,),
        patterns=(
            r"network device \"[^\"]+\" does not exist|Failed to attach \"veth\w+\" to bridge",
            r"Failed to create network device",
        ),
        why="LXC looks for bridges in /sys/class/net, which shows the network namespace in which"
        " /sys was mounted, not the one that the process is in.",
        cure="Run Vagrant and LXC through `harness` alone: it mounts the namespace's own /sys,"
        " with the host's cgroups in it. `harness down` removes what was begun otherwise.",
        sources=("reference/lab.md, A network of its own", "lxc/go-lxc#134"),
    ),
    KnownIssue(
        id="lxc-device-controller",
        title="LXC may not set which devices a machine can use.",
        errors=(ProviderError,),
        patterns=(
            r"Failed to set \"devices\.(?:deny|allow)\" to",
            r"cgfsng_setup_limits(?:_legacy)?: .*devices\.",
        ),
        why="LXC's own common.conf sets the device controller, which a host that is itself a"
        " container may not.",
        cure="Leave common.conf out of the box's lxc-config, as the lab's box does; rebuild a box"
        " of your own.",
        sources=("reference/lab.md, What the LXC machine needs", "lxc/lxc#4138"),
    ),
    KnownIssue(
        id="lxc-private-network",
        title="vagrant-lxc's private network cannot be set up on this host.",
        errors=(ProviderError,),
        patterns=(r"There was an error executing .*pipework",),
        why="Its script pipework looks for the machine in a cgroup tree that is mounted in one"
        " place and names machines as old LXC did.",
        cure="Give the address through LXC itself (`lxc.customize 'net.0.ipv4.address'`), as the"
        " harness's Vagrantfile does, and no private_network.",
        sources=(
            "reference/lab.md, What the LXC machine needs",
            "fgrehm/vagrant-lxc#356",
            "fgrehm/vagrant-lxc#417",
            "fgrehm/vagrant-lxc#484",
        ),
    ),
    KnownIssue(
        id="machine-not-running",
        title="A machine that `harness up` needs does not run any more.",
        errors=(PhaseError, NotReadyError),
        patterns=(r"(?m)^\S+ is (stopped|absent), says Vagrant$",),
        why="Somebody stopped or removed it meanwhile, the host ran out of memory or was itself"
        " started again.",
        cure="Run `harness up` again: it starts what is stopped and makes what is absent.",
        sources=("reference/peers.md, lesson 13",),
    ),
    KnownIssue(
        id="ssh-banner",
        title="sshd accepts connections and says nothing.",
        errors=(PhaseError,),
        patterns=(r"Error reading SSH protocol banner",),
        why="The machine still boots, is starved of processor time, or something else listens on"
        " that port.",
        cure="Run `harness up` again; if it stays so, look at the load of the host and of the"
        " machine (`systemctl status ssh` on its console).",
        sources=(
            "reference/peers.md, lesson 15",
            "paramiko/paramiko#1192",
            "gardenlinux/gardenlinux#2547",
        ),
    ),
    KnownIssue(
        id="ssh-host-key-changed",
        title="Another machine answers at this address than before.",
        errors=(PhaseError,),
        patterns=(r"the host key of \S+ has changed",),
        why="Vagrant gives addresses and ports out again. The harness forgets a host key when it"
        " makes a machine anew, so somebody else did, or another machine has this address.",
        cure="If the machine was made anew by hand, remove its line from the cluster's known_hosts,"
        " which the hint names; else find out who has the address.",
        sources=("reference/peers.md, lesson 15",),
    ),
    KnownIssue(
        id="ssh-key-refused",
        title="A machine refuses the cluster's key.",
        errors=(PhaseError,),
        patterns=(r"cannot log in with the cluster's key",),
        why="The Vagrantfile's provisioner did not run: Vagrant was stopped between booting the"
        " machine and exchanging the keys, or the box has another user than vagrant.",
        cure="Run `harness up` again, which provisions such a machine; if it is refused again,"
        " `harness down` and `harness up`.",
        sources=(
            "reference/peers.md, lesson 15",
            "hashicorp/vagrant#12751",
            "hashicorp/vagrant#11783",
        ),
    ),
)
