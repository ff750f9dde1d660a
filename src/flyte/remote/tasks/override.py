"""Changed copies of a task's definition."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from datetime import timedelta
from typing import Any, TypedDict, cast

from flyte.definitions.policies import Cache, RetryStrategy, Secret, Timeout
from flyte.definitions.resources import DEVICES, Device, Resources
from flyte.errors import RemoteTaskUsageError
from flyte_api.messages.flyteidl2.core import literals
from flyte_api.messages.flyteidl2.core.security import Identity, SecretMountType, SecurityContext
from flyte_api.messages.flyteidl2.core.security import Secret as SecretMessage
from flyte_api.messages.flyteidl2.core.tasks import (
    ExtendedResources,
    GPUAccelerator,
    GPUAcceleratorDeviceClass,
    ResourcesResourceName,
    SharedMemory,
    TaskMetadata,
    TaskTemplate,
)
from flyte_api.messages.flyteidl2.task.task_definition import TaskSpec
from flyte_api.messages.google.protobuf.duration import Duration

from .containers import ContainerView, container_of, quantities


class Overrides(TypedDict, total=False):
    """The settings that `override` takes; see `TaskDetails.override`."""

    resources: Resources | None
    retries: int | RetryStrategy | None
    timeout: float | timedelta | Timeout | None
    env_vars: Mapping[str, str | None] | None
    cache: str | Cache
    secrets: str | Secret | Sequence[str | Secret] | None
    short_name: str
    queue: str | None
    service_account: str | None
    interruptible: bool | None
    max_inline_io_bytes: int


_MAX_SHORT_NAME = 63


def check_names(changes: Mapping[str, object]) -> None:
    """Refuse nonexistent settings.

    Raises:
        RemoteTaskUsageError: A setting does not exist. The message suggests a similar one.
    """
    known = Overrides.__annotations__
    for name in changes:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"
            raise RemoteTaskUsageError(f"override has no setting {name}; {hint}")


def changed_spec(spec: TaskSpec, changes: Mapping[str, Any]) -> TaskSpec:
    """Return a copy of `spec` with its changes, after checking all changes. See `TaskDetails.override`."""
    check_names(changes)
    _check_own(changes)
    spec = deepcopy(spec)
    if spec.task_template is None:
        spec.task_template = TaskTemplate()
    if spec.task_template.metadata is None:
        spec.task_template.metadata = TaskMetadata()
    for name, value in changes.items():
        if name in _APPLY:
            _APPLY[name](spec, value)
    return spec


def _check_own(changes: Mapping[str, Any]) -> None:
    size = changes.get("max_inline_io_bytes", 0)
    if isinstance(size, bool) or not isinstance(size, int):
        raise TypeError(f"max_inline_io_bytes takes a number of bytes, not {type(size).__name__}")
    if size < 0:
        raise ValueError(f"max_inline_io_bytes must not be negative ({size})")
    queue = changes.get("queue")
    if queue is not None and not isinstance(queue, str):
        raise TypeError(f"queue takes a name, not {type(queue).__name__}")


def _metadata(spec: TaskSpec) -> TaskMetadata:
    assert spec.task_template is not None and spec.task_template.metadata is not None
    return spec.task_template.metadata


def _template(spec: TaskSpec) -> TaskTemplate:
    assert spec.task_template is not None
    return spec.task_template


def _container(spec: TaskSpec, setting: str) -> ContainerView:
    found = container_of(_template(spec))
    if found is None:
        raise RemoteTaskUsageError(
            f"{setting} can't be overridden: the task of type {_template(spec).type!r} has no container, "
            "or a pod without a primary container"
        )
    return found


def _short_name(spec: TaskSpec, value: Any) -> None:
    if not isinstance(value, str):
        raise TypeError(f"short_name takes text, not {type(value).__name__}")
    if len(value) > _MAX_SHORT_NAME:
        raise ValueError(f"short_name takes at most {_MAX_SHORT_NAME} characters, not {len(value)}")
    spec.short_name = value


def _retries(spec: TaskSpec, value: Any) -> None:
    strategy = value if isinstance(value, RetryStrategy) else RetryStrategy(0 if value is None else value)
    made = literals.RetryStrategy(retries=strategy.retries)
    if strategy.backoff is not None:
        backoff = strategy.backoff
        made.backoff = literals.Backoff(
            base=Duration.of(backoff.base),
            factor=backoff.factor,
            cap=None if backoff.cap is None else Duration.of(backoff.cap),
        )
    _metadata(spec).retries = made


def _timeout(spec: TaskSpec, value: Any) -> None:
    timeout, metadata = Timeout.of(value), _metadata(spec)
    metadata.timeout = _duration(timeout.max_runtime)
    queued, deadline = _duration(timeout.max_queued_time), _duration(timeout.deadline)
    metadata.timeouts = None
    if queued is not None or deadline is not None:
        metadata.timeouts = literals.TimeoutStrategy(queued_timeout=queued, deadline=deadline)


def _duration(span: timedelta | None) -> Duration | None:
    return Duration.of(span) if span else None


def _env_vars(spec: TaskSpec, value: Any) -> None:
    container = _container(spec, "env_vars")
    if value is not None and not isinstance(value, Mapping):
        raise TypeError(f"env_vars takes a mapping, not {type(value).__name__}")
    given = cast("Mapping[object, object]", value or {})
    for name, text in given.items():
        if not isinstance(name, str) or not name or not (text is None or isinstance(text, str)):
            raise TypeError(f"env_vars takes text for names and values, not {name!r}: {text!r}")
        if "=" in name or "\0" in name or "\0" in (text or ""):
            raise ValueError(f"env_vars can't hold {name!r}: names have no '=', and neither names nor values a NUL")
    merged = {**container.env(), **cast("Mapping[str, str | None]", given)} if given else {}
    container.set_env({name: text for name, text in merged.items() if text is not None})


def _cache(spec: TaskSpec, value: Any) -> None:
    if isinstance(value, str):
        if value == "override":
            raise ValueError(
                "cache='override' needs a version to override with: Cache('override', version_override=...)"
            )
        value = Cache(value)  # type: ignore[arg-type] # an unknown behavior is refused by Cache
    if not isinstance(value, Cache):
        raise TypeError(f"cache takes 'disable' or a Cache, not {type(value).__name__}")
    if value.behavior == "auto":
        raise ValueError(
            "cache can't be 'auto' for a deployed task, whose source is not here; use 'disable' or 'override'"
        )
    metadata = _metadata(spec)
    if value.behavior == "override" and not value.version_override:
        raise ValueError("Cache('override') needs version_override")
    metadata.discoverable = value.behavior == "override"
    metadata.discovery_version = value.version_override or "" if metadata.discoverable else ""
    metadata.cache_serializable = value.serialize
    metadata.cache_ignore_input_vars = list(value.ignored_inputs)
    metadata.cache_max_age = _duration(value.max_age)


def _secrets(spec: TaskSpec, value: Any) -> None:
    given: Any = [] if value is None else [value] if isinstance(value, (str, Secret)) else value
    if not isinstance(given, Iterable):
        raise TypeError(f"secrets takes secrets, not {type(value).__name__}")
    template = _template(spec)
    context = template.security_context or SecurityContext()
    context.secrets = [_secret(item) for item in cast("Iterable[object]", given)]
    template.security_context = context


def _secret(value: Any) -> SecretMessage:
    secret = Secret(value) if isinstance(value, str) else value
    if not isinstance(secret, Secret):
        raise TypeError(f"secrets takes names and Secrets, not {type(value).__name__}")
    mount = SecretMountType.FILE if secret.mount else SecretMountType.ENV_VAR
    return SecretMessage(
        key=secret.key, group=secret.group or "", mount_requirement=mount, env_var=secret.env_var or ""
    )


def _service_account(spec: TaskSpec, value: Any) -> None:
    if value is not None and not isinstance(value, str):
        raise TypeError(f"service_account takes a name, not {type(value).__name__}")
    template = _template(spec)
    context = template.security_context or SecurityContext()
    identity = context.run_as or Identity()
    identity.k8s_service_account = value or ""
    context.run_as = identity
    template.security_context = context


def _interruptible(spec: TaskSpec, value: Any) -> None:
    if value is not None and not isinstance(value, bool):
        raise TypeError(f"interruptible takes True, False or None, not {type(value).__name__}")
    _metadata(spec).interruptible = value


def _resources(spec: TaskSpec, value: Any) -> None:
    container, template = _container(spec, "resources"), _template(spec)
    if value is None:
        container.set_resources({}, {})
        template.extended_resources = None
        return
    if not isinstance(value, Resources):
        raise TypeError(f"resources takes a Resources, not {type(value).__name__}")
    requests, limits = (quantities(entries) for entries in container.resources())
    given: dict[ResourcesResourceName, tuple[str, str | None] | None] = {
        _NAMES[name]: pair for name, pair in value.quantities().items()
    }
    if value.gpu is not None:
        device = value.device()
        given[ResourcesResourceName.GPU] = None if device is None else (str(device.quantity), None)
        _accelerator(template, device)
    for name, pair in given.items():
        requests.pop(name, None)
        limits.pop(name, None)
        if pair is not None:
            requests[name] = pair[0]
            if pair[1] is not None:
                limits[name] = pair[1]
    container.set_resources(requests, limits)
    if value.shm is not None:
        extended = template.extended_resources or ExtendedResources()
        size = "" if value.shm == "auto" else value.shm
        extended.shared_memory = SharedMemory(mount_path="/dev/shm", mount_name="flyte-shm", size_limit=size)
        template.extended_resources = extended


def _accelerator(template: TaskTemplate, device: Device | None) -> None:
    extended = template.extended_resources or ExtendedResources()
    extended.gpu_accelerator = None
    if device is not None and device.device is not None:
        extended.gpu_accelerator = GPUAccelerator(
            device=DEVICES.get(device.device, device.device),
            partition_size=device.partition,
            device_class=_CLASSES[device.device_class],
        )
    template.extended_resources = extended if extended else None


_NAMES = {
    "cpu": ResourcesResourceName.CPU,
    "memory": ResourcesResourceName.MEMORY,
    "disk": ResourcesResourceName.EPHEMERAL_STORAGE,
}
_CLASSES = {
    "NVIDIA": GPUAcceleratorDeviceClass.NVIDIA_GPU,
    "TPU": GPUAcceleratorDeviceClass.GOOGLE_TPU,
    "NEURON": GPUAcceleratorDeviceClass.AMAZON_NEURON,
    "AMD": GPUAcceleratorDeviceClass.AMD_GPU,
    "HABANA": GPUAcceleratorDeviceClass.HABANA_GAUDI,
    "APPLE_SILICON": GPUAcceleratorDeviceClass.APPLE_SILICON,
}
_APPLY: dict[str, Callable[[TaskSpec, Any], None]] = {
    "resources": _resources,
    "retries": _retries,
    "timeout": _timeout,
    "env_vars": _env_vars,
    "cache": _cache,
    "secrets": _secrets,
    "short_name": _short_name,
    "service_account": _service_account,
    "interruptible": _interruptible,
}
