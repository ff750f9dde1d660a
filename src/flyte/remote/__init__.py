"""Entities of a control plane: projects, tasks, runs, actions and others. Names are imported on first use."""

from importlib import import_module
from typing import TYPE_CHECKING

from flyte_rpc.lazy import lazy_exports

if TYPE_CHECKING:
    from flyte_rpc.calls.metadata import auth_metadata

    from ._action import Action
    from ._common import TimeFilter
    from ._docker_config import docker_config, docker_config_from_file
    from ._domain import Domain
    from ._project import Project
    from ._run import Run
    from ._secret import Secret, SecretTypes
    from ._task import LazyEntity, Task, TaskVersion
    from ._upload import upload_dir, upload_file
    from ._user import AuthMetadata, PublicClient, User
    from .apps.app import App
    from .apps.definition import AppSpec
    from .artifacts.artifact import Artifact
    from .artifacts.group import ArtifactGroup
    from .artifacts.partition_schema import PartitionSchema
    from .logs.line import LogLine
    from .runs.action_details import ActionDetails
    from .runs.condition import Condition
    from .runs.downloads.code_bundle import CodeBundle
    from .runs.downloads.links import DataUris, DownloadLinks
    from .runs.run_details import RunDetails
    from .runs.tracked import TrackedAction, TrackedActionDetails, TrackedRun, TrackedRunDetails
    from .runs.values.inputs_outputs import ActionInputs, ActionOutputs
    from .settings.settings import UNSET, EffectiveSetting, LocalSetting, ResolvedSettings, SettingOrigin, Settings
    from .tasks.details import TaskDetails
    from .triggers.details import TriggerDetails, TriggerRevision
    from .triggers.trigger import Trigger


__all__ = [
    "UNSET",
    "Action",
    "ActionDetails",
    "ActionInputs",
    "ActionOutputs",
    "App",
    "AppSpec",
    "Artifact",
    "ArtifactGroup",
    "AuthMetadata",
    "CodeBundle",
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
    "SecretTypes",
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
    "docker_config",
    "docker_config_from_file",
    "upload_dir",
    "upload_file",
]

import_module("flyte._client")  # so that calls without client= use the client of flyte.init

__getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "._action": ("Action",),
        "._common": ("TimeFilter",),
        "._domain": ("Domain",),
        "._project": ("Project",),
        "._run": ("Run",),
        "._docker_config": ("docker_config", "docker_config_from_file"),
        "._secret": ("Secret", "SecretTypes"),
        "._task": ("LazyEntity", "Task", "TaskVersion"),
        "._upload": ("upload_dir", "upload_file"),
        "._user": ("AuthMetadata", "PublicClient", "User"),
        ".apps.app": ("App",),
        ".apps.definition": ("AppSpec",),
        ".logs.line": ("LogLine",),
        ".artifacts.artifact": ("Artifact",),
        ".artifacts.group": ("ArtifactGroup",),
        ".artifacts.partition_schema": ("PartitionSchema",),
        ".runs.action_details": ("ActionDetails",),
        ".runs.condition": ("Condition",),
        ".runs.downloads.code_bundle": ("CodeBundle",),
        ".runs.values.inputs_outputs": ("ActionInputs", "ActionOutputs"),
        ".runs.downloads.links": ("DataUris", "DownloadLinks"),
        ".runs.run_details": ("RunDetails",),
        ".runs.tracked": ("TrackedAction", "TrackedActionDetails", "TrackedRun", "TrackedRunDetails"),
        ".settings.settings": (
            "EffectiveSetting",
            "LocalSetting",
            "ResolvedSettings",
            "SettingOrigin",
            "Settings",
            "UNSET",
        ),
        ".tasks.details": ("TaskDetails",),
        ".triggers.details": ("TriggerDetails", "TriggerRevision"),
        ".triggers.trigger": ("Trigger",),
        "flyte_rpc.calls.metadata": ("auth_metadata",),
    },
)
