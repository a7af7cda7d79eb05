"""What was declared → a Plan: every cross-check between keys, resources and facts. Pure.

In: what `document.py` read of each table (`Declared`: only the keys that were given, as values of the model), the
facts of the machine (answers to the questions of `questions`), and the settings that matter. Out: a Plan, or every
fault at once, each with the path of its key. It knows neither files nor lines nor TOML: `load.py` finds the place of a
key path.
"""

from __future__ import annotations

from gds.config import addressed
from gds.config.declared import Declared, Fault
from gds.config.relations import relation_faults
from gds.model.resource import Command, ExitMap, Group, Plan, Resource
from gds.model.state import FailoverMode
from gds.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from gds.config.declared import Keys

    Question = tuple[str, ...]


COMMANDS = (
    "start_command",
    "stop_command",
    "probe_command",
    "validate_command",
    "prenet_start_command",
    "postnet_stop_command",
    "init_command",
    "boot_command",
    "fini_command",
    "update_command",
    "monitor_check_command",
)
CONNECTED = ("tcp", "tcp6")
"""The protocols that a connect can ask."""

NO_ABORT = "failover_mode HARD needs an engine that can fence, or node_abort_command in [runner]"
UNSAID = Command(("/bin/false",))
"""In place of a command that follows from the type."""

PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._+-@%:,")
"""Characters that mean only themselves to a shell."""


class Compiled(Value):
    """What came of it: `plan` is trusted only when there is no fault. `sound` are the tables that are in it."""

    plan: Plan
    faults: tuple[Fault, ...] = ()
    sound: tuple[Declared, ...] = ()


def questions(declared: Iterable[Declared]) -> set[Question]:
    """What has to be known of the machine before these tables can be judged."""
    asked: set[Question] = set()
    for each in declared:
        for _, question, _ in _asked(each):
            asked.add(question)
    return asked


def compile_plan(
    declared: tuple[Declared, ...], facts: Mapping[Question, str], can_abort: bool = False, complete: bool = True
) -> Compiled:
    """The Plan of all tables; `can_abort` says that node_abort_command is set (failover_mode HARD).

    Not `complete`: a file could not be read, so what a name stands for may be declared there.
    """
    faults: list[Fault] = []
    resources: list[Resource] = []
    sound: list[Declared] = []
    first: dict[tuple[bool, str], Declared] = {}
    for each in declared:
        found = _group_faults(each) if each.group else _faults_of(each, facts, can_abort)
        known = first.setdefault((each.group, each.name), each)
        if known is not each:
            text = f"the {'group' if each.group else 'resource'} {each.name} is declared twice"
            found.append(Fault(each.path, each.keys, text, True, other=(known.path, known.keys)))
        faults.extend(found)
        if not found and not each.broken:
            sound.append(each)
            if not each.group:
                resources.append(resource_of(each))
    faults.extend(relation_faults(declared, complete))
    faults.extend(addressed.mark_faults(declared))
    groups = _groups(resources, {d.name: d for d in sound if d.group})
    return Compiled(Plan(tuple(resources), groups), tuple(faults), tuple(sound))


def resource_of(declared: Declared) -> Resource:
    """The resource that a table without fault declares."""
    values = dict(declared.values)
    values.pop("scalable", None)
    values.setdefault("network_aware", bool(values.get("port_list")))
    if isinstance(probe := values.get("probe"), ExitMap):
        values["exit_map"] = probe
        del values["probe"]
    values.setdefault("group", declared.name)
    if addressed.is_address(values):
        return addressed.with_commands(Resource(declared.name, UNSAID, **values))
    return Resource(declared.name, **values)


def _groups(resources: list[Resource], tables: dict[str, Declared]) -> tuple[Group, ...]:
    members: dict[str, list[str]] = {name: [] for name in tables}
    for each in resources:
        members.setdefault(each.group, []).append(each.name)
    made = []
    for name, names in members.items():
        made.append(group_from(name, names, tables[name].values if name in tables else {}))
    return tuple(made)


def group_from(name: str, members: Iterable[str], given: Mapping[str, Any]) -> Group:
    """The group of these members, with what was given of it."""
    values = dict(given)
    values.setdefault("rg_mode", "FAILOVER" if values.get("maximum_primaries", 1) == 1 else "SCALABLE")
    return Group(name, resources=tuple(members), **values)


