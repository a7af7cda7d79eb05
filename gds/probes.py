"""The built-in probes as the monitor asks for them: one Outcome for one question, also where it is of several ports."""

from __future__ import annotations

from gds.fault.score import Outcome
from gds.linux.probing import Prober

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from gds.daemon.fed import Run
    from gds.linux.loop import Loop
    from gds.linux.probing import Answer, Asking
    from gds.linux.reaper import Reaper
    from gds.model.resource import Resource


class Probes:
    """See the module."""

    def __init__(self, loop: Loop, reaper: Reaper) -> None:
        self._prober: Any = Prober(loop, reaper.expect)

    def ask(self, resource: Resource, on_answer: Callable[[Outcome], None]) -> Run:
        """Ask the probe table, or every tcp port of port_list side by side; the worst answer counts."""
        if resource.probe is not None:
            return self._prober.ask(  # type: ignore[no-any-return]  # both can be cancelled, that is all that counts
                resource.probe, resource.probe_timeout, lambda a: on_answer(_outcome(a))
            )
        ports = resource.tcp_ports
        if len(ports) == 1:
            return self._prober.ask(  # type: ignore[no-any-return]  # as above
                ports[0], resource.probe_timeout, lambda a: on_answer(_outcome(a))
            )
        return Ports(self._prober, resource, on_answer)  # type: ignore[return-value]  # as above


class Ports:
    """Several ports asked side by side."""

    GRAVITY = ("ok", "unable", "disconnect", "status", "timeout", "error", "refused")

    def __init__(self, prober: Any, resource: Resource, on_answer: Callable[[Outcome], None]) -> None:
        self._worst: Outcome | None = None
        self._on_answer = on_answer
        self._left = len(resource.tcp_ports)
        self._asked: list[Asking] = []
        for port in resource.tcp_ports:
            self._asked.append(prober.ask(port, resource.probe_timeout, self._answered))

    def _answered(self, answer: Answer) -> None:
        outcome = _outcome(answer)
        gravity = self.GRAVITY.index
        if self._worst is None or gravity(outcome.kind) > gravity(self._worst.kind):
            self._worst = outcome
        self._left -= 1
        if not self._left:
            self._on_answer(self._worst)

    def cancel(self) -> None:
        """No answer is wanted."""
        for each in self._asked:
            each.cancel()


def _outcome(answer: Answer) -> Outcome:
    return Outcome(answer.outcome, 0, answer.message, answer.seconds)
