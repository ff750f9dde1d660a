"""The scope of requests: messages whose fields become parameters, and fields that the client fills in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase

import attrs

from flyte_codegen.configuration.settings import OPTIONAL, ORG, STANDARD_ROLES, Config
from flyte_codegen.configuration.toml import nearest
from flyte_codegen.definitions.field_paths import FieldPath
from flyte_codegen.definitions.model import Api, Field, Label, Message
from flyte_codegen.diagnostics import Diagnostic, error
from flyte_codegen.kinds.code import Attribute, Code, Literal, Name, call
from flyte_codegen.kinds.methods import Param

_SCOPE = Attribute(Name("caller"), "scope")
_SCOPE_OF = Attribute(Name("caller"), "scope_of")


def roles_in(api: Api, config: Config) -> Mapping[str, Mapping[str, str]]:
    """Return the roles of fields by message, for each message that [scope] names, or that a pattern there matches.

    A full name takes precedence over patterns, and the first matching pattern over later ones. [roles] applies to string fields
    only.
    """
    by_field = {field: role for role, fields in config.roles.items() for field in fields}
    return {
        message.full_name: {**_by_name(message, by_field), **found}
        for message in api.messages.values()
        if (found := _of_message(config, message.full_name)) is not None
    }


def check(api: Api, config: Config) -> Iterator[Diagnostic]:
    """Find roles without a field: of fields that no message has, or that are not single strings."""
    strings = {field.name for message in api.messages.values() for field in message.fields if _is_string(field)}
    for role, fields in config.roles.items():
        if fields and not strings.intersection(fields):
            what = f"[roles] {role} names {', '.join(fields)}, but no message has such a field that is a string"
            yield error(config.source.at(("roles", role)), what, nearest(fields[0], strings))
    for pattern, roles in config.scope.items():
        matched = [message for name, message in api.messages.items() if _pattern_of(config, name) == pattern]
        for name in roles:
            where = config.source.at(("scope", pattern, name))
            found = [(message, field) for message in matched if (field := message.field(name))]
            for message, field in found:
                if not _is_string(field):
                    what = f"[scope] gives {message.full_name}.{name} a role, but the field is not a single string"
                    yield error(where, what, "remove the field; only strings are filled in from the scope")
            if not found and matched and pattern not in api.messages:  # a full name is looked up with the other names
                what = f"[scope] gives {name} a role, but no message that matches {pattern} has such a field"
                yield error(where, what, nearest(name, {f.name for m in matched for f in m.fields if _is_string(f)}))


def _pattern_of(config: Config, full_name: str) -> str | None:
    """Return the name in [scope] that decides about a message."""
    if full_name in config.scope:
        return full_name
    return next((pattern for pattern in config.scope if fnmatchcase(full_name, pattern)), None)


def _of_message(config: Config, full_name: str) -> Mapping[str, str] | None:
    pattern = _pattern_of(config, full_name)
    return None if pattern is None else config.scope[pattern]


def _is_string(field: Field) -> bool:
    return field.kind == "string" and field.label in (Label.IMPLICIT, Label.OPTIONAL)


def _by_name(message: Message, by_field: Mapping[str, str]) -> dict[str, str]:
    return {f.name: by_field[f.name] for f in message.fields if _is_string(f) and f.name in by_field}


@attrs.frozen
class Scope:
    """The parts of the client's scope that a method needs: its roles in codegen.toml."""

    roles: frozenset[str]
    order: tuple[str, ...]
    """The parts of the scope that can be parameters, in the order of the signature."""

    @property
    def names(self) -> list[str]:
        """The names of the method's scope parameters, in order."""
        return [name for name in self.order if {name, name + OPTIONAL} & self.roles]

    @property
    def params(self) -> list[Param]:
        """The parameters that override the client's scope."""
        made: list[Param] = []
        for name in self.names:
            optional = "" if name in self.roles else '; "" for none'
            doc = f"{name.capitalize()} id{optional}. Default: the client's."
            made.append(Param(name, Name("str | None"), Literal(None), doc))
        return made

    @property
    def lookup(self) -> Code:
        """The call that finds the scope of a request."""
        demand = tuple(name for name in self.names if name in self.roles)
        by_name: dict[str, Code] = {name: Name(name) for name in self.names}
        if not set(self.names) <= set(STANDARD_ROLES):
            return call(_SCOPE_OF, call("dict", **by_name), demand=Literal(demand))
        whole = self.names == ["project", "domain"]
        given = call(_SCOPE, *by_name.values()) if whole else call(_SCOPE, **by_name)
        return (
            given
            if whole and len(demand) == 2
            else attrs.evolve(given, keywords=(*given.keywords, ("demand", Literal(demand))))
        )


def roles_of_entity(
    api: Api, scope: Mapping[str, Mapping[str, str]], message: str, identity: FieldPath
) -> dict[str, Code]:
    """Return, by role, the value that an entity has itself: in its identity or, beside a plain identity, in its message."""
    own = identity if identity.last.type_name in api.messages else identity.parent
    found: dict[str, Code] = {}
    waiting = [own]
    while waiting:
        path = waiting.pop(0)
        holder = api.messages[path.last.type_name if path else message]
        roles = scope.get(holder.full_name, {})
        for field in holder.fields:
            if role := roles.get(field.name):
                read = call("at_path", Name("self.pb2"), Literal((path / field).python))
                found.setdefault(role.removesuffix(OPTIONAL), read)
                continue
            inner = path.starts_with(identity) and field.type_name in scope and field.label is Label.OPTIONAL
            if inner and not any(above.type_name == field.type_name for above in path.fields):
                waiting.append(path / field)
    return found


def scope_of(config: Config, roles: frozenset[str]) -> Scope:
    """Return the scope of a method that needs `roles`."""
    return Scope(roles, tuple(role for role in config.roles if role != ORG))


def value_of(role: str) -> Code:
    """Return the value of a field with a role. Every client has an organization, possibly empty."""
    name = role.removesuffix(OPTIONAL)
    return Attribute(Name("caller" if role == ORG else "scope"), name)
