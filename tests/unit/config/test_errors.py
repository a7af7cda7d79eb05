"""Every mistake has its own message: file, line, column, key, what was expected, the nearest known name."""

from __future__ import annotations

from pathlib import Path

import pytest

from gds.config.load import load
from tests.unit.config.telling import problems, read, write

DURATION = 'a number of seconds, or a string such as "500ms", "30s", "5m" or "1h"'
PORTS = 'an array of ports such as "8080/tcp" or "53/udp"; protocols tcp, tcp6, udp, udp6; without one tcp'
COMMAND = "a string (handed to /bin/sh -c) or an array of strings (executed as it is)"
HEAD = '[resource.a]\nstart_command = ["/bin/true"]\n'

# Each key stands in line 3, of a resource that is otherwise sound.
KEYS: list[tuple[str, str, str]] = [
    ("an unknown key, with the nearest known", "retry_cuont = 2", "3:1: resource.a.retry_cuont: unknown key; did you mean retry_count?"),
    ("an unknown key like no other", "xyzzy = 2", "3:1: resource.a.xyzzy: unknown key; `gds explain` lists all keys"),
    ("a key of a group", "nodelist = []", "3:1: resource.a.nodelist: unknown key here; it belongs into a table [group.NAME]"),
    ("a setting", 'state_dir = "/x"', "3:1: resource.a.state_dir: unknown key here; it is a setting of the runner, and belongs into [runner] of /etc/gds/gds.toml"),
    ("a table of settings", "runner = {}", "3:1: resource.a.runner: [runner] belongs into /etc/gds/gds.toml, not into a descriptor"),
    ("a key of a later version", "resource_dependencies = []", "3:1: resource.a.resource_dependencies: resource_dependencies is not supported yet"),
    ("a method of a later version", 'init_command = "x"', "3:1: resource.a.init_command: init_command is not supported yet"),
    ("a scalable service", "scalable = true", "3:12: resource.a.scalable: scalable is not supported yet; only false may be given"),
    ("another resource type", 'type = "SUNW.nfs"', '3:8: resource.a.type: a resource type other than gds is not supported yet: "SUNW.nfs"'),
    ("a type that is no word", "type = 1", '3:8: resource.a.type: expected "gds", not 1'),
    ("a duration that is a boolean", "probe_timeout = true", f"3:17: resource.a.probe_timeout: expected {DURATION}, not true"),
    ("a duration that is a list", "probe_timeout = []", f"3:17: resource.a.probe_timeout: expected {DURATION}, not an empty array"),
    ("a negative duration", "probe_timeout = -0.5", "3:17: resource.a.probe_timeout: a duration may not be negative: -0.5"),
    ("a negative duration in words", 'probe_timeout = "-3s"', '3:17: resource.a.probe_timeout: a duration may not be negative: "-3s"'),
    ("a duration without end", "probe_timeout = inf", "3:17: resource.a.probe_timeout: a duration has to be finite, not inf"),
    ("a duration that is no number", "probe_timeout = nan", "3:17: resource.a.probe_timeout: a duration has to be finite, not nan"),
    ("a duration of zero where time must pass", "probe_timeout = 0", "3:17: resource.a.probe_timeout: expected at least 0.01 s, not 0"),
    ("a duration with an odd unit", 'probe_timeout = "5 weeks"', f'3:17: resource.a.probe_timeout: expected {DURATION}, not "5 weeks"'),
    ("a duration of centuries", 'probe_timeout = "99999999h"', '3:17: resource.a.probe_timeout: a duration may be at most 100 years, not "99999999h"'),
    ("a start_timeout under a second", 'start_timeout = "500ms"', '3:17: resource.a.start_timeout: expected at least 1 s, not "500ms"'),
    ("a stop_timeout under a second", "stop_timeout = 0.9", "3:16: resource.a.stop_timeout: expected at least 1 s, not 0.9"),
    ("minus one where it has no meaning", "retry_interval = -1", "3:18: resource.a.retry_interval: a duration may not be negative: -1"),
    ("a count that is a string", 'retry_count = "2"', '3:15: resource.a.retry_count: expected a whole number, not "2"'),
    ("a count that is a fraction", "retry_count = 2.0", "3:15: resource.a.retry_count: expected a whole number, not 2.0"),
    ("a count below its least", "retry_count = -2", "3:15: resource.a.retry_count: expected a number of at least -1, not -2"),
    ("a count of no end of digits", "retry_count = 0x" + "f" * 5000, "3:15: resource.a.retry_count: expected a number of at most 1000000000, not a number of more than 38 digits"),
    ("niceness out of range", "nice = 20", "3:8: resource.a.nice: expected a number of at most 19, not 20"),
    ("a boolean in quotes", 'enabled = "yes"', '3:11: resource.a.enabled: expected true or false, not "yes"'),
    ("a boolean as number", "pmf_managed = 0", "3:15: resource.a.pmf_managed: expected true or false, not 0"),
    ("a text that is a date", "description = 1979-05-27", "3:15: resource.a.description: expected a string, not a date or time"),
    ("a text with NUL", 'description = "a\\u0000"', "3:15: resource.a.description: a string may not hold the character NUL (\\u0000)"),
    ("an empty command", 'stop_command = " "', "3:16: resource.a.stop_command: a command may not be empty"),
    ("a command without words", "stop_command = []", "3:16: resource.a.stop_command: a command may not be empty"),
    ("a command without a program", 'stop_command = ["", "x"]', "3:17: resource.a.stop_command[0]: the first word of a command is the program, and may not be empty"),
    ("a command with a number in it", 'stop_command = ["/bin/true", 5]', "3:30: resource.a.stop_command[1]: expected a string (a command is an array of strings), not 5"),
    ("a command with NUL", 'stop_command = "a\\u0000b"', "3:16: resource.a.stop_command: a command may not hold the character NUL (\\u0000)"),
    ("a word of a command with NUL", 'stop_command = ["a", "\\u0000"]', "3:22: resource.a.stop_command[1]: a command may not hold the character NUL (\\u0000)"),
    ("a command that is a table", "stop_command = {}", f"3:16: resource.a.stop_command: expected {COMMAND}, not a table"),
    ("a signal that is none", 'stop_signal = "SIGTREM"', '3:15: resource.a.stop_signal: expected the name of a signal such as "SIGINT" or "INT", or its number, not "SIGTREM"; did you mean SIGTERM?'),
    ("signal 0", "stop_signal = 0", "3:15: resource.a.stop_signal: expected the number of a signal, 1 to 64, not 0"),
    ("a signal as a boolean", "stop_signal = true", '3:15: resource.a.stop_signal: expected the name of a signal such as "SIGINT" or "INT", or its number, not true'),
    ("a real-time signal out of range", 'stop_signal = "RTMIN+99"', '3:15: resource.a.stop_signal: expected the name of a signal such as "SIGINT" or "INT", or its number, not "RTMIN+99"'),
    ("a port out of range", 'port_list = ["8080/tcp", "65536/tcp"]', "3:26: resource.a.port_list[1]: expected a port from 0 to 65535, not 65536"),
    ("a negative port", "port_list = [-1]", "3:14: resource.a.port_list[0]: expected a port from 0 to 65535, not -1"),
    ("a port that is no number", 'port_list = ["http"]', '3:14: resource.a.port_list[0]: expected a port such as "8080/tcp", not "http"'),
    ("a port that is a boolean", "port_list = [true]", '3:14: resource.a.port_list[0]: expected a port such as "8080/tcp", not true'),
    ("a protocol that is none", 'port_list = ["80/tpc"]', '3:14: resource.a.port_list[0]: expected one of the protocols tcp, tcp6, udp, udp6, not "tpc"; did you mean tcp?'),
    ("ports that are no list", 'port_list = "80/tcp"', f'3:13: resource.a.port_list: expected {PORTS}, not "80/tcp"'),
    ("a mode like a known one", 'failover_mode = "HRAD"', '3:17: resource.a.failover_mode: expected one of "NONE", "SOFT", "HARD", "RESTART_ONLY", "LOG_ONLY", not "HRAD"; did you mean "HARD"?'),
    ("a word that is a number", "ready = 1", '3:9: resource.a.ready: expected one of "probe", "notify", not 1'),
    ("a group that is no name", 'group = "my group"', "3:9: resource.a.group: a name has letters, digits, '-' and '_' only, not ' '"),
    ("a umask of too many digits", 'umask = "02222"', '3:9: resource.a.umask: expected a string of octal digits such as "027", or a number written 0o027, not "02222"'),
    ("a umask beyond 777", 'umask = "1777"', '3:9: resource.a.umask: expected a umask from 000 to 777 (octal), not "1777"'),
    ("a umask as a boolean", "umask = true", '3:9: resource.a.umask: expected a string of octal digits such as "027", or a number written 0o027, not true'),
    ("a umask as a decimal number", "umask = 22", '3:9: resource.a.umask: write a umask in octal: as a string like "027", or as a number like 0o027'),
    ("a variable that is a number", "environment = {A = 5}", "3:20: resource.a.environment.A: the value of an environment variable has to be a string: put it in quotes"),
    ("a variable that is a list", "environment = {A = []}", "3:20: resource.a.environment.A: the value of an environment variable has to be a string"),
    ("a variable with an impossible name", 'environment = {"A=B" = "x"}', '3:16: resource.a.environment."A=B": expected the name of an environment variable (no \'=\', no blank), not "A=B"'),
    ("variables that are no table", 'environment = ["A=1"]', "3:15: resource.a.environment: expected a table of names and strings, not an array"),
    ("an unknown limit", "limits = {nofiles = 1}", '3:11: resource.a.limits.nofiles: unknown limit "nofiles"; did you mean nofile?'),
    ("a negative limit", "limits = {nofile = -1}", '3:20: resource.a.limits.nofile: expected a number, "infinity" or "soft:hard", not -1'),
    ("a limit in odd words", 'limits = {nofile = "1:2:3"}', '3:20: resource.a.limits.nofile: expected a number, "infinity" or "soft:hard", not "1:2:3"'),
    ("a limit that is a boolean", "limits = {nofile = true}", '3:20: resource.a.limits.nofile: expected a number, "infinity" or "soft:hard", not true'),
    ("a soft limit above the hard one", 'limits = {nofile = "20:10"}', '3:20: resource.a.limits.nofile: the soft limit is above the hard limit: "20:10"'),
    ("no end above a hard limit", 'limits = {nofile = "infinity:10"}', '3:20: resource.a.limits.nofile: the soft limit is above the hard limit: "infinity:10"'),
    ("an output like a known one", 'stdout = "jornal"', '3:10: resource.a.stdout: expected "inherit", "journal", "null", or a table with path, rotate and keep, not "jornal"; did you mean journal?'),
    ("an output that is a path", 'stdout = "/var/log/x"', '3:10: resource.a.stdout: expected "inherit", "journal", "null", or a table with path, rotate and keep, not "/var/log/x"; for a file, write {path = "/var/log/x"}'),
    ("an output that is a number", "stdout = 1", '3:10: resource.a.stdout: expected "inherit", "journal", "null", or a table with path, rotate and keep, not 1'),
    ("an output without a file", "stdout = {keep = 1}", "3:10: resource.a.stdout: path is missing: the file the output goes to"),
    ("an unknown key of an output", 'stdout = {path = "/tmp/x", rotat = 1}', "3:28: resource.a.stdout.rotat: unknown key; did you mean rotate?"),
    ("a size in odd words", 'stdout = {path = "/tmp/x", rotate = "10 megs"}', '3:37: resource.a.stdout.rotate: expected a number of bytes, or a string such as "10MiB" (2^20) or "10MB" (10^6), not "10 megs"'),
    ("a size that is a fraction", 'stdout = {path = "/tmp/x", rotate = 1.5}', '3:37: resource.a.stdout.rotate: expected a number of bytes, or a string such as "10MiB" (2^20) or "10MB" (10^6), not 1.5'),
    ("a negative size", 'stdout = {path = "/tmp/x", rotate = -1}', '3:37: resource.a.stdout.rotate: expected a number of bytes, or a string such as "10MiB" (2^20) or "10MB" (10^6), not -1'),
    ("a probe that is no table", "probe = 8080", "3:9: resource.a.probe: expected a table with one of tcp, http, unix and notify, such as {tcp = 8080}, not 8080"),
    ("a probe of nothing", "probe = {timeout_score = 1}", "3:9: resource.a.probe: expected a table with one of tcp, http, unix and notify; it has none"),
    ("a probe of two kinds", 'probe = {tcp = 1, unix = "/x"}', "3:9: resource.a.probe: expected a table with one of tcp, http, unix and notify; it has tcp and unix"),
    ("an unknown key of a probe", "probe = {tpc = 1}", "3:10: resource.a.probe.tpc: unknown key; did you mean tcp?"),
    ("a score that is not for this kind", "probe = {tcp = 1, status_score = 1}", "3:19: resource.a.probe.status_score: status_score means nothing for a tcp probe, only for http"),
    ("a score above 100", "probe = {tcp = 1, error_score = 101}", "3:33: resource.a.probe.error_score: expected a number of at most 100, not 101"),
    ("a score that is a fraction", "probe = {tcp = 1, error_score = 1.5}", "3:33: resource.a.probe.error_score: expected a whole number, not 1.5"),
    ("a tcp probe of port 0", "probe = {tcp = 0}", "3:16: resource.a.probe.tcp: expected a port from 1 to 65535, not 0"),
    ("a tcp probe of a port out of range", 'probe = {tcp = "h:65536"}', "3:16: resource.a.probe.tcp: expected a port from 1 to 65535, not 65536"),
    ("a tcp probe without a port", 'probe = {tcp = "localhost"}', '3:16: resource.a.probe.tcp: expected a port, or "host:port", not "localhost"'),
    ("a tcp probe of digits only", 'probe = {tcp = "12345678901"}', '3:16: resource.a.probe.tcp: expected a port, or "host:port", not "12345678901"'),
    ("a tcp probe that is a table", "probe = {tcp = {}}", '3:16: resource.a.probe.tcp: expected a port, or "host:port", not a table'),
    ("an http probe that is a port", "probe = {http = 80}", '3:17: resource.a.probe.http: expected a URL such as "http://127.0.0.1:8080/health", not 80'),
    ("an http probe of https", 'probe = {http = "https://x/"}', "3:17: resource.a.probe.http: a probe of https is not supported yet; use http, or a probe_command"),
    ("an http probe with a password", 'probe = {http = "http://u:p@x/"}', "3:17: resource.a.probe.http: a name and password in the URL are not supported yet; use a probe_command"),
    ("an http probe with a blank", 'probe = {http = "http://x/a b"}', '3:17: resource.a.probe.http: expected a URL such as "http://127.0.0.1:8080/health", not "http://x/a b"'),
    ("an http probe with no host", 'probe = {http = "http://:80/"}', '3:17: resource.a.probe.http: expected a URL such as "http://127.0.0.1:8080/health", not ":80"'),
    ("an http probe of port 0", 'probe = {http = "http://x:0/"}', "3:17: resource.a.probe.http: expected a port from 1 to 65535, not 0"),
    ("an http status that is none", 'probe = {http = "http://x/", expect = [200, 999]}', '3:45: resource.a.probe.expect[1]: expected an HTTP status such as 200, a range such as "200-399", or an array of them, not 999'),
    ("a range of statuses backwards", 'probe = {http = "http://x/", expect = "399-200"}', '3:39: resource.a.probe.expect: expected an HTTP status such as 200, a range such as "200-399", or an array of them, not "399-200"'),
    ("a notify probe that is off", "probe = {notify = false}", "3:19: resource.a.probe.notify: expected true, or a duration, not false"),
    ("an exit map in a built-in probe", 'probe = {tcp = 1, exit_map = "nagios"}', "3:19: resource.a.probe.exit_map: exit_map translates the exit status of a probe_command; a built-in probe has none"),
    ("an exit map alone in a probe", 'probe = {exit_map = "nagios"}', "3:9: resource.a.probe: expected one of tcp, http, unix and notify (exit_map alone goes with a probe_command)"),
    ("an exit map without a probe command", 'exit_map = "nagios"', "3:1: resource.a.exit_map: exit_map translates the exit status of probe_command, which is missing"),
    ("a user that does not exist", 'user = "no-such-user"', "3:8: resource.a.user: user no-such-user does not exist"),
    ("a user of a number that is nobody's", 'user = "4123456789"', "3:8: resource.a.user: user 4123456789 does not exist"),
    ("a group that does not exist", 'group_name = "no-such-group"', "3:14: resource.a.group_name: group no-such-group does not exist"),
    ("a further group that does not exist", 'supplementary_groups = ["root", "no-such"]', "3:33: resource.a.supplementary_groups[1]: group no-such does not exist"),
    ("a directory that does not exist", 'working_directory = "/no/such"', "3:21: resource.a.working_directory: /no/such does not exist"),
    ("a directory that is a file", 'working_directory = "/etc/passwd"', "3:21: resource.a.working_directory: /etc/passwd is not a directory"),
    ("an environment file that does not exist", 'environment_files = ["/etc/passwd", "/no/such"]', "3:37: resource.a.environment_files[1]: /no/such does not exist"),
    ("an environment file that is a directory", 'environment_files = ["/etc"]', "3:22: resource.a.environment_files[0]: /etc is a directory"),
    ("a command that does not exist", 'stop_command = ["/no/such", "x"]', "3:17: resource.a.stop_command[0]: /no/such does not exist"),
    ("a command that is not in PATH", 'stop_command = ["no-such-program"]', "3:17: resource.a.stop_command[0]: no-such-program is not found in PATH"),
    ("a command that is not executable", 'stop_command = ["/etc/passwd"]', "3:17: resource.a.stop_command[0]: /etc/passwd is not executable"),
    ("a command that is a directory", 'stop_command = ["/etc"]', "3:17: resource.a.stop_command[0]: /etc is a directory"),
    ("a command that is a device", 'stop_command = ["/dev/null"]', "3:17: resource.a.stop_command[0]: /dev/null is not a regular file"),
    ("a shell string that begins with a path that does not exist", 'stop_command = "/no/such -x"', "3:16: resource.a.stop_command: /no/such does not exist"),
    ("network_aware without ports", "network_aware = true", "3:17: resource.a.network_aware: network_aware = true needs port_list: the ports the application listens on"),
    ("HARD without a way to end the node", 'failover_mode = "HARD"', "3:17: resource.a.failover_mode: failover_mode HARD needs an engine that can fence, or node_abort_command in [runner]"),
]  # fmt: skip


