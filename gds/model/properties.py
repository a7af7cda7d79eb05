"""Every property once: its kind, bounds, words, Sun's name, when it may be changed, and one line of help.

The document model (`config/document.py`), the JSON schema, `gds explain`, `gds new` and the rules for a live change are
all read from these tables. Defaults stand in `resource.Resource` and `settings.Settings` and are only looked up here.
Nothing of this is loaded by a runner at rest, so words are cheap here.

A kind is a word for a shape of values; `KINDS` says what each looks like. A property with `supported` False is known,
and refused with the words "not supported yet"; `fixed` is the one value of it that may be given all the same. `later`
are words of a supported one that are refused, each with what is said instead.
"""

from __future__ import annotations

from gds.model.names import ADDRESS_TYPES
from gds.model.resource import Group, Resource
from gds.model.settings import EtcdSettings, Settings
from gds.model.state import FailoverMode
from gds.model.tunable import Tunable as Tunable
from gds.model.value import Value, defaults_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


ANYTIME, WHEN_DISABLED, AT_CREATION = Tunable.ANYTIME, Tunable.WHEN_DISABLED, Tunable.AT_CREATION

TUNABLE_HELP = {
    Tunable.ANYTIME: "may be changed while the application runs",
    Tunable.WHEN_DISABLED: "a change stops the application and starts it again",
    Tunable.AT_CREATION: "may be changed only in the descriptor, never by `gds set`; `gds reload` then takes it "
    "down and brings it up anew",
    Tunable.NONE: "may not be changed while the runner runs",
}


class Property(Value):
    """One key: `minimum` and `maximum` are inclusive, in the unit of the kind; `example` is a TOML value."""

    name: str
    kind: str
    help: str
    tunable: Tunable = Tunable.ANYTIME
    sun: str = ""
    minimum: float | None = None
    maximum: float | None = None
    words: tuple[str, ...] = ()
    example: str = ""
    supported: bool = True
    fixed: tuple[object, ...] = ()
    later: tuple[tuple[str, str], ...] = ()
    of: str = ""
    """The only resource type that has it; empty: any."""


MOST = 1_000_000_000
"""The largest count that anybody means."""

KINDS = {
    "boolean": "true or false",
    "integer": "a whole number",
    "duration": 'a number of seconds, or a string such as "500ms", "30s", "5m" or "1h"',
    "size": 'a number of bytes, or a string such as "10MiB"',
    "string": "a string",
    "path": "the path of a file",
    "paths": "an array of paths of files",
    "name": "a name: a letter, then letters, digits, '-' or '_'",
    "account": "the name of a user or group of this machine",
    "accounts": "an array of names of groups of this machine",
    "names": "an array of names",
    "needs": 'an array of resources such as "db", "db{ANY_NODE}" or "db@n1", or one string with commas',
    "nodes": "an array of names of nodes, or one string with commas",
    "groups": "an array of names of groups, or one string with commas",
    "affinities": 'an array of a sign (++, +++, +, -, --) and a group, such as "++db", or one string with commas',
    "word": "one of a few words",
    "type": '"gds", "LogicalHostname", or the name of a registered type',
    "hosts": "an array of host names and addresses, or one string with commas",
    "interfaces": 'an array of network interfaces such as "eth0", or "eth0@n1" for one node, or one string with commas',
    "prefix": "a whole number from 1 to 128, or an array of at most one up to 32 (IPv4) and one above (IPv6)",
    "endpoints": 'an array of URLs such as "https://etcd1:2379", or one string with commas',
    "command": "a string (handed to /bin/sh -c) or an array of strings (executed as it is)",
    "signal": 'the name of a signal such as "SIGINT" or "INT", or its number',
    "ports": 'an array of ports such as "8080/tcp" or "53/udp"; protocols tcp, tcp6, udp, udp6; without one tcp; or '
    "one string with commas",
    "umask": 'a string of octal digits such as "027", or a number written 0o027',
    "environment": "a table of names and strings",
    "variables": "an array of names of environment variables",
    "limits": 'a table of limits, each a number, "infinity" or "soft:hard"',
    "probe": "a table with one of tcp, http, unix and notify",
    "exit_map": '"pass-fail", "nagios", or a table from exit status to score, with `other` for the rest',
    "output": '"inherit", "journal", "null", or a table with path, rotate and keep',
}
"""What a value of each kind looks like, in the words of an error message."""

