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

_UP_WAIT = 60.0
"""Seconds until all of a new lab is up."""


@options.door(USAGE)
def main(argv: list[str]) -> int:
    """Exit status as above."""
    if not argv:
        raise UsageError("cannot guess what you want of a lab\n" + USAGE)
    verb, rest = argv[0], argv[1:]
    if verb in ("-h", "--help"):
        raise options.HelpAsked
    if verb not in _VERBS:
        hint = options.near(verb, _VERBS)
        raise UsageError(f"cannot lab {verb}: there is no such verb{hint} (gds lab --help lists them)")
    return _VERBS[verb](rest)


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


# -- up ---------------------------------------------------------------------------------------------------------------


def _up(argv: list[str]) -> int:
    from gds.lab import deeds, members
    from gds.lab.place import CLIENT, DEFAULT_NET, look, network_of

    words = ("nodes", "dir", "lifetime", "etcd", "net", "interface")
    typed = options.parse(argv, {"--plain": "plain"}, {f"--{word}": word for word in words})
    nodes = _nodes(typed.values.get("nodes", "3"))
    net = network_of(typed.values.get("net", DEFAULT_NET))
    look(_directory(typed))
    settings = _settings(typed)
    etcd, version = members.found(typed.values.get("etcd", ""))
    if members.is_old(version):
        settings["allow_old_etcd"] = "true"
    _check(typed.names, nodes)
    lab = _planned(typed, nodes, net, etcd)
    where = f"network {lab.net}, client {lab.address(CLIENT)}"
    if not lab.net:
        where = f"the machine's own network ({lab.plain_because})"
    print(f"lab in {lab.directory}: nodes {', '.join(nodes)}; {where}; etcd {version}", flush=True)
    if "allow_old_etcd" in settings:
        print(
            f"etcd {version} is older than 3.5.13: good enough to try things out (allow_old_etcd), not for production"
        )
    print("starting; the store is new, so that nothing is run for one lifetime", flush=True)
    deeds.build(lab, settings)
    for node in lab.nodes:
        deeds.start(lab, node)
    code = _wait(lab)
    _show(lab)
    if lab.page and not code:
        print(f"\ntry: {'gds lab exec client ' if lab.net else ''}curl {lab.page}")
    return code


def _planned(typed: options.Options, nodes: tuple[str, ...], net: str, etcd: str) -> Lab:
    """Raises LabFault for what this machine cannot give."""
    from gds.lab import cells, example, members, network
    from gds.lab.place import Lab

    directory = _directory(typed)
    plain = "--plain" if "plain" in typed.flags else network.missing(directory)
    ports = members.free_ports(2 * len(nodes)) if plain else [2379, 2380] * len(nodes)
    paths = tuple(os.path.abspath(path) for path in typed.names) or (f"{directory}/example.toml",)
    lab = Lab(
        directory=directory,
        nodes=nodes,
        cgroup=cells.place_for(directory),
        net="" if plain else net,
        interface=typed.values.get("interface", "eth0"),
        plain_because=plain,
        etcd=etcd,
        ports=tuple(zip(ports[::2], ports[1::2], strict=True)),
        paths=paths,
        cwd=os.getcwd(),
    )
    return lab if typed.names else lab.replace(page=example.page(lab, members.free_ports(1)[0]))


def _nodes(text: str) -> tuple[str, ...]:
    from gds.lab.place import MOST, RESERVED
    from gds.model.names import name_fault

    names = [f"n{number + 1}" for number in range(int(text[:3]))] if text.isdecimal() else text.split(",")
    if not 1 <= len(names) <= MOST:
        raise UsageError(f"cannot use --nodes {text}: 1 to {MOST} nodes")
    for name in names:
        fault = name_fault(name) or ("the lab has another use for this name" if name in RESERVED else "")
        if fault or names.count(name) > 1:
            raise UsageError(f"cannot use --nodes {text}: {name}: {fault or 'it is there twice'}")
    return tuple(names)


def _settings(typed: options.Options) -> dict[str, str]:
    """[runner.etcd] for this lifetime. Raises UsageError with the numbers."""
    from gds.rgm.tenure import refusal

    lifetime = options.seconds(typed.values.get("lifetime", "5"), "--lifetime")
    times = (1.0, 0.7, 1.0) if lifetime < 10 else (2.0, 1.0, 2.0)
    why = refusal(lifetime, *times, 0.0)
    if why:
        raise UsageError(f"cannot use --lifetime {lifetime:g}: {why}")
    return dict(zip(("lifetime", "renew", "attempt", "margin"), map(str, (lifetime, *times)), strict=True))


