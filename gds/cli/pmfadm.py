"""pmfadm(1M), also `gds pmf`: the process monitor facility by itself. Sun: semantics.md 4.2.

Exit statuses: 0; 1 the nametag does not exist, or -c on one that exists; 2 the time of -w ran out; 3 anything else.
Without a runner there are no nametags, so -q, -k, -s, -l and -m end with 1, and -L prints nothing; -c starts a runner
in the background, in the same runtime directory.

Beyond Sun's page: fractions of minutes and seconds; `--socket` and `--runtime-dir` as for every verb of gds; -m without
-n and -t forgets the failures. Narrower: -h serves this host only.

Light: read by hand, few modules, because scripts ask -q again and again. Which runner: --socket, else GDS_SOCKET, else
every one under the runtime directory; a nametag that two of them have is refused, but for -q. -c takes the runner of
the runtime directory itself, not one of a unit below it, whose tags would end with that unit.
"""

from __future__ import annotations

import os
import sys

from gds.api import client
from gds.errors import GdsError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

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

DONE, NO_SUCH, TIMED_OUT, ERROR = 0, 1, 2, 3
FLAGS, VALUED = "LE", "ckqslmaenthCw"
ACTIONS = "ckqslmL"
ALLOWED = {"c": "aeEntC", "k": "w", "s": "w", "q": "h", "l": "h", "L": "h", "m": "nt"}
"""Which options go with which action; the two of ours go with all."""
ANSWER_LIMIT = 30.0
"""Seconds a runner may take to answer, beside those of -w."""


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


def main(argv: list[str] | None = None) -> int:
    """The console script; returns the exit status."""
    arguments = sys.argv[1:] if argv is None else argv
    if arguments == ["--help"]:
        return _show(HELP)
    try:
        typed = Typed(arguments)
        if "h" in typed.values:
            _check_host(typed.values["h"])
        if typed.action == "c":
            return _create(typed)
        if typed.action == "q":
            return _query(typed)
        if typed.action == "L":
            return _list(typed)
        if typed.action == "l":
            return _details(typed)
        return _change(typed)
    except UsageError as error:
        return _failed(f"{error}\n{USAGE}".rstrip())
    except GdsError as error:
        return _failed(str(error))
    except KeyboardInterrupt:
        return 130


def _say(text: str) -> None:
    _write(2, f"pmfadm: {text}\n")


def _failed(text: str) -> int:
    _say(text)
    return ERROR


def _show(text: str) -> int:
    _write(1, text)
    return DONE


def _write(descriptor: int, text: str) -> None:
    data = text.encode("utf-8", "surrogateescape")
    try:
        while data:
            data = data[os.write(descriptor, data) :]
    except OSError:
        pass  # nobody reads it any more: never a reason to fail


# -- options ----------------------------------------------------------------------------------------------------------


def _check_host(host: str) -> None:
    """Raises UsageError for every host but this one."""
    own = os.uname().nodename.lower()
    if host.lower() not in ("localhost", "127.0.0.1", "::1", own, own.partition(".")[0]):
        raise UsageError(f"cannot ask host {host}: hosts other than this one are not supported yet")


def _whole(typed: Typed, letter: str, least: int, most: int) -> int | None:
    text = typed.values.get(letter)
    if text is None:
        return None
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdecimal() and len(digits) < 10 and least <= int(text) <= most):
        upto = f" to {most}" if most < 1 << 30 else ""
        raise UsageError(f"cannot use -{letter} {text}: expected a whole number from {least}{upto}")
    return int(text)


def _number(typed: Typed, letter: str, what: str, least: float) -> float | None:
    """Digits with at most one point, or -1; None when the option is not given."""
    text = typed.values.get(letter)
    if text is None or text == "-1":
        return None if text is None else -1.0
    digits = text.replace(".", "", 1)
    if not (digits.isascii() and digits.isdecimal() and len(digits) < 12) or float(text) < least:
        raise UsageError(f"cannot use -{letter} {text}: expected {what}, or -1")
    return float(text)


def _period(typed: Typed) -> float | None:
    """Seconds; -1 = for ever."""
    minutes = _number(typed, "t", "minutes above 0", 1e-6)
    return minutes if minutes is None or minutes < 0 else minutes * 60.0


def _signal(text: str) -> int:
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


def _variables(pairs: list[str]) -> dict[str, str]:
    found = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise UsageError(f"cannot use -e {pair}: expected VAR=value")
        found[name] = value
    return found


# -- asking -----------------------------------------------------------------------------------------------------------


def _sockets(typed: Typed) -> list[str]:
    """None when there is nobody to ask."""
    try:
        return client.sockets(typed.socket, typed.runtime_dir)
    except client.NoRunner:
        return []


def _ask(path: str, request: dict[str, Any]) -> dict[str, Any]:
    """An answer about nametags. Raises GdsError, also for what this runner cannot understand."""
    wait = request.get("wait", 0)
    answer = client.ask(path, request, timeout=None if wait < 0 else wait + ANSWER_LIMIT)
    if not answer.get("pmf"):
        raise client.NoRunner(f"cannot ask the runner at {path}: {answer.get('message') or 'it gave no answer'}")
    return answer


