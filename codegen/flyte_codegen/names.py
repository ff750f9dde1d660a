"""Python names for protobuf names. Two protobuf names in one scope never get the same Python name."""

from __future__ import annotations

import keyword
import re
from collections.abc import Set

from .kinds.filters import FILTER_KINDS


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_KEYWORDS = frozenset(keyword.kwlist)

# The names that generated modules of each kind import from the runtime; the formatter removes unused imports.
MESSAGE_RUNTIME = _words("""
    CUT DecodeError Enum Message NO_FIELD Slots
    AnyMixin DurationMixin FieldMaskMixin ListValueMixin StructMixin TimestampMixin ValueMixin WrapperMixin
    again choose deprecated_field double entries enum_field enum_list float32 head low32 map_field optional_enum packed
    packed_fixed
    put_bool put_bytes put_double put_enum put_fixed32 put_fixed64 put_float put_int32 put_int64 put_message put_sfixed32
    put_sfixed64 put_sint32 put_sint64 put_string put_uint32 put_uint64 scalar_list signed signed32 signed64 sub sub_list
    unknown unsigned written zigzag zigzag32
    """)
LARGE_MODULE_RUNTIME = _words("lazy_exports")
SERVICE_RUNTIME = _words("Cardinality Effect Rpc ServerCall ServiceBase unimplemented")
CLIENT_RUNTIME = _words("ServiceClient Stream blocking deprecated_rpc replies streaming unary")
REGISTRY_RUNTIME = _words("ClientRegistry")
ENTITY_RUNTIME = _words("""
    Client Entity NotFoundError Pager Reads Self Several SortBy SortedBy Stream TimeFilter Watch as_duration as_filters as_is
    as_list as_sort as_sorts as_struct as_text as_timestamp at_path blocking deprecated_rpc existing_reply fetching listing
    meeting_all moment_path paged path resolve streamed streaming unary watched
    """) | {name for kind in FILTER_KINDS.values() for name in kind.runtime}

# All names that these modules import. Other names in the modules must differ.
_EVERYWHERE = frozenset({"TYPE_CHECKING", "annotations"})
MESSAGE_MODULE = MESSAGE_RUNTIME | _EVERYWHERE
SERVICE_MODULE = SERVICE_RUNTIME | _EVERYWHERE | {"AsyncIterator", "Final"}
CLIENT_MODULE = CLIENT_RUNTIME | _EVERYWHERE | _words("registry timedelta")
ENTITY_MODULE = (
    ENTITY_RUNTIME | _EVERYWHERE | _words("Any ClassVar Collection Literal Mapping cast datetime registry timedelta")
)

# Names that a message class uses after its fields: in annotations, as decorators, to define more fields.
_IN_CLASS_BODY = _words("""
    bool bytearray bytes deprecated_field dict enum_field enum_list float int list map_field optional_enum scalar_list
    staticmethod str sub sub_list
    """)

# Attributes of betterproto2.Message and of our base class, and `self`, which constructors take.
_MESSAGE_ATTRIBUTES = _words("""
    FIELDS FULL_NAME FromString SerializeToString Slots dump from_dict from_json is_set load mro parse present self
    set_fields specs to_dict to_json
    """)

# Names that entity methods use in their bodies. Names used only in decorators or annotations are not included.
_IN_METHODS = _words("caller client cls dict iter next reply request scope self type")
AROUND_METHODS = _words("blocking datetime fetching listing moment_path path streaming timedelta")

RESERVED_IN_MESSAGE = _KEYWORDS | _IN_CLASS_BODY | _MESSAGE_ATTRIBUTES
RESERVED_IN_ENUM = _KEYWORDS | _words("""
    as_integer_ratio betterproto_renamed_proto_names_to_value betterproto_value_to_renamed_proto_names bit_count
    bit_length conjugate denominator from_bytes from_string imag is_integer mro name numerator proto_name real to_bytes
    value
    """)
