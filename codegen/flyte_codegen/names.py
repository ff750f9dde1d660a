"""Python names for protobuf names: one spelling each, and never two protobuf names for one Python name."""

from __future__ import annotations

import builtins
import keyword
import re
from collections.abc import Set

# Names that an annotation in a class body has to find unshadowed.
_ANNOTATION_BUILTINS = frozenset({"bool", "bytes", "dict", "float", "int", "list", "str"})

# Attributes that betterproto2.Message and our own base class give every message, and `self`, which a constructor takes.
_MESSAGE_ATTRIBUTES = frozenset(
    {
        "FromString",
        "SerializeToString",
        "dump",
        "from_dict",
        "from_json",
        "is_set",
        "load",
        "mro",
        "parse",
        "self",
        "to_dict",
        "to_json",
    }
)

RESERVED_IN_MESSAGE = frozenset(keyword.kwlist) | _ANNOTATION_BUILTINS | _MESSAGE_ATTRIBUTES
RESERVED_IN_ENUM = frozenset(keyword.kwlist) | frozenset(
    {"as_integer_ratio", "bit_count", "bit_length", "conjugate", "denominator", "from_bytes", "from_string", "imag"}
    | {"is_integer", "mro", "name", "numerator", "proto_name", "real", "to_bytes", "value"}
)
RESERVED_AS_PARAMETER = frozenset(keyword.kwlist) | {"cls", "self", "client"}
RESERVED_AT_TOP = (
    frozenset(keyword.kwlist)
    | frozenset(dir(builtins))
    | {"CUT", "DecodeError", "Enum", "Message", "Self", "Slots", "TYPE_CHECKING"}
)

_WORD = re.compile(r"[A-Z]+(?=s(?![a-z]))s|[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[A-Z]|\d+")


def escape(name: str, reserved: Set[str]) -> str:
    """`name`, with an underscore more where it is reserved.

    Injective: names that already look escaped get one more, so `class` and `class_` stay apart.
    A leading double underscore would be mangled inside a class, so it is made visible.

    >>> escape("class", RESERVED_IN_MESSAGE), escape("class_", RESERVED_IN_MESSAGE), escape("name", RESERVED_IN_MESSAGE)
    ('class_', 'class__', 'name')
    """
    if name.startswith("_") or re.match(r"x+_", name):
        name = "x" + name
    return f"{name}_" if name.rstrip("_") in reserved else name


def snake(name: str) -> str:
    """CamelCase as snake_case; a plural acronym stays one word, and a digit belongs to the word before it.

    >>> snake("GetActionDataURIs"), snake("ListRuns"), snake("GetOAuth2Metadata")
    ('get_action_data_uris', 'list_runs', 'get_o_auth2_metadata')
    """
    words: list[str] = []
    for word in _WORD.findall(name):
        if word.isdigit() and words:
            words[-1] += word
        else:
            words.append(word.lower())
    return "_".join(words)


def camel(name: str) -> str:
    """snake_case as CamelCase."""
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))


def json_name(field: str) -> str:
    """The JSON name protoc gives a field by default."""
    head, *rest = field.split("_")
    return head + "".join(part[:1].upper() + part[1:] for part in rest)


def member_prefix(enum: str, members: list[str]) -> str:
    """The prefix that all members of an enum share with its name, or "" where stripping it would not leave names.

    >>> member_prefix("ActionPhase", ["ACTION_PHASE_QUEUED", "ACTION_PHASE_RUNNING"])
    'ACTION_PHASE_'
    """
    prefix = snake(enum).upper() + "_"
    if all(m.startswith(prefix) and m[len(prefix) :].isidentifier() for m in members):
        return prefix
    return ""