def _check(paths: list[str], nodes: tuple[str, ...]) -> None:
    """Descriptors are fine, and meant for these nodes. Raises LabFault."""
    if not paths:
        return
    from gds.cli.check import line_of
    from gds.config.compiler import FAULTY, answer
    from gds.lab import deeds, members
    from gds.lab.place import LabFault
    from gds.model import codec

    # judged as the lab's runners will: with what they know of types, and a power cut for failover_mode HARD
    flags = {"state_dir": deeds.types_of_machine(), "node_abort_command": "gds lab kill"}
    found = answer({"paths": paths, "flags": flags}, members.environment())
    for problem in found["errors"]:
        print(line_of(problem), file=sys.stderr)
    if found["errors"]:
        raise LabFault(f"cannot use {' '.join(paths)} in a lab: see above", FAULTY)
    for group in codec.unpack(found["plan"]).groups:
        strangers = [name for name in group.nodelist if name not in nodes]
        if group.nodelist and len(strangers) == len(group.nodelist):
            raise LabFault(
                f"cannot try group {group.name} on {', '.join(nodes)}: its nodelist is {', '.join(group.nodelist)}; "
                f"use --nodes {','.join(group.nodelist)} (with two nodes add a third: etcd needs a majority)",
                FAULTY,
            )
        if strangers:
            print(f"group {group.name}: {', '.join(strangers)} of its nodelist {_are(strangers)} not in this lab")


def _are(names: list[str]) -> str:
    return "is" if len(names) == 1 else "are"


def _wait(lab: Lab) -> int:
    """Until all is up; 1 when something is missing in the end."""
    from gds.lab import seen
    from gds.lab.records import wait

    if wait(lambda: not seen.missing(lab), _UP_WAIT):
        return 0
    what = seen.missing(lab)
    print(f"gds: cannot bring up all of the lab: {what}; see {lab.directory}/*/*.log", file=sys.stderr)
    return 1


# -- the others -------------------------------------------------------------------------------------------------------


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


def _kill(argv: list[str]) -> int:
    from gds.lab import deeds

    typed = _typed("kill", argv, 1, 3)
    lab = _read(typed)
    node, what = lab.known(typed.names[0]), (typed.names[1:2] or [""])[0]
    if what not in ("", "runner", "etcd", "guard", "app") or (what == "app") is not (len(typed.names) == 3):
        raise UsageError(f"cannot kill {' '.join(typed.names[1:])} of {node}: it is runner, etcd, guard or app NAME")
    print(deeds.kill(lab, node, what, *typed.names[2:]) if what else deeds.cut_power(lab, node))
    return 0


def _start(argv: list[str]) -> int:
    from gds.lab import deeds

    typed = _typed("start", argv, 1, 1)
    lab = _read(typed)
    print(deeds.start(lab, lab.known(typed.names[0])))
    return 0


def _pause(argv: list[str]) -> int:
    from gds.lab import deeds

    typed = _typed("pause", argv, 1, 2)
    lab = _read(typed)
    node, what = lab.known(typed.names[0]), (typed.names[1:] or [""])[0]
    if what not in ("", "runner", "etcd"):
        raise UsageError(f"cannot pause {what} of {node}: it is runner or etcd, or nothing for the whole node")
    print(deeds.pause(lab, node, what))
    return 0


def _resume(argv: list[str]) -> int:
    from gds.lab import deeds

    typed = _typed("resume", argv, 1, 1)
    lab = _read(typed)
    print(deeds.resume(lab, lab.known(typed.names[0])))
    return 0


def _partition(argv: list[str]) -> int:
    from gds.lab import deeds

    typed = _typed("partition", argv, 1, 2)
    lab = _read(typed)
    if len(set(typed.names)) < len(typed.names):
        raise UsageError(f"cannot cut {typed.names[0]} off from itself")
    print(deeds.partition(lab, [lab.known(name) for name in typed.names]))
    return 0


def _heal(argv: list[str]) -> int:
    from gds.lab import deeds

    typed = _typed("heal", argv, 0, 1)
    lab = _read(typed)
    print(deeds.heal(lab, lab.known(typed.names[0]) if typed.names else ""))
    return 0


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


_VERBS: dict[str, Callable[[list[str]], int]] = {
    "up": _up,
    "status": _status,
    "kill": _kill,
    "start": _start,
    "pause": _pause,
    "resume": _resume,
    "partition": _partition,
    "heal": _heal,
    "exec": _exec,
    "logs": _logs,
    "down": _down,
}
