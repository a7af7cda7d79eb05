"""The import law: five bands, imports only point down.

    5 doors       cli   dsdl   ocf   lab   runner      late: what the runner loads when it is first needed
    4 drivers     api   daemon
    3 edges       config   linux   engine        ports: all we ask of the world
    2 judgement   rgm   fault   pmf              seam: fault asks rgm; simulate: the three judges at one table
    1 words       model                          errors may be imported by all

What stands under TYPE_CHECKING counts as well, because knowing a type is knowing its owner; only `gds.ports` is made to
be known by everybody. The names of two bands that do not know each other meet in `runner.py`, which hands one to the
other.
"""

from __future__ import annotations

import pytest

from tests.arch.source import Module, modules, within

WORDS = ("gds.model", "gds.errors")
JUDGES = ("gds.pmf", "gds.fault", "gds.rgm")

LAW: dict[str, tuple[str, ...]] = {
    "gds": (),
    "gds.errors": (),
    "gds.model": ("gds.errors",),
    "gds.pmf": WORDS,
    "gds.fault": WORDS,
    "gds.rgm": WORDS,
    "gds.seam": (*JUDGES, *WORDS),
    "gds.script": ("gds.fault", "gds.rgm", *WORDS),
    "gds.stage": ("gds.script", *JUDGES, *WORDS),
    "gds.troupe": ("gds.script", "gds.stage", *JUDGES, *WORDS),
    "gds.requested": ("gds.script", "gds.stage", "gds.troupe", *JUDGES, *WORDS),
    "gds.simulate": ("gds.requested", "gds.seam", "gds.script", "gds.stage", "gds.troupe", *JUDGES, *WORDS),
    "gds.whatif": ("gds.rgm", *WORDS),
    "gds.clusterscript": WORDS,
    "gds.clusterfacts": ("gds.clusterscript", "gds.clustersim", "gds.rgm", *WORDS),
    "gds.clustersim": ("gds.clusterscript", "gds.clusterfacts", "gds.rgm", *WORDS),
    "gds.ports": WORDS,
    "gds.config": WORDS,
    # The picture of the order is drawn from the links the runner works with.
    "gds.config.graph": ("gds.rgm.order", *WORDS),
    # Times that do not go together are refused by the rule the node lives by.
    "gds.config.etcdtable": ("gds.config", "gds.rgm.tenure", *WORDS),
    "gds.config.scenario": ("gds.config", "gds.script", *JUDGES, *WORDS),
    "gds.config.scenariorecord": ("gds.config", "gds.script", "gds.fault", "gds.rgm", *WORDS),
    "gds.config.clusterscenario": ("gds.config", "gds.clusterscript", *WORDS),
    "gds.config.recorded": ("gds.config", "gds.script", "gds.rgm", *WORDS),
    "gds.linux": ("gds.ports", *WORDS),
    "gds.engine": ("gds.ports", *WORDS),
    "gds.daemon": ("gds.ports", "gds.seam", *JUDGES, *WORDS),
    "gds.api": ("gds.ports", *WORDS),
    "gds.testing": ("gds.ports", *WORDS),
    "gds.probes": ("gds.daemon", "gds.linux", "gds.fault", *WORDS),
    "gds.late": ("gds.probes", "gds.daemon", "gds.api", "gds.linux", "gds.ports", *JUDGES, *WORDS),
    "gds.ground": ("gds.late", "gds.linux", "gds.api.place", "gds.ports", *WORDS),
    # Desks at its door, and what a runner is composed of that goes on after another; each loaded when it is needed.
    "gds.reception": ("gds.ground", "gds.late", "gds.daemon", "gds.api", "gds.config", *WORDS),
    "gds.setdesk": ("gds.daemon", "gds.linux", *WORDS),
    "gds.takeover": (
        *("gds.ground", "gds.late", "gds.daemon", "gds.api", "gds.config.sources", "gds.linux", "gds.rgm"),
        *WORDS,
    ),
    # What a runner with an engine loads beside; no other runner loads any of it.
    "gds.joining": ("gds.ground", "gds.daemon", "gds.engine", "gds.linux", "gds.ports", *JUDGES, *WORDS),
    "gds.runner": (
        *("gds.ground", "gds.reception", "gds.setdesk", "gds.takeover", "gds.joining", "gds.late", "gds.daemon"),
        *("gds.config", "gds.linux", "gds.ports", *JUDGES, *WORDS),
    ),
    "gds.cli": (
        *("gds.api.client", "gds.config", "gds.script", "gds.simulate", "gds.whatif", "gds.runner", "gds.takeover"),
        *WORDS,
    ),
    "gds.cli.simulatecluster": ("gds.cli.descriptors", "gds.config", "gds.clusterscript", "gds.clustersim", *WORDS),
    # Runs in other people's programs: it talks to a runner, and judges as the runner does.
    "gds.dsdl": ("gds.api.client", "gds.seam", "gds.rgm.control", "gds.fault", "gds.pmf", *WORDS),
    # Pacemaker's agent: a process for each action. It talks to a runner, and where none lives it looks for what is left
    # with the eyes of those who put it there.
    "gds.ocf": (
        *("gds.api.client", "gds.config.asking", "gds.config.places"),
        *(
            "gds.linux.cgroupforest",
            "gds.linux.cgrouproot",
            "gds.linux.keeperrecord",
            "gds.linux.lineage",
            "gds.linux.procfs",
        ),
        *("gds.linux.striking", *WORDS),
    ),
    "gds.__main__": ("gds.cli",),
    # One process for each method of a LogicalHostname: it looks, asks the judge and acts; no runner loads any of it.
    "gds.cli.hostname": (
        *("gds.linux.address", "gds.linux.neighbour", "gds.linux.netlink"),
        *("gds.rgm.address", *WORDS),
    ),
    # Several nodes on one machine: it starts runners as a user would, and talks to them.
    "gds.lab": (
        *("gds.api.client", "gds.config.places", "gds.engine.etcd_words", "gds.linux.cgroupforest"),
        *("gds.linux.procfs", *WORDS),
    ),
    "gds.cli.lab": ("gds.lab", "gds.cli.labup", "gds.cli.options", "gds.cli.status", *WORDS),
    "gds.cli.labup": ("gds.lab", "gds.cli.check", "gds.cli.options", "gds.config.compiler", "gds.rgm.tenure", *WORDS),
    # These two must start in a few milliseconds and stand alone: the standard library, and what they share.
    "gds.cli.launching": ("gds.errors",),
    "gds.cli.hatimerun": ("gds.cli.launching", "gds.errors"),
    "gds.cli.halockrun": ("gds.cli.launching", "gds.errors"),
}
"""Who may import whom, beside its own package. The longest name that fits a module rules."""

