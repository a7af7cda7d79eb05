"""Dsdl: the library for a program that does one thing at a time; each call returns when it is done."""

from __future__ import annotations

import errno
import os
import select
import signal as signals
import time
from _socket import SO_ERROR, SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_STREAM, SOL_SOCKET, socket

from gds.api import client
from gds.dsdl import asking, effects, monitoring, network, syslog, trees
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


class Dsdl(About):
    """What the DSDL gave to C programs, for one resource. Sun: scds_initialize and what follows.

    Without arguments it is about the resource the caller belongs to: the runner gives every command GDS_RESOURCE,
    GDS_GROUP and GDS_SOCKET. A monitor that is a resource of its own names the one it watches.

    Raises UsageError when it cannot tell which resource, NoRunner (gds.api.client) when there is nobody to ask. Any
    call below raises NoRunner or Denied when the runner is gone or not for us; calls that ask about properties or
    requests raise SchaError, those about trees PmfError; bad arguments raise ValueError. Times are seconds.
    """

    # -- properties ---------------------------------------------------------------------------------------------------

    def properties(self) -> Properties:
        """The properties, typed; read once. Raises SchaError."""
        return run(self._handle, asking.properties(self._handle))

    def refresh(self) -> Properties:
        """Read them again, as the Update method's work is done here. Raises SchaError."""
        self._handle.properties = None
        return self.properties()

    def property_lines(self, optag: str, *args: str) -> tuple[str, ...]:
        """scha_resource_get: any optag, as lines. Raises SchaError."""
        return run(self._handle, asking.of_resource(self._handle, optag, *args))

    def extension(self, name: str) -> PropertyValue:
        """An extension property, typed as its type declares it. Raises SchaError."""
        return run(self._handle, asking.extension(self._handle, name))

    def group_lines(self, optag: str, *args: str) -> tuple[str, ...]:
        """scha_resourcegroup_get: a property of the group, as lines. Raises SchaError."""
        return run(self._handle, asking.of_group(self._handle, optag, *args))

    def type_lines(self, optag: str) -> tuple[str, ...]:
        """scha_resourcetype_get: a property of the resource's type, as lines. Raises SchaError."""
        return run(self._handle, asking.of_type(self._handle, optag))

    # -- state and status ---------------------------------------------------------------------------------------------

    def state(self) -> ResourceState:
        """What the RGM concluded from the methods it ran. Raises SchaError."""
        return run(self._handle, asking.state(self._handle))

    def status(self) -> Status:
        """What a monitor or a method said last. Raises SchaError."""
        return run(self._handle, asking.status(self._handle))

    def set_status(self, status: ResourceStatus, message: str = "") -> None:
        """scha_resource_setstatus: kept until it is changed; without a message the old one goes. Raises SchaError."""
        run(self._handle, asking.set_status(self._handle, status, message))

    # -- requests to the RGM ------------------------------------------------------------------------------------------

    def failover_rg(self, because: str = "") -> Answer:
        """scds_failover_rg (GIVEOVER): ask that the group run elsewhere, `because` for people. Granted: everything here
        is stopped, the one who asks included. Asked up to four times while the group is being reconfigured."""
        return run(self._handle, asking.failover_rg(self._handle, because))

    def restart_rg(self, because: str = "") -> Answer:
        """scds_restart_rg (RESTART): stop and start every resource of the group here, `because` for people; returns
        when it is done."""
        return run(self._handle, asking.restart_rg(self._handle, because))

    def restart_resource(self, because: str = "") -> Answer:
        """scds_restart_resource (RESOURCE_RESTART): Stop, then Start of this resource, `because` for people; returns
        when it is done. It counts in the budget; fm_action is what keeps to that."""
        return run(self._handle, asking.restart_resource(self._handle, because))

    # -- the fault monitor --------------------------------------------------------------------------------------------

    def fm_action(self, probe_status: int, elapsed_ms: int = 0, because: str = "") -> Taken:
        """scds_fm_action: judge the status of a probe, and do what follows. Sun: semantics.md 5.2.

        `probe_status`: 0 well, 1 to 99 partly failed, 100 failed, 201 fail over at once; others up to 255 are 100.
        Failures add up over Retry_interval; at 100 the resource is restarted, as long as Retry_count allows; then it is
        given over, or left alone where Failover_mode or Failover_enabled forbid that. The status is set to OK,
        DEGRADED or FAULTED with the reason. `because` says what was wrong, for people: it is the reason of what follows
        everywhere. A restart, whoever asked for it, a giveover and `gds clear` forget the failures. What is not up, or
        not monitored, is not judged. `elapsed_ms` is Sun's, and has no influence.

        Raises SchaError, also for a type without Retry_count or Retry_interval; ValueError.
        """
        del elapsed_ms  # Sun: reserved
        return run(self._handle, monitoring.action(self._handle, probe_status, because))

    def fm_sleep(self, seconds: float, instances: Iterable[int] = ()) -> Taken | None:
        """scds_fm_sleep: sleep; None when the time is over and nothing died. Sun: semantics.md 5.4.

        A tree of the service (pmf_start, Kind.SVC) that ends meanwhile wakes it: that is a failure of 100, judged as
        in fm_action, and a refused giveover leads to a restart here. Trees seen alive once are known from then on;
        `instances` names those that must be alive from the beginning; an end is told once.
        What somebody stops is no failure. The service of a resource of the generic type is no such tree: its death is
        judged by the runner itself.

        Raises SchaError, PmfError, ValueError.
        """
        return run(self._handle, monitoring.sleep(self._handle, seconds, instances))

    def svc_wait(self, seconds: float, instances: Iterable[int] = ()) -> bool:
        """scds_svc_wait, for Start: True when the service's trees have lived for `seconds`. Sun: semantics.md 5.5.

        One that dies is started again, and all of the time is waited anew; False (SCHA_ERR_FAIL) when Retry_count have
        died within Retry_interval, in all calls together. Raises SchaError, PmfError.
        """
        return run(self._handle, monitoring.svc_wait(self._handle, seconds, instances))

    # -- trees under PMF ----------------------------------------------------------------------------------------------

    def pmf_start(
        self,
        kind: Kind,
        command: str | Sequence[str],
        instance: int = 0,
        child_mon_level: int = -1,
        env: Mapping[str, str] | None = None,
    ) -> None:
        """scds_pmf_start, scds_pmf_start_env: start a command under PMF, in the current directory. Sun: semantics.md
        4.4. A string is handed to the shell, a sequence executed as it is. It gets PATH and the names of the resource
        in its environment, and `env`. `child_mon_level` -1: every descendant is watched; 0: a program that is itself
        the daemon; 1: a script that starts one.

        Raises PmfError, also when it runs already; SchaError; ValueError.
        """
        handle = self._handle
        where, path = os.getcwd(), os.environ.get("PATH", os.defpath)
        run(handle, trees.start(handle, kind, instance, command, child_mon_level, env, where, path))

    def pmf_stop(self, kind: Kind, instance: int = 0, signal: int = signals.SIGTERM, timeout: float = 300.0) -> bool:
        """scds_pmf_stop: no restart any more, the signal, SIGKILL after 80 % of the time, over after a further 15 %.
        True: nothing of it is left, or there was nothing. False (SCHA_ERR_TIMEOUT): something is. Raises PmfError."""
        return run(self._handle, trees.stop(self._handle, kind, instance, signal, timeout))

    def pmf_signal(self, kind: Kind, instance: int, signal: int, timeout: float = 0.0) -> bool:
        """scds_pmf_signal, as pmfadm -k: the signal to every process of the tree. `timeout`: 0 do not wait, -1 wait
        for ever for its end. False (SCHA_ERR_TIMEOUT): it has not ended in time. Raises PmfError."""
        return run(self._handle, trees.signal(self._handle, kind, instance, signal, timeout))

    def pmf_stop_monitoring(self, kind: Kind, instance: int = 0) -> None:
        """scds_pmf_stop_monitoring: no restart any more; no signal is sent. Raises PmfError."""
        run(self._handle, trees.stop_monitoring(self._handle, kind, instance))

    def pmf_get_status(self, kind: Kind, instance: int = 0) -> PmfStatus:
        """scds_pmf_get_status: is such a tree under PMF? Raises PmfError."""
        return run(self._handle, trees.get_status(self._handle, kind, instance))

    def pmf_restart(self, kind: Kind = Kind.MON, instance: int = 0, timeout: float = 60.0) -> bool:
        """scds_pmf_restart_fm, for Update: SIGKILL, then the same again. False: there was none. Raises PmfError."""
        return run(self._handle, trees.restart(self._handle, kind, instance, timeout))

    # -- probes -------------------------------------------------------------------------------------------------------

    def timerun(self, command: str | Sequence[str], timeout: float, signal: int = signals.SIGKILL) -> Ran:
        """scds_timerun: run a command to its end, or `signal` to its process group when the time is over. Sun:
        semantics.md 6.3. Raises SpawnError when it cannot be executed, ValueError."""
        if timeout <= 0:
            raise ValueError(f"cannot run anything within {timeout:g} s: expected a time above 0")
        run_ = effects.Run(trees.words_of(command), timeout, trees.check_signal(signal))
        result: Ran = perform(self._handle, run_)
        return result

    def net_probe(self, host: str, port: int, timeout: float) -> NetProbe:
        """scds_simple_net_probe: connect to the IPv4 and the IPv6 address of a host side by side, each with the full
        time, and disconnect. Sun: semantics.md 17. `score` of the answer is for fm_action. Raises ValueError."""
        return run(self._handle, network.probe(host, port, timeout))


