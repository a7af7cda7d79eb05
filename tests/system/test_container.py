"""gds as PID 1 of a real container, from the image of examples/container."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.system.lab import ContainerBox, Seen, build_context
from tests.system.running import eventually

pytestmark = pytest.mark.slow

IMAGE = "localhost/web"


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ContainerBox]:
    """podman with the example's image, built from the source tree without a network."""
    context = tmp_path_factory.mktemp("context")
    build_context(context)
    with ContainerBox("podman", context) as box:
        box.build(
            IMAGE, "-f", f"{context}/examples/container/Containerfile", "--build-arg", "PIP_NO_INDEX=1", f"{context}"
        )
        yield box


@pytest.fixture
def box(machine: ContainerBox) -> Iterator[ContainerBox]:
    """The same machine, without containers before and after."""
    yield machine
    print(logs(machine))  # pytest shows it if the test failed
    machine.podman("rm", "--force", "--all", "--time", "1")


def app(box: ContainerBox, text: str) -> tuple[str, ...]:
    """Words that give a container a descriptor of the test's own, at /app/web.toml."""
    box.write("/srv/app/web.toml", text)
    return ("--volume", "/srv/app:/app:ro")


def start(box: ContainerBox, *words: str, command: tuple[str, ...] = ()) -> None:
    """The container `c`, detached."""
    box.podman("run", "--detach", "--name", "c", *words, IMAGE, *command)


def status(box: ContainerBox) -> dict[str, object]:
    """What the runner in `c` says; empty while it cannot be asked."""
    done = box.podman("exec", "c", "gds", "status", "--json", check=False)
    answer: dict[str, object] = json.loads(done.stdout) if done.returncode == 0 else {}
    return answer


def resource(box: ContainerBox) -> dict[str, object]:
    """The only resource of `c`; empty while it cannot be asked."""
    groups = status(box).get("groups", [])
    assert isinstance(groups, list)
    return next((one for group in groups for one in group["resources"]), {})


def online(box: ContainerBox) -> None:
    eventually(lambda: resource(box).get("state") == "ONLINE", "the application is online")


def processes(box: ContainerBox) -> list[Seen]:
    """Every process of `c`, zombies too."""
    identity = box.podman("inspect", "--format", "{{.Id}}", "c").stdout.strip()
    return [one for one in box.processes() if f"libpod-{identity}" in one.cgroup]


def ended(box: ContainerBox, within: float = 30.0) -> int:
    """The exit status of `c`, once it has ended."""

    def over() -> bool:
        return box.podman("inspect", "--format", "{{.State.Status}}", "c").stdout.strip() == "exited"

    eventually(over, "the container has ended", within)
    return int(box.podman("inspect", "--format", "{{.State.ExitCode}}", "c").stdout)


def logs(box: ContainerBox) -> str:
    """What the application printed, then what the runner said; empty without a container."""
    done = box.podman("logs", "c", check=False)
    return done.stdout + done.stderr


def test_the_example_comes_up_healthy_and_stops_in_order(box: ContainerBox) -> None:
    start(box)
    eventually(
        lambda: box.podman("inspect", "--format", "{{.State.Health.Status}}", "c").stdout.strip() == "healthy",
        "HEALTHCHECK is content",
    )
    assert status(box)["pid"] == 1
    assert status(box)["tracking"] == "keeper", "the cgroups of a default container cannot be written"
    assert resource(box)["state"] == "ONLINE"
    box.podman("stop", "--time", "10", "c")
    assert ended(box) == 0


def test_the_healthcheck_fails_when_the_application_is_stopped(box: ContainerBox) -> None:
    start(box)
    online(box)
    assert box.podman("healthcheck", "run", "c", check=False).returncode == 0
    box.podman("exec", "c", "gds", "stop", "web")
    assert box.podman("healthcheck", "run", "c", check=False).returncode != 0


