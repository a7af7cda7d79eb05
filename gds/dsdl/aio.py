"""AsyncDsdl: the same library for a program with an asyncio loop; each call waits without holding the loop up.

Method for method and argument for argument as `blocking.Dsdl`, where each is described. Cancelling a call is safe: a
command that timerun started is killed, a request goes on in the runner and its answer is not read.
"""

from __future__ import annotations

import asyncio
import errno
import json
import os
import signal as signals
import socket as sockets
import time

from gds.api.client import Denied, NoRunner, TimedOut, closed_to_us
from gds.dsdl import asking, blocking, effects, monitoring, network, syslog, trees
from gds.dsdl.about import About
from gds.dsdl.children import LAST_SECOND, Child
from gds.dsdl.values import Kind, Ran

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any, TypeVar

    from gds.dsdl.effects import Effect, Steps
    from gds.dsdl.handle import Handle
    from gds.dsdl.values import (
        Answer,
        NetProbe,
        PmfStatus,
        Properties,
        PropertyValue,
        Status,
        Taken,
    )
    from gds.model.state import ResourceState, ResourceStatus

    T = TypeVar("T")

LONGEST_LINE = 64 << 20
"""Bytes of one answer: a runner of thousands tells a lot."""


class AsyncDsdl(About):
    """See the module."""

    # -- properties ---------------------------------------------------------------------------------------------------

    async def properties(self) -> Properties:
        """See Dsdl.properties."""
        return await run(self._handle, asking.properties(self._handle))

    async def refresh(self) -> Properties:
        """See Dsdl.refresh."""
        self._handle.properties = None
        return await self.properties()

    async def property_lines(self, optag: str, *args: str) -> tuple[str, ...]:
        """See Dsdl.property_lines."""
        return await run(self._handle, asking.of_resource(self._handle, optag, *args))

    async def extension(self, name: str) -> PropertyValue:
        """See Dsdl.extension."""
        return await run(self._handle, asking.extension(self._handle, name))

    async def group_lines(self, optag: str, *args: str) -> tuple[str, ...]:
        """See Dsdl.group_lines."""
        return await run(self._handle, asking.of_group(self._handle, optag, *args))

    async def type_lines(self, optag: str) -> tuple[str, ...]:
        """See Dsdl.type_lines."""
        return await run(self._handle, asking.of_type(self._handle, optag))

    # -- state and status ---------------------------------------------------------------------------------------------

    async def state(self) -> ResourceState:
        """See Dsdl.state."""
        return await run(self._handle, asking.state(self._handle))

    async def status(self) -> Status:
        """See Dsdl.status."""
        return await run(self._handle, asking.status(self._handle))

    async def set_status(self, status: ResourceStatus, message: str = "") -> None:
        """scha_resource_setstatus: kept until it is changed; without a message the old one goes. Raises SchaError."""
        await run(self._handle, asking.set_status(self._handle, status, message))

    # -- requests to the RGM ------------------------------------------------------------------------------------------

    async def failover_rg(self, because: str = "") -> Answer:
        """See Dsdl.failover_rg."""
        return await run(self._handle, asking.failover_rg(self._handle, because))

    async def restart_rg(self, because: str = "") -> Answer:
        """See Dsdl.restart_rg."""
        return await run(self._handle, asking.restart_rg(self._handle, because))

    async def restart_resource(self, because: str = "") -> Answer:
        """See Dsdl.restart_resource."""
        return await run(self._handle, asking.restart_resource(self._handle, because))

    # -- the fault monitor --------------------------------------------------------------------------------------------

    async def fm_action(self, probe_status: int, elapsed_ms: int = 0, because: str = "") -> Taken:
        """scds_fm_action: judge the status of a probe, and do what follows. Sun: semantics.md 5.2.

        `probe_status`: 0 well, 1 to 99 partly failed, 100 failed, 201 fail over at once; others up to 255 are 100.
        Failures add up over Retry_interval; at 100 the resource is restarted, as long as Retry_count allows; then it is
        given over, or left alone where Failover_mode or Failover_enabled forbid that. The status is set to OK,
        DEGRADED or FAULTED with the reason. `because` says what was wrong, for people. `elapsed_ms` is Sun's, and has
        no influence.

        Raises SchaError, also for a type without Retry_count or Retry_interval; ValueError.
        """
        del elapsed_ms  # Sun: reserved
        return await run(self._handle, monitoring.action(self._handle, probe_status, because))

    async def fm_sleep(self, seconds: float, instances: Iterable[int] = ()) -> Taken | None:
        """See Dsdl.fm_sleep."""
        return await run(self._handle, monitoring.sleep(self._handle, seconds, instances))

    async def svc_wait(self, seconds: float, instances: Iterable[int] = ()) -> bool:
        """See Dsdl.svc_wait."""
        return await run(self._handle, monitoring.svc_wait(self._handle, seconds, instances))

    # -- trees under PMF ----------------------------------------------------------------------------------------------

    async def pmf_start(
        self,
        kind: Kind,
        command: str | Sequence[str],
        instance: int = 0,
        child_mon_level: int = -1,
        env: Mapping[str, str] | None = None,
    ) -> None:
        """See Dsdl.pmf_start."""
        handle = self._handle
        where, path = os.getcwd(), os.environ.get("PATH", os.defpath)
        await run(handle, trees.start(handle, kind, instance, command, child_mon_level, env, where, path))

    async def pmf_stop(
        self, kind: Kind, instance: int = 0, signal: int = signals.SIGTERM, timeout: float = 300.0
    ) -> bool:
        """See Dsdl.pmf_stop."""
        return await run(self._handle, trees.stop(self._handle, kind, instance, signal, timeout))

    async def pmf_signal(self, kind: Kind, instance: int, signal: int, timeout: float = 0.0) -> bool:
        """See Dsdl.pmf_signal."""
        return await run(self._handle, trees.signal(self._handle, kind, instance, signal, timeout))

    async def pmf_stop_monitoring(self, kind: Kind, instance: int = 0) -> None:
        """See Dsdl.pmf_stop_monitoring."""
        await run(self._handle, trees.stop_monitoring(self._handle, kind, instance))

    async def pmf_get_status(self, kind: Kind, instance: int = 0) -> PmfStatus:
        """See Dsdl.pmf_get_status."""
        return await run(self._handle, trees.get_status(self._handle, kind, instance))

    async def pmf_restart(self, kind: Kind = Kind.MON, instance: int = 0, timeout: float = 60.0) -> bool:
        """See Dsdl.pmf_restart."""
        return await run(self._handle, trees.restart(self._handle, kind, instance, timeout))

    # -- probes -------------------------------------------------------------------------------------------------------

    async def timerun(self, command: str | Sequence[str], timeout: float, signal: int = signals.SIGKILL) -> Ran:
        """See Dsdl.timerun."""
        if timeout <= 0:
            raise ValueError(f"cannot run anything within {timeout:g} s: expected a time above 0")
        run_ = effects.Run(trees.words_of(command), timeout, trees.check_signal(signal))
        result: Ran = await perform(self._handle, run_)
        return result

    async def net_probe(self, host: str, port: int, timeout: float) -> NetProbe:
        """See Dsdl.net_probe."""
        return await run(self._handle, network.probe(host, port, timeout))


