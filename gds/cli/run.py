"""gds run: from the command line to a running Runner, with as little loaded on the way as can be.

With a plan compiled before, nothing but the cache is read. Without one, a compiler process makes it (and keeps it).
"""

from __future__ import annotations

import os
import sys

from gds.cli import options
from gds.cli.main import EARLY
from gds.errors import ConfigError, EngineError, UsageError
from gds.model.settings import ETCD, OWN, flag_of, settings_from

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from typing import Any

    from gds.linux.journal import Log
    from gds.model.resource import Plan
    from gds.model.settings import Settings
    from gds.takeover import Parcel
else:
    import _signal as signal  # plain numbers, without the enums

USAGE = """usage: gds run PATH... [OPTION...]            descriptors, or directories of them (*.toml)
       gds run [OPTION...] -- COMMAND [ARG...]   a bare command, with all defaults
       gds run [OPTION...] --pmf                 nothing but nametags: pmfadm starts it, it ends with the last one

  --on-giveover auto|exit|refuse   what a giveover leads to (auto: exit as PID 1, else refuse)
  --runtime-dir DIR   sockets, and what lasts until the next boot
  --state-dir DIR     history, and what lasts over a boot
  --socket PATH       the control socket (else GDS_SOCKET, else in the runtime directory; never another runner's)
  --socket-group GROUP   who may read through it
  --node NAME         the name of this node       --engine NAME          standalone, etcd
  --etcd-endpoints URL[,URL...]    the members of the etcd cluster; the rest of [runner.etcd]: gds explain etcd
  --log-format text|json                          --history-size SIZE    how large the history may become (32MiB)

Signals: TERM, INT stop everything in order (a second one: SIGKILL); HUP reload; USR1 state to the log; USR2 reopen
log files that have rotate. Exit status: 0 stopped as asked, 1 something could not be stopped, 75 giveover or another
runner has the directories, 78 bad descriptor or settings."""

_VALUED = {flag_of(name): name for name in (*OWN, ETCD + "endpoints") if name != "node_abort_command"}


@options.door(USAGE, USAGE)
def main(argv: list[str]) -> int:
    """Run until told to stop; exit status as above."""
    typed = options.parse(argv, {"--pmf": "pmf"}, _VALUED)
    if typed.after is not None and (typed.names or not typed.after):
        raise UsageError("cannot run: give either descriptors, or -- and a command")
    if "pmf" in typed.flags:
        if typed.after is not None or typed.names:
            raise UsageError("cannot run: --pmf takes neither descriptors nor a command")
        os.chdir("/")
    elif typed.after is None and not typed.names:
        raise UsageError("cannot run: no descriptor and no command is given")
    handed = _handed_over() if "GDS_HANDOVER" in os.environ else None
    _close_inherited()
    _take_back_locale()
    # a careless parent may have blocked SIGCHLD, and then we would hear of no death; what a runner is told by waits
    # until it has ears for it (runner.py)
    if handed is None:
        signal.pthread_sigmask(signal.SIG_SETMASK, EARLY)
    try:
        return _run(typed, handed)
    except EngineError as error:
        print(f"gds: {error}", file=sys.stderr)
        return 75 if "another runner" in str(error) else 1


def _close_inherited() -> None:
    """Descriptors somebody left open in us must not reach applications. Raises ConfigError."""
    try:
        entries = os.listdir("/proc/self/fd")
    except OSError as error:
        raise ConfigError(
            f"cannot run without /proc, which tells what processes there are: {os.strerror(error.errno or 0).lower()};"
            " `mount -t proc proc /proc` first"
        ) from None
    for entry in entries:
        fd = int(entry)
        if fd > 2:
            try:
                os.set_inheritable(fd, False)
            except OSError:
                continue  # the one that listed the directory
    for fd in (0, 1, 2):
        try:
            os.fstat(fd)
        except OSError:
            # started with a closed descriptor: the next file opened would become an application's stdout
            os.open(os.devnull, os.O_RDWR)


def _take_back_locale() -> None:
    """The interpreter may have set LC_CTYPE for its own good (PEP 538); nobody asked for it on behalf of applications,
    and as PID 1 we hand everything on. What we were really given stands in /proc."""
    if "LC_CTYPE" not in os.environ:
        return
    try:
        with open("/proc/self/environ", "rb") as file:
            given = file.read().split(b"\0")
    except OSError:
        return  # nothing works without /proc: it is told before (_close_inherited)
    for each in given:
        if each.startswith(b"LC_CTYPE="):
            os.environ["LC_CTYPE"] = os.fsdecode(each[9:])
            return
    del os.environ["LC_CTYPE"]


