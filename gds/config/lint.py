"""The linter: what is allowed and yet hardly meant. Pure; a warning never stops a run (design.md 2).

Each rule has a code, explained in `CODES`. Tables with a fault are left out.
"""

from __future__ import annotations

from gds.config.compile import COMMANDS, PLAIN, Compiled
from gds.config.declared import Declared, Fault
from gds.config.relations import APART, NEEDS, affinity_entries, group_of, need_entries
from gds.config.shell import Simple, simple_commands
from gds.model.names import ADDRESS_TYPES
from gds.model.resource import Command, Output, Resource

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gds.config.compile import Question
    from gds.config.declared import Keys

    Remark = tuple[Keys, str, str]

CODES = {
    "ambiguous-name": "A resource and a group that is not its alone have the same name. `gds stop NAME` means the "
    "resource, `gds rg offline NAME` the group.",
    "budget-unreachable": "The restarts that retry_count allows cannot all happen within retry_interval, given the "
    "delays between them; so the budget is never spent, and the application is restarted for ever instead of being "
    "given over.",
    "command-missing": "The first word of a shell string is neither a shell's own word nor found in PATH, so the shell "
    "will say that it is not found.",
    "dependency-disabled": "A resource that is enabled needs one that is `enabled = false`, so it waits OFFLINE until "
    "somebody enables that one. A weak dependency does not wait.",
    "dependency-twice": "A resource stands in two lists of dependencies; the one that asks for more counts: "
    "offline_restart, restart, resource_dependencies, weak.",
    "empty-directory": "A directory of descriptors has no *.toml file in it.",
    "empty-group": "A [group.NAME] has no resource.",
    "environment-reserved": "gds sets this variable itself, after environment.",
    "one-node": "This asks for several nodes, and without an engine in the settings there is one.",
    "output-directory": "The directory for an output file is not there, or is none where root would write.",
    "output-shared": "Two outputs go into one file and one of them rotates it, so lines will end up in an old file.",
    "port-twice": "A port is declared twice; two applications can listen on it only on different addresses.",
    "probe-exit-status": "The probe command ends in a program that fails with a small exit status. Sun's scale takes "
    'it for a score: 1 is one hundredth of a failure. exit_map = "pass-fail" makes every failure a complete one.',
    "probe-timeout": "A probe may take longer than the interval between two probes.",
    "relative-path": "A relative path is looked for from wherever the runner was started.",
    "restart-delay-max": "restart_delay is longer than restart_delay_max, so every delay is restart_delay_max.",
    "retry-interval": "retry_interval is smaller than retry_count x (thorough_probe_interval + probe_timeout): faults "
    "that a probe finds come too slowly to spend the budget (Sun's rule for choosing the numbers).",
    "shell-background": "A shell string puts a command into the background with &. gds follows every process, so the "
    "command may as well stay in front; in the background its exit status is lost.",
    "stop-returns-early": "The stop command returns before the application is gone; what is left then gets SIGKILL at "
    "once. Let it wait, or leave it out and name a stop_signal.",
    "stop-signal": "This signal does not end a process.",
    "stop-signal-unused": "stop_signal is sent only when there is no stop_command.",
    "user-needs-root": "Only root can run a command as somebody else.",
}
"""What each warning means."""

_SMALL = "pg_isready curl wget test [ [[ nc ncat netcat redis-cli grep pgrep mysqladmin ping socat false"
SMALL_STATUSES = frozenset(_SMALL.split())
"""Programs that say "failed" with an exit status of 1, 2, 7 …"""

_SHELL = (
    ". : [ [[ ! { ( alias bg break case cd command continue echo eval exec exit export false fg for getopts hash if "
    "jobs kill local printf pwd read readonly return select set shift source test time times trap true type ulimit "
    "umask unalias unset until wait while function let declare typeset builtin coproc"
)
SHELL_WORDS = frozenset(_SHELL.split())
"""What a shell knows without looking in PATH."""

NOT_ENDING = {17: "SIGCHLD", 18: "SIGCONT", 19: "SIGSTOP", 20: "SIGTSTP"}


def lint_questions(declared: Iterable[Declared]) -> set[Question]:
    """What the linter wants to know of the machine."""
    return {question for each in declared for _, question, _, _ in _asked(each)}


