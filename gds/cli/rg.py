"""gds rg: what is asked of a whole resource group."""

from __future__ import annotations

import sys

from gds.cli import control, status

VERBS = {
    "status": "its state and that of its resources",
    "online": "bring up what is enabled of it, in order",
    "offline": "take it down, in reverse",
    "restart": "down and up again; never counted in a budget",
    "switch": "to another node: gds rg switch GROUP NODE",
    "suspend": "no automatic restart, giveover or second try until it is resumed",
    "resume": "recover automatically again",
    "manage": "take it under management (runs Init)",
    "unmanage": "out of management (runs Fini); it must be offline and its resources disabled",
    "clear": "clear failed stops and failure histories of its resources",
}
USAGE = "gds rg VERB GROUP... [--no-wait] [--timeout SECONDS] [--socket PATH]"


def main(argv: list[str]) -> int:
    """gds rg; the exit status (design.md 4)."""
    if not argv or argv[0] in ("-h", "--help"):
        print(f"usage: {USAGE}\n")
        for verb, said in VERBS.items():
            print(f"  {verb:9} {said}")
        return 0 if argv else 2
    verb, rest = argv[0], argv[1:]
    if verb not in VERBS:
        import difflib

        near = difflib.get_close_matches(verb, VERBS, 1)
        meant = f"; did you mean {near[0]}?" if near else ""
        print(f"gds: cannot rg {verb}: there is no such verb{meant}\nusage: {USAGE}", file=sys.stderr)
        return 2
    if verb == "status":
        return status.main(rest)
    if verb == "switch":
        return control.act("rg.switch", rest, USAGE.replace("VERB GROUP...", "switch GROUP NODE..."), by_name=False)
    return control.act(f"rg.{verb}", rest, USAGE.replace("VERB", verb))
