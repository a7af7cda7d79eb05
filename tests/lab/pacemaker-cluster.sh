#!/bin/bash
# pacemaker-cluster.sh: a throw-away Corosync and Pacemaker cluster on one machine, to be broken by tests.  Root only.
#
#   pacemaker-cluster.sh [-n NAME] up [N] [--agent FILE] [--fence]
#                                           N nodes p1 to pN (default 2) online, within half a minute; may be repeated.
#                                           FILE becomes ocf:gds:app in them; --fence: nodes are fenced by power cuts
#   pacemaker-cluster.sh [-n NAME] status   crm_mon from the first node that runs
#   pacemaker-cluster.sh [-n NAME] exec NODE CMD [ARG...]   run in NODE; passes its exit status
#   pacemaker-cluster.sh [-n NAME] crash NODE | boot NODE   cut its power | start it again (it keeps what it knew)
#   pacemaker-cluster.sh [-n NAME] partition NODE [PEER]    no frame between NODE and PEER, or anybody
#   pacemaker-cluster.sh [-n NAME] oneway NODE | heal       NODE is not heard any more | everybody hears everybody
#   pacemaker-cluster.sh [-n NAME] pause NODE | resume NODE SIGSTOP, SIGCONT to every process of NODE: a machine that hangs
#   pacemaker-cluster.sh [-n NAME] nodepid NODE             the pid, seen from outside, of the node's first process
#   pacemaker-cluster.sh [-n NAME] down                     end and remove everything; may be repeated
#
# A node has its own network, mount, pid, uts and ipc namespaces, a cgroup of its own, and its own /run, /dev/shm,
# /proc, /etc/corosync, /etc/hosts, /var/lib/{pacemaker,corosync,gds} and logs; the rest is the machine's.
# SIGKILL to the first process of a pid namespace ends the whole node at once, as a power cut does.  The switch is a
# bridge in a namespace of its own, without a route to anywhere.  Several labs of different NAMEs do not know each
# other.  Environment: TOKEN_MS, Corosync's token (1000).  PATH is handed on to the nodes.
# Needs iproute2, nftables, util-linux, corosync, pacemaker: tests/lab/install.sh pacemaker.
set -euo pipefail

