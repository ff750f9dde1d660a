"""Header blocks of HTTP/2: what is the same again is neither encoded nor decoded again."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from h2.errors import ErrorCodes
from hpack import Decoder, Encoder, HPACKError
from hpack.table import HeaderTable

from .frames import HEADER_BYTES, Violation

GRPC_HEADERS = (("te", "trailers"), ("content-type", "application/grpc"))
"""Headers of every gRPC request."""

_CACHED_BLOCKS = 128
_CACHED_BYTES = 512

_hpack_log = logging.getLogger("hpack")
if _hpack_log.level == logging.NOTSET:
    # Its DEBUG lines spell out every header, credentials included: an application that debugs itself must not log those.
    _hpack_log.setLevel(logging.INFO)


class _Table(HeaderTable):
    """A table of headers that counts its changes.

    What a header block means depends on its bytes and the table alone. So while the table has not changed, a block that did
    not change it either means the same again, and a list of headers is the same block again.
    """

    changes = 0

    def add(self, name: bytes, value: bytes) -> None:
        self.changes += 1
        super().add(name, value)

    @property
    def maxsize(self) -> int:
        return self._maxsize

    @maxsize.setter
    def maxsize(self, newmax: int) -> None:
        self.changes += 1
        HeaderTable.maxsize.__set__(self, newmax)  # type: ignore[attr-defined]  # mypy takes it for a function


class HeaderReader:
    """Decodes the header blocks of one connection, in the order of their arrival."""

    def __init__(self) -> None:
        self._decoder = Decoder(HEADER_BYTES)
        self._decoder.header_table = self._table = _Table()
        self._known: dict[bytes, dict[str, str]] = {}
        self._known_at = 0

    def read(self, block: bytes) -> dict[str, str]:
        """The headers of a block; of a name that comes twice, the last. Not to be changed.

        Raises:
            Violation: The block cannot be decoded.
        """
        if self._known_at == self._table.changes and (known := self._known.get(block)) is not None:
            return known
        before = self._table.changes
        try:
            pairs = self._decoder.decode(block, raw=True)
        except HPACKError as error:
            raise Violation(f"a header block cannot be decoded: {error}", ErrorCodes.COMPRESSION_ERROR) from error
        headers = {_text(name): _text(value) for name, value in pairs}
        if before != self._table.changes or self._known_at != before or len(self._known) >= _CACHED_BLOCKS:
            self._known.clear()
            self._known_at = self._table.changes
        if before == self._table.changes and len(block) <= _CACHED_BYTES:
            self._known[block] = headers
        return headers


class HeaderWriter:
    """Encodes the request headers of one connection, in the order they are sent."""

    def __init__(
        self,
        scheme: str,
        authority: str,
        user_agent: str,
        *,
        fixed: Sequence[tuple[str, str]] = GRPC_HEADERS,
        timeout_header: str = "grpc-timeout",
    ) -> None:
        """Describe what is the same in all requests.

        Args:
            scheme: `http` or `https`.
            authority: `host:port`.
            user_agent: Who asks.
            fixed: Headers of the protocol that all requests have.
            timeout_header: The header that carries the deadline.
        """
        self._pseudo = ((":method", "POST"), (":scheme", scheme), (":authority", authority))
        self._fixed = (*fixed, ("user-agent", user_agent))
        self._timeout_header = timeout_header.encode()
        self._encoder = Encoder()
        self._encoder.header_table = self._table = _Table()
        self._known: dict[tuple[str, tuple[tuple[str, str], ...]], bytes] = {}
        self._known_at = 0
        self._limits: tuple[int, int] | None = None
        """The lowest and the last table size that the peer has set since the last block."""

    def limit_table(self, size: int) -> None:
        """Take the peer's limit to the table; more than the default is not used."""
        size = min(size, HeaderTable.DEFAULT_SIZE)
        lowest = size if self._limits is None else min(size, self._limits[0])
        self._limits = (lowest, size)

    def write(self, path: str, metadata: Sequence[tuple[str, str]], timeout: str) -> bytes:
        """The header block of a request.

        Args:
            path: `/package.Service/Method`.
            metadata: Further headers. `x-request-id` among them is taken to be another one each time.
            timeout: Value of the timeout's header; empty for none.
        """
        if self._limits is not None:
            self._resize_table(*self._limits)
            self._limits = None
        steady = tuple([pair for pair in metadata if pair[0] != "x-request-id"])
        if self._known_at != self._table.changes or (block := self._known.get((path, steady))) is None:
            block = self._encode(path, steady)
        # What differs in each request stays out of the table, where it would displace what does not.
        for name, value in metadata:
            if name == "x-request-id":
                block += _literal(b"x-request-id", value)
        return block + _literal(self._timeout_header, timeout) if timeout else block

    def _resize_table(self, lowest: int, last: int) -> None:
        """Announce both sizes in the next block. hpack would announce each change, which the specification forbids."""
        for size in (lowest, last):
            if size != self._encoder.header_table_size:
                self._encoder.header_table_size = size

    def _encode(self, path: str, metadata: tuple[tuple[str, str], ...]) -> bytes:
        before = self._table.changes
        # As a table gives away by the size of a block whether a guess was right, it holds no credentials.
        pairs = (*self._pseudo, (":path", path), *self._fixed, *metadata)
        headers = [(name, value, name == "authorization") for name, value in pairs]
        block = self._encoder.encode(headers)
        if before != self._table.changes or self._known_at != before or len(self._known) >= _CACHED_BLOCKS:
            self._known.clear()
            self._known_at = self._table.changes
        if before == self._table.changes:
            self._known[path, metadata] = block
        return block


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")  # metadata is ASCII; a message that is not should still be readable


def _literal(name: bytes, value: str) -> bytes:
    """A header that is not in the table and does not enter it. Both parts are shorter than 127 bytes."""
    return b"\0%c%b%c%b" % (len(name), name, len(value), value.encode())
