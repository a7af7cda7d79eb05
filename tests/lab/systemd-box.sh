#!/bin/bash
# systemd-box.sh: a real systemd as PID 1 of private namespaces, on a machine whose own
# PID 1 may be anything.  Root only; no container engine.  Each verb may be repeated.
#
#   systemd-box.sh [-n NAME] up [--bind SRC[:DST]]...   boot (about a second); prints PID 1
#   systemd-box.sh [-n NAME] exec CMD [ARG...]          run in the box, beside systemd; passes rc
#   systemd-box.sh [-n NAME] status                     "up PID", or "down" and exit status 3
#   systemd-box.sh [-n NAME] console                    what PID 1 wrote
#   systemd-box.sh [-n NAME] down                       power off; SIGKILL if that takes 20 s
#
# The box has
#  * as root an overlay of the machine's / on a tmpfs: all that is installed outside is usable
#    inside, and what the box writes is gone after `down`.  Directories given by --bind are the
#    real ones.  /tmp, /run and /dev are its own;
#  * its own processes, users' messages, host name, network (lo only) and cgroups: /sys/fs/cgroup
#    is cgroup v2 with the controllers, perhaps none, that the machine's own v2 hierarchy has;
#  * none of the machine's enabled services: only basic.target and D-Bus.
set -euo pipefail

