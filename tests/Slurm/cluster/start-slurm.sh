#!/bin/bash
# Start a real Slurm cluster of several emulated nodes on this one machine.
#
#   start-slurm.sh STATE_DIR [options]
#     --nodes N          emulated nodes                            (4)
#     --cpus N           CPUs declared per node, may exceed the hardware (4)
#     --gpus N           GPUs declared per node, 0 for none        (0)
#     --mem-mb N         memory declared per node                  (65536)
#     --job-user NAME    create this user for unprivileged jobs    (none: submit as root)
#     --share DIR        keep DIR common to all nodes although it is under /tmp; repeatable
#     --no-private-tmp   nodes share the machine's /tmp
#     --mpi-default T    srun's --mpi when none is given           (none)
#     --kill-wait S      seconds from SIGTERM to SIGKILL           (5; Slurm's default is 30)
#     --subnet A.B.C     the nodes' /24                            (10.77.0)
#     --port P           slurmctld's port; with --subnet, lets two clusters coexist (6817)
#     --timeout S        give up when the nodes are not idle by then (60)
#     --until-pid PID    stop and purge the cluster when that process is gone
#
# Needs root, no systemd, and the Debian packages named below. Exit code 77: this machine cannot run it, and why.
#
# Each node is a set of Linux namespaces (network, host name, mounts, PIDs, IPC): it has
# its own address, host name, boot id, process table, /tmp and /dev/shm, and the machine's file system for the
# rest, which so plays the shared storage.  Ending a node's first process ends all that runs on it.
# Everything is kept under STATE_DIR; nothing is written to /etc.  Calling it again with the
# same options on a running cluster does nothing; with other options the cluster is replaced.
set -euo pipefail

packages="slurmctld slurmd slurm-client munge iproute2 util-linux"
die() { echo "start-slurm: $*" >&2; exit 1; }
cannot() { echo "$*" >&2; exit 77; }
self=$(readlink -f "$0")
export PATH=$PATH:/usr/sbin:/sbin

