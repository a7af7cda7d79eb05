"""Words that are not properties: states, statuses, decisions, exit statuses, what a command is told. For `gds explain`.

Not loaded by a runner. A test holds the states and statuses against `state.py`, so that none goes unexplained.
"""

from __future__ import annotations

from gds.model.value import Value


class Entry(Value):
    """One meaning of one word; `topic` says what sort of word it is."""

    word: str
    topic: str
    text: str


def _entries(topic: str, texts: dict[str, str]) -> tuple[Entry, ...]:
    return tuple([Entry(word, topic, text) for word, text in texts.items()])


RESOURCE_STATE = "state of a resource"
GROUP_STATE = "state of a group"
STATUS = "status of a resource"
EXIT_STATUS = "exit status of gds"
PROBE_STATUS = "exit status of a probe"
DECISION = "decision"
METHOD = "method"
VARIABLE = "variable given to commands"
WORD = "word"

RESOURCE_STATES = {
    "OFFLINE": "Never started here, or stopped with nothing left.",
    "STARTING": "Start runs: the command was executed, and the first probe has not said healthy yet.",
    "ONLINE": "Start is done, and the fault monitor is at work. A resource without any probe is ONLINE too.",
    "ONLINE_NOT_MONITORED": "Start is done; no probe runs, because monitoring is off. Deaths are still acted on.",
    "STOPPING": "Stop runs.",
    "START_FAILED": "Start failed or ran out of time, and nothing more is tried until somebody asks (gds start, gds "
    "restart).",
    "STOP_FAILED": "Something survived even SIGKILL; the reason names the pids. Nothing is started until somebody has "
    "looked, stopped it, and said so with gds clear.",
    "MONITOR_FAILED": "The application runs, but its fault monitor failed more than monitor_retry_count times within "
    "monitor_retry_interval; or, of a registered type, Monitor_start failed, or what it started has ended for good. "
    "gds monitor starts it again.",
}
GROUP_STATES = {
    "UNMANAGED": "The group is not looked after; no method is run.",
    "OFFLINE": "All its enabled resources are OFFLINE here.",
    "PENDING_ONLINE": "Its resources are being started.",
    "PENDING_ONLINE_BLOCKED": "It cannot come fully online: a resource waits for one of another group.",
    "ONLINE": "All its enabled resources are started, but for those that somebody stopped (`gds stop`).",
    "ONLINE_FAULTED": "Done with starting, but a resource is START_FAILED or FAULTED.",
    "PENDING_OFFLINE": "Its resources are being stopped.",
    "ERROR_STOP_FAILED": "A resource is STOP_FAILED; the group goes nowhere until that is cleared.",
}
STATUSES = {
    "OK": "Works.",
    "DEGRADED": "Works, but not well: a probe said so, or it is being restarted.",
    "FAULTED": "Does not work, and restarts did not help; or a start or stop failed.",
    "OFFLINE": "Does not run.",
    "UNKNOWN": "Not known: it is being started or stopped.",
}
EXIT_STATUSES = {
    "0": "Done. gds run: stopped because somebody asked, and everything stopped.",
    "1": "Failed. gds run: something could not be stopped.",
    "2": "The command line is wrong.",
    "3": "Not running, not online (gds status NAME, as LSB init scripts have it).",
    "4": "No runner to ask, or not known.",
    "75": "gds run: gave over, run it elsewhere; or another runner has these directories. Others: busy, try again.",
    "77": "Not permitted: acting is for root and the runner's own user, reading for the socket's group.",
    "78": "A descriptor or a setting is wrong; nothing was started.",
}
PROBE_STATUSES = {
    "0": "Healthy. Earlier partial failures still count until they are older than retry_interval.",
    "1..99": "A partial failure; the scores of retry_interval are added up, and at 100 it is a complete failure.",
    "100": "A complete failure: restart, or giveover when the restarts are used up. So is any status not in this list, "
    "a probe killed by a signal, and one that cannot be executed.",
    "201": "Give over at once, without a restart; unless failover_enabled is false or failover_mode forbids it.",
    "timeout": "A probe that overruns probe_timeout is killed and counts 50; num_probe_timeouts of them in a row count "
    "100.",
}
DECISIONS = {
    "watch": "A partial failure, and the sum is still below 100: nothing is done yet.",
    "restart": "A complete failure (or the death of the last process), and restarts are left in the budget: Stop, then "
    "Start, here. One that succeeds empties the scores.",
    "giveover": "A complete failure and no restart left within retry_interval (or a probe status of 201): ask that the "
    "group run elsewhere. With nowhere to go it is refused, the history is forgotten, and one restart is tried; with "
    "on_giveover = exit the runner stops everything and ends with exit status 75.",
    "leave alone": "No restart left, and failover_enabled = false, RESTART_ONLY or LOG_ONLY forbid to move it: the "
    "state stays ONLINE, the status becomes FAULTED, the group ONLINE_FAULTED.",
    "budget": "retry_count restarts within any retry_interval (a sliding window). Restarts that a person asks for "
    "never count.",
    "back-off": "With restart_delay, the first restart in a window does not wait, the n-th waits restart_delay x "
    "2^(n-2), 10 % more or less, at most restart_delay_max.",
    "stop": "stop_signal (or stop_command) and 80 % of stop_timeout; then SIGKILL and 15 %; what is left then makes "
    "STOP_FAILED.",
    "complete failure": "Scores of 100 or more within retry_interval, or the death of the last process.",
    "partial failure": "A score from 1 to 99.",
}
METHODS = {
    "Start": "Runs start_command; done when the probe says healthy, or without any probe when the processes have lived "
    "through start_grace.",
    "Stop": "Runs stop_command, or sends stop_signal; ends with no process left.",
    "Probe": "Asks the application how it is: probe_command, probe, or a connect to each tcp port of port_list.",
    "Validate": "Runs validate_command; a status other than 0 refuses the start or the change.",
    "Prenet_start": "Runs prenet_start_command before the network addresses of the group go up; fails as Start does.",
    "Postnet_stop": "Runs postnet_stop_command after the network addresses of the group went down; fails as Stop does.",
    "Init": "Runs init_command once when the resource becomes managed; a failure is told and changes nothing.",
    "Boot": "Runs boot_command when the machine has booted, before the first start; a failure is told and changes "
    "nothing.",
    "Fini": "Runs fini_command when the resource is no longer managed; a failure is told and changes nothing.",
    "Update": "Runs update_command after a change of a resource that is online; a failure is told, the change stays.",
    "Monitor_check": "Runs monitor_check_command where the group might go before a giveover; a status other than 0 "
    "says that it cannot run there.",
}
VARIABLES = {
    "GDS_RESOURCE": "The name of the resource.",
    "GDS_GROUP": "The name of its group.",
    "GDS_TYPE": "Its type: gds, LogicalHostname, or that of an RTR file.",
    "GDS_NODE": "The name of the node. node_abort_command and fence_command are given it too.",
    "GDS_METHOD": "What the command is run for: Start, Stop, Probe, Validate, Prenet_start, Postnet_stop, Init, Boot, "
    "Fini, Update, Monitor_check.",
    "GDS_INCARNATION": "The number of this run of the application; each start has a new one.",
    "GDS_SOCKET": "The runner's control socket.",
    "GDS_TIMEOUT": "How many seconds the command has.",
    "GDS_REASON": "Why it is run, in a sentence.",
    "GDS_RESTARTS": "Restarts already done within retry_interval.",
    "GDS_RETRY_COUNT": "Restarts allowed within retry_interval.",
    "GDS_PROBE_SUM": "The sum of the probe scores within retry_interval.",
    "GDS_HOSTNAMES": "The host names of the network resources it depends on, or else of those in its group, joined by "
    "commas; $hostnames in a command stands for the same.",
    "GDS_PORT_LIST": "port_list, joined by commas.",
    "GDS_FENCING_TOKEN": "On several nodes: a number that is larger with each mastery of the group, for storage that "
    "refuses whoever comes late.",
    "GDS_FENCED_NODE": "For fence_command alone: the node that is silent; GDS_NODE is the one that fences it.",
    "MAINPID": "For Stop, Update and Probe: the application's first process.",
}
WORDS = {
    "resource": "One application with its properties; [resource.NAME] in a descriptor.",
    "group": "Resources that live on one node at a time; [group.NAME]. A resource without `group` has one of its own "
    "name.",
    "descriptor": "A TOML file that declares resources. One line, start_command = …, is enough: the resource is named "
    "after the file.",
    "LogicalHostname": 'A resource type: type = "LogicalHostname" and hostnamelist. Network addresses that are on this '
    "node while the resource is online; the others of its group start after it and stop before it. Keys of its own: "
    "hostnamelist, netiflist, prefix, check_name_service.",
    "dependency": "One resource needs another: strong (resource_dependencies: it must be online first), weak (it only "
    "goes first), restart (and its restart is followed), offline-restart (and its going offline is followed). Stopping "
    "goes the other way round. gds graph shows them all.",
    "wave": "In gds graph: what may start at the same time, because all it waits for stands in earlier waves.",
    "LOCAL_NODE": "Behind a dependency, db{LOCAL_NODE}: the one on the same node.",
    "ANY_NODE": "Behind a dependency, db{ANY_NODE}: wherever it runs.",
    "FROM_RG_AFFINITIES": "Behind a dependency, and the default: on the same node if the group has a positive affinity "
    "to the other's, else wherever it runs.",
    "affinity": "Whether a group wants to be on the node of another one: ++ only there, +++ the same and both move "
    "together, + rather there, - rather elsewhere, -- never there (rg_affinities).",
    "state": "What the runner concluded from the methods it ran; see the states of a resource and of a group.",
    "status": "What the fault monitor says of a resource; it never changes by itself what runs.",
    "score": "How bad a probe found it, 0 to 100; scores within retry_interval are added up.",
    "incarnation": "One run of an application; an answer about an older one is dropped.",
    "tree": "Every process an application forked, also those that daemonised.",
    "tracking": "How the processes of an application are known: cgroup (exact, nothing extra) or keeper (a tiny "
    "process per application, where no cgroup can be made).",
    "nametag": "The handle of a watched tree in gds pmf: group,resource,instance.kind.",
    "tunable": "When a property may be changed: ANYTIME, WHEN_DISABLED, AT_CREATION or NONE.",
    "ANYTIME": "May be changed while the application runs.",
    "WHEN_DISABLED": "A change stops the application, and starts it again.",
    "AT_CREATION": "May be changed only in the descriptor, never by `gds set`; `gds reload` then takes it down and "
    "brings it up anew.",
    "duration": "A number of seconds (fractions allowed), or a string with a unit: 500ms, 30s, 5m, 1h, 1d.",
    "size": 'A number of bytes, or a string with a unit: "10MiB" (2^20), "10MB" (10^6).',
    "NONE": "failover_mode: a failed Start or Stop is left as it is; the monitor may still give over.",
    "SOFT": "failover_mode: a failed Start makes the group give over; a failed Stop waits for a person.",
    "HARD": "failover_mode: as SOFT, and a failed Stop ends the node (node_abort_command).",
    "RESTART_ONLY": "failover_mode: the monitor may restart, never give over.",
    "LOG_ONLY": "failover_mode: the monitor neither restarts nor gives over; it only says what it saw.",
}

GLOSSARY: tuple[Entry, ...] = (
    *_entries(RESOURCE_STATE, RESOURCE_STATES),
    *_entries(GROUP_STATE, GROUP_STATES),
    *_entries(STATUS, STATUSES),
    *_entries(EXIT_STATUS, EXIT_STATUSES),
    *_entries(PROBE_STATUS, PROBE_STATUSES),
    *_entries(DECISION, DECISIONS),
    *_entries(METHOD, METHODS),
    *_entries(VARIABLE, VARIABLES),
    *_entries(WORD, WORDS),
)
