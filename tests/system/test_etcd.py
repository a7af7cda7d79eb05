"""The etcd engine with real etcd: what every engine promises, and what happens when etcd's members do not."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.contract.engines import CHECKS, SHARED_CHECKS, SharedBench
from tests.system.etcds import Member, OneMember

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def member(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Member]:
    with Member(tmp_path_factory.mktemp("etcd")) as made:
        yield made


@pytest.fixture
def bench(member: Member) -> Iterator[OneMember]:
    made = OneMember(member)
    yield made
    made.close()


@pytest.mark.parametrize("check", [*CHECKS, *SHARED_CHECKS], ids=lambda check: check.__name__)
def test_etcd(check: Callable[[SharedBench], None], bench: OneMember) -> None:
    check(bench)
