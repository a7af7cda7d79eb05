"""The bare loop, the floor of the same run."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.bench.fleet import Launch, Recipe
from tests.bench.peers.contract import Peer, because

_LOOP = Path(__file__).parent.parent / "bareloop.py"


class Bare(Peer):
    name = "bare loop"
    setting = "starts again at once, for ever"
    cannot = (
        because("no http probe", "hung_http")
        | because("no status command", "status")
        | because("no policy: it would start copies at full speed", "daemon")
    )

    def version(self) -> tuple[str, list[str]]:
        return f"Python {sys.version.split()[0]}", []

    def prepare(self, recipe: Recipe) -> Launch:
        mode = ["plain"]
        if recipe.probe == "exec":
            mode = ["exec", "1", "0.5", str(recipe.programs.probe), str(recipe.counter)]
            mode += [str(recipe.ports)] if recipe.ports else []
        elif recipe.probe == "tcp":
            mode = ["tcp", "1", str(recipe.ports)]
        elif recipe.log:
            mode = ["copy" if recipe.log == "rotate" else "give", str(recipe.logs / "log")]
        app = [str(recipe.programs.app), str(recipe.fifo), *recipe.options]
        argv = [sys.executable, "-I", "-S", str(_LOOP), str(recipe.size), *mode, "--", *app]
        return Launch(argv, self.env())
