"""How runs and actions are identified inside the devbox. Organizations do not exist here, as in the real backend."""

from __future__ import annotations

from typing import NamedTuple

from flyte_api.messages.flyteidl2.common.identifier import ActionIdentifier, RunIdentifier

ROOT_ACTION = "a0"
"""Name of the action that is a run."""


class RunKey(NamedTuple):
    """Identity of a run."""

    project: str
    domain: str
    run: str

    @classmethod
    def of(cls, identifier: RunIdentifier) -> RunKey:
        """The key of a run id; its organization is dropped."""
        return cls(identifier.project, identifier.domain, identifier.name)

    @property
    def root(self) -> ActionKey:
        """The key of the run's root action."""
        return ActionKey(*self, ROOT_ACTION)

    def identifier(self) -> RunIdentifier:
        """The message that clients get."""
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
        """The message that clients get."""
        return ActionIdentifier(run=self.run_key.identifier(), name=self.name)

    def __str__(self) -> str:
        return "/".join(self)