# -- carrying out -----------------------------------------------------------------------------------------------------


def run(handle: Handle, steps: Steps[T]) -> T:
    """All of them, one after the other; the result."""
    answer: Any = None
    fault: Exception | None = None
    try:
        while True:
            effect = steps.send(answer) if fault is None else steps.throw(fault)
            answer, fault = None, None
            try:
                answer = perform(handle, effect)
            except Exception as error:  # whatever it is: the call that asked for it decides
                fault = error
    except StopIteration as end:
        result: T = end.value
        return result


def perform(handle: Handle, effect: Effect) -> Any:
    """One of them."""
    if isinstance(effect, effects.Ask):
        return client.ask(handle.socket, effect.request, timeout=effect.patience)
    if isinstance(effect, effects.Now):
        return time.monotonic()
    if isinstance(effect, effects.Pause):
        return time.sleep(effect.seconds)
    if isinstance(effect, effects.Watch):
        return _watch(effect)
    if isinstance(effect, effects.Say):
        return syslog.write(handle, effect.priority, effect.text)
    if isinstance(effect, effects.Run):
        return _run(effect)
    if isinstance(effect, effects.Resolve):
        return _resolve(effect)
    return _reach(effect)


def open_pids(pids: Iterable[int]) -> tuple[dict[int, int], list[int]]:
    """A pidfd of each that lives, and which are gone already."""
    opened: dict[int, int] = {}
    gone = []
    for pid in pids:
        try:
            opened[os.pidfd_open(pid)] = pid
        except ProcessLookupError:
            gone.append(pid)
    return opened, gone


