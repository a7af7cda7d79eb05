"""Every mistake has its own message: file, line, column, key, what was expected, the nearest known name."""

from __future__ import annotations

from pathlib import Path

import pytest

from gds.config.load import load
from tests.unit.config.telling import problems, read, write

HEAD = '[resource.a]\nstart_command = ["/bin/true"]\n'
NOTHING = '1:1: nothing is declared; expected start_command = "..." or a table [resource.NAME]'
DEEP = "cannot read it: nested deeper than 32 levels"


def cases(file: str) -> list[tuple[str, str, list[str]]]:
    """Title, text and messages of each case in a file beside this one."""
    made: list[tuple[str, list[str], list[str]]] = []
    for line in (Path(__file__).parent / file).read_text().splitlines():
        mark, rest = line[:3], line[4:]
        if mark == "  |":
            made[-1][1].append(rest)
        elif mark == "  >":
            made[-1][2].append(rest)
        elif line and not line.startswith("    "):
            made.append((line, [], []))
    return [(title, "\n".join(text), told) for title, text, told in made if told]


KEYS = cases("mistakes_of_keys.txt")
FILES = cases("mistakes_of_files.txt")


def test_the_cases_are_read() -> None:
    assert len(KEYS) > 100
    assert len(FILES) >= 40


@pytest.mark.parametrize(("keys", "expected"), [k[1:] for k in KEYS], ids=[k[0] for k in KEYS])
def test_one_mistake_one_message(tmp_path: Path, keys: str, expected: list[str]) -> None:
    assert problems(tmp_path, HEAD + keys) == [f"app.toml:{line}" for line in expected]


@pytest.mark.parametrize(("text", "expected"), [f[1:] for f in FILES], ids=[f[0] for f in FILES])
def test_a_file_is_told_all_its_mistakes(tmp_path: Path, text: str, expected: list[str]) -> None:
    assert problems(tmp_path, text) == [f"app.toml:{line}" for line in expected]


ODD: list[tuple[str, str | bytes, str]] = [
    ("empty", "", NOTHING),
    ("binary", b"\x7fELF\x02\x01\x01\x00\xff", "1:9: cannot read it: not UTF-8 (byte 0xff)"),
    ("a control character", b"a = '\x01'", "1:6: not TOML: found invalid character '\\x01'"),
    ("latin-1", b"a = 1\nb = '\xfc", "2:6: cannot read it: not UTF-8 (byte 0xfc)"),
    (
        "a byte order mark",
        b'\xef\xbb\xbfstart_command = "x"',
        "1:1: cannot read it: it begins with a byte order mark (BOM); save it as UTF-8 without BOM",
    ),
    (
        "UTF-16",
        'start_command = "x"'.encode("utf-16"),
        "1:1: cannot read it: it is UTF-16; save it as UTF-8 without BOM",
    ),
    ("1 MiB of brackets", "[" * (1 << 20), "1:3: not TOML: invalid initial character for a key part"),
    ("1 MiB of brackets in a value", "a=" + "[" * ((1 << 20) - 2), f"1:36: {DEEP}"),
    ("inline tables without end", "a=" + "{a=" * 300000, f"1:102: {DEEP}"),
    ("a key of a hundred thousand parts", "a" + ".a" * 100000 + " = 1", f"1:65: {DEEP}"),
    ("a header of a hundred thousand parts", "[a" + ".a" * 100000 + "]", f"1:66: {DEEP}"),
    ("a number of five thousand digits", "a = " + "9" * 5000, "1:5: not TOML: a number of too many digits"),
    ("more than 1 MiB", "#" * ((1 << 20) + 1), " cannot read it: longer than 1 MiB"),
    (
        "a name of a hundred thousand letters",
        f"[resource.{'a' * 100000}]",
        f'1:2: resource."{"a" * 77}...": "{"a" * 37}..." cannot be a name: a name has at most 255 characters, '
        "this one 100000",
    ),
    (
        "a count of five thousand digits",
        HEAD + "retry_count = 0x" + "f" * 5000,
        "3:15: resource.a.retry_count: expected a number of at most 1000000000, not a number of more than 38 digits",
    ),
]


