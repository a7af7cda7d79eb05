# STARTED CGROUP INSTANCE NODE COMMAND...: waits for the end of a runner; attendant.py says what for.
started=$1 cgroup=$2 instance=$3 node=$4
shift 4
if [ -n "$cgroup" ]; then { echo 0 >"$cgroup/cgroup.procs"; } 2>/dev/null; fi
pause=0.1
while :; do
    "$@"
    code=$?
    [ -e "$started" ] || exit $code
    if [ $code = 75 ]; then
        crm_resource --resource "$instance" --fail ${node:+--node "$node"} 9>&-
        exit 75
    fi
    [ $code -gt 128 ] || exit $code
    echo "gds: the runner of $instance was killed (exit status $code); beginning another one" >&2
    sleep $pause 9>&-
    case $pause in 0.1) pause=0.5;; 0.5) pause=2;; *) pause=10;; esac
done
