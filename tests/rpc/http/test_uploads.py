"""Uploads: what ends them, and what the next request finds."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from flyte_rpc.http.errors import HttpStatusError
from flyte_rpc.http.streaming import StreamingClient
from flyte_rpc.http.transfer import Transfer
from support.storage import Answer, Storage

URL = "/file?signature=hush"


@pytest.mark.parametrize("error", [BrokenPipeError("mine"), TimeoutError("mine"), ValueError("mine"), KeyError("mine")])
def test_an_error_of_the_body_is_raised_as_it_is(
    streaming: StreamingClient, storage: Storage, error: Exception
) -> None:
    def body() -> Iterator[bytes]:
        yield b"x" * 1000
        raise error

    with pytest.raises(type(error)) as raised:
        streaming.put(storage.url + URL, body(), 2000, Transfer(), headers={})
    assert raised.value is error and "/file" not in storage.files
    streaming.put(storage.url + URL, [b"x"], 1, Transfer(), headers={})
    assert storage.files["/file"] == b"x"


@pytest.mark.parametrize("status", [307, 403, 507])
def test_a_refusal_leaves_the_connection_usable(streaming: StreamingClient, storage: Storage, status: int) -> None:
    storage.answers = [Answer(status, "no", {"Location": f"http://h{URL}"})]
    with pytest.raises(HttpStatusError, match=rf"/file answered {status} .*: no$") as raised:
        streaming.put(storage.url + URL, [b"x"], 1, Transfer(), headers={})
    assert not raised.value.transient and "hush" not in str(raised.value)
    streaming.put(storage.url + URL, [b"y"], 1, Transfer(), headers={})
    assert storage.files["/file"] == b"y" and storage.connections == 1


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_refusals_that_may_pass(streaming: StreamingClient, storage: Storage, status: int) -> None:
    storage.answers = [Answer(status, headers={"Retry-After": "3"})]
    with pytest.raises(HttpStatusError) as raised:
        streaming.put(storage.url + URL, [], 0, Transfer(), headers={})
    assert (raised.value.transient, raised.value.status, raised.value.retry_after) == (True, status, 3)


@pytest.mark.parametrize("name", ["Content-Length", "transfer-encoding", "HOST", "Connection"])
def test_headers_of_the_connection_are_ignored(streaming: StreamingClient, storage: Storage, name: str) -> None:
    headers = {name: "24", "X-Other": "kept"}
    streaming.put(storage.url + URL, [b"x" * 70, b"y" * 30], 100, Transfer(), headers=headers)
    assert storage.files["/file"] == b"x" * 70 + b"y" * 30
    assert storage.headers["/file"]["content-length"] == "100" and storage.headers["/file"]["x-other"] == "kept"
    assert "24" not in storage.headers["/file"].values()
