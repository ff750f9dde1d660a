"""The actions of one run as a tree, which determines what to send to watchers after changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from attrs import Factory, define, frozen

from flyte.devbox.store.rows import ActionRow
from flyte_api.messages.flyteidl2.common.list import Filter, FilterFunction
from flyte_api.messages.flyteidl2.workflow.run_definition import EnrichedAction
from flyte_rpc.serving.server import Status, abort

from .messages import watched_action


@frozen
class TreeFilter:
    """Which actions a watcher wants to see."""

    phases: frozenset[int] = frozenset()
    """The accepted phases; empty for all."""
    name: str = ""
    """Lower-case substring of the name."""

    @classmethod
    def of(cls, filters: Iterable[Filter]) -> TreeFilter:
        """Read the filters of a request; INVALID_ARGUMENT for fields other than PHASE and NAME."""
        wanted: set[int] = set()
        name = ""
        for item in filters:
            if item.field == "PHASE" and item.function == FilterFunction.VALUE_IN:
                wanted.update(_phase(text) for text in item.values)
            elif item.field == "NAME" and item.function == FilterFunction.CONTAINS_CASE_INSENSITIVE and item.values:
                name = item.values[0].lower()
            else:
                function = FilterFunction(item.function).name or item.function
                abort(
                    Status.INVALID_ARGUMENT,
                    f"unsupported filter {item.field} {function}: use PHASE with VALUE_IN, or NAME with "
                    "CONTAINS_CASE_INSENSITIVE",
                )
        return cls(frozenset(wanted), name)

    def accepts(self, row: ActionRow) -> bool:
        """Whether the action matches the filter."""
        if self.phases and row.phase not in self.phases:
            return False
        shown = (row.task_name or "").rpartition(".")[2] or row.task_short_name or row.name
        return self.name in shown.lower()


@define
class _Node:
    row: ActionRow
    parent: _Node | None
    wanted: bool = False
    wanted_below: int = 0
    shown: bool = False
    below: Counter[int] = Factory(Counter[int])

    def ancestors(self) -> Iterator[_Node]:
        node = self.parent
        while node is not None:
            yield node
            node = node.parent


class RunTree:
    """The state that a watcher has received. A changed action also changes its ancestors' counts of descendants."""

    def __init__(self, wanted: TreeFilter, find: Callable[[str], ActionRow | None]) -> None:
        """Create an empty tree.

        Args:
            wanted: The watcher's filter.
            find: Reads an action of the run, for parents that are not in the tree yet.
        """
        self._filter = wanted
        self._find = find
        self._nodes: dict[str, _Node] = {}

    def update(self, rows: Iterable[ActionRow]) -> list[EnrichedAction]:
        """Update the state of some actions. Return what to send to the watcher, parents first."""
        touched: dict[str, _Node] = {}
        for row in rows:
            node = self._put(row)
            touched[row.name] = node
            for ancestor in node.ancestors():
                touched[ancestor.row.name] = ancestor
        return [news for node in _parents_first(touched) if (news := self._tell(node)) is not None]

    def _put(self, row: ActionRow) -> _Node:
        node = self._nodes.get(row.name)
        wanted = self._filter.accepts(row)
        if node is None:
            node = self._nodes[row.name] = _Node(row, self._parent_of(row), wanted)
            before, gained = None, int(wanted)
        else:
            before, gained = node.row.phase, int(wanted) - int(node.wanted)
            node.row, node.wanted = row, wanted
        for ancestor in node.ancestors():
            if before is not None:
                ancestor.below[before] -= 1
            ancestor.below[row.phase] += 1
            ancestor.wanted_below += gained
        return node

    def _parent_of(self, row: ActionRow) -> _Node | None:
        if row.parent is None or row.parent == row.name:
            return None
        known = self._nodes.get(row.parent)
        if known is not None:
            return known
        found = self._find(row.parent)
        return None if found is None else self._put(found)

    def _tell(self, node: _Node) -> EnrichedAction | None:
        meets = node.wanted or node.wanted_below > 0
        if not meets and not node.shown:
            return None
        node.shown = meets
        counts = {int(phase): count for phase, count in node.below.items()}
        return EnrichedAction(action=watched_action(node.row), meets_filter=meets, children_phase_counts=counts)


def _parents_first(nodes: dict[str, _Node]) -> list[_Node]:
    """Sort by age, but parents before children: a trace may be older than the action that reports it."""
    ordered: dict[str, _Node] = {}
    for node in sorted(nodes.values(), key=lambda node: (node.row.created_at, node.row.name)):
        for ancestor in reversed(list(node.ancestors())):
            if ancestor.row.name in nodes:
                ordered.setdefault(ancestor.row.name, ancestor)
        ordered.setdefault(node.row.name, node)
    return list(ordered.values())


def _phase(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        abort(Status.INVALID_ARGUMENT, f"the phase filter takes phase numbers, not {text!r}")
