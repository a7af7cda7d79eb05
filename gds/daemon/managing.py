"""Init, Boot, Fini and Update: methods beside the life of a resource. Sun: semantics.md 9.2. And Validate of a
registered type, which comes before them.

Init runs when a resource becomes managed for the first time, Boot when the node has booted since (or this is another
machine's runtime directory), Fini when it is managed no longer, Update after a live change. Each only where it is
declared. What they answer is told and changes nothing: a resource whose Init failed is managed all the same.
"""

from __future__ import annotations

from functools import partial

from gds.daemon.launching import program_of
from gds.rgm.events import StartRefused
from gds.rgm.life import Life

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from gds.daemon.app import App
    from gds.daemon.fed import Result
    from gds.daemon.groups import Switches
    from gds.daemon.rgmd import Rgmd
    from gds.model.resource import Command, Group, Resource
    from gds.ports import Callback

MANAGED = "initialised"
"""The switch that says that Init has run, and Fini has not since."""


REASONS = {
    "Init": "it becomes managed",
    "Boot": "the node has booted",
    "Fini": "it is managed no longer",
    "Update": "its properties have changed",
}
"""Why these methods are called."""


def command_of(resource: Resource, method: str) -> tuple[Command | None, float]:
    """The command of a method, and its timeout (seconds)."""
    name = method.lower()
    return getattr(resource, f"{name}_command"), getattr(resource, f"{name}_timeout")


class Managing:
    """See the module. `joined`: the node has booted since the last runner here."""

    def __init__(self, rgmd: Rgmd, switches: Switches, joined: bool) -> None:
        self._rgmd = rgmd
        self._switches = switches
        self._joined = joined
        self._booted: set[str] = set()
        self.faults: dict[str, str] = {}
        """Why the last of these methods failed, by resource."""
        self.groups: Mapping[str, Group] = {}
        """As declared; set with each plan."""

    def due(self, app: App) -> str:
        """The method that has to run before its first start; "" when none has."""
        if not self._switches.of.get(app.name, {}).get(MANAGED, False):
            if app.resource.init_command is not None:
                return "Init"
            if app.resource.boot_command is None and app.resource.fini_command is None:
                return ""  # nothing will ever ask
            self._switches.set(app.name, MANAGED, True)
            return ""
        if not self._joined or app.resource.boot_command is None or app.name in self._booted:
            return ""
        return "Boot"

    def run(self, app: App, method: str, then: Callback) -> None:
        """One method of one resource; `then` comes after it, also when it failed or is not declared."""
        command, limit = command_of(app.resource, method)
        if method in ("Init", "Boot"):
            self._booted.add(app.name)  # what is managed since is no news to a node that was there
        if method in ("Init", "Fini") and (command is not None or MANAGED in self._switches.of.get(app.name, {})):
            self._switches.set(app.name, MANAGED, method == "Init")
        if command is None:
            self._rgmd.loop.soon(then)
            return

        def done(result: Result) -> None:
            well = result.kind == "exit" and result.code == 0
            said = f"{method} {'done' if well else f'failed: {program_of(app.resource, method)} {result.said}'}"
            self.faults.pop(app.name, None)
            if not well:
                self.faults[app.name] = said
            self._rgmd.kept.decided(app, method, said)
            (self._rgmd.log.info if well else self._rgmd.log.error)(said, resource=app.name)
            self._rgmd.busy.discard(app.name)
            then()
            self._rgmd.answer(app)

        self._rgmd.busy.add(app.name)
        self._rgmd.run_method(app, method, command, limit, done, REASONS[method])

    def each(self, apps: Sequence[App], method: str, then: Callback) -> None:
        """The method of each, side by side; `then` when all have ended."""
        waiting = {app.name for app in apps}
        if not waiting:
            self._rgmd.loop.soon(then)
            return

        def ended(name: str) -> None:
            waiting.discard(name)
            if not waiting:
                then()

        for app in apps:
            self.run(app, method, partial(ended, app.name))

    def before_start(self, app: App, start: Callable[[], None]) -> None:
        """Validate where its type has not seen its values, Init or Boot where one is due, then `start`; not when it was
        asked to stop meanwhile, or everything ends."""

        def still_wanted() -> None:
            if app.wanted and app.enabled and not self._rgmd.leaving:
                start()

        if app.view.life in (Life.OFFLINE, Life.START_FAILED) and not self.is_validated(app.resource):
            self._validate(app, lambda: self._initialised(app, still_wanted, still_wanted))
        else:
            self._initialised(app, start, still_wanted)

    def _initialised(self, app: App, start: Callable[[], None], still_wanted: Callable[[], None]) -> None:
        method = self.due(app)
        if method:
            self.run(app, method, still_wanted)
        else:
            start()

    # -- Validate of registered types ---------------------------------------------------------------------------------

    def is_validated(self, resource: Resource) -> bool:
        """Nobody has to ask its type about its values any more."""
        if resource.typed is None or resource.validate_command is None:
            return True
        from gds.daemon import validating

        mark = validating.mark_of(resource, self.groups.get(resource.group))
        return self._switches.of.get(resource.name, {}).get(mark, False)

    def validated(self, resource: Resource) -> None:
        """Its type has agreed to its values as they are."""
        if self.is_validated(resource):
            return
        from gds.daemon import validating

        known = self._switches.of.get(resource.name, {})
        for old in [each for each in known if each.startswith(validating.MARK)]:
            del known[old]
        self._switches.set(resource.name, validating.mark_of(resource, self.groups.get(resource.group)), True)

    def _validate(self, app: App, then: Callback) -> None:
        from gds.daemon import validating

        resource = app.resource

        def done(result: Result) -> None:
            self._rgmd.busy.discard(app.name)
            if result.kind == "exit" and result.code == 0:
                self.validated(resource)
                then()
            else:
                because = f"its type refuses it as it is declared: Validate {result.said}"
                self._rgmd.submit(app, StartRefused(because))
            self._rgmd.answer(app)

        self._rgmd.busy.add(app.name)
        command = validating.of_creation(resource, self.groups.get(resource.group))
        reason = "its type has not seen these values yet"
        self._rgmd.run_method(app, "Validate", command, resource.validate_timeout, done, reason)