def lint(declared: tuple[Declared, ...], compiled: Compiled, facts: Mapping[Question, str]) -> list[Fault]:
    """Every remark about the sound tables of what was declared."""
    pairs = list(zip([each for each in compiled.sound if not each.group], compiled.plan.resources, strict=True))
    remarks = [
        Fault(each.path, (*each.keys, *keys), message, code=code)
        for each, resource in pairs
        for keys, code, message in _about(each, resource, facts)
    ]
    return [*remarks, *_ports(pairs), *_outputs(pairs), *_needs(pairs), *_nodes(declared), *_names(declared)]


def _about(declared: Declared, resource: Resource, facts: Mapping[Question, str]) -> Iterable[Remark]:
    if resource.typed is not None:
        return  # its commands are its type's, and its numbers its monitor's
    yield from _numbers(declared, resource)
    if resource.is_address:
        return  # its commands are ours
    for key in COMMANDS:
        command = declared.values.get(key)
        if isinstance(command, Command):
            yield from _command(key, command, resource)
    yield from _surroundings(declared, resource)
    for keys, question, code, message in _asked(declared):
        if said := facts[question]:
            yield keys, code, message.format(said)


# -- numbers


def _numbers(declared: Declared, resource: Resource) -> Iterable[Remark]:
    interval = resource.retry_interval
    each = resource.thorough_probe_interval + resource.probe_timeout
    needed = resource.retry_count * each
    at = _given(declared, "retry_interval", "retry_count", "thorough_probe_interval", "probe_timeout", "restart_delay")
    least, usual = _delays(resource)
    if least >= interval and resource.retry_count > 0:
        yield (
            at,
            "budget-unreachable",
            f"retry_count = {resource.retry_count} can never be reached: with these delays so many restarts take at "
            f"least {_seconds(least)}, and retry_interval is {_seconds(interval)}",
        )
    elif needed > interval:
        yield (
            at,
            "retry-interval",
            f"retry_interval ({_seconds(interval)}) is smaller than retry_count x (thorough_probe_interval + "
            f"probe_timeout) = {resource.retry_count} x {_seconds(each)} = {_seconds(needed)}: faults found by a probe "
            "can come too slowly to spend the budget",
        )
    elif resource.has_probe and usual and needed + usual > interval:
        yield (
            at,
            "budget-unreachable",
            f"retry_count = {resource.retry_count} cannot be reached by faults that a probe finds: with the delays "
            f"they take {_seconds(needed + usual)}, and retry_interval is {_seconds(interval)}",
        )
    if resource.probe_timeout > resource.thorough_probe_interval:
        yield (
            _given(declared, "probe_timeout", "thorough_probe_interval"),
            "probe-timeout",
            f"probe_timeout ({_seconds(resource.probe_timeout)}) is longer than thorough_probe_interval "
            f"({_seconds(resource.thorough_probe_interval)})",
        )
    if resource.restart_delay > resource.restart_delay_max:
        yield (
            _given(declared, "restart_delay"),
            "restart-delay-max",
            f"restart_delay ({_seconds(resource.restart_delay)}) is longer than restart_delay_max "
            f"({_seconds(resource.restart_delay_max)})",
        )


def _delays(resource: Resource) -> tuple[float, float]:
    """From the first of retry_count restarts to the failure after the last: at least, and delays alone as declared.

    The n-th restart waits restart_delay x 2^(n-2), 10 % more or less, at most restart_delay_max (design.md 2); without
    a probe each Start takes start_grace.
    """
    step, longest = resource.restart_delay, resource.restart_delay_max
    left = resource.retry_count - 1
    total = 0.0
    while left > 0 and 0 < step < longest:
        total += step
        step *= 2
        left -= 1
    if left > 0 and step > 0:
        total += left * longest
    graces = 0.0 if resource.has_probe else max(resource.retry_count, 0) * resource.start_grace
    return total * 0.9 + graces, total


def _given(declared: Declared, *keys: str) -> Keys:
    """The first of these keys that the user wrote."""
    for key in keys:
        if key in declared.values:
            return (key,)
    return ()


def _seconds(value: float) -> str:
    return f"{value:g} s"


# -- commands


