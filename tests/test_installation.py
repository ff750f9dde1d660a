"""What users meet first: the version, names of the official SDK, and systems that the devbox does not run on."""

from __future__ import annotations

import importlib
import inspect
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import flyte
from flyte._package.other_names import ADVICE
from flyte_rpc.installation import conflict

_WITHOUT_POSIX = """
import os, sys
from types import SimpleNamespace

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name in ("resource", "fcntl", "termios", "pwd", "grp"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
for name in ("killpg", "fork", "register_at_fork", "setsid", "getpgid"):
    delattr(os, name)

from flyte.remote import Project, Run
import flyte, flyte.devbox, flyte.devbox.pytest
import flyte.devbox.box
flyte.devbox.box.os = SimpleNamespace(name="nt")
try:
    flyte.devbox.start(memory=True)
except flyte.devbox.DevboxError as error:
    print(error)
"""


def test_the_version_is_that_of_the_project() -> None:
    said = subprocess.run(
        [Path(sys.executable).with_name("flyte-codegen"), "--version"], capture_output=True, text=True, check=True
    ).stdout
    assert said == f"flyte-codegen {flyte.__version__}\n"
    changelog = Path(__file__).parents[1].joinpath("CHANGELOG.md").read_text("utf-8")
    assert f"## {flyte.__version__} - 20" in changelog
    project = tomllib.loads(Path(__file__).parents[1].joinpath("pyproject.toml").read_text("utf-8"))["project"]
    assert "version" in project["dynamic"] and "version" not in project


OFFICIAL = {
    *("AMD_GPU", "GPU", "HABANA_GAUDI", "TPU", "AppHandle", "AsyncFunctionTaskTemplate", "Backoff", "BaseCheckpoint"),
    *("Cache", "CachePolicy", "CacheRequest", "Checkpoint", "ConditionWebhook", "Cron", "Device", "DeviceClass"),
    *("Environment", "FixedRate", "Image", "ImageBuild", "Link", "Neuron", "OnArtifact", "PodTemplate", "Resources"),
    *("RetryStrategy", "ReusePolicy", "Secret", "SecretRequest", "TaskEnvironment", "TaskTemplate", "Timeout"),
    *("TimeoutType", "Trigger", "TriggerTime", "TriggeredArtifact", "__version__", "build", "build_images", "ctx"),
    *("current_domain", "current_project", "custom_context", "deploy", "get_custom_context", "group", "init"),
    *("init_from_api_key", "init_from_config", "init_in_cluster", "init_passthrough", "latest_checkpoint"),
    *("load_interactive_ctx", "load_plugin_config", "logger", "map", "new_condition", "rerun", "run"),
    *("run_python_script", "serve", "system_logger", "trace", "version", "with_runcontext", "with_servecontext"),
}
"""Public names of the official SDK's `flyte`."""


def test_names_of_the_official_sdk_say_what_to_write() -> None:
    with pytest.raises(AttributeError, match=r"no attribute 'storage': File and Dir of flyte\.types"):
        flyte.storage.exists("x")  # type: ignore[attr-defined]
    assert not hasattr(flyte, "TaskEnvironment")
    assert not {*ADVICE} & {*flyte.__all__}, "these names exist"
    assert {*ADVICE} >= OFFICIAL - {*flyte.__all__}, "names of the official SDK that say nothing"


def test_a_devbox_without_posix_is_a_clear_error() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _WITHOUT_POSIX], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("the devbox needs POSIX process groups")


def test_a_folder_of_one_distribution_is_no_conflict(tmp_path: Path) -> None:
    assert conflict("p", str(tmp_path), whole=True, marker="theirs.py", ours="a", theirs="b") is None
    (tmp_path / "theirs.py").touch()
    found = conflict("p", str(tmp_path), whole=True, marker="theirs.py", ours="a", theirs="b")
    assert found is not None and "pip uninstall --yes b a\n" in found


def _attributes(owner: object) -> set[str]:
    """The attributes that a docstring describes and that only instances have."""
    return set(re.findall(r"^ {4}(\w+): ", inspect.getdoc(owner) or "", re.MULTILINE))


def test_the_names_of_the_official_sdk_that_we_claim_to_have() -> None:
    table = tomllib.loads(Path(__file__).with_name("official_names.toml").read_text("utf-8"))
    assert len(table["same"]) > 60 and all(table["lacking"].values())
    missing: list[str] = []
    for path, members in table["same"].items():
        module, _, name = path.rpartition(".")
        owner = getattr(importlib.import_module(module), name, None)
        if owner is None:
            missing.append(path)
            continue
        fields = {field.name for field in getattr(owner, "__attrs_attrs__", ())} | _attributes(owner)
        missing += [f"{path}.{member}" for member in members if not hasattr(owner, member) and member not in fields]
    assert missing == []
