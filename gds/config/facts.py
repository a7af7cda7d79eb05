"""Facts of this machine that a descriptor relies on, gathered by question; nothing is decided here.

A question is a tuple `(kind, ...)`, its answer a string: empty means as it should be, else what is wrong. The same
questions are asked again when a cached plan is loaded, so this module is light.

    ("command", name, search path or "", directory)   can it be executed; name without slash: looked for in PATH
    ("directory", path)                               is there such a directory
    ("file", path)                                    is there a file that we may read
    ("parent", path)                                  is there a directory to create the file in
    ("place", path)                                   the same, and would root write there
    ("user", name), ("group", name)                   is there such an account
    ("root",)                                         are we root
    ("become", name)                                  can we run something as this user
    ("types", directory)                              which resource types are registered there; never a fault
"""

from __future__ import annotations

import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def gather(questions: Iterable[tuple[str, ...]]) -> dict[tuple[str, ...], str]:
    """The answer to each question."""
    return {question: answer(question) for question in questions}


def answer(question: tuple[str, ...]) -> str:
    """The answer to one question. Raises KeyError for a kind that is not in the module's table."""
    said: str = _ANSWERS[question[0]](*question[1:])
    return said


def _command(name: str, search: str, directory: str) -> str:
    if "/" in name:
        return _executable(os.path.join(directory, name))
    found = ""
    for place in (search or os.environ.get("PATH") or DEFAULT_PATH).split(":"):
        said = _executable(os.path.join(directory, place, name))
        if not said:
            return ""
        # A file that is there but cannot be executed says more than "not found".
        if said not in ("does not exist", "is a directory") and not found:
            found = f"{os.path.join(place, name)} {said}"
    return found or "is not found in PATH"


def _executable(path: str) -> str:
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError) as error:
        return _trouble(error)
    if stat.S_ISDIR(mode):
        return "is a directory"
    if not stat.S_ISREG(mode):
        return "is not a regular file"
    return "" if os.access(path, os.X_OK, effective_ids=True) else "is not executable"


def _directory(path: str) -> str:
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError) as error:
        return _trouble(error)
    return "" if stat.S_ISDIR(mode) else "is not a directory"


def _file(path: str) -> str:
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError) as error:
        return _trouble(error)
    if stat.S_ISDIR(mode):
        return "is a directory"
    return "" if os.access(path, os.R_OK, effective_ids=True) else "cannot be read: Permission denied"


def _parent(path: str) -> str:
    return _directory(os.path.dirname(path) or ".")


def _place(path: str) -> str:
    said = _parent(path)
    if said or os.geteuid() != 0:
        return said  # whoever runs it later may be somebody else
    from gds.linux.place import refusal

    said = refusal(path)
    return f"will not do: {said}" if said else ""


def _user(name: str) -> str:
    import pwd

    try:
        pwd.getpwuid(int(name)) if _is_number(name) else pwd.getpwnam(name)
    except (KeyError, ValueError, OverflowError):
        return "does not exist"
    return ""


def _group(name: str) -> str:
    import grp

    try:
        grp.getgrgid(int(name)) if _is_number(name) else grp.getgrnam(name)
    except (KeyError, ValueError, OverflowError):
        return "does not exist"
    return ""


def _is_number(name: str) -> bool:
    return name.isascii() and name.isdigit()


def _root() -> str:
    return "" if os.geteuid() == 0 else "not root"


def _become(name: str) -> str:
    if os.geteuid() == 0:
        return ""
    import pwd

    try:
        entry = pwd.getpwuid(int(name)) if _is_number(name) else pwd.getpwnam(name)
    except (KeyError, ValueError, OverflowError):
        return "does not exist"
    return "" if entry.pw_uid == os.geteuid() else "not root"


def _trouble(error: OSError | ValueError) -> str:
    if isinstance(error, ValueError):
        return "is not a file name here"  # characters that the locale's encoding lacks
    if isinstance(error, (FileNotFoundError, NotADirectoryError)):
        return "does not exist"
    return f"cannot be looked at: {error.strerror}"


def _types(directory: str) -> str:
    try:
        return ",".join(sorted([name for name in os.listdir(directory) if not name.startswith(".")]))
    except OSError:
        return ""


_ANSWERS: dict[str, Callable[..., str]] = {
    "command": _command,
    "directory": _directory,
    "file": _file,
    "parent": _parent,
    "place": _place,
    "user": _user,
    "group": _group,
    "root": _root,
    "become": _become,
    "types": _types,
}
