"""What the definitions deprecate warns where it is used: at the line of the caller, never at one of ours.

A field that is deprecated is a *data* descriptor: Python asks it at each read, even when the message holds a value. Other
fields, and the codec of its own message, which works on the message's `__dict__`, know nothing of it and pay nothing.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

from .fields import Deferred
from .spec import checked

if TYPE_CHECKING:
    from flyte_rpc.calls.rpc import Rpc

    from .message import Message

F = TypeVar("F", bound=Callable[..., Any])

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

    def __set_name__(self, owner: type[Message], name: str) -> None:
        super().__set_name__(owner, name)
        if isinstance(self.field, Deferred):
            self.field.__set_name__(owner, name)

    def __get__(self, instance: Any, owner: type[Message]) -> Any:
        if instance is None:
            return self
        self._warn(2)
        d = instance.__dict__
        if self.name in d:
            return d[self.name]
        return self.field.__get__(instance, owner) if isinstance(self.field, Deferred) else self.field

    def __set__(self, instance: Message, value: Any) -> None:
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
        warnings.warn(_notice(self.where, self.instead), DeprecationWarning, stacklevel=depth + 1)


def deprecated_field(field: Any, instead: str = "") -> Any:
    """A field that the definitions deprecate; see `DeprecatedField`."""
    return DeprecatedField(field, instead)


def quietly(message: Message, name: str) -> Any:
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


def deprecated_rpc(rpc: Rpc[Any, Any]) -> Callable[[F], F]:
    """Marks a function that calls a deprecated RPC: the methods of `flyte_rpc.sync.decorators` warn before they call it.

    The mark is the attribute that `warnings.deprecated` of Python 3.13 leaves, so tools that look for it find it.
    """

    def mark(function: F) -> F:
        service = rpc.service.rpartition(".")[2]
        what = f"{function.__name__}() calls {service}.{rpc.method}, which"
        vars(function)["__deprecated__"] = _notice(what, rpc.deprecated or "")
        return function

    return mark


def _notice(what: str, instead: str) -> str:
    return f"{what} is deprecated. {instead}".rstrip()
