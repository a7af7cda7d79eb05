#!/bin/bash
# install.sh COMPONENT...: the real programs that the tests run against, from the distribution.
#
#   nginx postgresql redis     applications
#   systemd                    what systemd-box.sh boots (systemd, D-Bus, logind, systemd-run)
#   podman                     what container-box.sh runs (podman, runc, conmon, mmdebstrap)
#   network                    namespaces and switches of addresses (ip, nsenter, unshare, setpriv)
#   etcd                       what etcd-cluster.sh runs (etcd, etcdctl, ip, nft, openssl, strace)
#   clocks                     a wall clock that jumps (libfaketime)
#   pacemaker                  what pacemaker-cluster.sh brings up (corosync, pacemaker, crmsh, ocf-tester, nft)
#   all                        every one of them
#
# Says nothing and takes milliseconds when all is there.  No service is started by an
# installation: policy-rc.d says 101 meanwhile, and what stood there before is put back.
set -euo pipefail

POLICY=/usr/sbin/policy-rc.d
LOCK=/run/lock/gds-lab-install.lock

die() { echo "install.sh: $*" >&2; exit 1; }

# Packages of $1 that are missing, one a line.  Asked of the files that the tests use, not of
# dpkg: a machine may have them from elsewhere.
missing() {
    case $1 in
        nginx) [ -x /usr/sbin/nginx ] || echo nginx;;
        # Not `command -v postgres`: a wrapper of that name may stand elsewhere in PATH.
        postgresql) compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || echo postgresql;;
        redis) [ -x /usr/bin/redis-server ] || echo redis-server;;
        systemd)
            [ -x /lib/systemd/systemd ] && [ -x /usr/bin/systemd-analyze ] || echo systemd
            [ -x /usr/bin/dbus-daemon ] || echo dbus
            [ -x /sbin/ip ] || [ -x /usr/sbin/ip ] || echo iproute2
            [ -x /usr/bin/nsenter ] || echo util-linux;;
        podman)
            missing systemd
            local c
            for c in podman runc conmon mmdebstrap; do [ -x /usr/bin/$c ] || [ -x /usr/sbin/$c ] || echo $c; done;;
        network)
            [ -x /sbin/ip ] || [ -x /usr/sbin/ip ] || echo iproute2
            [ -x /usr/bin/nsenter ] && [ -x /usr/bin/setpriv ] || echo util-linux;;
        pacemaker)
            missing network
            [ -x /usr/sbin/corosync ] || echo corosync
            [ -x /usr/sbin/pacemakerd ] || echo pacemaker
            [ -x /usr/sbin/crm_resource ] || echo pacemaker-cli-utils
            [ -x /usr/sbin/crm ] || echo crmsh
            [ -x /usr/sbin/ocf-tester ] || echo resource-agents
            [ -x /usr/bin/xmllint ] || echo libxml2-utils
            [ -x /usr/sbin/nft ] || echo nftables;;
        etcd)
            missing network
            [ -x /usr/bin/etcd ] || echo etcd-server
            [ -x /usr/bin/etcdctl ] || echo etcd-client
            [ -x /usr/sbin/nft ] || echo nftables
            [ -x /usr/bin/openssl ] || echo openssl
            [ -x /usr/bin/strace ] || echo strace;;
        clocks) compgen -G '/usr/lib/*/faketime/libfaketime.so.1' >/dev/null || echo libfaketime;;
        all) local c; for c in nginx postgresql redis podman network etcd clocks; do missing "$c"; done;;
        *) die "cannot install $1: known are nginx postgresql redis systemd podman network pacemaker etcd clocks all";;
    esac
}

# All of them on one line.
wanted() { local c; for c in "$@"; do missing "$c"; done | sort -u | paste -s -d " "; }

[ $# -gt 0 ] || { sed -n '2,13p' "$0" | sed 's/^# \{0,1\}//'; exit 2; }
list=$(wanted "$@") || exit 1
[ -n "$list" ] || exit 0
[ "$(id -u)" = 0 ] || die "cannot install $list: not root; run it as root, or install them yourself"

mkdir -p "${LOCK%/*}"
exec 9>"$LOCK"
flock 9                                     # one at a time: apt's own lock does not cover policy-rc.d
list=$(wanted "$@")                         # the one before us may have brought them
[ -n "$list" ] || exit 0

work=$(mktemp -d)
restore() {
    rm -f "$POLICY"
    if [ -e "$work/policy" ] || [ -L "$work/policy" ]; then mv "$work/policy" "$POLICY"; fi
    rm -rf "$work"
}
trap restore EXIT
trap 'exit 143' TERM INT HUP
if [ -e "$POLICY" ] || [ -L "$POLICY" ]; then cp -a "$POLICY" "$work/policy"; fi
rm -f "$POLICY"
printf '#!/bin/sh\nexit 101\n' >"$POLICY"
chmod 755 "$POLICY"

apt=(apt-get -qq -y -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3)
export DEBIAN_FRONTEND=noninteractive
# A foreign repository that does not answer fails the update; only the installation counts.
"${apt[@]}" update >"$work/log" 2>&1 9>&- || true
# shellcheck disable=SC2086  # one word a package
"${apt[@]}" install --no-install-recommends $list >>"$work/log" 2>&1 9>&- || {
    tail -n 40 "$work/log" >&2
    die "cannot install $list: apt-get failed, its last words are above"
}
list=$(wanted "$@")
[ -z "$list" ] || die "cannot find what was installed: $list"
