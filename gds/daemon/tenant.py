"""The cluster's driver on one node: engine, guard and RGM meet here; decisions are those of rgm/member.py.

Facts: what the engine tells and answers, how each group is on this node, what people ask. Orders: transactions to the
engine, deadlines to the guard, groups up and down to the RGM. Loaded only by a runner that has an engine.
"""

from __future__ import annotations

from functools import partial

from gds.daemon import contact
from gds.daemon.afar import Afar
from gds.daemon.aftermath import Aftermath
from gds.daemon.givingover import GivingOver
from gds.daemon.published import of_resources
from gds.model.state import GroupState, ResourceState
from gds.rgm import member as life
from gds.rgm.mastery import Local, Masteries
from gds.rgm.member import FOREVER, Member
from gds.rgm.resource import Life, ResourceView

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from gds.daemon.app import App
    from gds.daemon.fed import Result
    from gds.daemon.groups import Groups
    from gds.daemon.rgmd import Rgmd
    from gds.daemon.world import Deadline
    from gds.model.resource import Group, Resource
    from gds.model.store import Answer, Change, Record, Transaction
    from gds.ports import ClusterEngine, TimerHandle

SHORTEST = 0.001
"""Seconds: two clocks that are rounded differently must not make us look again without end."""
MOST_TOLD = 20
"""Resources of a group in whose history its moves are written."""
HOOK_AGAIN = 5.0
"""Seconds until a fence_command that failed is tried again."""


