"""Errors and warnings for calls that are made in the wrong way. Each shows what to write."""

from __future__ import annotations

import asyncio
import difflib
import inspect
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

from flyte_rpc.arguments import flag
from flyte_rpc.errors import BlockingCallWarning

_ASYNC = inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR
_HERE = __name__.partition(".")[0]
_BOOLEAN: Mapping[object, bool] = {"bool": False, bool: False, "bool | None": True, bool | None: True}
"""Annotations of Boolean parameters, as text in modules that postpone their evaluation, and whether they take None."""
_SHOWN = 3
"""Number of parameters to name as examples."""


def check_arguments(name: str, signature: inspect.Signature, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
    """Check that arguments fit a signature, after a call has failed.

    Raises:
        TypeError: They do not. The message has the public name of the function.
    """
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        raise TypeError(f"{name}() {_problem(error, signature, args, kwargs)}") from None


@cache
def _flags(function: Callable[..., Any]) -> tuple[tuple[str, int | None, bool], ...]:
    """Return the Boolean parameters of a function: name, position if it has one, and whether they take None."""
    if not _BOOLEAN.keys() & set(function.__annotations__.values()):
        return ()
    return tuple(
        (name, None if each.kind is each.KEYWORD_ONLY else at, _BOOLEAN[each.annotation])
        for at, (name, each) in enumerate(inspect.signature(function).parameters.items())
        if each.annotation in _BOOLEAN
    )


def check_flags(function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], bound: int = 0) -> None:
    """Check arguments whose parameters are annotated as `bool` or `bool | None`, before the call.

    Anything else would count as True, such as "no", or be wrong only on the server.

    Args:
        function: The function.
        args: Its arguments by position, without the bound ones.
        kwargs: Its arguments by name.
        bound: Number of arguments that are bound.

    Raises:
        TypeError: An argument is not a bool.
    """
    for name, at, optional in _flags(function):
        if name in kwargs:
            flag(name, kwargs[name], optional=optional)
        elif at is not None and bound <= at < bound + len(args):
            flag(name, args[at - bound], optional=optional)


def _problem(error: TypeError, signature: inspect.Signature, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
    params = signature.parameters
    by_position = [p for p in params.values() if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    if len(args) > len(by_position) and not any(p.kind is p.VAR_POSITIONAL for p in params.values()):
        others = [f"{p.name}=..." for p in params.values() if p.kind is p.KEYWORD_ONLY][:_SHOWN]
        hint = f"; pass the others by name, such as {', '.join(others)}" if others else ""
        return f"takes {_counted(len(by_position))} by position, and {len(args)} were given{hint}"
    accepts_any = any(p.kind is p.VAR_KEYWORD for p in params.values())
    unknown = next((key for key in kwargs if key not in params), None)
    if unknown is not None and not accepts_any:
        near = difflib.get_close_matches(unknown, params, n=1)
        return f"has no argument {unknown!r}; {f'did you mean {near[0]!r}?' if near else f'it takes {_listed(params)}'}"
    return str(error)


def _counted(number: int) -> str:
    return "no argument" if number == 0 else "1 argument" if number == 1 else f"{number} arguments"


def _listed(params: Mapping[str, object]) -> str:
    return ", ".join(params) or "no arguments"


def refuse_class_call(owner: type, method: str) -> NoReturn:
    """Refuse the call of a method of instances on the class.

    Raises:
        TypeError: Always.
    """
    name = owner.__name__
    lower = name.lower()
    raise TypeError(
        f"{name}.{method}() is a method of one {name}, so call it on one: {lower}.{method}(...). "
        f"Another method, such as {name}.get, returns a {name}."
    )


def refuse_construction(entity: type, value: object) -> NoReturn:
    """Refuse to make an entity of something else than its message.

    Raises:
        TypeError: Always.
    """
    name = entity.__name__
    ways = [f"{name}.{way}" for way in ("get", "create", "listall") if hasattr(entity, way)]
    given = "nothing" if value is None else f"{type(value).__name__} ({value!r:.40})"
    raise TypeError(
        f"{name}(...) wraps a message that the server has sent, not {given}"
        + (f"; write {' or '.join(f'{way}(...)' for way in ways)}" if ways else "")
    )


def warn_if_in_coroutine(advice: str) -> None:
    """Warn, at the line outside of this package, that a blocking call stops the event loop of the coroutine around it.

    Code of a notebook's cell and of a module is not in a coroutine, even if a loop runs it, as in IPython: nobody there can
    await, or the loop has nothing else to do.

    Args:
        advice: What to write in place of the call.
    """
    try:
        if asyncio.current_task() is None:
            return
    except RuntimeError:  # no loop runs in this thread
        return
    frame: FrameType | None = inspect.currentframe()
    level = 1
    while frame is not None and _is_ours(frame):
        frame, level = frame.f_back, level + 1
    if _is_in_coroutine(frame):
        message = f"this blocking call stops the event loop until it returns; {advice}"
        warnings.warn(message, BlockingCallWarning, stacklevel=level)


def _is_ours(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0] == _HERE


def _is_in_coroutine(frame: FrameType | None) -> bool:
    while frame is not None and frame.f_code.co_name != "<module>":
        if frame.f_code.co_flags & _ASYNC:
            # A coroutine of this package that calls a user's function, such as a callback, has its own reasons.
            return not _is_ours(frame)
        frame = frame.f_back
    return False


class NotASequence:
    """Mixin of listings and streams, which are neither sequences nor awaitable. The errors show what to write."""

    _instead = "list(...)"

    if not TYPE_CHECKING:  # type checkers refuse these uses by themselves

        def __len__(self) -> NoReturn:
            raise TypeError(
                f"a {type(self).__name__} has no length, because it has not read all items; write len({self._instead})"
            )

        def __bool__(self) -> bool:
            return True

        def __getitem__(self, index: object) -> NoReturn:
            raise TypeError(f"a {type(self).__name__} has no items by position; write {self._instead}[{index!r}]")

        def __await__(self) -> NoReturn:
            raise TypeError(f"a {type(self).__name__} cannot be awaited; write `async for item in ...`")
