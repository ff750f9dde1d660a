"""SettingsService. Like the real backend, the devbox stores settings and does not apply them to runs."""

from __future__ import annotations

from typing import NamedTuple

from flyte.devbox.store.database import Database
from flyte_api.messages.flyteidl2.settings.settings_definition import Settings, SettingsKey
from flyte_api.messages.flyteidl2.settings.settings_service import (
    CreateSettingsRequest,
    CreateSettingsResponse,
    GetSettingsForEditRequest,
    GetSettingsForEditResponse,
    SettingsRecord,
    UpdateSettingsRequest,
    UpdateSettingsResponse,
)
from flyte_api.services.flyteidl2.settings.settings_service import SettingsServiceBase
from flyte_rpc.serving.server import ServerCall, Status, abort

_DEFAULT_ORG = "flyte"


class _Scope(NamedTuple):
    """The primary key of the table."""

    org: str
    domain: str
    project: str

    @classmethod
    def of(cls, key: SettingsKey) -> _Scope:
        return cls(key.org or _DEFAULT_ORG, key.domain, key.project)

    def __str__(self) -> str:
        return "/".join(part for part in self if part)


class SettingsService(SettingsServiceBase):
    """Settings with versions, for an organization, its domains and their projects. GetSettings is UNIMPLEMENTED."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get_settings_for_edit(
        self, request: GetSettingsForEditRequest, call: ServerCall
    ) -> GetSettingsForEditResponse:
        """Return the settings of a scope and of the scopes around it, the broadest first."""
        key = _checked(request.key)
        keys = [SettingsKey(org=key.org)]
        if key.domain:
            keys.append(SettingsKey(org=key.org, domain=key.domain))
        if key.project:
            keys.append(key)
        return GetSettingsForEditResponse(requestedKey=key, levels=[self._record(level) for level in keys])

    async def create_settings(self, request: CreateSettingsRequest, call: ServerCall) -> CreateSettingsResponse:
        """Store the first settings of a scope."""
        key, settings = _required(request.key, request.settings)
        scope = _Scope.of(key)
        sql = "INSERT INTO settings (org, domain, project, settings, version) VALUES (?, ?, ?, ?, 1) ON CONFLICT DO NOTHING"
        if not self._database.execute(sql, (*scope, bytes(settings))):
            abort(Status.ALREADY_EXISTS, f"settings already exist: {scope}")
        return CreateSettingsResponse(settingsRecord=self._record(key))

    async def update_settings(self, request: UpdateSettingsRequest, call: ServerCall) -> UpdateSettingsResponse:
        """Replace all settings of a scope, if nobody has changed them since the given version."""
        key, settings = _required(request.key, request.settings)
        if not request.version:
            abort(Status.INVALID_ARGUMENT, "version is required")
        scope = _Scope.of(key)
        current = self._record(key).version
        if not current:
            abort(Status.NOT_FOUND, f"settings not found: {scope}")
        if current != request.version:
            message = f"the settings of {scope} are at version {current}, not {request.version}; read them again"
            abort(Status.FAILED_PRECONDITION, message)
        sql = "UPDATE settings SET settings = ?, version = version + 1 WHERE org = ? AND domain = ? AND project = ?"
        self._database.execute(sql, (bytes(settings), *scope))
        return UpdateSettingsResponse(settingsRecord=self._record(key))

    def _record(self, key: SettingsKey) -> SettingsRecord:
        row = self._database.row(
            "SELECT settings, version FROM settings WHERE org = ? AND domain = ? AND project = ?", _Scope.of(key)
        )
        if row is None:
            return SettingsRecord(key=key, settings=Settings())
        return SettingsRecord(key=key, settings=Settings.parse(row["settings"]), version=row["version"])


def _required(key: SettingsKey | None, settings: Settings | None) -> tuple[SettingsKey, Settings]:
    if key is None or settings is None:
        abort(Status.INVALID_ARGUMENT, "key and settings are required")
    return _checked(key), settings


def _checked(key: SettingsKey | None) -> SettingsKey:
    if key is None:
        abort(Status.INVALID_ARGUMENT, "key is required")
    if key.project and not key.domain:
        abort(Status.INVALID_ARGUMENT, "domain is required when project is set")
    return key
