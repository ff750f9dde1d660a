"""Link entities: their properties, identity and methods."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from flyte_codegen.configuration.rules import Rules
from flyte_codegen.configuration.settings import Config
from flyte_codegen.configuration.tables import EntityConfig
from flyte_codegen.configuration.toml import nearest
from flyte_codegen.definitions.field_paths import FieldPath, find
from flyte_codegen.definitions.model import Api, Label, Message
from flyte_codegen.diagnostics import CodegenError, Diagnostic, fail, warning
from flyte_codegen.kinds.code import Code, names
from flyte_codegen.names import ENTITY_MODULE, RESERVED_IN_ENTITY, snake
from flyte_codegen.python.type_names import Naming, TypeNames

from . import identity, properties, summaries
from .annotations import Types
from .choices import choices
from .methods import MethodLinker, class_path, table_of
from .model import PyEntity, PyMethod
from .properties import PyProperty
from .requests.scope import roles_in
from .summaries import Summary


def modules(api: Api, naming: Naming, config: Config, rules: Rules, findings: list[Diagnostic]) -> list[PyEntity]:
    """Return the entity modules, one per `[entities.NAME]`. Errors of all entities are collected."""
    made = (link(api, naming, config, rules, entity, findings) for entity in config.entities)
    return [entity for entity in made if entity]


def exports(config: Config) -> list[tuple[str, str]]:
    """Map each entity's name to the path of its public class."""
    return [(entity.name, class_path(config, entity)) for entity in config.entities]


def link(
    api: Api, naming: Naming, config: Config, rules: Rules, entity: EntityConfig, findings: list[Diagnostic]
) -> PyEntity | None:
    """Return one entity with the methods and properties that can be linked, and add errors and warnings to `findings`.

    None if the entity itself has an error.
    """
    try:
        return _Linker(api, naming, config, entity).link(rules, findings)
    except CodegenError as cause:
        findings += cause.diagnostics
    return None


