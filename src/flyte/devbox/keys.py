"""Keys of runs and actions inside the devbox. Like the real backend, the devbox has no organizations."""

from __future__ import annotations

from typing import NamedTuple

from flyte_api.messages.flyteidl2.common.identifier import ActionIdentifier, RunIdentifier, TriggerName

ROOT_ACTION = "a0"
"""Name of the root action of a run."""


class RunKey(NamedTuple):
    """Identity of a run."""

    project: str
    domain: str
    run: str

    @classmethod
    def of(cls, identifier: RunIdentifier) -> RunKey:
        """Return the key of a run id, without its organization."""
        return cls(identifier.project, identifier.domain, identifier.name)

    @property
    def root(self) -> ActionKey:
        """The key of the run's root action."""
        return ActionKey(*self, ROOT_ACTION)

    def identifier(self) -> RunIdentifier:
        """The identifier message."""
        return RunIdentifier(project=self.project, domain=self.domain, name=self.run)


class ActionKey(NamedTuple):
    """Identity of an action."""

    project: str
    domain: str
    run: str
    name: str

    @classmethod
    def of(cls, identifier: ActionIdentifier) -> ActionKey:
        """The key of an action id, which must name its run."""
        run = identifier.run or RunIdentifier()
        return cls(run.project, run.domain, run.name, identifier.name)

    @property
    def run_key(self) -> RunKey:
        """The key of the run that the action belongs to."""
        return RunKey(self.project, self.domain, self.run)

    def sibling(self, name: str) -> ActionKey:
        """The key of another action of the same run."""
        return ActionKey(self.project, self.domain, self.run, name)

    def identifier(self) -> ActionIdentifier:
        """The identifier message."""
        return ActionIdentifier(run=self.run_key.identifier(), name=self.name)

    def __str__(self) -> str:
        return "/".join(self)


class TriggerKey(NamedTuple):
    """Identity of a trigger."""

    project: str
    domain: str
    task: str
    name: str

    @classmethod
    def of(cls, name: TriggerName) -> TriggerKey:
        """Return the key of a trigger's name, without its organization."""
        return cls(name.project, name.domain, name.task_name, name.name)

    def message(self) -> TriggerName:
        """The name message."""
        return TriggerName(project=self.project, domain=self.domain, task_name=self.task, name=self.name)

    def __str__(self) -> str:
        return "/".join(self)
