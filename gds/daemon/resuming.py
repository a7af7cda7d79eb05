"""The runner that comes, after `gds upgrade`: it goes on where the runner before it in this same process stood.

Nothing is started and nothing is ended here, nothing is counted, and no file is read: what was handed over is taken as
it is (upgrading.py has the table). What happened meanwhile is heard like anything else, once the loop turns.
"""

from __future__ import annotations

from gds.daemon import appparcel, tagparcel
from gds.daemon.nametag import Spec
from gds.errors import ConfigError
from gds.model import codec
from gds.model.resource import Plan, Source
from gds.model.settings import Settings, settings_from
from gds.rgm.events import DelayOver

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, Protocol

    from gds.daemon.app import App
    from gds.daemon.environment import Account
    from gds.daemon.rgmd import Rgmd
    from gds.model.resource import Output, Resource
    from gds.ports import LastingForest

    class Outputs(Protocol):
        """Where applications go on printing."""

        def inherit(self, feeds: Iterable[tuple[str, str, int]]) -> None: ...
        def inherited(self) -> None: ...
        def adopt(self, name: str, stream: str, output: Output, uid: int, gid: int) -> None: ...

    class Notifies(Protocol):
        """Where they go on telling."""

        def resume(self, ears: Iterable[tuple[str, str, int, int]]) -> None: ...

    class Tags(Protocol):
        """The nametags."""

        def resume(self, facts: dict[str, Any]) -> None: ...

    class Memory(Protocol):
        """What survives a crash of the runner."""

        def begin(self) -> None: ...


def plan_of(facts: dict[str, Any]) -> Plan:
    """What is declared, as the runner before us knew it."""
    resources = tuple([codec.unpack(plain["resource"]) for plain in facts["apps"]])
    files = facts.get("sources", {}).get("files", ())  # versions before this one did not tell
    return Plan(resources, codec.unpack(facts["groups"]), tuple([Source(path, "") for path in files]))


def settings_of(facts: dict[str, Any]) -> Settings:
    """Its settings."""
    return settings_from(facts["settings"])


def understand(facts: dict[str, Any]) -> str:
    """Why this version cannot take over what it is handed; "" = it can. Changes nothing."""
    try:
        plan_of(facts)
        settings_of(facts)
        for plain in facts["apps"]:
            appparcel.app_of(plain)
        for plain in (facts["tags"] or {"tags": ()})["tags"]:
            tagparcel.view_of(plain["view"])
            tagparcel.put_spec(Spec(0, (), "", {}), plain["spec"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return f"it does not understand what it would be handed: {error!r}"
    return ""


class Resume:
    """See the module. `memory` None: nothing could be kept."""

    def __init__(
        self,
        rgmd: Rgmd,
        forest: LastingForest,
        memory: Memory | None,
        outputs: Outputs,
        notifies: Notifies,
        accounts: Callable[[Resource], Account],
        tags: Tags,
    ) -> None:
        self._rgmd = rgmd
        self._forest = forest
        self._memory = memory
        self._outputs = outputs
        self._notifies = notifies
        self._accounts = accounts
        self._tags = tags

    def begin(self, facts: dict[str, Any]) -> None:
        """All at once, before the loop turns."""
        rgmd = self._rgmd
        self._outputs.inherit(facts["outputs"])
        self._notifies.resume(facts["notifies"])
        with_feed = {name for name, _stream, _fd in facts["outputs"]}
        for plain in facts["apps"]:
            app = appparcel.app_of(plain)
            rgmd.apps[app.name] = app
            if plain["tree"] is not None:
                rgmd.pmfd.resume(app, plain["tree"], self._forest)
            if plain["tree"] is not None or app.name in with_feed:
                self._go_on_printing(app)
            if plain["delay"] is not None:
                app.delay = rgmd.loop.at(plain["delay"], lambda app=app: rgmd.submit(app, DelayOver()))  # type: ignore[misc]
            rgmd.monitor.go_on(app, plain["probe"])
        if facts["tags"] is not None:
            self._tags.resume(facts["tags"])
        self._outputs.inherited()
        self._forest.resumed()
        if self._memory is not None:
            self._memory.begin()

    def _go_on_printing(self, app: App) -> None:
        try:
            account = self._accounts(app.resource)
        except ConfigError as error:
            self._rgmd.log.error(f"{error}; what it prints is not copied any more", resource=app.name)
            return
        for stream, output in (("stdout", app.resource.stdout), ("stderr", app.resource.stderr)):
            self._outputs.adopt(app.name, stream, output, account.uid, account.gid)
