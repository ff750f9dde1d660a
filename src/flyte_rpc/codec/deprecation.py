"""Warnings about deprecated fields, at the line of the caller.

A deprecated field is a *data* descriptor, so Python calls it on each read, even if the message has a value. Other fields,
and the codec, which works on the message's `__dict__`, are not affected.
"""

from __future__ import annotations

import sys
import warnings
from typing import Any, Final

from .fields import Deferred
from .spec import AnyMessage, checked

_OF_WHOLE_MESSAGES: Final = frozenset({"betterproto2", "dataclasses", __name__.rpartition(".")[0]})
"""Packages that process all fields of a message, for example to compare or print it. They cause no warning."""


class DeprecatedField(Deferred):
    """Wraps a field. It warns when the field is read, assigned, or passed to the constructor."""

    __slots__ = ("field", "instead")

    def __init__(self, field: Any, instead: str) -> None:
        """Wrap a field.

        Args:
            field: The right side of the field in the class body: a descriptor, or the default of a scalar.
            instead: A sentence that names the replacement; may be empty.
        """
        super().__init__(field.reference if isinstance(field, Deferred) else "")
        self.field = field
        self.instead = instead

    def __set_name__(self, owner: type[AnyMessage], name: str) -> None:
        super().__set_name__(owner, name)
        if isinstance(self.field, Deferred):
            self.field.__set_name__(owner, name)

    def __get__(self, instance: Any, owner: type[AnyMessage]) -> Any:
        if instance is None:
            return self
        self._warn(2)
        d = instance.__dict__
        if self.name in d:
            return d[self.name]
        return self.field.__get__(instance, owner) if isinstance(self.field, Deferred) else self.field

    def __set__(self, instance: AnyMessage, value: Any) -> None:
        # Having `__set__` makes this a data descriptor. Assignments are checked by the message, and get here only from
        # `object.__setattr__`.
        instance.__setattr__(self.name, value)

    def absent(self) -> Any:
        return self.field.absent()

    def decode(self, raw: Any) -> Any:
        return self.field.decode(raw)

    def admit(self, value: Any) -> Any:
        self._warn(4)  # the frames of the constructor or assignment, and of their checks, are in between
        if isinstance(self.field, Deferred):
            return self.field.admit(value)
        return checked(self.where, self.owner.specs()[self.name].kind, value)

    def _warn(self, depth: int) -> None:
        """Warn, unless the caller `depth` frames above is in a package that processes whole messages."""
        frame = sys._getframe(depth)  # pyright: ignore[reportPrivateUsage]  # the public function builds the whole stack
        user: str = frame.f_globals.get("__name__", "")
        if not _OF_WHOLE_MESSAGES.isdisjoint((user, user.rpartition(".")[0])):
            return
        warnings.warn(notice(self.where, self.instead), DeprecationWarning, stacklevel=depth + 1)


def deprecated_field(field: Any, instead: str = "") -> Any:
    """Mark a field as deprecated; see `DeprecatedField`."""
    return DeprecatedField(field, instead)


def quietly(message: AnyMessage, name: str) -> Any:
    """Return the value of a field, deprecated or not, without a warning.

    Servers need it to support older clients.

    Args:
        message: Any message.
        name: Name of one of its fields.

    Raises:
        AttributeError: The message has no such field.
        DecodeError: The field is malformed.
    """
    return getattr(message, name)  # this module is one of the packages that cause no warning


def notice(what: str, instead: str) -> str:
    """Return the text of a warning."""
    return f"{what} is deprecated. {instead}".rstrip()
