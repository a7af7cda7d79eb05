#!/bin/bash
# etcd-cluster.sh: a real etcd cluster on one machine, to be broken by tests.  Root only.
#
#   up [N]                  N members (3) and a client, each in a network of its own; waits until they serve
#   down                    everything ended and removed; may be repeated
#   endpoints               the members' URLs with commas between      url NODE   one of them
#   exec NODE CMD...        run CMD on NODE: n1..nN, or c, the client without a member
#   namespace NODE          the name of NODE's network namespace
#   ctl ARG...              etcdctl, from the client, against all members
#   leader                  the member that leads, or "none"           pid NODE   of its member
#   partition NODE [PEER]   nothing passes between NODE and the others (or only PEER)
#   oneway NODE             what NODE sends is lost; it still hears
#   loss NODE PERCENT       that share of its packets is lost, both ways
#   heal [NODE]             no packet is lost any more (of NODE; losses by chance and pairs: of all)
#   kill NODE / start NODE  SIGKILL to the member; start it again with what it had
#   start NODE ETCD         the same as another version of etcd, from now on
#   wipe                    all members killed, their data removed, all started: an empty store at the same place
#   pause NODE / resume NODE      SIGSTOP, SIGCONT
#   stickdisk NODE MS / unstick NODE   each fsync of the member takes MS longer, by strace
#   pki DIR [N]             a CA, certificates of n1..nN (valid for 127.0.0.1 as well) and of a client
#   newer DIR               etcd 3.5 of the next Debian, unpacked into DIR and not installed; use it by
#                           ETCD_BIN=DIR/usr/bin/etcd ETCDCTL_BIN=DIR/usr/bin/etcdctl
#
# The networks hang on a bridge in a namespace of its own, none has a default route: nothing leaves the machine.
# Labs of different LAB_NAME stand side by side and may use the same addresses.
# Environment: LAB_NAME (etcd), LAB_DIR (${TMPDIR:-/tmp}/gds-lab-$LAB_NAME), LAB_NET (10.77.0), and for `up`:
# LAB_TLS=1 (certificates are made, shown and demanded), LAB_HEARTBEAT_MS (100), LAB_ELECTION_MS (1000),
# LAB_ETCD_ARGS (more arguments of each member).  `exec`ed programs and members die with `down`.
set -euo pipefail

LAB_NAME=${LAB_NAME:-etcd}
LAB_DIR=${LAB_DIR:-${TMPDIR:-/tmp}/gds-lab-$LAB_NAME}
LAB_NET=${LAB_NET:-10.77.0}
ETCD=${ETCD_BIN:-/usr/bin/etcd}
ETCDCTL=${ETCDCTL_BIN:-/usr/bin/etcdctl}
SWITCH=gds-$LAB_NAME-sw

die() { echo "etcd-cluster: $*" >&2; exit 1; }

case $LAB_NAME in *[!A-Za-z0-9-]* | '') die "cannot use LAB_NAME '$LAB_NAME': letters, digits and - only";; esac

# What `up` was told holds for the verbs after it.
remembered() { cat "$LAB_DIR/$1" 2>/dev/null || echo "$2"; }
TLS=$(remembered tls "${LAB_TLS:-0}")
LAB_NET=$(remembered net "$LAB_NET")

namespace() { echo "gds-$LAB_NAME-$1"; }
count() { cat "$LAB_DIR/count" 2>/dev/null || die "cannot find lab $LAB_NAME: not up"; }
members() { seq -f 'n%g' "$(count)"; }
scheme() { if [ "$TLS" = 1 ]; then echo https; else echo http; fi; }
url() { echo "$(scheme)://$(address "$1"):2379"; }
endpoints() { local n; for n in $(members); do url "$n"; done | paste -s -d ,; }

address() {
    case $1 in
        c) echo "$LAB_NET.250";;
        n[1-9] | n[1-9][0-9]) echo "$LAB_NET.${1#n}";;
        *) die "cannot find node '$1': they are n1, n2, ... and c";;
    esac
}

