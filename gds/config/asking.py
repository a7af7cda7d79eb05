"""How the compiler is called. Light: for the runner, which must not load what it asks about."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_START = """\
import sys
sys.path.append(sys.argv[1])
from gds.config.compiler import main
raise SystemExit(main(sys.argv[2:]))"""


def command(request: Mapping[str, Any]) -> list[str]:
    """The command line of `python -m gds.config.compiler` for a request (see there).

    With -P: `python -m` alone would import from the current directory first, and root may stand in a directory where
    anybody can put a pydantic.py. This gds is found all the same, installed or not.
    """
    import json

    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    return [sys.executable, "-P", "-c", _START, os.path.dirname(package), json.dumps(request)]
