"""Facts in: what the RGM may be told about a resource. Past tense; each about one resource."""

from __future__ import annotations

from gds.model.value import Value


class StartAsked(Value):
    """Somebody wants it up: a person, the start of the runner, a reload."""

    because: str


class StopAsked(Value):
    """Somebody wants it down."""

    because: str


class RestartAsked(Value):
    """Somebody wants it stopped and started here. `whole`: its group goes offline, and then online."""

    because: str
    whole: bool = False


class RestartJudged(Value):
    """The fault monitor's verdict: stop it, wait `delay` seconds, start it here. `cause`: what the monitor saw."""

    because: str
    delay: float = 0.0
    cause: str = ""


class GiveoverAsked(Value):
    """The fault monitor, or a person, asks that the group run elsewhere."""

    because: str
    by_monitor: bool = True


class LeftAlone(Value):
    """The judge saw a complete failure that its properties forbid to act on."""

    because: str


class StartSucceeded(Value):
    """The Start method ended well: the service can be reached."""

    because: str = ""


class StartFailed(Value):
    """The Start method failed or ran into its timeout."""

    because: str


class StartRefused(Value):
    """Its type refuses it as it is declared (Validate), before anything was run."""

    because: str


class StopSucceeded(Value):
    """Nothing of it is left."""


class StopFailed(Value):
    """Processes are left, named in `because`."""

    because: str


class DelayOver(Value):
    """The restart delay has passed."""


class ClearAsked(Value):
    """A person says that what was left behind has been dealt with."""

    because: str = "cleared by a person"


class PrenetSucceeded(Value):
    """Prenet_start ended well."""


class PrenetFailed(Value):
    """Prenet_start failed or ran into its timeout."""

    because: str


class PostnetSucceeded(Value):
    """Postnet_stop ended well."""


class PostnetFailed(Value):
    """Postnet_stop failed or ran into its timeout."""

    because: str


class NeedsMet(Value):
    """What it waits for may be there: look again."""


class NeedGone(Value):
    """What it has an offline-restart dependency on goes down; `need` is its name, when it is known."""

    because: str
    need: str = ""


class NeedRestarted(Value):
    """What it has a restart dependency on came back."""

    because: str


class UsersGone(Value):
    """Those that use it are down, or have changed their mind: look again."""


class UserStuck(Value):
    """One of those that use it could not be stopped."""

    because: str


TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias

    Event: TypeAlias = (
        StartAsked
        | StopAsked
        | RestartAsked
        | RestartJudged
        | GiveoverAsked
        | LeftAlone
        | StartSucceeded
        | StartFailed
        | StartRefused
        | StopSucceeded
        | StopFailed
        | DelayOver
        | ClearAsked
        | PrenetSucceeded
        | PrenetFailed
        | PostnetSucceeded
        | PostnetFailed
        | NeedsMet
        | NeedGone
        | NeedRestarted
        | UsersGone
        | UserStuck
    )

EVENTS: tuple[type[Value], ...] = (
    StartAsked,
    StopAsked,
    RestartAsked,
    RestartJudged,
    GiveoverAsked,
    LeftAlone,
    StartSucceeded,
    StartFailed,
    StartRefused,
    StopSucceeded,
    StopFailed,
    DelayOver,
    ClearAsked,
    PrenetSucceeded,
    PrenetFailed,
    PostnetSucceeded,
    PostnetFailed,
    NeedsMet,
    NeedGone,
    NeedRestarted,
    UsersGone,
    UserStuck,
)