# When a process was started, in ticks: field 22 of its stat, counted behind the name, which may hold anything.
birth() {
    local line f
    { line=$(cat "/proc/$1/stat"); } 2>/dev/null || return 1
    read -r -a f <<<"${line##*) }"
    [ "${f[0]}" != Z ] || return 1
    echo "${f[19]}"
}

record() { echo "$2 $(birth "$2")" >"$LAB_DIR/$1"; }

# The process recorded as $1, while it lives; a number that another one got since does not count.
recorded() {
    local pid born
    read -r pid born 2>/dev/null <"$LAB_DIR/$1" || return 1
    [ "$(birth "$pid")" = "$born" ] || return 1
    echo "$pid"
}

over() { local i; for i in $(seq 500); do birth "$1" >/dev/null || return 0; sleep 0.02; done; return 1; }
gone() { over "$1" || die "cannot end $1"; }
member() { recorded "$1.pid" || die "cannot find a running member on $1"; }

plug() {
    local ns
    ns=$(namespace "$1")
    ip netns add "$ns"
    ip -n "$ns" link set lo up
    ip link add "v-$1" netns "$SWITCH" type veth peer name eth0 netns "$ns"
    ip -n "$SWITCH" link set "v-$1" master br0 up
    ip -n "$ns" addr add "$(address "$1")/24" dev eth0
    ip -n "$ns" link set eth0 up
}

switch_up() {
    ip netns add "$SWITCH"
    ip -n "$SWITCH" link add br0 type bridge forward_delay 0 stp_state 0
    ip -n "$SWITCH" link set br0 up
    rules -f - <<-R
	table bridge lab {
	    set cut { type ifname; }
	    set mute { type ifname; }
	    set pairs { type ifname . ifname; }
	    chain chance { }
	    chain pass {
	        type filter hook forward priority 0;
	        iifname @cut drop
	        oifname @cut drop
	        iifname @mute drop
	        iifname . oifname @pairs drop
	        jump chance
	    }
	}
	R
}

rules() { ip netns exec "$SWITCH" nft "$@"; }

certificate() {             # DIR NAME SUBJECT ALTERNATIVES
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "$3" -keyout "$1/$2.key" -out "$1/$2.csr"
    openssl x509 -req -in "$1/$2.csr" -CA "$1/ca.crt" -CAkey "$1/ca.key" -CAcreateserial -days 2 \
        -extfile <(echo "subjectAltName=$4") -out "$1/$2.crt"
}

pki() {
    local n
    mkdir -p "$1"
    {
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=CA of $LAB_NAME" \
            -keyout "$1/ca.key" -out "$1/ca.crt"
        for n in $(seq -f 'n%g' "$2"); do certificate "$1" "$n" "/CN=$n" "DNS:$n,IP:127.0.0.1,IP:$(address "$n")"; done
        # No common name: with passwords on, etcd's JSON gateway answers 400 to a client certificate that has one.
        certificate "$1" client "/O=$LAB_NAME" DNS:client
    } 2>"$1/log" || { cat "$1/log" >&2; die "cannot make certificates in $1"; }
}

