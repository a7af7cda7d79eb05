"""What was rehearsed is what a restart needs: in a fresh interpreter, for here other tests have used everything."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.arch.source import ROOT

SCRIPT = """
import sys
from gds.daemon.rehearsal import rehearse_restart
from gds.model import value
from tests.unit.daemon.world import PROBED, WEB, Here

def waiting(cls=value.Value):
    return {cls for cls in cls.__subclasses__() if cls.__dict__.get("__init__") is value._first_init}

one = Here(PROBED if sys.argv[1] == "probed" else WEB).up()
one.run(100.0)
if sys.argv[2] == "rehearsed":
    rehearse_restart()
before = waiting()
one.tree().kill()
one.run(5.0)
assert one.app().incarnation == 2, one.app().view
print(*sorted(c.__name__ for c in before - waiting()))
one.close()
"""


def compiled(*words: str) -> list[str]:
    """The values whose constructors were compiled while an application died and was restarted."""
    argv = [sys.executable, "-c", SCRIPT, *words]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize("resource", ["probed", "without a probe"])
def test_a_restart_after_the_rehearsal_compiles_nothing(resource: str) -> None:
    assert compiled(resource, "rehearsed") == []


def test_without_it_there_is_something_to_compile() -> None:
    assert {"Restart", "RestartJudged", "RunStop"} <= set(compiled("probed", "not rehearsed"))