class _Linker:
    """Links one entity."""

    def __init__(self, api: Api, naming: Naming, config: Config, entity: EntityConfig) -> None:
        self.api, self.config, self.entity = api, config, entity
        overlays = {class_path(config, e).partition(":")[2] for e in config.entities}
        taken = (
            ENTITY_MODULE
            | overlays
            | config.sort_keys.keys()
            | {choice.name for choice in choices(api, config)}
            | {f"{entity.name}Base", summaries.name(entity.name)}
            | {s.py_name for s in api.services()}
        )
        self.types = Types(api, config, TypeNames(naming, taken))

    def link(self, rules: Rules, findings: list[Diagnostic]) -> PyEntity:
        """Link everything. Errors of properties and methods are collected; others are raised."""
        entity = self.entity
        if entity.message not in self.api.messages:
            raise self._fail(f"no message named {entity.message}", nearest(entity.message, self.api.messages))
        message = self.api.messages[entity.message]
        name = self.types.message(entity.message)
        made: list[PyProperty] = []
        for label, path in entity.properties.items():
            try:
                made.append(self._property(label, self._path(message, path, "properties", label), findings))
            except CodegenError as cause:
                findings += cause.diagnostics
        where = self._identity_path(message)
        scope = roles_in(self.api, self.config)
        linker = MethodLinker(
            api=self.api,
            config=self.config,
            rules=rules,
            entity=entity,
            identity=where,
            scope=scope,
            types=self.types,
            findings=findings,
        )
        methods: list[PyMethod] = []
        for method in entity.methods:
            try:
                methods.append(linker.link(method))
            except CodegenError as cause:
                findings += cause.diagnostics
        hooks = (hook.name for m in methods for hook in (m.fetch, m.made_by) if hook)
        self._check_methods(methods)
        self._check_names([p.name for p in made], [*self._finals(), *dict.fromkeys(m.name for m in methods), *hooks])
        label = next((name for name, read in entity.properties.items() if read == str(where)), "id")
        summary = self._summary(message)
        trees = [name, *_code(made, methods, summary)]
        return PyEntity(
            path=snake(entity.name),
            name=entity.name,
            message=name,
            doc=entity.doc or message.doc or f"`{entity.message}`.",
            source=self.api.file_of[entity.message].name,
            properties=tuple(made),
            identity=identity.lay_out(self.api, scope, where, label),
            summary=summary,
            finals=self._finals(),
            methods=tuple(methods),
            imports=_lines(trees, typing=False),
            type_imports=_lines(trees, typing=True),
        )

    def _fail(self, what: str, remedy: str, key: str = "") -> CodegenError:
        table = table_of(self.entity)
        return fail(self.config.source.at_table(table, key), f"[{table}] {what}", remedy)

    def _check_methods(self, methods: list[PyMethod]) -> None:
        """Refuse two methods of one name."""
        tables: dict[str, str] = {}
        for method in methods:
            table = table_of(self.entity, method.config.table)
            if other := tables.get(method.name):
                tables_of = f"[{other}] and [{table}]" if other != table else f"two tables [{table}]"
                other_name = snake(method.full_name.rpartition(".")[2])
                remedy = f'under one of them, add name = "another_name", such as name = "{other_name}"'
                where = self.config.source.at_table(table)
                raise fail(where, f"{tables_of} both give a method named {method.name}", remedy)
            tables[method.name] = table

    def _check_names(self, properties: list[str], methods: list[str]) -> None:
        counts = Counter([*properties, *methods])
        for name in counts:
            if counts[name] > 1:
                raise self._fail(f"two of its methods and properties are named {name}", "rename one")
            if name in RESERVED_IN_ENTITY or name.startswith("__"):
                raise self._fail(f"{name} is reserved by Python or by the entity base class", "choose another name")

    def _property(self, name: str, path: FieldPath, findings: list[Diagnostic]) -> PyProperty:
        if path.last.deprecated:
            what = f"{self.entity.name}.{name} reads this deprecated field"
            findings.append(warning(path.last.place, what, f"see [{table_of(self.entity)}.properties]"))
        return properties.lay_out(name, path, self.types)

    def _path(self, message: Message, path: str, *key: str) -> FieldPath:
        found = find(self.api, message, path)
        if found is None:
            table, name = ".".join([table_of(self.entity), *key[:-1]]), key[-1]
            what = f"[{table}] {name}: {self.entity.message} has no field at {path!r}"
            known = [f.name for f in message.fields]
            remedy = f"correct the path; {nearest(path.partition('.')[0], known)}"
            raise fail(self.config.source.at_table(table, name), what, remedy)
        return found

    def _identity_path(self, message: Message) -> FieldPath:
        if self.entity.identity == "id" and not message.field("id"):
            what = f"{self.entity.message} has no field id, the default of identity"
            raise self._fail(what, 'add identity = "PATH", with the path of the field that tells one from another')
        path = self._path(message, self.entity.identity, "identity")
        if path.last.label in (Label.REPEATED, Label.MAP):
            raise self._fail(f"identity names {path}, which is a repeated field", "name a singular field", "identity")
        return path

    def _finals(self) -> tuple[str, ...]:
        watches = (m for e in self.config.entities for m in e.methods if (m.returns or e.name) == self.entity.name)
        return tuple(sorted({m.final for m in watches if m.final}))

    def _summary(self, message: Message) -> Summary | None:
        details = self.entity.summary_of
        if not details:
            return None
        if details not in self.api.messages:
            raise self._fail(f"summary_of names {details}, which is not a message", nearest(details, self.api.messages))
        name = summaries.name(self.entity.name)
        summary = summaries.lay_out(self.api, name, message, self.api.messages[details], self.types)
        if not summary.copied:
            what = f"summary_of names {details}, which shares no field with {self.entity.message}"
            raise self._fail(what, "name the details message of the same resource, or remove summary_of")
        if any(param in ("details", name) for param, _ in summary.params):
            raise self._fail("summary_of does not work with a field named details", "remove summary_of")
        return summary


def _code(made: Iterable[PyProperty], methods: Iterable[PyMethod], summary: Summary | None) -> Iterator[Code]:
    """Yield all expressions of an entity's module."""
    for item in made:
        yield from (item.annotation, item.value, *(value for _, value in item.assignments))
    for method in methods:
        yield from method.code
    if summary:
        yield summary.annotation
        yield from (code for _, code in (*summary.params, *summary.copied))


def _lines(trees: Iterable[Code], *, typing: bool) -> tuple[str, ...]:
    """Return the imports that some expressions need, at run time or for annotations only."""
    return tuple(sorted({name.line for name in names(trees) if name.line and name.typing is typing}))