@pytest.mark.parametrize(("text", "expected"), [o[1:] for o in ODD], ids=[o[0] for o in ODD])
def test_an_odd_file_is_told_in_one_line(tmp_path: Path, text: str | bytes, expected: str) -> None:
    assert problems(tmp_path, text) == [f"app.toml:{expected}"]


def test_a_file_name_that_is_no_name(tmp_path: Path) -> None:
    assert problems(tmp_path, 'start_command = "x"', "my.app.toml") == [
        "my.app.toml:1:1: start_command: a resource without [resource.NAME] is named after its file; "
        "\"my.app\" cannot be a name: a name has letters, digits, '-' and '_' only, not '.'"
    ]


def test_a_resource_declared_in_two_files_is_told_with_both_places(tmp_path: Path) -> None:
    one = write(tmp_path, '[resource.a]\nstart_command = "/bin/true"\n', "one.toml")
    two = write(tmp_path, '\n[resource.a]\nstart_command = "/bin/true"\n', "two.toml")
    assert [str(p) for p in load([one, two]).problems] == [
        f"{two}:2:2: resource.a: the resource a is declared twice (the other is at {one}:1:2)"
    ]


def test_a_group_declared_in_two_files_is_told_with_both_places(tmp_path: Path) -> None:
    one = write(tmp_path, '[resource.a]\nstart_command = "/bin/true"\n[group.g]\n', "one.toml")
    two = write(tmp_path, "[group.g]\n", "two.toml")
    assert [str(p) for p in load([one, two]).problems] == [
        f"{two}:1:2: group.g: the group g is declared twice (the other is at {one}:3:2)"
    ]


def test_the_mistakes_of_all_files_come_out_of_one_run(tmp_path: Path) -> None:
    paths = [
        write(tmp_path, "retry_count = 'x'", "a.toml"),
        str(tmp_path / "missing.toml"),
        write(tmp_path, "[", "b.toml"),
    ]
    told = [str(p) for p in load(paths).problems]
    assert told == [
        f"{paths[1]}: cannot read it: No such file or directory",
        f"{paths[0]}:1:1: start_command is missing: the command that starts the application",
        f'{paths[0]}:1:15: retry_count: expected a whole number, not "x"',
        f"{paths[2]}:1:2: not TOML: invalid initial character for a key part at the end of the file; is it cut off?",
    ]


def test_values_of_the_environment_are_never_shown(tmp_path: Path) -> None:
    secret = "hunter2"
    text = f'{HEAD}environment = {{"A B" = "{secret}", B = 5, C = "{secret}\\u0000"}}\nuser = "no-such"\n'
    told = problems(tmp_path, text)
    assert len(told) == 4
    assert not any(secret in line for line in told)


def test_values_in_environment_files_are_never_shown(tmp_path: Path) -> None:
    secret = tmp_path / "secret.env"
    secret.write_text("PASSWORD=hunter2\n")
    loaded = read(tmp_path, f'{HEAD}environment_files = ["{secret}"]\nuser = "no-such"\n')
    assert loaded.problems
    assert "hunter2" not in str(loaded)


def test_suggestions_run_out_before_patience_does(tmp_path: Path) -> None:
    keys = "\n".join([f"retry_cou{n} = 1" for n in range(20000)])
    told = problems(tmp_path, HEAD + keys)
    assert len(told) == 20000
    assert "did you mean retry_count?" in told[0]
    assert "did you mean" not in told[-1]


def test_what_the_kernel_would_not_take_is_refused_before_anything_is_started(tmp_path: Path) -> None:
    most = "x" * 131_071
    text = '[resource.a]\nstart_command = "{0}"\nprobe_command = ["true", "{0}"]\nenvironment = {{A = "{1}"}}\n'
    assert problems(tmp_path, text.format(most, most[2:])) == []
    kernel = "(the kernel takes no more), not 131072"
    assert problems(tmp_path, text.format("ä" * 65_536, most[1:])) == [
        f"app.toml:2:17: resource.a.start_command: a command may have at most 131071 bytes {kernel}; put it into a"
        " script",
        f"app.toml:3:26: resource.a.probe_command[1]: a word of a command may have at most 131071 bytes {kernel}",
        f"app.toml:4:16: resource.a.environment.A: a variable may have at most 131071 bytes with its name {kernel}",
    ]
