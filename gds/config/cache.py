"""Compiled plans, kept: an unchanged descriptor is not compiled again. Light: no pydantic, no TOML, no hash.

A plan is kept with everything it was made from, and all of it is compared with what is there now: the content of each
file, the names in each directory, each fact of the machine that was asked for, what people set, the version of gds and
of Python. So a kept plan can be old but never wrong, and who may write a file is asked anew each time, because that is
not content.
A kept plan is trusted only when it belongs to root or to us and nobody else may write it.

It is looked for beside the first path (`web.toml.plan`, made by `gds check --compile` for images) and in each cache
directory. Settings are kept in the same way, in cache directories only, because they may be nobody else's business.

Why the content and not a digest: hashlib costs more to import than a comparison of a whole file.
"""

from __future__ import annotations

import marshal
import os
import sys
import zlib

from gds import __version__
from gds.config import facts, kept_set, places
from gds.config.files import FileFault, listing, read_trusted
from gds.model.codec import unpack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from gds.model.resource import Plan

MAGIC = b"gds plan 1\n"
LARGEST = 256 << 20
"""No kept plan is larger."""


def directories(flags: Mapping[str, str], environ: Mapping[str, str], euid: int) -> list[str]:
    """Where plans are kept: $GDS_CACHE_DIR, then `plans` in the state directory that flags and environment name.

    A state_dir that only gds.toml names is not looked at: reading it is what the cache saves.
    """
    named = environ.get("GDS_CACHE_DIR", "")
    given = flags.get("state_dir") or environ.get("GDS_STATE_DIR", "")
    by_rule = os.path.join(places.state_dir(given, environ, euid), "plans")
    return [named, by_rule] if named else [by_rule]


def load_cached(
    paths: Sequence[str],
    cache_dirs: Sequence[str],
    flags: Mapping[str, str] | None = None,
    environ: Mapping[str, str] | None = None,
) -> tuple[Plan, dict[str, str]] | None:
    """The plan of `paths` and all settings, when nothing they were made from has changed; else None: compile them.

    Never raises for what it finds on disk. Without paths: an empty plan, and the settings.
    """
    environ = os.environ if environ is None else environ
    euid = os.geteuid()
    settings = _settings(cache_dirs, flags or {}, environ, euid)
    if settings is None:
        return None
    try:
        was_set = kept_set.content_of(kept_set.path_of(settings["state_dir"])) if paths else b""
    except FileFault:
        return None
    plan = _plan(paths, cache_dirs, euid, bool(settings["node_abort_command"]), was_set)
    return None if plan is None else (plan, settings)


def keep_plan(path: str, content: dict[str, Any], mode: int = 0o600) -> None:
    """Writes a kept plan or kept settings in place of an older one, all or nothing. Raises OSError."""
    body = marshal.dumps({"gds": __version__, "python": sys.version, **content})
    directory = os.path.dirname(path)
    if directory and not os.path.isdir(directory):
        _make(os.path.dirname(directory))
        os.mkdir(directory, 0o700)
    new = f"{path}.{os.getpid()}.new"
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        data = memoryview(MAGIC + zlib.crc32(body).to_bytes(4, "big") + body)
        while data:
            data = data[os.write(handle, data) :]
        os.fchmod(handle, mode)
        os.rename(new, path)
    except BaseException:  # whatever it was, no half-written plan is left; it goes on up
        os.unlink(new)
        raise
    finally:
        os.close(handle)


def _make(directory: str) -> None:
    """The directory and those above it, whatever the umask: nobody else may write in them."""
    if directory and not os.path.isdir(directory):
        _make(os.path.dirname(directory))
        os.mkdir(directory, 0o755)


def beside(paths: Sequence[str]) -> str:
    """The kept plan that travels with the descriptors."""
    return paths[0].rstrip("/") + ".plan"


def plan_file(directory: str, paths: Sequence[str]) -> str:
    """The kept plan of these paths in a cache directory."""
    return os.path.join(directory, f"{zlib.crc32(marshal.dumps(_named(paths))):08x}.plan")


def settings_cache(directory: str) -> str:
    """The kept settings in a cache directory."""
    return os.path.join(directory, "settings")


def _named(paths: Sequence[str]) -> list[str]:
    return [os.path.abspath(path) for path in paths]


def _plan(paths: Sequence[str], cache_dirs: Sequence[str], euid: int, can_abort: bool, was_set: bytes) -> Plan | None:
    if not paths:
        from gds.model.resource import Plan as EmptyPlan

        return EmptyPlan()
    for file in (beside(paths), *[plan_file(directory, paths) for directory in cache_dirs]):
        kept = _kept(file, euid)
        if kept is not None and kept.get("set") == was_set and _is_current(kept, _named(paths), euid, can_abort):
            plan: Plan = unpack(kept["plan"])
            return plan
    return None


def _kept(path: str, euid: int) -> dict[str, Any] | None:
    """The content of a kept file that may be trusted and is whole."""
    try:
        data = read_trusted(path, euid, LARGEST, ours=True)
    except FileFault:
        return None
    start = len(MAGIC) + 4
    if not data.startswith(MAGIC) or zlib.crc32(memoryview(data)[start:]) != int.from_bytes(
        data[start - 4 : start], "big"
    ):
        return None
    kept: dict[str, Any] = marshal.loads(memoryview(data)[start:])
    return kept if kept["gds"] == __version__ and kept["python"] == sys.version else None


def _is_current(kept: dict[str, Any], paths: list[str], euid: int, can_abort: bool) -> bool:
    if kept["paths"] != paths or kept["can_abort"] != can_abort:
        return False
    try:
        for directory, names in kept["listings"]:
            if listing(directory) != names:
                return False
        for file, content in kept["files"]:
            if read_trusted(file, euid) != content:
                return False
    except (OSError, FileFault):
        return False
    return all(facts.answer(question) == said for question, said in kept["facts"])


def _settings(
    cache_dirs: Sequence[str], flags: Mapping[str, str], environ: Mapping[str, str], euid: int
) -> dict[str, str] | None:
    given = {**places.variables(environ), **flags}
    if not places.is_plain(given):
        return None
    file = places.settings_file(environ)
    if not file:
        return places.settled(given, environ, euid)
    try:
        content = read_trusted(file, euid)
    except FileFault:
        return None
    for directory in cache_dirs:
        kept = _kept(settings_cache(directory), euid)
        if kept is not None and kept["file"] == (file, content):
            return places.settled({**kept["values"], **given}, environ, euid)
    return None
