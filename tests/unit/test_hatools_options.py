"""The command lines of hatimerun and halockrun: Sun's options (semantics.md 6), read without argparse."""

from __future__ import annotations

import getopt
import signal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gds.cli import halockrun, hatimerun
from gds.cli.launching import split_options
from gds.errors import UsageError

# What an argument can hold: anything but NUL, with bytes that are not UTF-8 as lone surrogates U+DC80 to U+DCFF.
ARGUMENT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0") | st.sampled_from("\udc80\udcff"))
TOKEN = st.sampled_from(
    ["-t", "-t5", "5", "-a", "-adv", "-d", "-k", "TERM", "-kterm", "-e", "-e7", "-x", "--", "-", "p"]
)
HALOCK_TOKEN = st.sampled_from(["-n", "-s", "-v", "-nsv", "-e", "7", "-e300", "--", "-", "lock", "prog", "-z"])


@pytest.mark.parametrize(
    ("argv", "field", "expected"),
    [
        pytest.param(["-t", "5", "p"], "limit", 5.0, id="limit in a word of its own"),
        pytest.param(["-t5", "p"], "limit", 5.0, id="limit in the same word"),
        pytest.param(["-vt5", "p"], "limit", 5.0, id="limit at the end of a bundle"),
        pytest.param(["-t", "0.25", "p"], "limit", 0.25, id="fraction of a second (extension)"),
        pytest.param(["-t", ".5", "p"], "limit", 0.5, id="fraction without a leading zero"),
        pytest.param(["-t", "1", "-t", "2", "p"], "limit", 2.0, id="the last of two limits counts"),
        pytest.param(["-t", "5", "p"], "timeout_exit", 99, id="99 by default"),
        pytest.param(["-e0", "-t", "5", "p"], "timeout_exit", 0, id="-e 0"),
        pytest.param(["-t", "5", "-e", "255", "p"], "timeout_exit", 255, id="-e 255"),
        pytest.param(["-t", "5", "p"], "kill_signal", signal.SIGKILL, id="SIGKILL by default"),
        pytest.param(["-t", "5", "-k", "TERM", "p"], "kill_signal", signal.SIGTERM, id="-k in capitals"),
        pytest.param(["-t", "5", "-k", "uSr1", "p"], "kill_signal", signal.SIGUSR1, id="-k in any case"),
        pytest.param(["-t", "5", "-k", "SIGINT", "p"], "kill_signal", signal.SIGINT, id="-k with SIG (extension)"),
        pytest.param(["-t", "5", "-k9", "p"], "kill_signal", 9, id="-k as a number"),
        pytest.param(["-t", "5", "-k", "64", "p"], "kill_signal", 64, id="-k as the highest number"),
        pytest.param(["-t", "5", "p"], "threshold", None, id="no -x by default"),
        pytest.param(["-t", "5", "-x", "80", "p"], "threshold", 80.0, id="-x"),
        pytest.param(["-t", "5", "-x0", "p"], "threshold", 0.0, id="-x 0"),
        pytest.param(["-at5", "p"], "leave_running", True, id="-a"),
        pytest.param(["-t5", "p"], "leave_running", False, id="without -a"),
        pytest.param(["-dt5", "p"], "clock_from_exec", True, id="-d"),
        pytest.param(["-t5", "p"], "clock_from_exec", False, id="without -d"),
        pytest.param(["-vt5", "p"], "verbose", True, id="-v"),
        pytest.param(["-t5", "p"], "verbose", False, id="without -v"),
        pytest.param(["-t5", "p", "-a", "-k9"], "command", ["p", "-a", "-k9"], id="the program keeps its options"),
        pytest.param(["-t5", "--", "-p", "x"], "command", ["-p", "x"], id="-- lets the program begin with a dash"),
        pytest.param(["-t5", "-", "x"], "command", ["-", "x"], id="a single dash is an operand"),
        pytest.param(["-t5", "p", "--", "x"], "command", ["p", "--", "x"], id="-- behind the program is the program's"),
    ],
)
def test_hatimerun_reads(argv: list[str], field: str, expected: object) -> None:
    assert getattr(hatimerun.Options(argv), field) == expected


