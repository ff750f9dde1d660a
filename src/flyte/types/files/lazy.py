"""The decorators of blocking methods, imported on first use, so that a worker starts without an event loop."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flyte_rpc.sync.decorators import blocking, fetching
else:

    class fetching:
        """Import `flyte_rpc.sync.decorators.fetching` lazily."""

        def __init__(self, function):
            self.__wrapped__ = function.__func__

        def __get__(self, instance, owner):
            from flyte_rpc.sync import decorators

            return decorators.fetching(classmethod(self.__wrapped__)).__get__(instance, owner)

    class blocking:
        """Import `flyte_rpc.sync.decorators.blocking` lazily."""

        def __init__(self, function):
            self.__wrapped__ = function

        def __get__(self, instance, owner):
            from flyte_rpc.sync import decorators

            return decorators.blocking(self.__wrapped__).__get__(instance, owner)


__all__ = ["blocking", "fetching"]
