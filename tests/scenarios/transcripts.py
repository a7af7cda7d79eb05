"""A folder of scenarios: NAME.toml is a script for `gds simulate`, NAME.out the transcript that it has to give."""

from __future__ import annotations

import io
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

from gds.cli.simulate import main

USAGE = """{again} [NAME...]: write the transcripts anew, of all scenarios or of those named.

Nothing else ever writes them. Read the difference before it is committed: each changed line is a changed decision.
"""


class Transcripts:
    """The scenarios beside a module's file; `options` are what `gds simulate` needs to play them."""

    def __init__(self, module: str, file: str, *options: str) -> None:
        self.again = f"python -m {module} record"
        """What writes them anew."""
        self.here = Path(file).resolve().parent
        self.options = options
        self.names = tuple(sorted(each.stem for each in self.here.glob("*.toml")))

    def script(self, name: str) -> Path:
        """The script of a scenario."""
        return self.here / f"{name}.toml"

    def recorded(self, name: str) -> Path:
        """The transcript of a scenario."""
        return self.here / f"{name}.out"

    def played(self, name: str) -> tuple[int, str]:
        """What `gds simulate` says of it: exit status, and output with every error."""
        said = io.StringIO()
        with redirect_stdout(said), redirect_stderr(said):
            code = main([*self.options, str(self.script(name))])
        return code, said.getvalue()

    def record(self, words: list[str]) -> int:
        """What `python -m` does with these words: record, and say what changed; its exit status."""
        if not words or words[0] != "record":
            print(USAGE.format(again=self.again))
            return 2
        unknown = [name for name in words[1:] if name not in self.names]
        if unknown:
            print(f"cannot record {', '.join(unknown)}: there is no such scenario", file=sys.stderr)
            return 2
        for name in words[1:] or self.names:
            code, text = self.played(name)
            if code:
                print(f"cannot record {name}: gds simulate ended with {code}\n{text}", file=sys.stderr)
                return 1
            file = self.recorded(name)
            if not file.exists() or file.read_text() != text:
                file.write_text(text)
                print(f"recorded {name}")
        return 0