_GROUPS = "comes with network resources and engines"
_NODES = " On one node it changes nothing."

_NEEDS = tuple(
    [
        Property(
            f"resource_dependencies{kind}", "needs", text, ANYTIME, f"Resource_dependencies{kind}", example=example
        )
        for kind, text, example in (
            (
                "",
                "Resources that must be online before this one starts, and that stop after it. Behind a name, "
                "{LOCAL_NODE}, {ANY_NODE}, {FROM_RG_AFFINITIES} (default) or @NODE says where; on one node all mean "
                "the same.",
                '["db", "cache{LOCAL_NODE}"]',
            ),
            (
                "_weak",
                "Resources that start first and stop last when both start or stop; this one starts also without them.",
                '["mail"]',
            ),
            (
                "_restart",
                "As resource_dependencies, and when one of them was restarted, this one is restarted after it; never "
                "counted in the budget.",
                '["db"]',
            ),
            (
                "_offline_restart",
                "As resource_dependencies, and when one of them goes offline, this one is stopped at once, and started "
                "again when it is back; never counted in the budget.",
                '["db{ANY_NODE}"]',
            ),
        )
    ]
)

_METHODS = tuple(
    [
        Property(f"{name}_command", "command", text, WHEN_DISABLED, f"{name.capitalize()}_command", example=example)
        for name, text, example in (
            (
                "prenet_start",
                "Run before the network addresses of the group go up, and before Start; fails as Start does.",
                '"mountpoint -q /srv/shop || mount /srv/shop"',
            ),
            (
                "postnet_stop",
                "Run after Stop, when the network addresses of the group are down; fails as Stop does. Harmless when "
                "run twice.",
                '"! mountpoint -q /srv/shop || umount /srv/shop"',
            ),
            (
                "init",
                "Run once when the resource becomes managed. A failure is told and changes nothing. Harmless when run "
                "twice.",
                '["/usr/bin/mkdir", "-p", "/var/lib/shop"]',
            ),
            (
                "boot",
                "Run when the machine has booted and the resource is managed, before its first start. A failure is "
                "told and changes nothing.",
                '["/usr/bin/rm", "-f", "/var/lib/shop/lock"]',
            ),
            (
                "fini",
                "Run when the resource is no longer managed: its group was unmanaged, or no descriptor names it any "
                "more. A failure is told and changes nothing.",
                '["/usr/bin/rm", "-rf", "/var/cache/shop"]',
            ),
            (
                "update",
                "Run after a change of properties of a resource that is online. A failure is told; the change stays.",
                '"kill -HUP $MAINPID"',
            ),
            (
                "monitor_check",
                "Run where the group might go before a giveover that the monitor asked for; a status other than 0 says "
                "that it cannot run there.",
                '"test -d /srv/shop || exit 1"',
            ),
        )
    ]
)

_TIMEOUTS = tuple(
    [
        Property(
            f"{each.name.removesuffix('_command')}_timeout",
            "duration",
            f"Time for {each.name}.",
            ANYTIME,
            f"{each.sun.removesuffix('_command')}_timeout",
            minimum=0.01,
            example='"30s"',
        )
        for each in _METHODS
    ]
)

