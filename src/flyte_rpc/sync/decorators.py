"""Methods with a blocking and an async form: `Run.get(...)` blocks, `await Run.get.aio(...)` does not.

A decorated method is written once, for asyncio. Its blocking form runs it on the SDK's own event loop, so it works in plain
code, in threads and inside a running loop. Its `.aio` form runs on the caller's loop.

    @fetching @classmethod    async def that returns an instance of the class it is called on
    @blocking                 async def with any other result; also above @classmethod
    @streaming                def that returns a sync and async iterable, such as a Watch; also above @classmethod

`fetching` takes the result type from the class that the method is called on, so that subclasses return themselves:
a `Self` in the decorated signature does not survive a generic descriptor in the type checkers.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, Self, TypeVar, cast, overload

from . import bridge
from .misuse import check_arguments, check_flags, refuse_class_call

__all__ = ["Blocking", "Streaming", "blocking", "blocking_function", "fetching", "streaming"]

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S")
T = TypeVar("T")
OnClass = TypeVar("OnClass")
OnInstance = TypeVar("OnInstance")


_NOT_OURS = frozenset({"__wrapped__", "__code__"})
"""Attributes not copied from the function: the first is missing during copying, the second marks coroutine functions."""


class _Method:
    """A method bound to a class or an instance, with the metadata of its function."""

    def __init__(self, function: Callable[..., Any], *bound: object, owner: type | None = None) -> None:
        """Bind the function.

        Args:
            function: The function.
            bound: The class or instance, if the function has one.
            owner: The class through which a method of instances was accessed, if nothing is bound.
        """
        self._owner = owner
        self.__wrapped__ = function
        self.__doc__ = function.__doc__
        self.__module__ = function.__module__
        self._bound = bound

    def __getattr__(self, name: str) -> Any:
        # Called only for attributes not set here: name, annotations and so on are those of the function.
        if name == "__signature__":
            return self._signature()
        if name in _NOT_OURS:
            raise AttributeError(name)
        return getattr(self.__wrapped__, name)

    def _signature(self) -> inspect.Signature:
        signature = inspect.signature(self.__wrapped__)
        return signature.replace(parameters=list(signature.parameters.values())[len(self._bound) :])

    def _warn_if_deprecated(self) -> None:
        """Warn at the line that calls the method, because the function may run on another thread."""
        notice = getattr(self.__wrapped__, "__deprecated__", None)
        if notice is not None:
            warnings.warn(notice, DeprecationWarning, stacklevel=3)

    def _check_instance(self, args: tuple[Any, ...]) -> None:
        """Refuse the call of a method of instances on the class, unless an instance is the first argument."""
        if self._owner is not None and not (args and isinstance(args[0], self._owner)):
            refuse_class_call(self._owner, self.__wrapped__.__name__)

    def _check_arguments(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Replace Python's error for a call with wrong arguments, which names the class that defines the method."""
        check_arguments(self._public_name(), self._signature(), args, kwargs)

    def _public_name(self) -> str:
        owner = self._bound[0] if self._bound else self._owner
        if owner is None:
            return self.__wrapped__.__name__
        cls = owner if isinstance(owner, type) else type(owner)
        return f"{cls.__name__}.{self.__wrapped__.__name__}"

    def __get__(self, instance: object, owner: type | None = None) -> Self:
        return self  # this makes `help()` list it among the methods

    def __repr__(self) -> str:
        of = "".join(f" of {target!r}" for target in self._bound)
        return f"<{type(self).__name__.lower()} method {self.__wrapped__.__qualname__}{of}>"


class _Awaiting(_Method):
    """The async form of a method, with the metadata of the method."""

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        self._warn_if_deprecated()
        self._check_instance(args)
        check_flags(self.__wrapped__, args, kwargs, len(self._bound))
        try:
            return self.__wrapped__(*self._bound, *args, **kwargs)
        except TypeError:
            self._check_arguments(args, kwargs)
            raise


class _HasAio(_Method):
    """The common base of blocking and streaming methods, with `aio`."""

    @property
    def _awaiting(self) -> _Awaiting:
        return _Awaiting(self.__wrapped__, *self._bound, owner=self._owner)


