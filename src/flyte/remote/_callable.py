"""Values of properties that the official SDK has as methods: they can be called as well."""

from __future__ import annotations


class CallableText(str):
    """Text that can also be called: `user.name` and `user.name()`."""

    __slots__ = ()

    def __call__(self) -> str:
        """Return the text."""
        return str(self)


class CallableFlag(int):
    """True or False that can also be called: `app.is_active` and `app.is_active()`."""

    __slots__ = ()

    def __call__(self) -> bool:
        """Return the value as a bool."""
        return bool(self)

    def __repr__(self) -> str:
        return repr(bool(self))

    __str__ = __repr__
