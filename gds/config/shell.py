"""A first look at a shell string: its simple commands, and what joins them. Pure.

Enough for a linter, not a shell: quotes, escapes, comments, redirections and `$(…)` are seen for what they are, the
grammar of `if`, `case` and here-documents is not. Whoever asks must be content with "not plain".
"""

from __future__ import annotations

from gds.model.value import Value

OPERATORS = ("&&", "||", ";;", "|&", ";", "&", "|", "\n", "(", ")")
PREFIXES = frozenset(("exec", "command", "time", "nohup", "env", "!", "then", "do", "else", "{"))
"""Words before a command that leave its exit status as it is."""

NAME = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")


class Simple(Value):
    """One simple command: its words without quotes and redirections, and the operator after it (or empty)."""

    words: tuple[str, ...]
    end: str

    @property
    def command(self) -> tuple[str, ...]:
        """The words from the program on, without assignments and words that only introduce it."""
        for place, word in enumerate(self.words):
            name, equals, _ = word.partition("=")
            if word not in PREFIXES and not (equals and name and not set(name) - NAME and not name[0].isdigit()):
                return self.words[place:]
        return ()

    @property
    def program(self) -> str:
        """The last part of the program's path, or an empty string."""
        command = self.command
        return command[0].rpartition("/")[2] if command else ""


def simple_commands(text: str) -> tuple[Simple, ...]:
    """The simple commands of a shell string, in order."""
    return _Reader(text).read()


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.found: list[Simple] = []
        self.words: list[str] = []
        self.word: str | None = None
        self.redirected = False

    def read(self) -> tuple[Simple, ...]:
        while self.at < len(self.text):
            self.step(self.text[self.at])
        self.finish("")
        return tuple(self.found)

    def step(self, character: str) -> None:
        if character in "'\"`":
            self.add(self.quoted(character))
        elif character == "\\":
            self.add(self.text[self.at + 1 : self.at + 2].replace("\n", ""))
            self.at += 2
        elif character == "$" and self.text.startswith("$(", self.at):
            self.add(self.substitution())
        elif character == "#" and self.word is None:
            end = self.text.find("\n", self.at)
            self.at = end if end >= 0 else len(self.text)
        elif character in "<>" or self.text.startswith("&>", self.at):
            self.redirection()
        elif operator := next((o for o in OPERATORS if self.text.startswith(o, self.at)), ""):
            self.at += len(operator)
            self.finish(operator)
        elif character.isspace():
            self.at += 1
            self.end_word()
        else:
            self.add(character)
            self.at += 1

    def add(self, part: str) -> None:
        self.word = (self.word or "") + part

    def quoted(self, quote: str) -> str:
        """The inside of quotes; an unclosed quote reaches to the end."""
        start = self.at + 1
        self.at = start
        while self.at < len(self.text) and self.text[self.at] != quote:
            self.at += 2 if self.text[self.at] == "\\" and quote != "'" else 1
        inside = self.text[start : self.at]
        self.at += 1
        return inside

    def substitution(self) -> str:
        """`$(…)` as a whole, parentheses counted."""
        start = self.at
        self.at += 2
        depth = 1
        while self.at < len(self.text) and depth:
            character = self.text[self.at]
            if character in "'\"":
                self.quoted(character)
                continue
            depth += {"(": 1, ")": -1}.get(character, 0)
            self.at += 1
        return self.text[start : self.at]

    def redirection(self) -> None:
        """`2>&1`, `>file`, `&>file`, `<in`: the operator goes, and so does the word after it."""
        if self.word is not None and self.word.isdigit():
            self.word = None
        self.end_word()
        if self.text[self.at] == "&":
            self.at += 1
        while self.at < len(self.text) and self.text[self.at] in "<>":
            self.at += 1
        if self.text[self.at : self.at + 1] in ("&", "|"):
            self.at += 1
        self.redirected = True

    def end_word(self) -> None:
        if self.word is not None:
            if not self.redirected:
                self.words.append(self.word)
            self.redirected = False
        self.word = None

    def finish(self, operator: str) -> None:
        self.end_word()
        self.redirected = False
        if self.words:
            self.found.append(Simple(tuple(self.words), operator))
        self.words = []
