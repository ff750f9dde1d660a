"""The names that generated code may import: a contract with a version.

Generated modules import nothing of ours but this module. A change that would break modules generated earlier goes
into a new module beside it, so that SDKs generated on an older release keep working.

What messages need is imported at once. What calls need is imported when a service or entity asks for it: the process of a
task reads and writes messages, and should not have to load a client for that.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Self

from .deprecation import deprecated_field, deprecated_rpc
from .fields import enum_field, enum_list, map_field, optional_enum, scalar_list, sub, sub_list
from .lazy import resolve
from .message import Enum, Message
from .structs import ListValueMixin, StructMixin, ValueMixin
from .wellknown import AnyMixin, DurationMixin, FieldMaskMixin, TimestampMixin, WrapperMixin
from .wire import (
    CUT,
    DecodeError,
    Slots,
    again,
    double,
    entries,
    float32,
    head,
    low32,
    packed,
    packed_fixed,
    put_bool,
    put_bytes,
    put_double,
    put_enum,
    put_fixed32,
    put_fixed64,
    put_float,
    put_int32,
    put_int64,
    put_message,
    put_sfixed32,
    put_sfixed64,
    put_sint32,
    put_sint64,
    put_string,
    put_uint32,
    put_uint64,
    signed,
    signed32,
    signed64,
    unknown,
    unsigned,
    written,
    zigzag,
    zigzag32,
)

if TYPE_CHECKING:
    from flyte.errors import NotFoundError
    from flyte.syncify import blocking, fetching, listing, streaming

    from .arguments import as_duration, as_struct, as_timestamp
    from .arguments import several as as_list
    from .arguments import text as as_text
    from .call import unary
    from .client import Client, resolve_client
    from .entity import Entity, as_is, paged, streamed, walk, watched
    from .filters import (
        SortBy,
        SortedBy,
        TimeFilter,
        any_of,
        as_filters,
        as_sorts,
        beginning,
        containing,
        equal,
        having,
        within,
    )
    from .pager import Pager
    from .paths import Reads, moment_path, path
    from .rpc import Cardinality, Effect, Rpc
    from .service import ServerCall, ServiceBase, unimplemented
    from .stream import Stream
    from .watch import Watch

_MODULES = {
    "NotFoundError": "flyte.errors",
    "blocking": "flyte.syncify",
    "fetching": "flyte.syncify",
    "listing": "flyte.syncify",
    "streaming": "flyte.syncify",
    "unary": "flyte.runtime.call",
    "Client": "flyte.runtime.client",
    "resolve_client": "flyte.runtime.client",
    "Entity": "flyte.runtime.entity",
    "as_duration": "flyte.runtime.arguments",
    "as_is": "flyte.runtime.entity",
    "as_list": "flyte.runtime.arguments:several",
    "as_struct": "flyte.runtime.arguments",
    "as_text": "flyte.runtime.arguments:text",
    "as_timestamp": "flyte.runtime.arguments",
    "paged": "flyte.runtime.entity",
    "streamed": "flyte.runtime.entity",
    "walk": "flyte.runtime.entity",
    "watched": "flyte.runtime.entity",
    "SortBy": "flyte.runtime.filters",
    "SortedBy": "flyte.runtime.filters",
    "Stream": "flyte.runtime.stream",
    "TimeFilter": "flyte.runtime.filters",
    "any_of": "flyte.runtime.filters",
    "as_filters": "flyte.runtime.filters",
    "as_sorts": "flyte.runtime.filters",
    "beginning": "flyte.runtime.filters",
    "containing": "flyte.runtime.filters",
    "equal": "flyte.runtime.filters",
    "having": "flyte.runtime.filters",
    "within": "flyte.runtime.filters",
    "Pager": "flyte.runtime.pager",
    "Reads": "flyte.runtime.paths",
    "moment_path": "flyte.runtime.paths",
    "path": "flyte.runtime.paths",
    "Cardinality": "flyte.runtime.rpc",
    "Effect": "flyte.runtime.rpc",
    "Rpc": "flyte.runtime.rpc",
    "ServerCall": "flyte.runtime.service",
    "ServiceBase": "flyte.runtime.service",
    "unimplemented": "flyte.runtime.service",
    "Watch": "flyte.runtime.watch",
}

__all__ = [
    "CUT",
    "AnyMixin",
    "Cardinality",
    "Client",
    "DecodeError",
    "DurationMixin",
    "Effect",
    "Entity",
    "Enum",
    "FieldMaskMixin",
    "ListValueMixin",
    "Message",
    "NotFoundError",
    "Pager",
    "Reads",
    "Rpc",
    "Self",
    "ServerCall",
    "ServiceBase",
    "Slots",
    "SortBy",
    "SortedBy",
    "Stream",
    "StructMixin",
    "TimeFilter",
    "TimestampMixin",
    "ValueMixin",
    "Watch",
    "WrapperMixin",
    "again",
    "any_of",
    "as_duration",
    "as_filters",
    "as_is",
    "as_list",
    "as_sorts",
    "as_struct",
    "as_text",
    "as_timestamp",
    "beginning",
    "blocking",
    "containing",
    "deprecated_field",
    "deprecated_rpc",
    "double",
    "entries",
    "enum_field",
    "enum_list",
    "equal",
    "fetching",
    "float32",
    "having",
    "head",
    "listing",
    "low32",
    "map_field",
    "moment_path",
    "optional_enum",
    "packed",
    "packed_fixed",
    "paged",
    "path",
    "put_bool",
    "put_bytes",
    "put_double",
    "put_enum",
    "put_fixed32",
    "put_fixed64",
    "put_float",
    "put_int32",
    "put_int64",
    "put_message",
    "put_sfixed32",
    "put_sfixed64",
    "put_sint32",
    "put_sint64",
    "put_string",
    "put_uint32",
    "put_uint64",
    "resolve",
    "resolve_client",
    "scalar_list",
    "signed",
    "signed32",
    "signed64",
    "streamed",
    "streaming",
    "sub",
    "sub_list",
    "unary",
    "unimplemented",
    "unknown",
    "unsigned",
    "walk",
    "watched",
    "within",
    "written",
    "zigzag",
    "zigzag32",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, inner = _MODULES[name].partition(":")
    value = getattr(import_module(module), inner or name)
    globals()[name] = value
    return value