# -- carrying out -----------------------------------------------------------------------------------------------------


async def run(handle: Handle, steps: Steps[T]) -> T:
    """All of them, one after the other; the result."""
    answer: Any = None
    fault: Exception | None = None
    try:
        while True:
            effect = steps.send(answer) if fault is None else steps.throw(fault)
            answer, fault = None, None
            try:
                answer = await perform(handle, effect)
            except Exception as error:  # whatever it is: the call that asked for it decides
                fault = error
    except StopIteration as end:
        result: T = end.value
        return result


async def perform(handle: Handle, effect: Effect) -> Any:
    """One of them."""
    if isinstance(effect, effects.Ask):
        return await _ask(handle.socket, effect)
    if isinstance(effect, effects.Now):
        return time.monotonic()
    if isinstance(effect, effects.Pause):
        return await asyncio.sleep(effect.seconds)
    if isinstance(effect, effects.Watch):
        return await _watch(effect)
    if isinstance(effect, effects.Say):
        return syslog.write(handle, effect.priority, effect.text)
    if isinstance(effect, effects.Run):
        return await _run(effect)
    if isinstance(effect, effects.Resolve):
        return await _resolve(effect)
    return await asyncio.gather(*[_reach(family, address, effect.seconds) for family, address in effect.addresses])


