"""Composition of what several nodes need: the engine, the guard, the member of the cluster and its driver.

Loaded by a runner whose settings name an engine, and by no other.
"""

from __future__ import annotations

import os
from functools import partial

from gds import __version__
from gds.daemon.aftermath import tell_before
from gds.daemon.agreement import Agreement
from gds.daemon.clearing import Clearing
from gds.daemon.environment import DEFAULT_PATH
from gds.daemon.nodes import NodesDesk
from gds.daemon.switching import Switching
from gds.daemon.tenant import Tenant, digest_of
from gds.engine import FACTORIES
from gds.errors import ConfigError, EngineError
from gds.linux import clock, procfs
from gds.linux.guarding import Guard, why_not
from gds.linux.resolving import Names
from gds.model.launch import Launch
from gds.rgm.member import Member
from gds.rgm.tenure import Tenure, refusal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from gds.daemon.fed import Result
    from gds.daemon.groups import Groups
    from gds.daemon.house import House
    from gds.daemon.ownlife import OwnLife
    from gds.daemon.receptionist import Receptionist
    from gds.daemon.rgmd import Rgmd
    from gds.daemon.world import World
    from gds.ground import Ground

FENCE_LIMIT = 60.0
"""Seconds for fence_command."""
LIFE = "cluster-life"
"""In the runtime directory, for the runner after us: the life of this node in the cluster; on further lines each group
that it has, with its fencing token."""


class Joining:
    """See the module. Raises ConfigError (78) and EngineError when this machine or these settings cannot have it."""

    def __init__(
        self,
        ground: Ground,
        world: World,
        rgmd: Rgmd,
        groups: Groups,
        life: OwnLife,
        house: House,
    ) -> None:
        _check(ground)
        settings = ground.settings
        self._path = f"{ground.runtime_dir}/{LIFE}"
        self._log = ground.log
        self._groups = groups
        self._rgmd = rgmd
        self._house = house
        # Reaches the store. Names are resolved outside of the loop, for a resolver may hang. Before the guard: settings
        # that name what is not there are refused while nothing was started yet.
        names = Names(ground.loop, ground.reaper.expect)
        engine = FACTORIES[settings.engine](settings, ground.loop, settings.node, names)
        guard, member, tokens = self._founded(ground)
        self._over = [] if member.may_go_on(clock.boottime()) else sorted(tokens)
        self._tenant = Tenant(
            rgmd,
            groups,
            engine,
            guard,
            member,
            clock.boottime,
            lambda group: digest_of(groups.declared[group], [a.resource for a in groups.apps(group)]),
            self._keep,
            tokens if not self._over else {},
            life.refused,
            partial(self._fence, world, settings.etcd.fence_command),
        )
        # Who starts, gives over or shows something asks the cluster.
        world.cluster = groups.cluster = self._tenant
        groups.take_again()  # what is needed of other groups may be on another node
        life.departing = self._departing
        life.farewell = self._tenant.leave
        house.cluster = self._tenant.identity

    def _founded(self, ground: Ground) -> tuple[Guard, Member, dict[str, int]]:
        """The guard, this node as a member of the cluster, and the fencing token of each group that it had: as the
        runner before us left them, if it may go on."""
        etcd = ground.settings.etcd
        runtime_dir = ground.runtime_dir
        # It kills everything when our tenure ends, also when we are stopped or dead; it outlives us.
        guard = Guard(
            ground.loop,
            ground.reaper,
            ground.forest,
            runtime_dir,
            etcd.watchdog,
            ground.log,
            etcd.margin,
            etcd.lifetime,
        )
        was, tokens = _remembered(self._path)
        until = guard.deadline()
        sent = until - etcd.lifetime + etcd.margin if until else 0.0
        facts = os.stat(runtime_dir)
        member = Member(
            ground.settings.node,
            Tenure(etcd.lifetime, etcd.margin, etcd.grace, 0.0),
            etcd.renew,
            etcd.attempt,
            f"{clock.boot_id()}:{facts.st_dev}:{facts.st_ino}",
            __version__,
            lambda: os.urandom(8).hex(),
            was if sent else "",
            sent,
            bool(etcd.fence_command),
        )
        return guard, member, tokens if sent else {}

    def begin(self) -> None:
        """What a runner before us left is taken back: connect."""
        tell_before(self._rgmd, self._groups, self._over)
        self._tenant.begin()

    def _departing(self) -> None:
        self._tenant.masteries.departing = True
        self._tenant.look()

    def serve(self, receptionist: Receptionist) -> None:
        """The verbs of several nodes."""
        desk = NodesDesk(self._tenant, self._groups, clock.boottime)
        # What all nodes have to agree on: properties, and the files themselves.
        agreement = Agreement(self._tenant, self._rgmd, self._groups, self._house.setting, clock.boottime)
        switching = Switching(self._tenant, self._rgmd, self._groups, receptionist.acting, clock.boottime)
        clearing = Clearing(self._tenant, self._rgmd, receptionist.acting)
        receptionist.acting.update({**desk.acting, **switching.acting, **clearing.acting, "set": agreement.set})
        receptionist.reading.update({**desk.reading, "diff.cluster": agreement.diff})
        self._tenant.each_turn += [agreement.look, switching.look]

    def _fence(self, world: World, command: str, node: str, done: Callable[[Result], None]) -> None:
        """fence_command, with the node's name in GDS_FENCED_NODE."""
        env = {"PATH": world.environ.get("PATH", DEFAULT_PATH), "GDS_NODE": world.node, "GDS_FENCED_NODE": node}
        argv = ("/bin/sh", "-c", command)
        world.fed.run(f"gds:Fence-{node}", lambda out: Launch(argv, env, out, out), FENCE_LIMIT, done)

    def _keep(self, life: str, tokens: dict[str, int]) -> None:
        try:
            if life:
                lines = [life, *[f"{group} {token}" for group, token in tokens.items()]]
                with open(self._path + ".new", "w") as file:
                    file.write("\n".join(lines) + "\n")
                os.replace(self._path + ".new", self._path)
            elif os.path.exists(self._path):
                os.unlink(self._path)
        except OSError as error:
            self._log.error(
                f"cannot write {self._path}: {error.strerror}; a crash of this runner would end what it runs"
            )


def _check(ground: Ground) -> None:
    """Raises EngineError or ConfigError: see Joining."""
    if not ground.runtime_dir:
        raise EngineError("cannot be a node of a cluster: there is no runtime_dir to remember it in")
    unguarded = why_not(ground.forest)
    if unguarded:
        raise ConfigError(unguarded)
    etcd = ground.settings.etcd
    if etcd.watchdog and not os.path.exists(etcd.watchdog):
        raise ConfigError(
            f"cannot use watchdog {etcd.watchdog}: there is no such device; load its module, or leave it out"
        )
    wrong = refusal(etcd.lifetime, etcd.renew, etcd.attempt, etcd.margin, etcd.grace)
    if wrong:
        raise ConfigError(wrong)


def _remembered(path: str) -> tuple[str, dict[str, int]]:
    """The life that the runner before us lived, and the fencing token of each group that it had."""
    life, *lines = (procfs.read(path) or b"").decode("ascii", "replace").split("\n")
    found = [line.rpartition(" ") for line in lines]
    return life.strip(), {group: int(token) for group, _, token in found if group and token.isdigit()}