_ADDRESS = (
    Property(
        "hostnamelist",
        "hosts",
        "LogicalHostname only, and required there: the host names, or addresses, that are on this node while the "
        "resource is online. A name may stand for an IPv4 and an IPv6 address.",
        WHEN_DISABLED,
        "HostnameList",
        example='["web.example"]',
        of=ADDRESS_TYPES[0],
    ),
    Property(
        "netiflist",
        "interfaces",
        "LogicalHostname only: the network interfaces that may get the addresses, the first that works. Without it, "
        "whichever has the subnet. A change takes effect at the next Start.",
        ANYTIME,
        "NetIfList",
        example='["eth0", "eth1@n2"]',
        of=ADDRESS_TYPES[0],
    ),
    Property(
        "prefix",
        "prefix",
        "LogicalHostname only: the length of the subnet, where the interface has no address in it yet.",
        WHEN_DISABLED,
        example="[24, 64]",
        of=ADDRESS_TYPES[0],
    ),
    Property(
        "check_name_service",
        "boolean",
        "LogicalHostname only: Monitor_check asks whether the names can be looked up. A change takes effect at the "
        "next Start.",
        ANYTIME,
        "CheckNameService",
        example="false",
        of=ADDRESS_TYPES[0],
    ),
)

RESOURCE: tuple[Property, ...] = (
    Property(
        "start_command",
        "command",
        "Starts the application; it has to leave at least one process running.",
        WHEN_DISABLED,
        "Start_command",
        example='["/usr/sbin/nginx", "-g", "daemon off;"]',
    ),
    Property(
        "group",
        "name",
        "The group the resource lives in; without it, one of its own name.",
        AT_CREATION,
        "Resource_group",
        example='"shop"',
    ),
    Property(
        "type",
        "type",
        "The resource type: gds, this generic one; LogicalHostname, network addresses that go where their group goes; "
        "or one that is registered (gds rt list).",
        Tunable.NONE,
        "Type",
        words=("gds", "SUNW.gds", *ADDRESS_TYPES),
        example='"gds"',
    ),
    Property(
        "description", "string", "A text for people.", ANYTIME, "R_description", example='"the shop\'s web server"'
    ),
    Property(
        "enabled", "boolean", "false: stays offline until `gds enable`.", ANYTIME, "On_off_switch", example="false"
    ),
    Property(
        "monitored",
        "boolean",
        "false: no probe runs; the death of the last process is still acted on.",
        ANYTIME,
        "Monitored_switch",
        example="false",
    ),
    Property(
        "stop_command",
        "command",
        "Stops the application and returns only when it is fully stopped; what is left then gets SIGKILL at once. "
        "Without it, stop_signal is sent.",
        WHEN_DISABLED,
        "Stop_command",
        example='"/usr/lib/postgresql/15/bin/pg_ctl stop -D /var/lib/pg -m fast"',
    ),
    Property(
        "probe_command",
        "command",
        "Asks the application how it is; its exit status is the score: 0 healthy, 1 to 99 partial, 100 complete "
        "failure, 201 fail over at once. exit_map translates other scales.",
        WHEN_DISABLED,
        "Probe_command",
        example='"pg_isready -q || exit 100"',
    ),
    Property(
        "validate_command",
        "command",
        "Run before the first start and before a change; a status other than 0 refuses it.",
        WHEN_DISABLED,
        "Validate_command",
        example='"nginx -t"',
    ),
    Property(
        "port_list",
        "ports",
        "The ports the application listens on. Without probe_command and probe, each tcp and tcp6 port is probed by "
        "connecting and disconnecting.",
        ANYTIME,
        "Port_list",
        example='["8080/tcp"]',
    ),
    Property(
        "network_aware",
        "boolean",
        "false: the ports of port_list are not probed. Default: true when port_list is given.",
        AT_CREATION,
        "Network_aware",
        example="true",
    ),
    Property(
        "child_mon_level",
        "integer",
        "How many generations of processes count as the application: 0 only the first process, -1 all.",
        WHEN_DISABLED,
        "Child_mon_level",
        minimum=-1,
        maximum=MOST,
        example="-1",
    ),
    Property(
        "stop_signal",
        "signal",
        "The signal that asks the application to stop when there is no stop_command.",
        WHEN_DISABLED,
        "Stop_signal",
        example='"SIGINT"',
    ),
    Property(
        "failover_enabled",
        "boolean",
        "false: past its restarts the application is neither restarted nor given over.",
        WHEN_DISABLED,
        "Failover_enabled",
        example="false",
    ),
    Property(
        "failover_mode",
        "word",
        "What a failed Start or Stop leads to, and which requests of the monitor are granted.",
        ANYTIME,
        "Failover_mode",
        words=tuple(FailoverMode),
        example='"SOFT"',
    ),
    Property(
        "pmf_managed",
        "boolean",
        "false: the start command leaves no process; health comes from the probe alone, and stop_command is needed.",
        WHEN_DISABLED,
        "PMF_managed",
        example="false",
    ),
    Property(
        "log_level",
        "word",
        "Which of the methods' messages are logged.",
        ANYTIME,
        "Log_level",
        words=("NONE", "INFO", "ERR"),
        example='"INFO"',
    ),
    Property(
        "start_timeout",
        "duration",
        "Time for Start, first healthy probe included.",
        ANYTIME,
        "Start_timeout",
        minimum=1,
        example='"5m"',
    ),
    Property(
        "stop_timeout",
        "duration",
        "Time for Stop: 80 % of it to stop by itself, then SIGKILL and 15 %.",
        ANYTIME,
        "Stop_timeout",
        minimum=1,
        example='"30s"',
    ),
    Property(
        "validate_timeout",
        "duration",
        "Time for validate_command.",
        ANYTIME,
        "Validate_timeout",
        minimum=0.01,
        example='"30s"',
    ),
    Property(
        "probe_timeout",
        "duration",
        "Time for one probe; one that overruns is killed and scores 50.",
        ANYTIME,
        "Probe_timeout",
        minimum=0.01,
        example='"5s"',
    ),
    Property(
        "retry_count",
        "integer",
        "Restarts allowed within retry_interval; the next complete failure gives over. 0 none, -1 without end.",
        ANYTIME,
        "Retry_count",
        minimum=-1,
        maximum=MOST,
        example="2",
    ),
    Property(
        "retry_interval",
        "duration",
        "The sliding window in which restarts and scores count.",
        ANYTIME,
        "Retry_interval",
        minimum=0.01,
        example='"5m"',
    ),
    Property(
        "thorough_probe_interval",
        "duration",
        "Time between two probes.",
        ANYTIME,
        "Thorough_probe_interval",
        minimum=0.01,
        example='"10s"',
    ),
    Property(
        "num_probe_timeouts",
        "integer",
        "So many probe timeouts in a row are a complete failure.",
        ANYTIME,
        "Num_probe_timeouts",
        minimum=1,
        maximum=MOST,
        example="2",
    ),
    Property(
        "monitor_retry_count",
        "integer",
        "How often the monitor itself may be restarted within monitor_retry_interval; -1 without end.",
        ANYTIME,
        "Monitor_retry_count",
        minimum=-1,
        maximum=MOST,
        example="4",
    ),
    Property(
        "monitor_retry_interval",
        "duration",
        "The window for monitor_retry_count (minutes at Sun, seconds here).",
        ANYTIME,
        "Monitor_retry_interval",
        minimum=0.01,
        example='"2m"',
    ),
    Property(
        "probe",
        "probe",
        "A built-in probe: connects to a TCP port or a unix socket, asks an HTTP server, or awaits WATCHDOG=1 from "
        "the application; each way to fail has its own score.",
        WHEN_DISABLED,
        example='{http = "http://127.0.0.1:8080/health", timeout_score = 50}',
    ),
    Property(
        "exit_map",
        "exit_map",
        "Translates the exit status of probe_command into a score.",
        WHEN_DISABLED,
        example='"pass-fail"',
    ),
    Property(
        "start_grace",
        "duration",
        "How long the processes must live before Start is done, for an application without any probe.",
        ANYTIME,
        minimum=0,
        example='"1s"',
    ),
    Property(
        "restart_delay",
        "duration",
        "The second restart within retry_interval waits so long, each further one twice as long; 0 never waits.",
        ANYTIME,
        minimum=0,
        example='"1s"',
    ),
    Property(
        "restart_delay_max",
        "duration",
        "The longest restart_delay grows to.",
        ANYTIME,
        minimum=0,
        example='"30s"',
    ),
    Property(
        "ready",
        "word",
        "What says that Start is done: the probe, or READY=1 from the application (notify).",
        WHEN_DISABLED,
        words=("probe", "notify"),
        example='"notify"',
    ),
    Property("user", "account", "The commands run as this user.", WHEN_DISABLED, example='"www-data"'),
    Property("group_name", "account", "The commands run with this group.", WHEN_DISABLED, example='"www-data"'),
    Property(
        "supplementary_groups",
        "accounts",
        "Further groups of the commands.",
        WHEN_DISABLED,
        example='["ssl-cert"]',
    ),
    Property("working_directory", "path", "The commands start here.", WHEN_DISABLED, example='"/var/lib/shop"'),
    Property("umask", "umask", "The commands' file mode creation mask.", WHEN_DISABLED, example='"027"'),
    Property(
        "environment",
        "environment",
        "Variables for every command.",
        WHEN_DISABLED,
        example='{TZ = "UTC"}',
    ),
    Property(
        "environment_files",
        "paths",
        "Files of NAME=value lines, read as the runner's user before privileges are dropped; their values are shown "
        "nowhere.",
        WHEN_DISABLED,
        example='["/etc/shop/secrets.env"]',
    ),
    Property(
        "pass_environment",
        "variables",
        "Variables of the runner that are handed on.",
        WHEN_DISABLED,
        example='["HTTPS_PROXY"]',
    ),
    Property(
        "limits", "limits", "Resource limits (setrlimit).", WHEN_DISABLED, example='{nofile = 1024, core = "infinity"}'
    ),
    Property(
        "nice", "integer", "Scheduling priority, 19 the lowest.", WHEN_DISABLED, minimum=-20, maximum=19, example="5"
    ),
    Property(
        "oom_score_adjust",
        "integer",
        "How readily the kernel kills the application when memory runs out; -1000 never.",
        WHEN_DISABLED,
        minimum=-1000,
        maximum=1000,
        example="-500",
    ),
    Property(
        "stdout",
        "output",
        "Where standard output goes. A file without rotate is the application's: it has it open, so what moves it away"
        " (logrotate) does not stop it from writing there, and USR2 reopens only files with rotate; use rotate, or"
        " copytruncate.",
        WHEN_DISABLED,
        example='{path = "/var/log/web.log", rotate = "10MiB", keep = 5}',
    ),
    Property("stderr", "output", "Where standard error goes; see stdout.", WHEN_DISABLED, example='"journal"'),
    *_NEEDS,
    *_METHODS,
    *_TIMEOUTS,
    *_ADDRESS,
    Property(
        "scalable",
        "boolean",
        "The shared-address load balancer of Sun; " + _GROUPS + ".",
        AT_CREATION,
        "Scalable",
        example="false",
        supported=False,
        fixed=(False,),
    ),
    *[
        Property(
            f"monitor_{name}_timeout",
            "duration",
            f"Time for Monitor_{name}; the monitor lives in the runner, so there is no such method to wait for.",
            ANYTIME,
            f"Monitor_{name}_timeout",
            supported=False,
        )
        for name in ("start", "stop")
    ],
    Property(
        "network_resources_used",
        "names",
        "Network address resources; " + _GROUPS + ".",
        WHEN_DISABLED,
        "Network_resources_used",
        supported=False,
    ),
    Property(
        "load_balancing_policy",
        "word",
        "How a scalable service shares its clients; " + _GROUPS + ".",
        AT_CREATION,
        "Load_balancing_policy",
        supported=False,
    ),
    Property(
        "load_balancing_weights",
        "names",
        "Shares of a scalable service; " + _GROUPS + ".",
        ANYTIME,
        "Load_balancing_weights",
        supported=False,
    ),
)
"""The keys of `[resource.NAME]`, in the order of `Resource`'s fields, then those that are not supported yet."""

