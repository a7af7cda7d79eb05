"""gds lab up: a new lab. What is asked for is judged first, then all of it is built and waited for."""

from __future__ import annotations

import os
import sys

from gds.cli import options
from gds.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gds.lab.place import Lab

_WAIT = 60.0
"""Seconds until all of a new lab is up."""


def up(typed: options.Options, directory: str) -> tuple[Lab, int]:
    """The lab in `directory`, and 1 when something of it is missing in the end. Raises UsageError, LabFault."""
    from gds.lab import deeds, members
    from gds.lab.place import CLIENT, DEFAULT_NET, look, network_of

    nodes = _nodes(typed.values.get("nodes", "3"))
    net = network_of(typed.values.get("net", DEFAULT_NET))
    look(directory)
    settings = _settings(typed)
    etcd, version = members.found(typed.values.get("etcd", ""))
    if members.is_old(version):
        settings["allow_old_etcd"] = "true"
    _check(typed.names, nodes)
    lab = _planned(typed, directory, nodes, net, etcd)
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
    return lab, _wait(lab)


def _planned(typed: options.Options, directory: str, nodes: tuple[str, ...], net: str, etcd: str) -> Lab:
    """Raises LabFault for what this machine cannot give."""
    from gds.lab import cells, example, members, network
    from gds.lab.place import Lab

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

    if wait(lambda: not seen.missing(lab), _WAIT):
        return 0
    what = seen.missing(lab)
    print(f"gds: cannot bring up all of the lab: {what}; see {lab.directory}/*/*.log", file=sys.stderr)
    return 1
