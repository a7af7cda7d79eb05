"""The runner of one instance, begun in the background with an attendant beside it.

The attendant is a shell of a few hundred kilobytes that waits for the runner's end, because somebody must act on it at
once, and Pacemaker asks only every few seconds:

- 75, a giveover: everything is stopped here already; it tells Pacemaker that the resource has failed
  (`crm_resource --fail`), which with migration-threshold=1 moves it within half a second;
- killed: it begins a new runner, which takes the application back without a restart;
- anything else: it ends as well, and the next `monitor` says what is so.

It acts only while `ocf.started` exists (gds/ocf/place.py): a failed start or a stop that goes on has an answer of its
own. Descriptor 9 is `ocf.alive`; the runner gets it, what else the attendant starts does not.
"""

from __future__ import annotations

import os
import stat
import sys

from gds.config import places
from gds.ocf.asked import GENERIC, Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gds.ocf.asked import Asked
    from gds.ocf.place import Place

SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "attendant.sh")
ABORT = 'stonith_admin --reboot "$GDS_NODE" --timeout 50'
"""What HARD means under Pacemaker: the cluster fences this node."""
_RUN = "import sys; sys.path.append(sys.argv.pop(1)); from gds.cli.main import main; raise SystemExit(main())"
_JOURNAL = "/run/systemd/journal/stdout"
_LARGEST_LOG = 4 << 20
_HANDED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "OCF_ROOT")
_NEVER = ("GDS_SOCKET", "GDS_RUNTIME_DIR", "GDS_STATE_DIR", "GDS_RESOURCE", "GDS_GROUP", "GDS_METHOD")


def gds(*words: str) -> list[str]:
    """The command line of `gds WORDS...`, with the interpreter and the packages that run us."""
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    return [sys.executable, "-P", "-c", _RUN, os.path.dirname(package), *words]


def environment() -> dict[str, str]:
    """What the attendant gets of ours: Pacemaker's own words for its tools, nothing of this one operation."""
    found = {
        name: value
        for name, value in os.environ.items()
        if name in _HANDED_ON or (name.startswith(("GDS_", "PCMK_", "CIB_", "PYTHON")) and name not in _NEVER)
    }
    path = found.get("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
    found["PATH"] = path if "/usr/sbin" in path else f"{path}:/usr/sbin:/sbin"
    if not _says_how_to_abort(places.settings_file(os.environ)):
        found.setdefault("GDS_NODE_ABORT_COMMAND", ABORT)
    return found


def _says_how_to_abort(settings: str) -> bool:
    """The administrator's own way to end this node is stronger than ours."""
    return bool(settings) and "node_abort_command" in _read(settings)


def begin(asked: Asked, place: Place, descriptor: str, alive: int) -> int:
    """The attendant's pid. `alive`: the descriptor of `ocf.alive`, held exclusively. Raises Failure."""
    from gds.ocf.place import own_cgroup

    cgroup = _read(place.cgroup)
    if not (cgroup and os.path.isdir(cgroup)):
        cgroup = own_cgroup()
        _keep(place.cgroup, cgroup)
    directories = ["--runtime-dir", place.runtime, "--state-dir", place.state]
    words = ["run", *directories, "--on-giveover", "exit", *(["--node", asked.node] if asked.node else []), descriptor]
    environ = environment()
    output = _output(asked.instance, place, environ)
    old = os.umask(0o022)
    try:
        return os.posix_spawn(
            "/bin/sh",
            ["sh", SCRIPT, place.started, cgroup, asked.instance, asked.node, *gds(*words)],
            environ,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, output, 1),
                (os.POSIX_SPAWN_DUP2, output, 2),
                (os.POSIX_SPAWN_DUP2, alive, 9),
            ],
            setsid=True,
            setsigmask=(),
        )
    except OSError as error:
        raise Failure(GENERIC, f"cannot start /bin/sh: {error.strerror}") from None
    finally:
        os.umask(old)
        os.close(output)


def descriptor_of(asked: Asked, folder: str) -> str:
    """What a runner is to read, by a name in `folder`: the descriptor, or what the parameters make of it.

    Always the same name, because parameters may come and go while the runner runs. Raises Failure.
    """
    path = f"{folder}/{os.path.basename(asked.config.rstrip('/'))}"
    try:
        os.makedirs(folder, 0o755, exist_ok=True)
        if not asked.resource and not asked.properties:
            if os.path.lexists(path + ".new"):
                os.unlink(path + ".new")  # of an action that was killed
            os.symlink(asked.config, path + ".new")
            os.rename(path + ".new", path)
            return path
    except OSError as error:
        raise Failure(GENERIC, f"cannot write {path}: {error.strerror}") from None
    from gds.ocf.chosen import text_of, write

    write(path, text_of(asked.config, asked.resource, asked.properties))
    return path


