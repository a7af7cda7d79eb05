"""The environment of every command. Design.md 3: the runner's own is not handed on but for a few names.

Pure: files and accounts are read by others and handed in.
"""

from __future__ import annotations

from gds.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gds.model.resource import Resource

KEPT = ("PATH", "HOME", "LANG", "TZ")
HOSTNAMES = "$hostnames"
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Account(Value):
    """Who a command runs as; `uid` -1: as the runner."""

    uid: int = -1
    gid: int = -1
    groups: tuple[int, ...] | None = None
    name: str = ""
    home: str = ""
    shell: str = ""


AS_RUNNER = Account()


class Call(Value):
    """What one call of a method is about."""

    method: str
    incarnation: int
    timeout: float
    reason: str = ""
    restarts: int = 0
    probe_sum: int = 0
    main_pid: int = 0


def of_command(
    resource: Resource,
    call: Call,
    account: Account,
    own: Mapping[str, str],
    from_files: Mapping[str, str],
    node: str,
    socket: str,
    everything: bool,
    hostnames: str = "",
) -> dict[str, str]:
    """The whole environment of one command, weakest first: the runner's (all of it when `everything`: PID 1 of a
    container), the account's, environment_files, environment, then what gds says itself."""
    if everything:
        env = {k: v for k, v in own.items() if k != "NOTIFY_SOCKET"}
    else:
        env = {k: own[k] for k in (*KEPT, *resource.pass_environment) if k in own}
    env.setdefault("PATH", DEFAULT_PATH)
    if account.name:
        env["HOME"] = account.home
        env["USER"] = env["LOGNAME"] = account.name
        env["SHELL"] = account.shell
    env.update(from_files)
    env.update(resource.environment)
    env["GDS_RESOURCE"] = resource.name
    env["GDS_GROUP"] = resource.group
    env["GDS_TYPE"] = resource.type
    env["GDS_NODE"] = node
    env["GDS_METHOD"] = call.method
    env["GDS_INCARNATION"] = str(call.incarnation)
    env["GDS_SOCKET"] = socket
    env["GDS_TIMEOUT"] = f"{call.timeout:g}"
    env["GDS_REASON"] = call.reason
    env["GDS_RESTARTS"] = str(call.restarts)
    env["GDS_RETRY_COUNT"] = str(resource.retry_count)
    env["GDS_PROBE_SUM"] = str(call.probe_sum)
    env["GDS_HOSTNAMES"] = hostnames
    env["GDS_PORT_LIST"] = ",".join([str(p) for p in resource.port_list])
    if call.main_pid:
        env["MAINPID"] = str(call.main_pid)
    return env


def hostnames_of(resource: Resource, addresses: Iterable[Resource]) -> str:
    """The host names of a resource, joined by commas; `addresses` are the network resources there are. Those that it
    depends on, in whatever way; if there are none, those of its group (Sun's scds_get_rs_hostnames: semantics.md 17).
    An address has its own."""
    if resource.is_address:
        return ",".join(resource.hostnamelist)
    needed = {
        need.on
        for needs in (
            resource.resource_dependencies,
            resource.resource_dependencies_weak,
            resource.resource_dependencies_restart,
            resource.resource_dependencies_offline_restart,
        )
        for need in needs
    }
    found = list(addresses)
    own = [each for each in found if each.name in needed] or [each for each in found if each.group == resource.group]
    return ",".join(dict.fromkeys([name for each in own for name in each.hostnamelist]))


def with_hostnames(argv: tuple[str, ...], hostnames: str) -> tuple[str, ...]:
    """The words of a command with `$hostnames` replaced, as Agent Builder did (Sun: semantics.md 16): in a string as in
    an array, wherever it is not the beginning of a longer name."""
    if not [word for word in argv if HOSTNAMES in word]:
        return argv
    made = []
    for word in argv:
        first, *pieces = word.split(HOSTNAMES)
        for piece in pieces:
            longer = piece[:1].isalnum() or piece[:1] == "_"
            first += (HOSTNAMES if longer else hostnames) + piece
        made.append(first)
    return tuple(made)


def parse_file(text: str) -> dict[str, str]:
    """NAME=value lines, as systemd's EnvironmentFile: blank lines and lines from # or ; on are skipped, a value may
    stand in '' or "", a backslash at the end of a line joins the next. Lines without a name are skipped."""
    found: dict[str, str] = {}
    for line in text.replace("\\\n", "").split("\n"):
        stripped = line.strip()
        if not stripped or stripped[0] in "#;":
            continue
        name, equals, value = stripped.removeprefix("export ").partition("=")
        name = name.strip()
        if not equals or not name or "\0" in stripped:
            continue
        value = value.strip()
        if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
            quote, value = value[0], value[1:-1]
            if quote == '"':
                value = value.replace('\\"', '"').replace("\\\\", "\\")
        found[name] = value
    return found
