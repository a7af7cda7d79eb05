"""gds lab: a cluster of several nodes on one machine, to try a descriptor's failover before production."""

from __future__ import annotations

import os
import sys

from gds.cli import options
from gds.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from gds.lab.place import Lab

USAGE = """usage: gds lab up [--nodes N|NAME,NAME...] [--lifetime SECONDS] [OPTION...] [PATH...]
       gds lab status [--json]
       gds lab kill NODE [runner | etcd | guard | app NAME]
       gds lab start NODE
       gds lab pause NODE [runner | etcd]          gds lab resume NODE
       gds lab partition NODE [NODE]               gds lab heal [NODE]
       gds lab exec NODE|client COMMAND [ARGUMENT...]
       gds lab logs NODE [runner | etcd] [-n LINES] [-f]
       gds lab down

Several nodes on one machine, each with a network, a member of etcd and a runner of its own. PATH: descriptors, or
directories of them, as they lie there; without one a small web page shows which node serves it.

  up         --nodes: how many (3: n1, n2, n3), or their names, as your nodelist has them
             --lifetime: so long after its last word a node may be taken for dead (5)
             --net: the lab's network (192.0.2.0/24); --interface: each node's interface in it (eth0). No packet leaves
             the machine, so they may be as in production
             --etcd: the program, when it is not in PATH; --plain: no networks, the nodes share the machine's
  status     the nodes, and `gds status` of one that lives
  kill       the node: a power cut. runner, etcd, guard, app: that process alone, by SIGKILL
  start      power on again; on a node with power: what is missing
  pause      the node stands still as a whole and answers nothing; or one process of it (SIGSTOP)
  partition  nothing passes between NODE and all others, or only the second NODE
  exec       on NODE, with `gds` asking its runner; `client` is on the same network and has no runner
  down       all of it ended and removed; may be repeated

--dir DIR (with every verb; before NODE with exec): where it is kept; several labs stand side by side. Default
/run/gds-lab, or gds-lab in $XDG_RUNTIME_DIR.

Exit status: 0 done, 1 failed, 2 usage, 3 not running, 4 no lab or unknown node, 77 not permitted, 78 bad descriptor."""


@options.door(USAGE)
def main(argv: list[str]) -> int:
    """Exit status as above."""
    if not argv:
        raise UsageError("cannot guess what you want of a lab\n" + USAGE)
    verb, rest = argv[0], argv[1:]
    if verb in ("-h", "--help"):
        raise options.HelpAsked
    if verb in _DEEDS:
        return _done(verb, rest)
    if verb in _VERBS:
        return _VERBS[verb](rest)
    hint = options.near(verb, [*_VERBS, *_DEEDS])
    raise UsageError(f"cannot lab {verb}: there is no such verb{hint} (gds lab --help lists them)")


def _directory(typed: options.Options) -> str:
    from gds.lab.place import default_directory

    return os.path.realpath(typed.values.get("dir") or default_directory(os.environ, os.geteuid()))


def _read(typed: options.Options) -> Lab:
    from gds.lab.place import read

    return read(_directory(typed))


def _typed(verb: str, argv: list[str], least: int, most: int, flags: dict[str, str] | None = None) -> options.Options:
    typed = options.parse(argv, flags or {}, {"--dir": "dir", "-n": "lines"} if verb == "logs" else {"--dir": "dir"})
    if not least <= len(typed.names) <= most:
        missing = "no node is given" if len(typed.names) < least else f"{typed.names[most]} is one word too many"
        raise UsageError(f"cannot {verb}: {missing}; see gds lab --help")
    return typed


def _up(argv: list[str]) -> int:
    from gds.cli import labup

    words = ("nodes", "dir", "lifetime", "etcd", "net", "interface")
    typed = options.parse(argv, {"--plain": "plain"}, {f"--{word}": word for word in words})
    lab, code = labup.up(typed, _directory(typed))
    _show(lab)
    if lab.page and not code:
        print(f"\ntry: {'gds lab exec client ' if lab.net else ''}curl {lab.page}")
    return code


def _status(argv: list[str]) -> int:
    typed = _typed("status", argv, 0, 0, {"--json": "json"})
    lab = _read(typed)
    if "json" in typed.flags:
        import json

        from gds.lab import seen

        print(json.dumps(seen.document(lab), ensure_ascii=False))
        return 0
    _show(lab)
    return 0


def _show(lab: Lab) -> None:
    from gds.cli.status import table
    from gds.lab import seen

    facts = seen.document(lab)
    print("\n".join(seen.table(facts)))
    status: dict[str, Any] | None = facts["status"]
    if status is None:
        print("no runner answers")
    else:
        print(f"\ngds status on {status['node']}:")
        print("\n".join(table(status, False)))


def _done(verb: str, argv: list[str]) -> int:
    """One of the deeds that say in a line what was done."""
    least, most, deed = _DEEDS[verb]
    typed = _typed(verb, argv, least, most)
    print(deed(_read(typed), typed.names))
    return 0


