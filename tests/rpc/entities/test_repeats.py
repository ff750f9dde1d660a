"""Listings of entities that change while they are read."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Iterator, Sequence

import pytest

from flyte.errors import FlyteError
from flyte.remote import ArtifactGroup, Project, Run
from flyte_api.messages.flyteidl2.artifact.artifact import Artifact as ArtifactMessage
from flyte_api.messages.flyteidl2.artifact.artifact import ArtifactIdentifier, ArtifactName
from flyte_api.messages.flyteidl2.artifact.artifact_service import ArtifactGroup as GroupMessage
from flyte_api.messages.flyteidl2.common.identifier import ActionIdentifier, RunIdentifier
from flyte_api.messages.flyteidl2.project.project_service import Project as ProjectMessage
from flyte_api.messages.flyteidl2.workflow.run_definition import Action, ActionMetadata
from flyte_api.messages.flyteidl2.workflow.run_definition import Run as RunMessage
from flyte_rpc.entities import pager
from flyte_rpc.entities.entity import entity_key, listing_key
from flyte_rpc.entities.pager import Page, Pager


class Newest:
    """Numbers, the newest first, served by position. New ones arrive as a test says."""

    def __init__(self, total: int) -> None:
        self.numbers = list(range(total, 0, -1))
        self.requests: list[tuple[str, int]] = []
        self.arriving: Iterator[int] = iter(())
        """How many numbers are new before each request."""

    def add(self, count: int) -> None:
        for _ in range(count):
            self.numbers.insert(0, len(self.numbers) + 1)

    async def __call__(self, token: str, size: int) -> Page[int]:
        self.requests.append((token, size))
        self.add(next(self.arriving, 0))
        begin = int(token or 0)
        end = begin + size
        return Page(self.numbers[begin:end], str(end) if end < len(self.numbers) else "")

    def pager(self, limit: int | None = None, page_size: int = 3) -> Pager[int]:
        return Pager(self, limit=limit, page_size=page_size, key=identity)


def identity(number: int) -> Hashable:
    return number


@pytest.mark.parametrize("limit", [1, 3, 4, 12, 13, None])
@pytest.mark.parametrize("arrivals", [(0, 1, 0, 1), (0, 0, 3, 3), (0, 0, 0, 7), (0, 1, 1, 1, 1, 1, 1)], ids=str)
def test_new_items_neither_repeat_others_nor_use_up_the_limit(limit: int | None, arrivals: Sequence[int]) -> None:
    server = Newest(13)
    server.arriving = iter(arrivals)
    assert list(server.pager(limit)) == list(range(13, 0, -1))[:limit]


@pytest.mark.parametrize("limit", [4, 12, None])
def test_new_items_beyond_the_place_in_the_listing_are_part_of_it(limit: int | None) -> None:
    server = Newest(13)
    server.arriving = iter([0, 7])  # so three of them are on the second page
    found = list(server.pager(limit))
    assert found == [13, 12, 11, 17, 16, 15, 14, *range(10, 0, -1)][:limit]


@pytest.mark.parametrize("page_size", [1, 2, 5])
def test_each_loop_remembers_only_its_own_items(page_size: int) -> None:
    server = Newest(7)
    listing = server.pager(page_size=page_size)
    assert list(listing) == list(listing) == list(range(7, 0, -1))


def test_items_without_a_key_are_kept() -> None:
    async def fetch(token: str, size: int) -> Page[str]:
        return Page(["", "a", ""], "" if token else "next")

    listing = Pager(fetch, limit=None, page_size=3, key=lambda item: item or None)
    assert list(listing) == ["", "a", "", "", ""]


def test_a_listing_of_repeats_without_end_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pager, "_REMEMBERED", 50)
    requests = 0

    async def fetch(token: str, size: int) -> Page[int]:
        nonlocal requests
        requests += 1
        return Page([1, 2], str(requests))

    found: list[int] = []
    with pytest.raises(FlyteError, match="repeated 52 items in a row"):
        found += iter(Pager(fetch, limit=None, page_size=2, key=identity))
    assert found == [1, 2] and requests == 27


def test_many_new_items_between_two_pages_are_no_error() -> None:
    server = Newest(400)
    server.arriving = iter([*[0] * 300, 300])
    assert list(server.pager(page_size=1)) == list(range(400, 0, -1))


def test_it_recognizes_a_bounded_number_of_items(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pager, "_REMEMBERED", 50)
    known = pager._Repeats(identity)
    for number in range(1000):
        assert known.new_items([number], last=False) == [number]
        last = range(max(0, number - 49), number + 1)
        assert known.new_items([*last], last=False) == []
        assert len(known._newer) + len(known._older) <= 150
    assert known.new_items([0, 1], last=False) == [0, 1]


def test_keys_of_encoded_entities_are_their_identifiers() -> None:
    def run(name: str, parent: str) -> Run:
        identifier = ActionIdentifier(run=RunIdentifier(project="p", domain="d", name=name), name="a0")
        message = RunMessage(action=Action(id=identifier, metadata=ActionMetadata(parent=parent)))
        return Run(RunMessage.parse(bytes(message)))

    key = listing_key(Run)
    assert key(run("r1", "")) == key(run("r1", "p" * 200)) != key(run("r2", ""))
    assert key(run("r" * 200, "")) == key(run("r" * 200, "other")) != key(run("r1", ""))
    assert key(Run(RunMessage.parse(b"\x0a\x02\x0a\x05"))) is None, "malformed"
    assert key(Run(RunMessage())) is key(Run(RunMessage(action=Action()))) is None
    entity = run("r1", "")
    assert "*action" in vars(entity.pb2), "not decoded"
    assert key(entity) and "*action" in vars(entity.pb2)
    assert entity.name == "r1"
    assert key(entity) == entity_key(entity) == ("p", "d", "r1"), "decoded by its reader"


def test_a_new_version_does_not_make_another_group_of_artifacts() -> None:
    def group(name: str, version: str) -> ArtifactGroup:
        identifier = ArtifactIdentifier(name=ArtifactName(project="p", domain="d", name=name), version=version)
        message = GroupMessage(latest=ArtifactMessage(artifact_id=identifier))
        return ArtifactGroup(GroupMessage.parse(bytes(message)))

    key = listing_key(ArtifactGroup)
    assert key(group("a", "1")) == key(group("a", "2")) != key(group("b", "1"))


def test_keys_of_plain_values() -> None:
    key = listing_key(Project)
    assert key(Project(ProjectMessage.parse(bytes(ProjectMessage(id="p"))))) == ("p",)
    assert key(Project(ProjectMessage())) is None


def test_a_subclass_with_an_identity_of_its_own_is_asked() -> None:
    class Everything(Run):
        def _key(self) -> tuple[object, ...]:
            return ("one",)

    key = listing_key(Everything)
    assert key(Everything(RunMessage.parse(bytes(RunMessage(action=Action()))))) == ("one",)


def test_pages_are_filled_in_async_code_too() -> None:
    async def names() -> list[list[int]]:
        server = Newest(6)
        server.arriving = iter([0, 1])
        return [page async for page in server.pager().pages()]

    assert asyncio.run(names()) == [[6, 5, 4], [3, 2], [1]]
