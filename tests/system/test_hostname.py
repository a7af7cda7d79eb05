"""LogicalHostname in real network namespaces: two nodes, a client, and a switch between them."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gds.model.hostname import METHODS, LogicalHostname, commands
from tests.system.network import Network, Node
from tests.system.running import Running, alive, eventually, write

pytestmark = pytest.mark.slow

PROGRAMS = Path(__file__).parent / "programs"
TALKER, LISTENER = str(PROGRAMS / "talker.py"), str(PROGRAMS / "listener.py")
FOUR, SIX = "10.77.0.50", "fd77::50"
BOTH = ("--hostname", "web.example")
HOSTS = f"{FOUR} web.example\n{SIX} web.example\n192.0.2.7 far.example\n{FOUR} half.example\n2001:db8::7 half.example\n"
CANNOT_FAIL_LONGER = 20.0


@pytest.fixture
def net(tmp_path: Path) -> Iterator[Network]:
    with Network(tmp_path, hosts=HOSTS) as made:
        yield made


def up(node: Node, *words: str, resource: str = "web-ip") -> None:
    """Plumb and up; both must succeed."""
    for method in ("prenet_start", "start"):
        done = node.hostname(method, *words, resource=resource)
        assert done.status == 0, (method, done)


def down(node: Node, *words: str, resource: str = "web-ip") -> None:
    """Down and unplumb; both must succeed."""
    for method in ("stop", "postnet_stop"):
        done = node.hostname(method, *words, resource=resource)
        assert done.status == 0, (method, done)


def meet(client: Node, address: str) -> None:
    """The client learns who has an address, because it asks for a port there that nobody listens on."""
    done = client.run(sys.executable, "-c", f"import socket; socket.create_connection(('{address}', 9), 5)")
    assert "ConnectionRefusedError" in done.err


class Heard:
    """The lines of a program that was started, as they come."""

    def __init__(self, program: subprocess.Popen[str]) -> None:
        assert program.stdout is not None
        self._stream = program.stdout
        self._rest = b""

    def line(self, within: float = CANNOT_FAIL_LONGER) -> str:
        """The next one; empty: none came, or the program ended."""
        end = time.monotonic() + within
        while b"\n" not in self._rest:
            if not select.select([self._stream], [], [], max(0.0, end - time.monotonic()))[0]:
                return ""
            new = os.read(self._stream.fileno(), 4096)
            if not new:
                return ""
            self._rest += new
        found, _, self._rest = self._rest.partition(b"\n")
        return found.decode()


def ended(program: subprocess.Popen[str], within: float = CANNOT_FAIL_LONGER) -> tuple[int, str]:
    """Status and output of a program that ends by itself."""
    out, _ = program.communicate(timeout=within)
    return program.returncode, out


# ---- the move ----


@pytest.mark.parametrize("address", [FOUR, SIX])
def test_a_client_finds_the_other_node_as_soon_as_the_address_is_there(net: Network, address: str) -> None:
    a, b, client = net.nodes.values()
    for node in (a, b):
        assert Heard(node.start(sys.executable, TALKER, "server", node.name, "7000")).line() == "ready"
    up(a, "--hostname", address)
    heard = Heard(client.start(sys.executable, TALKER, "client", address, "7000", "0.5"))
    assert [heard.line(), heard.line()] == ["connected", "a"]
    assert client.neighbour(address) == a.mac
    down(a, "--hostname", address)
    up(b, "--hostname", address)
    # no wait: the announcement has come before the method said that it is done; unannounced this takes 40 s
    assert client.neighbour(address) == b.mac
    assert [heard.line(), heard.line(), heard.line()] == ["lost", "connected", "b"]
    assert address not in a.addresses()


def test_without_the_announcement_the_client_would_stay_with_the_old_node(net: Network) -> None:
    a, b, client = net.nodes.values()
    up(a, "--hostname", FOUR)
    meet(client, FOUR)
    assert client.neighbour(FOUR) == a.mac
    down(a)
    b.ip("address", "add", f"{FOUR}/24", "dev", "eth0")
    assert client.neighbour(FOUR) == a.mac
    b.ip("address", "del", f"{FOUR}/24", "dev", "eth0")
    up(b, "--hostname", FOUR)
    assert client.neighbour(FOUR) == b.mac


def test_a_connection_lives_through_a_restart_on_the_same_node(net: Network) -> None:
    a, _, client = net.nodes.values()
    assert Heard(a.start(sys.executable, TALKER, "server", "a", "7000")).line() == "ready"
    up(a, *BOTH)
    heard = Heard(client.start(sys.executable, TALKER, "client", FOUR, "7000", "15"))
    assert [heard.line(), heard.line()] == ["connected", "a"]
    assert a.hostname("stop", *BOTH).status == 0
    assert a.hostname("start", *BOTH).status == 0
    assert heard.line() == "waited"
    assert heard.line(0.5) == ""


def test_several_names_of_both_families_and_what_the_kernel_then_has(net: Network) -> None:
    a = net.nodes["a"]
    before = a.addresses()
    up(a, *BOTH, "--hostname", "10.77.0.51")
    found = a.addresses()
    assert set(found) - set(before) == {FOUR, SIX, "10.77.0.51"}
    assert found[FOUR]["prefixlen"] == 24
    assert found[FOUR]["label"] == "gds:web-ip"
    assert found[SIX]["prefixlen"] == 64
    assert found[SIX]["deprecated"] is True
    assert a.hostname("probe", *BOTH, "--hostname", "10.77.0.51").status == 0
    assert {found[each]["valid_life_time"] for each in (FOUR, SIX)} == {0xFFFFFFFF}
    # the subnets are the interface's own: no second route to them
    assert [each["dst"] for each in json.loads(a.ip("-j", "route"))] == ["10.77.0.0/24"]
    routes = json.loads(a.ip("-j", "-6", "route", "show", "dev", "eth0"))
    assert [each["dst"] for each in routes].count("fd77::/64") == 1
    down(a)
    assert a.addresses() == before
    assert not list(a.claims.iterdir())


def test_what_is_said_on_the_link(net: Network) -> None:
    a, _, client = net.nodes.values()
    heard = Heard(client.start(sys.executable, LISTENER, "eth0", FOUR, SIX))
    assert heard.line() == "ready"
    probes = [f"arp request 0.0.0.0 {FOUR}", f"solicit :: {SIX}"]
    announced = [f"arp request {FOUR} {FOUR}", f"arp reply {FOUR} {FOUR}", f"advertise {SIX} {SIX} 0x20 {a.mac}"]
    assert a.hostname("prenet_start", *BOTH).status == 0
    assert [heard.line() for _ in range(6)] == probes * 3
    assert a.hostname("start", *BOTH).status == 0
    assert [heard.line() for _ in range(8)] == [*probes, *announced, *announced]
    a.start(*a.call("watch", *BOTH))
    assert [heard.line() for _ in range(6)] == announced * 2
    assert heard.line(1.0) == ""
    a.ip("link", "set", "eth0", "address", "02:11:22:33:44:55")
    later = [heard.line() for _ in range(3)]
    assert later[2].endswith("0x20 02:11:22:33:44:55")


def test_a_node_that_routes_says_so_when_it_advertises(net: Network) -> None:
    a, _, client = net.nodes.values()
    heard = Heard(client.start(sys.executable, LISTENER, "eth0", SIX))
    assert heard.line() == "ready"
    a.run("sysctl", "-qw", "net.ipv6.conf.eth0.forwarding=1")
    assert a.hostname("start", "--hostname", SIX).status == 0
    said = [heard.line() for _ in range(4)]
    assert said[-1] == f"advertise {SIX} {SIX} 0xa0 {a.mac}"


def test_a_claim_for_other_names_is_not_used(net: Network) -> None:
    a = net.nodes["a"]
    assert a.hostname("prenet_start", "--hostname", FOUR).status == 0
    assert a.hostname("start", "--hostname", "10.77.0.51").status == 0
    assert "10.77.0.51" in a.addresses()
    assert FOUR not in a.addresses()


# ---- duplicates ----


@pytest.mark.parametrize("address", [FOUR, SIX])
def test_an_address_in_use_elsewhere_is_refused_with_the_mac_that_answers(net: Network, address: str) -> None:
    a, b, _ = net.nodes.values()
    a.ip("address", "add", f"{address}/{64 if ':' in address else 24}", "dev", "eth0", "nodad")
    before = b.addresses()
    for method in ("prenet_start", "start", "serve"):
        done = b.hostname(method, "--hostname", address)
        assert done.status == 1
        assert done.err.startswith(f"cannot take {address}: it is in use elsewhere, {a.mac} answers for it on eth0")
    assert b.addresses() == before
    assert not b.claims.exists()
    a.ip("address", "del", f"{address}/{64 if ':' in address else 24}", "dev", "eth0")
    up(b, "--hostname", address)


def test_taken_between_prenet_start_and_start_is_refused_too(net: Network) -> None:
    a, b, _ = net.nodes.values()
    assert b.hostname("prenet_start", *BOTH).status == 0
    a.ip("address", "add", f"{FOUR}/24", "dev", "eth0")
    done = b.hostname("start", *BOTH)
    assert done.status == 1
    assert a.mac in done.err
    assert not {FOUR, SIX} & set(b.addresses())


@pytest.mark.parametrize("address", [FOUR, SIX])
def test_two_nodes_that_ask_at_the_same_time_do_not_both_get_it(net: Network, address: str) -> None:
    a, b, _ = net.nodes.values()
    started = [node.start(*node.call("prenet_start", "--hostname", address)) for node in (a, b)]
    assert any(ended(each)[0] == 1 for each in started)


def test_while_it_asks_it_receives_what_is_sent_to_the_group_of_the_address(net: Network) -> None:
    # else a network card keeps another node's check for the same address from us
    a = net.nodes["a"]
    group = "33:33:ff:00:00:50"
    assert group not in a.ip("maddress", "show", "dev", "eth0")
    asking = a.start(*a.call("prenet_start", "--hostname", SIX))
    eventually(lambda: group in a.ip("maddress", "show", "dev", "eth0"), "it has joined the group")
    assert ended(asking)[0] == 0
    assert group not in a.ip("maddress", "show", "dev", "eth0")


def test_an_address_that_an_administrator_put_here_is_neither_taken_nor_removed(net: Network) -> None:
    a = net.nodes["a"]
    a.ip("address", "add", f"{FOUR}/24", "dev", "eth0")
    done = a.hostname("prenet_start", *BOTH)
    assert done.status == 1
    assert done.err.startswith(f"cannot take {FOUR} (web.example): not gds, somebody put it on eth0 of this node")
    down(a, *BOTH)
    assert FOUR in a.addresses()


def test_a_resource_leaves_the_addresses_of_another_alone(net: Network) -> None:
    a = net.nodes["a"]
    net.plug(a, "eth1")  # without an address of its own: the first taken is the primary, the others hang on it
    words = ("--interface", "eth1", "--prefix", "24")
    up(a, *words, "--hostname", "198.51.100.1", resource="one")
    up(a, *words, "--hostname", "198.51.100.2", resource="two")
    assert a.hostname("start", *words, "--hostname", "198.51.100.1", resource="other").status == 1
    assert "198.51.100.0/24" in a.ip("route", "show", "dev", "eth1")
    down(a, resource="other")
    down(a, resource="one")
    assert set(a.addresses("eth1")) == {"198.51.100.2"}
    assert "198.51.100.0/24" in a.ip("route", "show", "dev", "eth1")
    # two that stop at the same time: each may find the other's address the primary, or its own become it
    for number in (3, 4):
        up(a, *words, "--hostname", f"198.51.100.{number}", resource=f"r{number}")
    both = [a.start(*a.call("stop", resource=name)) for name in ("two", "r3")]
    assert [ended(each)[0] for each in both] == [0, 0]
    assert set(a.addresses("eth1")) == {"198.51.100.4"}
    down(a, resource="r4")
    assert not a.addresses("eth1")


# ---- repeated, killed, half done ----


def test_every_method_may_be_repeated(net: Network) -> None:
    a = net.nodes["a"]
    before = a.addresses()
    down(a, *BOTH)
    up(a, *BOTH)
    watch = a.start(*a.call("watch", *BOTH))
    up(a, *BOTH)
    assert a.hostname("start", *BOTH).status == 0
    assert watch.poll() is None
    down(a, *BOTH)
    assert ended(watch)[0] == 100
    down(a, *BOTH)
    assert a.addresses() == before


def test_killed_as_soon_as_an_address_is_there_and_the_next_stop_removes_it(net: Network) -> None:
    a = net.nodes["a"]
    before = a.addresses()
    for method in ("start", "serve"):
        started = a.start(*a.call(method, *BOTH))
        eventually(lambda: set(a.addresses()) - set(before), "an address is there")
        kill_inside(started)
        (a.claims / "web-ip.json").unlink()  # a stop does not need the claim either
        assert a.hostname("stop").status == 0
        assert a.addresses() == before


def test_killed_at_any_moment_and_the_next_start_or_stop_is_right(net: Network) -> None:
    a = net.nodes["a"]
    before = a.addresses()
    for tenth in range(2, 11, 2):
        started = a.start(*a.call("start", *BOTH))
        Heard(started).line(0.09 * tenth)
        kill_inside(started)
        if tenth % 4:
            up(a, *BOTH)
            assert {FOUR, SIX} <= set(a.addresses())
        down(a, *BOTH)
        assert a.addresses() == before


def kill_inside(started: subprocess.Popen[str]) -> None:
    """SIGKILL; nsenter executes the program in its own place, so this is the program itself."""
    started.kill()
    started.wait(CANNOT_FAIL_LONGER)


def test_what_an_earlier_life_left_on_another_interface_is_removed_by_the_next_start(net: Network) -> None:
    a = net.nodes["a"]
    net.plug(a, "eth1")
    a.ip("address", "add", "10.77.0.9/24", "dev", "eth1")
    up(a, *BOTH, "--interface", "eth1")
    assert FOUR in a.addresses("eth1")
    up(a, *BOTH[:1], FOUR, "--interface", "eth0")
    assert FOUR in a.addresses("eth0")
    assert set(a.addresses("eth1")) == {"10.77.0.9"}


def test_a_failed_start_leaves_nothing(net: Network) -> None:
    a = net.nodes["a"]
    before = a.addresses()
    assert a.hostname("prenet_start", *BOTH).status == 0
    a.run("sysctl", "-qw", "net.ipv6.conf.eth0.disable_ipv6=1")
    done = a.hostname("start", *BOTH)
    assert done.status == 1
    assert f"cannot put {SIX} (web.example) on eth0: IPv6 is switched off there" in done.err
    assert FOUR not in a.addresses()
    assert set(a.addresses()) <= set(before)


# ---- the watch and the probe ----


def test_serve_takes_the_address_says_so_and_ends_when_the_link_is_gone(net: Network, tmp_path: Path) -> None:
    a, _, client = net.nodes.values()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        told.bind(str(tmp_path / "notify"))
        told.settimeout(CANNOT_FAIL_LONGER)
        served = a.start(*a.call("serve", *BOTH), env={**os.environ, "NOTIFY_SOCKET": str(tmp_path / "notify")})
        assert told.recv(100) == b"READY=1"
        assert a.hostname("probe", *BOTH).status == 0
        meet(client, FOUR)
        assert client.neighbour(FOUR) == a.mac
        net.unplug(a)
        done = a.hostname("probe", *BOTH)
        assert done == (100, "interface eth0: it has no carrier; look at the cable and the switch port\n", "")
        status, out = ended(served)
        assert status == 100
        assert out.endswith("web-ip: interface eth0: it has no carrier; look at the cable and the switch port\n")
    down(a)


def test_a_link_that_comes_back_within_a_second_is_no_failure_and_is_announced(net: Network) -> None:
    a, _, client = net.nodes.values()
    up(a, "--hostname", FOUR)
    heard = Heard(client.start(sys.executable, LISTENER, "eth0", FOUR))
    assert heard.line() == "ready"
    watch = a.start(*a.call("watch", "--hostname", FOUR))
    announced = [f"arp request {FOUR} {FOUR}", f"arp reply {FOUR} {FOUR}"]
    assert [heard.line() for _ in range(4)] == announced * 2
    net.unplug(a)
    eventually(lambda: "NO-CARRIER" in a.ip("link", "show", "eth0"), "no carrier")
    eventually(lambda: sleeps(watch.pid), "the watch has looked")
    net.replug(a)
    assert [heard.line() for _ in range(2)] == announced
    assert heard.line(1.5) == ""
    assert watch.poll() is None
    began = time.monotonic()
    net.unplug(a)
    assert ended(watch)[0] == 100
    assert time.monotonic() - began >= 0.9


@pytest.mark.parametrize("address", [FOUR, SIX])
def test_an_address_that_vanishes_ends_the_watch_at_once(net: Network, address: str) -> None:
    a = net.nodes["a"]
    up(a, *BOTH)
    watch = a.start(*a.call("watch", *BOTH))
    eventually(lambda: sleeps(watch.pid), "the watch sleeps")
    a.ip("address", "del", f"{address}/{64 if ':' in address else 24}", "dev", "eth0")
    began = time.monotonic()
    assert ended(watch) == (100, f"web-ip: the address is gone: {address} (web.example) on eth0\n")
    assert time.monotonic() - began < 0.9
    assert a.hostname("probe", *BOTH).status == 100


def sleeps(pid: int) -> bool:
    """It waits in select."""
    return alive(pid) and "poll" in Path(f"/proc/{pid}/wchan").read_text() + Path(f"/proc/{pid}/stack").read_text()


def test_a_new_mac_is_announced(net: Network) -> None:
    a, _, client = net.nodes.values()
    up(a, "--hostname", FOUR)
    meet(client, FOUR)
    watch = a.start(*a.call("watch", "--hostname", FOUR))
    eventually(lambda: sleeps(watch.pid), "the watch sleeps")
    a.ip("link", "set", "eth0", "address", "02:11:22:33:44:55")
    eventually(lambda: client.neighbour(FOUR) == "02:11:22:33:44:55", "the client knows the new MAC", within=5.0)
    assert watch.poll() is None


def test_a_lost_adapter_is_replaced_by_the_next_of_netiflist(net: Network) -> None:
    a = net.nodes["a"]
    net.plug(a, "eth1")
    a.ip("address", "add", "10.77.0.9/24", "dev", "eth1")
    words = ("--hostname", FOUR, "--interface", "eth0", "--interface", "eth1")
    up(a, *words)
    net.unplug(a)
    assert a.hostname("probe", *words).status == 100
    # Sun's RESOURCE_RESTART: Stop and Start alone
    assert a.hostname("stop", *words).status == 0
    assert a.hostname("start", *words).status == 0
    assert FOUR in a.addresses("eth1")
    assert a.hostname("probe", *words).status == 0


# ---- refusals ----

REFUSED = {
    "no such interface": (
        ("prenet_start", *BOTH, "--interface", "eth7"),
        1,
        "cannot use interface eth7: there is no such interface on this node; there are eth0",
    ),
    "no interface in that subnet": (
        ("validate", "--hostname", "far.example"),
        1,
        "cannot place 192.0.2.7 (far.example): no interface has an IPv4 subnet with it (eth0 has 10.77.0.0/24);"
        " correct the address, or give netiflist and prefix",
    ),
    "a name that does not resolve": (
        ("validate", "--hostname", "nowhere.invalid", "--hostname", "far.example"),
        1,
        "cannot resolve nowhere.invalid: ",
    ),
    "no name": (("validate",), 1, "cannot use resource web-ip: hostnamelist is empty"),
    "no name service, checked": (
        ("monitor_check", "--hostname", "nowhere.invalid"),
        1,
        "cannot resolve nowhere.invalid",
    ),
    "no method": (("plumb",), 2, "cannot call plumb: expected one of prenet_start, "),
    "no value": (("start", "--prefix"), 2, "cannot use --prefix without a value"),
    "no number": (("start", "--prefix", "x"), 2, "cannot use --prefix x: expected a number"),
    "no option": (("start", "--force"), 2, "cannot use '--force': expected --resource"),
    "no name of a resource": (("stop", "--resource", "../x"), 2, "cannot use --resource '../x': a name starts with"),
}


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    """A network that no test changes."""
    with Network(tmp_path_factory.mktemp("quiet"), "a", "b", hosts=HOSTS) as made:
        yield made


@pytest.mark.parametrize("case", REFUSED)
def test_refused_with_one_sentence(quiet: Network, case: str) -> None:
    (method, *words), status, said = REFUSED[case]
    done = quiet.nodes["a"].hostname(method, *words)
    assert done.status == status
    assert done.err.startswith(said)
    assert "Traceback" not in done.err


def test_without_permission_it_says_what_is_needed(quiet: Network) -> None:
    a = quiet.nodes["a"]
    weak = ("setpriv", "--bounding-set", "-net_admin,-net_raw", "--inh-caps", "-net_admin,-net_raw")
    done = a.run(*weak, *a.call("prenet_start", *BOTH))
    assert done.status == 77
    assert done.err == (
        "cannot speak to the neighbours on eth0: not permitted; it needs CAP_NET_ADMIN and CAP_NET_RAW (run as root, or"
        " AmbientCapabilities= in a unit)\n"
    )
    raw_only = ("setpriv", "--bounding-set", "-net_admin", "--inh-caps", "-net_admin")
    done = a.run(*raw_only, *a.call("start", *BOTH))
    assert done.status == 77
    assert done.err.startswith(f"cannot put {FOUR} (web.example) on eth0: not permitted")
    assert a.run(*weak, *a.call("validate", *BOTH)).status == 0


def test_a_link_without_carrier_is_refused_before_anything_is_taken(net: Network) -> None:
    a = net.nodes["a"]
    net.unplug(a)
    for method in ("prenet_start", "start", "monitor_check"):
        done = a.hostname(method, *BOTH)
        assert done.status == 1
        assert done.err.startswith("cannot use interface eth0: it has no carrier")
    assert a.hostname("validate", *BOTH).status == 0
    assert a.hostname("monitor_check", "--no-name-service", "--interface", "eth0").status == 1
    net.replug(a)
    eventually(lambda: a.hostname("monitor_check", *BOTH).status == 0, "the link is back")
    assert (
        a.hostname("monitor_check", "--no-name-service", "--interface", "eth0", "--hostname", "x.invalid").status == 0
    )


def test_the_family_without_a_subnet_is_left_out_aloud(quiet: Network) -> None:
    done = quiet.nodes["a"].hostname("validate", "--hostname", "half.example")
    assert done.status == 0
    assert done.out.splitlines()[0].startswith("web-ip: left out: cannot place 2001:db8::7 (half.example)")
    assert done.out.splitlines()[1] == f"web-ip: {FOUR} (half.example) on eth0"


def test_our_reader_sees_what_ip_shows(quiet: Network) -> None:
    code = "from gds.linux.netlink import look; l, h = look(); n = {x.index: x.name for x in l}; import json;" + (
        "print(json.dumps([sorted([x.name, x.mac, x.up, x.carrier] for x in l),"
        " sorted([n[x.index], x.address, x.prefix] for x in h)]))"
    )
    a = quiet.nodes["a"]
    links, held = json.loads(a.run(sys.executable, "-c", code).out)
    shown = json.loads(a.ip("-j", "address"))
    assert links == sorted(
        [each["ifname"], each["address"], "UP" in each["flags"], "LOWER_UP" in each["flags"]] for each in shown
    )
    assert held == sorted(
        [each["ifname"], one["local"], one["prefixlen"]] for each in shown for one in each["addr_info"]
    )


def test_the_commands_of_the_methods_are_those_of_the_program(net: Network) -> None:
    a = net.nodes["a"]
    env = ("env", f"GDS_SOCKET={a.claims.parent / 'control.sock'}", "GDS_NODE=a")
    made = commands(LogicalHostname("web-ip", ("web.example",), ("eth0@a", "eth9@b")), sys.executable)
    for field in METHODS:
        if field not in ("start_command", "probe_command"):
            assert a.run(*env, *made[field].argv).status == 0, field
    served = a.start(*env, *made["start_command"].argv)
    eventually(lambda: a.run(*env, *made["probe_command"].argv).status == 0, "the address is up")
    assert (a.claims.parent / "addresses" / "web-ip.json").exists()
    assert a.run(*env, *made["stop_command"].argv).status == 0
    assert ended(served)[0] == 100


def test_under_a_runner_on_each_node_a_client_follows_the_group(net: Network, tmp_path: Path) -> None:
    """The address and the server behind it, on two nodes, each with a runner of its own."""
    a, b, client = net.nodes.values()
    on_a, on_b = runner_on(a, tmp_path), runner_on(b, tmp_path)
    try:
        on_a.begin().until("web-ip", state="ONLINE")
        heard = Heard(client.start(sys.executable, TALKER, "client", FOUR, "7000", "0.5"))
        assert [heard.line(), heard.line()] == ["connected", "a"]

        # the watch is killed: started anew, the address stays or comes back, and the client with it
        os.kill(on_a.until("web-ip", state="ONLINE")["main_pid"], signal.SIGKILL)
        on_a.until("web-ip", state="ONLINE", restarts_done=1)
        assert {FOUR, SIX} <= set(a.addresses())

        # the other node does not get it while the first has it
        on_b.begin().until("web-ip", state="START_FAILED")
        assert f"{a.mac} answers for it on eth0" in on_b.log()
        assert not {FOUR, SIX} & set(b.addresses())

        assert on_a.gds("stop", "web-ip").returncode == 0
        assert not {FOUR, SIX} & set(a.addresses())
        assert on_b.gds("start", "web-ip").returncode == 0, on_b.log()
        eventually(lambda: heard.line() == "b", "the client talks to b")
    finally:
        for each in (on_a, on_b):
            each.end()
    assert not {FOUR, SIX} & {*a.addresses(), *b.addresses()}


def runner_on(node: Node, where: Path) -> Running:
    """A runner in the namespace of a node, not yet begun."""
    mine = where / node.name
    mine.mkdir()
    path = write(mine / "web.toml", descriptor(node))
    return Running(mine, path, wrapper=tuple(node.inside()), options=("--node", node.name))


def descriptor(node: Node) -> str:
    """An address and a server."""
    server = json.dumps([sys.executable, TALKER, "server", node.name, "7000"])
    return "\n".join(
        [
            *("[resource.web-ip]", 'type = "LogicalHostname"', 'hostnamelist = ["web.example"]', "stop_timeout = 20"),
            *("[resource.server]", f"start_command = {server}", "stop_timeout = 20"),
        ]
    )
