"""What happens between fork and exec, in two forms that do the same.

`spawn`: posix_spawn, for a command that runs as we do (no limits, no other user): 0.2 ms whatever our size.
`become`: in a process forked for it by something tiny (a keeper, the zygote), for everything else. Its order matters:
a session of its own; the cgroup, while we still may; out-of-memory score and nice, while we still have the privilege;
supplementary groups before the group before the user, for after the user nothing else is allowed; descriptors before
the user, whose other processes could otherwise look at ours; limits as late as may be, for they bind us too; umask and
working directory as that user; dispositions and mask last, so that nothing is lost on the way.

No names are looked up here: numbers come in the Launch. The program is looked for along the PATH that the command
itself will have. Every failure is an OSError whose text is a sentence that begins "cannot".
"""

from __future__ import annotations

import errno
import marshal
import os
import select

from gds.model.launch import Launch
from gds.model.value import fields_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from typing import NoReturn
else:
    import _signal as signal  # plain numbers: the detour of `signal` over its enums costs time and memory

DEFAULT_SIGNALS = frozenset(range(1, signal.NSIG)) - {signal.SIGKILL, signal.SIGSTOP, 32, 33}
"""All that can have a disposition; 32 and 33 belong to the C library."""

_HIGHEST = 1 << 20
_REPORT_BYTES = 3072
"""Fits into a pipe in one piece."""

_LIMITS = (
    "cpu fsize data stack core rss nproc nofile memlock as locks sigpending msgqueue nice rtprio rttime".split()  # noqa: SIM905
)
"""The kernel's own order."""


def plain(launch: Launch) -> tuple[object, ...]:
    """A Launch as marshal can carry it, its two descriptors left out."""
    return tuple([getattr(launch, f) for f in fields_of(Launch) if f not in ("stdout", "stderr")])


def unplain(fields: tuple[object, ...], stdout: int, stderr: int) -> Launch:
    """The reverse of `plain`."""
    names = [f for f in fields_of(Launch) if f not in ("stdout", "stderr")]
    return Launch(stdout=stdout, stderr=stderr, **dict(zip(names, fields, strict=True)))  # type: ignore[arg-type]


def settled(launch: Launch) -> Launch:
    """The Launch without what is so already: a user, group or groups that we have need no launcher."""
    if launch.uid < 0 and launch.gid < 0 and launch.groups is None:
        return launch
    if launch.uid >= 0 and os.getresuid() != (launch.uid,) * 3:
        return launch
    if launch.gid >= 0 and os.getresgid() != (launch.gid,) * 3:
        return launch
    if launch.groups is not None and set(launch.groups) | {os.getgid()} != set(os.getgroups()) | {os.getgid()}:
        return launch
    return launch.replace(uid=-1, gid=-1, groups=None)


def candidates(program: str, env: dict[str, str]) -> list[str]:
    """Where the program may be: itself when it has a slash, else along the PATH of `env`."""
    if "/" in program:
        return [program]
    if not program:
        return []
    return [f"{folder or '.'}/{program}" for folder in env.get("PATH", os.defpath).split(":")]


def find(program: str, env: dict[str, str]) -> str:
    """The first of the candidates that we may execute. Raises OSError that says why there is none."""
    refused = ""
    for path in candidates(program, env):
        if os.access(path, os.X_OK) and not os.path.isdir(path):
            return path
        if not refused and os.path.lexists(path):
            refused = path
    if refused:
        try:
            os.stat(refused)
        except OSError as error:
            raise _cannot(error, refused) from None
        raise _cannot(OSError(errno.EACCES, os.strerror(errno.EACCES)), refused)
    raise _cannot(OSError(errno.ENOENT, os.strerror(errno.ENOENT)), program)