GROUP: tuple[Property, ...] = (
    Property(
        "description", "string", "A text for people.", ANYTIME, "RG_description", example='"everything of the shop"'
    ),
    Property(
        "nodelist",
        "nodes",
        "The nodes that may run the group, most preferred first. Without it, every node." + _NODES,
        ANYTIME,
        "Nodelist",
        example='["n1", "n2"]',
    ),
    Property(
        "rg_mode",
        "word",
        "FAILOVER: on one node at a time. SCALABLE: on up to maximum_primaries nodes.",
        AT_CREATION,
        "RG_mode",
        words=("FAILOVER", "SCALABLE"),
        example='"FAILOVER"',
    ),
    Property(
        "maximum_primaries",
        "integer",
        "The most nodes that run the group at once; 1 when rg_mode is FAILOVER." + _NODES,
        ANYTIME,
        "Maximum_primaries",
        minimum=1,
        maximum=MOST,
        example="1",
    ),
    Property(
        "desired_primaries",
        "integer",
        "How many nodes should run the group; at most maximum_primaries. 0: it starts only when somebody asks.",
        ANYTIME,
        "Desired_primaries",
        minimum=0,
        maximum=MOST,
        example="1",
    ),
    Property(
        "failback",
        "boolean",
        "true: the group moves back when a node it prefers joins." + _NODES,
        ANYTIME,
        "Failback",
        example="true",
    ),
    Property(
        "pingpong_interval",
        "duration",
        "So long a node where the group failed to start is no target; one that gave it over only when no other can."
        + _NODES,
        ANYTIME,
        "Pingpong_interval",
        minimum=0,
        example='"1h"',
    ),
    Property(
        "rg_dependencies",
        "groups",
        "Groups that start before this one, and stop after it, on the same node.",
        ANYTIME,
        "RG_dependencies",
        example='["storage"]',
    ),
    Property(
        "rg_affinities",
        "affinities",
        "Groups to be with or away from: ++ only where it is, +++ the same and it takes us along, + rather where it "
        "is, - rather where it is not, -- never where it is." + _NODES,
        ANYTIME,
        "RG_affinities",
        example='["++storage", "-batch"]',
    ),
    Property(
        "implicit_network_dependencies",
        "boolean",
        "Every resource of the group depends on the group's network addresses; false: only as declared.",
        ANYTIME,
        "Implicit_network_dependencies",
        example="false",
    ),
    Property(
        "auto_start_on_new_cluster",
        "boolean",
        "false: after a boot the group stays offline until somebody starts it.",
        ANYTIME,
        "Auto_start_on_new_cluster",
        example="false",
    ),
)
"""The keys of `[group.NAME]`."""

