"""gds check: every error and every doubtful value of descriptors, without a runner."""

from __future__ import annotations

import json
import os
import sys

from gds.cli import options
from gds.config.compiler import FAULTY, answer
from gds.config.refusal import printable
from gds.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

USAGE = """usage: gds check PATH... [OPTION...]

  PATH        a descriptor, or a directory of them (*.toml)
  --json      the findings as one JSON document
  --strict    warnings are errors
  --compile   also keep the compiled plan beside the first PATH (PATH.plan), so that a start need not compile (images)

Findings, one a line: FILE:LINE:COLUMN: KEY: MESSAGE. A warning ends in its code; `gds explain CODE` tells more.
Exit status: 0 nothing wrong, 78 an error."""

_FLAGS = {"--json": "json", "--strict": "strict", "--compile": "compile"}


@options.door(USAGE, USAGE)
def main(argv: list[str]) -> int:
    """Check the descriptors named in `argv`; exit status as above."""
    typed = options.parse(argv, _FLAGS, {})
    if not typed.names or typed.after is not None:
        raise UsageError("cannot check: name descriptors, or directories of them")
    strict = "strict" in typed.flags
    request: dict[str, Any] = {"paths": typed.names}
    found = answer(request, os.environ)
    if "compile" in typed.flags and not found["errors"] and not (strict and found["warnings"]):
        try:
            found = answer({**request, "keep_beside": True}, os.environ)
        except OSError as error:
            where = typed.names[0].rstrip("/") + ".plan"
            print(f"gds: cannot keep the plan in {where}: {error.strerror}", file=sys.stderr)
            return 1
    faulty = bool(found["errors"] or (strict and found["warnings"]))
    if "json" in typed.flags:
        print(json.dumps(document_of(found, faulty, strict), indent=1))
    else:
        _print(typed.names, found, faulty, strict)
    return FAULTY if faulty else 0


def line_of(problem: dict[str, Any], word: str = "") -> str:
    """One finding as a line; `word` stands before a warning's message."""
    path = printable(problem["path"])
    place = f"{path}:{problem['line']}:{problem['column']}" if problem["line"] else path
    key = f" {problem['key']}:" if problem["key"] else ""
    code = f" [{problem['code']}]" if problem.get("code") else ""
    return f"{place}:{key} {word}{problem['message']}{code}"


def document_of(found: dict[str, Any], faulty: bool, strict: bool) -> dict[str, Any]:
    """The findings for programs, version 1: keys may be added, never renamed."""
    return {
        "schema": 1,
        "ok": not faulty,
        "strict": strict,
        "errors": found["errors"],
        "warnings": found["warnings"],
        "resources": _names(found["plan"]),
    }


def _names(plan: dict[str, Any] | None) -> list[str]:
    return [resource["name"] for resource in (plan or {}).get("resources", ())]


def _print(paths: list[str], found: dict[str, Any], faulty: bool, strict: bool) -> None:
    errors, warnings = len(found["errors"]), len(found["warnings"])
    for problem in found["errors"]:
        print(line_of(problem))
    for problem in found["warnings"]:
        print(line_of(problem, "" if strict else "warning: "))
    told = ", ".join([_count(n, what) for n, what in ((errors, "error"), (warnings, "warning")) if n])
    shown = printable(" ".join(paths))
    if faulty:
        # What was found is the result; that it cannot be used is talk.
        sys.stdout.flush()
        print(f"gds: cannot use {shown}: {told}", file=sys.stderr)
    else:
        print(f"{shown}: {_count(len(_names(found['plan'])), 'resource')}, {told or 'nothing wrong'}", flush=True)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
