"""The settings for starting a run: its name, project, domain and so on."""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Mapping
from copy import deepcopy
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, get_args

import attrs

from flyte._context import ctx
from flyte.definitions.notifications import Notifications, check_notifications
from flyte.definitions.validators import is_bool, is_text, names_only, one_of
from flyte.errors import RemoteTaskUsageError
from flyte_api.messages.flyteidl2.common.identifier import RunIdentifier
from flyte_api.messages.flyteidl2.common.run import Relation, RelationType
from flyte_api.messages.flyteidl2.core.literals import KeyValuePair
from flyte_api.messages.flyteidl2.core.security import Identity, SecurityContext
from flyte_api.messages.flyteidl2.task.run import (
    Annotations,
    CacheConfig,
    CacheLookupScope,
    Envs,
    Labels,
    RawDataStorage,
    RunSpec,
)
from flyte_api.messages.google.protobuf.timestamp import Timestamp
from flyte_api.messages.google.protobuf.wrappers import BoolValue
from flyte_rpc.arguments import text, texts
from flyte_rpc.calls.client import Client
from flyte_rpc.calls.scope import Scope
from flyte_rpc.codec.deprecation import quietly

if TYPE_CHECKING:
    from flyte.remote.tasks.details import TaskDetails

_NAME = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_RANDOM = "bcdfghjklmnpqrstvwxz2456789"
"""Characters of random names: no vowels, so that no words result, and no lookalikes."""
LogFormat = Literal["console", "json"]
_SCOPES = {"global": CacheLookupScope.GLOBAL, "project-domain": CacheLookupScope.PROJECT_DOMAIN}


def _texts(instance: object, attribute: attrs.Attribute[Any], value: Mapping[str, str] | None) -> None:
    if value is not None:
        texts(attribute.name, value)


def _run_name(instance: object, attribute: attrs.Attribute[Any], value: str | None) -> None:
    if value is not None and not _NAME.fullmatch(text("name", value, 1, 30)):
        raise ValueError(
            f"name has {value!r}; a run's name is lower-case letters, digits and dashes, begins with a letter and does not "
            "end with a dash"
        )


def _count(instance: object, attribute: attrs.Attribute[Any], value: int | None) -> None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 0):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ValueError(f"{attribute.name} takes an integer of at least 0, not {value!r}")


