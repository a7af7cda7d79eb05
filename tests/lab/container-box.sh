#!/bin/bash
# container-box.sh: podman and runc inside a systemd box (systemd-box.sh), where they find cgroup
# v2, systemd's cgroup manager and the timers that HEALTHCHECK needs.  Root only.
#
#   container-box.sh [-n NAME] up [--bind DIR]...    boot, with the image localhost/gds-base:12 at hand
#   container-box.sh [-n NAME] build -t TAG DIR...   podman build: ARG BASE is that image, no network
#                                                    in RUN (bring wheels by COPY), HEALTHCHECK is kept
#   container-box.sh [-n NAME] podman ARG...         podman; containers have no network but lo
#   container-box.sh [-n NAME] exec CMD...           as in systemd-box.sh
#   container-box.sh [-n NAME] down [--purge]        nothing is left; --purge: nor the base image
#
# The base image is Debian 12 with python3 and python3-venv, made on the spot (no registry is asked)
# and kept in GDS_LAB_CACHE (default /var/cache/gds-testlab, 0.3 GB) for the next time.  What is
# built lives in memory, and goes with the box.
set -euo pipefail

NAME=gds-ct
if [ "${1:-}" = -n ]; then NAME=$2; shift 2; fi
VERB=${1:-help}; [ $# -eq 0 ] || shift
HERE=$(cd "$(dirname "$0")" && pwd)
BOX=("$HERE/systemd-box.sh" -n "$NAME")
CACHE=${GDS_LAB_CACHE:-/var/cache/gds-testlab}
GRAPH=/var/lib/containers/storage
BASE=localhost/gds-base:12

die() { echo "container-box: $*" >&2; exit 1; }

storage_conf() {            # $1: image store of the box, $2: read-only store with the base image
    cat <<-C
	[storage]
	driver = "overlay"
	runroot = "/run/containers/storage"
	graphroot = "$1"
	[storage.options]
	additionalimagestores = [${2:+"\"$2\""}]
	C
}

containers_conf() {
    local files procs
    files=$(ulimit -Hn)
    procs=$(ulimit -Hu)
    # podman asks for more than a machine without CAP_SYS_RESOURCE may give
    [ "$files" != unlimited ] || files=1048576
    [ "$procs" != unlimited ] && [ "$procs" -le 20000 ] || procs=20000
    cat <<-C
	[engine]
	runtime = "runc"
	events_logger = "journald"
	[containers]
	default_ulimits = ["nofile=$files:$files", "nproc=$procs:$procs"]
	netns = "none"
	log_driver = "k8s-file"
	C
    # a limit of processes needs the pids controller in the v2 hierarchy
    grep -qsw pids /sys/fs/cgroup/cgroup.controllers /sys/fs/cgroup/unified/cgroup.controllers || echo 'pids_limit = 0'
}

# The base image as a store of its own, which boxes share and none writes to.
base_store() {
    [ ! -e "$CACHE/base/ready" ] || return 0
    rm -rf "$CACHE/base"
    mkdir -p "$CACHE/base"
    mmdebstrap --quiet --variant=minbase --include=python3,python3-venv \
        --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' bookworm "$CACHE/base/root.tar" ||
        die "cannot make the base image: mmdebstrap failed, see above"
    "${BOX[@]}" up --bind "$CACHE" >/dev/null
    storage_conf "$CACHE/base" '' | "${BOX[@]}" exec sh -c 'cat >/etc/containers/storage.conf'
    "${BOX[@]}" exec podman import --quiet "$CACHE/base/root.tar" "$BASE" >/dev/null
    "${BOX[@]}" down >/dev/null
    rm "$CACHE/base/root.tar"
    : >"$CACHE/base/ready"
}

up() {
    local pid
    if pid=$("${BOX[@]}" status); then echo "$pid"; return; fi
    [ "$(id -u)" = 0 ] || die "cannot make namespaces: not root"
    "$HERE/install.sh" podman
    mkdir -p "$CACHE"
    (
        flock 9
        base_store 9>&-
    ) 9>"$CACHE/lock"
    pid=$("${BOX[@]}" up --bind "$CACHE/base" "$@")
    # A file system of its own, because podman's overlays cannot stand on the box's overlay.
    "${BOX[@]}" exec sh -c "mkdir -p $GRAPH && mount -t tmpfs -o size=4g tmpfs $GRAPH"
    storage_conf "$GRAPH" "$CACHE/base" | "${BOX[@]}" exec sh -c 'cat >/etc/containers/storage.conf'
    containers_conf | "${BOX[@]}" exec sh -c 'cat >/etc/containers/containers.conf'
    "${BOX[@]}" exec podman image exists "$BASE" || die "cannot find $BASE in $CACHE/base: try down --purge, then up"
    echo "$pid"
}

down() {
    if "${BOX[@]}" status >/dev/null; then
        "${BOX[@]}" exec podman rm --force --all --time 1 >/dev/null 2>&1 || true
    fi
    "${BOX[@]}" down
    [ "${1:-}" != --purge ] || rm -rf "$CACHE"
}

case $VERB in
    up) up "$@";;
    build) "${BOX[@]}" exec podman build --quiet --network none --format docker --build-arg "BASE=$BASE" "$@";;
    podman) "${BOX[@]}" exec podman "$@";;
    exec) "${BOX[@]}" exec "$@";;
    down) down "$@";;
    *) sed -n '2,15p' "$0" | sed 's/^# \{0,1\}//'; exit 2;;
esac