def _group_faults(declared: Declared) -> list[Fault]:
    values = declared.values
    if "maximum_primaries" in declared.broken:
        return []
    most: int = values.get("maximum_primaries", 1)
    wanted: int = values.get("desired_primaries", 1)
    found = []
    if values.get("rg_mode") == "FAILOVER" and most > 1:
        text = f"a FAILOVER group runs on one node at a time, so maximum_primaries = {most} needs rg_mode SCALABLE"
        found.append(Fault(declared.path, (*declared.keys, "maximum_primaries"), text))
    if wanted > most:
        given = "" if "maximum_primaries" in values else ", the default"
        text = f"desired_primaries = {wanted} is more than maximum_primaries ({most}{given})"
        found.append(Fault(declared.path, (*declared.keys, "desired_primaries"), text))
    return found


def _faults_of(declared: Declared, facts: Mapping[Question, str], can_abort: bool) -> list[Fault]:
    found: list[Fault] = []
    for keys, question, what in _asked(declared):
        if said := facts[question]:
            found.append(Fault(declared.path, (*declared.keys, *keys), f"{what} {said}"))
    for key, message, on_key in _crossed(declared, can_abort):
        found.append(Fault(declared.path, (*declared.keys, key) if key else declared.keys, message, on_key))
    found.extend(addressed.faults_of(declared))
    return found


def _crossed(declared: Declared, can_abort: bool) -> Iterable[tuple[str, str, bool]]:
    """What one key means for another: key, message, whether the key itself is meant (else its value)."""
    values, has = declared.values, declared.has
    probe = values.get("probe")
    built_in = has("probe") and not isinstance(probe, ExitMap)
    if addressed.is_address(values):
        if values.get("failover_mode") is FailoverMode.HARD and not can_abort:
            yield "failover_mode", NO_ABORT, False
        return
    if not has("start_command"):
        yield "", "start_command is missing: the command that starts the application", True
    if values.get("network_aware") is True and not values.get("port_list") and "port_list" not in declared.broken:
        yield "network_aware", "network_aware = true needs port_list: the ports the application listens on", False
    if built_in and has("probe_command"):
        yield "probe", "probe and probe_command are both given; a resource has one probe", True
    if not has("probe_command"):
        if has("exit_map"):
            yield "exit_map", "exit_map translates the exit status of probe_command, which is missing", True
        if isinstance(probe, ExitMap):
            yield (
                "probe",
                "expected one of tcp, http, unix and notify (exit_map alone goes with a probe_command)",
                False,
            )
    elif isinstance(probe, ExitMap) and has("exit_map"):
        yield "exit_map", "exit_map is given twice: here and in probe", True
    if values.get("pmf_managed") is False and not has("typed"):
        if not has("stop_command"):
            yield (
                "pmf_managed",
                "pmf_managed = false needs stop_command: there is no process to send a signal to",
                False,
            )
        ports = values.get("network_aware") is not False and any(
            p.protocol in CONNECTED for p in values.get("port_list", ())
        )
        if not (built_in or has("probe_command") or ports or "port_list" in declared.broken):
            text = (
                "pmf_managed = false needs probe_command, probe or a tcp port in port_list: health has no other source"
            )
            yield "pmf_managed", text, False
    if values.get("failover_mode") is FailoverMode.HARD and not can_abort:
        yield "failover_mode", NO_ABORT, False


def _asked(declared: Declared) -> Iterable[tuple[Keys, Question, str]]:
    """What the table relies on: key path, question, and how the answer's sentence begins."""
    values = declared.values
    directory = values.get("working_directory", "")
    search = dict(values.get("environment", ())).get("PATH", "")
    for key in COMMANDS:
        command = values.get(key)
        if isinstance(command, Command):
            program = program_of(command)
            # A file of environment may set PATH; it is not read here, so a bare name may yet be found.
            if program and ("/" in program or "environment_files" not in values):
                at = (key,) if command.text else (key, 0)
                yield at, ("command", program, search, directory), program
    if addressed.is_address(values) and "hostnamelist" in values:
        yield ("hostnamelist",), ("command", addressed.PYTHON, "", ""), addressed.PYTHON
    if directory:
        yield ("working_directory",), ("directory", directory), directory
    for place, file in enumerate(values.get("environment_files", ())):
        yield ("environment_files", place), ("file", file), file
    if "user" in values:
        yield ("user",), ("user", values["user"]), f"user {values['user']}"
    if "group_name" in values:
        yield ("group_name",), ("group", values["group_name"]), f"group {values['group_name']}"
    for place, name in enumerate(values.get("supplementary_groups", ())):
        yield ("supplementary_groups", place), ("group", name), f"group {name}"


def program_of(command: Command) -> str:
    """The program a command executes, where that is plain: of a string only a first word that is an absolute path."""
    if not command.text:
        return command.argv[0]
    word = command.text.split()[0]
    return word if word[0] == "/" and not set(word) - PLAIN else ""
