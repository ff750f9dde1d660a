"""Every setting of `override` at its limits, and the words of every refusal."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from flyte import Backoff, Cache, Resources, RetryStrategy, Secret, Timeout
from flyte.errors import RemoteTaskUsageError
from flyte.remote import TaskDetails
from flyte_api.messages.flyteidl2.core.tasks import Container, TaskTemplate
from flyte_api.messages.flyteidl2.task.task_definition import TaskDetails as TaskDetailsMessage
from flyte_api.messages.flyteidl2.task.task_definition import TaskIdentifier, TaskSpec


@pytest.fixture
def task() -> TaskDetails:
    """A task in a container, with nothing set."""
    return of(TaskTemplate(container=Container(image="x")))


def of(template: TaskTemplate | None) -> TaskDetails:
    """Return a task of a template."""
    identifier = TaskIdentifier(name="t", version="1")
    return TaskDetails(TaskDetailsMessage(task_id=identifier, spec=TaskSpec(task_template=template)))


def test_an_unknown_setting_names_the_nearest_or_all(task: TaskDetails) -> None:
    with pytest.raises(RemoteTaskUsageError) as caught:
        task.override(service_acount="sa")
    assert str(caught.value) == "override has no setting service_acount; did you mean service_account?"
    with pytest.raises(RemoteTaskUsageError) as caught:
        task.override(zzz=1)
    assert "no setting zzz; known: resources, retries, timeout, env_vars, cache, " in str(caught.value)
    assert str(caught.value).endswith("interruptible, max_inline_io_bytes")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"max_inline_io_bytes": "1"}, "max_inline_io_bytes takes a number of bytes, not str"),
        ({"max_inline_io_bytes": True}, "max_inline_io_bytes takes a number of bytes, not bool"),
        ({"max_inline_io_bytes": 1.5}, "max_inline_io_bytes takes a number of bytes, not float"),
        ({"retries": True}, "RetryStrategy.retries takes a whole number, not bool"),
        ({"timeout": True}, "a span of time is a timedelta or a number of seconds, not bool (True)"),
        ({"queue": 1}, "queue takes a name, not int"),
        ({"short_name": None}, "short_name takes text, not NoneType"),
        ({"env_vars": ["A"]}, "env_vars takes a mapping, not list"),
        ({"env_vars": {"A": 1}}, "env_vars takes text for names and values, not 'A': 1"),
        ({"env_vars": {1: "A"}}, "env_vars takes text for names and values, not 1: 'A'"),
        ({"env_vars": {"": "A"}}, "env_vars takes text for names and values, not '': 'A'"),
        ({"cache": 5}, "cache takes 'disable' or a Cache, not int"),
        ({"cache": None}, "cache takes 'disable' or a Cache, not NoneType"),
        ({"secrets": 7}, "secrets takes secrets, not int"),
        ({"secrets": ["ok", 7]}, "secrets takes names and Secrets, not int"),
        ({"service_account": 3}, "service_account takes a name, not int"),
        ({"interruptible": 1}, "interruptible takes True, False or None, not int"),
        ({"interruptible": "yes"}, "interruptible takes True, False or None, not str"),
        ({"resources": "1Gi"}, "resources takes a Resources, not str"),
    ],
)
def test_a_wrong_type(task: TaskDetails, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError) as caught:
        task.override(**changes)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"max_inline_io_bytes": -1}, "max_inline_io_bytes must not be negative (-1)"),
        ({"short_name": "x" * 64}, "short_name takes at most 63 characters, not 64"),
        (
            {"cache": "override"},
            "cache='override' needs a version to override with: Cache('override', version_override=...)",
        ),
        ({"cache": Cache("override")}, "Cache('override') needs version_override"),
        (
            {"cache": "auto"},
            "cache can't be 'auto' for a deployed task, whose source is not here; use 'disable' or 'override'",
        ),
        *(
            (
                {"env_vars": {name: value}},
                f"env_vars can't hold {name!r}: names have no '=', and neither names nor values a NUL",
            )
            for name, value in (("A=B", "1"), ("A\0", "1"), ("A", "1\0"), ("=", None))
        ),
    ],
)
def test_a_wrong_value(task: TaskDetails, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as caught:
        task.override(**changes)
    assert str(caught.value) == message


@pytest.mark.parametrize("template", [None, TaskTemplate(type="sql")])
@pytest.mark.parametrize(
    ("setting", "value"), [("env_vars", {"A": "1"}), ("resources", Resources(cpu=1)), ("resources", None)]
)
def test_a_task_without_a_container(template: TaskTemplate | None, setting: str, value: Any) -> None:
    kind = "" if template is None else "sql"
    with pytest.raises(RemoteTaskUsageError) as caught:
        of(template).override(**{setting: value})
    assert str(caught.value) == (
        f"{setting} can't be overridden: the task of type {kind!r} has no container, or a pod without a primary container"
    )


def test_a_task_without_a_template_takes_the_rest() -> None:
    assert of(None).override(retries=2).retries == 2


def test_sizes_at_the_limit(task: TaskDetails) -> None:
    assert task.override(short_name="x" * 63).spec.short_name == "x" * 63
    assert task.override(short_name="").spec.short_name == ""
    assert task.override(max_inline_io_bytes=0).max_inline_io_bytes == 0


def test_retries(task: TaskDetails) -> None:
    assert task.override(retries=5).override(retries=None).retries == 0
    made = task.override(retries=RetryStrategy(2, Backoff(5))).template.metadata
    assert made is not None and made.retries is not None and made.retries.backoff is not None
    assert made.retries.backoff.base is not None and made.retries.backoff.base.seconds == 5
    assert made.retries.backoff.cap is None


@pytest.mark.parametrize(
    ("timeout", "queued", "deadline"),
    [
        (Timeout(max_queued_time=5), 5, None),
        (Timeout(deadline=timedelta(hours=1)), None, 3600),
        (Timeout(max_queued_time=5, deadline=60), 5, 60),
    ],
)
def test_a_timeout_of_one_part(task: TaskDetails, timeout: Timeout, queued: int | None, deadline: int | None) -> None:
    metadata = task.override(timeout=timeout).template.metadata
    assert metadata is not None and metadata.timeouts is not None and metadata.timeout is None
    found = metadata.timeouts.queued_timeout, metadata.timeouts.deadline
    assert [None if part is None else part.seconds for part in found] == [queued, deadline]


@pytest.mark.parametrize("timeout", [None, 0, timedelta(0), Timeout(0, 0, 0), Timeout()])
def test_no_timeout(task: TaskDetails, timeout: Any) -> None:
    metadata = task.override(timeout=5).override(timeout=timeout).template.metadata
    assert metadata is not None and metadata.timeout is None and metadata.timeouts is None


def test_a_timeout_of_the_run_alone_clears_the_others(task: TaskDetails) -> None:
    all_parts = task.override(timeout=Timeout(max_runtime=9, max_queued_time=5, deadline=60))
    metadata = all_parts.override(timeout=Timeout(max_runtime=7)).template.metadata
    assert metadata is not None and metadata.timeouts is None
    assert metadata.timeout is not None and metadata.timeout.seconds == 7


def test_environment_variables_keep_any_text_but_nul(task: TaskDetails) -> None:
    values = {"A": "", "B": "a=b", "C": "XX\n", "D": "\u00e4"}
    assert task.override(env_vars=values).env_vars == values
    assert task.override(env_vars=values).override(env_vars={"Z": None}).env_vars == values


def test_cache(task: TaskDetails) -> None:
    kept = task.override(cache=Cache("override", "v1", max_age=timedelta(hours=2))).template.metadata
    assert kept is not None and kept.discoverable and kept.discovery_version == "v1"
    assert kept.cache_max_age is not None and kept.cache_max_age.seconds == 7200
    off = task.override(cache=Cache("disable", "v1")).template.metadata
    assert off is not None and not off.discoverable and off.discovery_version == ""


def test_secrets(task: TaskDetails) -> None:
    context = task.override(secrets=Secret("one", group="team")).template.security_context
    assert context is not None
    assert [(secret.key, secret.group, secret.env_var) for secret in context.secrets] == [("one", "team", "TEAM_ONE")]
    assert task.override(secrets="alone").secrets == ["alone"]
    grouped = task.override(secrets=["bare"]).template.security_context
    assert grouped is not None and grouped.secrets[0].group == ""


def test_secrets_and_service_account_leave_each_other(task: TaskDetails) -> None:
    both = task.override(service_account="sa").override(secrets=["a"])
    context = both.template.security_context
    assert context is not None and context.run_as is not None and context.run_as.k8s_service_account == "sa"
    reset = both.override(service_account=None)
    assert reset.secrets == ["a"]
    assert reset.template.security_context is not None and reset.template.security_context.run_as is not None
    assert reset.template.security_context.run_as.k8s_service_account == ""


@pytest.mark.parametrize("value", [True, False, None])
def test_interruptible(task: TaskDetails, value: bool | None) -> None:
    metadata = task.override(interruptible=value).template.metadata
    assert metadata is not None and metadata.interruptible is value


def test_a_request_replaces_the_old_limit(task: TaskDetails) -> None:
    limited = task.override(resources=Resources(cpu=(1, 2)))
    requests, limits = limited.override(resources=Resources(cpu=3)).resources
    assert [(entry.name.name, entry.value) for entry in requests] == [("CPU", "3")] and limits == []


def test_shared_memory(task: TaskDetails) -> None:
    for given, size in (("auto", ""), ("2Gi", "2Gi")):
        extended = task.override(resources=Resources(shm=given)).template.extended_resources
        assert extended is not None and extended.shared_memory is not None
        memory = extended.shared_memory
        assert (memory.mount_path, memory.mount_name, memory.size_limit) == ("/dev/shm", "flyte-shm", size)


def test_no_accelerator_leaves_no_empty_message(task: TaskDetails) -> None:
    with_device = task.override(resources=Resources(gpu="A100:1"))
    assert with_device.template.extended_resources is not None
    assert with_device.override(resources=Resources(gpu=0)).template.extended_resources is None
    assert task.override(resources=Resources(gpu=1)).template.extended_resources is None
