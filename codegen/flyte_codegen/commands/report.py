"""`flyte-codegen report`: list the methods that call each RPC, or the reason why none does."""

from __future__ import annotations

import json
from collections.abc import Iterable
from fnmatch import fnmatchcase

import attrs

from flyte_codegen.configuration.settings import Config
from flyte_codegen.definitions.model import Method, Service
from flyte_codegen.definitions.operations import OPERATION
from flyte_codegen.pipeline import link, read_api
from flyte_codegen.python.clients import class_name, method_name
from flyte_codegen.python.type_names import Naming

from .callers import callers
from .names import ForeignName

_STREAMS = "the client streams, which entity methods do not support"
_INTERNAL = "a service for calls between servers, judging by its name"


@attrs.frozen
class Reach:
    """The methods and modules that call one RPC, or the reason why none does."""

    rpc: str
    methods: tuple[str, ...]
    excluded: str
    operation: bool = False
    """Whether it starts a long-running operation, which continues after the method returns."""
    call: str = ""
    """The method of the client class, which every RPC has unless the client streams."""
    callers: tuple[str, ...] = ()
    """Hand-written modules that call it."""

    @property
    def decided(self) -> bool:
        """Whether something calls the RPC, or a reason explains why nothing does."""
        return bool(self.methods or self.excluded or self.callers)

    @property
    def missing(self) -> tuple[str, str]:
        """What an RPC without a decision lacks, and what to add to codegen.toml."""
        name = self.rpc.rpartition(".")[2]
        what = f"{self.rpc} has no entity method, no call elsewhere and no reason in [exclude]"
        return what, f'add a table [entities.NAME.methods.{name}], or "{self.rpc}" = "the reason" to [exclude]'

    def __str__(self) -> str:
        missing = f"only {self.call}" if self.call else "not reachable"
        if self.excluded:
            missing = f"excluded: {self.excluded}"
        elif self.callers:
            missing = f"called in {', '.join(self.callers)}"
        mark = f" (long-running: replies with {OPERATION})" if self.operation else ""
        return f"{self.rpc} -> {', '.join(self.methods) or missing}{mark}"


def report(config: Config) -> list[Reach]:
    """Return the reach of every RPC of the generated services, sorted by name.

    Raises:
        CodegenError: The definitions or codegen.toml do not give a client.
    """
    api = read_api(config)
    naming = Naming(api, config.package, config.extern)
    called = callers(config, api.services())
    methods: dict[str, list[str]] = {}
    for entity in link(config, api):
        for method in entity.methods:
            methods.setdefault(method.full_name, []).append(f"{entity.name}.{method.name}")
    found = [
        Reach(
            rpc.full_name,
            tuple(methods.get(rpc.full_name, ())),
            reason(config, service, rpc),
            bool(rpc.operation),
            f"{class_name(service)}.{name}" if (name := method_name(rpc)) else "",
            called[rpc.full_name],
        )
        for file in api.files
        if not naming.is_extern(file)
        for service in file.services
        for rpc in service.methods
    ]
    return sorted((attrs.evolve(r, excluded="") if r.methods else r for r in found), key=lambda reach: reach.rpc)


def as_json(reaches: Iterable[Reach], names: Iterable[ForeignName] = ()) -> str:
    """Format as a JSON list of objects with `rpc`, `methods`, `call`, `callers`, `excluded` (a reason or null) and `long_running`.

    Names of another SDK follow, as objects with `name` and `lacking` (a reason or null).
    """
    data: list[dict[str, object]] = [
        {
            "rpc": r.rpc,
            "methods": r.methods,
            "call": r.call or None,
            "callers": r.callers,
            "excluded": r.excluded or None,
            "long_running": r.operation,
        }
        for r in reaches
    ]
    others: list[dict[str, object]] = [{"name": each.name, "lacking": each.reason or None} for each in names]
    return json.dumps(data + others, indent=1)


def summary(reaches: Iterable[Reach]) -> str:
    """Count the RPCs with entity methods, with calls elsewhere, with a reason, in client classes only, and with none of these."""
    kinds = ("with entity methods", "called elsewhere", "excluded", "in client classes only", "not reachable")
    counts: dict[str, int] = dict.fromkeys(kinds, 0)
    for reach in reaches:
        found = (reach.methods, not reach.excluded and reach.callers, reach.excluded, reach.call, True)
        counts[next(kind for kind, there in zip(kinds, found, strict=True) if there)] += 1
    return f"{sum(counts.values())} RPCs: " + ", ".join(f"{count} {what}" for what, count in counts.items())


def reason(config: Config, service: Service, rpc: Method) -> str:
    """Return why an RPC has no method, or "". A reason in codegen.toml wins over a built-in one."""
    for pattern, why in config.exclude.items():
        if fnmatchcase(rpc.full_name, pattern):
            return why
    if rpc.client_streaming:
        return _STREAMS
    return _INTERNAL if service.full_name.rpartition(".")[2].startswith("Internal") else ""
