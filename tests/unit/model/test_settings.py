"""Settings travel as plain strings and come out as they went in."""

from __future__ import annotations

import marshal

import pytest

from gds.model.settings import NAMES, OWN, EtcdSettings, Settings, flag_of, plain_from, settings_from, variable_of

FULL = EtcdSettings(
    endpoints=("https://a:2379", "https://[::1]:2379"),
    prefix="/shop",
    ca_file="/etc/gds/ca.pem",
    cert_file="/etc/gds/me.pem",
    key_file="/etc/gds/me.key",
    user="gds",
    password_file="/etc/gds/password",
    lifetime=5.0,
    renew=1.0,
    attempt=0.7,
    margin=1.1,
    grace=0.25,
    watchdog="/dev/watchdog",
    fence_command="ipmi off",
    allow_old_etcd=True,
)


@pytest.mark.parametrize("etcd", [EtcdSettings(), FULL, EtcdSettings(lifetime=12.5)], ids=["none", "all", "one"])
def test_what_travels_comes_out_as_it_went_in(etcd: EtcdSettings) -> None:
    settings = Settings(node="n1", engine="etcd", etcd=etcd)
    plain = plain_from(settings)
    assert all(type(value) is str for value in plain.values())
    assert settings_from(marshal.loads(marshal.dumps(plain))) == settings


def test_without_etcd_an_older_version_understands_what_it_is_handed() -> None:
    assert set(plain_from(Settings(node="n1"))) == set(Settings.__fields__) - {"etcd"}


def test_only_what_is_no_default_travels() -> None:
    plain = plain_from(Settings(etcd=EtcdSettings(lifetime=12.5, allow_old_etcd=True)))
    assert {name: text for name, text in plain.items() if "etcd" in name} == {
        "etcd_lifetime": "12.5",
        "etcd_allow_old_etcd": "true",
    }


def test_what_can_be_given_by_text_may_be_no_default_too() -> None:
    assert settings_from({"etcd_allow_old_etcd": "false", "etcd_prefix": "/x"}).etcd == EtcdSettings(prefix="/x")


@pytest.mark.parametrize("plain", [{"etcd_liftime": "1"}, {"nod": "n1"}], ids=["of the table", "of the runner"])
def test_an_unknown_name_is_refused(plain: dict[str, str]) -> None:
    with pytest.raises(TypeError, match=r"liftime|nod"):
        settings_from(plain)


def test_each_setting_has_a_flat_name_and_spellings_made_of_it() -> None:
    assert set(NAMES) == {*Settings.__fields__, *[f"etcd_{name}" for name in EtcdSettings.__fields__]} - {"etcd"}
    assert set(OWN) == set(plain_from(Settings()))
    assert (variable_of("etcd_ca_file"), flag_of("etcd_ca_file")) == ("GDS_ETCD_CA_FILE", "--etcd-ca-file")
