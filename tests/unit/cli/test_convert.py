"""gds convert: the commands for each descriptor in samples/ are those beside it, word for word."""

from __future__ import annotations

from pathlib import Path

import pytest

from gds.cli.main import main

SAMPLES = Path(__file__).parent / "samples"


@pytest.mark.parametrize("form", ["pcs", "crm"])
@pytest.mark.parametrize("name", ["one", "shop"])
def test_what_is_printed_is_what_was_agreed(name: str, form: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["convert", "--to", form, str(SAMPLES / f"{name}.toml")]) == 0
    told = capsys.readouterr().out.replace(str(SAMPLES), "/etc/gds")
    assert told == (SAMPLES / f"{name}.{form}").read_text()


def test_several_descriptors_make_one_script(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.toml").write_text('start_command = "exec x"\n')
    assert main(["convert", "--to", "pcs", str(tmp_path / "a.toml"), str(tmp_path / "b.toml")]) == 0
    lines = capsys.readouterr().out.split("\n")
    assert [line.split()[3] for line in lines if line.startswith("pcs resource create")] == ["a", "b"]
    assert lines.count("pcs property set stonith-enabled=true") == 1


def test_a_name_with_a_blank_is_quoted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "my app.toml").write_text('[resource.a]\nstart_command = "exec x"\n')
    assert main(["convert", "--to", "pcs", str(tmp_path / "my app.toml")]) == 0
    assert f"config='{tmp_path}/my app.toml'" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "cannot convert: name descriptors"),
        (["a.toml"], "cannot convert to nothing: --to is one of pcs, crm"),
        (["--to", "xml", "a.toml"], "cannot convert to xml: --to is one of pcs, crm"),
    ],
)
def test_wrong_usage_is_told(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["convert", *words]) == 2
    assert said in capsys.readouterr().err


def test_a_bad_descriptor_is_refused_with_its_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.toml").write_text('start_command = "exec x"\nretry_cuont = 3\n')
    assert main(["convert", "--to", "pcs", str(tmp_path / "a.toml")]) == 78
    told = capsys.readouterr()
    assert not told.out
    assert "a.toml:2:1" in told.err
    assert "retry_count" in told.err
