"""Policies of tasks: retries, timeouts, caching and secrets."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Literal, get_args

import attrs

from flyte.definitions.validators import is_bool_of_class

CacheBehavior = Literal["auto", "override", "disable"]


def _span(value: float | timedelta | None) -> timedelta | None:
    """Convert a time span, which may be a number of seconds."""
    if value is None or isinstance(value, timedelta):
        span = value
    elif isinstance(value, (int, float)) and not isinstance(value, bool):  # pyright: ignore[reportUnnecessaryIsInstance]
        try:
            span = timedelta(seconds=value)
        except (ValueError, OverflowError):
            raise ValueError(f"a span of time can't be {value!r} seconds") from None
    else:
        raise TypeError(f"a span of time is a timedelta or a number of seconds, not {type(value).__name__} ({value!r})")
    if span is not None and span < timedelta(0):
        raise ValueError(f"a span of time must not be negative ({value!r})")
    return span


def _base(value: float | timedelta) -> timedelta:
    return _span(value) or timedelta(0)


@attrs.frozen
class Backoff:
    """How long to wait between attempts.

    Args:
        base: Wait before the second attempt: a timedelta or seconds.
        factor: Factor between consecutive waits, at least 1. Default: 1.
        cap: Maximum wait; required if `factor` is greater than 1.
    """

    base: timedelta = attrs.field(converter=_base)
    factor: float = attrs.field(default=1.0, validator=attrs.validators.ge(1))
    cap: timedelta | None = attrs.field(default=None, converter=_span)

    def __attrs_post_init__(self) -> None:
        if self.factor > 1 and self.cap is None:
            raise ValueError(
                "Backoff.cap is required if factor is greater than 1, because waits would grow without limit"
            )


@attrs.frozen(init=False)
class RetryStrategy:
    """How often a failed task is retried.

    Args:
        retries: Number of retries after the first attempt, 0 to 10.
        backoff: Waits between them. Default: none.
        count: Another name of `retries`.
    """

    retries: int
    backoff: Backoff | None

    def __init__(self, retries: int | None = None, backoff: Backoff | None = None, *, count: int | None = None) -> None:
        if (retries is None) == (count is None):
            raise TypeError("RetryStrategy takes exactly one of `retries` and `count`, which mean the same")
        value: Any = count if retries is None else retries
        if isinstance(value, bool) or not isinstance(value, int):
            raise TypeError(f"RetryStrategy.retries takes a whole number, not {type(value).__name__}")
        if not 0 <= value <= 10:
            raise ValueError(f"RetryStrategy.retries must be from 0 to 10, not {value}")
        self.__attrs_init__(value, backoff)  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]

    @property
    def count(self) -> int:
        """Another name of `retries`."""
        return self.retries


@attrs.frozen
class Timeout:
    """Time limits of a task. Each is a timedelta or seconds; 0 and None mean no limit.

    Args:
        max_runtime: Maximum time for one attempt.
        max_queued_time: Maximum time to wait for the start.
        deadline: Maximum time from creation to end, including all attempts and waits.
    """

    max_runtime: timedelta | None = attrs.field(default=None, converter=_span)
    max_queued_time: timedelta | None = attrs.field(default=None, converter=_span)
    deadline: timedelta | None = attrs.field(default=None, converter=_span)

    @classmethod
    def of(cls, value: Timeout | timedelta | float | None) -> Timeout:
        """Convert a time span to a timeout with that maximum runtime."""
        return value if isinstance(value, Timeout) else cls(max_runtime=_span(value))


def _names(value: str | Sequence[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


@attrs.frozen
class Cache:
    """Whether to reuse outputs of earlier runs with the same inputs.

    Args:
        behavior: "disable" for never; "override" for outputs cached under `version_override`; "auto" for a version computed
            at deployment.
        version_override: The version that outputs are cached under.
        serialize: Whether concurrent runs with the same inputs wait for the outputs of the first.
        ignored_inputs: Names of inputs that the cache ignores.
        max_age: Maximum age of cached outputs: a timedelta or seconds. Default: any age.
    """

    behavior: CacheBehavior = attrs.field()
    version_override: str | None = None
    serialize: bool = attrs.field(default=False, validator=is_bool_of_class)
    ignored_inputs: tuple[str, ...] = attrs.field(default=(), converter=_names)
    max_age: timedelta | None = attrs.field(default=None, converter=_span)

    def __attrs_post_init__(self) -> None:
        if self.behavior not in get_args(CacheBehavior):
            known = ", ".join(map(repr, get_args(CacheBehavior)))
            raise ValueError(f"Cache.behavior must be one of {known}, not {self.behavior!r}")


_ENV_NAME = re.compile(r"^[A-Z_][A-Z0-9_]*$")


@attrs.frozen
class Secret:
    """A secret that a task may read.

    Args:
        key: Name of the secret.
        group: Group of the secret, if any.
        as_env_var: Environment variable for the value: capitals, digits and underscores. Default: `GROUP_KEY` or
            `KEY`, unless it is mounted.
        mount: Folder to mount it in as a file: "/etc/flyte/secrets". Default: none; it is an environment variable.
    """

    key: str
    group: str | None = None
    as_env_var: str | None = None
    mount: str | None = None

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.key, str) or not self.key:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ValueError(f"Secret.key takes a name, not {self.key!r}")
        if self.mount is not None and self.mount != "/etc/flyte/secrets":
            raise ValueError(f"Secret.mount can only be '/etc/flyte/secrets', not {self.mount!r}")
        if self.mount is not None and self.as_env_var is not None:
            raise ValueError("Secret takes as_env_var or mount, not both")
        if self.as_env_var is not None and not _ENV_NAME.match(self.as_env_var):
            raise ValueError(f"Secret.as_env_var takes capitals, digits and underscores, not {self.as_env_var!r}")

    @property
    def env_var(self) -> str | None:
        """The environment variable for the value; None if it is mounted."""
        if self.mount is not None:
            return None
        name = f"{self.group}_{self.key}" if self.group else self.key
        return self.as_env_var or re.sub(r"[^A-Z0-9_]", "_", name.upper())
