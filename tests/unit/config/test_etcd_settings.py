"""[runner.etcd] of the settings file, GDS_ETCD_…, --etcd-endpoints: rising strength, and what goes together."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gds.config import cache, places
from gds.config.compiler import answer, settle
from gds.config.explain import meanings
from gds.config.hints import hints_anew
from gds.config.settings import load_settings
from gds.model.properties import ETCD, Property
from gds.model.settings import EtcdSettings, settings_from
from gds.model.value import fields_of
from tests.unit.config.telling import write

EUID = os.geteuid()
NO = "cannot keep a node's tenure"
WHERE = "endpoints = ['http://a:2379']\n"


@pytest.fixture(autouse=True)
def suggestions() -> None:
    """A run has so many suggestions to make and no more; other tests have had theirs."""
    hints_anew()


def given(directory: Path, text: str, flags: dict[str, str], environ: dict[str, str]) -> tuple[EtcdSettings, list[str]]:
    """The table, and the problems without the directory."""
    path = write(directory, text, "gds.toml")
    found = load_settings(flags, {"GDS_CONFIG": path, **environ}, EUID)
    return settings_from(found.values).etcd, [str(p).replace(f"{directory}/", "") for p in found.problems]


def test_every_key_of_the_table_is_a_field() -> None:
    assert tuple(p.name for p in ETCD) == fields_of(EtcdSettings)


def test_each_key_is_the_strongest_that_was_given(tmp_path: Path) -> None:
    text = (
        "[runner]\nengine = 'etcd'\n[Runner.Etcd]\nLifetime = '12s'\nrenew = 1\nattempt = '500ms'\nprefix = '/shop/'\n"
        "endpoints = ['http://a:2379']\nallow_old_etcd = true\n"
    ).replace("Runner.Etcd", "runner.ETCD")
    environ = {"GDS_ETCD_RENEW": "1.5", "GDS_ETCD_ENDPOINTS": "http://b:2379", "GDS_ETCD_ALLOW_OLD_ETCD": "False"}
    etcd, problems = given(tmp_path, text, {"etcd_endpoints": "https://C:2379/, https://[::1]:1"}, environ)
    assert problems == []
    assert etcd == EtcdSettings(
        endpoints=("https://c:2379", "https://[::1]:1"), prefix="/shop", lifetime=12.0, renew=1.5, attempt=0.5
    )


ALONE: list[tuple[str, str, list[str]]] = [
    (
        "an unknown key",
        "liftime = 5\n",
        ["gds.toml:2:1: runner.etcd.liftime: unknown key; did you mean lifetime?"],
    ),
    (
        "nothing like it",
        "zzzz = 5\n",
        ["gds.toml:2:1: runner.etcd.zzzz: unknown key; known: " + ", ".join([p.name for p in ETCD])],
    ),
    (
        "twice",
        "prefix = '/a'\nPrefix = '/b'\n",
        ["gds.toml:3:1: runner.etcd.Prefix: given twice, in different capitalisation"],
    ),
    (
        "no port",
        "endpoints = ['http://a']\n",
        [
            'gds.toml:2:13: runner.etcd.endpoints: expected a URL with a port such as "https://etcd1:2379", '
            'not "http://a"'
        ],
    ),
    (
        "no number",
        "endpoints = ['http://a:x']\n",
        [
            'gds.toml:2:13: runner.etcd.endpoints: expected a URL with a port such as "https://etcd1:2379", '
            'not "http://a:x"'
        ],
    ),
    (
        "a path",
        "endpoints = ['http://a:1/v3']\n",
        [
            "gds.toml:2:13: runner.etcd.endpoints: expected a URL that ends with the port such as "
            '"https://etcd1:2379", not "http://a:1/v3"'
        ],
    ),
    (
        "a password",
        "endpoints = ['http://u:p@a:1']\n",
        [
            "gds.toml:2:13: runner.etcd.endpoints: no name and password belong into the URL of a: use user and "
            "password_file"
        ],
    ),
    (
        "no list",
        "endpoints = [1]\n",
        [
            'gds.toml:2:13: runner.etcd.endpoints: expected an array of URLs such as "https://etcd1:2379", or one '
            "string with commas, not an array"
        ],
    ),
    (
        "no prefix",
        "prefix = 'gds'\n",
        ['gds.toml:2:10: runner.etcd.prefix: expected a prefix of keys such as "/gds", not "gds"'],
    ),
    (
        "no boolean",
        "allow_old_etcd = 'yes'\n",
        ['gds.toml:2:18: runner.etcd.allow_old_etcd: expected true or false, not "yes"'],
    ),
    (
        "a certificate without its key",
        "cert_file = '/c'\n",
        ["gds.toml:2:13: runner.etcd.cert_file: cert_file needs key_file"],
    ),
    (
        "a key without its certificate",
        "key_file = '/k'\n",
        ["gds.toml:2:12: runner.etcd.key_file: key_file needs cert_file"],
    ),
    (
        "nobody's password",
        "password_file = '/p'\n",
        ["gds.toml:2:17: runner.etcd.password_file: password_file needs user"],
    ),
    ("a margin", "margin = 0.5\n", ["gds.toml:2:10: runner.etcd.margin: expected at least 0.6 s, not 0.5"]),
    (
        "times that do not go together",
        "renew = 1\nlifetime = 5\n",
        [
            f"gds.toml:3:12: runner.etcd.lifetime: {NO}: renew 1 + an election of etcd's leader "
            "2.2 + one attempt 1 + margin 2 + grace 0 = 6.2 s is more than lifetime 5 s; make lifetime at least 6.2, "
            "or the others smaller"
        ],
    ),
    (
        "only together too much",
        "renew = 4\nattempt = 2\n",
        [
            f"gds.toml:2:9: runner.etcd.renew: {NO}: renew 4 + 3 attempts of 2 + margin 2 + grace 0 "
            "= 12 s is more than lifetime 10 s; make lifetime at least 12, or the others smaller"
        ],
    ),
    (
        "several at once",
        "prefix = ''\ncert_file = '/c'\nlifetime = '7s'\nkeyfile = '/k'\n",
        [
            'gds.toml:2:10: runner.etcd.prefix: expected a prefix of keys such as "/gds", not ""',
            "gds.toml:5:1: runner.etcd.keyfile: unknown key; did you mean key_file?",
            "gds.toml:3:13: runner.etcd.cert_file: cert_file needs key_file",
            f"gds.toml:4:12: runner.etcd.lifetime: {NO}: renew 2 + an election of etcd's leader 2.2 "
            "+ one attempt 1 + margin 2 + grace 0 = 7.2 s is more than lifetime 7 s; make lifetime at least 7.2, "
            "or the others smaller",
        ],
    ),
    (
        "what rests on a mistake is not judged",
        "lifetime = 'x'\nrenew = 20\n",
        [
            'gds.toml:2:12: runner.etcd.lifetime: expected a number of seconds, or a string such as "500ms", "30s", '
            '"5m" or "1h", not "x"'
        ],
    ),
]


@pytest.mark.parametrize(("text", "expected"), [a[1:] for a in ALONE], ids=[a[0] for a in ALONE])
def test_mistakes_in_the_table(tmp_path: Path, text: str, expected: list[str]) -> None:
    assert given(tmp_path, "[runner.etcd]\n" + text, {}, {})[1] == expected


ABOVE: list[tuple[str, str, list[str]]] = [
    ("no table", "[runner]\netcd = 1\n", ["gds.toml:2:8: runner.etcd: expected a table [runner.etcd], not 1"]),
    (
        "flat",
        "[runner]\netcd_prefix = '/x'\n",
        ["gds.toml:2:1: runner.etcd_prefix: unknown key; it is prefix in [runner.etcd]"],
    ),
    (
        "no endpoints",
        "[runner]\nengine = 'etcd'\n",
        [
            "gds.toml:2:10: runner.engine: the etcd engine needs endpoints in [runner.etcd], such as "
            '["https://etcd1:2379", "https://etcd2:2379"]'
        ],
    ),
]


@pytest.mark.parametrize(("text", "expected"), [a[1:] for a in ABOVE], ids=[a[0] for a in ABOVE])
def test_mistakes_around_it(tmp_path: Path, text: str, expected: list[str]) -> None:
    assert given(tmp_path, text, {}, {})[1] == expected


def test_mistakes_in_variables_and_flags_name_them() -> None:
    environ = {"GDS_ENGINE": "etcd", "GDS_ETCD_LIFETIME": "7", "GDS_ETCD_ALLOW_OLD_ETCD": "1"}
    found = load_settings({"etcd_endpoints": "a:2379"}, environ, EUID)
    assert sorted(map(str, found.problems)) == [
        'command line: --etcd-endpoints: expected a URL with a port such as "https://etcd1:2379", not "a:2379"',
        'environment: GDS_ETCD_ALLOW_OLD_ETCD: expected true or false, not "1"',
        f"environment: GDS_ETCD_LIFETIME: {NO}: renew 2 + an election of etcd's leader 2.2 + one "
        "attempt 1 + margin 2 + grace 0 = 7.2 s is more than lifetime 7 s; make lifetime at least 7.2, or the others "
        "smaller",
    ]


def test_what_a_variable_adds_is_no_mistake_in_the_file_and_is_not_kept_as_if_it_were_there(tmp_path: Path) -> None:
    path = write(tmp_path, "[runner]\nengine = 'etcd'\n", "gds.toml")
    cache_dir = str(tmp_path / "plans")
    environ = {"GDS_CONFIG": path, "GDS_ETCD_ENDPOINTS": "http://a:1"}
    values, errors = settle({}, environ, [cache_dir])
    assert (settings_from(values).etcd.endpoints, errors) == (("http://a:1",), [])
    assert cache.load_cached((), [cache_dir], {}, {"GDS_CONFIG": path}) is None
    assert [e["key"] for e in settle({}, {"GDS_CONFIG": path}, [cache_dir])[1]] == ["runner.engine"]


def test_settings_of_a_file_are_kept_with_the_table(tmp_path: Path) -> None:
    path = write(tmp_path, f"[runner]\nengine = 'etcd'\n[runner.etcd]\n{WHERE}ca_file = '/x/../ca'\n", "gds.toml")
    cache_dir = str(tmp_path / "plans")
    environ = {"GDS_CONFIG": path}
    values = answer({"cache_dirs": [cache_dir]}, environ)["settings"]
    kept = cache.load_cached((), [cache_dir], {}, environ)
    assert kept is not None
    assert kept[1] == values
    assert settings_from(values).etcd == EtcdSettings(endpoints=("http://a:2379",), ca_file="/ca")


@pytest.mark.parametrize("values", [{"engine": "etcd"}, {"etcd_lifetime": "10"}], ids=str)
def test_what_concerns_the_store_is_looked_at_together(values: dict[str, str]) -> None:
    assert not places.is_plain(values)


@pytest.mark.parametrize("word", ["GDS_ETCD_LIFETIME", "etcd.lifetime", "etcd_lifetime", "lifetime"])
def test_each_key_is_explained(word: str) -> None:
    (meaning,) = meanings(word)
    assert meaning["topic"] == "setting of [runner.etcd]"
    assert (meaning["default"], meaning["variable"]) == ("10 s", "GDS_ETCD_LIFETIME")


@pytest.mark.parametrize("prop", ETCD, ids=[p.name for p in ETCD])
def test_an_example_is_accepted(tmp_path: Path, prop: Property) -> None:
    needed = {"cert_file": "key_file = '/k'\n", "key_file": "cert_file = '/c'\n", "password_file": "user = 'u'\n"}
    _etcd, problems = given(
        tmp_path, f"[runner.etcd]\n{prop.name} = {prop.example}\n{needed.get(prop.name, '')}", {}, {}
    )
    assert problems == []
