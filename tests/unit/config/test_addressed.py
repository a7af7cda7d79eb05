"""Network addresses as a descriptor declares them."""

from __future__ import annotations

from pathlib import Path

import pytest

from gds.cli import rt
from gds.config.addressed import PYTHON
from gds.config.load import load
from gds.daemon.differing import differences
from gds.daemon.environment import hostnames_of
from gds.model import codec
from gds.model.hostname import LogicalHostname, commands, metric
from gds.model.properties import RESOURCE, Tunable
from gds.model.resource import Resource
from gds.rgm.order import graph_of
from tests.unit.config.telling import plan_of, problems, write

ADDRESS = '[resource.web-ip]\ntype = "LogicalHostname"\nhostnamelist = ["web.example", "10.0.0.9"]\n'
ANYTIME = frozenset(p.name for p in RESOURCE if p.tunable is Tunable.ANYTIME)


def address(directory: Path, more: str = "", head: str = ADDRESS) -> Resource:
    """The one resource that these keys declare."""
    return plan_of(directory, head + more).resources[0]


def test_the_methods_are_calls_of_our_program(tmp_path: Path) -> None:
    more = 'netiflist = ["eth0", "eth1@n2"]\nprefix = [24, 64]\ncheck_name_service = false\n'
    made = address(tmp_path, more)
    meant = LogicalHostname("web-ip", ("web.example", "10.0.0.9"), ("eth0", "eth1@n2"), (24, 64), False)
    for field, command in commands(meant, PYTHON).items():
        assert getattr(made, field) == command
    assert (made.type, made.ready, made.is_address) == ("LogicalHostname", "notify", True)
    assert codec.unpack(codec.pack(made)) == made


def test_sun_s_words_mean_the_same(tmp_path: Path) -> None:
    ours = address(tmp_path, 'netiflist = ["eth0"]\nprefix = 24\ncheck_name_service = false\n')
    head = '[resource.web-ip]\nType = "sunw.LOGICALHOSTNAME"\n'
    more = 'HostnameList = "web.example, 10.0.0.9"\nNetIfList = "eth0"\nPREFIX = [24]\nCheckNameService = false\n'
    assert address(tmp_path, more, head) == ours


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (
            "hostnamelist = []\nprefix = 24",
            "3:16: resource.web-ip.hostnamelist: cannot use resource web-ip: hostnamelist",
        ),
        ('hostnamelist = ["a b"]', "3:17: resource.web-ip.hostnamelist[0]: cannot use 'a b' in hostnamelist"),
        ('hostnamelist = ["a", "b", "a"]', "3:27: resource.web-ip.hostnamelist[2]: cannot use a twice in"),
        ("prefix = 24", "1:2: resource.web-ip: hostnamelist is missing"),
        ('hostnamelist = ["a"]\nfailover_mode = "HARD"', "4:17: resource.web-ip.failover_mode: "),
        (
            'hostnamelist = ["a"]\nnetiflist = ["x/y"]',
            "4:14: resource.web-ip.netiflist[0]: cannot use 'x/y' in netiflist",
        ),
        ('hostnamelist = ["a"]\nnetiflist = ["e\\u0000"]', "4:14: resource.web-ip.netiflist[0]: cannot use"),
        (
            'hostnamelist = ["a"]\nprefix = [24, 25]',
            "4:10: resource.web-ip.prefix: cannot use prefix of resource web-ip",
        ),
        (
            'hostnamelist = ["a"]\nStop_command = "x"',
            "4:1: resource.web-ip.stop_command: cannot be given: type Logical",
        ),
        ('hostnamelist = ["a"]\nport_list = []', "4:1: resource.web-ip.port_list: cannot be given: type Logical"),
        ('hostnamelist = ["a"]\nready = "probe"', "4:1: resource.web-ip.ready: cannot be given: type Logical"),
        ('hostnamelist = ["a"]\nuser = "root"', "4:1: resource.web-ip.user: cannot be given: the methods of type"),
        (
            'hostnamelist = ["a"]\ncheck_name_service = true\nCheckNameService = true',
            "5:1: resource.web-ip.checknameservice: given twice: it is Sun's name of check_name_service",
        ),
    ],
)
def test_what_is_refused_is_told_at_its_place(tmp_path: Path, keys: str, said: str) -> None:
    (found,) = problems(tmp_path, f'[resource.web-ip]\ntype = "LogicalHostname"\n{keys}\n')
    assert found.startswith(f"app.toml:{said}")