EXCEPTIONS: dict[tuple[str, str], str] = {
    ("gds.api.client", "gds.config.places"): "where the sockets of runners are is said once, and read by both ends",
    ("gds.cli.run", "gds.api.place"): "whose socket GDS_SOCKET names is asked before there is a runner",
    ("gds.cli.run", "gds.linux.compiling"): "the compiler process is started before there is a runner",
    ("gds.config.facts", "gds.linux.place"): "where root would not write is said by who opens the files",
    ("gds.cli.run", "gds.linux.journal"): "the log is made before the runner, which is handed it",
    ("gds.cli.run", "gds.daemon.reloading"): "one sentence for a fault of a descriptor, at start and at reload",
    ("gds.testing.engine", "gds.engine.dictionary"): "a cluster in memory is the store of a cluster of one, shared",
    ("gds.cli.tell", "gds.linux.archive"): "the history is read without a runner",
    ("gds.cli.tell", "gds.linux.history"): "and where it is",
    ("gds.cli.following", "gds.linux.logfile"): "which files are one log is said by who rotates them",
    ("gds.cli.validate", "gds.daemon.environment"): "runs a method without a runner, in the environment of one",
    ("gds.cli.validate", "gds.linux.accounts"): "and as the user that a runner would look up",
}
"""Imports against the law that stay, each with its reason."""


def rule_of(name: str) -> str:
    """The entry of LAW that rules a module."""
    return max((unit for unit in LAW if within(name, unit)), key=len)


def own_package(name: str) -> str:
    """What a module may always import: its package (of gds itself only the version)."""
    parts = name.split(".")
    return ".".join(parts[:2]) if len(parts) > 2 or (len(parts) == 2 and _is_package(name)) else name