def _command(key: str, command: Command, resource: Resource) -> Iterable[Remark]:
    text = _shell_text(command)
    commands = simple_commands(text) if text else (Simple(command.argv, ""),)
    behind = [each for each in commands if each.end == "&" and "wait" not in [c.program for c in commands]]
    if behind and (resource.pmf_managed or key != "start_command"):  # else nobody follows it, and it has to return
        yield (
            (key,),
            "shell-background",
            f"`{' '.join(behind[0].words)[:40]} &` runs in the background; gds follows every process, so let it stay "
            "in front, or end with `wait`",
        )
    last = commands[-1] if commands else Simple((), "")
    ends = "exit 1" if last.command[:2] == ("exit", "1") else last.program if last.program in SMALL_STATUSES else ""
    if key == "probe_command" and resource.exit_map is None and ends:
        yield (
            (key,),
            "probe-exit-status",
            f"ends in {ends}, whose exit status is small when it fails, and 1 is only one hundredth of a failure; "
            'add exit_map = "pass-fail"',
        )
    if key == "stop_command" and resource.pmf_managed and (early := _returns_early(last)):
        yield (
            (key,),
            "stop-returns-early",
            f"`{early}` returns before the application is gone, and what is left then gets SIGKILL at once; let the "
            "command wait, or leave it out and set stop_signal",
        )


def _shell_text(command: Command) -> str:
    """The shell string of a command, also of `["sh", "-c", "…"]`."""
    argv = command.argv
    if command.text or (
        len(argv) > 2 and argv[0].rpartition("/")[2] in ("sh", "bash", "dash", "ash") and argv[1] == "-c"
    ):
        return command.text or argv[2]
    return ""


def _returns_early(last: Simple) -> str:
    """The part of a command that is known to return before the application is gone, or an empty string."""
    words = last.command
    match last.program:
        case "nginx" | "openresty" if "-s" in words and words[-1] in ("quit", "stop"):
            return f"nginx -s {words[-1]}"
        case "kill" | "pkill" | "killall" if "-0" not in words and "-w" not in words and "--wait" not in words:
            return last.program
        case "apachectl" | "apache2ctl" | "httpd" | "apache2" if words[-1] in ("graceful-stop", "stop"):
            return f"{last.program} {words[-1]}"
        case "pg_ctl" if "-W" in words or "--no-wait" in words:
            return "pg_ctl -W"
    return ""


# -- surroundings


def _surroundings(declared: Declared, resource: Resource) -> Iterable[Remark]:
    values = declared.values
    if "stop_signal" in values and resource.stop_command is not None:
        yield ("stop_signal",), "stop-signal-unused", "has no effect: stop_command is given"
    elif resource.stop_signal in NOT_ENDING:
        name = NOT_ENDING[resource.stop_signal]
        yield (
            ("stop_signal",),
            "stop-signal",
            f"{name} does not end a process; only SIGKILL will, at 80 % of stop_timeout",
        )
    for name, _ in resource.environment:
        if name.startswith("GDS_") or name in ("MAINPID", "NOTIFY_SOCKET"):
            yield ("environment", name), "environment-reserved", f"{name} is set by gds itself"
    for keys, path in _paths(resource):
        if not path.startswith("/"):
            yield keys, "relative-path", f'"{path}" is looked for from wherever the runner was started'


def _paths(resource: Resource) -> Iterable[tuple[Keys, str]]:
    if resource.working_directory:
        yield ("working_directory",), resource.working_directory
    for place, path in enumerate(resource.environment_files):
        yield ("environment_files", place), path
    for key, output in (("stdout", resource.stdout), ("stderr", resource.stderr)):
        if output.kind == "file":
            yield (key,), output.path
    if resource.probe is not None and resource.probe.kind == "unix" and not resource.probe.path.startswith("@"):
        yield ("probe", "unix"), resource.probe.path


def _asked(declared: Declared) -> Iterable[tuple[Keys, Question, str, str]]:
    """Questions about the machine: key path, question, and the code and text of the remark ({} = the answer)."""
    if declared.group:
        return
    values = declared.values
    for key in ("stdout", "stderr"):
        output = values.get(key)
        if isinstance(output, Output) and output.kind == "file":
            kind = "place" if values.get("user", "root") in ("root", "0") else "parent"
            yield (key,), (kind, output.path), "output-directory", f"the directory of {output.path} {{}}"
    for key in ("user", "group_name", "supplementary_groups"):
        if values.get(key):
            question = ("become", values[key]) if key == "user" else ("root",)
            yield (key,), question, "user-needs-root", "only root can run a command as somebody else"
            break
    search = dict(values.get("environment", ())).get("PATH", "")
    for key in COMMANDS:
        command = values.get(key)
        if isinstance(command, Command) and command.text and "environment_files" not in values:
            word = command.text.split()[0]
            if "/" not in word and not set(word) - PLAIN and word not in SHELL_WORDS:
                directory = values.get("working_directory", "")
                yield (key,), ("command", word, search, directory), "command-missing", f"{word} {{}}"


