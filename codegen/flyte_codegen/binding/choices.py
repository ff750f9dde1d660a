"""The types of parameters that take members of an enum by name."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from flyte_codegen.configuration.settings import Config
from flyte_codegen.definitions.model import Api
from flyte_codegen.kinds.filters import FilterParam


@attrs.frozen
class Choice:
    """The names of an enum's members in lower case, and the public class whose members are accepted as well."""

    enum: str
    accepts: str
    name: str
    values: tuple[str, ...]

    @property
    def module(self) -> str:
        """The module of the public class; empty if there is none."""
        return self.accepts.partition(":")[0]

    @property
    def path(self) -> str:
        """The public class, as an expression."""
        return self.accepts.replace(":", ".")


def choices(api: Api, config: Config) -> list[Choice]:
    """Return the types for the filters of a configuration, each once."""
    made: dict[tuple[str, str], Choice] = {}
    for param in _on_enums(config):
        key = (param.enum, param.accepts)
        if key not in made and param.enum in api.enums:
            enum = api.enums[param.enum]
            taken = {choice.name for choice in made.values()}
            values = tuple(m.py_name.lower() for m in enum.members if m.py_name != "UNSPECIFIED")
            made[key] = Choice(*key, _free(param.enum, f"{enum.py_name}Name", taken), values)
    return list(made.values())


def choice_of(found: Iterable[Choice], param: FilterParam) -> Choice:
    """Return the type of a filter's values."""
    return next(choice for choice in found if (choice.enum, choice.accepts) == (param.enum, param.accepts))


def _on_enums(config: Config) -> list[FilterParam]:
    """The filters on enums that a method uses."""
    used = {name for entity in config.entities for method in entity.methods for name in method.filters}
    return [param for name, param in config.filters.items() if param.enum and name in used]


def _free(full_name: str, name: str, taken: set[str]) -> str:
    *_, scope = ("", *full_name.split(".")[:-1])
    while name in taken:
        name = scope[:1].upper() + scope[1:] + name
        scope = "x"
    return name
