"""The lines between the runner and its keepers: what comes over them, and the end of those who were there."""

from __future__ import annotations

import errno
import os
import select

from gds.linux import parcel

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable
    from typing import Any

    from gds.linux.keepertree import Keeper
    from gds.linux.loop import Loop
    from gds.model.launch import Launch
else:
    import _signal as signal  # plain numbers: the detour of `signal` over its enums costs time and memory


class Lines:
    """`on_message(keeper, message)`; `on_end(keeper)`: its end of the socket is closed; `on_death(keeper)`: it is dead,
    for whom it was waited with `wait_for_end`."""

    def __init__(
        self,
        loop: Loop,
        on_message: Callable[[Keeper, tuple[Any, ...]], None],
        on_end: Callable[[Keeper], None],
        on_death: Callable[[Keeper], None],
    ) -> None:
        self._loop = loop
        self._on_message = on_message
        self._on_end = on_end
        self._on_death = on_death
        self.keepers: dict[int, Keeper] = {}
        """By the descriptor of our end."""

    def serve(self, keeper: Keeper) -> None:
        """Hear what it says from now on."""
        self.keepers[keeper.sock.fileno()] = keeper
        self._loop.watch(keeper.sock.fileno(), lambda _events: self._heard(keeper))

    def order(self, keeper: Keeper, order: tuple[Any, ...], launch: Launch) -> bool:
        """Tell it what to start. False: nobody is there any more. Raises OSError when it cannot be told."""
        try:
            parcel.send(keeper.sock, order, (launch.stdout, launch.stderr))
        except OSError as error:
            if error.errno not in (errno.EPIPE, errno.ECONNRESET):
                self.hang_up(keeper)
                raise
            return False
        return True

    def hang_up(self, keeper: Keeper) -> None:
        """Nothing more is wanted of it: without a tree it ends."""
        fd = keeper.sock.fileno()
        if fd >= 0:
            self._loop.unwatch(fd)
            self.keepers.pop(fd, None)
            keeper.sock.close()
        if keeper.pidfd >= 0:
            self._loop.unwatch(keeper.pidfd)
            os.close(keeper.pidfd)
            keeper.pidfd = -1

    def wait_for_end(self, keeper: Keeper) -> None:
        """Its orphans climb when it is dead for the kernel, which is later than the end of its socket."""
        self._loop.unwatch(keeper.sock.fileno())
        self.keepers.pop(keeper.sock.fileno(), None)
        keeper.sock.close()
        keeper.signal(signal.SIGKILL)
        try:
            keeper.pidfd = os.pidfd_open(keeper.pid)
        except OSError:
            self._loop.soon(lambda: self._on_death(keeper))
            return
        if not keeper.is_itself():
            self._loop.soon(lambda: self._on_death(keeper))
            return
        self._loop.watch(keeper.pidfd, lambda _events: self._on_death(keeper), select.EPOLLIN)

    def _heard(self, keeper: Keeper) -> None:
        while keeper.sock.fileno() >= 0:
            try:
                message, fds = parcel.receive(keeper.sock)
            except BlockingIOError:
                return
            parcel.close(fds)
            if message is None:
                self._on_end(keeper)
                return
            self._on_message(keeper, message)