def _watch(watch: effects.Watch) -> tuple[int, ...]:
    opened, gone = open_pids(watch.pids)
    poll = select.poll()
    try:
        for fd in opened:
            poll.register(fd, select.POLLIN)
        if not gone:
            gone = [opened[fd] for fd, _ in poll.poll(max(watch.seconds, 0.0) * 1000)]
    finally:
        for fd in opened:
            os.close(fd)
    return tuple(gone)


def _run(command: effects.Run) -> Ran:
    began = time.monotonic()
    child = Child(command.command)
    try:
        ended = _wait_for(child, command.seconds)
        if not ended:
            child.strike(command.signal)
            _wait_for(child, LAST_SECOND)
    except BaseException:  # such as Ctrl-C: what was started for this call does not outlive it
        child.strike(signals.SIGKILL)
        raise
    finally:
        child.leave()
    return Ran(child.reap() if ended else None, time.monotonic() - began)


def _wait_for(child: Child, seconds: float) -> bool:
    poll = select.poll()
    poll.register(child.fd, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


def _resolve(name: effects.Resolve) -> list[tuple[int, Any]] | None:
    import threading  # only here, and only for a name that has to be looked up

    found: list[list[tuple[int, Any]] | None] = []
    thread = threading.Thread(target=lambda: found.append(addresses(name.host, name.port)), daemon=True)
    thread.start()
    thread.join(name.seconds)
    return found[0] if found else None


def addresses(host: str, port: int) -> list[tuple[int, Any]] | None:
    """(family, address) of each; empty: it has none; None: nobody could tell just now."""
    from socket import EAI_AGAIN, IPPROTO_TCP, gaierror, getaddrinfo

    try:
        found = getaddrinfo(host, port, type=SOCK_STREAM, proto=IPPROTO_TCP)
    except gaierror as error:
        return None if error.errno == EAI_AGAIN else []
    except UnicodeError:  # no name at all
        return []
    return [(int(family), address) for family, _type, _protocol, _name, address in found]


def _reach(reach: effects.Reach) -> tuple[tuple[int, float], ...]:
    began = time.monotonic()
    results: dict[int, tuple[int, float]] = {}
    waiting: dict[int, tuple[int, socket]] = {}
    poll = select.poll()
    try:
        for index, (family, address) in enumerate(reach.addresses):
            try:
                made = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC)
            except OSError as error:  # a machine without IPv6
                results[index] = (error.errno or errno.EAFNOSUPPORT, 0.0)
                continue
            number = made.connect_ex(address)
            if number == errno.EINPROGRESS:
                waiting[made.fileno()] = (index, made)
                poll.register(made.fileno(), select.POLLOUT)
            else:
                made.close()
                results[index] = (number, time.monotonic() - began)
        while waiting:
            left = began + reach.seconds - time.monotonic()
            for fd, _ in poll.poll(left * 1000) if left > 0 else ():
                poll.unregister(fd)
                index, made = waiting.pop(fd)
                results[index] = (made.getsockopt(SOL_SOCKET, SO_ERROR), time.monotonic() - began)
                made.close()
            if left <= 0:
                break
        for index, _made in waiting.values():
            results[index] = (errno.ETIMEDOUT, reach.seconds)
    finally:
        for _index, made in waiting.values():
            made.close()
    return tuple([results[index] for index in range(len(reach.addresses))])