SETTINGS: tuple[Property, ...] = (
    Property("node", "name", "The name of this node. Default: the host's.", Tunable.NONE, example='"n1"'),
    Property("runtime_dir", "path", "Sockets and what lasts until the next boot.", Tunable.NONE, example='"/run/gds"'),
    Property("state_dir", "path", "History and what lasts over a boot.", Tunable.NONE, example='"/var/lib/gds"'),
    Property(
        "socket",
        "path",
        "The control socket. Default: in runtime_dir.",
        Tunable.NONE,
        example='"/run/gds/control.sock"',
    ),
    Property("socket_group", "account", "The group that may read through the socket.", Tunable.NONE, example='"adm"'),
    Property(
        "log_format", "word", "How the runner's log is written.", Tunable.NONE, words=("text", "json"), example='"json"'
    ),
    Property(
        "on_giveover",
        "word",
        "What a giveover with nowhere to go leads to.",
        Tunable.NONE,
        words=("auto", "refuse", "exit"),
        example='"exit"',
    ),
    Property(
        "node_abort_command",
        "string",
        "Ends this node at once when a HARD resource cannot be stopped (/bin/sh -c).",
        Tunable.NONE,
        example='"systemctl reboot --force --force"',
    ),
    Property(
        "engine",
        "word",
        "Who says where groups live.",
        Tunable.NONE,
        words=("standalone", "etcd"),
        example='"etcd"',
        later=(("pacemaker", "Pacemaker is no engine of a runner: it runs gds as its agent, ocf:gds:app"),),
    ),
    Property(
        "history_size",
        "size",
        "How large the history may become; the oldest goes first.",
        Tunable.NONE,
        minimum=262_144,
        example='"32MiB"',
    ),
    Property(
        "etcd", "table", "How the etcd engine is reached, and its times.", Tunable.NONE, example="{ lifetime = 10 }"
    ),
    Property(
        "pacemaker",
        "table",
        "There is no such table: Pacemaker runs gds as its agent, ocf:gds:app; see `gds convert --to pcs`.",
        Tunable.NONE,
        supported=False,
    ),
)
"""The keys of `[runner]` in gds.toml; `GDS_` and the key in capitals is its variable."""

