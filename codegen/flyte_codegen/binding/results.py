"""What methods give back: entities, replies, or what lies in replies."""

from __future__ import annotations

from flyte_codegen.configuration.settings import MethodConfig
from flyte_codegen.definitions.model import Api, Method
from flyte_codegen.python import types as python_types
from flyte_codegen.python.type_names import TypeNames

from .classify import Kind, Shape, field_at

CONTAINERS = {Kind.LIST: "Pager", Kind.WATCH: "Watch", Kind.STREAM: "Stream"}
"""What holds the items of methods that give several."""


def makes_entity(shape: Shape, config: MethodConfig) -> bool:
    """Whether a method makes entities of what it receives."""
    if config.raw or shape.kind is Kind.STREAM:
        return False
    return shape.kind is not Kind.CALL or bool(config.returns)


def answer(api: Api, types: TypeNames, rpc: Method, shape: Shape, config: MethodConfig) -> str:
    """The annotation of what there is without an entity: the reply, if there is anything in it, or what lies in it."""
    if config.missing_ok:
        return "bool"
    reply = api.messages[rpc.response]
    if not shape.items:
        return types.name(rpc.response) if reply.fields or shape.kind is not Kind.CALL else "None"
    field = field_at(api, reply, shape.items)
    assert field is not None  # classify has found it, or refused it
    return python_types.whole(field, types) if shape.kind is Kind.CALL else python_types.single(field, types)


def decorator(kind: Kind, returns: str) -> str:
    """What makes a method blocking. Its result is fixed unless it is of the class that the method is called on."""
    if kind in CONTAINERS:
        return "listing" if kind is Kind.LIST and returns == "Self" else "streaming"
    return "fetching" if returns == "Self" else "blocking"


def default_name(rpc: Method, kind: Kind) -> str:
    """What a method is called that codegen.toml gives no name."""
    named = {Kind.LIST: "listall", Kind.GET: "get", Kind.WATCH: "watch"}
    return named.get(kind) or rpc.py_name.split("_")[0]
