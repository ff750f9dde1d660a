"""What is on a control plane: projects, tasks, runs, actions, and all else. Each name is imported when it is first used."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flyte.runtime.metadata import auth_metadata

    from ._action import Action
    from ._action_details import ActionDetails
    from ._app import App
    from ._app_logs import LogLine
    from ._artifact import Artifact
    from ._artifact_group import ArtifactGroup
    from ._common import TimeFilter
    from ._condition import Condition
    from ._domain import Domain
    from ._io import ActionInputs, ActionOutputs
    from ._links import DataUris, DownloadLinks
    from ._partition_schema import PartitionSchema
    from ._project import Project
    from ._run import Run, RunDetails
    from ._secret import Secret
    from ._settings import UNSET, EffectiveSetting, LocalSetting, ResolvedSettings, SettingOrigin, Settings
    from ._task import LazyEntity, Task, TaskVersion
    from ._task_details import TaskDetails
    from ._tracked import TrackedAction, TrackedActionDetails, TrackedRun, TrackedRunDetails
    from ._trigger import Trigger
    from ._trigger_details import TriggerDetails, TriggerRevision
    from ._upload import upload_dir, upload_file
    from ._user import AuthMetadata, PublicClient, User

_MODULES = {
    "Action": "_action",
    "ActionDetails": "_action_details",
    "ActionInputs": "_io",
    "ActionOutputs": "_io",
    "App": "_app",
    "Artifact": "_artifact",
    "ArtifactGroup": "_artifact_group",
    "AuthMetadata": "_user",
    "Condition": "_condition",
    "DataUris": "_links",
    "Domain": "_domain",
    "DownloadLinks": "_links",
    "EffectiveSetting": "_settings",
    "LazyEntity": "_task",
    "LocalSetting": "_settings",
    "LogLine": "_app_logs",
    "PartitionSchema": "_partition_schema",
    "Project": "_project",
    "PublicClient": "_user",
    "ResolvedSettings": "_settings",
    "Run": "_run",
    "RunDetails": "_run",
    "Secret": "_secret",
    "SettingOrigin": "_settings",
    "Settings": "_settings",
    "Task": "_task",
    "TaskDetails": "_task_details",
    "TaskVersion": "_task",
    "TimeFilter": "_common",
    "TrackedAction": "_tracked",
    "TrackedActionDetails": "_tracked",
    "TrackedRun": "_tracked",
    "TrackedRunDetails": "_tracked",
    "Trigger": "_trigger",
    "TriggerDetails": "_trigger_details",
    "TriggerRevision": "_trigger_details",
    "UNSET": "_settings",
    "User": "_user",
    "auth_metadata": ".runtime.metadata",
    "upload_dir": "_upload",
    "upload_file": "_upload",
}

__all__ = [
    "UNSET",
    "Action",
    "ActionDetails",
    "ActionInputs",
    "ActionOutputs",
    "App",
    "Artifact",
    "ArtifactGroup",
    "AuthMetadata",
    "Condition",
    "DataUris",
    "Domain",
    "DownloadLinks",
    "EffectiveSetting",
    "LazyEntity",
    "LocalSetting",
    "LogLine",
    "PartitionSchema",
    "Project",
    "PublicClient",
    "ResolvedSettings",
    "Run",
    "RunDetails",
    "Secret",
    "SettingOrigin",
    "Settings",
    "Task",
    "TaskDetails",
    "TaskVersion",
    "TimeFilter",
    "TrackedAction",
    "TrackedActionDetails",
    "TrackedRun",
    "TrackedRunDetails",
    "Trigger",
    "TriggerDetails",
    "TriggerRevision",
    "User",
    "auth_metadata",
    "upload_dir",
    "upload_file",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_MODULES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