# -- between resources


def _ports(pairs: list[tuple[Declared, Resource]]) -> Iterable[Fault]:
    first: dict[str, tuple[Declared, int]] = {}
    for each, resource in pairs:
        for place, port in enumerate(resource.port_list):
            other, other_place = first.setdefault(str(port), (each, place))
            if other is not each or other_place != place:
                whose = "in this list" if other is each else f"by {other.name}"
                keys = (*each.keys, "port_list", place)
                yield Fault(
                    each.path,
                    keys,
                    f"port {port} is declared twice: also {whose}",
                    code="port-twice",
                    other=(other.path, (*other.keys, "port_list", other_place)),
                )


def _outputs(pairs: list[tuple[Declared, Resource]]) -> Iterable[Fault]:
    first: dict[str, tuple[Declared, str, Output]] = {}
    for each, resource in pairs:
        for key, output in (("stdout", resource.stdout), ("stderr", resource.stderr)):
            if output.kind != "file":
                continue
            other, other_key, known = first.setdefault(output.path, (each, key, output))
            if other is not each and (known.rotate or output.rotate):
                yield Fault(
                    each.path,
                    (*each.keys, key),
                    f"{output.path} is also the {other_key} of {other.name}, and one of them rotates it",
                    code="output-shared",
                    other=(other.path, (*other.keys, other_key)),
                )


def _needs(pairs: list[tuple[Declared, Resource]]) -> Iterable[Fault]:
    down = {resource.name: each for each, resource in pairs if not resource.enabled}
    for each, resource in pairs:
        kinds: dict[str, str] = {}
        for entry in need_entries(each):
            first = kinds.setdefault(entry.name, entry.key)
            other = (each.path, (*each.keys, first))
            if first != entry.key:
                text = f"{entry.name} stands in {first} too, which counts"
                yield Fault(each.path, entry.keys, text, code="dependency-twice", other=other)
            elif resource.enabled and entry.name in down and entry.key != NEEDS[-1]:
                text = f"{entry.name} is `enabled = false`: {each.name} waits OFFLINE until it is enabled"
                other = (down[entry.name].path, (*down[entry.name].keys, "enabled"))
                yield Fault(each.path, entry.keys, text, code="dependency-disabled", other=other)


def _nodes(declared: tuple[Declared, ...]) -> Iterable[Fault]:
    """What asks for several nodes where one would be surprised that it does nothing; once for each group."""
    told: set[str] = set()
    for each in declared:
        group = each.name if each.group else group_of(each)
        for keys, text in () if group in told else _beyond_one(each):
            yield Fault(each.path, (*each.keys, *keys), text, code="one-node")
            told.add(group)
            break


def _beyond_one(declared: Declared) -> Iterable[tuple[Keys, str]]:
    for key in ("maximum_primaries", "desired_primaries"):
        if declared.group and declared.values.get(key, 1) > 1:
            yield (key,), "kept for several nodes; without an engine there is one, and the group runs once"
    for entry in affinity_entries(declared):
        if entry.sign in APART:
            yield (
                (entry.key, entry.place),
                f"without an engine there is only one node: {declared.name} and {entry.name} both run here",
            )
    for entry in need_entries(declared):
        if entry.sign:
            yield (
                (entry.key, entry.place),
                f"without an engine there is only one node: taken as {entry.name} on this one",
            )


def _names(declared: tuple[Declared, ...]) -> Iterable[Fault]:
    homes = {each.name: str(each.values.get("group", each.name)) for each in declared if not each.group}
    addresses = {each.name for each in declared if each.values.get("type") in ADDRESS_TYPES}
    inhabited = set(homes.values())
    groups = inhabited | {each.name for each in declared if each.group}
    for each in declared:
        if each.group:
            if each.name not in inhabited:
                yield Fault(each.path, each.keys, "no resource lives in this group", True, "empty-group")
        elif each.name in groups:
            others = [name for name, home in homes.items() if home == each.name != name and name not in addresses]
            if homes[each.name] != each.name:
                text = f"there is also a group {each.name}, and this resource does not live in it"
            elif others:
                text = f"its group has {', '.join(others)} too: `gds stop {each.name}` stops this resource alone"
            else:
                continue  # a group named after the one application in it
            yield Fault(each.path, each.keys, text, True, "ambiguous-name")