start() {                   # NODE new|existing
    local n=$1 all=() m tls=() s peers
    ! recorded "$n.pid" >/dev/null || return 0
    s=$(scheme)
    for m in $(members); do all+=("$m=$s://$(address "$m"):2380"); done
    peers=$(IFS=,; echo "${all[*]}")
    if [ "$TLS" = 1 ]; then
        m=$LAB_DIR/pki
        tls=(--cert-file="$m/$n.crt" --key-file="$m/$n.key" --trusted-ca-file="$m/ca.crt" --client-cert-auth
            --peer-cert-file="$m/$n.crt" --peer-key-file="$m/$n.key" --peer-trusted-ca-file="$m/ca.crt"
            --peer-client-cert-auth)
    fi
    # shellcheck disable=SC2046  # one word an argument
    ip netns exec "$(namespace "$n")" "$(remembered "$n.bin" "$(remembered bin "$ETCD")")" --name "$n" --data-dir "$LAB_DIR/data/$n" \
        --listen-peer-urls "$s://$(address "$n"):2380" --initial-advertise-peer-urls "$s://$(address "$n"):2380" \
        --listen-client-urls "$(url "$n")" --advertise-client-urls "$(url "$n")" \
        --initial-cluster "$peers" --initial-cluster-state "$2" --initial-cluster-token "$LAB_NAME" \
        $(cat "$LAB_DIR/args") ${tls[@]+"${tls[@]}"} </dev/null >>"$LAB_DIR/$n.log" 2>&1 &
    record "$n.pid" $!
}

ctl() {
    local tls=()
    [ "$TLS" != 1 ] || tls=(--cacert "$LAB_DIR/pki/ca.crt" --cert "$LAB_DIR/pki/client.crt" --key "$LAB_DIR/pki/client.key")
    ETCDCTL_API=3 ip netns exec "$(namespace c)" "$ETCDCTL" --endpoints "$(endpoints)" ${tls[@]+"${tls[@]}"} "$@"
}

up() {
    local n=${1:-3} i
    [ "$(id -u)" = 0 ] || die "cannot make network namespaces: not root"
    if [ -e "$LAB_DIR/ready" ] && [ -e "/run/netns/$SWITCH" ]; then
        for i in $(members); do start "$i" existing; done
    else
        down                # half of one is no cluster
        TLS=${LAB_TLS:-0}
        mkdir -p "$LAB_DIR/data"
        chmod 700 "$LAB_DIR" "$LAB_DIR/data"
        echo "$n" >"$LAB_DIR/count"
        echo "$TLS" >"$LAB_DIR/tls"
        echo "$LAB_NET" >"$LAB_DIR/net"
        echo "$ETCD" >"$LAB_DIR/bin"
        echo "--heartbeat-interval ${LAB_HEARTBEAT_MS:-100} --election-timeout ${LAB_ELECTION_MS:-1000}" \
            "${LAB_ETCD_ARGS:-}" >"$LAB_DIR/args"
        switch_up
        for i in $(members) c; do plug "$i"; done
        [ "$TLS" != 1 ] || pki "$LAB_DIR/pki" "$n"
        for i in $(members); do start "$i" new; done
    fi
    healthy
    : >"$LAB_DIR/ready"
    endpoints
}

healthy() {
    local i
    for i in $(seq 150); do
        ! ctl endpoint health >/dev/null 2>&1 || return 0
        sleep 0.1
    done
    tail -n 5 "$LAB_DIR"/*.log >&2
    die "cannot bring up lab $LAB_NAME: not healthy after 15 s, last words above"
}

stop() { kill -KILL "$1"; gone "$1"; }

wipe() {
    local n pid
    for n in $(members); do ! pid=$(recorded "$n.pid") || stop "$pid"; done
    for n in $(members); do rm -rf "$LAB_DIR/data/$n"; done
    for n in $(members); do start "$n" new; done
    healthy
}

down() {
    local f pid ns
    for f in "$LAB_DIR"/*.strace "$LAB_DIR"/*.pid; do
        ! pid=$(recorded "${f##*/}") || stop "$pid"
    done
    for ns in $(ip netns list | awk '{ print $1 }' | grep -xE "gds-$LAB_NAME-(n[0-9]+|c|sw)"); do
        for pid in $(ip netns pids "$ns"); do kill -KILL "$pid" 2>/dev/null || true; done
        ip netns del "$ns"
    done
    rm -rf "$LAB_DIR"
}