def _kill(lab: Lab, names: list[str]) -> str:
    from gds.lab import deeds

    node, what = lab.known(names[0]), (names[1:2] or [""])[0]
    if what not in ("", "runner", "etcd", "guard", "app") or (what == "app") is not (len(names) == 3):
        raise UsageError(f"cannot kill {' '.join(names[1:])} of {node}: it is runner, etcd, guard or app NAME")
    return deeds.kill(lab, node, what, *names[2:]) if what else deeds.cut_power(lab, node)


def _start(lab: Lab, names: list[str]) -> str:
    from gds.lab import deeds

    return deeds.start(lab, lab.known(names[0]))


def _pause(lab: Lab, names: list[str]) -> str:
    from gds.lab import deeds

    node, what = lab.known(names[0]), (names[1:] or [""])[0]
    if what not in ("", "runner", "etcd"):
        raise UsageError(f"cannot pause {what} of {node}: it is runner or etcd, or nothing for the whole node")
    return deeds.pause(lab, node, what)


def _resume(lab: Lab, names: list[str]) -> str:
    from gds.lab import deeds

    return deeds.resume(lab, lab.known(names[0]))


def _partition(lab: Lab, names: list[str]) -> str:
    from gds.lab import deeds

    if len(set(names)) < len(names):
        raise UsageError(f"cannot cut {names[0]} off from itself")
    return deeds.partition(lab, [lab.known(name) for name in names])


def _heal(lab: Lab, names: list[str]) -> str:
    from gds.lab import deeds

    return deeds.heal(lab, lab.known(names[0]) if names else "")


def _exec(argv: list[str]) -> int:
    from gds.lab import cells, network, seen
    from gds.lab.place import CLIENT, LabFault

    # the options behind NODE are the command's
    own = 2 if argv[:1] == ["--dir"] else 1 if argv and argv[0].startswith("-") else 0
    typed = options.parse(argv[:own], {}, {"--dir": "dir"})
    node, command = (argv[own:] or [""])[0], argv[own + 1 :]
    command = command[1:] if command[:1] == ["--"] else command
    if not command:
        raise UsageError("cannot exec: name a node (or client) and a command; see gds lab --help")
    lab = _read(typed)
    if node != CLIENT and seen.power(lab, lab.known(node)) != "on":
        raise LabFault(f"cannot exec on {node}: it is {seen.power(lab, node)}", 3)
    env = {k: v for k, v in os.environ.items() if not k.startswith("GDS_")}
    env["GDS_CONFIG"] = f"{lab.directory}/gds.toml"
    env["PATH"] = f"{env.get('PATH', os.defpath)}:{os.path.dirname(sys.executable)}"  # `gds` is there, if nowhere else
    env["ETCDCTL_API"] = "3"
    env["ETCDCTL_ENDPOINTS"] = ",".join(lab.url(name) for name in ([node] if node != CLIENT else lab.nodes))
    if node != CLIENT:
        env.update(GDS_SOCKET=lab.socket(node), GDS_STATE_DIR=f"{lab.home(node)}/state")
    cells.join(lab.cell(node))
    network.enter(lab, node)
    try:
        os.execvpe(command[0], command, env)
    except OSError as error:
        raise LabFault(f"cannot execute {command[0]}: {error.strerror}", 127) from None


def _logs(argv: list[str]) -> int:
    typed = _typed("logs", argv, 1, 2, {"-f": "follow", "--follow": "follow"})
    lab = _read(typed)
    node, what = lab.known(typed.names[0]), (typed.names[1:] or ["runner"])[0]
    if what not in ("runner", "etcd"):
        raise UsageError(
            f"cannot show the log of {what}: it is runner or etcd (an application's: gds lab exec {node}"
            f" gds logs {what})"
        )
    lines = typed.values.get("lines", "40")
    if not lines.isdecimal():
        raise UsageError(f"cannot use -n {lines}: write a number of lines")
    path = f"{lab.home(node)}/{what}.log"
    os.execvp("tail", ["tail", "-n", lines, *(["-F"] if "follow" in typed.flags else []), path])


def _down(argv: list[str]) -> int:
    from gds.lab import deeds
    from gds.lab.place import LabFault

    typed = _typed("down", argv, 0, 0)
    directory = _directory(typed)
    try:
        lab = _read(typed)
    except LabFault as error:
        if error.code != 4:
            raise
        lab = None
    print(deeds.down(directory, lab))
    return 0


_DEEDS: dict[str, tuple[int, int, Callable[[Lab, list[str]], str]]] = {
    "kill": (1, 3, _kill),
    "start": (1, 1, _start),
    "pause": (1, 2, _pause),
    "resume": (1, 1, _resume),
    "partition": (1, 2, _partition),
    "heal": (0, 1, _heal),
}
"""What is done to a lab that is there: the least and the most names, and the deed."""
_VERBS: dict[str, Callable[[list[str]], int]] = {
    "up": _up,
    "status": _status,
    "exec": _exec,
    "logs": _logs,
    "down": _down,
}
