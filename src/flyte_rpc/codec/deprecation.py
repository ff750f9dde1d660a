"""What the definitions deprecate warns where it is used: at the line of the caller, never at one of ours.

A field that is deprecated is a *data* descriptor: Python asks it at each read, even when the message holds a value. Other
fields, and the codec of its own message, which works on the message's `__dict__`, know nothing of it and pay nothing.
"""

from __future__ import annotations

import sys
import warnings
from typing import Any, Final

from .fields import Deferred
from .spec import AnyMessage, checked

_OF_WHOLE_MESSAGES: Final = frozenset({"betterproto2", "dataclasses", __name__.rpartition(".")[0]})
"""Packages that read and set fields because a message has them, as in comparing or printing it; nobody chose the field."""


class DeprecatedField(Deferred):
    """A field that warns when it is read, assigned, or given to the constructor; otherwise the field it stands for."""

    __slots__ = ("field", "instead")

    def __init__(self, field: Any, instead: str) -> None:
        """Stand for a field.

        Args:
            field: What would be in the class body if it was not deprecated: a descriptor, or the default of a scalar.
            instead: A sentence that says what to use; may be empty.
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
        # Having it is what makes Python ask for each read. Assignments are checked by the message, and get here only from
        # `object.__setattr__`.
        instance.__setattr__(self.name, value)

    def absent(self) -> Any:
        return self.field.absent()

    def decode(self, raw: Any) -> Any:
        return self.field.decode(raw)

    def admit(self, value: Any) -> Any:
        self._warn(4)  # the constructor, or an assignment, and what both call to admit a value, come between
        if isinstance(self.field, Deferred):
            return self.field.admit(value)
        return checked(self.where, self.owner.specs()[self.name].kind, value)

    def _warn(self, depth: int) -> None:
        """Warn, unless a package that deals with whole messages is `depth` frames above."""
        frame = sys._getframe(depth)  # pyright: ignore[reportPrivateUsage]  # the public way builds the whole stack
        user: str = frame.f_globals.get("__name__", "")
        if not _OF_WHOLE_MESSAGES.isdisjoint((user, user.rpartition(".")[0])):
            return
        warnings.warn(notice(self.where, self.instead), DeprecationWarning, stacklevel=depth + 1)


def deprecated_field(field: Any, instead: str = "") -> Any:
    """A field that the definitions deprecate; see `DeprecatedField`."""
    return DeprecatedField(field, instead)


def quietly(message: AnyMessage, name: str) -> Any:
    """The value of a field, deprecated or not, without a warning.

    It is for servers, which have to understand what older clients send.

    Args:
        message: Any message.
        name: Name of one of its fields.

    Raises:
        AttributeError: The message has no such field.
        DecodeError: The field is malformed.
    """
    return getattr(message, name)  # this module is one of those that deal with whole messages


def notice(what: str, instead: str) -> str:
    """The text of a warning."""
    return f"{what} is deprecated. {instead}".rstrip()