def prepare(asked: Asked, place: Place) -> None:
    """Have the descriptor compiled in the background, so that a failover need not wait for it (half a second)."""
    from gds.config import asking

    try:
        place.make()
        paths = [os.path.abspath(descriptor_of(asked, place.chosen))]
        request = {"paths": paths, "cache_dirs": [f"{place.state}/plans"], "flags": {"state_dir": place.state}}
        os.posix_spawn(
            sys.executable,
            asking.command({**request, "set": "state"}),
            environment(),
            file_actions=[(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_RDWR, 0) for fd in (0, 1, 2)],
            setsid=True,
            setsigmask=(),
        )
    except (Failure, OSError):
        pass  # the start will say what is wrong, if there is one


def check(asked: Asked, verb: str, seconds: float) -> tuple[int, str]:
    """`gds check` or `gds validate` of the descriptor: exit status, and all it said. Raises Failure."""
    import subprocess  # only here: what asks often has no use for it
    import tempfile

    try:
        with tempfile.TemporaryDirectory(prefix="gds-ocf-") as scratch:
            as_it_is = not asked.resource and not asked.properties
            path = asked.config if as_it_is else descriptor_of(asked, scratch)
            words = gds(verb, path)
            done = subprocess.run(
                words, capture_output=True, text=True, timeout=seconds, env=environment(), check=False
            )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Failure(GENERIC, f"cannot {verb} {asked.config}: {error}") from None
    said = (done.stdout + done.stderr).strip()
    return done.returncode, said if as_it_is else by_parameters(said, path, asked)


def by_parameters(said: str, path: str, asked: Asked) -> str:
    """What was said of `path`, which we made and is gone, as it is to somebody who knows the parameters."""
    lines = []
    for line in said.split("\n"):
        place, colon, rest = line.removeprefix(path).partition(": ")
        if line.startswith(path) and colon and not place.strip(":0123456789"):
            keys, _, message = rest.partition(": ")
            key = keys.rpartition(".")[2].partition("[")[0]
            named = key.lower() in [each.lower() for each in asked.properties]
            line = f"parameter {key}: {message}" if named else f"{asked.config}: {rest}"
        lines.append(line.replace(path, asked.config))
    return "\n".join(lines)


def _output(instance: str, place: Place, environ: dict[str, str]) -> int:
    """Where runner and application print: the journal, else a file. Pacemaker must not wait for the end of either."""
    from _socket import AF_UNIX, SOCK_STREAM, socket

    sock = socket(AF_UNIX, SOCK_STREAM)
    try:
        sock.connect(_JOURNAL)
        sock.sendall(f"gds-{instance}\n\n6\n1\n0\n0\n0\n".encode())
    except OSError:
        sock.close()
        return _file(place.log)
    facts = os.fstat(sock.fileno())
    environ["JOURNAL_STREAM"] = f"{facts.st_dev}:{facts.st_ino}"
    return sock.detach()


def _file(path: str) -> int:
    try:
        if os.path.exists(path) and os.stat(path).st_size > _LARGEST_LOG:
            os.replace(path, path + ".1")
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o640)
    except OSError as error:
        raise Failure(GENERIC, f"cannot write {path}: {error.strerror}") from None


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read().strip()
    except OSError:
        return ""


def _keep(path: str, text: str) -> None:
    try:
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise Failure(GENERIC, f"cannot write {path}: {error.strerror}") from None


def fencing_fault() -> str:
    """Why two copies may run at once on this cluster; "" when fencing is on, or nobody could be asked."""
    import subprocess

    asked = ["crm_attribute", "--type", "crm_config", "--name", "stonith-enabled", "--query", "--quiet"]
    try:
        done = subprocess.run(asked, capture_output=True, text=True, timeout=5, env=environment(), check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    if done.returncode != 0 or done.stdout.strip().lower() not in ("false", "off", "no", "n", "0"):
        return ""
    return (
        "fencing is off (stonith-enabled=false): a node that hangs or is cut off may run the application beside"
        " another one; configure a fence device, then set stonith-enabled=true"
    )


def metadata_fault() -> str:
    """Why Pacemaker cannot ask the agent for its meta-data, as it does without root's rights; "" when it can."""
    for path in (sys.executable, os.path.realpath(sys.executable), os.path.realpath(__file__)):
        closed = closed_to_others(path)
        if closed:
            return (
                f"{closed} is closed to others: Pacemaker, which asks for meta-data as hacluster, does not learn what"
                " can change live, and restarts the application for every change; open it, or install gds elsewhere"
            )
    return ""


def closed_to_others(path: str) -> str:
    """The first part of a path that not everybody may pass, or its file when not everybody may read it; "" for none."""
    parts = path.split("/")
    for number in range(1, len(parts)):
        part = "/".join(parts[: number + 1])
        needed = stat.S_IROTH if number == len(parts) - 1 else stat.S_IXOTH
        try:
            if not os.stat(part).st_mode & needed:
                return part
        except OSError:
            return part
    return ""