RESERVED_IN_ENTITY = (
    _KEYWORDS
    | _words("blocking classmethod client datetime fetching listing pb2 property streaming timedelta to_dict to_json")
    | _words("bool bytes dict float int list object str tuple type")
    | _words("_IDENTITY _KEY _MESSAGE _REPR _client _identity _key _label _of _registry")
    | frozenset(name for name in ENTITY_MODULE if not name.islower())
)
RESERVED_IN_CLIENT = _KEYWORDS | _words("blocking client deprecated_rpc registry streaming")
RESERVED_IN_SERVICE = _KEYWORDS | _words("RPCS bool bytes dict float int list str tuple type")
RESERVED_AS_PARAMETER = (_KEYWORDS | _IN_METHODS | ENTITY_MODULE) - AROUND_METHODS
RESERVED_AS_MODULE = _KEYWORDS
RESERVED_AS_MESSAGE = (
    _KEYWORDS | MESSAGE_MODULE | _words("bool bytearray bytes dict float int len list map staticmethod str")
)
RESERVED_AS_SERVICE = (
    _KEYWORDS
    | SERVICE_MODULE
    | CLIENT_MODULE
    | {name for name in ENTITY_MODULE if not name.islower()}
    # The classes for servers and clients of a service have its name with a suffix.
    | {name.removesuffix("Base") for name in SERVICE_RUNTIME if name.endswith("Base")}
    | {name.removesuffix("Client") for name in CLIENT_RUNTIME if name.endswith("Client")}
)

_WORD = re.compile(r"[A-Z]+(?=s(?![a-z]))s|[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[A-Z]|\d+")


def escape(name: str, reserved: Set[str]) -> str:
    """Append an underscore to `name` if it is reserved.

    Injective: names that already look escaped get another underscore, so `class` and `class_` stay different.
    Names with a leading underscore would be private or mangled, so they get an `x` in front.

    >>> escape("class", RESERVED_IN_MESSAGE), escape("class_", RESERVED_IN_MESSAGE), escape("name", RESERVED_IN_MESSAGE)
    ('class_', 'class__', 'name')
    """
    if name.startswith("_") or re.match(r"x+_", name):
        name = "x" + name
    return f"{name}_" if name.rstrip("_") in reserved else name


def snake(name: str) -> str:
    """Convert CamelCase to snake_case. Plural acronyms stay one word; digits belong to the word before them.

    >>> snake("GetActionDataURIs"), snake("ListRuns"), snake("GetOAuth2Metadata")
    ('get_action_data_uris', 'list_runs', 'get_o_auth2_metadata')
    """
    words: list[str] = []
    for word in _WORD.findall(name):
        if word.isdigit() and words:
            words[-1] += word
        else:
            words.append(word.lower())
    return "_".join(words) or name


def rpc_name(name: str) -> str:
    """Convert the name of an RPC to snake_case. A leading underscore stays, for `escape`: `Client` and `_Client` differ."""
    return f"_{snake(name)}" if name.startswith("_") else snake(name)


def begins_with(name: str, verb: str) -> bool:
    """Whether the first word of a CamelCase name is `verb`.

    >>> begins_with("ListRuns", "List"), begins_with("List", "List"), begins_with("Listen", "List")
    (True, True, False)
    """
    return name.startswith(verb) and not name[len(verb) :][:1].islower()


def json_name(field: str) -> str:
    """Return protoc's default JSON name of a field."""
    head, *rest = field.split("_")
    return head + "".join(part[:1].upper() + part[1:] for part in rest)


def module(dotted: str) -> str:
    """Convert a dotted path to an importable module path. Not injective: file names allow more characters.

    >>> module("my-api.v1.import")
    'my_api.v1.import_'
    """
    parts = (re.sub(r"\W", "_", part, flags=re.ASCII) for part in dotted.split("."))
    return ".".join(escape(f"n{part}" if part[:1].isdigit() else part, RESERVED_AS_MODULE) for part in parts)


def member_prefix(enum: str, members: list[str]) -> str:
    """Return the prefix that all members share with their enum, or "" if stripping it would leave invalid names.

    >>> member_prefix("ActionPhase", ["ACTION_PHASE_QUEUED", "ACTION_PHASE_RUNNING"])
    'ACTION_PHASE_'
    """
    prefix = snake(enum).upper() + "_"
    if all(m.startswith(prefix) and m[len(prefix) :].isidentifier() for m in members):
        return prefix
    return ""
