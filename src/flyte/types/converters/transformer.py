"""The base class of converters."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable
from typing import Generic, TypeVar

from flyte_api.messages.flyteidl2.core.literals import Literal
from flyte_api.messages.flyteidl2.core.types import LiteralType

T = TypeVar("T")


class TypeTransformerFailedError(TypeError, ValueError):
    """A converter raised an error or returned the wrong thing. The cause is chained."""


class TypeTransformer(ABC, Generic[T]):
    """Converts one class to literals and back. Register it with `TypeEngine.register`.

    The two conversions may be `def` or `async def`. They may run in any thread, several at a time.

    Attributes:
        name: The name of the converter. Types carry it as their tag, so readers find the converter by it.
        python_type: The class that it converts. Subclasses without a converter of their own use this one.
    """

    def __init__(self, name: str, t: type[T]) -> None:
        """Name the converter and its class.

        Args:
            name: A unique name, such as that of the class.
            t: The class.

        Raises:
            TypeError: `name` is not text, or `t` is not a class.
            ValueError: `name` is empty.
        """
        if not isinstance(name, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"the name of a converter is text, not {type(name).__name__}")
        if not name:
            raise ValueError("the name of a converter is empty")
        if not isinstance(t, type):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"a converter is for a class, not for {t!r}")
        self._name = name
        self._python_type = t

    @property
    def name(self) -> str:
        """The name of the converter."""
        return self._name

    @property
    def python_type(self) -> type[T]:
        """The class that it converts."""
        return self._python_type

    @abstractmethod
    def get_literal_type(self, t: type[T]) -> LiteralType:
        """Return the Flyte type that stores the class, with a JSON schema as `metadata` for a STRUCT.

        Args:
            t: The class, or the subclass in the annotation.
        """

    @abstractmethod
    def to_literal(self, python_val: T, python_type: type[T], expected: LiteralType) -> Literal | Awaitable[Literal]:
        """Convert a value to a literal.

        Args:
            python_val: The value.
            python_type: Its class.
            expected: The declared type of the input or output.
        """

    @abstractmethod
    def to_python_value(self, lv: Literal, expected_python_type: type[T]) -> T | Awaitable[T]:
        """Convert a literal to a value.

        Args:
            lv: The literal.
            expected_python_type: The class in the annotation; without an annotation, `python_type`.
        """

    def guess_python_type(self, literal_type: LiteralType) -> type[T]:
        """Return the class of values of a type that has the converter's name as its tag. Default: `python_type`."""
        return self._python_type

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._name!r}, {self._python_type.__name__})"
