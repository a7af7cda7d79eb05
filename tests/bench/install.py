"""Puts the peers and the programs of the bench on the machine.

Debian's packages through apt-get (they stay installed), the Python ones into a virtual environment and pm2 through npm
into the cache directory. While apt-get runs, a policy-rc.d refuses to start any service; what stood in its place is
put back. A peer that cannot be had is left out with the reason; nothing here stops the bench but a missing gcc.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench.fleet import Programs
from tests.bench.peers.contract import Peer, Place

_POLICY = Path("/usr/sbin/policy-rc.d")
_REFUSE = "#!/bin/sh\n# services are not started while a benchmark installs the programs it measures\nexit 101\n"
_SPECIAL = {
    "app": ["-Wl,-e,bench_start"],
    "probe": ["-nostdlib", "-ffreestanding", "-fno-stack-protector", "-fno-pie"],
}
_SOURCES = Path(__file__).parent / "programs"


class CannotInstall(Exception):
    """The message says what and why."""


def default_cache() -> Path:
    """Under XDG_CACHE_HOME, else in the system's directory for temporary files, for this user alone."""
    if own := os.environ.get("XDG_CACHE_HOME"):
        return Path(own) / "gds-bench"
    return Path(tempfile.gettempdir()) / f"gds-bench-{os.getuid()}"


def open_cache(path: Path) -> Path:
    """Make it, or check that it is ours: programs are executed from it."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = path.lstat()
    if path.is_symlink() or found.st_uid != os.getuid() or found.st_mode & 0o022:
        raise CannotInstall(f"cannot use {path}: it must be a directory of yours that nobody else can write to")
    return path


def compile_programs(directory: Path) -> Programs:
    """gcc -static, so that an app starts as fast as one can."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        raise CannotInstall("cannot compile the app: no gcc (apt-get install gcc libc6-dev)")
    for name in Programs._fields:
        special = _SPECIAL.get(name, []) if platform.machine() == "x86_64" else []
        _run([compiler, "-O2", "-static", *special, "-o", str(directory / name), str(_SOURCES / f"{name}.c")])
    return Programs(*(directory / name for name in Programs._fields))


def install(peers: Iterable[Peer], cache: Path) -> dict[str, str]:
    """Install what is not there yet; peer → reason for those that cannot be had."""
    reasons: dict[str, str] = {}
    for peer in peers:
        if not peer.missing():
            continue
        try:
            if peer.debian:
                _say(f"installing {peer.name} with apt-get")
                _apt(peer.debian)
            elif peer.python:
                _say(f"installing {peer.name} into {peer.place.venv}")
                _pip(peer.python, peer.place.venv)
            elif peer.npm:
                _say(f"installing {peer.name} into {peer.place.npm}")
                _npm(peer.npm, peer.place.npm)
        except CannotInstall as error:
            reasons[peer.name] = str(error)
            continue
        if reason := peer.missing():
            reasons[peer.name] = reason
    return reasons


def version(peer: Peer) -> str:
    """What it says its version is; a question mark when it does not."""
    known, command = peer.version()
    if known or not command:
        return known or "?"
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    return (done.stdout.split() or ["?"])[-1]


def _apt(packages: tuple[str, ...]) -> None:
    apt = shutil.which("apt-get")
    if apt is None:
        raise CannotInstall("cannot install: no apt-get here")
    if os.geteuid() != 0:
        raise CannotInstall(f"cannot install as this user; as root: apt-get install {' '.join(packages)}")
    get = [apt, "-o", "DPkg::Lock::Timeout=300", "-qq"]
    with _no_services():
        command = [*get, "install", "-y", "--no-install-recommends", *packages]
        try:
            _run(command)
        except CannotInstall:  # the lists are missing or old
            _run([*get, "update"])
            _run(command)


@contextmanager
def _no_services() -> Iterator[None]:
    before = (_POLICY.read_bytes(), _POLICY.stat().st_mode) if _POLICY.exists() else None
    try:
        _POLICY.write_text(_REFUSE)
        _POLICY.chmod(0o755)
        yield
    finally:
        if before is None:
            _POLICY.unlink(missing_ok=True)
        else:
            _POLICY.write_bytes(before[0])
            _POLICY.chmod(before[1])


def _pip(packages: tuple[str, ...], venv: Path) -> None:
    if not (venv / "bin" / "pip").exists():
        _run([sys.executable, "-m", "venv", str(venv)])
    _run([str(venv / "bin" / "pip"), "install", "--quiet", *packages])


def _npm(packages: tuple[str, ...], directory: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise CannotInstall("cannot install: no npm here")
    directory.mkdir(parents=True, exist_ok=True)
    quiet = ["--no-audit", "--no-fund", "--no-update-notifier", "--loglevel", "error"]
    _run([npm, "install", "--prefix", str(directory), *quiet, *packages])


def _run(command: list[str]) -> None:
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, env=env)
    if done.returncode:
        last = ([line for line in (done.stderr + done.stdout).splitlines() if line.strip()] or ["no message"])[-1]
        raise CannotInstall(f"cannot install: {Path(command[0]).name} ended with {done.returncode}: {last[:160]}")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def place(cache: Path) -> Place:
    """Where things go in the cache."""
    return Place(cache / "venv", cache / "npm")
