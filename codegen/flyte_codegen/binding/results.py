"""The results of methods: entities, replies, or fields of replies."""

from __future__ import annotations

from flyte_codegen.configuration.settings import MethodConfig
from flyte_codegen.definitions.model import Api, Method
from flyte_codegen.python import types as python_types
from flyte_codegen.python.type_names import TypeNames

from .classify import Kind, Shape
from .paging import field_at

CONTAINERS = {Kind.LIST: "Pager", Kind.WATCH: "Watch", Kind.STREAM: "Stream"}
"""The containers that methods with several results return."""


def makes_entity(shape: Shape, config: MethodConfig) -> bool:
    """Whether a method returns entities."""
    if config.raw or shape.kind is Kind.STREAM:
        return False
    return shape.kind is not Kind.CALL or bool(config.returns)


def answer(api: Api, types: TypeNames, rpc: Method, shape: Shape, config: MethodConfig) -> str:
    """Return the annotation of a result that is not an entity: the reply, a field of it, or None if it is empty."""
    if config.missing_ok:
        return "bool"
    reply = api.messages[rpc.response]
    if not shape.items:
        return types.name(rpc.response) if reply.fields or shape.kind is not Kind.CALL else "None"
    field = field_at(api, reply, shape.items)
    assert field is not None  # classify raises for a nonexistent path
    return python_types.whole(field, types) if shape.kind is Kind.CALL else python_types.single(field, types)


def decorator(kind: Kind, returns: str) -> str:
    """Return the decorator that makes a method blocking; it depends on whether the result is the class called on."""
    if kind in CONTAINERS:
        return "listing" if kind is Kind.LIST and returns == "Self" else "streaming"
    return "fetching" if returns == "Self" else "blocking"


def default_name(rpc: Method, kind: Kind) -> str:
    """Return the default name of a method."""
    named = {Kind.LIST: "listall", Kind.GET: "get", Kind.WATCH: "watch"}
    if kind is Kind.STREAM and rpc.name.startswith("List"):
        return "listall"
    return named.get(kind) or rpc.py_name.split("_")[0]
