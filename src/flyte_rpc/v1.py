"""The names that generated code may import: a versioned contract.

Generated modules import only this module of the runtime. A change that would break existing generated modules goes
into a new module beside it, so that SDKs generated with an older release keep working.

Names for messages are imported at once. Names for calls are imported on first use by a service or entity, because the
process of a task reads and writes messages but may not need a client.
"""

from typing import TYPE_CHECKING, Self

from .codec.deprecation import deprecated_field
from .codec.fields import enum_field, enum_list, map_field, optional_enum, scalar_list, sub, sub_list
from .codec.message import Enum, Message
from .codec.structs import ListValueMixin, StructMixin, ValueMixin
from .codec.well_known import AnyMixin, DurationMixin, FieldMaskMixin, TimestampMixin, WrapperMixin
from .codec.wire import (
    CUT,
    NO_FIELD,
    DecodeError,
    Slots,
    again,
    choose,
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
from .lazy import lazy_exports, resolve

if TYPE_CHECKING:
    from .arguments import as_duration, as_struct, as_timestamp
    from .arguments import several as as_list
    from .arguments import text as as_text
    from .calls.call_path import unary
    from .calls.client import Client
    from .calls.registry import ClientRegistry
    from .calls.rpc import Cardinality, Effect, Rpc, deprecated_rpc
    from .calls.service_client import ServiceClient
    from .codec.paths import Reads, at_path, moment_path, path
    from .entities.entity import Entity
    from .entities.filters import (
        Several,
        SortBy,
        SortedBy,
        TimeFilter,
        any_of,
        as_filters,
        as_sort,
        as_sorts,
        beginning,
        containing,
        equal,
        equal_bool,
        having,
        having_labels,
        labelled,
        meeting_all,
        within,
    )
    from .entities.listing import listing
    from .entities.pager import Pager
    from .entities.results import as_is, existing_reply, paged, replies, streamed, watched
    from .entities.stream import Stream
    from .entities.watch import Watch
    from .errors import NotFoundError
    from .serving.service import ServerCall, ServiceBase, unimplemented
    from .sync.decorators import blocking, fetching, streaming


__all__ = [
    "CUT",
    "NO_FIELD",
    "AnyMixin",
    "Cardinality",
    "Client",
    "ClientRegistry",
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
    "ServiceClient",
    "Several",
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
    "as_sort",
    "as_sorts",
    "as_struct",
    "as_text",
    "as_timestamp",
    "at_path",
    "beginning",
    "blocking",
    "choose",
    "containing",
    "deprecated_field",
    "deprecated_rpc",
    "double",
    "entries",
    "enum_field",
    "enum_list",
    "equal",
    "equal_bool",
    "existing_reply",
    "fetching",
    "float32",
    "having",
    "having_labels",
    "head",
    "labelled",
    "lazy_exports",
    "listing",
    "low32",
    "map_field",
    "meeting_all",
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
    "replies",
    "resolve",
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
    "watched",
    "within",
    "written",
    "zigzag",
    "zigzag32",
]

__getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "flyte_rpc.arguments": ("as_duration", "as_struct", "as_timestamp", "several=as_list", "text=as_text"),
        "flyte_rpc.calls.call_path": ("unary",),
        "flyte_rpc.calls.client": ("Client",),
        "flyte_rpc.calls.registry": ("ClientRegistry",),
        "flyte_rpc.calls.rpc": ("Cardinality", "Effect", "Rpc", "deprecated_rpc"),
        "flyte_rpc.calls.service_client": ("ServiceClient",),
        "flyte_rpc.codec.paths": ("Reads", "at_path", "moment_path", "path"),
        "flyte_rpc.entities.entity": ("Entity",),
        "flyte_rpc.entities.results": ("as_is", "existing_reply", "paged", "replies", "streamed", "watched"),
        "flyte_rpc.entities.filters": (
            "Several",
            "SortBy",
            "SortedBy",
            "TimeFilter",
            "any_of",
            "as_filters",
            "as_sort",
            "as_sorts",
            "beginning",
            "containing",
            "equal",
            "equal_bool",
            "having",
            "having_labels",
            "labelled",
            "meeting_all",
            "within",
        ),
        "flyte_rpc.entities.listing": ("listing",),
        "flyte_rpc.entities.pager": ("Pager",),
        "flyte_rpc.entities.stream": ("Stream",),
        "flyte_rpc.entities.watch": ("Watch",),
        "flyte_rpc.errors": ("NotFoundError",),
        "flyte_rpc.serving.service": ("ServerCall", "ServiceBase", "unimplemented"),
        "flyte_rpc.sync.decorators": ("blocking", "fetching", "streaming"),
    },
)
