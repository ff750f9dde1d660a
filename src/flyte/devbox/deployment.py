"""Deploying a Python function to a devbox."""

from __future__ import annotations

import difflib
import hashlib
import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Never

from attrs import evolve

from flyte._client import resolve_client
from flyte.definitions.policies import Cache, CacheBehavior, RetryStrategy, Secret, Timeout
from flyte.definitions.resources import Resources
from flyte.remote import TaskDetails
from flyte.remote.tasks.override import Overrides, changed_spec
from flyte.types import interface_of
from flyte.types.files.network import streaming_client
from flyte.types.files.threads import TransferThreads
from flyte_api.messages.flyteidl2.core.identifier import Identifier, ResourceType
from flyte_api.messages.flyteidl2.core.tasks import Container, RuntimeMetadata, TaskMetadata, TaskTemplate
from flyte_api.messages.flyteidl2.dataproxy.dataproxy_service import (
    CreateUploadLocationRequest,
    CreateUploadLocationResponse,
)
from flyte_api.messages.flyteidl2.task.environment import Environment
from flyte_api.messages.flyteidl2.task.task_definition import (
    DocumentationEntity,
    TaskIdentifier,
    TaskSpec,
)
from flyte_api.messages.flyteidl2.task.task_service import DeployTaskRequest
from flyte_api.services.flyteidl2.dataproxy.data_proxy_service import DataProxyService
from flyte_api.services.flyteidl2.task.task_service import TaskService
from flyte_rpc.calls import call_path
from flyte_rpc.calls.client import Client
from flyte_rpc.calls.scope import Scope
from flyte_rpc.http.errors import HttpError
from flyte_rpc.http.transfer import Transfer
from flyte_rpc.sync.decorators import blocking_function
from flyte_rpc.version import VERSION

from .home import DevboxError
from .snapshot import Snapshot, take

_UPLOAD_TIMEOUT = 60.0
_VERSION_LENGTH = 16


@blocking_function
async def deploy(
    function: Callable[..., Any],
    name: str | None = None,
    version: str | None = None,
    project: str | None = None,
    domain: str | None = None,
    *,
    environment: str | None = None,
    description: str | None = None,
    resources: Resources | None = None,
    retries: RetryStrategy | int = 0,
    timeout: Timeout | timedelta | float | None = None,
    env_vars: Mapping[str, str] | None = None,
    cache: Cache | CacheBehavior | None = None,
    secrets: str | Secret | Sequence[str | Secret] | None = None,
    client: Client | None = None,
    **unknown: Never,
) -> TaskDetails:
    """Deploy a Python function as a task of a devbox, through `TaskService.DeployTask`.

    The source is copied during deployment, so you can edit the file afterwards. The copy includes the whole package of
    the function, and other modules imported from the same directory. The task runs in the same Python environment, so it
    can import everything that is installed there.

    Args:
        function: A function of a .py file, `def` or `async def`, whose parameters and result are annotated.
        name: Name of the task. Default: `<environment>.<function>`, or `<module>.<function>` without an environment.
        version: Version of the task. Default: a hash of its source and options, so deploying it again without changes has no
            effect.
        project: Project. Default: the client's.
        domain: Domain. Default: the client's.
        environment: Name of the task's environment, a group of tasks.
        description: One sentence about the task. Default: the first line of its docstring.
        resources: Requested resources. Only the memory limit is enforced; the rest is recorded.
        retries: Number of retries after a failure.
        timeout: Time limits. A plain number is the maximum runtime of one attempt, in seconds.
        env_vars: Environment variables of the task's process.
        cache: Whether to reuse outputs of earlier actions with the same inputs. Default: no.
        secrets: Names or `flyte.Secret`s that the task gets as environment variables or files. Default: none.
        client: The client for the calls. Default: the current client.

    Returns:
        The deployed version.

    Raises:
        TypeError: `function` can't be imported by a worker process, or is not fully annotated; or an option is unknown or
            has the wrong type.
        ValueError: An option has an invalid value.
        DevboxError: The client is not connected to a devbox.
        RpcError: A call failed.
    """
    if unknown:
        raise TypeError(_unknown_option(next(iter(unknown))))
    client = resolve_client(client)
    scope = client.scope(project, domain)
    snapshot = take(function)
    interface, defaults = interface_of(function)
    short_name = function.__qualname__.rpartition(".")[2]
    plain = TaskSpec(
        task_template=TaskTemplate(
            type="python",
            metadata=TaskMetadata(runtime=RuntimeMetadata(flavor="python", version=VERSION)),
            interface=interface,
            container=Container(image="devbox"),
        ),
        default_inputs=defaults,
        short_name=short_name,
        environment=Environment(name=environment) if environment else None,
        documentation=_documentation(function, description),
    )
    settings: Overrides = {"retries": retries, "timeout": timeout}
    if resources is not None:
        settings["resources"] = resources
    if env_vars is not None:
        settings["env_vars"] = env_vars
    if cache is not None:
        settings["cache"] = _cache(cache, snapshot)
    if secrets is not None:
        settings["secrets"] = secrets
    spec = changed_spec(plain, settings)
    identifier = TaskIdentifier(
        org=scope.org,
        project=scope.project,
        domain=scope.domain,
        name=name or f"{environment or snapshot.module}.{short_name}",
        version=version or _version(snapshot, spec),
    )
    _complete(spec, identifier, snapshot, await _upload(client, scope, snapshot))
    await call_path.unary(client, TaskService.DEPLOY_TASK, DeployTaskRequest(task_id=identifier, spec=spec))
    return await TaskDetails.fetch.aio(
        identifier.name, identifier.version, project=scope.project, domain=scope.domain, client=client
    )


