"""SettingsService of the devbox."""

from __future__ import annotations

from pathlib import Path

import pytest

from devbox.calls import Calls
from devbox.execution.test_restart import running
from flyte.errors import AlreadyExistsError, FailedPreconditionError, UnimplementedError
from flyte.remote import UNSET, ResolvedSettings, Settings
from flyte_api.messages.flyteidl2.settings.settings_definition import (
    RunSettings,
    SettingsKey,
    SettingState,
    StringSetting,
)
from flyte_api.messages.flyteidl2.settings.settings_definition import Settings as SettingsMessage
from flyte_api.messages.flyteidl2.settings.settings_service import (
    CreateSettingsRequest,
    GetSettingsForEditRequest,
    SettingsRecord,
    UpdateSettingsRequest,
)
from flyte_api.services.flyteidl2.settings.settings_service import SettingsService
from flyte_rpc.status import Status


def queue(name: str) -> SettingsMessage:
    value = StringSetting(state=SettingState.VALUE, string_value=name)
    return SettingsMessage(run=RunSettings(default_queue=value))


async def levels(calls: Calls, key: SettingsKey) -> list[SettingsRecord]:
    reply = await calls.unary(SettingsService.GET_SETTINGS_FOR_EDIT, GetSettingsForEditRequest(key=key))
    assert reply.requestedKey == key
    return reply.levels


async def test_the_public_class_works(calls: Calls) -> None:
    scope = {"domain": "development", "project": calls.project}
    first = await Settings.get_settings_for_edit.aio(client=calls.client, **scope)
    assert first.version == 0
    late = await Settings.get_settings_for_edit.aio(client=calls.client, **scope)
    await first.update_settings.aio({"run.default_queue": "gpu", "labels": {"team": "vision"}})
    with pytest.raises(AlreadyExistsError):
        await late.update_settings.aio({"run.default_queue": "cpu"})
    stale = await Settings.get_settings_for_edit.aio(client=calls.client, **scope)
    assert stale.version == 1
    assert stale.local_overrides() == {"run.default_queue": "gpu", "labels": {"team": "vision"}}
    await first.update_settings.aio({"run.default_queue": UNSET})
    with pytest.raises(FailedPreconditionError):
        await stale.update_settings.aio({"run.default_queue": "cpu"})
    again = await Settings.get_settings_for_edit.aio(client=calls.client, **scope)
    assert (again.version, again.local_overrides()) == (2, {"run.default_queue": UNSET})
    with pytest.raises(UnimplementedError):
        await ResolvedSettings.get.aio(client=calls.client, **scope)


async def test_levels_are_partial_keys_with_empty_settings(calls: Calls) -> None:
    org = f"org-{calls.project}"
    key = SettingsKey(org=org, domain="d", project="p")
    await calls.unary(
        SettingsService.CREATE_SETTINGS,
        CreateSettingsRequest(key=SettingsKey(org=org, domain="d"), settings=queue("gpu")),
    )
    empty = SettingsMessage()
    assert await levels(calls, key) == [
        SettingsRecord(key=SettingsKey(org=org), settings=empty),
        SettingsRecord(key=SettingsKey(org=org, domain="d"), settings=queue("gpu"), version=1),
        SettingsRecord(key=key, settings=empty),
    ]
    assert all(level.settings is not None for level in await levels(calls, key))
    assert len(await levels(calls, SettingsKey(org=org))) == 1
    assert len(await levels(calls, SettingsKey(org=org, domain="d"))) == 2


async def test_no_organization_is_the_default_one(calls: Calls) -> None:
    domain = f"d-{calls.project}"
    key = SettingsKey(domain=domain)
    reply = await calls.unary(SettingsService.CREATE_SETTINGS, CreateSettingsRequest(key=key, settings=queue("a")))
    assert reply.settingsRecord == SettingsRecord(key=key, settings=queue("a"), version=1)
    named = SettingsKey(org="flyte", domain=domain)
    update = UpdateSettingsRequest(key=named, settings=queue("b"), version=1)
    changed = await calls.unary(SettingsService.UPDATE_SETTINGS, update)
    assert changed.settingsRecord == SettingsRecord(key=named, settings=queue("b"), version=2)
    assert (await levels(calls, key))[1].version == 2
    assert (await levels(calls, SettingsKey(org="other", domain=domain)))[1].version == 0


async def test_codes(calls: Calls) -> None:
    key, settings = SettingsKey(domain=f"e-{calls.project}"), queue("a")
    orphan = SettingsKey(project="p")
    invalid = Status.INVALID_ARGUMENT
    for request in (
        CreateSettingsRequest(key=key),
        CreateSettingsRequest(settings=settings),
        CreateSettingsRequest(key=orphan, settings=settings),
    ):
        await calls.refused(invalid, SettingsService.CREATE_SETTINGS, request)
    for update in (
        UpdateSettingsRequest(key=key, version=1),
        UpdateSettingsRequest(settings=settings, version=1),
        UpdateSettingsRequest(key=orphan, settings=settings, version=1),
        UpdateSettingsRequest(key=key, settings=settings),
    ):
        await calls.refused(invalid, SettingsService.UPDATE_SETTINGS, update)
    for read in (GetSettingsForEditRequest(), GetSettingsForEditRequest(key=orphan)):
        await calls.refused(invalid, SettingsService.GET_SETTINGS_FOR_EDIT, read)
    update = UpdateSettingsRequest(key=key, settings=settings, version=1)
    await calls.refused(Status.NOT_FOUND, SettingsService.UPDATE_SETTINGS, update)
    create = CreateSettingsRequest(key=key, settings=settings)
    await calls.unary(SettingsService.CREATE_SETTINGS, create)
    await calls.refused(Status.ALREADY_EXISTS, SettingsService.CREATE_SETTINGS, create)
    update.version = 2
    await calls.refused(Status.FAILED_PRECONDITION, SettingsService.UPDATE_SETTINGS, update)


async def test_settings_survive_a_restart(tmp_path: Path) -> None:
    key = SettingsKey(domain="development")
    async with running(tmp_path) as calls:
        await calls.unary(SettingsService.CREATE_SETTINGS, CreateSettingsRequest(key=key, settings=queue("gpu")))
    async with running(tmp_path) as calls:
        assert (await levels(calls, key))[1] == SettingsRecord(key=key, settings=queue("gpu"), version=1)
