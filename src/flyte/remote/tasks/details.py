"""The definition of one version of a task: its interface and settings, and changed copies of it."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from copy import copy
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import attrs

from flyte.definitions.policies import Cache
from flyte.errors import NotFoundError
from flyte.models import MAX_INLINE_IO_BYTES
from flyte.remote._common import console_url
from flyte_api.clients.flyteidl2.workflow.translator_service import TranslatorServiceClient
from flyte_api.entities.task_details import TaskDetailsBase
from flyte_api.messages.flyteidl2.core.interface import TypedInterface
from flyte_api.messages.flyteidl2.core.tasks import ResourcesResourceEntry, TaskTemplate
from flyte_api.messages.flyteidl2.task.common import NamedLiteral
from flyte_api.messages.flyteidl2.task.task_definition import TaskIdentifier, TaskSpec
from flyte_api.messages.flyteidl2.workflow.translator_service import (
    JsonValuesToLiteralsRequest,
    LiteralsToLaunchFormJsonRequest,
    TaskSpecToLaunchFormJsonRequest,
)
from flyte_api.messages.google.protobuf.struct import Struct
from flyte_rpc.arguments import as_struct
from flyte_rpc.calls.client import Client
from flyte_rpc.calls.options import within_timeout
from flyte_rpc.lazy import resolve
from flyte_rpc.sync.decorators import blocking, fetching

from .calling import TakesInputs
from .containers import container_of
from .lookup import AutoVersion, check_version, task_not_found

if TYPE_CHECKING:
    from typing import Unpack

    from flyte.types import NativeInterface

    from .lazy import LazyEntity
    from .override import Overrides


@attrs.define(eq=False, repr=False, slots=False)
class TaskDetails(TakesInputs, TaskDetailsBase):
    """The whole definition of one version of a task.

    Attributes:
        queue: The queue set with `override`; None for the task's own.
        max_inline_io_bytes: Maximum size of the inputs, and of the outputs, of a call. Default: 10 MiB.
        overridden: Whether this is a changed copy. A run then contains the whole definition, not only its identifier.
    """

    queue: str | None = attrs.field(default=None, kw_only=True)
    max_inline_io_bytes: int = attrs.field(default=MAX_INLINE_IO_BYTES, kw_only=True)
    overridden: bool = attrs.field(default=False, kw_only=True)

    @fetching
    @classmethod
    @within_timeout
    async def fetch(
        cls,
        name: str,
        version: str,
        *,
        timeout: float | timedelta | None = None,
        project: str | None = None,
        domain: str | None = None,
        client: Client | None = None,
    ) -> Self:
        """Fetch one version of a task.

        Args:
            name: Full name of the task, at most 255 characters.
            version: The version, at most 63 characters.
            timeout: Maximum seconds for the call, retries included, or a timedelta. Default: the client's.
            project: Project id. Default: the client's.
            domain: Domain id. Default: the client's.
            client: The client for the calls. Default: the current one.

        Raises:
            ValueError: An argument is invalid; nothing was sent.
            RemoteTaskNotFoundError: The task or version does not exist.
            RpcError: The call failed; the subclass says how.

        Calls `TaskService.GetTaskDetails`, and `ListTasks` to suggest a name if it does not exist.
        """
        try:
            return await super().fetch.aio(name, version, project=project, domain=domain, client=client)
        except NotFoundError as cause:
            raise await task_not_found(
                name, version, project=project, domain=domain, client=client, cause=cause
            ) from cause

    @classmethod
    def get(
        cls,
        name: str,
        project: str | None = None,
        domain: str | None = None,
        version: str | None = None,
        auto_version: AutoVersion | None = None,
        *,
        client: Client | None = None,
    ) -> LazyEntity:
        """Return a handle to a task, like `Task.get`. Use `fetch` for the definition itself.

        Args:
            name: Full name of the task, at most 255 characters.
            project: Project id. Default: the client's.
            domain: Domain id. Default: the client's.
            version: The version, at most 63 characters.
            auto_version: Instead of `version`: "latest" or "current".
            client: The client for the calls. Default: the current one at the time of the fetch.

        Raises:
            ValueError: An argument is unusable: neither or both of `version` and `auto_version`, or an empty name.

        Calls nothing.
        """
        check_version(name, version, auto_version)
        handle: type[LazyEntity] = resolve("flyte.remote.tasks.lazy:LazyEntity")
        return handle(name, project, domain, version, auto_version, client)

    _REPR = ("name", "version", "task_type", "interface!s", "overridden=_overridden_or_none")

    @property
    def _overridden_or_none(self) -> bool | None:
        return self.overridden or None

    @property
    def url(self) -> str:
        """The task's page in the web console."""
        return console_url(self.client, self.domain, self.project, "tasks", self.name)

    def __getstate__(self) -> dict[str, Any]:
        # Classes in the interface may exist only in this process, so the interface is rebuilt from the definition.
        return {name: value for name, value in super().__getstate__().items() if name != "interface"}

    @property
    def task_id(self) -> TaskIdentifier | None:
        """The identifier of the deployed version."""
        return self.pb2.task_id

    @property
    def spec(self) -> TaskSpec:
        """The specification."""
        return self.pb2.spec if self.pb2.spec is not None else TaskSpec()

    @property
    def template(self) -> TaskTemplate:
        """The task's template, which the executor uses."""
        return self.spec.task_template if self.spec.task_template is not None else TaskTemplate()

    @property
    def typed_interface(self) -> TypedInterface:
        """Inputs and outputs as a message."""
        return self.template.interface if self.template.interface is not None else TypedInterface()

    @cached_property
    def interface(self) -> NativeInterface:  # pyright: ignore[reportIncompatibleMethodOverride]  # read like a property
        """Inputs and outputs as Python types."""
        from flyte.types import guess_interface

        return guess_interface(self.typed_interface, self.spec.default_inputs)

    @property
    def __signature__(self) -> inspect.Signature:
        """The signature of a call, for `inspect`, `help` and editors that inspect live objects."""
        from .signature import signature

        return signature(self.interface, self.spec.default_inputs)

    @property
    def json_schema(self) -> dict[str, Any]:
        """The JSON schema of the inputs: an object with one property per input."""
        from flyte.types.functions.json_schema import inputs_schema

        return inputs_schema(self.typed_interface, self.spec.default_inputs, title=self.name)

    @blocking
    @within_timeout
    async def launch_form(
        self, values: Mapping[str, Any] | None = None, *, timeout: float | timedelta | None = None
    ) -> dict[str, Any]:
        """Fetch the JSON Schema of the inputs that the server generates for the launch form of its web console.

        Args:
            values: Inputs to fill in, as JSON values by name. Default: only the task's defaults.
            timeout: Maximum seconds for all calls together, retries included, or a timedelta. Default: the client's
                for each.

        Returns:
            The schema, as a dict.

        Raises:
            ValueError: `timeout` is not positive; nothing was sent.
            RpcError: The call failed; the subclass says how.

        Calls `TranslatorService.TaskSpecToLaunchFormJson`; with values `JsonValuesToLiterals` and
        `LiteralsToLaunchFormJson` instead.
        """
        if values is None:
            request = TaskSpecToLaunchFormJsonRequest(task_spec=self.spec)
            form = (await TranslatorServiceClient(self.client).task_spec_to_launch_form_json.aio(request)).json
        else:
            literals = await self.literals_of.aio(values)
            filled = LiteralsToLaunchFormJsonRequest(literals=literals, variables=self.typed_interface.inputs)
            form = (await TranslatorServiceClient(self.client).literals_to_launch_form_json.aio(filled)).json
        return {} if form is None else form.to_python()

    @blocking
    @within_timeout
    async def literals_of(
        self, values: Mapping[str, Any], *, timeout: float | timedelta | None = None
    ) -> list[NamedLiteral]:
        """Convert plain JSON values to inputs of a run, on the server.

        Args:
            values: Inputs as JSON values, by name.
            timeout: Maximum seconds for the call, retries included, or a timedelta. Default: the client's.

        Raises:
            ValueError: `timeout` is not positive; nothing was sent.
            RpcError: The call failed; the subclass says how.

        Calls `TranslatorService.JsonValuesToLiterals`.
        """
        inputs = as_struct(Struct, "values", values)
        request = JsonValuesToLiteralsRequest(variables=self.typed_interface.inputs, values=inputs)
        return (await TranslatorServiceClient(self.client).json_values_to_literals.aio(request)).literals

    def _repr_html_(self) -> str:
        from .signature import as_html

        documentation = self.spec.documentation
        description = "" if documentation is None else documentation.short_description
        return as_html(self.name, self.version, description, self.__signature__, self.interface.outputs.items())

    @property
    def default_input_args(self) -> tuple[str, ...]:
        """Names of the optional inputs."""
        return tuple(p.name for p in self.spec.default_inputs)

    @property
    def required_args(self) -> tuple[str, ...]:
        """Names of the required inputs."""
        defaults = set(self.default_input_args)
        return tuple(name for name in self.interface.inputs if name not in defaults)

    @property
    def resources(self) -> tuple[list[ResourcesResourceEntry], list[ResourcesResourceEntry]]:
        """Requests and limits: entries with a `name`, such as CPU, and a `value`, such as "500m"."""
        container = container_of(self.template)
        return ([], []) if container is None else container.resources()

    @property
    def env_vars(self) -> dict[str, str]:
        """The task's environment variables."""
        container = container_of(self.template)
        return {} if container is None else container.env()

    @property
    def retries(self) -> int:
        """Attempts after the first."""
        metadata = self.template.metadata
        return 0 if metadata is None or metadata.retries is None else metadata.retries.retries

    @property
    def cache(self) -> Cache:
        """Whether outputs are cached, and under which version."""
        metadata = self.template.metadata
        if metadata is None or not metadata.discoverable:
            return Cache("disable")
        max_age = metadata.cache_max_age
        return Cache(
            "override" if metadata.discovery_version else "auto",
            version_override=metadata.discovery_version or None,
            serialize=metadata.cache_serializable,
            ignored_inputs=tuple(metadata.cache_ignore_input_vars),
            max_age=None if max_age is None else max_age.to_timedelta(),
        )

    @property
    def secrets(self) -> list[str]:
        """Keys of the secrets that the task reads."""
        context = self.template.security_context
        return [] if context is None else [secret.key for secret in context.secrets]

    def override(self, **changes: Unpack[Overrides]) -> Self:
        """Return a copy with other settings. This object and the deployed task stay unchanged.

        Omitted settings stay unchanged. None removes a setting; 0, "", {} and [] are ordinary values.

        Args:
            changes: Any of resources: `Resources`; each that is given replaces request and limit of its kind. None: no
                resources. retries: Attempts after the first, or a `RetryStrategy`. timeout: A `Timeout`, or a timedelta
                or seconds for one attempt. None or 0: no limit. env_vars: Variables to add or change; a variable set to
                None is removed. {} or None: no variables. cache: "disable", or a `Cache` whose behavior is "disable" or
                "override". secrets: Names or `Secret`s, which replace all existing ones. [] or None: no secrets. short_name:
                Display name. queue: Queue to run in. None: the task's own. service_account: Kubernetes service
                account to run as. interruptible: Whether it may run on preemptible machines. None: the platform
                decides. max_inline_io_bytes: Maximum size of the inputs, and of the outputs, of a call.

        Raises:
            RemoteTaskUsageError: The setting does not exist, or the task has no container to apply it to.
            TypeError: A value of the wrong kind.
            ValueError: A value out of range.
        """
        from .override import changed_spec

        message = copy(self.pb2)
        message.spec = changed_spec(self.spec, changes)
        return type(self)(
            message,
            self._client,
            queue=changes.get("queue", self.queue),
            max_inline_io_bytes=changes.get("max_inline_io_bytes", self.max_inline_io_bytes),
            overridden=True,
        )