NAME=gds
if [ "${1:-}" = -n ]; then NAME=$2; shift 2; fi
VERB=${1:-help}; [ $# -eq 0 ] || shift
HERE=$(cd "$(dirname "$0")" && pwd)
LAB=/run/gds-testlab
STATE=$LAB/$NAME
SYSTEM_PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

die() { echo "systemd-box: $*" >&2; exit 1; }

# Field $2 of /proc/$1/stat, counted as proc(5) does; the name in field 2 may hold anything.
stat_field() {
    local line f
    line=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
    read -r -a f <<<"${line##*) }"
    echo "${f[$2 - 3]}"
}

# The box's PID 1 as seen from outside.  A number that another process got since does not count.
box_pid() {
    local pid start
    read -r pid start 2>/dev/null <"$STATE/pid" || return 1
    [ "$(stat_field "$pid" 22)" = "$start" ] && [ "$(stat_field "$pid" 3)" != Z ] || return 1
    echo "$pid"
}

cgroup() {
    local mnt
    mnt=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
    if [ -z "$mnt" ]; then
        mnt=$LAB/.cgroup2
        mkdir -p "$mnt"
        mount -t cgroup2 cgroup2 "$mnt" || die "cannot mount cgroup2: root with CAP_SYS_ADMIN is needed"
    fi
    echo "$mnt/gds-testbox-$NAME"
}

# PID 1 of the new namespaces, until systemd takes its place.
inner() {
    local cg=$1 new=$STATE/t/root spec src dst d
    shift
    echo 0 >"$cg/cgroup.procs"
    mount --make-rprivate /
    mount -t tmpfs -o size=2g tmpfs "$STATE/t"
    mkdir -p "$STATE/t/upper" "$STATE/t/work" "$STATE/t/proc" "$new"
    mount -t overlay overlay -o "lowerdir=/,upperdir=$STATE/t/upper,workdir=$STATE/t/work" "$new"
    mount -t proc proc "$new/proc"
    mount --bind "$new/proc/sys" "$new/proc/sys"
    mount -o remount,bind,ro "$new/proc/sys"
    mount -t sysfs -o ro sysfs "$new/sys"
    mount -t tmpfs -o mode=755 tmpfs "$new/dev"
    for d in null zero full random urandom tty fuse; do
        [ -e /dev/$d ] || continue
        : >"$new/dev/$d"
        mount --bind /dev/$d "$new/dev/$d"
    done
    mkdir -p "$new/dev/pts" "$new/dev/shm" "$new/dev/mqueue"
    mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts "$new/dev/pts"
    ln -s pts/ptmx "$new/dev/ptmx"
    ln -s /proc/self/fd "$new/dev/fd"
    for d in 0:stdin 1:stdout 2:stderr; do ln -s "/proc/self/fd/${d%%:*}" "$new/dev/${d#*:}"; done
    mount -t tmpfs -o mode=1777 tmpfs "$new/dev/shm"
    mount -t tmpfs -o mode=755 tmpfs "$new/run"
    mount -t tmpfs -o mode=1777 tmpfs "$new/tmp"
    for spec in "$@"; do
        src=${spec%%:*}
        dst=${spec#*:}
        mkdir -p "$new$dst"
        mount --rbind "$src" "$new$dst"
    done

    rm -rf "$new"/etc/systemd/system/*.wants "$new"/etc/systemd/system/*.requires "$new"/etc/systemd/system/gds*
    echo "$NAME" >"$new/etc/hostname"
    : >"$new/etc/fstab"
    tr -d - </proc/sys/kernel/random/uuid >"$new/etc/machine-id"
    for d in systemd-timesyncd.service systemd-pstore.service e2scrub_reap.service systemd-udevd.service \
             systemd-udev-trigger.service sys-kernel-debug.mount sys-kernel-tracing.mount dev-hugepages.mount; do
        ln -sf /dev/null "$new/etc/systemd/system/$d"
    done
    # The journal of a test run is read at once and by many greps: no rate limit, in memory only.
    mkdir -p "$new/etc/systemd/journald.conf.d"
    printf '[Journal]\nStorage=volatile\nRateLimitBurst=0\n' >"$new/etc/systemd/journald.conf.d/box.conf"
    printf '[Unit]\n%s\n%s\n' 'Requires=basic.target dbus.service' 'After=basic.target dbus.service' \
        >"$new/etc/systemd/system/box.target"
    ln -sf box.target "$new/etc/systemd/system/default.target"
    hostname "$NAME"
    ip link set lo up

    # The second half has a cgroup namespace of its own, in which the box's cgroup is "/".
    # shellcheck disable=SC2016  # expanded by the second half
    exec unshare --cgroup bash -c '
        set -e
        mount -t cgroup2 cgroup2 "$1/sys/fs/cgroup"
        cd "$1"
        mkdir run/.old
        pivot_root . run/.old
        umount -l /run/.old
        rmdir /run/.old
        exec env -i container=gds-testbox LANG=C.UTF-8 PATH="$2" \
            /lib/systemd/systemd --show-status=1 --log-level=info </dev/null
    ' _ "$new" "$SYSTEM_PATH"
}

# enter PID CMD...: in the box's namespaces, in its init.scope.
enter() {
    local pid=$1
    shift
    # --no-fork under a plain sh: nsenter copies a stop of its child onto itself, the box's shutdown
    # sends SIGSTOP to all, and an nsenter stopped for good would keep the namespaces alive.
    nsenter --no-fork -t "$pid" --mount --uts --ipc --net --pid --cgroup --root --wdns=/ -- \
        env -i HOME=/root LANG=C.UTF-8 PATH="$SYSTEM_PATH" sh -c '
            sh -c "echo 0 2>/dev/null >/sys/fs/cgroup/init.scope/cgroup.procs; exec \"\$@\"" _ "$@"
            exit $?' _ "$@"
}

up() {
    local binds=() spec pid outer cg state
    while [ $# -gt 0 ]; do
        if [ "$1" != --bind ] || [ $# -lt 2 ]; then die "cannot understand $1: up takes --bind SRC[:DST]"; fi
        spec=$2
        [[ $spec == *:* ]] || spec=$spec:$spec
        [ -d "${spec%%:*}" ] || die "cannot bind ${spec%%:*}: no such directory"
        binds+=("$spec")
        shift 2
    done
    if pid=$(box_pid); then echo "up $pid"; return; fi
    [ "$(id -u)" = 0 ] || die "cannot make namespaces: not root"
    "$HERE/install.sh" systemd
    rm -rf "$STATE"
    mkdir -p "$STATE/t"
    cg=$(cgroup)
    mkdir -p "$cg" || die "cannot make $cg: cgroup v2 is read-only here"
    setsid unshare --mount --pid --uts --ipc --net --fork -- bash "$0" -n "$NAME" __inner "$cg" "${binds[@]}" \
        >"$STATE/console" 2>&1 </dev/null &
    outer=$!
    pid=
    for _ in $(seq 400); do
        pid=$(cat "/proc/$outer/task/$outer/children" 2>/dev/null || true)
        pid=${pid%% *}
        [ -n "$pid" ] && [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = systemd ] && break
        [ -d "/proc/$outer" ] || { cat "$STATE/console" >&2; rmdir "$cg" || true; die "cannot boot: see above"; }
        sleep 0.05
    done
    [ -n "$pid" ] || die "cannot boot: no systemd after 20 s"
    echo "$pid $(stat_field "$pid" 22)" >"$STATE/pid"
    for _ in $(seq 400); do
        enter "$pid" test -S /run/systemd/private 2>/dev/null && break
        sleep 0.05
    done
    state=$(enter "$pid" systemctl is-system-running --wait) || true
    case $state in
        running) ;;
        degraded) enter "$pid" systemctl --failed --no-legend --plain >&2 || true;;     # a foreign unit; usable
        *) die "cannot boot: state $state";;
    esac
    echo "up $pid"
}

down() {
    local pid cg
    if pid=$(box_pid); then
        kill -RTMIN+4 "$pid" || true                    # systemd(1): start poweroff.target
        for _ in $(seq 200); do box_pid >/dev/null || break; sleep 0.1; done
        if box_pid >/dev/null; then kill -KILL "$pid"; fi
        for _ in $(seq 100); do box_pid >/dev/null || break; sleep 0.1; done
    fi
    cg=$(cgroup)
    if [ -d "$cg" ]; then
        echo 1 >"$cg/cgroup.kill" 2>/dev/null || true
        for _ in $(seq 100); do
            find "$cg" -depth -type d -exec rmdir {} + 2>/dev/null || true
            [ -d "$cg" ] || break
            sleep 0.1
        done
        [ ! -d "$cg" ] || die "cannot remove $cg: $(find "$cg" -name cgroup.procs -exec cat {} + | tr '\n' ' ') live on"
    fi
    rm -rf "$STATE"
    if [ -d "$LAB/.cgroup2" ] && [ -z "$(find "$LAB" -mindepth 1 -maxdepth 1 ! -name .cgroup2 -print -quit)" ]; then
        umount "$LAB/.cgroup2" && rmdir "$LAB/.cgroup2"
    fi
    rmdir "$LAB" 2>/dev/null || true
    echo down
}

case $VERB in
    __inner) inner "$@";;
    up) up "$@";;
    exec) pid=$(box_pid) || die "cannot reach $NAME: not up"; enter "$pid" "$@";;
    status) if pid=$(box_pid); then echo "up $pid"; else echo down; exit 3; fi;;
    console) cat "$STATE/console";;
    down) down;;
    *) sed -n '2,19p' "$0" | sed 's/^# \{0,1\}//'; exit 2;;
esac
