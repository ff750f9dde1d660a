"""Definitions of apps as plain Python values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta

import attrs

from flyte.definitions.resources import Resources
from flyte.definitions.validators import is_duration, is_text, names_only
from flyte.remote.tasks.override import changed_spec
from flyte_api.messages.flyteidl2.app.app_definition import AutoscalingConfig, Replicas, SecurityContext, Spec
from flyte_api.messages.flyteidl2.core.security import Identity
from flyte_api.messages.flyteidl2.core.tasks import Container, ContainerPort, TaskTemplate
from flyte_api.messages.flyteidl2.task.task_definition import TaskSpec
from flyte_api.messages.google.protobuf.duration import Duration
from flyte_rpc.arguments import text, texts, whole


def _strings(value: Sequence[str]) -> tuple[str, ...]:
    if isinstance(value, str) or not isinstance(value, Iterable):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"AppSpec.command and AppSpec.args take a list of texts, not {value!r}")
    return tuple(text("each of AppSpec.command and AppSpec.args", each) for each in value)


def _image(instance: object, attribute: attrs.Attribute[str], value: str) -> None:
    text("AppSpec.image", value, 1)


@attrs.frozen(kw_only=True)
class AppSpec:
    """What an app runs, for `App.create` and `App.replace`.

    Args:
        image: Container image.
        command: Entry point, instead of that of the image.
        args: Arguments of the entry point.
        port: Port on which the program listens, from 1 to 65535. Default: 8080.
        env_vars: Environment variables.
        resources: CPU, memory, accelerators and disk. Default: the server's.
        min_replicas: Minimum number of replicas; 0 lets the app scale to zero. Default: 0.
        max_replicas: Maximum number of replicas. Default: 1.
        scaledown_after: Idle time after which a replica is removed, as a timedelta. Default: the server's.
        service_account: Kubernetes service account to run as. Default: the server's.
        cluster_pool: Pool of clusters to run on. Default: the default pool.

    Raises:
        TypeError: A value has the wrong type.
        ValueError: A value is out of range.
    """

    image: str = attrs.field(validator=_image)
    command: tuple[str, ...] = attrs.field(default=(), converter=_strings)
    args: tuple[str, ...] = attrs.field(default=(), converter=_strings)
    port: int = 8080
    env_vars: Mapping[str, str] | None = attrs.field(default=None, hash=False, repr=names_only)
    resources: Resources | None = None
    min_replicas: int = 0
    max_replicas: int = 1
    scaledown_after: timedelta | None = attrs.field(default=None, validator=is_duration)
    service_account: str | None = attrs.field(default=None, validator=is_text)
    cluster_pool: str = ""

    def __attrs_post_init__(self) -> None:
        if whole("AppSpec.port", self.port, 1) > 65535:
            raise ValueError(f"AppSpec.port is {self.port}; it must be at most 65535")
        whole("AppSpec.min_replicas", self.min_replicas, 0)
        if whole("AppSpec.max_replicas", self.max_replicas, 1) < self.min_replicas:
            raise ValueError(f"AppSpec.max_replicas is {self.max_replicas}, below min_replicas ({self.min_replicas})")
        if self.env_vars is not None:
            texts("AppSpec.env_vars", self.env_vars)
        if self.resources is not None and not isinstance(self.resources, Resources):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"AppSpec.resources takes a flyte.Resources, not {type(self.resources).__name__}")
        text("AppSpec.cluster_pool", self.cluster_pool)
        self.to_message()

    def to_message(self) -> Spec:
        """Build the message.

        Raises:
            TypeError: A value has the wrong type.
        """
        container = Container(
            image=self.image,
            command=list(self.command),
            args=list(self.args),
            ports=[ContainerPort(container_port=self.port)],
        )
        # Apps describe containers like tasks do.
        task = TaskSpec(task_template=TaskTemplate(container=container))
        task = changed_spec(task, {"resources": self.resources, "env_vars": dict(self.env_vars or {})})
        template = task.task_template or TaskTemplate()
        account = self.service_account
        return Spec(
            container=template.container,
            extended_resources=template.extended_resources,
            autoscaling=AutoscalingConfig(
                replicas=Replicas(min=self.min_replicas, max=self.max_replicas),
                scaledown_period=None if self.scaledown_after is None else Duration.of(self.scaledown_after),
            ),
            security_context=SecurityContext(run_as=Identity(k8s_service_account=account)) if account else None,
            cluster_pool=self.cluster_pool,
        )
