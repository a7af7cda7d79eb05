"""What is told of a resource: each move of its life and each status, to the history, the log and who looks at it."""

from __future__ import annotations

from gds.model.names import LAST_WORDS
from gds.model.state import ResourceStatus
from gds.rgm import resource as life_of
from gds.rgm.life import Life, well_again

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from gds.daemon.app import App
    from gds.daemon.rgmd import Rgmd
    from gds.fault.score import Score
    from gds.rgm.resource import ResourceView


class Telling:
    """See the module."""

    def __init__(self, rgmd: Rgmd) -> None:
        self._rgmd = rgmd
        self._log = rgmd.log
        self._last_words: dict[str, str] = {}

    def changed(self, app: App, because: str) -> None:
        """Something to be seen changed beside the life: say so."""
        app.view = app.view.replace(because=because)
        self.moved(app, app.view, because)
        self._rgmd.seen(app)

    def set_status(self, app: App, status: ResourceStatus, message: str) -> None:
        """What the monitor thinks now. That all is well takes nothing back that was told."""
        view = app.view
        if (view.status is status and view.status_msg == message) or (view.told and status is ResourceStatus.OK):
            return
        after = well_again(view) if status is ResourceStatus.OK else view
        app.view = after.replace(status=status, status_msg=message, told=False)
        if after is not view:
            self._rgmd.kept.changed(app)
        if view.status is not status:
            self._tell_status(app, status, message)
            self._rgmd.seen(app)

    def told_status(self, app: App, status: ResourceStatus, message: str) -> None:
        """scha_resource_setstatus: kept until it is changed; each change is told (Sun: semantics.md 10.3)."""
        view = app.view
        app.view = view.replace(status=status, status_msg=message, told=True)
        self._rgmd.kept.forget(app)
        if view.status is not status or view.status_msg != message:
            self._rgmd.kept.decided(app, f"status {status.value}", message, told=True)
            say = self._log.warning if status in (ResourceStatus.FAULTED, ResourceStatus.DEGRADED) else self._log.info
            say(f"status {status.value}{': ' if message else ''}{message}", resource=app.name)
            self._rgmd.seen(app)

    def asked(self, app: App, event: str, because: str) -> None:
        """Somebody asked for something that moves no life."""
        self._rgmd.kept.decided(app, event, because)
        self._log.info(because, resource=app.name)

    def said(self, app: App, message: Mapping[str, str]) -> None:
        """The application told its status, or why it is about to end."""
        if LAST_WORDS in message:
            self._last_words[app.name] = message[LAST_WORDS]
        if "STATUS" in message and app.view.life is Life.ONLINE and app.view.status is ResourceStatus.OK:
            self.set_status(app, ResourceStatus.OK, message["STATUS"])

    def in_its_words(self, app: App, got: Score) -> Score:
        """A death with what the application itself said of it, where it did."""
        words = self._last_words.pop(app.name, "")
        return got.replace(because=f"{words}: {got.because}") if words else got

    def moved(self, app: App, view: ResourceView, because: str, asked: bool = False) -> None:
        """A decision about it, with its reason; `asked`: it was asked for, which is nothing to warn of."""
        state = life_of.public(view, app.is_monitored, app.monitor_failed).value
        self._rgmd.kept.decided(app, state, because)
        bad = view.status in (ResourceStatus.FAULTED, ResourceStatus.DEGRADED)
        say = self._log.warning if bad and not asked else self._log.info
        say(because, resource=app.name, state=state)

    def came_to_rest(self, app: App, view: ResourceView) -> None:
        """Nothing more will happen by itself; there was no decision to tell."""
        state = life_of.public(view, app.is_monitored, app.monitor_failed).value
        self._rgmd.kept.decided(app, state, view.because)
        self._log.info(f"{app.name} is {state}", resource=app.name)

    def _tell_status(self, app: App, status: ResourceStatus, message: str) -> None:
        self._rgmd.kept.decided(app, f"status {status.value}", message)
        if status is ResourceStatus.OK:
            self._log.info("status OK again", resource=app.name)
        else:
            self._log.warning(f"status {status.value}: {message}", resource=app.name)
