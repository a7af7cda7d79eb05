"""What each key accepts, and what becomes of it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from gds.model.resource import INHERIT, Command, ExitMap, Group, Need, Output, Port, Probe
from gds.model.state import FailoverMode
from tests.unit.config.telling import plan_of, resource_of

SCORES = "refused_score = 1, timeout_score = 2, disconnect_score = 3, error_score = 4"
SCORED = Probe("tcp", "1", "127.0.0.1", 1, refused_score=1, timeout_score=2, disconnect_score=3, error_score=4)

ACCEPTED: list[tuple[str, str, Any]] = [
    ("probe_timeout = 5", "probe_timeout", 5.0),
    ("probe_timeout = 0.25", "probe_timeout", 0.25),
    ('probe_timeout = "5"', "probe_timeout", 5.0),
    ('probe_timeout = "500ms"', "probe_timeout", 0.5),
    ('probe_timeout = " 1.5 s "', "probe_timeout", 1.5),
    ('probe_timeout = "5m"', "probe_timeout", 300.0),
    ('probe_timeout = "1h"', "probe_timeout", 3600.0),
    ('probe_timeout = "1d"', "probe_timeout", 86400.0),
    ("start_timeout = 1", "start_timeout", 1.0),
    ("start_grace = 0", "start_grace", 0.0),
    ("monitor_retry_interval = -1", "monitor_retry_interval", math.inf),
    ("retry_count = -1", "retry_count", -1),
    ("Retry_Count = 7", "retry_count", 7),
    ("RETRY_COUNT = 7", "retry_count", 7),
    ('type = "sunw.GDS"', "type", "SUNW.gds"),
    ('type = "gds"', "type", "gds"),
    ("enabled = false", "enabled", False),
    ('stop_command = "a && b"', "stop_command", Command(("/bin/sh", "-c", "a && b"), "a && b")),
    ('stop_command = ["/bin/true", ""]', "stop_command", Command(("/bin/true", ""))),
    ('stop_signal = "SIGINT"', "stop_signal", 2),
    ('stop_signal = "int"', "stop_signal", 2),
    ('stop_signal = "sigQuit"', "stop_signal", 3),
    ("stop_signal = 10", "stop_signal", 10),
    ('stop_signal = "10"', "stop_signal", 10),
    ('stop_signal = "SIGRTMIN+3"', "stop_signal", 37),
    ('stop_signal = "RTMAX-1"', "stop_signal", 63),
    ('stop_signal = "RTMIN"', "stop_signal", 34),
    ('stop_signal = "SIGIOT"', "stop_signal", 6),
    ('port_list = "8080/tcp, 53/udp"', "port_list", (Port(8080), Port(53, "udp"))),
    ('port_list = ""', "port_list", ()),
    ('port_list = ["8080/TCP", "53/udp6", "80", 1]', "port_list", (Port(8080), Port(53, "udp6"), Port(80), Port(1))),
    ("port_list = []", "port_list", ()),
    ('failover_mode = "log_only"', "failover_mode", FailoverMode.LOG_ONLY),
    ('log_level = "err"', "log_level", "ERR"),
    ('ready = "Notify"', "ready", "notify"),
    ('umask = "027"', "umask", 0o27),
    ('umask = "0o027"', "umask", 0o27),
    ("umask = 0o077", "umask", 0o77),
    ("umask = 0o0", "umask", 0),
    ('environment = {B = "2", A = "=\\n"}', "environment", (("A", "=\n"), ("B", "2"))),
    ('environment = {"discovery.type" = "x"}', "environment", (("discovery.type", "x"),)),
    ('environment_files = ["/etc/passwd"]', "environment_files", ("/etc/passwd",)),
    ('pass_environment = ["HTTP_PROXY"]', "pass_environment", ("HTTP_PROXY",)),
    (
        'limits = {NoFile = 1024, core = "infinity", nproc = "100:unlimited", RLIMIT_AS = "1GiB"}',
        "limits",
        (("as", 2**30, 2**30), ("core", -1, -1), ("nofile", 1024, 1024), ("nproc", 100, -1)),
    ),
    ("nice = -20", "nice", -20),
    ("oom_score_adjust = -1000", "oom_score_adjust", -1000),
    ('stdout = "Journal"', "stdout", Output("journal")),
    ('stdout = "null"', "stdout", Output("null")),
    ('stderr = "inherit"', "stderr", INHERIT),
    ('stdout = {path = "/tmp/x"}', "stdout", Output("file", "/tmp/x")),
    ('stdout = {Path = "/tmp/x", ROTATE = "10MiB", keep = 3}', "stdout", Output("file", "/tmp/x", 10 * 2**20, 3)),
    ('stdout = {path = "/tmp/x", rotate = "10MB"}', "stdout", Output("file", "/tmp/x", 10**7)),
    ('stdout = {path = "/tmp/x", rotate = "10 k"}', "stdout", Output("file", "/tmp/x", 10**4)),
    ('stdout = {path = "/tmp/x", rotate = "7B"}', "stdout", Output("file", "/tmp/x", 7)),
    ('stdout = {path = "/tmp/x", rotate = 4096}', "stdout", Output("file", "/tmp/x", 4096)),
    ('user = "root"', "user", "root"),
    ('user = "0"', "user", "0"),
    ('group_name = "0"', "group_name", "0"),
    ('supplementary_groups = ["root"]', "supplementary_groups", ("root",)),
    ('working_directory = "/tmp"', "working_directory", "/tmp"),
    ("scalable = false", "name", "a"),
    ('group = "shop"', "group", "shop"),
    ("", "group", "a"),
    ("", "network_aware", False),
    ('port_list = ["80"]', "network_aware", True),
    ('port_list = ["80"]\nnetwork_aware = false', "network_aware", False),
    ("probe = {tcp = 8080}", "probe", Probe("tcp", "8080", "127.0.0.1", 8080)),
    ('probe = {tcp = "8080"}', "probe", Probe("tcp", "8080", "127.0.0.1", 8080)),
    ('probe = {tcp = "db.example:5432"}', "probe", Probe("tcp", "db.example:5432", "db.example", 5432)),
    ('PROBE = {TCP = "[::1]:80"}', "probe", Probe("tcp", "[::1]:80", "::1", 80)),
    (f"probe = {{tcp = 1, {SCORES}}}", "probe", SCORED),
    ('probe = {http = "http://h"}', "probe", Probe("http", "http://h", "h", 80, "/")),
    ('probe = {http = "HTTP://h?q=1"}', "probe", Probe("http", "HTTP://h?q=1", "h", 80, "/?q=1")),
    ('probe = {http = "http://h:81/a?b#c"}', "probe", Probe("http", "http://h:81/a?b#c", "h", 81, "/a?b")),
    ('probe = {http = "http://[::1]/"}', "probe", Probe("http", "http://[::1]/", "::1", 80, "/")),
    (
        'probe = {http = "http://h/", expect = [200, "300-399", "404"], status_score = 7}',
        "probe",
        Probe("http", "http://h/", "h", 80, "/", expect=((200, 200), (300, 399), (404, 404)), status_score=7),
    ),
    (
        'probe = {http = "http://h/", expect = 204}',
        "probe",
        Probe("http", "http://h/", "h", 80, "/", expect=((204, 204),)),
    ),
    ('probe = {unix = "/run/x.sock"}', "probe", Probe("unix", "/run/x.sock", path="/run/x.sock")),
    ("probe = {notify = true}", "probe", Probe("notify", "notify")),
    (
        'probe = {notify = "30s", timeout_score = 100}',
        "probe",
        Probe("notify", "notify", interval=30.0, timeout_score=100),
    ),
    ('probe_command = "x"\nexit_map = "pass-fail"', "exit_map", ExitMap(((0, 0),), 100)),
    ('probe_command = "x"\nexit_map = "nagios"', "exit_map", ExitMap(((0, 0), (1, 50), (2, 100), (3, 100)), 100)),
    (
        'probe_command = "x"\nexit_map = {3 = 201, 0 = 0, Other = 25}',
        "exit_map",
        ExitMap(((0, 0), (3, 201)), 25),
    ),
    ('probe_command = "x"\nexit_map = {0 = 0}', "exit_map", ExitMap(((0, 0),), 100)),
    ('probe_command = "x"\nprobe = {exit_map = "pass-fail"}', "exit_map", ExitMap(((0, 0),), 100)),
    ('probe_command = "x"\nprobe = {exit_map = "pass-fail"}', "probe", None),
    ("resource_dependencies = []", "resource_dependencies", ()),
    ('resource_dependencies = ""', "resource_dependencies", ()),
    ('init_command = "true"', "init_command", Command(("/bin/sh", "-c", "true"), "true")),
    ('boot_command = ["/bin/true"]', "boot_command", Command(("/bin/true",))),
    ('fini_timeout = "1m"', "fini_timeout", 60.0),
    ("", "update_timeout", 300.0),
    ('pmf_managed = false\nstop_command = "x"\nprobe = {tcp = 1}', "pmf_managed", False),
    ('pmf_managed = false\nstop_command = "x"\nprobe_command = "x"', "pmf_managed", False),
    ('pmf_managed = false\nstop_command = "x"\nport_list = ["80/tcp6"]', "pmf_managed", False),
]


@pytest.mark.parametrize(("keys", "field", "value"), ACCEPTED, ids=[f"{k[:50]}: {f}" for k, f, _ in ACCEPTED])
def test_a_key_becomes_a_value(tmp_path: Path, keys: str, field: str, value: object) -> None:
    assert getattr(resource_of(tmp_path, keys), field) == value


def test_one_line_is_a_whole_descriptor(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, 'start_command = "exec sleep 1"', "web-1.toml")
    assert [r.name for r in plan.resources] == ["web-1"]
    assert plan.resources[0].start_command == Command(("/bin/sh", "-c", "exec sleep 1"), "exec sleep 1")
    assert plan.groups == (Group("web-1", "", ("web-1",)),)


def test_one_resource_may_name_its_group_and_a_schema(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, '"$schema" = "x"\nstart_command = "true"\ngroup = "shop"\n', "web.toml")
    assert plan.groups == (Group("shop", "", ("web",)),)


def test_one_resource_may_describe_its_group(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, 'start_command = "true"\n[group.web]\ndescription = "d"\n', "web.toml")
    assert plan.groups == (Group("web", "d", ("web",)),)


def test_several_resources_share_a_group_and_a_group_without_table_exists(tmp_path: Path) -> None:
    plan = plan_of(
        tmp_path,
        """
        [Group.shop]
        Description = "everything of the shop"
        [Resource.db]
        group = "shop"
        start_command = "true"
        [resource.web]
        group = "shop"
        start_command = "true"
        [resource.mail]
        group = "post"
        start_command = "true"
        """,
    )
    assert plan.groups == (
        Group("shop", "everything of the shop", ("db", "web")),
        Group("post", "", ("mail",)),
    )


def test_every_form_of_a_dependency(tmp_path: Path) -> None:
    text = """
        [resource.a]
        start_command = "true"
        resource_dependencies = ["b", "c{Local_Node}", " d { ANY_NODE } ", "e@n1", "b@n1"]
        Resource_Dependencies_Weak = "b{FROM_RG_AFFINITIES}, c@n2 "
        """ + "".join([f"\n[resource.{name}]\nstart_command = 'true'" for name in "bcde"])
    a = plan_of(tmp_path, text).resources[0]
    local, anywhere = Need("c", "LOCAL_NODE"), Need("d", "ANY_NODE")
    assert a.resource_dependencies == (Need("b"), local, anywhere, Need("e", "n1"), Need("b", "n1"))
    assert a.resource_dependencies_weak == (Need("b"), Need("c", "n2"))
    shown = ["b", "c{LOCAL_NODE}", "d{ANY_NODE}", "e@n1", "b@n1"]
    assert [str(need) for need in a.resource_dependencies] == shown


def test_every_key_of_a_group(tmp_path: Path) -> None:
    text = """
        [group.g]
        nodelist = "n1, n2"
        rg_mode = "Scalable"
        maximum_primaries = 2
        desired_primaries = 2
        failback = true
        pingpong_interval = "5m"
        rg_dependencies = ["h"]
        rg_affinities = ["+++h", " - i", "--j"]
        implicit_network_dependencies = false
        auto_start_on_new_cluster = false
        """ + "".join([f"\n[resource.{name}]\nstart_command = 'true'" for name in "hij"])
    assert plan_of(tmp_path, text).groups[0] == Group(
        "g", "", (), ("n1", "n2"), "SCALABLE", 2, 2, True, 300.0, ("h",), ("+++h", "-i", "--j"), False, False
    )


def test_the_mode_of_a_group_follows_from_how_many_nodes_it_may_have(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, "start_command = 'true'\n[group.g]\nmaximum_primaries = 2\n[group.h]\nnodelist = []")
    assert [(g.name, g.rg_mode, g.nodelist) for g in plan.groups] == [
        ("g", "SCALABLE", ()),
        ("h", "FAILOVER", ()),
        ("app", "FAILOVER", ()),
    ]


def test_hard_needs_a_way_to_end_the_node(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, 'start_command = "true"\nfailover_mode = "HARD"\n', can_abort=True)
    assert plan.resources[0].failover_mode is FailoverMode.HARD


def test_path_of_environment_is_where_commands_are_looked_for(tmp_path: Path) -> None:
    program = tmp_path / "bin" / "my-own-program"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    text = f'[resource.a]\nstart_command = ["my-own-program"]\nenvironment = {{PATH = "{program.parent}"}}\n'
    assert plan_of(tmp_path, text).resources


def test_a_program_is_looked_for_from_the_working_directory(tmp_path: Path) -> None:
    program = tmp_path / "my-own-program"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    text = f'[resource.a]\nstart_command = ["./my-own-program"]\nworking_directory = "{tmp_path}"\n'
    assert plan_of(tmp_path, text).resources


def test_a_bare_program_may_be_found_through_an_environment_file(tmp_path: Path) -> None:
    # The file may set PATH, and it is not read here.
    text = '[resource.a]\nstart_command = ["my-own-program"]\nenvironment_files = ["/etc/passwd"]\n'
    assert plan_of(tmp_path, text).resources