NAME=gds
if [ "${1:-}" = -n ]; then NAME=$2; shift 2; fi
VERB=${1:-help}; [ $# -eq 0 ] || shift
SELF=$(readlink -f "$0")
LAB=${GDS_LAB_DIR:-/var/tmp}/gds-pacemaker-$NAME
SWITCH=gdspcm-$NAME-switch
SYSTEM_PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

die() { echo "pacemaker-cluster: $*" >&2; exit 1; }
nodes() { local i; for i in $(seq 1 "$(cat "$LAB/count" 2>/dev/null || echo 0)"); do echo "p$i"; done; }
namespace() { echo "gdspcm-$NAME-$1"; }
known() { [ -d "$LAB/${1:-none}" ] || die "cannot find node ${1:-} of lab $NAME: it has$(printf ' %s' $(nodes))"; }
started_at() { local line; line=$(cat "/proc/$1/stat" 2>/dev/null) || return 1; set -- ${line##*) }; echo "${20}"; }
state_of() { local line; line=$(cat "/proc/$1/stat" 2>/dev/null) || return 1; set -- ${line##*) }; echo "$1"; }
keep() { echo "$2 $(started_at "$2")" >"$LAB/$1.pid"; }

# The pid that was recorded, when it is still that very process.
recorded() {
    local pid start
    read -r pid start 2>/dev/null <"$LAB/$1.pid" || return 1
    [ -n "$start" ] && [ "$(started_at "$pid")" = "$start" ] && [[ $(state_of "$pid") != [ZX] ]] || return 1
    echo "$pid"
}

inside() {
    local node=$1 pid
    shift
    pid=$(recorded "$node") || die "cannot reach $node: it is down"
    (
        echo 0 >"$(cgroups)/$node/cgroup.procs" 2>/dev/null || true          # a node that is frozen or just ended
        exec nsenter -t "$pid" -m -u -i -n -p -- env LC_ALL=C.UTF-8 "$@"
    )
}

cgroups() {
    local mount
    mount=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
    [ -n "$mount" ] || die "cannot find a cgroup v2 hierarchy: mount one"
    echo "$mount/gds-pacemaker-$NAME"
}

rules() { ip netns exec "$SWITCH" nft "$@"; }

make_network() {
    local node
    ip netns add "$SWITCH"
    ip -n "$SWITCH" link add hub type bridge forward_delay 0 stp_state 0
    ip -n "$SWITCH" link set hub up
    rules -f - <<'RULES'
table bridge lab {
  set cut { type ifname; }
  set mute { type ifname; }
  set pairs { type ifname . ifname; }
  chain forward {
    type filter hook forward priority 0;
    iifname @cut drop
    oifname @cut drop
    iifname @mute drop
    iifname . oifname @pairs drop
  }
}
RULES
    for node in $(nodes); do
        ip netns add "$(namespace "$node")"
        ip link add "port-$node" netns "$SWITCH" type veth peer name eth0 netns "$(namespace "$node")"
        ip -n "$SWITCH" link set "port-$node" master hub up
        ip -n "$(namespace "$node")" link set lo up
        ip -n "$(namespace "$node")" addr add "10.78.0.${node#p}/24" dev eth0
        ip -n "$(namespace "$node")" link set eth0 up
    done
}

write_configuration() {
    local node two=""
    [ "$(cat "$LAB/count")" != 2 ] || two="two_node: 1"
    {
        echo "totem {
  version: 2
  cluster_name: gds-$NAME
  transport: knet
  crypto_cipher: none
  crypto_hash: none
  token: ${TOKEN_MS:-1000}
}
system {
  sched_rr: no
  move_to_root_cgroup: no
}
quorum {
  provider: corosync_votequorum
  $two
}
logging {
  to_syslog: no
  to_logfile: yes
  logfile: /var/log/corosync/corosync.log
  timestamp: hires
}
nodelist {"
        for node in $(nodes); do
            printf '  node {\n    nodeid: %d\n    name: %s\n    ring0_addr: 10.78.0.%d\n  }\n' "${node#p}" "$node" "${node#p}"
        done
        echo '}'
    } >"$LAB/corosync.conf"
    { echo "127.0.0.1 localhost"; for node in $(nodes); do echo "10.78.0.${node#p} $node"; done; } >"$LAB/hosts"
}

# PID 1 of a node.
first_process() {
    local node=$1 own=$LAB/$1 each pid
    read -r pid each </proc/self/stat               # still the machine's /proc, which knows us by our number outside
    mount --make-rprivate /
    mount -t proc proc /proc
    mount -t cgroup2 cgroup2 /sys/fs/cgroup         # ip netns gave us a /sys of our own, without it
    hostname "$node"
    for each in pacemaker corosync gds; do
        mkdir -p "/var/lib/$each"
        mount --bind "$own/lib-$each" "/var/lib/$each"
    done
    mount --bind "$own/log-pacemaker" /var/log/pacemaker
    mount --bind "$own/log-corosync" /var/log/corosync
    mount --bind "$own/etc-corosync" /etc/corosync
    mount --bind "$LAB/hosts" /etc/hosts
    mount -t overlay -o "lowerdir=$LAB/sbin:/usr/sbin" overlay /usr/sbin
    mount -t overlay -o "lowerdir=$LAB/ocf:/usr/lib/ocf/resource.d" overlay /usr/lib/ocf/resource.d
    mount -t tmpfs -o mode=1777 tmpfs /dev/shm
    mount -t tmpfs -o mode=755 tmpfs /run
    mkdir -p /run/lock /run/crm /run/resource-agents
    chmod 1777 /run/lock
    chown hacluster:haclient /run/crm
    chmod 750 /run/crm
    export PATH="$PATH:$SYSTEM_PATH"
    export PCMK_logfile=/var/log/pacemaker/pacemaker.log PCMK_logpriority=notice PCMK_logfacility=none
    echo "$pid" >"$own/born"
    corosync -f </dev/null >"$own/log-corosync/stdout" 2>&1 &
    for each in $(seq 200); do ! corosync-cfgtool -s >/dev/null 2>&1 || break; sleep 0.05; done
    pacemakerd -f </dev/null >"$own/log-pacemaker/stdout" 2>&1 &
    trap 'exit 0' TERM
    while :; do wait -n 2>/dev/null || sleep 1; done
}

boot() {
    local node=$1 own=$LAB/$1 each cgroup
    ! recorded "$node" >/dev/null || return 0
    mkdir -p "$own"/{log-pacemaker,log-corosync,etc-corosync,lib-corosync,lib-gds} "$own"/lib-pacemaker/{cib,pengine,blackbox,cores}
    chown -R hacluster:haclient "$own/lib-pacemaker" "$own/log-pacemaker"
    chmod 750 "$own/lib-pacemaker" "$own"/lib-pacemaker/*
    cp "$LAB/corosync.conf" "$own/etc-corosync/corosync.conf"
    rm -f "$own/born"
    cgroup=$(cgroups)/$node
    mkdir -p "$cgroup"
    (
        echo 0 >"$cgroup/cgroup.procs"
        exec setsid ip netns exec "$(namespace "$node")" unshare --mount --uts --ipc --pid --fork --kill-child \
            "$SELF" -n "$NAME" __first_process "$node"
    ) </dev/null >"$own/console" 2>&1 &
    for each in $(seq 500); do [ ! -s "$own/born" ] || break; sleep 0.02; done
    [ -s "$own/born" ] || { cat "$own/console" >&2; die "cannot start $node; its console says no more than this"; }
    keep "$node" "$(cat "$own/born")"
}

crash() {
    local pid
    pid=$(recorded "$1") || return 0
    kill -KILL "$pid" 2>/dev/null || true
    while recorded "$1" >/dev/null; do sleep 0.01; done
}

# Fencing: the agent runs in another node and asks, through a directory, the loop below, which cuts the power.
write_fence_agent() {
    mkdir -p "$LAB/fence"
    chmod 777 "$LAB/fence"
    cat >"$LAB/sbin/fence_gds_lab" <<FENCE
#!/bin/bash
asked=$LAB/fence
while read -r line; do case \$line in action=*) action=\${line#*=};; port=*|nodename=*) port=\${line#*=};; esac; done
case \${action:-} in
    metadata) cat <<'XML'
<?xml version="1.0" ?>
<resource-agent name="fence_gds_lab" shortdesc="Cuts the power of a node of the lab">
<longdesc>Ends the first process of a node.</longdesc>
<parameters>
<parameter name="action" unique="0" required="0"><content type="string" default="reboot"/><shortdesc lang="en">action</shortdesc></parameter>
<parameter name="port" unique="0" required="0"><content type="string"/><shortdesc lang="en">node</shortdesc></parameter>
</parameters>
<actions><action name="on"/><action name="off"/><action name="reboot"/><action name="status"/><action name="monitor"/><action name="metadata"/><action name="list"/></actions>
</resource-agent>
XML
    ;;
    off|reboot)
        : >"\$asked/\$port.asked"
        for i in \$(seq 200); do [ ! -e "\$asked/\$port.done" ] || { rm -f "\$asked/\$port.done"; exit 0; }; sleep 0.05; done
        exit 1;;
    list) printf '%s\n' $(nodes | paste -s -d ' ');;
    *) exit 0;;
esac
FENCE
    chmod 755 "$LAB/sbin/fence_gds_lab"
    setsid "$SELF" -n "$NAME" __power </dev/null >"$LAB/power.log" 2>&1 &
    keep power "$!"
}

power() {
    local each node
    while [ -e "$LAB/count" ]; do
        for each in "$LAB"/fence/*.asked; do
            [ -e "$each" ] || continue
            node=$(basename "$each" .asked)
            rm -f "$each"
            crash "$node"
            : >"$LAB/fence/$node.done"
        done
        sleep 0.05
    done
}

online() { inside p1 crm_mon -1 -X 2>/dev/null | grep -c '<node .*online="true".*pending="false"' || true; }

up() {
    local count=2 agent="" fence=false node end=$((SECONDS + 90))
    while [ $# -gt 0 ]; do
        case $1 in
            --agent) agent=$(readlink -f "$2"); shift 2;;
            --fence) fence=true; shift;;
            [1-9]) count=$1; shift;;
            *) die "cannot use $1: up [N] [--agent FILE] [--fence]";;
        esac
    done
    if [ ! -e "$LAB/count" ]; then
        mkdir -p "$LAB/sbin" "$LAB/ocf/gds"
        chmod 755 "$LAB"
        echo "$count" >"$LAB/count"
        [ -z "$agent" ] || ln -s "$agent" "$LAB/ocf/gds/app"
        for node in $(nodes); do mkdir -p "$LAB/$node"; done
        mkdir -p "$(cgroups)"
        make_network
        write_configuration
        ! $fence || write_fence_agent
    fi
    for node in $(nodes); do boot "$node"; done
    # A cluster that has not elected anybody yet waits this long before it does; nobody else will come here.
    while [ "$(online)" != "$(cat "$LAB/count")" ]; do
        for node in $(nodes); do recorded "$node" >/dev/null || die "cannot bring up lab $NAME: $node has ended; see $LAB/$node"; done
        [ $SECONDS -lt $end ] || die "cannot bring up lab $NAME: not all nodes are online after 90 s; see $LAB"
        sleep 0.2
    done
    if [ ! -e "$LAB/ready" ]; then
        inside p1 crm_attribute --type crm_config --name stonith-enabled --update "$([ ! -d "$LAB/fence" ] && echo false || echo true)"
        # Two that were cut off from each other must not both be shot: p1 goes at once, the others five seconds later.
        [ ! -d "$LAB/fence" ] || inside p1 cibadmin -o resources -C -X "<primitive id='power' class='stonith' type='fence_gds_lab'>
            <instance_attributes id='power-delay'><nvpair id='power-delay-base' name='pcmk_delay_base'
                value='p1:0$(for node in $(nodes); do [ "$node" = p1 ] || printf ';%s:5' "$node"; done)'/></instance_attributes>
            </primitive>"
        : >"$LAB/ready"
    fi
    echo "up: $(cat "$LAB/count") nodes"
}

down() {
    local node pid top
    [ -e "$LAB/count" ] || return 0
    for node in $(nodes); do crash "$node"; done
    if pid=$(recorded power); then kill -KILL "$pid"; fi
    for node in switch $(nodes); do
        ! ip netns list | grep -qw "$(namespace "$node")" || ip netns del "$(namespace "$node")"
    done
    top=$(cgroups)          # what was frozen or is ending still holds it
    for _ in $(seq 100); do
        [ -d "$top" ] || break
        find "$top" -depth -type d -exec rmdir {} + 2>/dev/null || sleep 0.05
    done
    rm -rf "$LAB"
}

signal_all() { inside "$1" bash -c "kill -$2 -1"; }

case $VERB in
    up) up "$@";;
    down) down;;
    status)
        for node in $(nodes); do
            if recorded "$node" >/dev/null; then inside "$node" crm_mon -1; exit; fi
        done
        die "cannot ask lab $NAME: no node of it runs";;
    exec) known "$1"; inside "$@";;
    crash) known "$1"; crash "$1";;
    boot) known "$1"; boot "$1";;
    partition)
        known "$1"
        if [ -n "${2:-}" ]; then
            known "$2"
            rules add element bridge lab pairs "{ port-$1 . port-$2, port-$2 . port-$1 }"
        else
            rules add element bridge lab cut "{ port-$1 }"
        fi;;
    oneway) known "$1"; rules add element bridge lab mute "{ port-$1 }";;
    heal) for each in cut mute pairs; do rules flush set bridge lab $each; done;;
    pause) known "$1"; signal_all "$1" STOP;;
    resume) known "$1"; signal_all "$1" CONT;;
    nodepid) known "$1"; recorded "$1";;
    __first_process) first_process "$1";;
    __power) power;;
    *) sed -n '2,21p' "$SELF" | sed 's/^# \{0,1\}//'; exit 2;;
esac
