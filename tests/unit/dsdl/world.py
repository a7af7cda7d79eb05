"""A runner and a clock for the generators of gds.dsdl: what they want is answered from here, nothing waits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from gds.dsdl import effects
from gds.dsdl.handle import Handle
from gds.dsdl.values import Ran
from gds.model.scha import Code

if TYPE_CHECKING:
    from gds.dsdl.effects import Effect, Steps

T = TypeVar("T")
GENERIC = {
    "TYPE": ("gds",),
    "FAILOVER_MODE": ("SOFT",),
    "RETRY_COUNT": ("2",),
    "RETRY_INTERVAL": ("300",),
    "THOROUGH_PROBE_INTERVAL": ("60",),
    "START_TIMEOUT": ("300",),
    "STOP_TIMEOUT": ("300",),
    "PORT_LIST": ("8080/tcp", "53/udp"),
    "RESOURCE_DEPENDENCIES": ("db",),
    "RESOURCE_STATE": ("ONLINE",),
    "MONITORED_SWITCH": ("ENABLED",),
}
EXTENSIONS: dict[str, tuple[str, ...]] = {
    "Probe_timeout": ("INT", "30"),
    "Failover_enabled": ("BOOLEAN", "TRUE"),
    "Child_mon_level": ("INT", "-1"),
    "Monitor_retry_count": ("INT", "4"),
    "Monitor_retry_interval": ("INT", "120"),
}


class World:
    """`forgiven`: since when the runner lets failures count; `old`: a runner that cannot say. `refuses`: what
    scha_control says no to; `after`: what it says of a restart it has done; `deaths`: (instant, nametag) of what will
    die; `late`: the runner learns of it a moment later. What was asked for is in `asked`, why in `reasons`, what was
    logged in `said`."""

    def __init__(self, **lines: str) -> None:
        self.handle = Handle("web", "shop", "gds", "monitor", "n1", "/nowhere")
        self.now = 1000.0
        self.lines: dict[str, tuple[str, ...]] = {**GENERIC, **{k: tuple(v.split()) for k, v in lines.items()}}
        self.extensions: dict[str, tuple[str, ...]] = dict(EXTENSIONS)
        self.group: dict[str, tuple[str, ...]] = {"SUSPEND_AUTOMATIC_RECOVERY": ("FALSE",)}
        self.status = ("OK", "")
        self.set: list[tuple[str, str]] = []
        self.restarts: list[float] = []
        self.forgiven = 0.0
        self.reasons: list[str] = []
        self.old = False
        self.refuses: dict[str, list[tuple[Code, str]]] = {}
        self.after = ""
        self.asked: list[str] = []
        self.said: list[str] = []
        self.tags: dict[str, dict[str, Any]] = {}
        self.deaths: list[tuple[float, str]] = []
        self.pmf: list[dict[str, Any]] = []
        self.deaf: set[str] = set()
        self.late = False
        self.watches = 0
        self.resolved: list[tuple[int, Any]] | None = []
        self.reached: dict[int, tuple[int, float]] = {}

    # -- playing ------------------------------------------------------------------------------------------------------

    def play(self, steps: Steps[T]) -> T:
        """All of them; the result."""
        answer: Any = None
        while True:
            try:
                effect = steps.send(answer)
            except StopIteration as end:
                result: T = end.value
                return result
            answer = self.perform(effect)

    def perform(self, effect: Effect) -> Any:
        """One of them."""
        match effect:
            case effects.Now():
                return self.now
            case effects.Pause():
                self.pass_to(self.now + effect.seconds)
                return None
            case effects.Say():
                return self.said.append(effect.text)
            case effects.Watch():
                return self.watch(effect)
            case effects.Resolve():
                return self.resolved
            case effects.Reach():
                return [self.reached[family] for family, _address in effect.addresses]
            case effects.Run():
                return Ran(0, 0.0)
        return self.answer(effect.request)

    def pass_to(self, instant: float) -> None:
        """Time passes, and whoever has to die does."""
        for at, nametag in sorted(self.deaths):
            if at <= instant:
                self.tags.pop(nametag, None)
                self.deaths.remove((at, nametag))
        self.now = max(self.now, instant)

    def watch(self, watch: effects.Watch) -> tuple[int, ...]:
        """Until one of them dies."""
        assert watch.seconds > 0, "a wait for nothing"
        self.watches += 1
        ours = {pid: name for name, details in self.tags.items() for pid in details["pids"]}
        due = [(at, pid) for at, name in self.deaths for pid in watch.pids if ours.get(pid) == name]
        if due and min(due)[0] <= self.now + watch.seconds:
            at, pid = min(due)
            if self.late:
                self.deaths = [(when + 0.3, name) for when, name in self.deaths]
                self.now = at
            else:
                self.pass_to(at)
            return (pid,)
        self.pass_to(self.now + watch.seconds)
        return ()

    # -- the runner ---------------------------------------------------------------------------------------------------

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """As the control socket answers."""
        verb = request["verb"]
        if verb.startswith("pmf."):
            self.pmf.append(request)
            code, more = self.of_pmf(verb.removeprefix("pmf."), request)
            return {"done": True, "pmf": True, "code": code, "message": f"{verb}: {code}" if code else "", **more}
        code, message = Code.NOERR, ""
        lines: tuple[str, ...] = ()
        if verb == "scha.control":
            self.reasons.append(request["because"])
            code, message = self.control(request["optag"])
        elif verb == "scha.setstatus":
            self.status = (request["status"], request["message"])
            self.set.append(self.status)
        else:
            code, lines = self.of_property(verb, request)
        return {"done": True, "scha": True, "code": int(code), "message": message, "lines": list(lines)}

    def of_property(self, verb: str, request: dict[str, Any]) -> tuple[Code, tuple[str, ...]]:
        """A value, or that there is none."""
        optag = request["optag"]
        if verb == "scha.failures":
            if self.old:
                return Code.INVAL, ()
            _code, restarts = self.of_property(verb="", request={"optag": "NUM_RESOURCE_RESTARTS"})
            return Code.NOERR, (*restarts, repr(self.now - self.forgiven))
        if optag == "NUM_RESOURCE_RESTARTS":
            span = float(self.lines["RETRY_INTERVAL"][0])
            return Code.NOERR, (str(len([at for at in self.restarts if at >= self.now - span])),)
        if optag == "STATUS":
            return Code.NOERR, self.status
        known: dict[str, tuple[str, ...]] = self.group if verb == "scha.resourcegroup_get" else self.lines
        if optag == "EXTENSION":
            known, optag = self.extensions, request["args"][0]
        return (Code.NOERR, known[optag]) if optag in known else (Code.PROP, ())

    def control(self, optag: str) -> tuple[Code, str]:
        """scha_control."""
        self.asked.append(optag)
        if optag == "GIVEOVER":
            self.restarts.clear()
        if self.refuses.get(optag):
            code, because = self.refuses[optag].pop(0)
            return code, f"refused: {because}"
        if optag == "RESOURCE_RESTART":
            self.restarts.append(self.now)
            self.forgiven = self.now
            return Code.NOERR, self.after
        return Code.NOERR, ""

    def of_pmf(self, verb: str, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """The verbs "pmf.…"."""
        name = request["nametag"]
        if verb == "list":
            return 0, {"tags": sorted(self.tags)}
        if verb == "create":
            if name in self.tags:
                return 1, {}
            self.tag(name, **{key: request[key] for key in ("command", "cwd", "level", "retries", "period")})
            return 0, {}
        if name not in self.tags:
            return 1, {}
        if verb == "details":
            return 0, {"details": self.tags[name]}
        number = request.get("signal", 0)
        if number and (number == 9 or name not in self.deaf) and "unkillable" not in name:
            del self.tags[name]
        elif request.get("wait"):
            self.now += request["wait"]
            return 2, {}
        return 0, {}

    def tag(self, name: str, **details: Any) -> None:
        """Something runs under that nametag."""
        pid = 100 + len(self.pmf)
        plain = {"command": ["d"], "cwd": "/", "environment": {}, "level": -1, "retries": 0, "period": -1.0}
        self.tags[name] = {**plain, "pids": [pid], **details}
