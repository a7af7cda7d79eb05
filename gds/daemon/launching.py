"""How commands are started: the Launch of an application, and of each command of a method."""

from __future__ import annotations

from gds.daemon import environment
from gds.daemon.environment import Call
from gds.errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from gds.daemon.app import App
    from gds.daemon.fed import Result, Run
    from gds.daemon.world import World
    from gds.model.resource import Command, Resource
    from gds.ports import Launch

TOLD_MAIN_PID = frozenset(("Stop", "Probe", "Update"))
"""Methods whose commands get MAINPID (design.md 3)."""
BRINGING_UP = frozenset(("Prenet_start", "Start"))
"""Methods that only a master may run."""


def program_of(resource: Resource, method: str) -> str:
    """What runs for a method, for people: a command of the descriptor, or a program of its registered type."""
    if resource.typed is None:
        return f"{method.lower()}_command"
    return method if method == "Validate" else "its method"


class Launching:
    """See the module. `addresses`: the network resources there are now."""

    def __init__(self, world: World, addresses: Callable[[], list[Resource]]) -> None:
        self._world = world
        self._addresses = addresses

    def run_method(
        self,
        app: App,
        method: str,
        command: Command,
        limit: float,
        on_done: Callable[[Result], None],
        because: str,
        first_signal: int = 6,
    ) -> Run:
        """Run a command of a method; `limit` seconds."""

        def launch(output: int) -> Launch:
            main_pid = self._main_pid(app) if method in TOLD_MAIN_PID else 0
            return self._launch(app, method, command, limit, because, output, output, main_pid)

        return self._world.fed.run(f"{app.name}:{method}", launch, limit, on_done, first_signal)

    def _main_pid(self, app: App) -> int:
        tree = app.tree
        if tree is None:
            return 0
        if tree.main_alive:
            return tree.main_pid
        left = tree.members()  # it daemonised: the eldest that is left
        return left[0] if left else 0

    def launch_of(self, app: App, because: str) -> Launch:
        """How the application itself is started. Raises ConfigError or OSError."""
        resource = app.resource
        account = self._world.accounts(resource)
        out = self._world.outputs.open(app.name, "stdout", resource.stdout, account.uid, account.gid)
        err = self._world.outputs.open(app.name, "stderr", resource.stderr, account.uid, account.gid)
        made = self._launch(app, "Start", resource.start_command, resource.start_timeout, because, out, err, 0)
        if resource.wants_notify:
            made.env["NOTIFY_SOCKET"] = self._world.notifies.open(app.name, account.uid)
            if resource.is_told:
                made.env["WATCHDOG_USEC"] = str(int(resource.watchdog_interval * 1_000_000))
        return made

    def _launch(
        self,
        app: App,
        method: str,
        command: Command,
        timeout: float,
        because: str,
        out: int,
        err: int,
        main_pid: int,
    ) -> Launch:
        resource = app.resource
        world = self._world
        if world.cluster is not None and method in BRINGING_UP and (why := world.cluster.refusal(resource.group)):
            raise ConfigError(f"cannot start {app.name}: {why}")
        account = world.accounts(resource)
        now = world.loop.now()
        span = resource.retry_interval
        history = app.history
        call = Call(
            method,
            app.incarnation,
            timeout,
            because,
            history.done(span, now),
            history.total(span, now),
            main_pid,
        )
        env = environment.of_command(
            resource,
            call,
            account,
            world.environ,
            world.files(resource),
            world.node,
            world.socket,
            world.everything,
            environment.hostnames_of(resource, self._addresses()),
        )
        if world.cluster is not None:
            env["GDS_FENCING_TOKEN"] = str(world.cluster.token(resource.group))
        return world.launch(
            environment.with_hostnames(command.argv, env["GDS_HOSTNAMES"]),
            env,
            out,
            err,
            resource.working_directory,
            resource.umask,
            account.uid,
            account.gid,
            account.groups,
            _limits(resource),
            resource.nice,
            resource.oom_score_adjust,
        )


def _limits(resource: Resource) -> tuple[tuple[int, int, int], ...]:
    if not resource.limits:
        return ()
    import resource as rlimits

    return tuple([(getattr(rlimits, f"RLIMIT_{n.upper()}"), soft, hard) for n, soft, hard in resource.limits])
