"""The one loop: epoll, timers in one heap, signals through a wake-up descriptor.

Facts it gives: a descriptor is ready, an instant has come, a signal arrived. It has no opinions and no ticks: with
nothing due it sleeps for ever. Callbacks run one after the other; none may block. `clock` is anything with
`monotonic()`; a fake clock drives the same loop in tests through `turn`.

An exception from a callback is our bug: it is given to `on_error`, and the loop goes on, because the applications of
everybody else must not pay for it.
"""

from __future__ import annotations

import os
import select
import time
from heapq import heapify, heappop, heappush

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable
    from typing import Protocol

    class Clock(Protocol):
        """Seconds of CLOCK_MONOTONIC: never goes back, not moved by anybody who sets the date."""

        def monotonic(self) -> float: ...
else:
    import _signal as signal  # plain numbers: the detour of `signal` over its enums costs time and memory


READ = select.EPOLLIN
WRITE = select.EPOLLOUT
PRIORITY = select.EPOLLPRI | select.EPOLLERR


class SystemClock:
    """The machine's clock."""

    monotonic = staticmethod(time.monotonic)


class Timer:
    """An appointment; `cancel` it when it is no longer wanted."""

    __slots__ = ("callback", "when")

    def __init__(self, when: float, callback: Callable[[], object]) -> None:
        self.when = when
        self.callback: Callable[[], object] | None = callback

    def cancel(self) -> None:
        """Nothing happens at its instant. Harmless when it has fired or was cancelled."""
        self.callback = None

    def __lt__(self, other: Timer) -> bool:
        return self.when < other.when


class Loop:
    """See the module."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock: Clock = clock or SystemClock()
        self._epoll = select.epoll(flags=select.EPOLL_CLOEXEC)
        self._ready: dict[int, Callable[[int], None]] = {}
        self._timers: list[Timer] = []
        self._sweep_above = 64
        self._soon: list[Callable[[], object]] = []
        self._idle: list[Callable[[], object]] = []
        self._signals: dict[int, Callable[[], object]] = {}
        self._wake: int = -1
        self._running = False
        self.turns = 0
        self.on_error: Callable[[BaseException], None] = _raise

    # -- what may be asked --------------------------------------------------------------------------------------------

    def now(self) -> float:
        """Seconds, monotonic."""
        return self.clock.monotonic()

    def watch(self, fd: int, callback: Callable[[int], None], events: int = READ) -> None:
        """Call `callback(events)` whenever `fd` is ready; a second call for the same fd replaces the first."""
        if fd in self._ready:
            self._epoll.modify(fd, events)
        else:
            self._epoll.register(fd, events)
        self._ready[fd] = callback

    def unwatch(self, fd: int) -> None:
        """Forget `fd`; call it before closing. Harmless when it is not watched."""
        if self._ready.pop(fd, None) is not None:
            try:
                self._epoll.unregister(fd)
            except OSError:
                pass  # closed already: the kernel forgot it by itself

    def at(self, when: float, callback: Callable[[], object]) -> Timer:
        """Call back at the instant `when`."""
        timer = Timer(when, callback)
        heappush(self._timers, timer)
        if len(self._timers) > self._sweep_above:
            self._sweep()
        return timer

    def after(self, seconds: float, callback: Callable[[], object]) -> Timer:
        """Call back in so many seconds."""
        return self.at(self.clock.monotonic() + seconds, callback)

    def soon(self, callback: Callable[[], object]) -> None:
        """Call back after the callbacks of this turn."""
        self._soon.append(callback)

    def when_idle(self, callback: Callable[[], object]) -> None:
        """Call back when nothing else waits: for tidying that must not delay a restart."""
        self._idle.append(callback)

    def on_signal(self, number: int, callback: Callable[[], object]) -> None:
        """Call back, from the loop, when the signal arrives. Arrivals close together are told once."""
        if self._wake < 0:
            reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
            self._wake = reader
            signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
            self.watch(reader, self._signalled)
        self._signals[number] = callback
        signal.signal(number, _nothing)

    @property
    def is_busy(self) -> bool:
        """Callbacks wait for the end of this turn."""
        return bool(self._soon)

    def unheard(self) -> set[int]:
        """Signals that have arrived and that nobody was told of; nobody will be, now."""
        if self._wake < 0:
            return set()
        try:
            return set(os.read(self._wake, 4096))
        except BlockingIOError:
            return set()

    def stop(self) -> None:
        """End `run` after this turn."""
        self._running = False

    def run(self) -> None:
        """Turn until `stop`."""
        self._running = True
        while self._running:
            self.turn()

    # -- how it turns -------------------------------------------------------------------------------------------------

    def next_due(self) -> float | None:
        """The instant of the next appointment."""
        timers = self._timers
        while timers and timers[0].callback is None:
            heappop(timers)
        return timers[0].when if timers else None

    def turn(self, longest: float | None = None) -> None:
        """Wait for something (at most `longest` seconds) and answer it."""
        self.turns += 1
        if self._soon or self._idle:
            wait = 0.0
        else:
            due = self.next_due()
            if due is None:
                wait = -1.0
            else:
                wait = due - self.clock.monotonic()
                # epoll counts whole milliseconds and rounds up: never early, never a busy turn
                wait = 0.0 if wait < 0.0 else wait
            if longest is not None and (wait < 0.0 or wait > longest):
                wait = longest
        happened = self._epoll.poll(wait if wait >= 0.0 else None, 256)
        ready = self._ready
        for fd, events, callback in [(fd, events, ready.get(fd)) for fd, events in happened]:
            # not if it was taken off meanwhile: its number may be another's now, for whom this is no news
            if callback is not None and ready.get(fd) is callback:
                try:
                    callback(events)
                except Exception as error:  # our bug, see the module
                    self.on_error(error)
        timers = self._timers
        if timers:
            now = self.clock.monotonic()
            while timers and timers[0].when <= now:
                due_callback = heappop(timers).callback
                if due_callback is not None:
                    self._call(due_callback)
        if self._soon:
            batch, self._soon = self._soon, []
            for each in batch:
                self._call(each)
        elif self._idle and not happened:
            batch, self._idle = self._idle, []
            for each in batch:
                self._call(each)

    def _call(self, callback: Callable[[], object]) -> None:
        try:
            callback()
        except Exception as error:  # our bug, see the module
            self.on_error(error)

    def _signalled(self, _events: int) -> None:
        # once: what does not fit wakes us again
        for number in set(os.read(self._wake, 4096)):
            callback = self._signals.get(number)
            if callback is not None:
                self._call(callback)  # a mistake in one must not lose the others

    def _sweep(self) -> None:
        # cancelled appointments stay in the heap; thrown out when they may be half of it, so the cost is shared out
        self._timers = [t for t in self._timers if t.callback is not None]
        heapify(self._timers)
        self._sweep_above = max(64, 2 * len(self._timers))


def _nothing(_number: int, _frame: object) -> None:
    """The wake-up descriptor carries the news; this only keeps the signal from its default action."""


def _raise(error: BaseException) -> None:
    raise error
