"""What the settings of etcd may be, and what is said when they cannot."""

from __future__ import annotations

from pathlib import Path

import pytest

from gds.engine.etcd_place import Place, check_password, context_of, password_of, places_of, prefix_of
from gds.errors import ConfigError
from gds.model.settings import EtcdSettings


@pytest.mark.parametrize(
    ("url", "host", "port", "tls"),
    [
        ("http://10.0.0.1:2379", "10.0.0.1", 2379, False),
        ("https://etcd1.example.org:4001/", "etcd1.example.org", 4001, True),
        ("https://etcd1", "etcd1", 2379, True),
        ("http://[::1]:2379", "::1", 2379, False),
        ("http://[fe80::1]", "fe80::1", 2379, False),
    ],
)
def test_an_endpoint_is_a_url(url: str, host: str, port: int, tls: bool) -> None:
    place = Place(url)
    assert (place.host, place.port, place.is_tls) == (host, port, tls)


@pytest.mark.parametrize(
    "url",
    [
        *("", "10.0.0.1:2379", "ftp://h:1", "http://", "http://h:x", "http://h:0", "http://h:70000"),
        *("http://h/p:1", "http://user@h:1", "http://[::1]x", "http://h:²"),
    ],
)
def test_what_is_no_endpoint_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match=r"^cannot use endpoint .*https://HOST:PORT"):
        Place(url)


def test_there_must_be_endpoints_each_once() -> None:
    with pytest.raises(ConfigError, match="endpoints is empty"):
        places_of(EtcdSettings())
    with pytest.raises(ConfigError, match="http://h:1 is named twice"):
        places_of(EtcdSettings(endpoints=("http://h:1", "http://i:1", "http://h:1/")))


def test_a_prefix_is_a_part_of_etcd() -> None:
    assert prefix_of(EtcdSettings(prefix="/gds")) == prefix_of(EtcdSettings(prefix="/gds//")) == "/gds/"
    with pytest.raises(ConfigError, match=r"^cannot use prefix '/'"):
        prefix_of(EtcdSettings(prefix="/"))


def settings(tmp_path: Path, **names: str) -> EtcdSettings:
    garbage = tmp_path / "garbage.pem"
    garbage.write_text("this is no certificate\n")
    (tmp_path / "cert.pem").write_text("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n")
    found = {name: str(tmp_path / file) for name, file in names.items()}
    return EtcdSettings(endpoints=("https://h:1",), **found)  # type: ignore[arg-type]  # names of files


@pytest.mark.parametrize(
    ("names", "says"),
    [
        ({"ca_file": "none.pem"}, "cannot read ca_file .*none.pem: no such file"),
        ({"ca_file": "garbage.pem"}, "cannot read ca_file .*garbage.pem: "),
        ({"cert_file": "none.pem"}, "cert_file and key_file"),
        ({"key_file": "none.pem"}, "cert_file and key_file"),
        (
            {"cert_file": "garbage.pem", "key_file": "garbage.pem"},
            "cannot use cert_file .*garbage.pem: no certificate in PEM form is in it",
        ),
        (
            {"cert_file": "cert.pem", "key_file": "garbage.pem"},
            "cannot use key_file .*garbage.pem: no private key in PEM form is in it",
        ),
        ({"cert_file": "cert.pem", "key_file": "none.pem"}, "cannot read key_file .*none.pem: no such file"),
        ({"cert_file": "cert.pem", "key_file": "cert.pem"}, "cannot use key_file .*cert.pem: no private key"),
    ],
    ids=str,
)
def test_a_certificate_that_is_none_is_refused_by_name(tmp_path: Path, names: dict[str, str], says: str) -> None:
    asked = settings(tmp_path, **names)
    with pytest.raises(ConfigError, match=says):
        context_of(asked, places_of(asked))


def test_certificates_want_https() -> None:
    asked = EtcdSettings(endpoints=("http://h:1",), ca_file="/x")
    with pytest.raises(ConfigError, match="https://"):
        context_of(asked, places_of(asked))
    assert context_of(EtcdSettings(), places_of(EtcdSettings(endpoints=("http://h:1",)))) is None


def test_a_password_is_a_line_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "password"
    asked = EtcdSettings(user="gds", password_file=str(file))
    with pytest.raises(ConfigError, match=r"cannot read password_file .*no such file"):
        password_of(asked)
    file.write_text(" se cret \r\n")
    assert password_of(asked) == " se cret "
    file.write_text("\n")
    with pytest.raises(ConfigError, match="is empty"):
        password_of(asked)
    file.write_bytes(b"\xff\xfe\n")
    with pytest.raises(ConfigError, match="not UTF-8"):
        password_of(asked)
    with pytest.raises(ConfigError, match="password_file is not set"):
        password_of(EtcdSettings(user="gds"))


@pytest.mark.parametrize(("mode", "says"), [(0o644, "read"), (0o602, "write"), (0o640, ""), (0o600, "")])
def test_a_password_that_everybody_may_read_is_refused(tmp_path: Path, mode: int, says: str) -> None:
    file = tmp_path / "password"
    file.write_text("secret\n")
    file.chmod(mode)
    asked = EtcdSettings(user="gds", password_file=str(file))
    if says:
        with pytest.raises(ConfigError, match=f"^cannot use password_file .*: everybody may {says} it"):
            check_password(asked)
    else:
        check_password(asked)
