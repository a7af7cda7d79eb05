"""gds rg: what is asked of a whole resource group."""

from __future__ import annotations

from gds.cli import control, status

VERBS = {
    "status": "its state and that of its resources",
    "online": "bring up what is enabled of it, in order; on desired_primaries nodes, whatever was switched",
    "offline": "take it down, in reverse",
    "restart": "down and up again; never counted in a budget",
    "switch": "to this node, or to exactly these: gds rg switch GROUP NODE...",
    "suspend": "no automatic restart, giveover or second try until it is resumed",
    "resume": "recover automatically again",
    "manage": "take it under management (runs Init)",
    "unmanage": "out of management (runs Fini); it must be offline and its resources disabled",
    "clear": "clear failed stops, failure histories, and what keeps it away from a node",
}
USAGE = "gds rg VERB GROUP... [--no-wait] [--timeout SECONDS] [--socket PATH]"


def main(argv: list[str]) -> int:
    """gds rg; the exit status (design.md 4)."""
    verb, code = control.chosen("rg", argv, VERBS, USAGE)
    if not verb:
        return code
    rest = argv[1:]
    if verb == "status":
        return status.main(rest)
    if verb == "switch":
        usage = USAGE.replace("VERB GROUP...", "switch GROUP NODE...")
        return control.acting("rg.switch", usage, by_name=False)(rest)
    return control.acting(f"rg.{verb}", USAGE.replace("VERB", verb))(rest)
