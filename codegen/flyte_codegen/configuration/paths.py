"""Translate paths in codegen.toml from protobuf field names to the Python names in generated code."""

from __future__ import annotations

import attrs

from flyte_codegen.definitions.model import Api

from .settings import Config, EntityConfig, MethodConfig


def python_path(api: Api, message: str, path: str) -> str:
    """Return the Python names along a path. Unknown parts are kept; looking up the path reports them."""
    parts: list[str] = []
    for name in path.split("."):
        fields = api.messages[message].fields if message in api.messages else ()
        # Protobuf names first: `class` and `class_` become `class_` and `class__` in Python.
        field = next((f for f in fields if f.name == name), next((f for f in fields if f.py_name == name), None))
        parts.append(field.py_name if field else name)
        message = field.type_name if field else ""
    return ".".join(parts)


def resolved(api: Api, config: Config) -> Config:
    """Return the configuration with all entity and reply paths in Python names."""
    replies = {m.full_name: m.response for s in api.services() for m in s.methods}

    def method(entity: EntityConfig, made: MethodConfig) -> MethodConfig:
        reply = replies.get(entity.full_name(made), "")
        return attrs.evolve(made, items=python_path(api, reply, made.items))

    def entity(made: EntityConfig) -> EntityConfig:
        return attrs.evolve(
            made,
            identity=python_path(api, made.message, made.identity),
            properties={name: python_path(api, made.message, path) for name, path in made.properties.items()},
            methods=tuple(method(made, m) for m in made.methods),
        )

    return attrs.evolve(config, entities=tuple(map(entity, config.entities)))