def _level(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise TypeError(f"{attribute.name} takes a level of `logging`, such as logging.DEBUG, not {value!r}")
    if isinstance(value, int) and value < 0:
        raise ValueError(
            f"{attribute.name} is {value}; a level of `logging` is not negative, such as logging.DEBUG (10)"
        )
    known = logging.getLevelNamesMapping()
    if isinstance(value, str) and value.upper() not in known:
        raise ValueError(f"{attribute.name} has {value!r}; the levels are {', '.join(known)}")


def _notified(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    check_notifications(attribute.name, value)


def _moment(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if value is not None and not isinstance(value, datetime):
        raise TypeError(f"{attribute.name} takes a datetime, not {type(value).__name__}")


@attrs.frozen
class RunContext:
    """Settings of runs to start, created by `flyte.with_runcontext`."""

    name: str | None = attrs.field(default=None, validator=_run_name)
    project: str | None = attrs.field(default=None, validator=is_text)
    domain: str | None = attrs.field(default=None, validator=is_text)
    env_vars: Mapping[str, str] | None = attrs.field(default=None, validator=_texts, hash=False, repr=names_only)
    labels: Mapping[str, str] | None = attrs.field(default=None, validator=_texts, hash=False)
    annotations: Mapping[str, str] | None = attrs.field(default=None, validator=_texts, hash=False)
    interruptible: bool | None = attrs.field(default=None, validator=is_bool)
    overwrite_cache: bool = attrs.field(default=False, validator=is_bool)
    cache_lookup_scope: Literal["global", "project-domain"] | None = attrs.field(
        default=None, validator=one_of(_SCOPES)
    )
    queue: str | None = attrs.field(default=None, validator=is_text)
    service_account: str | None = attrs.field(default=None, validator=is_text)
    raw_data_path: str | None = attrs.field(default=None, validator=is_text)
    run_base_dir: str | None = attrs.field(default=None, validator=is_text)
    max_action_concurrency: int | None = attrs.field(default=None, validator=_count)
    custom_context: Mapping[str, str] | None = attrs.field(default=None, validator=_texts, hash=False)
    timeout: float | None = attrs.field(default=None, eq=False)
    client: Client | None = attrs.field(default=None, repr=False, eq=False)
    on_existing: Literal["reuse", "error"] | None = attrs.field(default=None, validator=one_of(("reuse", "error")))
    version: str | None = attrs.field(default=None, validator=is_text)
    notifications: Notifications | None = attrs.field(default=None, validator=_notified, hash=False)
    run_start_time: datetime | None = attrs.field(default=None, validator=_moment)
    log_level: int | str | None = attrs.field(default=None, validator=_level)
    user_log_level: int | str | None = attrs.field(default=None, validator=_level)
    log_format: LogFormat | None = attrs.field(default=None, validator=one_of(get_args(LogFormat)))
    debug: bool = attrs.field(default=False, validator=is_bool)

    def named(self) -> RunContext:
        """Return these settings, with a random name if they have none.

        If the client chooses the name, it can safely retry after an attempt with unknown outcome, because the server finds
        the run of the first attempt. If the server chose the name, a retry would create a second run. Nobody else uses a
        random name, so the run that has it is not compared.
        """
        return self if self.name is not None else attrs.evolve(self, name=random_run_name(), on_existing="reuse")

    def spec(self, scope: Scope, queue: str | None) -> RunSpec:
        """Build the run spec message; `queue` is the queue that an override of the task set."""
        spec = self.settings(queue)
        spec.relation = _spawned(scope)
        return spec

    def settings(self, queue: str | None = None) -> RunSpec:
        """Build the settings that do not depend on where and by whom the run is started."""
        spec = RunSpec(queue=queue or "")
        self.apply(spec)
        return spec

    def inherited(self, spec: RunSpec) -> RunSpec:
        """Build the run spec of a rerun: the settings of the earlier run, with these on top."""
        copied = deepcopy(spec)
        copied.relation = copied.recover = None
        if quietly(copied, "related_to") is not None:
            copied.related_to = None
        self.apply(copied)
        return copied

    def apply(self, spec: RunSpec) -> None:
        """Write these settings to a run spec. Those that are not set leave it unchanged, and mappings are merged."""
        if self.labels:
            labels = spec.labels or Labels()
            spec.labels = Labels(values={**labels.values, **self.labels})
        if self.annotations:
            annotations = spec.annotations or Annotations()
            spec.annotations = Annotations(values={**annotations.values, **self.annotations})
        if environment := self._environment():
            envs = spec.envs or Envs()
            spec.envs = Envs(values=pairs({**{pair.key: pair.value for pair in envs.values}, **environment}))
        if self.interruptible is not None:
            spec.interruptible = BoolValue(value=self.interruptible)
        if self.overwrite_cache or self.cache_lookup_scope is not None:
            cache = spec.cache_config or CacheConfig()
            spec.cache_config = CacheConfig(
                overwrite_cache=self.overwrite_cache or cache.overwrite_cache,
                cache_lookup_scope=_SCOPES.get(self.cache_lookup_scope or "", cache.cache_lookup_scope),
            )
        if self.raw_data_path:
            spec.raw_data_storage = RawDataStorage(raw_data_prefix=self.raw_data_path)
        if self.service_account:
            spec.security_context = SecurityContext(run_as=Identity(k8s_service_account=self.service_account))
        if self.run_start_time is not None:
            spec.run_start_time = Timestamp.of(self.run_start_time)
        if self.notifications is not None:
            from .notifications import set_notifications

            set_notifications(spec, self.notifications)
        spec.queue = self.queue or spec.queue
        spec.run_base_dir = self.run_base_dir or spec.run_base_dir
        spec.max_action_concurrency = self.max_action_concurrency or spec.max_action_concurrency

    def _environment(self) -> dict[str, str]:
        """Return the environment variables. `env_vars` override those of the logging settings."""
        settings = {
            "LOG_LEVEL": _number(self.log_level),
            "USER_LOG_LEVEL": _number(self.user_log_level),
            "LOG_FORMAT": self.log_format,
            "_F_E_VS": "1" if self.debug else None,
        }
        return {**{name: value for name, value in settings.items() if value is not None}, **(self.env_vars or {})}

    def identifiers(self, scope: Scope) -> dict[str, Any]:
        """Return the request fields that identify the run."""
        return {
            "run_id": RunIdentifier(org=scope.org, project=scope.project, domain=scope.domain, name=self.name or "")
        }

    def texts(self) -> list[KeyValuePair]:
        """Return the custom context of the run."""
        return pairs({**ctx().custom_context, **(self.custom_context or {})})


def _number(level: int | str | None) -> str | None:
    """Return the number of a logging level as text."""
    if level is None:
        return None
    return str(logging.getLevelNamesMapping()[level.upper()] if isinstance(level, str) else level)


def check_names(task: TaskDetails, inputs: Mapping[str, Any], method: str, *, partial: bool = False) -> None:
    """Check the names of inputs. For the name of a setting, such as `timeout`, the error shows where to pass it.

    Args:
        task: The task.
        inputs: Its inputs, by name.
        method: The method of `flyte` that was called.
        partial: Whether further inputs may follow, so that none counts as missing.

    Raises:
        RemoteTaskUsageError: An input is missing or unknown.
    """
    try:
        task.check_inputs(inputs, partial=partial)
    except RemoteTaskUsageError as error:
        settings = [name for name in inputs if name in _SETTINGS and name not in task.interface.inputs]
        if not settings:
            raise
        problem = (
            f"{error}. {' and '.join(settings)} {'is a setting' if len(settings) == 1 else 'are settings'} of runs"
        )
    else:
        return
    given = ", ".join(f"{name}=..." for name in settings)
    raise RemoteTaskUsageError(f"{problem}: write flyte.with_runcontext({given}).{method}(...)")


_SETTINGS = attrs.fields_dict(RunContext)


def random_run_name() -> str:
    """Return a random run name in the servers' format: `r` and 19 random characters."""
    return "r" + "".join(secrets.choice(_RANDOM) for _ in range(19))


def pairs(values: Mapping[str, str]) -> list[KeyValuePair]:
    """Convert a mapping to key-value messages."""
    return [KeyValuePair(key=key, value=value) for key, value in values.items()]


def _spawned(scope: Scope) -> Relation | None:
    """Return the relation of a run started by a task to the task's own run."""
    here = ctx()
    if not here or (here.project, here.domain) != (scope.project, scope.domain):
        return None
    parent = RunIdentifier(org=scope.org, project=scope.project, domain=scope.domain, name=here.run_name or "")
    return Relation(related_to=parent, relation_type=RelationType.SPAWN)