class Tenant:
    """See the module. `boottime`: CLOCK_BOOTTIME in seconds; `digest`: of what the files say of a group; `keep`:
    remember our life, and the fencing token of each group that we have and are not giving up, for the runner after us;
    `tokens`: what the runner before us remembered of them; `refuse`: this runner cannot be a node of the cluster;
    `fence`: run the fence hook against a node."""

    def __init__(
        self,
        rgmd: Rgmd,
        groups: Groups,
        engine: ClusterEngine,
        guard: Deadline,
        member: Member,
        boottime: Callable[[], float],
        digest: Callable[[str], str],
        keep: Callable[[str, dict[str, int]], None],
        tokens: dict[str, int],
        refuse: Callable[[str], None],
        fence: Callable[[str, Callable[[Result], None]], None],
    ) -> None:
        self._rgmd = rgmd
        self._groups = groups
        self._loop = rgmd.loop
        self.engine = engine
        self.guard = guard
        self.member = member
        self._boottime = boottime
        self._digest = digest
        self._keep = keep
        self._tokens = tokens
        self._refuse = refuse
        self._fence = fence
        self.masteries = Masteries(member, (), {}, {})
        self.away = "it has not answered yet"
        """Why the engine cannot be asked; "" = it can."""
        self._said_away: set[str] = set()
        """Of this absence, without the numbers in them: those of endpoints and seconds change with each attempt."""
        self._timer: TimerHandle | None = None
        self._is_due = False
        self._changed: set[str] = set()
        self._farewell: Callable[[], None] | None = None
        self._afar = Afar(rgmd, member)
        self.giving_over = GivingOver(rgmd, groups, self.masteries, boottime, self._changed_now, self.look)
        self._aftermath = Aftermath(rgmd, guard, member, self.masteries, boottime, self.look, self._take_down)
        self.each_turn: list[Callable[[], None]] = []
        """Called at each turn, for drivers that read the same records."""
        self.waiting: list[Callable[[], bool]] = []
        """Who waits for the picture to be as they want: called at each turn until they say True."""

    def begin(self) -> None:
        """Connect. The RGM has taken back what was left here by the runner before us."""
        self.redeclared()
        for name in self._groups.declared:
            self._changed.add(name)
        self.look()
        self.engine.begin(self)

    # -- what the engine tells ----------------------------------------------------------------------------------------

    def engine_loaded(self, records: dict[str, Record], revision: int) -> None:
        """See ports.EngineListener."""
        self._back()
        self.member.loaded(records, revision, self._boottime())
        self.masteries.stale = True
        self.look()

    def engine_changed(self, changes: tuple[Change, ...], revision: int) -> None:
        """See ports.EngineListener."""
        if self.member.changed(changes, revision, self._boottime()):
            self.masteries.stale = True
            self.look()

    def engine_away(self, because: str) -> None:
        """See ports.EngineListener."""
        kind = "".join([each for each in because if not each.isdigit()])
        if kind not in self._said_away:
            self._said_away.add(kind)
            never = "; nothing is started before it has answered" if self.member.revision < 0 else ""
            self._rgmd.log.warning(f"the {self.engine.traits.name} engine is away: {because}{never}")
        self.away = because
        refusal = self.engine.refusal() if self.member.revision < 0 else ""
        if refusal and not self.member.gone:
            self.member.gone = True
            self._refuse(f"cannot be a node of this cluster: {refusal}")

    def engine_back(self) -> None:
        """See ports.EngineListener."""
        self._back()

    def _back(self) -> None:
        if self.away:
            self._rgmd.log.info(f"the {self.engine.traits.name} engine answers")
        self.away = ""
        self._said_away.clear()

    def commit(self, transaction: Transaction, done: Callable[[Answer], None]) -> None:
        """For what people ask."""
        self.engine.commit(transaction, max(self.member.attempt, 2.0), done)

    # -- what the RGM tells -------------------------------------------------------------------------------------------

    def observed(self, app: App) -> None:
        """The life or status of one of its resources changed."""
        self._changed.add(app.resource.group)
        self.look()

    def redeclared(self) -> None:
        """The files say something else of the groups than before."""
        declared = self._groups.declared
        limits = {}
        for name in declared:
            asked = [a.resource for a in self._groups.apps(name) if a.resource.monitor_check_command is not None]
            if asked:
                limits[name] = max(r.monitor_check_timeout for r in asked)
        self.guard.addresses([a.name for a in self._rgmd.apps.values() if a.resource.is_address])
        self.masteries.redeclare(tuple(declared.values()), {name: self._digest(name) for name in declared}, limits)
        self._changed.update(declared)
        self.look()

    def is_taken_up(self, group: str) -> bool:
        """Whether what ran of it before a crash of the runner may go on: our tenure has not ended meanwhile."""
        return group in self._groups.declared and self.member.may_go_on(self._boottime())

    def token(self, group: str) -> int:
        """The fencing token under which commands of that group run; 0: none."""
        token = self.masteries.token(group)
        if token or not self.member.may_go_on(self._boottime()):
            return token
        # nobody but this node can have changed its slot while its life goes on, and it was not about to
        return self._tokens.get(group, 0)

    def masters(self, group: str) -> list[str]:
        """Nodes that hold it, as far as we know."""
        return sorted(slot.node for slot in self.member.board.holders(group) if slot.node)

    @property
    def here(self) -> str:
        """The name of this node."""
        return self.member.me

    def far(self, name: str, resource: str, node: str) -> ResourceView | None:
        """How a resource is on the other node that masters it (`node` "": on any), as that node reports it."""
        return self._afar.view(name, resource, node)

    def refusal(self, group: str) -> str:
        """Why nothing of that group may be started now; "" = it may."""
        hold = self.masteries.held.get(group)
        if hold is None and self.token(group):
            return ""
        if hold is None:
            return f"this node is not its master; `gds rg switch {group} {self.member.me}` brings it here"
        if not self.member.may_run(self._boottime()):
            return "contact with the cluster is lost"
        if not self.guard.pid:
            return "the guard is not running, which would end it if this node lost the cluster"
        return ""

    def on_giveover(self, group: str, by_monitor: bool) -> str:
        """As rgm/control.py wants it: "move", or "refuse: " and why. Our own monitor's waits until contact is back."""
        lost = "" if by_monitor else contact.lost(self, self._boottime())
        return f"refuse: {lost}" if lost else self.giving_over.leads(group)

    def giveover(self, app: App, because: str, by_monitor: bool) -> None:
        """The RGM grants it, if somebody takes it."""
        self.giving_over.begin(app, because, by_monitor)

    def check_giveover(self, app: App, told: Callable[[str], None]) -> None:
        """`told` hears "" if a giveover would be granted now, or why not; nothing is done."""
        self.giving_over.check_only(app, told)

    def hear_giveover(self, group: str, told: Callable[[str], None]) -> bool:
        """`told` hears why the giveover under way is cancelled, or "" as soon as the group leaves. False: none is."""
        return self.giving_over.hear(group, told)

    def leave(self, then: Callable[[], None], failed: bool) -> None:
        """The runner ends: give up what we hold; `then` follows. `failed`: something could not be stopped, so that our
        record stays, and the guard ends what is left before anybody else may start it."""
        self._farewell = then
        if self.member.gone:
            self._left()
            return
        if failed:
            self.member.hopeless()
        else:
            self.member.end(self._boottime())
        self.look()

    # -- one turn -----------------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Something is new: decide, when this turn of the loop is over."""
        if not self._is_due:
            self._is_due = True
            self._loop.soon(self._turn)

    def _turn(self) -> None:
        self._is_due = False
        self.giving_over.new_turn(contact.lost(self, self._boottime()))
        self._note_changes()
        self._aftermath.hear()
        now = self._boottime()
        orders = self.member.step(now)
        self._remember()
        for order in orders:
            self._carry_out(order)
        self._afar.look()
        for each in self.each_turn:
            each()
        self.waiting = [each for each in self.waiting if not each()]
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        # by the same instant as the step: what has become due since is neither done nor to be waited for in vain
        due = self.member.due(now)
        if due != FOREVER:
            self._timer = self._loop.after(max(due - self._boottime(), SHORTEST), self.look)

    def _remember(self) -> None:
        """Before anything of it is started, and before anything is given up. A life that ends is not written again."""
        if self.member.birth and not self.member.ending:
            tokens = self.masteries.tokens()
            if tokens != self._tokens:
                self._tokens = tokens
                self._keep(self.member.life, tokens)

    def explains(self, app: App) -> bool:
        """This death is the guard's doing, and nothing to be judged: its group is brought down, and comes up again when
        it may."""
        if not self._aftermath.explains(app):
            return False
        self._changed.add(app.resource.group)
        self.look()
        return True

    def _changed_now(self, group: str) -> None:
        self._changed.add(group)
        self._note_changes()

    def _note_changes(self) -> None:
        changed, self._changed = self._changed, set()
        for group in changed:
            if group in self._groups.declared or group in self.masteries.locals:
                self.masteries.local(group, self._local(group))

    def _local(self, group: str) -> Local:
        rgmd = self._rgmd
        apps = self._groups.apps(group)
        state = self._groups.state(group, apps)
        down = all(a.view.life is Life.OFFLINE and a.name not in rgmd.busy for a in apps)
        stuck = [a for a in apps if a.view.life is Life.STOP_FAILED]
        faults = [
            a for a in apps if a.view.why and rgmd.public(a) in (ResourceState.STOP_FAILED, ResourceState.START_FAILED)
        ]
        because = next((f"{a.name}: {a.view.why}" for a in (*stuck, *faults)), "")
        if state is GroupState.PENDING_ONLINE_BLOCKED:
            because = because or next((f"{a.name}: {a.view.waits}" for a in apps if a.view.waits), "")
        if down and state is GroupState.ONLINE:
            state = GroupState.OFFLINE
        if state in (GroupState.ONLINE, GroupState.ONLINE_FAULTED) and not stuck:
            self.giving_over.is_up(group, state)
        return Local(state.value, because, down, bool(stuck), **of_resources(rgmd, apps))

    def _carry_out(self, order: life.Order) -> None:
        if isinstance(order, life.Commit):
            self.engine.commit(order.transaction, self.member.attempt, partial(self._answered, order.tag))
        elif isinstance(order, life.Arm):
            self.guard.arm(order.until)
        elif isinstance(order, life.Online):
            self._groups.online(order.group, order.because)
        elif isinstance(order, life.Offline):
            if not self._aftermath.holds_back(order):
                self._take_down(order)
        elif isinstance(order, life.Check):
            self.giving_over.check(order.group, order.request)
        elif isinstance(order, life.Cancelled):
            self.giving_over.cancelled(order.group, order.because)
        elif isinstance(order, life.Possible):
            self.giving_over.possible(order.group)
        elif isinstance(order, life.Fence):
            self._run_hook(order.node)
        elif isinstance(order, life.Told):
            self._tell(order)
        elif isinstance(order, life.Joined):
            self._keep(order.life, self._tokens)
        elif isinstance(order, life.Refuse):
            self._refuse(order.because)
        else:
            self._left()

    def _take_down(self, order: life.Offline) -> None:
        self.giving_over.leaves(order.group, order.because)
        self._groups.offline(order.group, order.because)
        self._changed.add(order.group)

    def _answered(self, tag: tuple[str, ...], answer: Answer) -> None:
        self.member.answered(tag, answer, self._boottime())
        self.look()

    def _run_hook(self, node: str) -> None:
        def done(result: Result) -> None:
            well = result.kind == "exit" and result.code == 0
            say = self._rgmd.log.info if well else self._rgmd.log.error
            then = "" if well else f"; {node} may still run what it had: nothing of it is taken, and it is tried again"
            say(f"fence_command against {node} {result.said}{then}")
            if not well:
                self.member.fencing.failed(node, result.said)
            again = 0.0 if well else HOOK_AGAIN
            self._loop.after(again, lambda: self._hooked(node, well))

        self._rgmd.log.warning(f"{node} is silent: fence_command is run")
        self._fence(node, done)

    def _hooked(self, node: str, well: bool) -> None:
        self.member.hooked(node, well)
        self.look()

    def _tell(self, told: life.Told) -> None:
        say = self._rgmd.log.warning if told.bad else self._rgmd.log.info
        if told.group:
            say(told.because, group=told.group)
            # each of its resources tells the story: nobody knows which of them will be asked why
            for app in self._groups.apps(told.group)[:MOST_TOLD]:
                self._rgmd.kept.decided(app, "cluster", told.because)
        else:
            say(told.because)

    def _left(self) -> None:
        if all(how.down for how in self.masteries.locals.values()):
            self.guard.close()  # else it stays, and ends what we could not
        self._keep("", {})
        self.engine.close()
        if self._timer is not None:
            self._timer.cancel()
        farewell, self._farewell = self._farewell, None
        if farewell is not None:
            farewell()

    # -- what people see ----------------------------------------------------------------------------------------------

    def identity(self) -> dict[str, Any]:
        """The part of `gds status --json` about the cluster."""
        from gds.daemon import nodereport

        return nodereport.of_cluster(self, self._groups.declared, self._boottime())


def digest_of(group: Group, resources: Iterable[Resource]) -> str:
    """What the files say of a group, in few characters: equal on two nodes if and only if they say the same."""
    import hashlib
    import json

    from gds.model.codec import pack

    ordered = sorted(resources, key=lambda r: r.name)
    said = json.dumps(pack((group, *ordered)), sort_keys=True, default=str)
    return hashlib.sha256(said.encode()).hexdigest()[:16]
