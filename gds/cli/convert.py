"""gds convert: what another program needs to do with descriptors what gds does by itself on several nodes.

Only text is printed, for a person to read and then to run; nothing is asked of a cluster.
"""

from __future__ import annotations

import os
import sys

from gds.cli import options
from gds.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gds.cli.placed import Placed

USAGE = """usage: gds convert --to pcs|crm PATH...

  PATH        a descriptor, or a directory of them (*.toml), where it is on every node
  --to pcs    the pcs commands that put each group under Pacemaker, as ocf:gds:app
  --to crm    the same for `crm configure load update -`

Exit status: 0 printed, 2 usage, 78 an error in a descriptor."""

FORMS = ("pcs", "crm")
FAULTY = 78


def main(argv: list[str]) -> int:
    """Print the commands for the descriptors named in `argv`; exit status as above."""
    try:
        typed = options.parse(argv, {}, {"--to": "to", "-t": "to"})
        if not typed.names or typed.after is not None:
            raise UsageError("cannot convert: name descriptors, or directories of them")
        form = typed.values.get("to", "")
        if form not in FORMS:
            raise UsageError(f"cannot convert to {form or 'nothing'}: --to is one of {', '.join(FORMS)}")
    except options.HelpAsked:
        print(USAGE)
        return 0
    except UsageError as error:
        print(f"gds: {error}\n{USAGE}", file=sys.stderr)
        return 2
    from gds.cli import placed

    found: list[Placed] = []
    for path in typed.names:
        made = _placed(path)
        if made is None:
            return FAULTY
        found.append(made)
    print("\n".join(placed.as_pcs(found) if form == "pcs" else placed.as_crm(found)))
    return 0


def _placed(path: str) -> Placed | None:
    """What Pacemaker is to know of one PATH, each of which makes sense by itself; None: it has errors, told."""
    from gds.cli.placed import placed_of
    from gds.config.load import load

    loaded = load([path], can_abort=True, look=False)
    if loaded.plan is None:
        for problem in loaded.problems:
            print(problem, file=sys.stderr)
        print("gds: cannot convert: correct the descriptors first", file=sys.stderr)
        return None
    return placed_of(os.path.abspath(path), loaded.plan)
