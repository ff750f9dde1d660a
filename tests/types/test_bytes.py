"""Bytes are encoded as the pickle of a bytes object, and no other pickle is accepted."""

import io
import pickle
import pickletools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyte.types import from_literal, guess_type, literal_type_of, literals_to_python, to_literal, unsupported_reason
from flyte.types.literals.pickled_bytes import bytes_of, pickled
from flyte_api.messages.flyteidl2.core.literals import Binary, Literal, Scalar
from flyte_api.messages.flyteidl2.core.types import LiteralType
from flyte_api.messages.flyteidl2.task.common import NamedLiteral

RUN: list[str] = []


class Trap:
    """Fails when its pickle is loaded."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return RUN.append, ("loaded",)


class Named(bytes):
    """Looks like bytes, and is pickled by its class."""


SIZES = [0, 1, 255, 256, 65_535, 70_000]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_the_pickle_of_bytes_is_read_without_loading_it(size: int, protocol: int) -> None:
    assert bytes_of(pickle.dumps(bytes(size), protocol)) == bytes(size)


@pytest.mark.parametrize("size", SIZES)
def test_what_is_written_is_a_pickle(size: int) -> None:
    value = bytes(range(256)) * (size // 256 + 1)
    written = pickled(value[:size])
    pickletools.dis(written, io.StringIO())
    assert pickle.loads(written) == value[:size]


@pytest.mark.parametrize(
    "value", [Named(b"x"), bytearray(b"x"), [b"x"], (b"x",), "x", None, 1, Trap(), {b"x": Trap()}, [b"x", Trap()]]
)
@pytest.mark.parametrize("protocol", range(6))
def test_no_other_pickle_is_read_nor_run(value: object, protocol: int) -> None:
    literal = Literal(scalar=Scalar(binary=Binary(value=pickle.dumps(value, protocol))))
    assert from_literal(literal) is literal
    assert "it is pickled" in (unsupported_reason(literal) or "")
    assert literals_to_python([NamedLiteral(name="x", value=literal)]).values == {"x": literal}
    assert RUN == []


@given(st.binary(max_size=8), st.binary(max_size=12), st.integers(0, 20))
def test_a_damaged_pickle_is_none_of_bytes(value: bytes, noise: bytes, cut: int) -> None:
    written = pickled(value)
    for damaged in (written[:cut], written + noise, written[:cut] + noise + written[cut:], noise):
        found = bytes_of(damaged)
        # Whatever is taken for bytes would be loaded as the same.
        assert found is None or (type(found) is bytes and pickle.loads(damaged) == found)


def test_bytes_are_bytes_in_every_place() -> None:
    for kind, value in [(bytes, b"\xff"), (list[bytes | None], [b"", None]), (dict[str, bytes], {"k": b"\0"})]:
        literal_type = LiteralType.parse(bytes(literal_type_of(kind)))
        assert guess_type(literal_type) == kind
        assert from_literal(to_literal(value, literal_type, name="x"), literal_type) == value
    assert from_literal(to_literal(bytearray(b"x"), literal_type_of(bytes), name="x")) == b"x"
