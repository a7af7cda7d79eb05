"""An application that makes cgroups of its own below the one it was given is tracked whole (podman, systemd --user and
a gds that runs in a gds do so)."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gds.linux import cgrouproot
from gds.linux.cgroupforest import CgroupForest, mount_point
from gds.linux.cgrouptree import CgroupTree
from tests.contract.forests import PATH, Planted, World, marked, rungs, world

CGROUP = [rung for rung in rungs() if rung == "cgroup"]


@pytest.fixture(params=CGROUP)
def here(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    with world(request.param, tmp_path) as made:
        yield made


def below(here: World) -> tuple[Planted, CgroupTree]:
    """One that lives in a cgroup below a cgroup below its own, with a child and a daemon."""
    planted = here.stubborn("below", env={"PATH": PATH, "MOUNT": mount_point()}).until_said(b"ready")
    tree = planted.tree
    assert isinstance(tree, CgroupTree)

    def settled() -> bool:
        parents = sorted(tree.parents().values())
        return parents == sorted([os.getpid(), os.getpid(), tree.main_pid])  # who made the daemon is gone

    here.until(settled, lambda: str(tree.parents()))
    return planted, tree


def test_members_and_parents_are_those_of_the_whole_subtree(here: World) -> None:
    planted, tree = below(here)

    assert Path(tree.path, "cgroup.procs").read_text() == "", "nobody is where it was started"
    assert tree.members()[0] == tree.main_pid
    assert sorted(tree.members()) == sorted(marked(planted.mark))
    assert sorted(tree.parents()) == sorted(tree.members())


def test_a_signal_reaches_the_whole_subtree_and_who_is_left_keeps_it_alive(here: World) -> None:
    planted, tree = below(here)

    assert len(tree.signal(signal.SIGTERM)) == 3
    planted.until_over()

    assert planted.heard.words == ["started", "main", "emptied"]
    assert planted.heard.detail("main") == 4 << 8
    assert marked(planted.mark) == []


def test_an_orphan_in_the_subtree_is_followed_to_its_end(here: World) -> None:
    planted, tree = below(here)
    daemon = next(pid for pid, parent in tree.parents().items() if parent == os.getpid() and pid != tree.main_pid)

    for pid in tree.members():
        if pid != daemon:
            os.kill(pid, signal.SIGTERM if pid == tree.main_pid else signal.SIGKILL)
    here.until(lambda: tree.members() == [daemon], lambda: str(tree.members()))
    assert not planted.heard.over
    os.kill(daemon, signal.SIGUSR1)
    planted.until_over()

    assert planted.heard.detail("emptied") == signal.SIGUSR1


def test_a_kill_leaves_neither_process_nor_cgroup(here: World) -> None:
    planted, tree = below(here)

    tree.kill()
    planted.until_over()
    tree.release()
    here.until(lambda: not os.path.exists(tree.path), lambda: f"{tree.path} is left")

    assert marked(planted.mark) == []


def test_what_lives_in_a_subtree_is_taken_back(here: World) -> None:
    planted, tree = below(here)
    forest = here.forest
    assert isinstance(forest, CgroupForest)
    members = tree.members()
    forest._trees.pop(tree.path)  # as after a crash: nothing is known of it

    assert forest.survivors() == [("web", 1)]
    again = forest.adopt("web", 1, tree.main_pid, planted.heard)

    assert (again.main_pid, sorted(again.members())) == (tree.main_pid, sorted(members))
    again.kill()
    here.until(lambda: planted.heard.over, lambda: str(planted.heard.facts))


@pytest.mark.parametrize("launcher", [{}, {"nice": 5}], ids=["spawned", "launched"])
def test_a_method_that_hides_in_a_cgroup_of_its_own_leaves_nothing(here: World, launcher: dict[str, Any]) -> None:
    forest = here.forest
    assert isinstance(forest, CgroupForest)
    script = (
        f'm={mount_point()}; p=$m$(sed -n "s/^0:://p" /proc/self/cgroup)/inner; mkdir $p || exit 3;'
        "setsid sleep 50 & echo $! >$p/cgroup.procs; exit 0"
    )
    for _each in range(2):  # the second finds nothing of the first
        planted = here.plant(["sh", "-c", script], name="web:Probe", lasting=False, **launcher)
        here.until(lambda: "main" in planted.heard.words, lambda: str(planted.heard.facts))  # noqa: B023
        planted.tree.kill()
        planted.until_over()
        assert planted.heard.detail("main") == 0, planted.read()
        planted.tree.release()
        assert not [path for path in cgrouproot.subtree(forest.root) if path.endswith("/inner")]


def test_a_runner_in_a_delegated_cgroup_of_another_runner_stays_within_its_own(here: World) -> None:
    """Else a gds that runs in a gds under systemd would take the other one's applications for its own."""
    forest = here.forest
    assert isinstance(forest, CgroupForest)
    own = forest.home
    try:
        os.setxattr(forest.root, "user.delegate", b"1")
        assert cgrouproot.find_root(mount_point(), "x") == (forest.root, forest.root), "ours, in new clothes"
        os.setxattr(own, cgrouproot.MARK, b"1 web")
        assert cgrouproot.find_root(mount_point(), "x") == (own, own + "/gds-x")
        assert cgrouproot.find_root(mount_point(), "x", again=True) == (forest.root, forest.root)
    finally:
        os.removexattr(forest.root, "user.delegate")
        os.removexattr(own, cgrouproot.MARK)