def _handed_over() -> Parcel | None:
    """What a runner in this same process left us with `gds upgrade`."""
    from gds.takeover import handed_over

    return handed_over(os.environ)


def _run(typed: options.Options, handed: Parcel | None) -> int:
    from gds.config import cache, places
    from gds.config.sources import Sources

    paths = [] if typed.after is not None else typed.names
    cache_dirs = cache.directories(typed.values, os.environ, os.geteuid())
    if handed is None:
        named = [*paths, *[value for name, value in typed.values.items() if name in places.PATHS]]
        if not all(os.path.isabs(each) for each in named):
            os.getcwd()  # it may be gone: told here, before a compiler is asked what the paths mean
        plan, settings = _declared(typed, paths, cache_dirs)
        sources = Sources.typed(paths, typed.values, cache_dirs)
    else:
        from gds.takeover import declared_before

        plan, settings, known = declared_before(handed)
        # where we stand may be gone, or be called otherwise now: what was typed is not looked at again
        sources = known if known is not None else Sources(paths, typed.values, cache_dirs)
    from gds.linux.journal import Log, format_for

    log = Log(format_for(settings.log_format, os.environ))
    if handed is None:
        settings = _with_socket(settings, typed, log)
    several = settings.engine != "standalone"
    for each in plan.warnings:
        if several and each.code == "one-node":
            continue  # it is of what one node cannot do
        place = f"{each.path}:{each.line}:{each.column}" if each.line else each.path
        log.warning(f"{place}: {each.key}: {each.message}" if each.key else f"{place}: {each.message}")
    from gds.runner import Runner

    return Runner(plan, settings, sources, os.environ, log, handed).run()


def _declared(typed: options.Options, paths: list[str], cache_dirs: list[str]) -> tuple[Plan, Settings]:
    """What descriptors, settings and the command line say. Raises ConfigError."""
    from gds.config import cache

    cached = cache.load_cached(paths, cache_dirs, typed.values)
    if cached is not None:
        plan, values = cached
    else:
        plan, values = _compile(paths, typed.values, cache_dirs)
    settings = settings_from(values)
    if typed.after is not None:
        plan = _bare(typed.after)
    return plan, settings


def _with_socket(settings: Settings, typed: options.Options, log: Log) -> Settings:
    """Where the socket is, when nobody said: in the runtime directory. There, too, when the command line names that
    directory, and GDS_SOCKET, which people export for the verbs, the socket of a runner that lives."""
    own = f"{settings.runtime_dir}/control.sock"
    if not settings.socket:
        return settings.replace(socket=own)
    is_exported = os.environ.get("GDS_SOCKET") and not typed.values.get("socket")
    if is_exported and typed.values.get("runtime_dir") and os.path.lexists(settings.socket) and settings.socket != own:
        from gds.api import place

        if place.listener(settings.socket) >= 0:
            log.warning(f"GDS_SOCKET={settings.socket} is another runner's; this one is asked at {own}")
            return settings.replace(socket=own)
    return settings


def _compile(paths: list[str], flags: dict[str, str], cache_dirs: list[str]) -> tuple[Plan, dict[str, Any]]:
    from gds.config.sources import Sources
    from gds.linux.compiling import ask_and_wait
    from gds.model import codec

    answer = ask_and_wait(Sources(paths, flags, cache_dirs).command())
    if answer.get("errors"):
        from gds.daemon.reloading import told

        for problem in answer["errors"]:
            print(told(problem), file=sys.stderr)
        count = len(answer["errors"])
        raise ConfigError(
            f"cannot run: {count} error{'' if count == 1 else 's'} in descriptors or settings; nothing was started"
        )
    return codec.unpack(answer["plan"]), answer["settings"]


def _bare(command: list[str]) -> Plan:
    """A command without a file: one resource, all defaults, named after the program. Raises ConfigError when it cannot
    be executed, as of a descriptor: a typing error is no failure that another node could mend."""
    from gds.config import facts
    from gds.model.names import FIRST_LETTERS, LETTERS
    from gds.model.resource import Command, Group, Plan, Resource

    said = facts.answer(("command", command[0], "", ""))
    if said:
        raise ConfigError(f"cannot run {command[0] or 'an empty name'}: it {said}; nothing was started")
    stem = "".join([c if c in LETTERS else "-" for c in os.path.basename(command[0])]).lstrip("-_0123456789")
    name = stem if stem and stem[0] in FIRST_LETTERS else "app"
    made = Resource(name, Command(tuple(command)), group=name)
    return Plan((made,), (Group(name, "", (name,)),))
