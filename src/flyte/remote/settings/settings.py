"""Settings of organizations, domains and projects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from datetime import timedelta
from typing import Any, Self

from flyte._client import resolve_client
from flyte_api.clients.flyteidl2.settings.settings_service import SettingsServiceClient
from flyte_api.entities.resolved_settings import ResolvedSettingsBase
from flyte_api.entities.settings import SettingsBase
from flyte_api.messages.flyteidl2.settings.settings_definition import ScopeLevel, SettingsKey, SettingState
from flyte_api.messages.flyteidl2.settings.settings_definition import Settings as SettingsMessage
from flyte_api.messages.flyteidl2.settings.settings_service import (
    CreateSettingsRequest,
    GetSettingsForEditRequest,
    SettingsRecord,
    UpdateSettingsRequest,
)
from flyte_rpc.calls.client import Client
from flyte_rpc.calls.options import within_timeout
from flyte_rpc.sync.decorators import blocking, fetching
from flyte_rpc.typeguards import is_mapping

from .values import UNSET, EffectiveSetting, LocalSetting, SettingOrigin, SettingValue, Unset, leaf_of, leaves, values

__all__ = ["UNSET", "EffectiveSetting", "LocalSetting", "ResolvedSettings", "SettingOrigin", "Settings", "Unset"]

_STATES = (SettingState.INHERIT, SettingState.UNSET, SettingState.VALUE)


class Settings(SettingsBase):
    """The settings of an organization, a domain or a project, including inherited ones.

    A project inherits from its domain, and a domain from its organization. Only the arguments select the scope; the
    client's project and domain are ignored.
    """

    @fetching
    @classmethod
    @within_timeout
    async def get_settings_for_edit(
        cls,
        project: str | None = None,
        domain: str | None = None,
        *,
        timeout: float | timedelta | None = None,
        client: Client | None = None,
    ) -> Self:
        """Fetch the settings of a scope, and of the scopes above it.

        Args:
            project: Project; requires `domain`. Default: the domain's own settings.
            domain: Domain. Default: the settings of the client's organization.
            timeout: Maximum seconds for the call, retries included, or a timedelta. Default: the client's.
            client: The client for the calls. Default: the current one.

        Returns:
            The settings; empty for a scope without settings.

        Raises:
            ValueError: A project without domain, or an empty name; nothing was sent.
            RpcError: The call failed; the subclass says how.

        Calls `SettingsService.GetSettingsForEdit`.
        """
        caller = resolve_client(client)
        key = _key(caller, project, domain)
        reply = await SettingsServiceClient(caller).get_settings_for_edit.aio(GetSettingsForEditRequest(key=key))
        # Updates must go to the requested scope, even if the server does not return it.
        reply.requestedKey = key
        return cls(reply, caller)

    @property
    def domain(self) -> str | None:
        """The domain of the scope; None for the organization."""
        return self._scope.domain

    @property
    def project(self) -> str | None:
        """The project of the scope; None for a domain and for the organization."""
        return self._scope.project

    @property
    def version(self) -> int:
        """The version of the scope's settings, from 1; 0 if nothing was ever set."""
        own = self._own
        return 0 if own is None else own.version

    @property
    def local_settings(self) -> list[LocalSetting]:
        """The settings that this scope sets itself."""
        own = self._own
        return [] if own is None else [LocalSetting(leaf.key, value) for leaf, value in values(own.settings)]

    @property
    def effective_settings(self) -> list[EffectiveSetting]:
        """The effective settings: its own and inherited ones. Entries of maps are merged."""
        return list(self._layered(*self.pb2.levels))

    @property
    def inherited_settings(self) -> list[EffectiveSetting]:
        """The settings inherited from the scopes above."""
        own = self._own
        return list(self._layered(*(level for level in self.pb2.levels if level is not own)))

    @staticmethod
    def available_keys() -> list[str]:
        """The keys of all settings, such as "run.default_queue"."""
        return list(leaves())

    def local_overrides(self) -> dict[str, SettingValue]:
        """The values that this scope sets itself, by key, as `update_settings` takes them."""
        return {setting.key: setting.value for setting in self.local_settings}

    def effective_values(self) -> dict[str, SettingValue]:
        """The effective values, by key."""
        return {setting.key: setting.value for setting in self.effective_settings}

    def scope_description(self) -> str:
        """The scope, such as `PROJECT(production/flytesnacks)`."""
        return str(self._scope)

    @blocking
    @within_timeout
    async def update_settings(
        self, overrides: Mapping[str, Any], *, timeout: float | timedelta | None = None
    ) -> Settings:
        """Replace the settings of this scope. Settings that are not in `overrides` are inherited afterwards.

        To change one setting, pass all: `settings.update_settings({**settings.local_overrides(), "run.default_queue":
        "gpu"})`. Settings that only newer servers know stay unchanged.

        Args:
            overrides: Values by key. `UNSET` removes an inherited value.
            timeout: Maximum seconds for the call, retries included, or a timedelta. Default: the client's.

        Returns:
            These settings, updated.

        Raises:
            ValueError: The setting does not exist; nothing was sent.
            TypeError: A value has the wrong type for its setting; nothing was sent.
            FailedPreconditionError: The settings have changed since they were fetched. Fetch them again.
            AlreadyExistsError: The same, if the scope had no settings before.
            RpcError: The call failed; the subclass says how.

        Calls `SettingsService.CreateSettings` for the first settings of a scope, else `UpdateSettings`.
        """
        own = self._own
        wanted = _changed(None if own is None else own.settings, overrides)
        service, key = SettingsServiceClient(self.client), self.pb2.requestedKey
        if self.version:
            update = UpdateSettingsRequest(key=key, settings=wanted, version=self.version)
            record = (await service.update_settings.aio(update)).settingsRecord
        else:
            record = (await service.create_settings.aio(CreateSettingsRequest(key=key, settings=wanted))).settingsRecord
        stored = record or SettingsRecord(version=self.version + 1)
        now = SettingsRecord(key=self.pb2.requestedKey, settings=stored.settings or wanted, version=stored.version)
        self.pb2.levels = [*(level for level in self.pb2.levels if level is not own), now]
        return self

    def to_yaml(self) -> str:
        """Return the settings as YAML to edit. Inherited and further available settings are comments.

        `parse_yaml` converts it to the argument of `update_settings`. `~unset` stands for `UNSET`.
        """
        from .yaml_format import to_yaml

        return to_yaml(self.scope_description(), self.local_overrides(), self.inherited_settings)

    def to_yaml_sections(self) -> list[tuple[str, str]]:
        """Return titles and texts of the non-empty sections of `to_yaml`."""
        from .yaml_format import sections

        return sections(self.local_overrides(), self.inherited_settings)

    @staticmethod
    def parse_yaml(yaml_content: str) -> dict[str, Any]:
        """Parse the output of `to_yaml`, edited or not.

        Args:
            yaml_content: YAML with settings by key.

        Returns:
            The argument of `update_settings`, which checks keys and values.

        Raises:
            ValueError: The text is not YAML, or not a mapping.
        """
        from .yaml_format import parse

        return parse(yaml_content)

    @property
    def _scope(self) -> SettingOrigin:
        return SettingOrigin.of(self.pb2.requestedKey)

    @property
    def _own(self) -> SettingsRecord | None:
        """Return the record of the scope itself. A server may omit it; the last record may be another scope's."""
        scope = self._scope
        return next((level for level in self.pb2.levels if SettingOrigin.of(level.key) == scope), None)

    def _layered(self, *levels: SettingsRecord) -> Iterator[EffectiveSetting]:
        found: dict[str, EffectiveSetting] = {}
        for level in levels:
            origin = SettingOrigin.of(level.key)
            for leaf, value in values(level.settings):
                above = found.get(leaf.key)
                if isinstance(value, dict):
                    inherited = above.value if above is not None and isinstance(above.value, dict) else {}
                    entries = {**(above.entries if inherited and above else {}), **dict.fromkeys(value, origin)}
                    found[leaf.key] = EffectiveSetting(leaf.key, {**inherited, **value}, origin, entries)
                else:
                    found[leaf.key] = EffectiveSetting(leaf.key, value, origin)
        for key in leaves():
            if key in found:
                yield found[key]

    _REPR = ("scope=scope_description", "version", "local=local_overrides")


