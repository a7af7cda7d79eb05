"""pmfadm's command line: the words of its help, what was typed, and the values of the options."""

from __future__ import annotations

import os

from gds.errors import UsageError

USAGE = """\
usage: pmfadm -c nametag [-a action] [[-e VAR=value]... | -E] [-n retries] [-t period] [-C level] command [args]
       pmfadm -k nametag [-w timeout] [signal]
       pmfadm -L [-h host]
       pmfadm -l nametag [-h host]
       pmfadm -m nametag [-n retries] [-t period]
       pmfadm -q nametag [-h host]
       pmfadm -s nametag [-w timeout] [signal]
"""
HELP = f"""\
{USAGE}
  -c   start command under that nametag, and start it again whenever its last process has ended
  -k   send a signal (default KILL) to all its processes; what ends is started again while retries are left
  -s   no more restarts; the signal, if one is given, goes to all its processes
  -q   exit status 0 if the nametag exists, 1 if not
  -l   its details          -L   your nametags (root: all)
  -m   change -n and -t of a nametag that exists; its failures are forgotten
  -a   run this when the retries are used up, with the words `failed` and nametag; exit 0 starts the command anew
  -n   restarts allowed within the period: 0 (default) to 100, -1 = no limit
  -t   the period in minutes; -1 (default) = for ever
  -C   wait for descendants down to this level only; the command is level 0
  -e   one more variable for the command; -E   the whole environment of pmfadm
  -w   seconds to wait until all processes have ended; 0 (default) not at all, -1 for ever
  -h   only this host is served

  --socket PATH   the runner to ask          --runtime-dir DIR   where to look for it

Exit status: 0 done, 1 no such nametag (-c: it exists), 2 the time of -w ran out, 3 another error.
"""

FLAGS, VALUED = "LE", "ckqslmaenthCw"
ACTIONS = "ckqslmL"
ALLOWED = {"c": "aeEntC", "k": "w", "s": "w", "q": "h", "l": "h", "L": "h", "m": "nt"}
"""Which options go with which action; the two of ours go with all."""


class Typed:
    """The command line, as getopt(3C) reads it: options, then operands. Raises UsageError."""

    def __init__(self, argv: list[str]) -> None:
        self.action = ""
        self.nametag = ""
        self.values: dict[str, str] = {}
        self.extra: list[str] = []
        self.socket = ""
        self.runtime_dir = ""
        self.operands = list(argv)
        while self.operands and self.operands[0].startswith("-") and self.operands[0] != "-":
            word = self.operands.pop(0)
            if word == "--":
                break
            if word.startswith("--"):
                self._long(word)
            else:
                self._letters(word[1:])
        self._check()

    def _long(self, word: str) -> None:
        name, equals, value = word.partition("=")
        if name not in ("--socket", "--runtime-dir"):
            raise UsageError(f"cannot use {word}: there is no such option")
        if not equals:
            value = self._next(name)
        if name == "--socket":
            self.socket = value
        else:
            self.runtime_dir = value

    def _letters(self, letters: str) -> None:
        while letters:
            letter, letters = letters[0], letters[1:]
            if letter in FLAGS:
                self._take(letter, "")
            elif letter in VALUED:
                self._take(letter, letters or self._next("-" + letter))
                return
            else:
                raise UsageError(f"cannot use -{letter}: there is no such option")

    def _next(self, option: str) -> str:
        if not self.operands:
            raise UsageError(f"cannot use {option} without a value")
        return self.operands.pop(0)

    def _take(self, letter: str, value: str) -> None:
        if letter in ACTIONS:
            if self.action:
                raise UsageError(f"cannot do -{self.action} and -{letter} at once")
            self.action, self.nametag = letter, value
        elif letter == "e":
            self.extra.append(value)
            self.values["e"] = value
        else:
            self.values[letter] = value

    def _check(self) -> None:
        if not self.action:
            raise UsageError("cannot guess what to do: give one of -c, -k, -L, -l, -m, -q and -s")
        odd = [letter for letter in self.values if letter not in ALLOWED[self.action]]
        if odd:
            raise UsageError(f"cannot use -{odd[0]} with -{self.action}")
        if self.action == "c" and not self.operands:
            raise UsageError("cannot start nothing: a command is missing")
        if self.action != "c" and len(self.operands) > (self.action in "ks"):
            raise UsageError(f"cannot use {self.operands[-1]}: -{self.action} takes no such operand")
        if self.action != "L" and not (self.nametag and self.nametag.isprintable()):
            raise UsageError("cannot use that nametag: it must be printable text")
        if "e" in self.values and "E" in self.values:
            raise UsageError("cannot use -e together with -E")


def check_host(host: str) -> None:
    """Raises UsageError for every host but this one."""
    own = os.uname().nodename.lower()
    if host.lower() not in ("localhost", "127.0.0.1", "::1", own, own.partition(".")[0]):
        raise UsageError(f"cannot ask host {host}: hosts other than this one are not supported yet")


def whole_of(typed: Typed, letter: str, least: int, most: int) -> int | None:
    """A whole number; None when the option is not given. Raises UsageError, as all below."""
    text = typed.values.get(letter)
    if text is None:
        return None
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdecimal() and len(digits) < 10 and least <= int(text) <= most):
        upto = f" to {most}" if most < 1 << 30 else ""
        raise UsageError(f"cannot use -{letter} {text}: expected a whole number from {least}{upto}")
    return int(text)


def number_of(typed: Typed, letter: str, what: str, least: float) -> float | None:
    """Digits with at most one point, or -1; None when the option is not given."""
    text = typed.values.get(letter)
    if text is None or text == "-1":
        return None if text is None else -1.0
    digits = text.replace(".", "", 1)
    if not (digits.isascii() and digits.isdecimal() and len(digits) < 12) or float(text) < least:
        raise UsageError(f"cannot use -{letter} {text}: expected {what}, or -1")
    return float(text)


def period_of(typed: Typed) -> float | None:
    """Seconds; -1 = for ever."""
    minutes = number_of(typed, "t", "minutes above 0", 1e-6)
    return minutes if minutes is None or minutes < 0 else minutes * 60.0


def signal_of(text: str) -> int:
    """The number of a signal by name, as kill(1) knows them (SIG or not, any case), or by number."""
    import signal

    name = text.upper().removeprefix("SIG") if text.isascii() else ""
    for edge in ("RTMIN", "RTMAX"):
        offset = name.removeprefix(edge)
        sign = {"RTMIN": "+", "RTMAX": "-"}[edge]
        if offset != name and (not offset or (offset[0] == sign and offset[1:].isdecimal() and len(offset) < 4)):
            number = getattr(signal, "SIG" + edge) + int(offset or 0)
            if signal.SIGRTMIN <= number <= signal.SIGRTMAX:
                return int(number)
    known = signal.Signals.__members__.get("SIG" + name)
    if known is not None:
        return int(known)
    if text.isascii() and text.isdecimal() and len(text) < 4 and 0 < int(text) < signal.NSIG:
        return int(text)
    raise UsageError(f"cannot use signal {text}: expected a name such as TERM, or a number from 1 to {signal.NSIG - 1}")


def variables_of(pairs: list[str]) -> dict[str, str]:
    """The VAR=value of each -e."""
    found = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise UsageError(f"cannot use -e {pair}: expected VAR=value")
        found[name] = value
    return found
