"""Launch: how one command is started; everything is decided and looked up before the fork."""

from __future__ import annotations

from gds.model.value import Value


class Launch(Value):
    """How one command is started: everything is decided and looked up before the fork.

    `stdin` is always /dev/null; `stdout` and `stderr` are descriptors of ours that become 1 and 2 (the callee
    duplicates, it does not close them). `cwd` "" = the runner's own. `umask` -1 = the runner's own. `uid` and `gid`
    -1 = unchanged; `groups` None = unchanged. `limits` are (RLIMIT number, soft, hard), -1 = infinity.
    `nice` and `oom_score_adjust` 0 = unchanged. The process gets a session of its own, default dispositions, an empty
    signal mask and no other descriptor.
    """

    argv: tuple[str, ...]
    env: dict[str, str]
    stdout: int = 1
    stderr: int = 2
    cwd: str = ""
    umask: int = -1
    uid: int = -1
    gid: int = -1
    groups: tuple[int, ...] | None = None
    limits: tuple[tuple[int, int, int], ...] = ()
    nice: int = 0
    oom_score_adjust: int = 0

    @property
    def needs_launcher(self) -> bool:
        """posix_spawn alone cannot do it."""
        return bool(
            self.uid >= 0
            or self.gid >= 0
            or self.groups is not None
            or self.limits
            or self.nice
            or self.oom_score_adjust
        )
