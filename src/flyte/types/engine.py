"""The registration of converters, under the names of the official SDK."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from flyte_api.messages.flyteidl2.core.literals import Literal
from flyte_api.messages.flyteidl2.core.types import LiteralType

from .converters.registry import add, converter_of
from .converters.transformer import TypeTransformer
from .data.mismatch import Mismatch
from .interfaces.annotations import is_built_in, literal_type_of
from .interfaces.guess import guess_type
from .interfaces.tags import RESERVED_TAGS
from .literals.decode import Unreadable
from .literals.encode import to_literal
from .literals.read import read_as


class TypeEngine:
    """Registers converters for a user's own classes, and converts single values."""

    @classmethod
    def register(cls, transformer: TypeTransformer[Any], additional_types: Iterable[type[Any]] | None = None) -> None:
        """Register a converter for this process. Inputs, outputs and defaults use it from then on.

        A converter replaces the former one if its class was defined again under the same name, as in a notebook. Threads
        may register and convert at the same time.

        Args:
            transformer: The converter.
            additional_types: Further classes that it converts. Default: none.

        Raises:
            TypeError: `transformer` is not a converter, or one of the types is not a class.
            ValueError: A class, other than a data class or an enum, has a Flyte type already; or it has another converter, or
                the name is taken.
        """
        if not isinstance(transformer, TypeTransformer):  # pyright: ignore[reportUnnecessaryIsInstance]
            shown = transformer.__name__ if isinstance(transformer, type) else type(transformer).__name__
            hint = "; create an instance of it" if isinstance(transformer, type) else ""
            raise TypeError(f"register takes an instance of TypeTransformer, not {shown}{hint}")
        try:
            name, own = transformer.name, transformer.python_type
        except AttributeError as error:
            raise TypeError(
                f"{type(transformer).__name__} has no name and class; call super().__init__(name, cls) in its __init__"
            ) from error
        others = cast("object", () if additional_types is None else additional_types)
        if isinstance(others, (type, str)) or not isinstance(others, Iterable):
            shown = others.__name__ if isinstance(others, type) else repr(others)
            raise TypeError(f"additional_types takes several classes, such as additional_types=(A, B), not {shown}")
        kinds = (own, *cast("Iterable[type[Any]]", others))
        for kind in kinds:
            if not isinstance(kind, type):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise TypeError(f"a converter is for classes, not for {kind!r}")
            if is_built_in(kind):
                raise ValueError(f"{kind.__name__} has a Flyte type already; wrap it in a class of your own")
        if name in RESERVED_TAGS:
            raise ValueError(f"the name {name!r} belongs to Flyte; choose another name")
        add(transformer, kinds)

    @classmethod
    def get_transformer(cls, python_type: type[Any]) -> TypeTransformer[Any] | None:
        """Return the registered converter of a class, or of its nearest base class; None if there is none."""
        return converter_of(python_type)

    @classmethod
    def to_literal_type(cls, python_type: Any) -> LiteralType:
        """Return the Flyte type of an annotation. The same as `flyte.types.literal_type_of`.

        Raises:
            TypeError: The annotation has no Flyte type.
        """
        return literal_type_of(python_type)

    @classmethod
    def guess_python_type(cls, flyte_type: LiteralType) -> Any:
        """Return the Python type of a Flyte type.

        Raises:
            ValueError: The type has no Python counterpart.
        """
        from .interfaces.enums import Unguessable

        try:
            return guess_type(flyte_type)
        except Unguessable as reason:
            raise ValueError(str(reason)) from reason.__cause__

    @classmethod
    async def to_literal(cls, python_val: Any, python_type: Any, expected: LiteralType | None = None) -> Literal:
        """Convert a value to a literal, in a thread.

        Args:
            python_val: The value.
            python_type: Its annotation.
            expected: The declared type. Default: that of the annotation.

        Raises:
            TypeError: The value does not fit, or the annotation has no Flyte type.
            ValueError: The value has the right type but cannot be encoded.
        """
        import asyncio

        literal_type = expected if expected is not None else literal_type_of(python_type)
        return await asyncio.to_thread(to_literal, python_val, literal_type, name="the value")

    @classmethod
    async def to_python_value(cls, lv: Literal, expected_python_type: Any) -> Any:
        """Convert a literal to a value of an annotation, in a thread. Pickles are not loaded.

        Args:
            lv: The literal.
            expected_python_type: The annotation.

        Raises:
            TypeError: The literal does not fit the annotation, or has no Python form.
            ValueError: A converter failed.
        """
        import asyncio

        try:
            return await asyncio.to_thread(read_as, lv, expected_python_type)
        except Unreadable as reason:
            raise TypeError(f"the value cannot be read: {reason}") from reason.__cause__
        except Mismatch as mismatch:
            raise mismatch.as_error("the value") from mismatch.__cause__
