"""The compiler: a program that ends. What needs pydantic happens here, so that the runner need not load it.

    python -m gds.config.compiler REQUEST            (a program of ours calls it by `asking.command(request)`)

REQUEST is JSON, all keys optional:

    {"paths": ["web.toml", "/etc/gds/apps.d"],   files and directories, in the words of the user
     "flags": {"state_dir": "/tmp/x"},           settings given on the command line (keys of [runner]), as strings
     "cache_dirs": ["/var/lib/gds/plans"],       the result is kept in the first that can be written; none: not kept
     "keep_beside": false,                       also keep it beside the first path (gds check --compile)
     "set": "state"}                             what people set is laid over the files: as it is kept in the state
                                                 directory, or ("stdin") as a runner hands it over; "": it is not

The answer on stdout is `marshal` of

    {"plan": codec.pack(Plan) or None,           None when there is an error
     "settings": {"node": "n1", ...},            every field of model.settings.Settings, all strings; {} on an error
     "errors": [{"path": ..., "line": 3, "column": 1, "key": "resource.web.retry_cuont", "message": ...}, ...],
     "warnings": [{..., "code": "port-twice"}, ...],   line and column 0: the file as a whole is meant
     "stands": [[kind, name, key, over, line], ...]}   how what was set stands to the files (overlay.Stand)

and the exit status 0, or 78 when there are errors. Without paths only the settings are judged, and the plan is empty.
The settings file, GDS_… variables and everything else of the environment are those of this process.
"""

from __future__ import annotations

import os

os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # looking for plugins costs 12 ms, and we have none

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from gds.config.load import Loaded, Problem
    from gds.config.overlay import Entry
    from gds.model.resource import Warning_

FAULTY = 78
OVER = "set-over"
"""Code of the warning that what was set of a key (kind.name.key) has nothing more to say: the runner strikes it out."""


def answer(request: Mapping[str, Any], environ: Mapping[str, str], given: bytes = b"") -> dict[str, Any]:
    """The answer to a request, and the result kept where the request says. `given`: what a runner hands over."""
    from gds.config import kept_set
    from gds.config.files import FileFault
    from gds.config.load import load
    from gds.config.overlay import entries_of
    from gds.model.codec import pack
    from gds.model.resource import Plan, Warning_

    paths: list[str] = request.get("paths", [])
    flags: dict[str, str] = request.get("flags", {})
    values, errors = settle(flags, environ, request.get("cache_dirs", []))
    can_abort = bool(values.get("node_abort_command"))
    if not paths:
        return {"plan": None if errors else pack(Plan()), "settings": values, "errors": errors, "warnings": []}
    kept_in = kept_set.path_of(values["state_dir"]) if values else ""
    content, fault = given, ""
    entries: tuple[Entry, ...] = ()
    try:
        if request.get("set") == "state" and kept_in:
            content = kept_set.content_of(kept_in)
        entries = entries_of(content)
    except (ValueError, FileFault) as error:
        fault = f"what people set is not known, and the files alone rule: {error}"
    loaded = load(paths, can_abort, entries=entries, kept_in=kept_in)
    # as with every memory that is lost: told, and the applications run
    remarks = [Warning_(kept_in, 1, 1, "set", "set-unknown", fault)] if fault else []
    if request.get("set") == "state":
        # a reload tells this in its plan; a start has no other place for it
        for each in loaded.stands:
            code = OVER if each.over else "set-stays"
            remarks.append(Warning_(kept_in, 1, 1, ".".join(each.entry.place), code, each.line))
    if remarks and loaded.plan is not None:
        loaded = loaded.replace(plan=loaded.plan.replace(warnings=(*remarks, *loaded.warnings)))
    errors = [*errors, *[problem_to_plain(p) for p in loaded.problems]]
    plan = None if errors or loaded.plan is None else pack(loaded.plan)
    if plan is not None:
        _keep(paths, plan, loaded, can_abort, request, content)
    several = values.get("engine", "standalone") != "standalone"
    warnings = [problem_to_plain(w) for w in loaded.warnings if not (several and w.code == "one-node")]
    said = [[*each.entry.place, each.over, each.line] for each in loaded.stands]
    return {"plan": plan, "settings": values, "errors": errors, "warnings": warnings, "stands": said}


def settle(
    flags: Mapping[str, str], environ: Mapping[str, str], cache_dirs: Sequence[str] = ()
) -> tuple[dict[str, str], list[dict[str, Any]]]:
    """All settings ({} when they cannot be had), and the errors. pydantic-settings is loaded only when there is a
    file, or a value that is not plainly fine."""
    from gds.config import cache, places

    euid = os.geteuid()
    file = places.settings_file(environ)
    given = {**places.variables(environ), **flags}
    if not file and places.is_plain(given):
        return places.settled(given, environ, euid), []
    from gds.config.settings import load_settings

    found = load_settings(flags, environ, euid)
    if found.problems:
        return {}, [problem_to_plain(p) for p in found.problems]
    kept = {"file": (file, found.content), "values": found.from_file}
    for directory in cache_dirs:
        if file and found.is_whole and _kept(cache.settings_cache(directory), kept):
            break
    return places.settled(found.values, environ, euid), []


def _keep(
    paths: list[str], plan: Any, loaded: Loaded, can_abort: bool, request: Mapping[str, Any], was_set: bytes
) -> None:
    from gds.config import cache

    content = {
        "paths": [os.path.abspath(path) for path in paths],
        "can_abort": can_abort,
        "listings": [(os.path.abspath(directory), names) for directory, names in loaded.listings],
        "files": [(os.path.abspath(file), content) for file, content in loaded.files],
        "facts": loaded.facts,
        "set": was_set,
        "plan": plan,
    }
    if request.get("keep_beside"):
        # Beside a descriptor that everybody may read, everybody may read the plan: it says the same.
        mode = 0o600
        for file, _ in loaded.files:
            mode |= 0o044
            mode &= os.stat(file).st_mode | 0o600
        cache.keep_plan(cache.beside(paths), content, mode)
    for directory in request.get("cache_dirs", []):
        if _kept(cache.plan_file(directory, paths), content):
            return


def _kept(path: str, content: dict[str, Any]) -> bool:
    from gds.config import cache

    try:
        cache.keep_plan(path, content)
    except OSError:
        return False  # a read-only or full disk: the next start compiles again, that is all
    return True


def problem_to_plain(problem: Problem | Warning_) -> dict[str, Any]:
    """A problem or warning as plain data."""
    return {field: getattr(problem, field) for field in type(problem).__fields__}


def main(argv: Sequence[str]) -> int:
    """Answers one request; see the module's docstring."""
    import json
    import marshal

    request = json.loads(argv[0])
    given = b""
    if request.get("set") == "stdin" or "ask" in request:
        with open(0, "rb", closefd=False) as stdin:
            given = stdin.read()
    if "ask" in request:
        from gds.config.setter import answer_set

        said = answer_set(request, os.environ, marshal.loads(given))
    else:
        said = answer(request, os.environ, given)
    data = memoryview(marshal.dumps(said))
    while data:
        try:
            data = data[os.write(1, data) :]
        except BrokenPipeError:
            return 1  # who asked was killed meanwhile
    return FAULTY if said["errors"] else 0


if __name__ == "__main__":
    import sys

    raise SystemExit(main(sys.argv[1:]))
