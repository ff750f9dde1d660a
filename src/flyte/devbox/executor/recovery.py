"""Recovery: a run that is started again takes over the actions that succeeded in the earlier run."""

from __future__ import annotations

from flyte.devbox.data.blobs import Blobs
from flyte.devbox.keys import ActionKey, RunKey
from flyte.devbox.store.store import Store
from flyte_api.messages.flyteidl2.common.phase import ActionPhase
from flyte_api.messages.flyteidl2.common.run import RelationType
from flyte_api.messages.flyteidl2.workflow.run_definition import ActionSpec

from .failures import OUTPUTS
from .plan import Work


def recovered_outputs(store: Store, blobs: Blobs, work: Work) -> str | None:
    """Return the URI of the outputs that an action takes over; None if it has to run.

    The root action always runs. Its children have the same names as in the earlier run if their tasks, inputs and order
    are the same.
    """
    relation, recover = work.run_spec.relation, work.run_spec.recover
    if work.parent is None or relation is None or relation.relation_type != RelationType.RECOVER:
        return None
    if relation.related_to is None or (recover is not None and work.key.name in recover.force_rerun_actions):
        return None
    earlier = store.actions.get(ActionKey(*RunKey.of(relation.related_to), work.key.name))
    if earlier is None or earlier.phase != ActionPhase.SUCCEEDED:
        return None
    base = ActionSpec.parse(earlier.action_spec).run_output_base
    uri = f"{blobs.output_directory(base, earlier.key, earlier.attempts)}/{OUTPUTS}"
    return uri if blobs.exists(uri) else None