ETCD: tuple[Property, ...] = (
    Property(
        "endpoints",
        "endpoints",
        "Where the members of the etcd cluster are reached; one that does not answer is left for the next.",
        Tunable.NONE,
        example='["https://etcd1:2379", "https://etcd2:2379"]',
    ),
    Property("prefix", "string", "What the keys of this cluster begin with.", Tunable.NONE, example='"/gds"'),
    Property(
        "ca_file",
        "path",
        "The certificates that etcd's own is checked against. Default: this machine's.",
        Tunable.NONE,
        example='"/etc/gds/ca.pem"',
    ),
    Property(
        "cert_file",
        "path",
        "The certificate this node shows to etcd; its common name has to be empty.",
        Tunable.NONE,
        example='"/etc/gds/node.pem"',
    ),
    Property("key_file", "path", "The key of cert_file.", Tunable.NONE, example='"/etc/gds/node.key"'),
    Property("user", "string", "The user of etcd to log in as.", Tunable.NONE, example='"gds"'),
    Property(
        "password_file",
        "path",
        "The file with that user's password in its first line.",
        Tunable.NONE,
        example='"/etc/gds/etcd.password"',
    ),
    Property(
        "lifetime",
        "duration",
        "So long after its last renewal a node may be taken for dead; the same on every node. At least renew + the "
        "larger of 3 attempts and one attempt with an election of etcd's leader (2.2 s) + margin + grace.",
        Tunable.NONE,
        example='"10s"',
    ),
    Property("renew", "duration", "How often a node says that it lives.", Tunable.NONE, example='"2s"'),
    Property(
        "attempt",
        "duration",
        "What one request may take before the next endpoint is asked.",
        Tunable.NONE,
        example='"1s"',
    ),
    Property(
        "margin",
        "duration",
        "So long before its lifetime ends, a node that could not renew it kills what it runs.",
        Tunable.NONE,
        minimum=0.6,
        example='"2s"',
    ),
    Property(
        "grace",
        "duration",
        "So long before that it stops its groups in order; what needs longer is killed.",
        Tunable.NONE,
        example='"1s"',
    ),
    Property(
        "watchdog",
        "path",
        "A hardware watchdog that resets the node when even the kill fails. Without the device no start.",
        Tunable.NONE,
        example='"/dev/watchdog"',
    ),
    Property(
        "fence_command",
        "string",
        "Cuts the power of a node taken for dead, GDS_FENCED_NODE (/bin/sh -c, at most 60 s); only when it succeeds "
        "are its groups taken over. When it fails it is tried again after 5 s.",
        Tunable.NONE,
        example='"/usr/local/sbin/power-off \\"$GDS_FENCED_NODE\\""',
    ),
    Property(
        "allow_old_etcd",
        "boolean",
        "Use an etcd before 3.5.13 all the same.",
        Tunable.NONE,
        example="true",
    ),
)
"""The keys of `[runner.etcd]`; `GDS_ETCD_` and the key in capitals is its variable."""


def by_name(table: tuple[Property, ...]) -> dict[str, Property]:
    """The properties of a table by their names."""
    return {each.name: each for each in table}


def default_of(prop: Property) -> Any:
    """The default of a property, or None when it has none."""
    for cls, table in ((Resource, RESOURCE), (Group, GROUP), (Settings, SETTINGS), (EtcdSettings, ETCD)):
        if prop in table:
            return defaults_of(cls).get(prop.name)
    return None