def _unknown_option(name: str) -> str:
    known = [
        parameter.name
        for parameter in inspect.signature(deploy).parameters.values()
        if parameter.kind is not parameter.VAR_KEYWORD
    ]
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"the options are {', '.join(known)}"
    return f"flyte.devbox.deploy has no option {name!r}; {hint}"


def _cache(cache: Cache | CacheBehavior, snapshot: Snapshot) -> Cache:
    """Use the digest of the source as the automatic cache version."""
    settings = cache if isinstance(cache, Cache) else Cache(cache)
    if settings.behavior != "auto":
        return settings
    return evolve(settings, behavior="override", version_override=snapshot.digest[:_VERSION_LENGTH])


def _complete(spec: TaskSpec, identifier: TaskIdentifier, snapshot: Snapshot, archive: str) -> None:
    """Fill in the fields that depend on the name and the upload."""
    template = spec.task_template
    assert template is not None and template.container is not None
    template.id = Identifier(
        resource_type=ResourceType.TASK,
        org=identifier.org,
        project=identifier.project,
        domain=identifier.domain,
        name=identifier.name,
        version=identifier.version,
    )
    template.container.command = [sys.executable, "-m", "flyte.devbox.executor.processes.worker"]
    template.container.args = [archive, snapshot.target, snapshot.function, snapshot.root]


async def _upload(client: Client, scope: Scope, snapshot: Snapshot) -> str:
    """Upload the snapshot to the devbox's storage. Return its URI."""
    md5 = hashlib.md5(snapshot.archive, usedforsecurity=False).digest()
    request = CreateUploadLocationRequest(
        org=scope.org,
        project=scope.project,
        domain=scope.domain,
        filename="code.zip",
        content_md5=md5,
        content_length=len(snapshot.archive),
    )
    place = await call_path.unary(client, DataProxyService.CREATE_UPLOAD_LOCATION, request)
    if not place.native_url.startswith("file://"):
        raise DevboxError(
            f"{client.endpoint} is not a devbox: it stores files at {place.native_url}. flyte.devbox.deploy makes tasks that "
            "run in processes of this machine; deploy to a cluster with the tools of that cluster."
        )
    await _put(client, place, snapshot.archive)
    return place.native_url


async def _put(client: Client, place: CreateUploadLocationResponse, archive: bytes) -> None:
    def send(transfer: Transfer) -> None:
        with streaming_client(client) as http:
            http.put(place.signed_url, [archive], len(archive), transfer, headers=place.headers)

    try:
        with TransferThreads(1) as threads:
            await threads.run(send, idle=_UPLOAD_TIMEOUT, timeout=_UPLOAD_TIMEOUT)
    except HttpError as error:
        raise DevboxError(f"the source could not be uploaded: {error}") from None


def _documentation(function: Callable[..., Any], description: str | None) -> DocumentationEntity | None:
    text = inspect.getdoc(function) or ""
    short = description or text.partition("\n")[0]
    return DocumentationEntity(short_description=short, long_description=text) if short or text else None


def _version(snapshot: Snapshot, spec: TaskSpec) -> str:
    digest = hashlib.sha256(snapshot.digest.encode())
    digest.update(snapshot.target.encode() + b"\0" + snapshot.function.encode() + b"\0" + bytes(spec))
    return digest.hexdigest()[:_VERSION_LENGTH]