async def _ask(path: str, ask: effects.Ask) -> dict[str, Any]:
    """As api.client.ask, but that a runner which is silent is not asked whether it is there at all."""
    try:
        return await asyncio.wait_for(_asked(path, ask.request), ask.patience)
    except TimeoutError:
        raise TimedOut(f"cannot wait longer: no answer from {path} within {ask.patience:g} s") from None
    except PermissionError:
        raise Denied(closed_to_us(path)) from None
    except OSError as error:
        raise NoRunner(f"cannot talk to the runner at {path}: {error.strerror or error}") from None


async def _asked(path: str, request: dict[str, Any]) -> dict[str, Any]:
    reader, writer = await asyncio.open_unix_connection(path, limit=LONGEST_LINE)
    try:
        writer.write(json.dumps(request).encode() + b"\n")
        await writer.drain()
        while line := await reader.readline():
            message: dict[str, Any] = json.loads(line)
            if message.get("done"):
                return message
        raise NoRunner(f"cannot hear the end of the answer: the runner at {path} went away")
    finally:
        writer.close()


async def _readable(fds: Iterable[int], seconds: float) -> set[int]:
    """Which of these descriptors became readable within the time."""
    loop = asyncio.get_running_loop()
    ready: set[int] = set()
    some = asyncio.Event()

    def told(fd: int) -> None:
        ready.add(fd)
        loop.remove_reader(fd)
        some.set()

    watched = tuple(fds)
    for fd in watched:
        loop.add_reader(fd, told, fd)
    try:
        await asyncio.wait_for(some.wait(), max(seconds, 0.0))
    except TimeoutError:
        pass  # none did
    finally:
        for fd in watched:
            loop.remove_reader(fd)
    return ready


async def _watch(watch: effects.Watch) -> tuple[int, ...]:
    opened, gone = blocking.open_pids(watch.pids)
    try:
        if not gone:
            gone = [opened[fd] for fd in await _readable(opened, watch.seconds)]
    finally:
        for fd in opened:
            os.close(fd)
    return tuple(gone)


async def _run(command: effects.Run) -> Ran:
    began = time.monotonic()
    child = Child(command.command)
    try:
        ended = bool(await _readable((child.fd,), command.seconds))
        if not ended:
            child.strike(command.signal)
            await _readable((child.fd,), LAST_SECOND)
    except BaseException:  # such as a cancellation: what was started for this call does not outlive it
        child.strike(signals.SIGKILL)
        raise
    finally:
        child.leave()
    return Ran(child.reap() if ended else None, time.monotonic() - began)


async def _resolve(name: effects.Resolve) -> list[tuple[int, Any]] | None:
    found = asyncio.get_running_loop().run_in_executor(None, blocking.addresses, name.host, name.port)
    try:
        return await asyncio.wait_for(found, name.seconds)
    except TimeoutError:
        return None


async def _reach(family: int, address: Any, seconds: float) -> tuple[int, float]:
    began = time.monotonic()
    try:
        made = sockets.socket(family, sockets.SOCK_STREAM)
    except OSError as error:  # a machine without IPv6
        return error.errno or errno.EAFNOSUPPORT, 0.0
    with made:
        made.setblocking(False)
        try:
            await asyncio.wait_for(asyncio.get_running_loop().sock_connect(made, address), seconds)
        except TimeoutError:
            return errno.ETIMEDOUT, seconds
        except OSError as error:
            return error.errno or errno.ECONNREFUSED, time.monotonic() - began
        return 0, time.monotonic() - began