def test_two_names_with_one_mark_are_refused(tmp_path: Path) -> None:
    seen: dict[int, str] = {}
    pair = ("", "")
    for number in range(200_000):
        name = f"a{number}"
        if (other := seen.setdefault(metric(name), name)) != name:
            pair = (other, name)
            break
    assert pair[0], "two in 2**28 are found among some 20 000 names"
    text = "".join([ADDRESS.replace("web-ip", name) for name in pair])
    (found,) = problems(tmp_path, text)
    assert found.startswith(
        f"app.toml:4:2: resource.{pair[1]}: the addresses of {pair[1]} and {pair[0]} cannot be told apart"
    )
    assert found.endswith("(the other is at app.toml:1:2)")
    apart = "".join([ADDRESS.replace("web-ip", name) for name in (pair[0], "b")])
    assert problems(tmp_path, apart) == []


SHOP = """
[resource.one]
type = "LogicalHostname"
group = "shop"
hostnamelist = ["a", "b"]
[resource.two]
type = "LogicalHostname"
group = "shop"
hostnamelist = ["b", "c"]
[resource.far]
type = "LogicalHostname"
hostnamelist = ["d"]
[resource.web]
group = "shop"
start_command = "true"
[resource.db]
group = "shop"
start_command = "true"
resource_dependencies_weak = ["two", "web"]
[resource.mail]
group = "post"
start_command = "true"
resource_dependencies_offline_restart = ["far"]
[resource.alone]
start_command = "true"
"""


@pytest.mark.parametrize(
    ("name", "names"),
    [("web", "a,b,c"), ("db", "b,c"), ("mail", "d"), ("alone", ""), ("one", "a,b"), ("far", "d")],
)
def test_the_host_names_of_a_resource(tmp_path: Path, name: str, names: str) -> None:
    plan = plan_of(tmp_path, SHOP)
    resource = plan.resource(name)
    assert resource is not None
    assert hostnames_of(resource, [each for each in plan.resources if each.is_address]) == names


def test_the_others_of_the_group_need_its_addresses(tmp_path: Path) -> None:
    graph = graph_of(plan_of(tmp_path, SHOP))
    assert {link.need for link in graph.needs["web"]} == {"one", "two"}
    assert "alone" not in graph.needs


@pytest.mark.parametrize(
    ("keys", "act", "told"),
    [
        ('netiflist = ["eth1"]', "change", ("netiflist",)),
        ("check_name_service = false", "change", ("check_name_service",)),
        ("prefix = 24", "restart", ("prefix",)),
    ],
)
def test_what_a_reload_may_change_live(tmp_path: Path, keys: str, act: str, told: tuple[str, ...]) -> None:
    (found,) = differences([address(tmp_path)], [address(tmp_path, keys)], ANYTIME)
    assert (found.act, found.keys) == (act, told)


def test_a_plan_relies_on_the_interpreter_that_runs_the_methods(tmp_path: Path) -> None:
    loaded = load([write(tmp_path, ADDRESS)])
    assert (("command", PYTHON, "", ""), "") in loaded.facts


def test_the_type_is_listed_as_built_in(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    at = ["--state-dir", str(tmp_path)]
    assert rt.main(["list", *at]) == 0
    assert "Network addresses that go where their group goes (built in)\n" in capsys.readouterr().out
    assert rt.main(["show", "SUNW.LogicalHostname", *at]) == 0
    shown = capsys.readouterr().out
    assert "  HostnameList " in shown
    assert "Start_command" not in shown
    assert rt.main(["show", "logicalhostname", "--rtr", *at]) == 0
    path = write(tmp_path, capsys.readouterr().out, "made.rtr")
    assert rt.main(["check", path]) == 0
    assert rt.main(["register", path, *at]) == 1