heal() {
    local set
    for set in cut mute; do
        if [ $# -eq 0 ]; then rules flush set bridge lab $set
        else rules delete element bridge lab $set "{ v-$1 }" 2>/dev/null || true; fi    # it may not be in it
    done
    rules flush set bridge lab pairs
    rules flush chain bridge lab chance
}

leader() {
    # The highest term counts: one that was cut off may still think that it leads.
    { ctl --command-timeout=1s --dial-timeout=1s endpoint status -w simple 2>/dev/null || true; } |
        awk -F ', *' '$5 == "true" && $7 > term { term = $7; split($1, part, /[.:\/]+/); n = "n" part[5] }
                      END { print n ? n : "none" }'
}

stick() {
    strace -f -qq -o /dev/null -e trace=fsync,fdatasync -e "inject=fsync,fdatasync:delay_enter=$(($2 * 1000))" \
        -p "$(member "$1")" </dev/null >/dev/null 2>&1 &
    local tracer=$! i
    record "$1.strace" $tracer
    for i in $(seq 500); do
        grep -q "^TracerPid:[[:space:]]*$tracer$" "/proc/$(member "$1")/status" && return
        birth $tracer >/dev/null || break
        sleep 0.02
    done
    die "cannot trace the member on $1: strace failed"
}

unstick() {
    local pid
    # a strace whose member was killed under it sleeps until its delay is over
    ! pid=$(recorded "$1.strace") || { kill "$pid"; over "$pid" || { kill -9 "$pid"; gone "$pid"; }; }
    rm -f "$LAB_DIR/$1.strace"
}

# The machine's own source with another suite, and lists of its own: nothing of the machine's apt is changed.
newer() {
    local dir apt
    mkdir -p "$1/lists/partial"
    dir=$(readlink -f "$1")
    awk 'BEGIN { RS = ""; ORS = "\n\n" } NR == 1' /etc/apt/sources.list.d/debian.sources |
        sed 's/^Suites:.*/Suites: trixie/' >"$dir/debian.sources"
    apt=(apt-get -qq -o "Dir::Etc::sourcelist=$dir/debian.sources" -o Dir::Etc::sourceparts=- -o "Dir::State::lists=$dir/lists")
    "${apt[@]}" update
    (cd "$dir" && "${apt[@]}" -o APT::Sandbox::User=root download etcd-server etcd-client && for f in ./*.deb; do dpkg -x "$f" .; done)
    "$dir/usr/bin/etcd" --version | head -n 1
}

VERB=${1:-help}; [ $# -eq 0 ] || shift
need() { [ "$1" -ge "$2" ] || die "cannot understand $VERB: see $0 without arguments"; }
case $VERB in
    up | heal | ctl) "$VERB" "$@";;
    down | endpoints | leader | wipe) "$VERB";;
    url | namespace | member) need $# 1; "$VERB" "$1";;
    pid) need $# 1; member "$1";;
    exec) need $# 2; n=$1; shift; exec ip netns exec "$(namespace "$n")" "$@";;
    partition)
        need $# 1
        if [ $# -eq 1 ]; then rules add element bridge lab cut "{ v-$1 }"
        else rules add element bridge lab pairs "{ v-$1 . v-$2, v-$2 . v-$1 }"; fi;;
    oneway) need $# 1; rules add element bridge lab mute "{ v-$1 }";;
    loss)
        need $# 2
        for way in iifname oifname; do rules add rule bridge lab chance $way "v-$1" numgen random mod 100 "<" "$2" drop; done;;
    kill) need $# 1; stop "$(member "$1")";;
    start) need $# 1; [ $# -eq 1 ] || echo "$2" >"$LAB_DIR/$1.bin"; start "$1" existing;;
    pause) need $# 1; kill -STOP "$(member "$1")";;
    resume) need $# 1; kill -CONT "$(member "$1")";;
    stickdisk) need $# 2; stick "$@";;
    unstick) need $# 1; unstick "$1";;
    pki) need $# 1; pki "$1" "${2:-1}";;
    newer) need $# 1; newer "$1";;
    *) sed -n 2,28p "$0" | sed 's/^# \{0,1\}//'; exit 2;;
esac