@pytest.mark.parametrize(("keys", "expected"), [k[1:] for k in KEYS], ids=[k[0] for k in KEYS])
def test_one_mistake_one_message(tmp_path: Path, keys: str, expected: str) -> None:
    assert problems(tmp_path, HEAD + keys + "\n") == [f"app.toml:{expected}"]


FILES: list[tuple[str, str | bytes, list[str]]] = [
    ("empty", "", ['1:1: nothing is declared; expected start_command = "..." or a table [resource.NAME]']),
    ("only a comment", "# x\n", ['1:1: nothing is declared; expected start_command = "..." or a table [resource.NAME]']),
    ("an empty table of resources", "[resource]\n", ['1:1: nothing is declared; expected start_command = "..." or a table [resource.NAME]']),
    ("cut off in an array", 'start_command = ["x",', ["1:22: not TOML: invalid value at the end of the file; is it cut off?"]),
    ("cut off in a string", 'start_command = "x', ["1:19: not TOML: unterminated string at the end of the file; is it cut off?"]),
    ("cut off in a header", "[resource.a", ["1:12: not TOML: expected ']' at the end of a table declaration at the end of the file; is it cut off?"]),
    ("binary", b"\x7fELF\x02\x01\x01\x00\xff", ["1:9: cannot read it: not UTF-8 (byte 0xff)"]),
    ("a control character", b"a = '\x01'", ["1:6: not TOML: found invalid character '\\x01'"]),
    ("latin-1", "a = 1\nb = 'ü".encode("latin-1"), ["2:6: cannot read it: not UTF-8 (byte 0xfc)"]),
    ("a byte order mark", b'\xef\xbb\xbfstart_command = "x"', ["1:1: cannot read it: it begins with a byte order mark (BOM); save it as UTF-8 without BOM"]),
    ("UTF-16", 'start_command = "x"'.encode("utf-16"), ["1:1: cannot read it: it is UTF-16; save it as UTF-8 without BOM"]),
    ("1 MiB of brackets", "[" * (1 << 20), ["1:3: not TOML: invalid initial character for a key part"]),
    ("1 MiB of brackets in a value", "a=" + "[" * ((1 << 20) - 2), ["1:36: cannot read it: nested deeper than 32 levels"]),
    ("inline tables without end", "a=" + "{a=" * 300000, ["1:102: cannot read it: nested deeper than 32 levels"]),
    ("a key of a hundred thousand parts", "a" + ".a" * 100000 + " = 1", ["1:65: cannot read it: nested deeper than 32 levels"]),
    ("a header of a hundred thousand parts", "[a" + ".a" * 100000 + "]", ["1:66: cannot read it: nested deeper than 32 levels"]),
    ("a number of five thousand digits", "[resource.a]\nretry_count = " + "9" * 5000, ["2:15: not TOML: a number of too many digits"]),
    ("more than 1 MiB", "#" * ((1 << 20) + 1), [" cannot read it: longer than 1 MiB"]),
    ("a key twice", '[resource.a]\nstart_command = "x"\n  start_command = "y"\n', ["3:3: resource.a.start_command: given twice; first at line 2"]),
    ("a table twice", '[resource.a]\nstart_command = "x"\n[resource.a]\n', ["3:2: resource.a: given twice; first at line 1"]),
    ("a key twice, in an inline table", "start_command = 'x'\nlimits = {core = 1, core = 2}", ["2:21: limits.core: given twice; first at line 2"]),
    ("a value made a table", "a = 1\n[a.b]", ["2:5: not TOML: cannot overwrite a value"]),
    ("a key twice, spelled differently", '[resource.a]\nstart_command = "/bin/true"\nStart_Command = "x"\n', ["3:1: resource.a.Start_Command: given twice, in different capitalisation"]),
    ("a resource twice, spelled differently", '[resource.a]\nstart_command = "/bin/true"\n[Resource.a]\nx = 1\n', ["3:2: Resource.a: given twice, in different capitalisation"]),
    ("a stray table", '[resource.a]\nstart_command = "/bin/true"\n[resuorce.b]\nx = 1\n', ["3:2: resuorce: unknown key; did you mean resource?"]),
    ("a table like no other", "[xyzzy]\n", ["1:2: xyzzy: unknown key; expected [resource.NAME] or [group.NAME]"]),
    ("settings", "[runner]\nnode = 'x'\n", ["1:2: runner: [runner] belongs into /etc/gds/gds.toml, not into a descriptor"]),
    ("settings beside one resource", "start_command = '/bin/true'\n[runner]\nnode = 'x'\n", ["2:2: runner: [runner] belongs into /etc/gds/gds.toml, not into a descriptor"]),
    ("a key of a resource above the tables", 'retry_count = 2\n[resource.a]\nstart_command = "/bin/true"\n', ["1:1: retry_count: a key of a resource outside of any [resource.NAME]"]),
    ("no table but a value", "resource = 1\n", ["1:12: resource: expected tables [resource.NAME], not 1"]),
    ("a value, then a table", "resource = 1\n[Resource.a]\n", ["1:12: resource: expected tables [resource.NAME], not 1", "2:2: Resource: given twice, in different capitalisation"]),
    ("an array of tables", "[[resource]]\nstart_command = 'x'\n", ["1:3: resource: expected tables [resource.NAME], not an array"]),
    ("a key where a name belongs", "[resource]\nstart_command = 'x'\n", ["2:1: resource.start_command: expected a table [resource.NAME], not \"x\"; write [resource.NAME] above it"]),
    ("a value where a name belongs", "[resource]\nweb = 'x'\n", ['2:1: resource.web: expected a table [resource.NAME], not "x"']),
    ("an illegal name", '[resource."a b"]\nstart_command = "/bin/true"\n', ["1:2: resource.\"a b\": \"a b\" cannot be a name: a name has letters, digits, '-' and '_' only, not ' '"]),
    ("an empty name", '[resource.""]\n', ['1:2: resource."": "" cannot be a name: a name may not be empty']),
    ("a name of a hundred thousand letters", f"[resource.{'a' * 100000}]\n", [f'1:2: resource.{"a" * 77 + "..."!r}: "{"a" * 37}..." cannot be a name: a name has at most 255 characters, this one 100000'.replace("'", '"')]),
    ("a resource without a start command", "[resource.a]\nretry_count = 1\n", ["1:2: resource.a: start_command is missing: the command that starts the application"]),
    ("one resource without a start command", "retry_count = 1\n", ["1:1: start_command is missing: the command that starts the application"]),
    ("an unknown key of a group", '[group.g]\nx = 1\n[resource.a]\nstart_command = "/bin/true"\n', ["2:1: group.g.x: unknown key; `gds explain` lists all keys"]),
    ("a key of a later version of a group", "[group.g]\nfailback = true\n", ["2:1: group.g.failback: failback is not supported yet"]),
    ("a key of a resource in a group", "[group.g]\nretry_count = 2\n", ["2:1: group.g.retry_count: unknown key here; it belongs into a table [resource.NAME]"]),
    ("an illegal name of a group", '[group."1"]\n', ['1:2: group.1: "1" cannot be a name: a name starts with a letter A-Z or a-z']),
    ("a group that is no table", "[group]\ndescription = 'x'\n", ["2:1: group.description: expected a table [group.NAME], not \"x\"; write [group.NAME] above it"]),
    ("two probes", '[resource.a]\nstart_command = "/bin/true"\nprobe_command = "/bin/true"\nprobe = {tcp = 1}\n', ["4:1: resource.a.probe: probe and probe_command are both given; a resource has one probe"]),
    ("two exit maps", '[resource.a]\nstart_command = "/bin/true"\nprobe_command = "/bin/true"\nprobe = {exit_map = "nagios"}\nexit_map = "nagios"\n', ["5:1: resource.a.exit_map: exit_map is given twice: here and in probe"]),
    ("an unknown exit map", '[resource.a]\nstart_command = "/bin/true"\nprobe_command = "/bin/true"\nexit_map = "nagois"\n', ['4:12: resource.a.exit_map: expected "pass-fail", "nagios", or a table from exit status to score, with `other` for the rest, not "nagois"; did you mean nagios?']),
    ("an exit map of a wrong type", '[resource.a]\nstart_command = "/bin/true"\nprobe_command = "/bin/true"\nexit_map = 1\n', ['4:12: resource.a.exit_map: expected "pass-fail", "nagios", or a table from exit status to score, with `other` for the rest, not 1']),
    ("an empty exit map", '[resource.a]\nstart_command = "/bin/true"\nprobe_command = "/bin/true"\nexit_map = {}\n', ["4:12: resource.a.exit_map: an exit map may not be empty"]),
    ("an exit map of nonsense", '[resource.a]\nstart_command = "/bin/true"\nprobe_command = "/bin/true"\nexit_map = {256 = 0, 1 = 101, x = 1}\n', [
        '4:13: resource.a.exit_map.256: expected an exit status from 0 to 255, or "other", not "256"',
        "4:26: resource.a.exit_map.1: expected a score from 0 to 100, or 201 for fail over at once, not 101",
        '4:31: resource.a.exit_map.x: expected an exit status from 0 to 255, or "other", not "x"',
    ]),
    ("no process and no way to stop", '[resource.a]\nstart_command = "/bin/true"\npmf_managed = false\n', [
        "3:15: resource.a.pmf_managed: pmf_managed = false needs stop_command: there is no process to send a signal to",
        "3:15: resource.a.pmf_managed: pmf_managed = false needs probe_command, probe or a tcp port in port_list: health has no other source",
    ]),
    ("no process, and ports that are not asked", '[resource.a]\nstart_command = "/bin/true"\npmf_managed = false\nstop_command = "/bin/true"\nport_list = ["80/tcp"]\nnetwork_aware = false\n', [
        "3:15: resource.a.pmf_managed: pmf_managed = false needs probe_command, probe or a tcp port in port_list: health has no other source",
    ]),
    ("several mistakes, all told", '[resource.a]\nretry_count = -9\nuser = "no-such-user"\nfoo = 1\n[resource.b]\nstart_command = 1\nnetwork_aware = true\nport_list = 1\n', [
        "1:2: resource.a: start_command is missing: the command that starts the application",
        "2:15: resource.a.retry_count: expected a number of at least -1, not -9",
        "3:8: resource.a.user: user no-such-user does not exist",
        "4:1: resource.a.foo: unknown key; `gds explain` lists all keys",
        f"6:17: resource.b.start_command: expected {COMMAND}, not 1",
        f"8:13: resource.b.port_list: expected {PORTS}, not 1",
    ]),
    ("keys in any spelling", "['Resource'.\"a\"]\n\"Start_Command\" = '/bin/true'\nPROBE = {Tcp = 0}\nresource = 1", [
        "3:16: resource.a.probe.tcp: expected a port from 1 to 65535, not 0",
        "4:1: resource.a.resource: unknown key; `gds explain` lists all keys",
    ]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), [f[1:] for f in FILES], ids=[f[0] for f in FILES])
def test_a_file_is_told_all_its_mistakes(tmp_path: Path, text: str | bytes, expected: list[str]) -> None:
    assert problems(tmp_path, text) == [f"app.toml:{line}" for line in expected]


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
