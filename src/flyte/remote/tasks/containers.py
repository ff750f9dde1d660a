"""The container of a task, whether defined directly or in a pod: its environment and resources."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from flyte_api.messages.flyteidl2.core.literals import KeyValuePair
from flyte_api.messages.flyteidl2.core.tasks import (
    Container,
    K8sPod,
    Resources,
    ResourcesResourceEntry,
    ResourcesResourceName,
    TaskTemplate,
)
from flyte_api.messages.google.protobuf.struct import Struct

Quantities = Mapping[ResourcesResourceName, str]

_POD_NAMES = {
    ResourcesResourceName.CPU: "cpu",
    ResourcesResourceName.MEMORY: "memory",
    ResourcesResourceName.GPU: "gpu",
    ResourcesResourceName.STORAGE: "storage",
    ResourcesResourceName.EPHEMERAL_STORAGE: "ephemeral-storage",
}


class ContainerView(Protocol):
    """The readable and changeable parts of a container. Changes apply to its template."""

    def env(self) -> dict[str, str]:
        """The environment variables."""
        ...

    def set_env(self, values: Mapping[str, str]) -> None:
        """Replace the environment variables."""
        ...

    def resources(self) -> tuple[list[ResourcesResourceEntry], list[ResourcesResourceEntry]]:
        """Requests and limits."""
        ...

    def set_resources(self, requests: Quantities, limits: Quantities) -> None:
        """Replace requests and limits."""
        ...


def container_of(template: TaskTemplate) -> ContainerView | None:
    """Return the container that runs the task's code; None if there is none, or if it is ambiguous."""
    if template.container is not None:
        return _Plain(template.container)
    if template.k8s_pod is not None and template.k8s_pod.pod_spec is not None:
        return _InPod.find(template.k8s_pod, template.config.get("primary_container_name", ""))
    return None


def quantities(entries: list[ResourcesResourceEntry]) -> dict[ResourcesResourceName, str]:
    """Convert entries to a mapping."""
    return {entry.name: entry.value for entry in entries}


def _entries(values: Quantities) -> list[ResourcesResourceEntry]:
    return [ResourcesResourceEntry(name=name, value=value) for name, value in sorted(values.items())]


class _Plain:
    def __init__(self, container: Container) -> None:
        self.container = container

    def env(self) -> dict[str, str]:
        return {pair.key: pair.value for pair in self.container.env}

    def set_env(self, values: Mapping[str, str]) -> None:
        self.container.env = [KeyValuePair(key=k, value=v) for k, v in values.items()]

    def resources(self) -> tuple[list[ResourcesResourceEntry], list[ResourcesResourceEntry]]:
        found = self.container.resources
        return ([], []) if found is None else (list(found.requests), list(found.limits))

    def set_resources(self, requests: Quantities, limits: Quantities) -> None:
        self.container.resources = Resources(requests=_entries(requests), limits=_entries(limits))


class _InPod:
    """A container in a pod spec, which is JSON."""

    def __init__(self, pod: K8sPod, spec: dict[str, Any], container: dict[str, Any]) -> None:
        self.pod, self.spec, self.container = pod, spec, container

    @classmethod
    def find(cls, pod: K8sPod, primary: str) -> _InPod | None:
        if pod.pod_spec is None:
            return None
        spec = pod.pod_spec.to_python()
        containers: list[dict[str, Any]] = spec.get("containers", [])
        name = pod.primary_container_name or primary
        if name:
            containers = [c for c in containers if c.get("name") == name]
        return cls(pod, spec, containers[0]) if len(containers) == 1 else None

    def _store(self) -> None:
        self.pod.pod_spec = Struct.of(self.spec)

    def env(self) -> dict[str, str]:
        # Variables from other sources, such as a secret, have no value here.
        return {e["name"]: e["value"] for e in self.container.get("env", []) if "value" in e}

    def set_env(self, values: Mapping[str, str]) -> None:
        elsewhere = [e for e in self.container.get("env", []) if "value" not in e and e.get("name") not in values]
        self.container["env"] = [*elsewhere, *({"name": k, "value": v} for k, v in values.items())]
        self._store()

    def resources(self) -> tuple[list[ResourcesResourceEntry], list[ResourcesResourceEntry]]:
        found: dict[str, Any] = self.container.get("resources", {})
        requests, limits = (_from_pod(found.get(part, {})) for part in ("requests", "limits"))
        return requests, limits

    def set_resources(self, requests: Quantities, limits: Quantities) -> None:
        known: dict[str, Any] = self.container.setdefault("resources", {})
        for part, values in (("requests", requests), ("limits", limits)):
            # Resources that Flyte has no name for, such as vendor devices, stay unchanged.
            others = {k: v for k, v in known.get(part, {}).items() if k not in _POD_NAMES.values()}
            known[part] = {**others, **{_POD_NAMES[name]: value for name, value in values.items()}}
        self._store()


def _from_pod(values: Mapping[str, Any]) -> list[ResourcesResourceEntry]:
    names = {text: name for name, text in _POD_NAMES.items()}
    return _entries({names[k]: str(v) for k, v in values.items() if k in names})
