"""The command `gds`: which verb, and nothing else. Each verb's module is loaded when it is asked for."""

from __future__ import annotations

import sys

from gds.errors import GdsError, InternalError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
else:
    import _signal as signal  # plain numbers, without the enums

EARLY = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
"""What a runner is told by; it waits until the runner has ears for it. As PID 1 it would be lost for ever without."""

VERBS: dict[str, tuple[str, str, str]] = {
    "run": ("gds.cli.run", "main", "run applications: descriptors, directories of them, or -- COMMAND"),
    "check": ("gds.cli.check", "main", "find every error and doubtful value in descriptors, without a runner"),
    "validate": ("gds.cli.validate", "main", "check, then run each application's validate command"),
    "graph": ("gds.cli.graph", "main", "what starts when, and who waits for whom, from descriptors"),
    "status": ("gds.cli.status", "main", "what runs, in which state, and why"),
    "start": ("gds.cli.control", "start", "start resources or groups now"),
    "stop": ("gds.cli.control", "stop", "stop them now, with every process they made"),
    "restart": ("gds.cli.control", "restart", "stop and start them; never counted in the budget"),
    "enable": ("gds.cli.control", "enable", "allow to run, for good"),
    "disable": ("gds.cli.control", "disable", "stop and keep down, for good"),
    "monitor": ("gds.cli.control", "monitor", "probe again, for good"),
    "unmonitor": ("gds.cli.control", "unmonitor", "do not probe, for good"),
    "probe": ("gds.cli.control", "probe", "one probe now, and what it would lead to"),
    "giveover": ("gds.cli.control", "giveover", "ask that a group run elsewhere"),
    "clear": ("gds.cli.control", "clear", "clear a failed stop, or the failure history"),
    "reload": ("gds.cli.control", "reload", "read the descriptors again; touch only what changed"),
    "upgrade": ("gds.cli.upgrade", "main", "replace the runner's code in place; no application is touched"),
    "set": ("gds.cli.set", "main", "change properties while everything runs; kept for good"),
    "get": ("gds.cli.get", "main", "properties in force, and where each comes from"),
    "diff": ("gds.cli.get", "diff", "what runs against what the descriptors say now"),
    "rg": ("gds.cli.rg", "main", "whole groups: online, offline, manage, suspend, …"),
    "nodes": ("gds.cli.nodes", "main", "the nodes of the cluster, how they are, and what they master"),
    "node": ("gds.cli.nodes", "node", "evacuate, drain or resume a node"),
    "why": ("gds.cli.tell", "why", "the chain of facts behind the present state"),
    "history": ("gds.cli.tell", "history", "the decisions, with times and reasons"),
    "logs": ("gds.cli.logs", "main", "what an application printed"),
    "plan": ("gds.cli.plan", "main", "what if a node died: where would each group run, and why"),
    "lab": ("gds.cli.lab", "main", "several nodes on this machine, to try failover before production"),
    "convert": ("gds.cli.convert", "main", "the pcs or crm commands that put descriptors under Pacemaker"),
    "simulate": ("gds.cli.simulate", "main", "play a script of facts to the same judges; nothing is started"),
    "explain": ("gds.cli.explain", "main", "what a property, state, status or exit status means"),
    "schema": ("gds.cli.explain", "schema", "JSON schema of descriptors, for editors"),
    "new": ("gds.cli.new", "main", "write a descriptor"),
    "rt": ("gds.cli.rt", "main", "resource types: register RTR files, list, show"),
    "pmf": ("gds.cli.pmfadm", "main", "the process monitor facility by itself (also: pmfadm)"),
}


def main(argv: list[str] | None = None) -> int:
    """Run one verb; its exit status (design.md 4)."""
    words = sys.argv[1:] if argv is None else argv
    is_runner = words[:1] == ["run"] and not {"-h", "--help"} & set(words)
    if is_runner:
        signal.pthread_sigmask(signal.SIG_BLOCK, EARLY)
    if not is_runner or sys.stdout is None or sys.stderr is None:  # a runner starts without it, where it can
        from gds.cli import streams

        streams.take(is_runner)
    try:
        code = _entered(words)
        if not is_runner:
            streams.flush()
    except BrokenPipeError:
        # the reader of our output went away; nothing more can be said there
        import os

        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 141
    except KeyboardInterrupt:
        return 130
    except InternalError:
        raise
    except GdsError as error:  # what a verb could not, is told by its door: this is the end of what it said
        print(f"gds: {error}", file=sys.stderr)
        return 1
    except FileNotFoundError:
        if _has_directory():
            raise
        said = "cannot tell what a relative path means here: the current directory was removed; cd to one that is there"
        print(f"gds: {said}", file=sys.stderr)
        return 1
    return code


def _has_directory() -> bool:
    import os

    try:
        os.getcwd()
    except FileNotFoundError:
        return False
    return True


def _entered(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help", "help"):
        return _help(words)
    if words[0] in ("-V", "--version", "version"):
        from gds import __version__

        print(f"gds {__version__}")
        return 0
    if words[0] not in VERBS:
        from gds.cli import options

        hint = options.near(words[0], VERBS)
        print(f"gds: cannot {words[0]}: there is no such verb{hint} (gds --help lists them)", file=sys.stderr)
        return 2
    module, function, _ = VERBS[words[0]]
    from importlib import import_module

    return int(getattr(import_module(module), function)(words[1:]))


def _help(words: list[str]) -> int:
    if not words:
        print("gds: cannot guess what you want: name a verb (gds --help lists them)", file=sys.stderr)
        return 2
    print("usage: gds VERB [ARGUMENT...]      gds VERB --help tells more\n")
    for verb, (_, _, text) in VERBS.items():
        print(f"  {verb:<10} {text}")
    print("\nExit status: 0 done, 1 failed, 2 usage, 3 not running, 4 no runner or unknown, 75 busy or giveover,")
    print("77 not permitted, 78 bad descriptor or settings.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
