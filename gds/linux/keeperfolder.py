"""The folder in which a later runner finds the keepers of lasting trees: ours alone."""

from __future__ import annotations

import os
import stat

from gds.errors import EngineError


def private_folder(runtime_dir: str) -> tuple[str, str]:
    """Make the folder, ours alone; ("", why not) when there can be none. Raises EngineError when it is another's."""
    if not runtime_dir:
        return "", "there is no runtime_dir"
    folder = runtime_dir + "/keepers"
    try:
        os.makedirs(folder, 0o700, exist_ok=True)
        facts = os.lstat(folder)
        if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.geteuid():
            raise EngineError(f"cannot keep keepers in {folder}: it is not a directory of ours; remove it")
        if facts.st_mode & 0o077:
            os.chmod(folder, 0o700)
    except OSError as error:
        return "", f"cannot write to {folder}: {error.strerror}"
    if not os.access(folder, os.W_OK | os.X_OK):
        return "", f"cannot write to {folder}"
    return folder, ""
