"""The parcel between two runners in one process: believed by its own process alone, whatever is in the environment."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from gds.linux import handover

FACTS = {"apps": ({"name": "web", "at": 1.5, "raw": b"\0\xff"},), "none": None}


def test_what_is_packed_is_read() -> None:
    fd = handover.pack(3, "1.2.3", FACTS)
    try:
        assert not os.get_inheritable(fd)
        parcel = handover.read(fd, 3)
    finally:
        os.close(fd)
    assert (parcel.format, parcel.version, parcel.pid, parcel.facts) == (3, "1.2.3", os.getpid(), FACTS)


def test_another_format_is_told_and_not_read() -> None:
    fd = handover.pack(3, "1.2.3", FACTS)
    try:
        parcel = handover.read(fd, 4)
    finally:
        os.close(fd)
    assert (parcel.format, parcel.facts) == (3, {})


@pytest.mark.parametrize("data", [b"", b"1 2\n", b"x 1.0 2 3\n", b"1 1.0 2 3\nrubbish", b"1 1.0 2 3\n"])
def test_rubbish_is_no_parcel(data: bytes) -> None:
    fd = os.memfd_create("gds-handover")
    try:
        os.write(fd, data)
        os.lseek(fd, 0, os.SEEK_SET)
        with pytest.raises(ValueError, match=r"."):
            handover.read(fd, 1)
    finally:
        os.close(fd)


def test_its_own_process_takes_it_and_the_variable_goes() -> None:
    fd = handover.pack(1, "1.0", FACTS)
    environ = {handover.VARIABLE: str(fd), "KEPT": "1"}
    parcel = handover.take(environ, 1)
    assert parcel is not None
    assert parcel.facts == FACTS
    assert environ == {"KEPT": "1"}
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(fd)


def test_nobody_else_is_believed() -> None:
    fd = handover.pack(1, "1.0", FACTS)
    child = f"import os\nfrom gds.linux import handover\nprint(handover.take({{'GDS_HANDOVER': '{fd}'}}, 1))"
    try:
        told = subprocess.run([sys.executable, "-c", child], pass_fds=[fd], capture_output=True, text=True, check=True)
    finally:
        os.close(fd)
    assert told.stdout == "None\n"
    for given in ("", "x", "0", "99999"):
        assert handover.take({handover.VARIABLE: given}, 1) is None
    assert handover.take({}, 1) is None


REFUSED = """
import os, signal, sys
from gds.linux import handover
reader, writer = os.pipe2(os.O_CLOEXEC)
fd = handover.pack(1, "1.0", {})
sys.executable = "/nowhere/python"
before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
try:
    handover.send(fd, [reader], lambda: {signal.SIGCHLD})
except FileNotFoundError:
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before
    assert not os.get_inheritable(reader)
    assert not os.get_inheritable(fd)
    print("as it was")
"""


def test_when_the_kernel_refuses_all_is_as_it_was() -> None:
    told = subprocess.run([sys.executable, "-c", REFUSED], capture_output=True, text=True, check=False)
    assert (told.stdout, told.stderr) == ("as it was\n", "")
