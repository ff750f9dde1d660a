"""Unit tests of parts of the devbox."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from flyte.devbox import bus, clock
from flyte.devbox.bus import Bus
from flyte.devbox.data.blobs import BlobError, Blobs, segments
from flyte.devbox.data.logs import LogBook
from flyte.devbox.executor.limits import Limits, parse_quantity
from flyte.devbox.executor.slots import Slots
from flyte.devbox.keys import ActionKey, RunKey
from flyte.devbox.runs import creation
from flyte.devbox.store.actions import LISTING
from flyte.devbox.store.listing import compile_request
from flyte.devbox.store.rows import TaskRow
from flyte.devbox.store.store import Store
from flyte_api.messages.flyteidl2.core.literals import Backoff, RetryStrategy
from flyte_api.messages.flyteidl2.core.tasks import TaskMetadata
from flyte_api.messages.google.protobuf.duration import Duration

RUN = RunKey("p", "d", "r1")
ROOT = RUN.root


def key(name: str) -> ActionKey:
    return ROOT.sibling(name)


class TestSlots:
    async def test_first_come_first_served(self) -> None:
        slots = Slots(2)
        turns = [slots.ask(key(str(number))) for number in range(4)]
        assert [turn.done() for turn in turns] == [True, True, False, False]
        assert slots.full
        slots.leave(key("1"))
        assert [turn.done() for turn in turns] == [True, True, True, False]

    async def test_who_gave_up_is_passed_over(self) -> None:
        slots = Slots(1)
        slots.ask(key("a"))
        impatient, patient = slots.ask(key("b")), slots.ask(key("c"))
        impatient.cancel()
        slots.leave(key("a"))
        assert patient.done() and not patient.cancelled()

    async def test_parents_do_not_hold_up_their_children(self) -> None:
        slots = Slots(1)
        slots.ask(key("parent"))
        slots.child_added(key("parent"))
        child = slots.ask(key("child"))
        assert child.done()
        slots.child_added(key("child"))
        assert slots.ask(key("grandchild")).done()
        # The parent has its place again, so others wait.
        for name in ("grandchild", "child"):
            slots.leave(key(name))
        slots.child_ended(key("child"))
        slots.child_ended(key("parent"))
        assert slots.full and not slots.ask(key("other")).done()


class TestLimits:
    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("128974848", 128974848),
            ("500Mi", 500 << 20),
            ("1.5Gi", 3 << 29),
            ("2G", 2 * 10**9),
            ("1e3", 1000),
            (".5k", 500),
        ],
    )
    def test_quantities(self, text: str, value: int) -> None:
        assert parse_quantity(text) == value

    @pytest.mark.parametrize("text", ["", "lots", "5 MB", "Mi", "-1", "1Mib", "0x10"])
    def test_what_is_no_quantity(self, text: str) -> None:
        with pytest.raises(ValueError, match="quantity"):
            parse_quantity(text)

    def test_backoff_grows_to_its_cap(self) -> None:
        backoff = Backoff(base=Duration(seconds=2), factor=3.0, cap=Duration(seconds=10))
        limits = Limits.of(TaskMetadata(retries=RetryStrategy(retries=9, backoff=backoff)))
        assert [limits.delay_before(attempt) for attempt in range(1, 6)] == [0, 2, 6, 10, 10]
        assert limits.delay_before(10_000) == 10

    def test_no_limits(self) -> None:
        assert Limits.of(None) == Limits()
        assert Limits().delay_before(5) == 0


class TestBlobs:
    def test_uris_are_files(self, tmp_path: Path) -> None:
        blobs = Blobs(tmp_path / "with blank")
        uri = f"{blobs.base}/a/b.pb"
        assert blobs.read(uri) is None and not blobs.exists(uri)
        blobs.write(uri, b"1")
        blobs.write(uri, b"22")
        assert blobs.read(uri) == b"22"
        assert blobs.path(uri) == tmp_path / "with blank/a/b.pb"
        assert [file.name for file in (tmp_path / "with blank/a").iterdir()] == ["b.pb"]
        blobs.copy(uri, f"{blobs.base}/c/d.pb")
        assert blobs.read(f"{blobs.base}/c/d.pb") == b"22"

    @pytest.mark.parametrize("uri", ["s3://bucket/key", "file://host/key", "relative/path", ""])
    def test_what_is_no_file_of_this_machine(self, tmp_path: Path, uri: str) -> None:
        with pytest.raises(BlobError, match="file://"):
            Blobs(tmp_path).read(uri)
        assert not Blobs(tmp_path).exists(uri)

    def test_files_that_cannot_be_written(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("x")
        with pytest.raises(BlobError, match="cannot write"):
            Blobs(tmp_path).write(f"{tmp_path.as_uri()}/file/below", b"")

    def test_output_directories(self, tmp_path: Path) -> None:
        blobs = Blobs(tmp_path)
        base = blobs.run_base(RUN)
        assert base == f"{blobs.base}/p/d/r1/"
        assert blobs.output_directory(base, ROOT, 1) == f"{blobs.base}/xt/p/d/r1/a0/1"
        assert blobs.output_directory("file:///else/where/", ROOT, 2) == "file:///else/where/xt/a0/2"

    @pytest.mark.parametrize("name", ["..", ".", "a/b", "/", "x" * 300, "a\0b", "ü" * 100])
    def test_names_become_single_segments(self, tmp_path: Path, name: str) -> None:
        segment = segments(name)
        assert "/" not in segment and segment not in ("", ".", "..") and len(segment.encode()) < 256
        (tmp_path / segment).write_text("x")
        blobs = Blobs(tmp_path)
        assert blobs.path(blobs.run_base(RunKey("p", name, "r"))).parent.parent == tmp_path / "p"

    def test_different_long_names_stay_different(self) -> None:
        assert segments("x" * 300 + "a") != segments("x" * 300 + "b")
        assert segments("a/b") != segments("a%2Fb")


class TestLogs:
    async def test_lines_survive_in_the_file(self, tmp_path: Path) -> None:
        log = LogBook(tmp_path, Bus()).open(ROOT, 1)
        log.feed(b"one\ntw")
        log.feed(b"o\n")
        # Not closed, as after a crash: what was whole is there.
        found = [line.text async for batch in LogBook(tmp_path, Bus()).follow(ROOT, 1) for line in batch]
        assert found == ["one", "two"]
        log.feed(b"rest")
        log.close()
        assert LogBook(tmp_path, Bus()).last(ROOT, 1, 2) == ["two", "rest"]
        assert LogBook(tmp_path, Bus()).last(ROOT, 2, 2) == []

    async def test_followers_of_a_growing_log(self, tmp_path: Path) -> None:
        book = LogBook(tmp_path, Bus())
        log = book.open(ROOT, 1)
        seen: list[str] = []

        async def follow() -> None:
            async for batch in book.follow(ROOT, 1):
                seen.extend(line.text for line in batch)

        followers = [asyncio.create_task(follow()) for _ in range(2)]
        log.feed(b"a\n")
        await asyncio.wait(followers, timeout=0)
        log.feed(b"b\n")
        log.close()
        async with asyncio.timeout(10):
            await asyncio.gather(*followers)
        assert sorted(seen) == ["a", "a", "b", "b"]

    def test_last_lines_of_a_long_log(self, tmp_path: Path) -> None:
        log = LogBook(tmp_path, Bus()).open(ROOT, 1)
        log.feed(b"".join(b"%d %s\n" % (number, b"x" * 1000) for number in range(500)))
        log.close()
        assert [line.split()[0] for line in LogBook(tmp_path, Bus()).last(ROOT, 1, 3)] == ["497", "498", "499"]


class TestBus:
    async def test_changes_of_the_same_thing_fall_together(self) -> None:
        news = Bus()
        with news.subscribe(bus.RUNS) as subscription:
            for name in ("a", "b", "a"):
                news.publish(bus.RUNS, RunKey("p", "d", name))
            assert [run.run for run in await subscription.changes()] == ["a", "b"]
            news.publish(bus.actions_of(RUN), ROOT)
            waiting = asyncio.create_task(subscription.changes())
            assert await asyncio.wait((waiting,), timeout=0) == (set(), {waiting})
            news.publish(bus.RUNS, RUN)
            assert await waiting == [RUN]


class TestStore:
    def test_news_come_after_the_commit(self) -> None:
        store = Store(None, Bus())
        order: list[str] = []
        with store.database.transaction():
            store.database.after_commit(lambda: order.append("told"))
            order.append("inside")
        assert order == ["inside", "told"]
        with pytest.raises(RuntimeError), store.database.transaction():
            store.database.after_commit(lambda: order.append("never"))
            raise RuntimeError
        store.database.after_commit(lambda: order.append("at once"))
        assert order == ["inside", "told", "at once"]
        store.close()

    def test_a_failed_transaction_changes_nothing(self) -> None:
        store = Store(None, Bus())
        with pytest.raises(RuntimeError), store.database.transaction():
            digest = store.tasks.put_spec(b"spec")
            with store.database.transaction():
                store.tasks.put(TaskRow("p", "d", "t", "1", "", "t", "", "", digest, 1, 1))
            raise RuntimeError
        assert store.tasks.get("p", "d", "t", "1") is None
        store.close()

    @pytest.mark.parametrize("order", ["", "created_at"])
    def test_pages_of_runs_are_read_off_an_index(self, order: str) -> None:
        """The cost of a page does not depend on the number of runs, because nothing is sorted."""
        store = Store(None, Bus())
        query = compile_request(None, LISTING)
        query.require("parent IS NULL")
        query.require("project = ? AND domain = ?", "p", "d")
        if order:
            query.order = "created_at DESC, run_name ASC, name ASC"
        sql = f"EXPLAIN QUERY PLAN SELECT * FROM actions{query.condition} ORDER BY {query.order}{query.window()}"
        plan = " ".join(row["detail"] for row in store.database.rows(sql, query.parameters))
        assert "USING INDEX runs_by" in plan and "TEMP B-TREE" not in plan
        store.close()


def test_run_names() -> None:
    names = {creation.new_run_name() for _ in range(100)}
    assert len(names) == 100
    assert {len(name) for name in names} == {20}
    assert set("".join(name[1:] for name in names)) <= set("bcdfghjklmnpqrstvwxz2456789")


def test_times() -> None:
    micros = clock.from_text("2026-08-21T12:00:00.123456Z")
    assert clock.from_text("2026-08-21T14:00:00.123456+02:00") == micros
    assert clock.from_text("2026-08-21 12:00:00.123456") == micros
    stamp = clock.to_timestamp(micros)
    assert stamp.nanos == 123_456_000 and clock.from_timestamp(stamp) == micros
    assert clock.from_timestamp(clock.to_timestamp(-1)) == -1
