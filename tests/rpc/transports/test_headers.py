"""Header blocks that are remembered mean what HPACK says they mean, whatever came before them."""

from __future__ import annotations

import pytest
from hpack import Decoder, Encoder
from hypothesis import given
from hypothesis import strategies as st

from flyte_rpc.transports.http2.frames import Violation
from flyte_rpc.transports.http2.headers import HeaderReader, HeaderWriter

Headers = list[tuple[str, str, bool]]

# Few names and values, so that blocks repeat; some so long that the table overflows after a few.
_header = st.tuples(
    st.sampled_from([":status", "content-type", "x-a", "x-b"]),
    st.sampled_from(["200", "application/grpc", "", "0", "v" * 1500]),
    st.booleans(),
)
_resize = st.sampled_from([0, 64, 4096])
_steps = st.lists(st.one_of(st.lists(_header, max_size=4), _resize), max_size=40)


@given(_steps)
def test_reading_is_decoding(steps: list[Headers | int]) -> None:
    encoder, decoder, reader = Encoder(), Decoder(), HeaderReader()
    for step in steps:
        if isinstance(step, int):
            if step != encoder.header_table_size:  # hpack's encoder forgets a change that is made twice
                encoder.header_table_size = step
        else:
            block = encoder.encode(step)
            for _ in range(2 if step and all(never for *_, never in step) else 1):
                assert reader.read(block) == dict(decoder.decode(block))  # type: ignore[arg-type]


_calls = st.lists(
    st.one_of(
        st.tuples(
            st.sampled_from(["/a.B/C", "/a.B/D", "/a.B/" + "x" * 1500]),
            st.lists(st.tuples(st.sampled_from(["x-a", "authorization"]), st.sampled_from(["1", "2"])), max_size=2),
            st.sampled_from(["", "10S"]),
        ),
        _resize,
    ),
    max_size=40,
)


@given(_calls)
def test_writing_is_encoding(calls: list[tuple[str, list[tuple[str, str]], str] | int]) -> None:
    writer, decoder = HeaderWriter("http", "host:1", "tests"), Decoder()
    for count, call in enumerate(calls):
        if isinstance(call, int):
            writer.limit_table(call)
            decoder.max_allowed_table_size = max(decoder.max_allowed_table_size, call)
            continue
        path, metadata, timeout = call
        request_id = f"{count:032x}"
        block = writer.write(path, [("x-request-id", request_id), *metadata], timeout)
        assert decoder.decode(block) == [
            *((":method", "POST"), (":scheme", "http"), (":authority", "host:1"), (":path", path)),
            *(("te", "trailers"), ("content-type", "application/grpc"), ("user-agent", "tests")),
            *metadata,
            ("x-request-id", request_id),
            *([("grpc-timeout", timeout)] if timeout else []),
        ]


def test_what_is_the_same_in_all_requests_is_sent_once() -> None:
    writer = HeaderWriter("http", "host:1", "tests")
    sizes = [len(writer.write("/a.B/C", [("x-request-id", f"{n:032x}"), ("x-a", "1")], "")) for n in range(3)]
    assert sizes[1] == sizes[2] < sizes[0]
    assert sizes[2] == 8 + len(b"\0\x0cx-request-id\x20") + 32  # an index for each, and the literal


def test_credentials_never_enter_the_table() -> None:
    writer = HeaderWriter("http", "host:1", "tests")
    decoder = Decoder()
    for _ in range(2):
        headers = decoder.decode(writer.write("/a.B/C", [("authorization", "Bearer hunter2")], ""))
        assert [header.indexable for header in headers if header[0] == "authorization"] == [False]
    assert not any(b"hunter2" in value for _, value in decoder.header_table.dynamic_entries)


@pytest.mark.parametrize("block", [b"\xff\xff\xff\xff\xff\xff", b"\xbe", b"\x40\x05x"])
def test_a_block_that_cannot_be_decoded_is_a_violation(block: bytes) -> None:
    with pytest.raises(Violation, match="cannot be decoded"):
        HeaderReader().read(block)


def test_text_that_is_not_utf8_is_still_read() -> None:
    assert HeaderReader().read(b"\0\x03x-a\x02\xfca") == {"x-a": "\ufffda"}
