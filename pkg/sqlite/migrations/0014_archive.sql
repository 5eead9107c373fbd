-- Memories that are archived stand as they are, and are found by nobody who does not ask for what is archived.

-- +goose Up

ALTER TABLE memories ADD COLUMN archived_at INTEGER;
ALTER TABLE memories ADD COLUMN archived_by TEXT NOT NULL DEFAULT '';
CREATE INDEX memories_archived ON memories (tenant, project, id) WHERE archived_at IS NOT NULL;

-- How a project forgets, as JSON.
CREATE TABLE forgetting_policies (
    tenant  TEXT NOT NULL,
    project TEXT NOT NULL,
    body    TEXT NOT NULL,
    PRIMARY KEY (tenant, project)
) WITHOUT ROWID;

-- How often answers held a memory, and what was said of it. body holds the last of what was said, as JSON.
CREATE TABLE memory_use (
    tenant       TEXT NOT NULL,
    project      TEXT NOT NULL,
    memory_id    TEXT NOT NULL,
    hits         INTEGER NOT NULL,
    last_used_at INTEGER,
    helpful      INTEGER NOT NULL,
    unhelpful    INTEGER NOT NULL,
    score        REAL NOT NULL,             -- the sum of what was said, each -1 to 1
    body         TEXT NOT NULL,
    PRIMARY KEY (tenant, project, memory_id)
) WITHOUT ROWID;
