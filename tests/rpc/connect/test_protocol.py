"""The Connect protocol as bytes: deadlines, errors, envelopes, compression."""

from __future__ import annotations

import gzip
import json
import struct
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyte import errors
from flyte_rpc.transports.connect.protocol import (
    EnvelopeReader,
    decompress,
    envelope,
    reply_error,
    timeout_value,
)
from flyte_rpc.transports.framing import BadFrame, gunzip

JSON = {"content-type": "application/json; charset=utf-8"}


def failed(error: object, status: int = 400) -> errors.RpcError:
    return reply_error(status, JSON, json.dumps(error).encode())


def end(body: object) -> bytes:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return struct.pack(">BL", 2, len(data)) + data


@pytest.mark.parametrize(
    ("seconds", "value"),
    [(None, ""), (0, "0"), (-1, "0"), (0.0001, "1"), (1.0001, "1001"), (60, "60000"), (1e12, "9999999999")],
)
def test_deadlines_are_rounded_up(seconds: float | None, value: str) -> None:
    assert timeout_value(seconds) == value


class TestErrors:
    def test_details_become_a_status_of_grpc(self) -> None:
        # A google.protobuf.Int32Value of 5, whose base64 servers may or may not pad.
        for value in ("CAU=", "CAU"):
            error = failed(
                {
                    "code": "aborted",
                    "message": "no",
                    "details": [{"type": "google.protobuf.Int32Value", "value": value}],
                }
            )
            assert type(error) is errors.AbortedError
            any_ = b"\x0a\x2e" + b"type.googleapis.com/google.protobuf.Int32Value" + b"\x12\x02\x08\x05"
            assert error.details == b"\x08\x0a\x12\x02no" + b"\x1a" + bytes((len(any_),)) + any_

    @pytest.mark.parametrize(
        "detail", [None, 1, {}, {"type": 1}, {"type": "a.B", "value": 1}, {"type": "a.B", "value": "!"}]
    )
    def test_broken_details_do_not_hide_the_error(self, detail: object) -> None:
        error = failed({"code": "not_found", "message": "gone", "details": [detail]})
        assert type(error) is errors.NotFoundError and error.message == "gone" and error.details == b""

    def test_long_details(self) -> None:
        error = failed({"code": "internal", "details": [{"type": "a.B", "value": "AAAA" * 100_000}]})
        assert len(error.details) > 300_000

    def test_the_code_decides_not_the_http_status(self) -> None:
        assert type(failed({"code": "unavailable"}, 500)) is errors.UnavailableError
        assert type(failed({"code": "canceled"}, 499)) is errors.RpcCancelledError

    @pytest.mark.parametrize("error", [{}, {"code": "no_such"}, {"code": 5}, {"detail": "Not Found"}, [], None, "x"])
    def test_json_of_others_counts_by_its_http_status(self, error: Any) -> None:
        assert type(failed(error, 404)) is errors.UnimplementedError
        assert type(failed(error, 503)) is errors.UnavailableError
        assert type(failed(error, 418)) is errors.UnknownError

    @pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000])
    def test_broken_json(self, body: bytes) -> None:
        assert type(reply_error(503, JSON, body)) is errors.UnavailableError

    def test_a_compressed_error(self) -> None:
        headers = {**JSON, "content-encoding": "gzip"}
        error = reply_error(404, headers, gzip.compress(b'{"code": "not_found"}'))
        assert type(error) is errors.NotFoundError


class TestEnvelopes:
    @given(st.lists(st.binary(max_size=50), max_size=10), st.integers(1, 60))
    def test_messages_arrive_however_they_are_split(self, messages: list[bytes], step: int) -> None:
        body = b"".join(map(envelope, messages)) + end({"metadata": {"a": ["b"]}})
        reader = EnvelopeReader({})
        received = [m for at in range(0, len(body), step) for m in reader.feed(body[at : at + step])]
        assert received == messages
        assert reader.ended and reader.error is None and not reader.cut

    def test_compressed_messages(self) -> None:
        reader = EnvelopeReader({"connect-content-encoding": "gzip"})
        data = gzip.compress(b"hello")
        assert list(reader.feed(struct.pack(">BL", 1, len(data)) + data + envelope(b"plain"))) == [b"hello", b"plain"]
        assert not reader.ended

    def test_an_error_at_the_end(self) -> None:
        reader = EnvelopeReader({})
        assert list(reader.feed(end({"error": {"code": "not_found", "message": "gone"}}))) == []
        assert type(reader.error) is errors.NotFoundError and reader.error.message == "gone"

    @pytest.mark.parametrize(
        ("body", "error"),
        [
            (b"", errors.DecodeError),
            (b"[]", errors.DecodeError),
            ({"error": {"code": "?"}}, errors.UnknownError),
            ({"error": "x"}, errors.UnknownError),
        ],
    )
    def test_a_broken_end_is_an_error(self, body: object, error: type[errors.RpcError]) -> None:
        reader = EnvelopeReader({})
        assert list(reader.feed(end(body))) == []
        assert type(reader.error) is error

    @pytest.mark.parametrize(
        ("data", "shown"),
        [
            (b"\4\0\0\0\0", "unknown flags 0x4"),
            (b"\0\xff\xff\xff\xff", "4,294,967,295 bytes"),
            (b"\1\0\0\0\1x", "cut short"),
            (b"\1\0\0\0\4abcd", "broken"),
        ],
    )
    def test_what_is_no_envelope(self, data: bytes, shown: str) -> None:
        with pytest.raises(errors.DecodeError, match=shown):
            list(EnvelopeReader({"connect-content-encoding": "gzip"}).feed(data))

    def test_compression_that_the_reply_does_not_name(self) -> None:
        with pytest.raises(errors.DecodeError, match="does not say how"):
            list(EnvelopeReader({}).feed(b"\1\0\0\0\1x"))

    @given(st.binary(max_size=200))
    def test_random_bytes_are_messages_or_an_error(self, data: bytes) -> None:
        reader = EnvelopeReader({"connect-content-encoding": "gzip"})
        with suppress(errors.DecodeError):
            list(reader.feed(data))


class TestCompression:
    def test_several_members(self) -> None:
        assert gunzip(gzip.compress(b"ab") + gzip.compress(b"cd"), 10) == b"abcd"

    def test_the_limit_is_exact(self) -> None:
        assert gunzip(gzip.compress(bytes(10)), 10) == bytes(10)
        with pytest.raises(BadFrame, match="limit of 9 bytes"):
            gunzip(gzip.compress(bytes(10)), 9)
        with pytest.raises(BadFrame, match="limit of 10 bytes"):
            gunzip(gzip.compress(bytes(6)) * 2, 10)

    def test_too_many_members(self) -> None:
        assert gunzip(gzip.compress(b"") * 16, 10) == b""
        with pytest.raises(BadFrame, match="too many parts"):
            gunzip(gzip.compress(b"") * 17, 10)

    @given(st.binary(max_size=100))
    def test_random_bytes(self, data: bytes) -> None:
        with suppress(BadFrame):
            gunzip(data, 1000)

    def test_empty_bodies_need_no_compression(self) -> None:
        assert decompress("gzip", b"") == b""
        assert decompress(" Identity ", b"x") == b"x"

    def test_what_is_broken_is_an_error_of_the_call(self) -> None:
        with pytest.raises(errors.DecodeError, match="cut short"):
            decompress("gzip", gzip.compress(b"ab")[:-9])
