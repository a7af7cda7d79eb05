# switched.sh FILE: do what FILE says, once it is asked: a probe or stop_command with switches. Without FILE: fine.
# "exit N", "hang", "nap S" (wait S seconds, then fine), "fork" (leave a daemon behind and hang).
[ -e "$1" ] || exit 0
read -r what number < "$1"
case "$what" in
exit) exit "$number" ;;
hang) sleep 1000 ;;
nap) sleep "$number" ;;
fork)
    setsid sh -c 'sleep 1000 & sleep 1000' &
    sleep 1000
    ;;
esac
exit 0