def test_orphans_of_anybody_are_reaped(box: ContainerBox) -> None:
    # Of the application: a child of a child that is gone, ten times a second. Of a stranger: by podman exec.
    start(box, *app(box, """start_command = "while :; do (setsid sleep 0.1 &); sleep 0.1; done"\n"""))
    online(box)
    box.podman("exec", "c", "sh", "-c", "for i in 1 2 3 4 5 6 7 8 9; do (setsid sleep 0.2 &); done")
    eventually(
        lambda: not [one for one in processes(box) if one.command == "sleep 0.2"], "the stranger's orphans are gone"
    )
    # A zombie may be seen between its end and its reaping, but never the same one twice.
    first = {one.pid for one in processes(box) if one.state == "Z"}
    eventually(lambda: not first & {one.pid for one in processes(box) if one.state == "Z"}, "no zombie stays")


def test_an_application_that_ignores_term_is_stopped_within_its_own_time(box: ContainerBox) -> None:
    text = """
[resource.web]
start_command = "trap '' TERM; echo deaf; while :; do sleep 1; done"
stop_timeout = "3s"
"""
    start(box, *app(box, text))
    online(box)
    box.podman("stop", "--time", "20", "c")
    assert ended(box) == 0


def test_a_stop_is_heard_by_the_application_and_its_last_words_are_kept(box: ContainerBox) -> None:
    text = """
[resource.web]
start_command = "trap 'echo last words; exit 0' TERM; echo first words; while :; do sleep 0.1; done"
"""
    start(box, *app(box, text))
    online(box)
    box.podman("kill", "--signal", "TERM", "c")
    assert ended(box) == 0
    lines = logs(box).splitlines()
    assert lines.index("first words") < lines.index("last words")


def test_giveover_ends_the_container_with_75(box: ContainerBox) -> None:
    text = """
[resource.web]
start_command = "sleep 0.4"
retry_count = 1
retry_interval = "5m"
"""
    start(box, *app(box, text))
    assert ended(box) == 75


def test_a_bad_descriptor_ends_the_container_with_78_and_says_why(box: ContainerBox) -> None:
    start(box, *app(box, '[resource.web]\nstart_command = "true"\nretry_cuont = 2\n'))
    assert ended(box) == 78
    assert "/app/web.toml:3" in logs(box)
    assert "retry_count" in logs(box)


@pytest.mark.parametrize(
    "words",
    [("--read-only",), ("--read-only", "--read-only-tmpfs=false")],
    ids=["with a tmpfs on /run", "without a writable directory"],
)
def test_a_read_only_root_is_enough(box: ContainerBox, words: tuple[str, ...]) -> None:
    start(box, *words)
    page = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:8080/', timeout=2).status)"
    eventually(
        lambda: box.podman("exec", "c", "python3", "-c", page, check=False).stdout.strip() == "200",
        "the application answers",
    )
    box.podman("stop", "--time", "10", "c")
    assert ended(box) == 0


def test_cgroups_are_used_where_they_can_be_written(box: ContainerBox) -> None:
    start(box, "--security-opt", "unmask=/sys/fs/cgroup")
    online(box)
    assert status(box)["tracking"] == "cgroup"
    box.podman("stop", "--time", "10", "c")
    assert ended(box) == 0


def test_another_user_than_root_can_be_pid_1(box: ContainerBox) -> None:
    start(box, "--user", "1000:1000", "--read-only")
    page = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:8080/', timeout=2).status)"
    eventually(
        lambda: box.podman("exec", "c", "python3", "-c", page, check=False).stdout.strip() == "200",
        "the application answers",
    )
    assert {one.uid for one in processes(box)} == {1000}
    box.podman("stop", "--time", "10", "c")
    assert ended(box) == 0


def test_a_bare_command_is_kept_alive_with_the_containers_environment(box: ContainerBox) -> None:
    start(box, "--env", "COLOUR=green", command=("--", "sh", "-c", "echo it is $COLOUR; exec sleep 1000"))
    online(box)
    eventually(lambda: "it is green" in logs(box).splitlines(), "it has the variable")
    found = eventually(lambda: [one.pid for one in processes(box) if one.command == "sleep 1000"], "it sleeps")
    box.kill("KILL", *found)
    eventually(lambda: logs(box).splitlines().count("it is green") == 2, "the command runs again")
    box.podman("stop", "--time", "10", "c")
    assert ended(box) == 0


def test_a_bare_command_that_does_not_stay_ends_the_container_with_75(box: ContainerBox) -> None:
    start(box, command=("--", "sleep", "0.4"))
    assert ended(box) == 75
