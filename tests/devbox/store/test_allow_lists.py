"""The sort keys and filters in codegen.toml match the servers' allow-lists, which the devbox has."""

from __future__ import annotations

from pathlib import Path

import pytest

from flyte.devbox.store import actions, project_listing, tasks, triggers
from flyte_codegen.configuration import settings as config

ROOT = Path(__file__).parents[3]
SETTINGS = config.read(ROOT / "codegen.toml")
ALLOWED = {
    "ProjectKey": set(project_listing.LISTING.columns),
    "ActionKey": set(actions.LISTING.columns),
    "TaskKey": set(tasks.LISTING.columns),
    "TaskVersionKey": set(tasks.VERSIONS_LISTING.columns),
    "TriggerKey": set(triggers.LISTING.columns),
    "TriggerRevisionKey": set(triggers.REVISIONS_LISTING.columns),
}


@pytest.mark.parametrize("name", SETTINGS.sort_keys)
def test_every_key_to_sort_by_is_one_that_the_server_knows(name: str) -> None:
    keys = SETTINGS.sort_keys[name]
    assert len(set(keys)) == len(keys)
    assert set(keys) == ALLOWED[name]


def test_every_filter_is_on_a_field_that_the_server_knows() -> None:
    """A listing's filters are checked by the same list as its sort order."""
    checked = 0
    for entity in SETTINGS.entities:
        for method in entity.methods:
            if method.sort_keys:
                fields = {
                    SETTINGS.filters[f].field
                    for f in method.filters
                    # Labels are for Union's server; the open-source one rejects these filters, as the documentation says.
                    if SETTINGS.filters[f].kind not in ("local", "message", "labels", "label_keys")
                }
                assert fields <= ALLOWED[method.sort_keys], f"{entity.name}.{method.table}"
                checked += len(fields)
    assert checked > 10