def spawn(launch: Launch, null: int) -> int:
    """Start a command that needs no launcher; its pid. `null` is /dev/null. Needs a process with one thread.

    Raises OSError; its text begins "cannot".
    """
    if not launch.argv:
        raise OSError(errno.EINVAL, "cannot execute an empty command")
    copies: list[int] = []
    here = -1
    old_umask = os.umask(launch.umask) if launch.umask >= 0 else -1
    try:
        if launch.cwd:
            here = os.open(".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            _change_directory(launch.cwd)
        sources = [null, launch.stdout, launch.stderr]
        for place, fd in enumerate(sources):
            if fd < 3 and fd != place:
                sources[place] = _above_2(fd, copies)
        program = launch.argv[0]
        if "/" not in program:
            program = find(program, launch.env)
        try:
            return os.posix_spawn(
                program,
                launch.argv,
                launch.env,
                file_actions=[(os.POSIX_SPAWN_DUP2, fd, place) for place, fd in enumerate(sources)],
                setsid=True,
                setsigmask=(),
                # the C library looks at every signal anyhow; asking Python which are ignored took 0.4 ms
                setsigdef=DEFAULT_SIGNALS,
            )
        except (OSError, ValueError) as error:
            raise _cannot(error, program) from None
    finally:
        if here >= 0:
            os.fchdir(here)
            os.close(here)
        if old_umask >= 0:
            os.umask(old_umask)
        for fd in copies:
            os.close(fd)


def become(launch: Launch, report: int, asker: int, cgroup_procs: str = "") -> NoReturn:
    """In a child forked for it, with all signals blocked: turn into the command, or write to `report` why not.

    `report` is the writing end of a pipe that closes on exec, `asker` the socket of the runner: when nobody is there
    any more, nothing is started, because a runner after it may have started the same already. 0 must be /dev/null and
    the Launch's descriptors above 2, where the passing of descriptors puts them.
    """
    try:
        _become(launch, report, asker, cgroup_procs)
    except OSError as error:
        _tell(report, error.errno or errno.EIO, error.strerror or str(error))
    except BaseException as error:  # our bug; unreported it would look like a command that ended by itself
        _tell(report, errno.EIO, f"cannot start {launch.argv[:1]}: internal error: {error!r}")
    finally:
        os._exit(127)


def _become(launch: Launch, report: int, asker: int, cgroup_procs: str) -> NoReturn:
    os.setsid()
    if cgroup_procs:
        _write(cgroup_procs, b"0", "cannot join the cgroup")
    if is_alone(asker):
        raise OSError(errno.ECANCELED, "cannot start it: the runner is gone")
    if launch.oom_score_adjust:
        score = b"%d" % launch.oom_score_adjust
        _write("/proc/self/oom_score_adj", score, f"cannot set oom_score_adjust to {launch.oom_score_adjust}")
    if launch.nice:
        try:
            os.setpriority(os.PRIO_PROCESS, 0, launch.nice)
        except OSError as error:
            raise _renamed(error, f"cannot set nice to {launch.nice}") from None
    if launch.groups is not None:
        try:
            os.setgroups(launch.groups)
        except OSError as error:
            raise _renamed(error, f"cannot set the supplementary groups {list(launch.groups)}") from None
    if launch.gid >= 0:
        try:
            os.setresgid(launch.gid, launch.gid, launch.gid)
        except OSError as error:
            raise _renamed(error, f"cannot become group {launch.gid}") from None
    os.dup2(launch.stdout, 1)
    os.dup2(launch.stderr, 2)
    # before another user's rights hold: nothing of ours may be within their reach
    os.closerange(3, report)
    os.closerange(report + 1, _HIGHEST)
    if launch.limits:
        _set_limits(launch.limits)
    if launch.uid >= 0:
        try:
            os.setresuid(launch.uid, launch.uid, launch.uid)
        except OSError as error:
            raise _renamed(error, f"cannot become user {launch.uid}") from None
    if launch.umask >= 0:
        os.umask(launch.umask)
    if launch.cwd:
        _change_directory(launch.cwd)
    for number in DEFAULT_SIGNALS:
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    _execute(launch)


def _execute(launch: Launch) -> NoReturn:
    if not launch.argv:
        raise OSError(errno.EINVAL, "cannot execute an empty command")
    refused: OSError | None = None
    for path in candidates(launch.argv[0], launch.env):
        try:
            os.execve(path, launch.argv, launch.env)
        except (FileNotFoundError, NotADirectoryError) as error:
            if os.path.lexists(path):
                refused = refused or _cannot(error, path)  # it is there, its interpreter is not
        except PermissionError as error:
            refused = refused or _cannot(error, path)
        except (OSError, ValueError) as error:
            raise _cannot(error, path) from None
    raise refused or _cannot(OSError(errno.ENOENT, os.strerror(errno.ENOENT)), launch.argv[0])


def failure(data: bytes) -> tuple[int, str]:
    """What `become` wrote into its pipe: (errno, message); (0, "") when it has turned into the command."""
    if not data:
        return 0, ""
    number, message = marshal.loads(data)
    return number, message


def is_alone(sock: int) -> bool:
    """Nobody holds the other end of this socket."""
    poll = select.poll()
    poll.register(sock, 0)
    return any(events & (select.POLLHUP | select.POLLERR | select.POLLNVAL) for _fd, events in poll.poll(0))


def _tell(report: int, number: int, message: str) -> None:
    data = message.encode("utf-8", "backslashreplace")[:_REPORT_BYTES].decode("utf-8", "ignore")
    try:
        os.write(report, marshal.dumps((number, data), 2))
    except OSError:
        pass  # nobody listens any more


def _cannot(error: OSError | ValueError, path: str) -> OSError:
    """The error in a sentence that names the program."""
    number = (error.errno or errno.EIO) if isinstance(error, OSError) else errno.EINVAL
    words = (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
    if number == errno.EACCES and os.path.isdir(path):
        words = "it is a directory"
    elif number == errno.ENOENT and os.path.isfile(path):
        words = "the interpreter its first line names does not exist"
    elif number == errno.ENOEXEC:
        words += " (a script needs a first line such as #!/bin/sh)"
    return OSError(number, f"cannot execute {path}: {words}")


def _renamed(error: OSError, what: str) -> OSError:
    return OSError(error.errno or errno.EIO, f"{what}: {error.strerror}")


def _change_directory(path: str) -> None:
    try:
        os.chdir(path)
    except (OSError, ValueError) as error:
        number = (error.errno or errno.EIO) if isinstance(error, OSError) else errno.EINVAL
        words = error.strerror if isinstance(error, OSError) else str(error)
        raise OSError(number, f"cannot change to the working directory {path}: {words}") from None


def _set_limits(limits: tuple[tuple[int, int, int], ...]) -> None:
    import resource  # the runner has no use for it; the zygote has it loaded before it forks

    for number, soft, hard in limits:
        try:
            resource.setrlimit(number, (soft, hard))
        except (OSError, ValueError) as error:
            name = _LIMITS[number] if 0 <= number < len(_LIMITS) else str(number)
            wanted = ":".join(["infinity" if n == -1 else str(n) for n in (soft, hard)])
            words = error.strerror if isinstance(error, OSError) else str(error)
            raise OSError(errno.EPERM, f"cannot set the limit {name} to {wanted}: {words}") from None


def _write(path: str, data: bytes, what: str) -> None:
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(fd, data)
        finally:
            os.close(fd)
    except OSError as error:
        raise _renamed(error, f"{what} ({path})") from None


def _above_2(fd: int, copies: list[int]) -> int:
    import fcntl  # in C; needed only when the runner's own 1 and 2 change places

    copies.append(fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3))
    return copies[-1]