@pytest.mark.parametrize(
    ("argv", "complaint"),
    [
        pytest.param([], "cannot run without a limit: -t secs is required", id="nothing"),
        pytest.param(["p"], "cannot run without a limit", id="no -t"),
        pytest.param(["-t", "5"], "cannot run without a program", id="no program"),
        pytest.param(["-t", "5", "--"], "cannot run without a program", id="no program behind --"),
        pytest.param(["-t"], "cannot use -t without a value", id="-t last"),
        pytest.param(["-vt"], "cannot use -t without a value", id="-t last in a bundle"),
        pytest.param(["-t", "0", "p"], "cannot use -t 0: expected seconds above 0", id="no time at all"),
        pytest.param(["-t", "-5", "p"], "cannot use -t -5:", id="negative"),
        pytest.param(["-t", "5s", "p"], "cannot use -t 5s: expected seconds above 0, without a unit", id="unit"),
        pytest.param(["-t", "+5", "p"], "cannot use -t +5:", id="plus sign"),
        pytest.param(["-t", "1e3", "p"], "cannot use -t 1e3:", id="exponent"),
        pytest.param(["-t", "inf", "p"], "cannot use -t inf:", id="infinite"),
        pytest.param(["-t", "nan", "p"], "cannot use -t nan:", id="not a number"),
        pytest.param(["-t", "1_0", "p"], "cannot use -t 1_0:", id="Python's underscore"),
        pytest.param(["-t", "٥", "p"], "cannot use -t ٥:", id="a digit that is not ASCII"),
        pytest.param(["-t", "", "p"], "cannot use -t '':", id="empty"),
        pytest.param(["-t", ".", "p"], "cannot use -t .:", id="only a point"),
        pytest.param(["-t", "1.2.3", "p"], "cannot use -t 1.2.3:", id="two points"),
        pytest.param(["-t", "0." + "0" * 400 + "1", "p"], "cannot use -t 0.000", id="too small to be a number"),
        pytest.param(["-t", "5\n6", "p"], r"cannot use -t '5\n6':", id="a message stays one line"),
        pytest.param(
            ["-t5", "-e", "256", "p"], "cannot use -e 256: expected an exit status from 0 to 255", id="-e 256"
        ),
        pytest.param(["-t5", "-e", "-1", "p"], "cannot use -e -1:", id="-e negative"),
        pytest.param(["-t5", "-e", "1.5", "p"], "cannot use -e 1.5:", id="-e fraction"),
        pytest.param(["-t5", "-e", "9" * 5000, "p"], "cannot use -e 999", id="-e with 5000 digits"),
        pytest.param(["-t5", "-k", "FOO", "p"], "cannot use -k FOO: expected a signal name such as TERM", id="-k FOO"),
        pytest.param(["-t5", "-k", "0", "p"], "cannot use -k 0:", id="-k 0 would only ask"),
        pytest.param(["-t5", "-k", "65", "p"], "cannot use -k 65: expected", id="-k 65"),
        pytest.param(["-t5", "-k", "-9", "p"], "cannot use -k -9:", id="-k -9"),
        pytest.param(["-t5", "-k", "SIG", "p"], "cannot use -k SIG:", id="-k SIG"),
        pytest.param(["-t5", "-k", "", "p"], "cannot use -k '':", id="-k empty"),
        pytest.param(["-t5", "-x", "101", "p"], "cannot use -x 101: expected a percentage from 0 to 100", id="-x 101"),
        pytest.param(["-t5", "-x", "80%", "p"], "cannot use -x 80%:", id="-x with a sign"),
        pytest.param(["-t5", "-ak", "TERM", "p"], "cannot use -a together with -k", id="-a and -k"),
        pytest.param(["-k9", "-t5", "-a", "p"], "cannot use -a together with -k", id="-k and -a"),
        pytest.param(["-z", "-t5", "p"], "cannot use option -z: there is no such option", id="unknown"),
        pytest.param(["-vzt5", "p"], "cannot use option -z", id="unknown in a bundle"),
        pytest.param(["--verbose", "-t5", "p"], "cannot use option --: ", id="long options do not exist"),
        pytest.param(["-\udcff", "-t5", "p"], r"cannot use option '-\udcff'", id="not UTF-8"),
    ],
)
def test_hatimerun_refuses_with_98_and_the_synopsis(
    argv: list[str], complaint: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert hatimerun.main(argv) == 98
    out, err = capfd.readouterr()
    first, rest = err.split("\n", 1)
    assert first.startswith("hatimerun: " + complaint)
    assert rest.startswith("usage: hatimerun -t secs [-adv]")
    assert out == ""


def test_hatimerun_minus_e_is_not_for_its_own_failures(capfd: pytest.CaptureFixture[str]) -> None:
    assert hatimerun.main(["-e", "7", "-t", "0", "p"]) == 98
    assert "cannot use -t 0" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("argv", "field", "expected"),
    [
        pytest.param(["f", "p"], "error_exit", 99, id="99 by default"),
        pytest.param(["-e", "7", "f", "p"], "error_exit", 7, id="-e"),
        pytest.param(["-nse7", "f", "p"], "error_exit", 7, id="-e at the end of a bundle"),
        pytest.param(["-e0", "f", "p"], "error_exit", 0, id="-e 0"),
        pytest.param(["-n", "f", "p"], "nonblocking", True, id="-n"),
        pytest.param(["f", "p"], "nonblocking", False, id="without -n"),
        pytest.param(["-s", "f", "p"], "shared", True, id="-s"),
        pytest.param(["f", "p"], "shared", False, id="without -s"),
        pytest.param(["-v", "f", "p"], "verbose", True, id="-v"),
        pytest.param(["f", "p"], "verbose", False, id="without -v"),
        pytest.param(["f", "p"], "lockfile", "f", id="lock file"),
        pytest.param(["--", "-f", "p"], "lockfile", "-f", id="lock file that begins with a dash"),
        pytest.param(
            ["f", "p", "-n", "--", "x"], "command", ["p", "-n", "--", "x"], id="the program keeps its options"
        ),
        pytest.param(["f", "-n"], "command", ["-n"], id="options end at the lock file"),
    ],
)
def test_halockrun_reads(argv: list[str], field: str, expected: object) -> None:
    options = halockrun.Options(argv)
    options.check()
    assert getattr(options, field) == expected


