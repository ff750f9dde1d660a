"""The tables of codegen.toml: a class for each, with its keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from flyte_codegen.kinds.filters import FilterParam
from flyte_codegen.kinds.keys import (
    CLASS,
    FLAG,
    MAPPING,
    MODULE,
    NAME,
    NAMES_BY_PATH,
    NUMBER,
    PAGES,
    PATHS,
    TEXT,
    TEXTS,
    key,
)
from flyte_codegen.kinds.methods import METHOD_KINDS

ON = ("class", "instance")


@attrs.frozen(kw_only=True)
class Input:
    """The definitions. Paths start at the folder of codegen.toml."""

    protos: tuple[str, ...] = key(TEXTS, "Folders with the definitions to generate from.", default=("protos",))
    include: tuple[str, ...] = key(
        TEXTS, "Folders to look up imports in; only imported files are compiled. `@flyte`: Flyte's definitions."
    )


@attrs.frozen(kw_only=True)
class Output:
    """The generated package."""

    package: str = key(MODULE, "The package to generate.", default="generated_api")
    path: str = key(
        TEXT,
        "The folder to write. `generate` deletes outdated files of earlier runs, but refuses a folder with edited files or files "
        "that the generator did not write; `--force` overwrites or deletes these. Default: `generated/PACKAGE`.",
    )
    runtime: str = key(MODULE, "The runtime that generated code imports.", default="flyte_rpc.v1")
    templates: tuple[str, ...] = key(TEXTS, "Folders whose templates replace built-in ones of the same name.")
    overlay: str = key(MODULE, "The module with the public class of each entity, unless the entity sets `overlay`.")


@attrs.frozen(kw_only=True)
class Effects:
    """The effects of calls that the definitions do not declare, as lists of RPCs or patterns such as `pkg.Service.Get*`."""

    read: tuple[str, ...] = key(TEXTS, "RPCs that change nothing, so that calls are safe to retry.")
    idempotent: tuple[str, ...] = key(TEXTS, "RPCs that change something, but are safe to retry with the same request.")


@attrs.frozen(kw_only=True)
class Listing:
    """The messages that list requests share."""

    request: str = key(TEXT, "The message with page, filters and sort order.", required=True)
    filter: str = key(TEXT, "The message of one filter: `function`, `field` and `values`.", required=True)
    sort: str = key(TEXT, "The message of one sort order: `key` and `direction`.", required=True)
    filters_field: str = key(TEXT, "The field of the request with the filters.", required=True)
    sort_field: str = key(TEXT, "The field of the request with the sort orders.", required=True)


@attrs.frozen(kw_only=True)
class Rule:
    """A rule for a field of requests, checked before a call."""

    required: bool = key(FLAG, "Whether the field must be set.")
    min_len: int = key(NUMBER, "The minimum length of a string.")
    max_len: int = key(NUMBER, "The maximum length of a string; 0 for no maximum.")


@attrs.frozen(kw_only=True)
class MethodConfig:
    """One method of an entity. The name of its table is the RPC, or the method where `rpc` is set."""

    table: str = ""
    """The name of its table."""
    rpc: str = key(TEXT, "The RPC: a method of the entity's service, or a full name. Default: the name of the table.")
    name: str = key(
        NAME,
        "The name of the method. Default: the name of the table if `rpc` is set, else `listall`, `get`, `watch`, or the first "
        "word of the RPC.",
    )
    kind: str = key(
        TEXT,
        "The kind of method. It overrides the kind that the definitions suggest, and is required if they suggest none.",
        among=lambda: METHOD_KINDS,
    )
    items: str = key(TEXT, "The path of the result, or of the list of items, in the reply.")
    returns: str = key(TEXT, "The entity that the method returns. Default: its own, except for calls.")
    doc: str = key(TEXT, "The docstring. Default: the comment of the RPC.")
    params: Mapping[str, str] = key(NAMES_BY_PATH, "Names of parameters, by the path of their field in the request.")
    filters: tuple[str, ...] = key(TEXTS, "The names of the filters that a list takes.")
    omit: tuple[str, ...] = key(TEXTS, "Paths of request fields that do not become parameters and stay unset.")
    positional: tuple[str, ...] = key(
        TEXTS, "Optional parameters that may be passed by position, in this order after the required ones."
    )
    pages: Mapping[str, str] | None = key(
        PAGES, "The paths of `token`, `next` and `size` of a list with pages; {} for a list without."
    )
    sort: str = key(TEXT, "The default sort order, such as `-created_at`.")
    sort_keys: str = key(TEXT, "The type of `sort_by`, from [sort_keys].")
    on: str = key(TEXT, "Whether the method belongs to the class or to instances.", among=lambda: ON)
    raw: bool = key(FLAG, "Whether a list or watch yields messages and not entities.")
    final: str = key(NAME, "A method of the overlay that returns whether an item ends the watch.")
    fetch: str = key(
        NAME, "A method of the overlay that fetches the current item if a watch yields nothing for 30 seconds."
    )
    made_by: str = key(NAME, "A class method of the overlay that creates an entity from an item of a watch.")
    bounded_by: str = key(
        NAME, "A parameter, such as an end date. If a caller passes it, the watch ends when the server ends the stream."
    )
    missing_ok: bool = key(FLAG, "Whether a call returns False, and does not raise, if the resource does not exist.")

    @property
    def settled(self) -> tuple[str, ...]:
        """The paths of the request that `omit` or `params` names."""
        return (*self.omit, *self.params)


@attrs.frozen(kw_only=True)
class EntityConfig:
    """An entity: a message with an identity, and the methods around it."""

    name: str
    like: str = key(
        TEXT, "An entity with the same message, identity and properties; methods of the same name take its settings."
    )
    message: str = key(TEXT, "The message. Default: the one with the entity's name in the package of its service.")
    service: str = key(TEXT, "The service whose RPCs its methods name.")
    identity: str = key(TEXT, "The path of the identity in the message.", default="id")
    doc: str = key(TEXT, "The docstring. Default: the comment of the message.")
    overlay: str = key(
        CLASS, "The public class. Default: the class of this name in [output] overlay, else the generated one."
    )
    summary_of: str = key(
        TEXT, "The details message of the same resource. A function builds the message from the fields that both share."
    )
    properties: Mapping[str, str] = key(
        PATHS, "Properties. In a list, a path is named by its last part; tables in the list set other names."
    )
    methods: tuple[MethodConfig, ...] = ()

    def full_name(self, method: MethodConfig) -> str:
        """Return the full name of a method's RPC. The entity's service is the default prefix."""
        return method.rpc if "." in method.rpc else f"{self.service}.{method.rpc}"


@attrs.frozen
class Section:
    """A table at the top of codegen.toml. `of` is a class with keys, or the type of all its values."""

    name: str
    doc: str
    of: Any
    each: str = ""
    """The placeholder for the names of the tables in it; empty if it has keys of its own."""


SECTIONS = (
    Section("input", Input.__doc__ or "", Input),
    Section("output", Output.__doc__ or "", Output),
    Section("extern", "Packages of definitions that another installed package provides, by prefix.", MAPPING),
    Section("effects", Effects.__doc__ or "", Effects),
    Section(
        "exclude", "RPCs, or patterns, that clients do not need, each with the reason that `report` shows.", MAPPING
    ),
    Section("roles", "The parts of a client's scope, each with the names of the fields that it fills in.", TEXTS),
    Section(
        "scope",
        "Messages, or patterns of messages, whose fields become parameters or are filled in from the client's scope. Each has "
        "a table of roles by field, which adds to [roles] or overrides it; a role that ends with `?` may be empty.",
        MAPPING,
        "MESSAGE",
    ),
    Section("listing", Listing.__doc__ or "", Listing),
    Section("rules", "Rules for fields, by full name. They override the rules of the definitions.", Rule, "FIELD"),
    Section("sort_keys", "Types of `sort_by`, each with the keys that the server sorts by.", TEXTS),
    Section("filters", "Parameters of lists that restrict the items.", FilterParam, "NAME"),
    Section("entities", "Entities, each with a table of its methods.", EntityConfig, "NAME"),
)
"""All tables of codegen.toml."""
