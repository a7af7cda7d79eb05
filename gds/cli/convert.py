"""gds convert: what another program needs to do with descriptors what gds does by itself on several nodes.

Only text is printed, for a person to read and then to run; nothing is asked of a cluster.
"""

from __future__ import annotations

import os

from gds.cli import descriptors, options
from gds.errors import UsageError

USAGE = """usage: gds convert --to pcs|crm PATH...

  PATH        a descriptor, or a directory of them (*.toml), where it is on every node
  --to pcs    the pcs commands that put each group under Pacemaker, as ocf:gds:app
  --to crm    the same for `crm configure load update -`

Exit status: 0 printed, 2 usage, 78 an error in a descriptor."""

FORMS = ("pcs", "crm")


@options.door(USAGE, USAGE)
def main(argv: list[str]) -> int:
    """Print the commands for the descriptors named in `argv`; exit status as above."""
    typed = options.parse(argv, {}, {"--to": "to", "-t": "to"})
    if not typed.names or typed.after is not None:
        raise UsageError("cannot convert: name descriptors, or directories of them")
    form = typed.values.get("to", "")
    if form not in FORMS:
        raise UsageError(f"cannot convert to {form or 'nothing'}: --to is one of {', '.join(FORMS)}")
    from gds.cli import placed

    # one PATH at a time: each makes sense by itself
    found = [placed.placed_of(os.path.abspath(path), descriptors.plan_of([path], "convert")) for path in typed.names]
    print("\n".join(placed.as_pcs(found) if form == "pcs" else placed.as_crm(found)))
    return 0