@pytest.mark.parametrize(
    ("argv", "status", "complaint"),
    [
        pytest.param([], 99, "cannot run without a lock file and a program", id="nothing"),
        pytest.param(["f"], 99, "cannot run without a lock file and a program", id="no program"),
        pytest.param(["", "p"], 99, "cannot run without a lock file", id="a lock file without a name"),
        pytest.param(["-e", "7", "f"], 7, "cannot run without", id="-e counts for bad usage"),
        pytest.param(["-z", "-e", "7", "f", "p"], 7, "cannot use option -z", id="-e behind the mistake counts too"),
        pytest.param(["-e7", "-z", "f", "p"], 7, "cannot use option -z", id="-e before the mistake"),
        pytest.param(["-n", "-z", "f", "p"], 99, "cannot use option -z", id="-n changes nothing here"),
        pytest.param(["-e", "256", "f", "p"], 99, "cannot use -e 256: expected an exit status", id="-e itself is bad"),
        pytest.param(["-e"], 99, "cannot use -e without a value", id="-e last"),
        pytest.param(["--shared", "f", "p"], 99, "cannot use option --: ", id="long options do not exist"),
    ],
)
def test_halockrun_refuses_with_99_or_minus_e_and_the_synopsis(
    argv: list[str], status: int, complaint: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert halockrun.main(argv) == status
    out, err = capfd.readouterr()
    first, rest = err.split("\n", 1)
    assert first.startswith("halockrun: " + complaint)
    assert rest == "usage: halockrun [-nsv] [-e exitcode] lockfile prog [args]\n"
    assert out == ""


@pytest.mark.parametrize("program", [hatimerun, halockrun])
def test_help_is_on_stdout_and_no_failure(program: object, capfd: pytest.CaptureFixture[str]) -> None:
    assert program.main(["--help"]) == 0  # type: ignore[attr-defined]
    out, err = capfd.readouterr()
    assert out.startswith("usage: ha")
    assert err == ""


@given(st.lists(TOKEN | ARGUMENT | ARGUMENT.map("-".__add__)))
def test_no_argv_gives_hatimerun_a_traceback(argv: list[str]) -> None:
    complaint = ""
    try:
        options = hatimerun.Options(argv)
    except UsageError as error:
        complaint = str(error)
    if complaint:
        assert complaint.startswith("cannot ")
        assert complaint.isprintable()
    else:
        assert options.limit > 0
        assert options.command
        assert 0 < options.kill_signal < signal.NSIG


@given(st.lists(HALOCK_TOKEN | ARGUMENT | ARGUMENT.map("-".__add__)))
def test_no_argv_gives_halockrun_a_traceback(argv: list[str]) -> None:
    options = halockrun.Options(argv)
    complaint = ""
    try:
        options.check()
    except UsageError as error:
        complaint = str(error)
    assert 0 <= options.error_exit <= 255
    if complaint:
        assert complaint.startswith("cannot ")
        assert complaint.isprintable()
    else:
        assert options.lockfile
        assert options.command


@given(st.lists(TOKEN | ARGUMENT | ARGUMENT.map("-".__add__)))
def test_options_are_split_as_getopt_does(argv: list[str]) -> None:
    found, operands, problem = split_options(argv, "adv", "tekx")
    try:
        expected, rest = getopt.getopt(argv, "advt:e:k:x:")
    except getopt.GetoptError:
        assert problem
    else:
        assert problem == ""
        assert [("-" + letter, value) for letter, value in found] == expected
        assert operands == rest


@given(
    limit=st.floats(0.001, 1e6).map(lambda seconds: f"{seconds:.3f}"),
    flags=st.text("dv", max_size=4),
    code=st.none() | st.integers(0, 255),
    kill=st.none() | st.sampled_from(list(signal.Signals)),
    joined=st.booleans(),
)
def test_hatimerun_reads_back_what_was_written(
    limit: str, flags: str, code: int | None, kill: signal.Signals | None, joined: bool
) -> None:
    argv = ["-" + flags] if flags else []
    valued = [("t", limit), ("e", code), ("k", kill and kill.name.removeprefix("SIG").lower())]
    for letter, value in valued:
        if value is not None:
            argv += [f"-{letter}{value}"] if joined else [f"-{letter}", str(value)]
    options = hatimerun.Options([*argv, "prog", "-t", "arg"])
    assert options.limit == float(limit)
    assert options.timeout_exit == (99 if code is None else code)
    assert options.kill_signal == (signal.SIGKILL if kill is None else kill)
    assert options.clock_from_exec == ("d" in flags)
    assert options.verbose == ("v" in flags)
    assert options.command == ["prog", "-t", "arg"]