def _owners(typed: Typed) -> list[str]:
    """The runners that have the nametag. Raises GdsError when there may be one that could not be asked."""
    found = []
    refused: GdsError | None = None
    for path in _sockets(typed):
        try:
            answer = _ask(path, {"verb": "pmf.query", "nametag": typed.nametag})
            if answer["code"] == DONE:
                found.append(path)
            elif answer["code"] == ERROR:
                refused = UsageError(answer["message"])
        except client.NoRunner:
            continue  # left by a runner that was killed: it has no tags any more
        except client.Denied as error:
            refused = error
    if not found and refused is not None:
        raise refused
    return found


def _owner(typed: Typed) -> str:
    """The one runner that has it; "" when none has. Raises UsageError when two have."""
    found = _owners(typed)
    if len(found) > 1:
        raise UsageError(f"cannot choose: {typed.nametag} stands in {' and in '.join(found)}; name one with --socket")
    return found[0] if found else ""


def _ended(answer: dict[str, Any]) -> int:
    if answer["message"]:
        _say(answer["message"])
    return int(answer["code"])


def _missing(typed: Typed) -> int:
    _say(f"cannot find {typed.nametag}: there is no such nametag")
    return NO_SUCH


def _query(typed: Typed) -> int:
    return DONE if _owners(typed) else NO_SUCH


def _change(typed: Typed) -> int:
    """-k, -s and -m."""
    request: dict[str, Any] = {"verb": {"k": "pmf.kill", "s": "pmf.stop", "m": "pmf.modify"}[typed.action]}
    request["nametag"] = typed.nametag
    if typed.action == "m":
        request["retries"] = _whole(typed, "n", -1, 100)
        request["period"] = _period(typed)
    else:
        request["wait"] = _number(typed, "w", "seconds from 0", 0.0) or 0
        if typed.operands:
            request["signal"] = _signal(typed.operands[0])
    path = _owner(typed)
    return _ended(_ask(path, request)) if path else _missing(typed)


def _list(typed: Typed) -> int:
    names: list[str] = []
    for path in _sockets(typed):
        try:
            names += _ask(path, {"verb": "pmf.list"})["tags"]
        except client.NoRunner:
            continue  # as in _owners
    return _show("".join([f"{name}\n" for name in sorted(names)]))


def _details(typed: Typed) -> int:
    path = _owner(typed)
    if not path:
        return _missing(typed)
    answer = _ask(path, {"verb": "pmf.details", "nametag": typed.nametag})
    return _show(_described(answer["details"])) if answer["code"] == DONE else _ended(answer)


def _described(facts: dict[str, Any]) -> str:
    from shlex import quote

    period = "for ever" if facts["period"] < 0 else f"{facts['period'] / 60:g} min"
    allowed = "no limit" if facts["retries"] < 0 else f"{facts['used']} of {facts['retries']} used"
    lines = [
        facts["nametag"],
        f"    state: {facts['life']}: {facts['because']}",
        f"    command: {' '.join([quote(word) for word in facts['command']])}",
        f"    action: {facts['action'] or '(none)'}",
        f"    directory: {facts['cwd']}",
        "    environment:",
        *[f"        {name}" + ("" if value is None else f"={value}") for name, value in facts["environment"].items()],
        f"    retries: {allowed}; failures in all: {facts['failed']}",
        f"    period: {period}",
        f"    owner: {_user(facts['owner'])}",
        f"    child level: {'all' if facts['level'] < 0 else facts['level']}",
        f"    pids: {' '.join(map(str, facts['pids'])) or '(none)'}",
    ]
    return "\n".join(lines) + "\n"


def _user(uid: int) -> str:
    import pwd

    try:
        return f"{pwd.getpwuid(uid).pw_name} ({uid})"
    except KeyError:
        return str(uid)


# -- -c ---------------------------------------------------------------------------------------------------------------


def _create(typed: Typed) -> int:
    request: dict[str, Any] = {"verb": "pmf.create", "nametag": typed.nametag, "command": typed.operands}
    try:
        request["cwd"] = os.getcwd()
    except OSError as error:
        raise UsageError(f"cannot tell the current directory: {error.strerror}") from None
    request["retries"] = _whole(typed, "n", -1, 100)
    request["period"] = _period(typed)
    level = _whole(typed, "C", 0, 1 << 30)
    if level is not None:
        request["level"] = level
    request["action"] = typed.values.get("a", "")
    if "E" in typed.values:
        request["environ"] = dict(os.environ)
    else:
        request["extra"] = _variables(typed.extra)
        if "PATH" in os.environ:
            request["path"] = os.environ["PATH"]
    from gds.cli import pmfstart  # only -c needs it, and -q is asked again and again

    directory, path = pmfstart.home(typed.socket, typed.runtime_dir)
    for other in _owners(typed):
        if other != path:
            _say(f"cannot use nametag {typed.nametag}: it exists at {other}")
            return NO_SUCH
    return _ended(pmfstart.ask_or_start(directory, path, lambda: _ask(path, request)))


if __name__ == "__main__":
    sys.exit(main())
