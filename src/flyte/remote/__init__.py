"""What is on a control plane: projects, tasks, runs, actions, and all else. Each name is imported when it is first used."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from flyte import _client as _client  # so that calls without client= use flyte.init and its messages

if TYPE_CHECKING:
    from flyte_rpc.calls.metadata import auth_metadata

    from ._action import Action
    from ._common import TimeFilter
    from ._domain import Domain
    from ._project import Project
    from ._run import Run, RunDetails
    from ._secret import Secret
    from ._task import LazyEntity, Task, TaskVersion
    from ._upload import upload_dir, upload_file
    from ._user import AuthMetadata, PublicClient, User
    from .apps.app import App
    from .apps.logs import LogLine
    from .artifacts.artifact import Artifact
    from .artifacts.group import ArtifactGroup
    from .artifacts.partition_schema import PartitionSchema
    from .runs.action_details import ActionDetails
    from .runs.condition import Condition
    from .runs.inputs_outputs import ActionInputs, ActionOutputs
    from .runs.links import DataUris, DownloadLinks
    from .runs.tracked import TrackedAction, TrackedActionDetails, TrackedRun, TrackedRunDetails
    from .settings.settings import UNSET, EffectiveSetting, LocalSetting, ResolvedSettings, SettingOrigin, Settings
    from .tasks.details import TaskDetails
    from .triggers.details import TriggerDetails, TriggerRevision
    from .triggers.trigger import Trigger

_MODULES = {
    "Action": "flyte.remote._action",
    "ActionDetails": "flyte.remote.runs.action_details",
    "ActionInputs": "flyte.remote.runs.inputs_outputs",
    "ActionOutputs": "flyte.remote.runs.inputs_outputs",
    "App": "flyte.remote.apps.app",
    "Artifact": "flyte.remote.artifacts.artifact",
    "ArtifactGroup": "flyte.remote.artifacts.group",
    "AuthMetadata": "flyte.remote._user",
    "Condition": "flyte.remote.runs.condition",
    "DataUris": "flyte.remote.runs.links",
    "Domain": "flyte.remote._domain",
    "DownloadLinks": "flyte.remote.runs.links",
    "EffectiveSetting": "flyte.remote.settings.settings",
    "LazyEntity": "flyte.remote._task",
    "LocalSetting": "flyte.remote.settings.settings",
    "LogLine": "flyte.remote.apps.logs",
    "PartitionSchema": "flyte.remote.artifacts.partition_schema",
    "Project": "flyte.remote._project",
    "PublicClient": "flyte.remote._user",
    "ResolvedSettings": "flyte.remote.settings.settings",
    "Run": "flyte.remote._run",
    "RunDetails": "flyte.remote._run",
    "Secret": "flyte.remote._secret",
    "SettingOrigin": "flyte.remote.settings.settings",
    "Settings": "flyte.remote.settings.settings",
    "Task": "flyte.remote._task",
    "TaskDetails": "flyte.remote.tasks.details",
    "TaskVersion": "flyte.remote._task",
    "TimeFilter": "flyte.remote._common",
    "TrackedAction": "flyte.remote.runs.tracked",
    "TrackedActionDetails": "flyte.remote.runs.tracked",
    "TrackedRun": "flyte.remote.runs.tracked",
    "TrackedRunDetails": "flyte.remote.runs.tracked",
    "Trigger": "flyte.remote.triggers.trigger",
    "TriggerDetails": "flyte.remote.triggers.details",
    "TriggerRevision": "flyte.remote.triggers.details",
    "UNSET": "flyte.remote.settings.settings",
    "User": "flyte.remote._user",
    "auth_metadata": "flyte_rpc.calls.metadata",
    "upload_dir": "flyte.remote._upload",
    "upload_file": "flyte.remote._upload",
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
    value = getattr(import_module(_MODULES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
