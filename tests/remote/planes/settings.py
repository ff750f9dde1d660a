"""SettingsService: settings with versions."""

from __future__ import annotations

from flyte_api.messages.flyteidl2.settings.settings_definition import Settings, SettingsKey
from flyte_api.messages.flyteidl2.settings.settings_service import (
    CreateSettingsRequest,
    CreateSettingsResponse,
    GetSettingsForEditRequest,
    GetSettingsForEditResponse,
    GetSettingsRequest,
    GetSettingsResponse,
    SettingsRecord,
    UpdateSettingsRequest,
    UpdateSettingsResponse,
)
from flyte_api.services.flyteidl2.settings.settings_service import SettingsServiceBase
from flyte_rpc.serving.server import ServerCall, Status, abort


class Book(SettingsServiceBase):
    """Keeps settings as the open-source server does; `sparse` leaves out the levels that have none."""

    def __init__(self, *, sparse: bool = False) -> None:
        self.records: dict[tuple[str, str], SettingsRecord] = {}
        self.sparse = sparse
        self.resolved: SettingsRecord | None = None
        self.keys: list[SettingsKey | None] = []

    def put(self, settings: Settings, domain: str = "", project: str = "") -> None:
        """Change a setting of a scope, as another user."""
        key = SettingsKey(domain=domain, project=project)
        before = self.records.get((domain, project))
        version = 1 if before is None else before.version + 1
        self.records[domain, project] = SettingsRecord(key=key, settings=settings, version=version)

    async def get_settings_for_edit(
        self, request: GetSettingsForEditRequest, call: ServerCall
    ) -> GetSettingsForEditResponse:
        key = _required(request.key)
        self.keys.append(key)
        scopes = dict.fromkeys([("", ""), (key.domain, ""), (key.domain, key.project)])
        levels = [
            self.records.get(
                scope, SettingsRecord(key=SettingsKey(domain=scope[0], project=scope[1]), settings=Settings())
            )
            for scope in scopes
            if scope in self.records or not self.sparse
        ]
        return GetSettingsForEditResponse(requestedKey=None if self.sparse else key, levels=levels)

    async def get_settings(self, request: GetSettingsRequest, call: ServerCall) -> GetSettingsResponse:
        _required(request.key)
        if self.resolved is None:
            abort(Status.UNIMPLEMENTED, "GetSettings is not implemented")
        return GetSettingsResponse(settingsRecord=self.resolved)

    async def create_settings(self, request: CreateSettingsRequest, call: ServerCall) -> CreateSettingsResponse:
        key = _required(request.key)
        if (key.domain, key.project) in self.records:
            abort(Status.ALREADY_EXISTS, "there are settings already")
        self.put(request.settings or Settings(), key.domain, key.project)
        return CreateSettingsResponse(settingsRecord=self.records[key.domain, key.project])

    async def update_settings(self, request: UpdateSettingsRequest, call: ServerCall) -> UpdateSettingsResponse:
        key = _required(request.key)
        if self.records[key.domain, key.project].version != request.version:
            abort(Status.FAILED_PRECONDITION, "the settings have changed")
        self.put(request.settings or Settings(), key.domain, key.project)
        return UpdateSettingsResponse(settingsRecord=None if self.sparse else self.records[key.domain, key.project])


def _required(key: SettingsKey | None) -> SettingsKey:
    if key is None:
        abort(Status.INVALID_ARGUMENT, "key is required")
    return key