class Blocking(_HasAio, Generic[P, R]):
    """A blocking method. Its `aio` is the async form."""

    def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> R:
        self._warn_if_deprecated()
        self._check_instance(args)
        check_flags(self.__wrapped__, args, kwargs, len(self._bound))
        try:
            coro: Coroutine[Any, Any, R] = self.__wrapped__(*self._bound, *args, **kwargs)
            return bridge.run(coro, advice=f"write `await {self._public_name()}.aio(...)`")
        except TypeError:
            self._check_arguments(args, kwargs)
            raise

    if TYPE_CHECKING:

        def aio(self, /, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R]:
            """The async form, which runs on the caller's event loop."""
            ...
    else:
        aio = _HasAio._awaiting


class Streaming(_HasAio, Generic[P, R]):
    """A method with a result for `for` and `async for`; `aio` is the same."""

    def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> R:
        self._warn_if_deprecated()
        self._check_instance(args)
        check_flags(self.__wrapped__, args, kwargs, len(self._bound))
        try:
            return cast(R, self.__wrapped__(*self._bound, *args, **kwargs))
        except TypeError:
            self._check_arguments(args, kwargs)
            raise

    if TYPE_CHECKING:

        def aio(self, /, *args: P.args, **kwargs: P.kwargs) -> R:
            """The same call; its result is used with `async for`."""
            ...
    else:
        aio = _HasAio._awaiting


def blocking_function(function: Callable[P, Coroutine[Any, Any, R]]) -> Blocking[P, R]:
    """Make an async function blocking."""
    return Blocking(function)


class Descriptor:
    """Stores the decorated function, and binds it like a function or classmethod."""

    def __init__(self, function: Callable[..., Any], kind: type[Blocking[..., Any] | Streaming[..., Any]]) -> None:
        inner: Any = getattr(function, "__func__", function)  # the function in a classmethod
        self._of_class = inner is not function
        self._kind = kind
        self.__wrapped__: Callable[..., Any] = inner
        self.__doc__ = inner.__doc__

    def _bind(self, instance: object, owner: type) -> Any:
        if self._of_class:
            return self._kind(self.__wrapped__, owner)
        if instance is None:
            return self._kind(self.__wrapped__, owner=owner)
        return self._kind(self.__wrapped__, instance)


class fetching(Descriptor, Generic[P]):  # decorators are named like functions
    """Make an async classmethod blocking. Its result is an instance of the class it is called on."""

    def __init__(self, function: Callable[Concatenate[Any, P], Coroutine[Any, Any, Any]]) -> None:
        super().__init__(function, Blocking)

    def __get__(self, instance: object, owner: type[T]) -> Blocking[P, T]:
        return cast("Blocking[P, T]", self._bind(instance, owner))


class _Bound(Descriptor, Generic[OnClass, OnInstance]):
    """The descriptor of `blocking` and `streaming`, with the types of access through a class and an instance.

    The overloads of the decorators determine both types, because they see the function's first parameter. With overloads
    of `__get__`, pyright would infer Any for methods with an Any parameter, and fail for class methods accessed through
    the `cls` of another class method.
    """

    @overload
    def __get__(self, instance: None, owner: type) -> OnClass: ...
    @overload
    def __get__(self, instance: object, owner: type) -> OnInstance: ...
    def __get__(self, instance: object, owner: type) -> Any:
        return self._bind(instance, owner)


@overload
def blocking(
    function: Callable[Concatenate[type[S], P], Coroutine[Any, Any, R]],
) -> _Bound[Blocking[P, R], Blocking[P, R]]: ...
@overload
def blocking(
    function: Callable[Concatenate[S, P], Coroutine[Any, Any, R]],
) -> _Bound[Blocking[Concatenate[S, P], R], Blocking[P, R]]: ...
def blocking(function: Callable[..., Any]) -> _Bound[Any, Any]:
    """Make an async method or classmethod blocking."""
    return _Bound(function, Blocking)


@overload
def streaming(function: Callable[Concatenate[type[S], P], R]) -> _Bound[Streaming[P, R], Streaming[P, R]]: ...
@overload
def streaming(
    function: Callable[Concatenate[S, P], R],
) -> _Bound[Streaming[Concatenate[S, P], R], Streaming[P, R]]: ...
def streaming(function: Callable[..., Any]) -> _Bound[Any, Any]:
    """Mark a method or classmethod that returns something for `for` and `async for`."""
    return _Bound(function, Streaming)
