"""The tables. Times are integer microseconds since the epoch; messages are stored encoded."""

from __future__ import annotations

OLDEST = 2
"""The format version of `DDL`, and the oldest that a devbox can upgrade."""

# WITHOUT ROWID keeps a row inside its primary key's tree: one look-up instead of two.
# Partial indexes serve the default listing of runs: a run is an action without a parent.
DDL = """
CREATE TABLE projects (
    identifier  TEXT PRIMARY KEY,
    name        TEXT NOT NULL,
    description TEXT NOT NULL,
    labels      BLOB,
    state       INTEGER NOT NULL,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL
);

CREATE TABLE task_specs (
    digest TEXT PRIMARY KEY,
    spec   BLOB NOT NULL
) WITHOUT ROWID;

CREATE TABLE tasks (
    project           TEXT NOT NULL,
    domain            TEXT NOT NULL,
    name              TEXT NOT NULL,
    version           TEXT NOT NULL,
    environment       TEXT NOT NULL,
    function_name     TEXT NOT NULL,
    env_description   TEXT NOT NULL,
    short_description TEXT NOT NULL,
    deployed_by       TEXT NOT NULL DEFAULT '',
    spec_digest       TEXT NOT NULL REFERENCES task_specs,
    created_at        INTEGER NOT NULL,
    updated_at        INTEGER NOT NULL,
    UNIQUE (project, domain, name, version)
);
CREATE INDEX tasks_by_age ON tasks (project, domain, name, created_at DESC);

CREATE TABLE actions (
    project            TEXT NOT NULL,
    domain             TEXT NOT NULL,
    run_name           TEXT NOT NULL,
    name               TEXT NOT NULL,
    parent             TEXT,
    phase              INTEGER NOT NULL,
    action_type        INTEGER NOT NULL,
    run_source         TEXT,
    action_group       TEXT NOT NULL,
    task_project       TEXT,
    task_domain        TEXT,
    task_name          TEXT,
    task_version       TEXT,
    task_type          TEXT,
    task_short_name    TEXT,
    function_name      TEXT,
    environment_name   TEXT,
    spec_digest        TEXT,
    action_spec        BLOB NOT NULL,
    run_spec           BLOB NOT NULL,
    inputs_uri         TEXT NOT NULL,
    outputs_uri        TEXT NOT NULL,
    signal_output      BLOB,
    signal_principal   BLOB,
    abort_reason       TEXT,
    attempts           INTEGER NOT NULL,
    cache_status       INTEGER NOT NULL,
    created_by         BLOB,
    created_by_subject TEXT,
    created_at         INTEGER NOT NULL,
    updated_at         INTEGER NOT NULL,
    ended_at           INTEGER,
    duration_ms        INTEGER,
    PRIMARY KEY (project, domain, run_name, name)
) WITHOUT ROWID;
CREATE INDEX runs_by_phase ON actions (project, domain, phase, created_at DESC, run_name DESC, name DESC)
    WHERE parent IS NULL;
CREATE INDEX runs_by_age ON actions (project, domain, created_at DESC, run_name, name) WHERE parent IS NULL;
CREATE INDEX runs_by_task ON actions (task_project, task_domain, task_name, phase) WHERE parent IS NULL;
CREATE INDEX paused_actions ON actions (project, domain, run_name) WHERE phase = 9;

CREATE TABLE action_events (
    project    TEXT NOT NULL,
    domain     TEXT NOT NULL,
    run_name   TEXT NOT NULL,
    name       TEXT NOT NULL,
    attempt    INTEGER NOT NULL,
    phase      INTEGER NOT NULL,
    version    INTEGER NOT NULL,
    event      BLOB NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (project, domain, run_name, name, attempt, phase, version)
) WITHOUT ROWID;

CREATE TABLE jobs (
    project    TEXT NOT NULL,
    domain     TEXT NOT NULL,
    run_name   TEXT NOT NULL,
    name       TEXT NOT NULL,
    attempt    INTEGER NOT NULL,
    cache_key  TEXT NOT NULL,
    queued_at  INTEGER NOT NULL,
    marker     TEXT,
    pid        INTEGER,
    start_time       TEXT,
    PRIMARY KEY (project, domain, run_name, name)
) WITHOUT ROWID;

CREATE TABLE cached_outputs (
    project    TEXT NOT NULL,
    domain     TEXT NOT NULL,
    key        TEXT NOT NULL,
    output_uri TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (project, domain, key)
) WITHOUT ROWID;
"""

_TRIGGERS = """
CREATE TABLE triggers (
    project         TEXT NOT NULL,
    domain          TEXT NOT NULL,
    task_name       TEXT NOT NULL,
    name            TEXT NOT NULL,
    revision        INTEGER NOT NULL,
    task_version    TEXT NOT NULL,
    active          INTEGER NOT NULL,
    automation_type TEXT NOT NULL,
    spec            BLOB NOT NULL,
    automation_spec BLOB NOT NULL,
    deployed_at     INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL,
    triggered_at    INTEGER,
    deleted_at      INTEGER,
    scheduled_after INTEGER NOT NULL,
    PRIMARY KEY (project, domain, task_name, name)
) WITHOUT ROWID;
CREATE INDEX scheduled_triggers ON triggers (automation_type) WHERE active AND deleted_at IS NULL;

CREATE TABLE trigger_revisions (
    project         TEXT NOT NULL,
    domain          TEXT NOT NULL,
    task_name       TEXT NOT NULL,
    name            TEXT NOT NULL,
    revision        INTEGER NOT NULL,
    action          INTEGER NOT NULL,
    active          INTEGER NOT NULL,
    spec            BLOB NOT NULL,
    automation_spec BLOB NOT NULL,
    deployed_at     INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL,
    triggered_at    INTEGER,
    deleted_at      INTEGER,
    PRIMARY KEY (project, domain, task_name, name, revision)
) WITHOUT ROWID;

ALTER TABLE actions ADD COLUMN trigger_task_name TEXT;
ALTER TABLE actions ADD COLUMN trigger_name TEXT;
ALTER TABLE actions ADD COLUMN trigger_revision INTEGER;
CREATE INDEX runs_by_trigger ON actions (project, domain, trigger_task_name, trigger_name, created_at DESC)
    WHERE trigger_name IS NOT NULL;

CREATE TABLE clock (
    advance INTEGER NOT NULL
);
INSERT INTO clock VALUES (0);
"""

_ADMINISTRATION = """
CREATE TABLE secrets (
    object_name TEXT PRIMARY KEY,
    project     TEXT NOT NULL,
    domain      TEXT NOT NULL,
    name        TEXT NOT NULL,
    value       BLOB NOT NULL,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE settings (
    org      TEXT NOT NULL,
    domain   TEXT NOT NULL,
    project  TEXT NOT NULL,
    settings BLOB NOT NULL,
    version  INTEGER NOT NULL,
    PRIMARY KEY (org, domain, project)
) WITHOUT ROWID;

ALTER TABLE cached_outputs ADD COLUMN metadata BLOB;
"""

MIGRATIONS = {3: _TRIGGERS, 4: _ADMINISTRATION}
"""What each format version adds to the one before it. Every file, even a new one, goes through the later ones in order."""

VERSION = max(MIGRATIONS)
"""The format version that this devbox reads and writes."""