# Inside a node: process 1 of its namespaces.  Arguments: name, address, state dir, private tmp (0/1), shared dirs.
if [ "${1:-}" = __node ]; then
    name=$2 addr=$3 state=$4 private_tmp=$5; shift 5
    home=$state/nodes/$name
    hostname "$name"
    mount --bind "$state/etc/hosts" /etc/hosts
    [ -d /etc/slurm ] && mount --bind "$state/etc" /etc/slurm       # jobs need no SLURM_CONF
    # A machine of its own is a boot of its own.
    cat /proc/sys/kernel/random/uuid >"$home/boot_id"
    mount --bind "$home/boot_id" /proc/sys/kernel/random/boot_id
    mount -t tmpfs -o mode=1777 tmpfs /dev/shm
    # A new sysfs shows this node's network interfaces; keep the machine's cgroup mounts on it.
    mkdir -p "$home/cgroup"
    mount --rbind /sys/fs/cgroup "$home/cgroup" && mount -t sysfs sysfs /sys &&
        { mount --rbind "$home/cgroup" /sys/fs/cgroup 2>/dev/null || true; }
    if [ "$private_tmp" = 1 ]; then
        for dir; do case $dir/ in /tmp/*/)
            mkdir -p "$home/tmp${dir#/tmp}"
            mount --bind "$dir" "$home/tmp${dir#/tmp}" ;;
        esac; done
        mount --rbind "$home/tmp" /tmp
    fi
    # The parent moves eth0 in; wait for it.
    for _ in $(seq 100); do ip link show eth0 >/dev/null 2>&1 && break; sleep 0.05; done
    ip link set lo up
    ip addr add "$addr/24" dev eth0
    ip link set eth0 up
    cd /
    export SLURM_CONF=$state/etc/slurm.conf
    slurmd -D -N "$name" </dev/null >"$state/log/$name.out" 2>&1 &
    echo $! >"$home/slurmd.pid"                                     # as numbered inside the node
    # Process 1 must reap orphans, and outlive slurmd (so that slurmd can be ended or restarted in tests).
    trap : TERM INT HUP
    while :; do wait || true; sleep 0.2; done
fi

# Boot one node of a running cluster again (env.sh's node_start).
if [ "${1:-}" = __start ]; then
    state=$2 i=$3; . "$(dirname "$self")/slurm-lib.sh"
    node_gone() { ! pid_of "$state/run/node$i.pid"; }
    wait_for 5 node_gone || die "node$i is running"
    start_node "$i"; exit
fi

# ---- arguments
[ $# -ge 1 ] || { sed -n '2,/^set -e/{/^#/s/^# \{0,1\}//p}' "$self"; exit 2; }
state=$1; shift
nodes=4 cpus=4 gpus=0 mem=65536 job_user= private_tmp=1 mpi=none kill_wait=5 subnet=10.77.0 port=6817 timeout=60 owner= share=()
options="$*"
while [ $# -gt 0 ]; do
    case $1 in
        --nodes) nodes=$2; shift 2 ;;         --cpus) cpus=$2; shift 2 ;;
        --gpus) gpus=$2; shift 2 ;;           --mem-mb) mem=$2; shift 2 ;;
        --job-user) job_user=$2; shift 2 ;;   --share) share+=("$(readlink -f "$2")"); shift 2 ;;
        --no-private-tmp) private_tmp=0; shift ;;
        --mpi-default) mpi=$2; shift 2 ;;     --kill-wait) kill_wait=$2; shift 2 ;;
        --subnet) subnet=$2; shift 2 ;;       --port) port=$2; shift 2 ;;
        --timeout) timeout=$2; shift 2 ;;     --until-pid) owner=$2; shift 2 ;;
        *) die "unknown option $1" ;;
    esac
done
[ "$(id -u)" = 0 ] || cannot "the emulated nodes are namespaces, which only root may make"
[[ $nodes =~ ^[1-9][0-9]*$ && $nodes -le 200 ]] || die "--nodes must be 1 to 200"
[[ $cpus =~ ^[1-9][0-9]*$ ]] || die "--cpus must be a positive number"
[[ $gpus =~ ^[0-9]+$ ]] || die "--gpus must be a number"
missing=()
for tool in slurmctld slurmd sinfo scontrol munged ip unshare nsenter setsid; do
    command -v $tool >/dev/null || missing+=("$tool")
done
[ ${#missing[@]} = 0 ] || cannot "$(IFS=,; echo "${missing[*]}") missing; apt-get install --no-install-recommends $packages"
unshare --net --uts --ipc --pid --mount --fork true 2>/dev/null || cannot "this machine allows no namespaces (a container without CAP_SYS_ADMIN?)"
case $state in /*) ;; *) state=$PWD/$state ;; esac
mkdir -p "$state"; state=$(readlink -f "$state")
[[ $state =~ ^[A-Za-z0-9_./+-]+$ ]] || die "no blanks or odd characters in STATE_DIR, please"
# Things are deleted below it, so it must be new, empty, or ours.
marker=.emulated-slurm
[ -e "$state/$marker" ] || [ -z "$(ls -A "$state")" ] || die "$state is neither empty nor from an earlier start"
touch "$state/$marker"

# ---- already running?
export SLURM_CONF=$state/etc/slurm.conf
. "$(dirname "$self")/slurm-lib.sh"
if [ -e "$state/run/slurmctld.pid" ] && all_alive "$state" && [ "$(cat "$state/run/options" 2>/dev/null)" = "$options" ] &&
   sinfo -h >/dev/null 2>&1; then
    echo "start-slurm: already running under $state"; exit 0
fi
"$(dirname "$self")/stop-slurm.sh" "$state" --quiet

# ---- files
rm -rf "$state"/{etc,ctld,run,dev,nodes,munge}
mkdir -p "$state"/{etc,ctld,run,dev,nodes,log,munge,shared}
chmod 755 "$state" "$state"/{etc,log,nodes,run}
chmod 711 "$state/munge"; chmod 1777 "$state/shared"
rm -f "$state"/log/*
bridge=sl$(printf %s "$state" | cksum | cut -d' ' -f1 | tail -c 8)     # one bridge per STATE_DIR
head_name=$(hostname -s) head_addr=$subnet.254
echo "$options" >"$state/run/options"
echo "$bridge" >"$state/run/bridge"

{   echo "127.0.0.1 localhost"
    echo "$head_addr $head_name"
    for i in $(seq "$nodes"); do echo "$subnet.$i node$i"; done
} >"$state/etc/hosts"

# A GPU needs a device file, else Slurm 22.05 drops it: twins of /dev/null do.
gres_types= gres_node=
if [ "$gpus" -gt 0 ]; then
    for i in $(seq 0 $((gpus - 1))); do mknod -m 666 "$state/dev/gpu$i" c 1 3; done
    last=$((gpus - 1)); range="[0-$last]"; [ "$last" = 0 ] && range=0
    echo "Name=gpu File=$state/dev/gpu$range" >"$state/etc/gres.conf"
    gres_types="GresTypes=gpu" gres_node="Gres=gpu:$gpus"
fi
echo "CgroupPlugin=cgroup/v1" >"$state/etc/cgroup.conf"                # passive; v2 would look for systemd

{   cat <<EOF
ClusterName=emulated
SlurmctldHost=$head_name($head_addr)
SlurmctldPort=$port
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$state/munge/socket,cred_expire=20
CredType=cred/munge
StateSaveLocation=$state/ctld
SlurmdSpoolDir=$state/nodes/%n/spool
TmpFS=$state/nodes/%n/tmp
SlurmctldPidFile=$state/run/slurmctld.own
SlurmdPidFile=$state/nodes/%n/slurmd.own
SlurmctldLogFile=$state/log/slurmctld.log
SlurmdLogFile=$state/log/%n.log
JobCompType=jobcomp/filetxt
JobCompLoc=$state/log/jobs.txt
# No hardware control: processes are followed through /proc, nothing is bound or limited.
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=5
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
MpiDefault=$mpi
MailProg=/bin/true
ReturnToService=2
# Quicker than the defaults, for tests (as is cred_expire: a requeued job waits for so long).
SchedulerParameters=batch_sched_delay=0,sched_interval=5,bf_interval=2
KillWait=$kill_wait
SlurmdTimeout=20
MessageTimeout=10
MinJobAge=3600
PropagateResourceLimits=NONE
$gres_types
EOF
    for i in $(seq "$nodes"); do
        echo "NodeName=node$i NodeAddr=$subnet.$i CPUs=$cpus Boards=1 SocketsPerBoard=1 CoresPerSocket=$cpus ThreadsPerCore=1 RealMemory=$mem $gres_node State=UNKNOWN"
    done
    echo "PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE OverSubscribe=NO State=UP"
} >"$state/etc/slurm.conf"

if [ -n "$job_user" ] && ! getent passwd "$job_user" >/dev/null; then
    useradd --system --create-home --home-dir "$state/home/$job_user" --shell /bin/bash "$job_user"
fi

# From here on a failure must not leave half a cluster behind.
trap 'status=$?; if [ $status != 0 ]; then echo "start-slurm: failed; last lines of the logs:" >&2; tail -n 5 "$state"/log/* >&2 || true; "$(dirname "$self")/stop-slurm.sh" "$state" --quiet; fi; exit $status' EXIT

# ---- network: a bridge on the machine, one veth pair per node
ip link add "$bridge" type bridge
ip addr add "$head_addr/24" dev "$bridge"
ip link set "$bridge" up

# ---- munge
(umask 077; head -c 1024 /dev/urandom >"$state/munge/key")
launch munged munged -F --key-file="$state/munge/key" --socket="$state/munge/socket" --num-threads=10 \
    --pid-file="$state/munge/own.pid" --log-file="$state/log/munged.log" --seed-file="$state/munge/seed"
wait_for 10 munge -S "$state/munge/socket" -n -o /dev/null || die "munged does not answer"

# ---- controller
launch slurmctld slurmctld -D
wait_for 20 scontrol_up || die "slurmctld does not answer"

# ---- nodes
printf '%s\n' "$state" ${share[@]+"${share[@]}"} >"$state/run/shared"
echo "$subnet $private_tmp" >"$state/run/net"
for i in $(seq "$nodes"); do start_node "$i" || die "node$i did not start"; done

# ---- a process that outlives a killed owner
[ -z "$owner" ] || launch reaper bash -c '. "$1/slurm-lib.sh"
    while [ "$(start_time "$2")" = "$3" ]; do sleep 1; done
    exec "$1/stop-slurm.sh" "$4" --purge --quiet' reaper "$(dirname "$self")" "$owner" "$(start_time "$owner")" "$state"

# ---- helpers for the user
cat >"$state/env.sh" <<EOF
# Source this to talk to the cluster: sinfo, sbatch, srun ...
export SLURM_CONF=$state/etc/slurm.conf
export SLURM_EMULATED=$state
. "$(dirname "$self")/slurm-lib.sh"
# on_node node2 CMD...: run a command inside a node, as root
on_node() { local pid; pid=\$(state=$state init_of "\$1") || return 1; shift; nsenter -t "\$pid" -a -- "\$@"; }
# node_link node2 down|up: cut or mend a node's cable
node_link() { ip link set "$bridge-\${1#node}" "\$2"; }
# node_crash node2: end everything that runs on a node at once; node_start node2: boot it again
node_crash() { local pid; pid=\$(pid_of "$state/run/\$1.pid") && kill -KILL "\$pid"; }
node_start() { "$self" __start "$state" "\${1#node}"; }
EOF

wait_for "$timeout" nodes_idle "$nodes" || die "nodes are not idle after $timeout s: $(sinfo -h -N -o '%N=%T(%E)' 2>&1 | tr '\n' ' ')"
trap - EXIT
echo "start-slurm: $nodes nodes up; . $state/env.sh to use it; shared storage: $state/shared"
