"""What the RMAPI answers: exit statuses of the `scha_…` commands, which are the return values of Sun's C calls.

Facts: semantics.md 15.3. The two above 18 are numbers of which nobody here is sure.
"""

from __future__ import annotations

from enum import IntEnum


class Code(IntEnum):
    """One answer; the name is Sun's without SCHA_ERR_."""

    NOERR = 0
    INVAL = 3
    TAG = 4
    RECONF = 5
    ACCESS = 6
    DEPEND = 8
    STATE = 9
    NODE = 11
    RG = 12
    RT = 13
    RSRC = 14
    PROP = 15
    CHECKS = 16
    RSTATUS = 17
    INTERNAL = 18