class ResolvedSettings(ResolvedSettingsBase):
    """The effective settings of a scope, as computed by the server."""

    @fetching
    @classmethod
    @within_timeout
    async def get(
        cls,
        project: str | None = None,
        domain: str | None = None,
        *,
        timeout: float | timedelta | None = None,
        client: Client | None = None,
    ) -> Self:
        """Fetch the effective settings of a scope.

        Args:
            project: Project; requires `domain`. Default: none.
            domain: Domain. Default: the client's organization.
            timeout: Maximum seconds for the call, retries included, or a timedelta. Default: the client's.
            client: The client for the calls. Default: the current one.

        Raises:
            ValueError: A project without domain, or an empty name; nothing was sent.
            UnimplementedError: The server does not compute them; use `Settings.get_settings_for_edit`.
            RpcError: The call failed; the subclass says how.

        Calls `SettingsService.GetSettings`.
        """
        caller = resolve_client(client)
        key = _key(caller, project, domain)
        found = await cls._get.aio(key, client=caller)
        found.pb2.key = found.pb2.key or key
        return found

    @property
    def version(self) -> int:
        """The version."""
        return self.pb2.version

    @property
    def effective_settings(self) -> list[EffectiveSetting]:
        """The effective settings, each with its origin."""
        key = self.pb2.key or SettingsKey()
        scopes = {
            ScopeLevel.ORG: SettingOrigin("ORG"),
            ScopeLevel.DOMAIN: SettingOrigin("DOMAIN", key.domain),
            ScopeLevel.PROJECT: SettingOrigin("PROJECT", key.domain, key.project),
        }
        settings = self.pb2.settings
        found: list[EffectiveSetting] = []
        for leaf, value in values(settings):
            level = leaf.find(settings or SettingsMessage()).scope_level
            found.append(EffectiveSetting(leaf.key, value, scopes.get(level, SettingOrigin(f"unknown({int(level)})"))))
        return found

    def effective_values(self) -> dict[str, SettingValue]:
        """The effective values, by key."""
        return {setting.key: setting.value for setting in self.effective_settings}

    _REPR = ("scope=_origin!s", "values=effective_values")

    @property
    def _origin(self) -> SettingOrigin:
        return SettingOrigin.of(self.pb2.key)


def _key(client: Client, project: str | None, domain: str | None) -> SettingsKey:
    for name, value in (("project", project), ("domain", domain)):
        if value == "":
            raise ValueError(f"{name} must not be empty; omit it for the scope above")
    if project is not None and domain is None:
        raise ValueError(f"project {project!r} has separate settings in each domain; pass domain=")
    return SettingsKey(org=client.org, domain=domain or "", project=project or "")


def _changed(before: SettingsMessage | None, overrides: Mapping[str, Any]) -> SettingsMessage:
    """Return settings with these values. Unchanged and unknown settings keep their messages."""
    if not is_mapping(overrides):
        raise TypeError(f"update_settings takes a mapping of keys to values, not {type(overrides).__name__}")
    made = deepcopy(before) if before is not None else SettingsMessage()
    wanted = {leaf_of(key): value for key, value in overrides.items()}
    for leaf in leaves().values():
        present = leaf.find(made)
        if leaf in wanted:
            message = leaf.write(wanted[leaf])
            if present is None or leaf.read(present) != leaf.read(message):
                leaf.put(made, message)
        elif present is not None and present.state in _STATES:
            leaf.put(made, None)
    return made
