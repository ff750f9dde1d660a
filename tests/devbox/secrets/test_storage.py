"""Where the devbox keeps the values of secrets."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import pytest

from devbox.calls import DOMAIN, Calls, shell
from devbox.execution.test_restart import running
from flyte.devbox.secrets.cipher import Cipher, CipherError
from flyte.errors import InternalError
from flyte.remote import Secret
from flyte_api.messages.flyteidl2.core.security import Secret as Declared
from flyte_api.messages.flyteidl2.core.security import SecretMountType, SecurityContext
from flyte_api.messages.flyteidl2.task.task_definition import TaskSpec

VALUE = "s3cr3t-value-of-a-test"


def needs(key: str, script: str = 'printf %s "$KEY"') -> TaskSpec:
    """A task that gets a secret in the variable KEY."""
    spec = shell(script)
    assert spec.task_template is not None
    declared = Declared(key=key, mount_requirement=SecretMountType.ENV_VAR, env_var="KEY")
    spec.task_template.security_context = SecurityContext(secrets=[declared])
    return spec


async def printed(calls: Calls, key: str) -> list[str]:
    details = await calls.run(needs(key))
    assert details.id is not None
    return await calls.log(details.id)


async def test_values_survive_a_restart_and_are_nowhere_in_the_directory(tmp_path: Path) -> None:
    async with running(tmp_path) as calls:
        client = calls.client.with_options(project=calls.project, domain=DOMAIN)
        await Secret.create.aio("key", VALUE, client=client)
    stored = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert tmp_path / "devbox.sqlite" in stored
    assert [path for path, content in stored.items() if VALUE.encode() in content] == []
    assert (tmp_path / "secrets.key").stat().st_mode & 0o777 == 0o600
    async with running(tmp_path) as calls:
        assert await printed(calls, "key") == [VALUE]


async def test_a_devbox_without_secrets_has_no_key(tmp_path: Path) -> None:
    async with running(tmp_path):
        pass
    assert not (tmp_path / "secrets.key").exists()


async def test_a_lost_key_fails_tasks_until_the_secret_is_set_again(tmp_path: Path) -> None:
    async with running(tmp_path) as calls:
        client = calls.client.with_options(project=calls.project, domain=DOMAIN)
        await Secret.create.aio("key", VALUE, client=client)
    (tmp_path / "secrets.key").unlink()
    async with running(tmp_path) as calls:
        client = calls.client.with_options(project=calls.project, domain=DOMAIN)
        details = await calls.run(needs("key"))
        assert details.error_info is not None and details.error_info.code == "SecretNotReadable"
        await Secret.update.aio("key", "other", client=client)
        assert await printed(calls, "key") == ["other"]


async def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    async with running(tmp_path) as calls:
        client = calls.client.with_options(project=calls.project, domain=DOMAIN)
        (tmp_path / "secrets.key").write_bytes(bytes(32))
        (tmp_path / "secrets.key").chmod(0o644)
        with pytest.raises(InternalError, match="can be read by other users") as caught:
            await Secret.create.aio("key", VALUE, client=client)
        assert VALUE not in str(caught.value)


def test_values_cannot_be_swapped(tmp_path: Path) -> None:
    cipher = Cipher(tmp_path / "key")
    sealed = cipher.encrypt(b"value", "mine")
    assert cipher.decrypt(sealed, "mine") == b"value"
    assert cipher.encrypt(b"value", "mine") != sealed
    with pytest.raises(CipherError):
        cipher.decrypt(sealed, "yours")
    with pytest.raises(CipherError):
        cipher.decrypt(b"short", "mine")
    (tmp_path / "key").write_bytes(b"not a key")
    with pytest.raises(CipherError, match="is not a key"):
        Cipher(tmp_path / "key").encrypt(b"value", "mine")


async def test_without_the_library_secrets_live_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(tmp_path) as calls:
        client = calls.client.with_options(project=calls.project, domain=DOMAIN)
        await Secret.create.aio("stored", VALUE, client=client)
    monkeypatch.setitem(sys.modules, "cryptography", None)  # as if it were not installed
    with caplog.at_level(logging.WARNING, "flyte.devbox"):
        async with running(tmp_path) as calls:
            client = calls.client.with_options(project=calls.project, domain=DOMAIN)
            assert "cannot read its 1 stored secrets" in caplog.text
            assert [secret.name async for secret in Secret.listall(client=client)] == []
            await Secret.create.aio("key", VALUE, client=client)
            assert "keeps secrets in memory" in caplog.text and "flyte-remote[devbox]" in caplog.text
            assert await printed(calls, "key") == [VALUE]
    assert VALUE not in caplog.text
    assert [path for path in tmp_path.glob("devbox.sqlite*") if VALUE.encode() in path.read_bytes()] == []
    monkeypatch.undo()
    async with running(tmp_path) as calls:
        client = calls.client.with_options(project=calls.project, domain=DOMAIN)
        assert [secret.name async for secret in Secret.listall(client=client)] == ["stored"]
