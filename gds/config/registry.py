"""The registered resource types: RTR files kept in `rt/` of the state directory, each under the name of its type.

The file itself is kept, not what was read from it: `rtr.py` reads it again, so that another version of gds understands
it too, and a person can look at it. A file is written new and renamed into its place, so that a reader sees all of it
or nothing; who registers holds a lock on the directory. A name has no letter case.

Two types are never files: the generic one (`generictype.py`), and what else is built in.
"""

from __future__ import annotations

import fcntl
import os

from gds.config import addresstype
from gds.config.files import FileFault, read_trusted
from gds.config.generictype import ALIAS, NAME, generic_type
from gds.config.rtr import ReadType, RtrFault, read_rtr
from gds.config.rtrwrite import write_rtr
from gds.errors import EngineError
from gds.model.restype import Ambiguous, NoSuchType, ResourceType, find_type
from gds.model.value import Value

BUILT_IN = frozenset((NAME.lower(), ALIAS.lower(), addresstype.NAME.lower(), addresstype.ALIAS.lower()))
"""Names in lower case, without version, that no RTR file may take."""


class Registered(Value):
    """One type. `path` and `text` are those of its RTR file; both empty for one that is built in."""

    type: ResourceType
    path: str = ""
    text: str = ""

    @property
    def is_built_in(self) -> bool:
        """It is part of gds."""
        return not self.path


class Registry(Value):
    """All types by name, and what is wrong with files that stand in the directory and are none."""

    types: tuple[Registered, ...]
    faults: tuple[RtrFault, ...] = ()


def directory_of(state_dir: str) -> str:
    """Where registered types are kept."""
    return os.path.join(state_dir, "rt")


def read_type(path: str, euid: int) -> tuple[ReadType, str]:
    """The type that a file describes, or its faults; and its text. Files are trusted as descriptors are."""
    try:
        content = read_trusted(path, euid)
    except FileFault as error:
        return ReadType(None, (RtrFault(path, 0, 0, "", str(error)),)), ""
    for mark, name in (
        (b"\xef\xbb\xbf", "UTF-8 without a byte order mark"),
        (b"\xff\xfe", "UTF-8"),
        (b"\xfe\xff", "UTF-8"),
    ):
        if content.startswith(mark):
            fault = RtrFault(path, 1, 1, "", f"cannot read it: it begins with a byte order mark; save it as {name}")
            return ReadType(None, (fault,)), ""
    try:
        text = content.decode().replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        line = before.count(b"\n") + 1
        column = len(before[before.rfind(b"\n") + 1 :].decode()) + 1
        message = f"cannot read it: not UTF-8 (byte 0x{content[error.start]:02x})"
        return ReadType(None, (RtrFault(path, line, column, "", message),)), ""
    return read_rtr(text, path), text


def load_registry(state_dir: str, euid: int) -> Registry:
    """Every type that may be used. A directory that is not there holds none; one that cannot be read is a fault."""
    where = directory_of(state_dir)
    types = [Registered(generic_type()), Registered(addresstype.address_type())]
    faults: list[RtrFault] = []
    try:
        names = sorted([name for name in os.listdir(where) if not name.startswith(".")])
    except FileNotFoundError:
        names = []
    except OSError as error:
        return Registry(tuple(types), (RtrFault(where, 0, 0, "", f"cannot list the directory: {error.strerror}"),))
    for name in names:
        path = os.path.join(where, name)
        found, text = read_type(path, euid)
        if found.type is None:
            faults.extend(found.faults)
        elif found.type.name.lower() != name.lower():
            message = f"cannot use it: it describes {found.type.name}, and a registered file is named as its type"
            faults.append(RtrFault(path, 0, 0, "", message))
        else:
            types.append(Registered(found.type, path, text))
    return Registry(tuple(types), tuple(faults))


def look_up(registry: Registry, asked: str) -> Registered | NoSuchType | Ambiguous:
    """The type meant by `[vendor.]base[:version]`, the latest version when none is given; SUNW.gds is gds."""
    for name, alias in ((NAME, ALIAS), (addresstype.NAME, addresstype.ALIAS)):
        if asked.partition(":")[0].lower() == alias.lower():
            asked = name
    found = find_type(asked, [each.type for each in registry.types])
    if not isinstance(found, ResourceType):
        return found
    return next(each for each in registry.types if each.type == found)


def matching(registry: Registry, asked: str) -> tuple[Registered, ...]:
    """Every type that the name fits; the one alone that is called exactly so, where there is one."""
    unversioned, _, version = asked.partition(":")
    wanted = unversioned.lower()
    fitting = [
        each
        for each in registry.types
        if wanted in (each.type.unversioned.lower(), each.type.resource_type.lower())
        and (not version or each.type.rt_version == version)
    ]
    exact = [each for each in fitting if each.type.name.lower() == asked.lower()]
    return tuple(exact or fitting)


def text_of_type(registered: Registered) -> str:
    """Its RTR file; that of a built-in type is made now."""
    from gds.config.generictype import COMMENT

    comment = addresstype.COMMENT if registered.type.resource_type == addresstype.NAME else COMMENT
    return registered.text or write_rtr(registered.type, comment)


class Conflict(EngineError):
    """Another type is registered under that name."""


def register(kind: ResourceType, text: str, state_dir: str, euid: int) -> bool:
    """Keeps the file of a type; False when it was registered already with the same content.

    Raises Conflict when another content has the name (in any letter case), and OSError.
    """
    if kind.unversioned.lower() in BUILT_IN:
        raise Conflict(f"cannot register {kind.name}: a type that is built into gds has this name")
    where = directory_of(state_dir)
    _make(where)
    handle = os.open(where, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        # Held for as long as it takes to look and to rename: two that come at once come one after the other.
        fcntl.flock(handle, fcntl.LOCK_EX)
        for known in load_registry(state_dir, euid).types:
            if known.type.name.lower() == kind.name.lower():
                if known.type == kind:
                    return False
                raise Conflict(
                    f"cannot register {kind.name}: another content is registered under this name; give it another"
                    f" RT_version and #$upgrade, or `gds rt unregister {kind.name}` first"
                )
        path = os.path.join(where, kind.name)
        if os.path.lexists(path):
            raise Conflict(
                f"cannot register {kind.name}: {path} is there and is no RTR file of this type;"
                f" `gds rt unregister {kind.name}` removes it"
            )
        _put(path, text)
        os.fsync(handle)
        return True
    finally:
        os.close(handle)


def unregister(path: str) -> None:
    """Removes the file of a type. Raises OSError."""
    os.unlink(path)
    _sync(os.path.dirname(path))


def _make(directory: str) -> None:
    """The directory and those above it, whatever the umask: nobody else may write in them."""
    if not os.path.isdir(directory):
        _make(os.path.dirname(directory))
        try:
            os.mkdir(directory, 0o755)
        except FileExistsError:
            if not os.path.isdir(directory):
                raise


def _put(path: str, text: str) -> None:
    """The whole file, or none. Raises OSError."""
    new = os.path.join(os.path.dirname(path), ".new")
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    try:
        data = memoryview(text.encode())
        while data:
            data = data[os.write(handle, data) :]
        os.fchmod(handle, 0o644)
        os.fsync(handle)
    finally:
        os.close(handle)
    os.rename(new, path)


def _sync(directory: str) -> None:
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
