"""Secrets in tasks: environment variables and files."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

import flyte.devbox
from devbox.calls import DOMAIN, Calls, shell
from devbox.sample import jobs
from flyte import Secret as Declared
from flyte._client import use_client
from flyte.devbox.executor.plan import Plan
from flyte.devbox.secrets.table import SecretRow
from flyte.remote import Secret
from flyte_api.messages.flyteidl2.common.phase import ActionPhase
from flyte_api.messages.flyteidl2.core.security import Secret as SecretMessage
from flyte_api.messages.flyteidl2.core.security import SecretMountType, SecurityContext
from flyte_api.messages.flyteidl2.task.task_definition import TaskSpec
from flyte_api.messages.flyteidl2.workflow.run_definition import ActionDetails
from flyte_rpc.calls.client import Client

VALUE = "s3cr3t-value"


@pytest.fixture
async def client(calls: Calls) -> AsyncGenerator[Client, None]:
    """A client with the test's project."""
    client = calls.client.with_options(project=calls.project, domain=DOMAIN)
    with use_client(client):
        yield client


def declaring(script: str, *secrets: SecretMessage) -> TaskSpec:
    spec = shell(script)
    assert spec.task_template is not None
    spec.task_template.security_context = SecurityContext(secrets=list(secrets))
    return spec


def variable(key: str, name: str = "", group: str = "") -> SecretMessage:
    return SecretMessage(key=key, group=group, mount_requirement=SecretMountType.ENV_VAR, env_var=name)


async def failed(calls: Calls, spec: TaskSpec) -> str:
    """Return the error of a task that cannot start, without a retry."""
    details = await calls.run(spec)
    assert details.status is not None and details.status.phase == ActionPhase.FAILED
    assert details.status.attempts == 1 and details.error_info is not None
    assert VALUE not in str(details)
    return f"{details.error_info.code}: {details.error_info.message}"


async def log(calls: Calls, details: ActionDetails) -> list[str]:
    assert details.id is not None and details.error_info is None, details.error_info
    return await calls.log(details.id)


async def test_a_deployed_function_gets_its_secret(client: Client) -> None:
    await Secret.create.aio("api-key", VALUE)
    task = await flyte.devbox.deploy.aio(jobs.variable, secrets=Declared("api-key"))
    assert task.secrets == ["api-key"]
    run = await flyte.run.aio(task, name="API_KEY")
    await run.wait.aio()
    assert (await run.outputs.aio())[0] == VALUE


async def test_the_narrowest_scope_wins(calls: Calls, client: Client) -> None:
    name = f"scoped-{calls.project}"
    task = declaring('echo "$KEY"', variable(name, "KEY"))
    scopes = (({"project": "", "domain": ""}, "all"), ({"project": ""}, "domain"), ({}, "project"))
    for scope, value in scopes:
        await Secret.create.aio(name, value, **scope)
        assert await log(calls, await calls.run(task)) == [value]


async def test_a_secret_replaces_a_variable_of_the_task_but_not_the_context(calls: Calls, client: Client) -> None:
    await Secret.create.aio("key", VALUE)
    spec = declaring('echo "$KEY $FLYTE_PROJECT"', variable("key", "KEY"), variable("key", "FLYTE_PROJECT"))
    assert await log(calls, await calls.run(spec)) == [f"{VALUE} {calls.project}"]


async def test_variables_without_a_name_have_a_prefix(calls: Calls, client: Client) -> None:
    await Secret.create.aio("my-key", VALUE)
    script = 'echo "$FLYTE_SECRETS_ENV_PREFIX $_FSEC_TEAM_MY_KEY $_FSEC_MY_KEY"'
    spec = declaring(script, variable("my-key", group="team"), variable("my-key"))
    assert await log(calls, await calls.run(spec)) == [f"_FSEC_ {VALUE} {VALUE}"]


async def test_files_are_private_and_removed(calls: Calls, client: Client) -> None:
    await Secret.create.aio("binary", b"\x00\xff")
    await Secret.create.aio("text", VALUE)
    script = """
    cd "$FLYTE_SECRETS_DEFAULT_DIR"
    for path in . "${FLYTE_SECRETS_FILE_PREFIX}text" team team/binary; do ls -ld "$path" | cut -c1-10; done
    od -An -tx1 team/binary
    cat "$WHERE"; echo; pwd; ls -A "$OLDPWD" | wc -l
    """
    spec = declaring(
        script,
        SecretMessage(key="text", mount_requirement=SecretMountType.FILE, env_var="WHERE"),
        SecretMessage(key="binary", group="team", mount_requirement=SecretMountType.ANY),
    )
    *modes, binary, text, directory, others = await log(calls, await calls.run(spec))
    assert modes == ["drwx------", "-rw-------", "drwx------", "-rw-------"]
    assert (binary.split(), text, others.strip()) == (["00", "ff"], VALUE, "0")
    assert not Path(directory).exists()


async def test_a_mounted_secret_of_an_override_is_a_file(client: Client) -> None:
    await Secret.create.aio("key", VALUE)
    task = await flyte.devbox.deploy.aio(jobs.secret_file)
    run = await flyte.run.aio(task.override(secrets=Declared("key", mount="/etc/flyte/secrets")), name="key")
    await run.wait.aio()
    assert (await run.outputs.aio())[0] == VALUE


async def test_a_missing_secret_fails_the_action(calls: Calls) -> None:
    error = await failed(calls, declaring("true", variable("nowhere", "KEY")))
    assert error.startswith("SecretNotFound: the task needs the secret 'nowhere'")
    assert "Secret.create('nowhere'" in error


async def test_values_that_do_not_fit_fail_the_action(calls: Calls, client: Client) -> None:
    await Secret.create.aio("binary", b"\xff" + VALUE.encode())
    await Secret.create.aio("zero", f"a\0{VALUE}")
    await Secret.create.aio("key", VALUE)
    for key in ("binary", "zero"):
        assert "mount it as a file" in await failed(calls, declaring("true", variable(key, "KEY")))
    assert "environment variable 'A=B'" in await failed(calls, declaring("true", variable("key", "A=B")))
    outside = SecretMessage(key="key", group="..", mount_requirement=SecretMountType.FILE)
    assert "'..' is not a file name" in await failed(calls, declaring("true", outside))


def test_reprs_show_no_values() -> None:
    row = SecretRow("hash", "p", "d", "key", VALUE.encode(), 1, 1)
    plan = Plan(command=["true"], env={"KEY": VALUE}, memory=None)
    assert VALUE not in f"{row!r} {plan!r}" and "key" in repr(row)