def _is_package(name: str) -> bool:
    return any(m.name.startswith(name + ".") for m in modules())


def may(module: Module, target: str, typing: bool) -> bool:
    """The law allows it."""
    if target == "gds.__version__" or (typing and within(target, "gds.ports")):
        return True
    rule = rule_of(module.name)
    allowed = LAW[rule]
    if rule == module.name and rule.count(".") == 2:
        # a module with an entry of its own has no package to fall back on
        return any(within(target, each) for each in allowed)
    return any(within(target, each) for each in (own_package(module.name), *allowed))


@pytest.mark.parametrize("module", modules(), ids=lambda m: m.name)
def test_imports_only_point_down(module: Module) -> None:
    culprits = []
    for each in module.imports():
        if not within(each.target, "gds") or may(module, each.target, each.typing):
            continue
        if any(name == module.name and within(each.target, target) for name, target in EXCEPTIONS):
            continue
        rule = rule_of(module.name)
        culprits.append(
            f"{module.place(each.line)}: {module.name} may not know {each.target};"
            f" {rule} imports only {', '.join(LAW[rule]) or 'nothing of ours'}"
        )
    assert not culprits, "\n".join(culprits)


def test_every_exception_is_still_needed() -> None:
    imported = {(m.name, i.target) for m in modules() for i in m.imports()}
    stale = [
        f"{name} imports {target}: nobody does that any more; strike it out"
        for name, target in EXCEPTIONS
        if not any(n == name and within(t, target) for n, t in imported)
    ]
    assert not stale, "\n".join(stale)


def test_nothing_that_is_shipped_imports_the_test_kit() -> None:
    culprits = [
        m.place(i.line)
        for m in modules()
        for i in m.imports()
        if within(i.target, "gds.testing") and not within(m.name, "gds.testing")
    ]
    assert not culprits, "\n".join(culprits)


@pytest.mark.parametrize(
    ("module", "target", "typing", "allowed"),
    [
        ("gds.fault.verdict", "gds.model.window.EMPTY", False, True),
        ("gds.fault.verdict", "gds.fault.score", False, True),
        ("gds.fault.verdict", "gds.rgm.events", False, False),
        ("gds.fault.verdict", "gds.rgm.events", True, False),
        ("gds.fault.verdict", "gds.ports", True, True),
        ("gds.fault.verdict", "gds.ports", False, False),
        ("gds.daemon.rgmd", "gds.linux.loop.Loop", True, False),
        ("gds.daemon.rgmd", "gds.engine", False, False),
        ("gds.linux.loop", "gds.config.places", False, False),
        ("gds.config.compile", "gds.linux.accounts", False, False),
        ("gds.api.server", "gds.daemon.report", False, False),
        ("gds.cli.status", "gds.api.client", False, True),
        ("gds.cli.status", "gds.api.server", False, False),
        ("gds.cli.halockrun", "gds.cli.options", False, False),
        ("gds.dsdl.blocking", "gds.api.client", False, True),
        ("gds.dsdl.monitoring", "gds.fault.verdict", False, True),
        ("gds.dsdl.monitoring", "gds.daemon.monitor", False, False),
        ("gds.dsdl.children", "gds.linux.launch", False, False),
        ("gds.cli.status", "gds.dsdl", False, False),
        ("gds.cli.halockrun", "gds.errors", False, True),
        ("gds.cli.halockrun", "gds.cli.hatimerun", False, False),
        ("gds.cli.hatimerun", "gds.model.value", False, False),
        ("gds.cli.hostname", "gds.linux.address", False, True),
        ("gds.cli.hostname", "gds.linux.loop", False, False),
        ("gds.errors", "gds.model.value", False, False),
        ("gds.runner", "gds.cli.main", False, False),
        ("gds.ocf.agent", "gds.api.client", False, True),
        ("gds.ocf.remains", "gds.linux.lineage", False, True),
        ("gds.ocf.remains", "gds.linux.loop", False, False),
        ("gds.ocf.agent", "gds.config.load", False, False),
        ("gds.late", "gds.runner", True, False),
    ],
)
def test_the_law_says_what_it_is_meant_to(module: str, target: str, typing: bool, allowed: bool) -> None:
    found = next(m for m in modules() if m.name == module)
    assert may(found, target, typing) is allowed
